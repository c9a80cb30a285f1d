"""What becomes of our orders: rejected, invalid, filled, and how soon."""

from __future__ import annotations

from typing import NamedTuple

from protocols.arithmetic.sliding_window import SlidingSum
from protocols.binance_usdm.errors import CODES
from protocols.venue import RefusalKind

ENTRIES_MAX = 8_192
ORDERS_TIMED_MAX = 1_000
"""Orders without a fill whose time of acceptance is remembered."""

TIME_TO_FILL_WEIGHT = 0.1
"""Weight of the newest fill in the average."""

_INVALID = frozenset(code for code, kind in CODES.items() if kind is RefusalKind.OUR_FAULT)
_POST_ONLY = frozenset(code for code, kind in CODES.items() if kind is RefusalKind.POST_ONLY)


class FlowRatios(NamedTuple):
    """What became of the orders within the window."""

    asked: int
    """Orders that the venue took or refused."""

    reject_ratio: float
    """Share of them that were refused."""

    invalid_ratio: float
    """Share of them that were invalid."""

    fills: int
    """Executions."""

    fill_rate: float
    """Fills a minute."""


class OrderFlow:
    """Ratios over the last `window_ns` (exact to the event up to 8,192 of a kind, never too low beyond).

    reject ratio: refused by the venue / asked, refusals of post-only orders left out. invalid ratio: refused for what was wrong with the
    order itself (filters, parameters) / asked. fill rate: fills a minute. time to fill: average of the time from acceptance to an order's
    first fill, in seconds, the newest counting 0.1. Source: order events.
    """

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._asked = SlidingSum(window_ns, ENTRIES_MAX)
        self._rejected = SlidingSum(window_ns, ENTRIES_MAX)
        self._invalid = SlidingSum(window_ns, ENTRIES_MAX)
        self._fills = SlidingSum(window_ns, ENTRIES_MAX)
        self._accepted_ns: dict[str, int] = {}
        self._time_to_fill_s: float | None = None

    def accepted(self, client_order_id: str, now_ns: int) -> None:
        """The venue took an order."""
        self._asked.add(1, now_ns)
        if len(self._accepted_ns) >= ORDERS_TIMED_MAX:
            del self._accepted_ns[next(iter(self._accepted_ns))]
        self._accepted_ns[client_order_id] = now_ns

    def rejected(self, venue_code: int, now_ns: int) -> None:
        """The venue refused an order."""
        if venue_code in _POST_ONLY:
            return
        self._asked.add(1, now_ns)
        self._rejected.add(1, now_ns)
        if venue_code in _INVALID:
            self._invalid.add(1, now_ns)

    def filled(self, client_order_id: str, now_ns: int) -> None:
        """One execution."""
        self._fills.add(1, now_ns)
        accepted_ns = self._accepted_ns.pop(client_order_id, None)
        if accepted_ns is not None:
            took_s = (now_ns - accepted_ns) / 1e9
            before = self._time_to_fill_s
            self._time_to_fill_s = took_s if before is None else before + TIME_TO_FILL_WEIGHT * (took_s - before)

    def ended(self, client_order_id: str) -> None:
        """An order is gone."""
        self._accepted_ns.pop(client_order_id, None)

    def ratios(self, now_ns: int) -> FlowRatios:
        """Everything as of now."""
        asked, fills = self._asked.total(now_ns), self._fills.total(now_ns)
        rejected, invalid = self._rejected.total(now_ns), self._invalid.total(now_ns)
        return FlowRatios(
            asked,
            rejected / asked if asked else 0.0,
            invalid / asked if asked else 0.0,
            fills,
            fills * 60e9 / self._window_ns,
        )

    def time_to_fill_s(self) -> float | None:
        """Average time to the first fill; None before the first."""
        return self._time_to_fill_s
