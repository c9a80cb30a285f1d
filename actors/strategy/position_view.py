"""The position that we quote from: inventory's word, and the fills that order events have told since.

Both are numbered by the shard's `event_seq`. Inventory's position holds every event up to its number; a fill counts only above it,
so the one that comes by both ways is counted once, whichever comes first.
"""

from __future__ import annotations

from collections import deque

from protocols.messages.inventory import PositionChanged
from protocols.messages.orders import OrderFilled

FILLS_MAX = 256
"""Fills remembered above inventory's number; inventory is never further behind in life, and if it is, the position is unknown."""
SETTLE_NS = 2_000_000_000
"""What happened before we could hear events is in inventory's position when its number says so, or else after this long."""


class EventOrder:
    """The numbers of one shard's events: a repeated one is dropped.

    Numbers are skipped in life, for account events have them too and are not sent to strategy; that no order event is lost
    is the ordered link's promise. Only what came before the first event heard may be unknown.
    """

    def __init__(self) -> None:
        self.first_seq: int | None = None
        self.last_seq = 0
        self.duplicates = 0

    def is_new(self, event_seq: int) -> bool:
        """Whether this event was not seen before."""
        if event_seq <= self.last_seq:
            self.duplicates += 1
            return False
        if self.first_seq is None:
            self.first_seq = event_seq
        self.last_seq = event_seq
        return True


class PositionView:
    """Signed lots of one symbol; `lots` means something only while `unknown` is empty."""

    def __init__(self) -> None:
        self.lots = 0
        self._base: PositionChanged | None = None
        self._why = "no position heard from inventory yet"
        self._fills: deque[tuple[int, int]] = deque()
        self._missing_until = 0
        self._settled_ns = 0

    def unknown(self, now_ns: int) -> str:
        """Why the position is not known; empty when it is."""
        base = self._base
        if base is None:
            return self._why
        if base.event_seq < self._missing_until and now_ns < self._settled_ns:
            return f"events up to {self._missing_until} were not heard; inventory is at {base.event_seq}"
        return ""

    def forget(self, why: str) -> None:
        """Inventory cannot be heard: its next word is awaited."""
        self._base = None
        self._why = why

    def missed(self, until_seq: int, heard_from_ns: int) -> None:
        """Events up to `until_seq` happened before `heard_from_ns`, when we began to hear them."""
        self._missing_until = until_seq
        self._settled_ns = heard_from_ns + SETTLE_NS

    def take_position(self, position: PositionChanged) -> None:
        """Inventory's word."""
        if not position.known:
            self.forget("inventory does not know the position")
            return
        self._base = position
        while self._fills and self._fills[0][0] <= position.event_seq:
            self._fills.popleft()
        self.lots = position.position_lots + sum(lots for _, lots in self._fills)

    def take_fill(self, fill: OrderFilled) -> None:
        """A fill of a new event number."""
        if self._base is not None and fill.event_seq <= self._base.event_seq:
            return
        lots = fill.side.sign * fill.quantity_lots
        self._fills.append((fill.event_seq, lots))
        self.lots += lots
        if len(self._fills) > FILLS_MAX:
            self._fills.popleft()
            self.forget(f"inventory is more than {FILLS_MAX} fills behind")
