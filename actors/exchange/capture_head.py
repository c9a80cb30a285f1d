"""What the first lines of a capture say of a symbol, and which receive times can be believed."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.exchange.captures import (
    Recorded,
    RecordedBands,
    RecordedBook,
    RecordedDepth,
    RecordedPrint,
    RecordedTicker,
)

SCAN_LINES = 20_000
SILENCE_NS_MAX = 3_600_000_000_000
BACKWARDS_NS_MAX = 1_000_000_000


@dataclass(slots=True)
class LineClock:
    """Receive times of one file: a line far off the others is damaged; a second one that agrees with it means a real break."""

    last_ns: int | None = None
    doubted_ns: int | None = None

    def believes(self, receive_ns: int) -> bool:
        """Whether a line of this time may follow."""
        near = (
            self.doubted_ns
            if self.doubted_ns is not None and self._follows(self.doubted_ns, receive_ns)
            else self.last_ns
        )
        if near is None or self._follows(near, receive_ns):
            self.last_ns, self.doubted_ns = receive_ns, None
            return True
        self.doubted_ns = receive_ns
        return False

    @staticmethod
    def _follows(before_ns: int, receive_ns: int) -> bool:
        return before_ns - BACKWARDS_NS_MAX <= receive_ns <= before_ns + SILENCE_NS_MAX


@dataclass(slots=True)
class Head:
    """What the first lines say of a symbol."""

    first_ns: int = 0
    snapshot_ns: int | None = None
    has_trades: bool = False
    has_book: bool = False
    bands_ns: int | None = None
    print_ns: int | None = None
    prices: list[str] = field(default_factory=list)
    quantities: list[str] = field(default_factory=list)

    @property
    def start_ns(self) -> int:
        """When its market can begin."""
        if not self.has_book and self.bands_ns is not None and self.print_ns is not None:
            return max(self.bands_ns, self.print_ns)
        return self.snapshot_ns if self.snapshot_ns is not None else self.first_ns

    @property
    def is_market(self) -> bool:
        """Whether orders can be matched against it."""
        return self.has_book or (self.bands_ns is not None and self.print_ns is not None)

    @property
    def lack(self) -> str:
        """What a market would need besides."""
        if self.bands_ns is not None:
            return "has depth and no prices (bookDepth); put its bookTicker, trades, aggTrades or klines into the same folder"
        return (
            "has trades and no book; put its bookTicker or incremental_book_L2 into the same folder, or at least its bookDepth, "
            "around which a book can be constructed"
        )

    def look(self, receive_ns: int, record: Recorded) -> None:
        """Take in one of the first lines."""
        if not self.first_ns:
            self.first_ns = receive_ns
        match record:
            case RecordedBook():
                self.has_book = True
                if self.snapshot_ns is None:
                    self.snapshot_ns = receive_ns
                self._collect([*record.bids, *record.asks])
            case RecordedDepth():
                self.has_book = True
                self._collect([*record.bids, *record.asks])
            case RecordedTicker():
                self.has_book = True
                self._collect([record.bid, record.ask])
            case RecordedBands():
                self.bands_ns = self.bands_ns or receive_ns
            case RecordedPrint():
                self.print_ns = self.print_ns or receive_ns
                self.has_trades = self.has_trades or not record.aggregated
                self._collect([(record.price, record.quantity)])
            case _:
                pass

    def _collect(self, levels: list[tuple[str, str]]) -> None:
        if len(self.prices) < SCAN_LINES:
            self.prices.extend(price for price, _ in levels)
            self.quantities.extend(quantity for _, quantity in levels)
