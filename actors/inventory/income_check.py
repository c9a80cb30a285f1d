"""Our own books against the venue's income records, window by window, while running (I13).

Each window of the venue's time is compared once, a few seconds after its end, to the last digit: fees and funding are booked as the venue
said them, and realised PnL is made by its rule (the cost of a closed part rounded half up to 8 decimals, what is rounded off stays open:
protocols/arithmetic/positions.py), so every record has its equal here. A record that falls on the other side of a window's edge than our
booking cancels out in the next one, so only a difference that stays is reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from protocols.arithmetic.positions import exact_arithmetic
from protocols.venue import IncomeReport

PERIOD_NS = 30_000_000_000
SETTLE_NS = 5_000_000_000
"""A window ends this long before it is asked for, so that events under way have arrived."""

BOOKINGS_MAX = 20_000
"""Bookings that wait for their comparison; when they overflow, checking starts afresh."""

PAGES_MAX = 10
WINDOWS_DIFFERING_MAX = 3
"""A difference that is there in this many comparisons running is reported."""

_COMPARED = {
    "COMMISSION": "fees",
    "REALIZED_PNL": "realised",
    "FUNDING_FEE": "funding",
    "SPECIAL_FUNDING_FEE": "funding",
}
_ZERO = Decimal(0)
_MS = 1_000_000


class Booking(NamedTuple):
    """One amount as the wallet felt it (a fee paid is negative). `kind` is fees, realised or funding."""

    venue_time_ns: int
    kind: str
    asset: str
    amount: Decimal


class Window(NamedTuple):
    """A span of the venue's time: from included, until excluded."""

    from_ms: int
    until_ms: int


class IncomeCheck:
    """Compares sums of (kind, asset).

    Args:
        symbols: only records of these are compared; others belong to somebody else's trading.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self._symbols = frozenset(symbols)
        self._bookings: deque[Booking] = deque()
        self._began_ms: int | None = None
        self._base_ms = 0
        self._window: Window | None = None
        self._seen: dict[tuple[str, str, str, str], None] = {}
        self._pages = 0
        self._venue: dict[tuple[str, str], Decimal] = {}
        self._records = 0
        self._running = 0
        self.differences: dict[tuple[str, str], Decimal] = {}
        self.windows = 0
        self.records = 0

    def book(self, booking: Booking) -> None:
        """Take note of one of our own bookings; those before the check began are left out."""
        if booking.amount == 0 or self._began_ms is None or booking.venue_time_ns < self._began_ms * _MS:
            return
        if len(self._bookings) >= BOOKINGS_MAX:
            self.restart()
            return
        self._bookings.append(booking)

    def restart(self) -> None:
        """Begin afresh at the next window: what lies before cannot be compared."""
        self._began_ms = None
        self._bookings.clear()
        self._window = None
        self.differences.clear()
        self._running = 0

    def next_from_ms(self, venue_now_ns: int) -> int | None:
        """Begin a window that ends a moment ago; returns where to ask from, None where there is nothing to compare yet."""
        until_ms = (venue_now_ns - SETTLE_NS) // _MS
        if self._began_ms is None:
            self._began_ms = self._base_ms = venue_now_ns // _MS
            return None
        if until_ms <= self._base_ms:
            return None
        self._window = Window(self._base_ms, until_ms)
        self._seen.clear()
        self._venue.clear()
        self._pages = self._records = 0
        return self._base_ms

    def take(self, records: tuple[IncomeReport, ...], complete: bool) -> int | None:
        """Take one page; returns where the next page begins, None when the window has been compared (or given up)."""
        window = self._window
        if window is None:
            return None
        self._pages += 1
        last_ms = window.from_ms
        with exact_arithmetic():
            for record in records:
                last_ms = max(last_ms, record.venue_time_ns // _MS)
                self._add(record, window)
        if not complete and last_ms < window.until_ms and records:
            if self._pages < PAGES_MAX:
                return last_ms
            self.restart()
            return None
        self._compare(window)
        return None

    def abandon(self) -> None:
        """The window could not be asked for; the next one begins where it began."""
        self._window = None

    def reported(self) -> dict[tuple[str, str], Decimal]:
        """Differences (ours minus the venue's) that have stayed for some comparisons; empty when the books agree."""
        return dict(self.differences) if self._running >= WINDOWS_DIFFERING_MAX else {}

    def _add(self, record: IncomeReport, window: Window) -> None:
        kind = _COMPARED.get(record.kind)
        time_ms = record.venue_time_ns // _MS
        key = (record.kind, record.transaction_id, record.symbol, record.trade_id)
        if kind is None or record.symbol not in self._symbols or key in self._seen:
            return
        if not window.from_ms <= time_ms < window.until_ms:
            return
        self._seen[key] = None
        self._records += 1
        self._venue[(kind, record.asset)] = self._venue.get((kind, record.asset), _ZERO) + record.amount

    def _compare(self, window: Window) -> None:
        later: deque[Booking] = deque()
        ours: dict[tuple[str, str], Decimal] = {}
        with exact_arithmetic():
            for booking in self._bookings:
                if booking.venue_time_ns >= window.until_ms * _MS:
                    later.append(booking)
                    continue
                key = (booking.kind, booking.asset)
                ours[key] = ours.get(key, _ZERO) + booking.amount
            for key in {*ours, *self._venue}:
                rest = self.differences.get(key, _ZERO) + ours.get(key, _ZERO) - self._venue.get(key, _ZERO)
                self.differences[key] = rest
        self.differences = {key: rest for key, rest in self.differences.items() if rest}
        self._bookings, self._base_ms, self._window = later, window.until_ms, None
        self._running = self._running + 1 if self.differences else 0
        self.windows += 1
        self.records += self._records
