"""Getting a symbol's orders off the venue and being sure: open orders empty, asked twice, the second past every deadline."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actors.order_manager.desk import Desk
from protocols.values import InstrumentId
from protocols.venue import OrderReport

ASK_PERIOD_NS = 300_000_000
"""Time between two looks at a symbol's open orders."""

CANCEL_EACH_MAX = 4
"""More orders than this, when all that rest must go, are cancelled by one request for the whole symbol."""

EMPTY_LOOKS = 2
"""So many looks in a row must find nothing."""


class _Look(msgspec.Struct):
    request_id: int = 0
    asked_ns: int = 0
    next_ns: int = 0
    empty: int = 0
    done: bool = False


class Clearance:
    """Asks until every symbol was seen empty twice, the second time not before `certain_from_ns`, and cancels what it finds."""

    def __init__(self, instrument_ids: list[InstrumentId], desk: Desk, concerns: Callable[[str], bool]) -> None:
        """Describe what must go.

        Args:
            concerns: whether an open order with this client order id must go.
        """
        self._desk = desk
        self._concerns = concerns
        self._looks = {instrument_id: _Look() for instrument_id in instrument_ids}
        self.found_total = 0

    @property
    def is_done(self) -> bool:
        """Whether every symbol is clear."""
        return all(look.done for look in self._looks.values())

    def is_clear(self, instrument_id: InstrumentId) -> bool:
        """Whether one symbol is clear."""
        return self._looks[instrument_id].done

    def step(self, now_ns: int) -> None:
        """Ask for what is due."""
        for instrument_id, look in self._looks.items():
            if look.done or look.request_id or now_ns < look.next_ns:
                continue
            request_id = self._desk.query_open_orders(instrument_id, now_ns)
            if request_id:
                look.request_id, look.asked_ns, look.next_ns = request_id, now_ns, now_ns + ASK_PERIOD_NS

    def failed(self, instrument_id: InstrumentId, request_id: int) -> None:
        """A look had no answer: it is repeated."""
        look = self._looks.get(instrument_id)
        if look is not None and look.request_id == request_id:
            look.request_id = 0

    def seen(
        self,
        instrument_id: InstrumentId,
        request_id: int,
        orders: tuple[OrderReport, ...],
        certain_from_ns: int,
        now_ns: int,
    ) -> None:
        """Take a look's answer.

        Args:
            certain_from_ns: a look asked before this instant proves nothing, for a send may still be on its way.
        """
        look = self._looks.get(instrument_id)
        if look is None or look.request_id != request_id:
            return
        look.request_id = 0
        left = [order for order in orders if self._concerns(order.client_order_id)]
        self.found_total += len(left)
        if len(left) > CANCEL_EACH_MAX and len(left) == len(orders):
            self._desk.cancel_all(instrument_id, now_ns)
            look.empty = 0
            return
        for order in left:
            self._desk.cancel_foreign(instrument_id, order.client_order_id, order.venue_order_id, now_ns)
        if left:
            look.empty = 0
        elif look.empty + 1 < EMPTY_LOOKS:
            look.empty += 1
            look.next_ns = max(look.next_ns, certain_from_ns)
        elif look.asked_ns >= certain_from_ns:
            look.done = True
