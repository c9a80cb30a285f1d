"""The best levels that a depth book and a newer bookTicker say together.

Both are numbered by one counter of the venue (facts section 5.3). The ticker is faster and knows only the touch: where it is the
newer one it replaces the touch and hides what the book still shows in front of it; where the book has caught up, the book speaks
alone. The book itself is never changed by a ticker, for its levels must stay what the chain of diffs made them.
"""

from __future__ import annotations

from actors.market_data.book import Book
from protocols.values import Level
from protocols.venue import BookTicker

Top = tuple[tuple[Level, ...], tuple[Level, ...]]


class MergedTop:
    """Best `count` levels of either side. What lies behind an unmoved touch is remembered between two diffs."""

    __slots__ = ("_ask_rest", "_ask_ticks", "_bid_rest", "_bid_ticks", "_book", "_count")

    def __init__(self, book: Book, count: int) -> None:
        self._book = book
        self._count = count
        self._bid_ticks = self._ask_ticks = 0
        self._bid_rest: tuple[Level, ...] = ()
        self._ask_rest: tuple[Level, ...] = ()

    def book_changed(self) -> None:
        """Forget what was remembered of the book."""
        self._bid_ticks = self._ask_ticks = 0

    def of_book(self) -> Top:
        """The book alone."""
        return tuple(self._book.bids.top(self._count)), tuple(self._book.asks.top(self._count))

    def of_ticker(self, ticker: BookTicker) -> Top:
        """The touch of a newer ticker with the book behind it."""
        if ticker.bid_ticks != self._bid_ticks:
            self._bid_ticks = ticker.bid_ticks
            self._bid_rest = tuple(self._book.bids.top_behind(ticker.bid_ticks, self._count - 1))
        if ticker.ask_ticks != self._ask_ticks:
            self._ask_ticks = ticker.ask_ticks
            self._ask_rest = tuple(self._book.asks.top_behind(ticker.ask_ticks, self._count - 1))
        return (
            ((ticker.bid_ticks, ticker.bid_lots), *self._bid_rest),
            ((ticker.ask_ticks, ticker.ask_lots), *self._ask_rest),
        )

    def differs(self, ticker: BookTicker) -> bool:
        """Whether a ticker of the book's own update id shows another touch than the book: one of the two is wrong."""
        bids, asks = self._book.bids.top(1), self._book.asks.top(1)
        return bids != [(ticker.bid_ticks, ticker.bid_lots)] or asks != [(ticker.ask_ticks, ticker.ask_lots)]
