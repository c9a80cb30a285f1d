"""A recorded capture as frames of the venue: shifted to the present clock, from the capture's own snapshot on, loop after loop.

Receive times are mapped onto the venue's clock at the chosen speed. A symbol begins with its REST snapshot, bridged with the diffs that
had arrived before it (facts section 5.3); without a snapshot its book grows from the diffs. Where a capture has no mark price, the venue
derives it from the mid, with a constant funding rate, and funding is due when the recording crosses the 8-hour boundary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from actors.exchange.bands import Band, side_levels
from actors.exchange.book import Level
from actors.exchange.captures import (
    DamagedLineError,
    Recorded,
    RecordedBands,
    RecordedBook,
    RecordedDepth,
    RecordedMark,
    RecordedPrint,
    RecordedTicker,
    Skipped,
    TextLevel,
)
from actors.exchange.contracts import Contract, WireNumbers
from actors.exchange.frames import BookFrame, DepthFrame, Frame, MarkFrame, PrintFrame, TickerFrame
from actors.exchange.market import FUNDING_INTERVAL_NS
from actors.exchange.plausibility import Plausibility

NS_PER_MS = 1_000_000
BUFFERED_DIFFS_MAX = 2_000
LOOP_GAP_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFacts:
    """What a first look at a capture found out.

    `clock_offset_ns` is the recorded venue's clock less the recorder's. `start_ns` is the receive time at which every symbol has its book;
    what came before only builds the books.
    """

    contracts: dict[str, Contract]
    start_ns: int
    clock_offset_ns: int
    with_snapshot: frozenset[str]
    with_trades: frozenset[str]
    constructed: frozenset[str] = frozenset()
    """Symbols with bands of depth and no best prices: their book is made around each print."""


@dataclass(slots=True)
class _Symbol:
    numbers: WireNumbers
    open: bool = False
    buffered: list[RecordedDepth] = field(default_factory=list)
    plausible: Plausibility = field(default_factory=Plausibility)
    last_diff_id: int | None = None
    bands: list[Band] = field(default_factory=list)
    best: tuple[int, int] | None = None
    banded: tuple[list[Level], list[Level]] = field(default_factory=lambda: ([], []))


class Replay:
    """Translates the records of one pass after another."""

    def __init__(self, facts: CaptureFacts, speed: float) -> None:
        self._facts = facts
        self._speed = speed
        self._origin_ns = 0
        self._market_shift_ns = 0
        self._market_first_ns: int | None = None
        self._market_last_ns = 0
        self._symbols: dict[str, _Symbol] = {}
        self._gap = ""

    def begin(self, at_ns: int) -> list[Frame]:
        """Start a pass over the capture at the venue's time `at_ns`: the books start anew; returns the funding to come."""
        if self._market_first_ns is not None:
            self._market_shift_ns += self._market_last_ns - self._market_first_ns + LOOP_GAP_NS
        self._origin_ns = at_ns
        self._symbols = {symbol: _Symbol(WireNumbers(contract)) for symbol, contract in self._facts.contracts.items()}
        return [MarkFrame(symbol, at_ns, None, None, None, self._first_funding_ns()) for symbol in self._symbols]

    def postpone(self, at_ns: int) -> list[Frame]:
        """Nothing but the books has been played yet: let the pass begin at `at_ns` instead."""
        self._origin_ns = at_ns
        return [MarkFrame(symbol, at_ns, None, None, None, self._first_funding_ns()) for symbol in self._symbols]

    def at_ns(self, receive_ns: int) -> int:
        """The venue's time of a receive time; what came before the start is placed at the start."""
        return self._origin_ns + max(0, int((receive_ns - self._facts.start_ns) / self._speed))

    def take_gap(self) -> str:
        """What was missing before the record translated last; empty when nothing was."""
        gap, self._gap = self._gap, ""
        return gap

    def translate(self, receive_ns: int, record: Recorded) -> Iterator[Frame]:
        """The frames of one record.

        Raises:
            DamagedLineError: a number in it cannot be read, or cannot be true.
        """
        if isinstance(record, Skipped):
            return
        state = self._symbols.get(record.symbol)
        if state is None:
            return
        at_ns = self.at_ns(receive_ns)
        try:
            if isinstance(record, RecordedDepth | RecordedTicker | RecordedPrint) and record.market_ms:
                expected_ns = receive_ns + self._facts.clock_offset_ns
                state.plausible.check_clocks(record.market_ms * NS_PER_MS, expected_ns)
            yield from self._frames(state, at_ns, record)
        except (ValueError, InvalidOperation) as error:
            raise DamagedLineError(f"a number cannot be read: {error}") from None

    def _frames(self, state: _Symbol, at_ns: int, record: Recorded) -> Iterator[Frame]:
        match record:
            case RecordedBook():
                if not state.open:
                    yield from self._open(state, at_ns, record)
            case RecordedDepth():
                if state.open:
                    yield self._depth(state, at_ns, record)
                elif record.symbol in self._facts.with_snapshot:
                    if len(state.buffered) < BUFFERED_DIFFS_MAX:
                        state.buffered.append(record)
                else:
                    state.open = True
                    yield BookFrame(record.symbol, at_ns, self._market_ns(record.market_ms), [], [])
                    yield self._depth(state, at_ns, record)
            case RecordedBands():
                yield from self._bands(state, at_ns, record)
            case RecordedTicker():
                if state.open:
                    bid, ask = _level(state.numbers, record.bid), _level(state.numbers, record.ask)
                    state.plausible.check_best(bid, ask)
                    state.plausible.check_update_id(record.update_id)
                    waiting = state.best is None and bool(state.bands)
                    state.best = (bid[0], ask[0])
                    yield TickerFrame(
                        record.symbol, at_ns, self._market_ns(record.market_ms), record.update_id, *bid, *ask
                    )
                    if waiting:
                        yield self._completed(state, at_ns, record.symbol, record.market_ms)
            case RecordedPrint():
                if record.aggregated and record.symbol in self._facts.with_trades:
                    return
                if record.symbol in self._facts.constructed:
                    yield from self._construct_around(state, at_ns, record)
                if state.open:
                    price, lots = _level(state.numbers, (record.price, record.quantity))
                    state.plausible.check_price(price)
                    if lots > 0:
                        yield PrintFrame(
                            record.symbol, at_ns, self._market_ns(record.market_ms), price, lots, record.buyer_is_maker
                        )
            case RecordedMark():
                yield MarkFrame(
                    record.symbol,
                    at_ns,
                    Decimal(record.mark_price),
                    Decimal(record.index_price) if record.index_price else None,
                    Decimal(record.funding_rate) if record.funding_rate else None,
                    self._venue_ns(record.next_funding_ms * NS_PER_MS),
                )

    def _bands(self, state: _Symbol, at_ns: int, record: RecordedBands) -> Iterator[Frame]:
        """A new state of the depth: under known best prices it completes the book, else it is kept for the next print."""
        state.bands = [Band(float(percent), state.numbers.lots(lots)) for percent, lots in record.bands]
        if state.best is None:
            return
        make = self._constructed if record.symbol in self._facts.constructed else self._completed
        yield make(state, at_ns, record.symbol, record.market_ms)

    def _completed(self, state: _Symbol, at_ns: int, symbol: str, market_ms: int) -> DepthFrame:
        assert state.best is not None
        bid, ask = state.best
        before, state.banded = state.banded, _side_pair(state.bands, bid, ask, from_touch=False)
        bids = {price: 0 for price, _ in before[0] if price < bid} | dict(state.banded[0])
        asks = {price: 0 for price, _ in before[1] if price > ask} | dict(state.banded[1])
        # An id of 0 is older than every best price, so none of them is undone.
        return DepthFrame(symbol, at_ns, self._market_ns(market_ms), 0, list(bids.items()), list(asks.items()))

    def _construct_around(self, state: _Symbol, at_ns: int, record: RecordedPrint) -> Iterator[Frame]:
        price = state.numbers.ticks(record.price)
        state.plausible.check_price(price)
        best = (price, price + 1) if record.buyer_is_maker else (price - 1, price)
        if price > 1 and best != state.best:
            state.best = best
            if state.bands:
                yield self._constructed(state, at_ns, record.symbol, record.market_ms)

    def _constructed(self, state: _Symbol, at_ns: int, symbol: str, market_ms: int) -> BookFrame:
        assert state.best is not None
        bids, asks = _side_pair(state.bands, *state.best, from_touch=True)
        state.open = True
        return BookFrame(symbol, at_ns, self._market_ns(market_ms), bids, asks, knows_queues=False)

    def _open(self, state: _Symbol, at_ns: int, book: RecordedBook) -> Iterator[Frame]:
        """The snapshot, then the buffered diffs that reach beyond it."""
        bids, asks = _levels(state.numbers, book.bids), _levels(state.numbers, book.asks)
        if not bids or not asks:
            raise DamagedLineError("the snapshot has no bids or no asks")
        state.plausible.check_levels(bids)
        state.plausible.check_levels(asks)
        state.plausible.check_best(max(bids), min(asks))
        yield BookFrame(book.symbol, at_ns, self._market_ns(book.market_ms), bids, asks)
        state.open = True
        for diff in state.buffered:
            if diff.update_id >= book.update_id:
                yield self._depth(state, at_ns, diff)
        state.buffered.clear()

    def _depth(self, state: _Symbol, at_ns: int, diff: RecordedDepth) -> DepthFrame:
        bids, asks = _levels(state.numbers, diff.bids), _levels(state.numbers, diff.asks)
        state.plausible.check_levels(bids)
        state.plausible.check_levels(asks)
        state.plausible.check_update_id(diff.update_id)
        if state.last_diff_id is not None and diff.previous_id != state.last_diff_id:
            self._gap = f"{diff.symbol}: depth diffs are missing between {state.last_diff_id} and {diff.previous_id}"
        state.last_diff_id = diff.update_id
        return DepthFrame(diff.symbol, at_ns, self._market_ns(diff.market_ms), diff.update_id, bids, asks)

    def _market_ns(self, market_ms: int) -> int:
        market_ns = market_ms * NS_PER_MS
        if self._market_first_ns is None:
            self._market_first_ns = market_ns
        self._market_last_ns = max(self._market_last_ns, market_ns)
        return market_ns + self._market_shift_ns

    def _venue_ns(self, recorded_venue_ns: int) -> int:
        """The venue's time of a time on the recorded venue's clock."""
        return self.at_ns(recorded_venue_ns - self._facts.clock_offset_ns)

    def _first_funding_ns(self) -> int:
        start = self._facts.start_ns + self._facts.clock_offset_ns
        return self._venue_ns((start // FUNDING_INTERVAL_NS + 1) * FUNDING_INTERVAL_NS)


def _side_pair(bands: list[Band], bid: int, ask: int, *, from_touch: bool) -> tuple[list[Level], list[Level]]:
    return (
        side_levels(bands, bid, ask, bids=True, from_touch=from_touch),
        side_levels(bands, bid, ask, bids=False, from_touch=from_touch),
    )


def _level(numbers: WireNumbers, level: TextLevel) -> Level:
    return numbers.ticks(level[0]), numbers.lots(level[1])


def _levels(numbers: WireNumbers, levels: list[TextLevel]) -> list[Level]:
    return [(numbers.ticks(price), numbers.lots(quantity)) for price, quantity in levels]
