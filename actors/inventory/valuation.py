"""What a symbol is worth now: the venue's mark price, else the middle of the book; never a stale or impossible number."""

from __future__ import annotations

from decimal import Decimal

from protocols.messages.market import BookTop, MarkPrice
from protocols.values import Instrument


class Valuation:
    """Newest prices of one symbol. Times are receipts on our own clock.

    Args:
        age_ns_max: older prices value nothing.
    """

    def __init__(self, instrument: Instrument, age_ns_max: int) -> None:
        self._instrument = instrument
        self._age_ns_max = age_ns_max
        self._mark: tuple[Decimal, int] | None = None
        self._mid: tuple[Decimal, int] | None = None

    def mark(self, message: MarkPrice) -> bool:
        """Take a mark price; returns False for one that cannot be."""
        if not message.mark_price.is_finite() or message.mark_price <= 0:
            return False
        self._mark = (message.mark_price, message.received_ns)
        return True

    def book(self, message: BookTop) -> bool:
        """Take a book; returns False for one that cannot be."""
        if not message.bids or not message.asks or not 0 < message.bids[0][0] < message.asks[0][0]:
            return False
        self._mid = (self._instrument.tick_size * (message.bids[0][0] + message.asks[0][0]) / 2, message.received_ns)
        return True

    def price(self, now_ns: int) -> Decimal | None:
        """The price to value a position at; None while there is none that is fresh."""
        for known in (self._mark, self._mid):
            if known is not None and now_ns - known[1] <= self._age_ns_max:
                return known[0]
        return None
