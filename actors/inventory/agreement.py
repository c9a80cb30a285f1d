"""Whether our position of a symbol is the venue's, judged by the venue's newest word and with patience for events under way."""

from __future__ import annotations

from decimal import Decimal

from actors.inventory.books import SymbolBook
from protocols.messages.journal import PositionAdopted
from protocols.values import Instrument

PATIENCE_NS = 2_000_000_000
"""A difference this old is not explained by events under way (I3)."""


class Agreement:
    """One symbol. `doubted` from missed events until the venue's word, given after that, agrees or is adopted."""

    def __init__(self) -> None:
        self.doubted = False
        self.differs_since_ns: int | None = None
        self._difference = Decimal(0)
        self._word: PositionAdopted | None = None

    def hear(self, word: PositionAdopted) -> None:
        """Take note of the venue's word on the position; an older word than is known is ignored."""
        if self._word is None or word.venue_time_ns >= self._word.venue_time_ns:
            self._word = word

    def doubt(self) -> None:
        """Events were missed: what the venue said before proves nothing."""
        self.doubted = True
        self._word = None
        self.differs_since_ns = None

    def settle(self, book: SymbolBook, instrument: Instrument, now_ns: int) -> PositionAdopted | None:
        """Compare; returns the venue's position where it is to be adopted now.

        A word older than our newest fill proves nothing about it, and one of the same millisecond may be of before it. A difference is as
        old as the words that show this very one without a break: what looked like one between a word and its fill was none.
        """
        word = self._word
        if word is None or word.venue_time_ns < book.last_fill_venue_ns:
            self.differs_since_ns = None
            return None
        difference = instrument.quantity(word.position_lots) - book.average.quantity
        if book.adopted and not difference:
            self._agreed()
            return None
        if word.venue_time_ns == book.last_fill_venue_ns:
            self.differs_since_ns = None
            return None
        if self.differs_since_ns is None or difference != self._difference:
            self.differs_since_ns, self._difference = now_ns, difference
        if book.adopted and now_ns - self.differs_since_ns < PATIENCE_NS:
            return None
        self._agreed()
        return word

    def meet(self, book: SymbolBook, instrument: Instrument, word: PositionAdopted) -> PositionAdopted | None:
        """Compare at a place of the stream where its order manager had agreed with the venue; returns the position if ours is another.

        Nothing can be under way there, so no patience is due. The word holds at that place only: its time is of our clock, and an execution
        of just before it may follow in the stream. What the venue said earlier is settled by it.
        """
        self._word = None
        self._agreed()
        is_ours = book.adopted and instrument.quantity(word.position_lots) == book.average.quantity
        return None if is_ours else word

    def _agreed(self) -> None:
        self.differs_since_ns = None
        self.doubted = False
