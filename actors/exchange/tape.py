"""One symbol's market as arrays: best prices, orders that traded, and the book's depth. Read from frames, recorded or synthetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from actors.exchange.book import Book
from actors.exchange.contracts import Contract
from actors.exchange.frames import BookFrame, DepthFrame, Frame, PrintFrame, TickerFrame

Floats = np.ndarray[Any, np.dtype[np.float64]]
SAMPLE_NS = 200_000_000
DEPTH_TICKS = 200
NS_PER_MS = 1_000_000


class Prints(NamedTuple):
    """Prints as arrays: `signs` is +1 where the buyer was the aggressor."""

    at_s: Floats
    signs: Floats
    price_ticks: Floats
    lots: Floats


class Orders(NamedTuple):
    """Aggressive orders: the prints of one side in one millisecond of the market's clock. Times are the market's."""

    at_s: Floats
    signs: Floats
    lots: Floats
    swept_ticks: Floats
    """Between its first print and the farthest."""
    first_ticks: Floats
    average_ticks: Floats
    """By volume."""


class Quotes(NamedTuple):
    """Best prices over time, by receipt and by the market's clock."""

    at_s: Floats
    market_s: Floats
    bid: Floats
    bid_lots: Floats
    ask: Floats
    ask_lots: Floats

    def mid_at(self, times_s: Floats) -> Floats:
        """The mid (ticks) known at times of receipt."""
        index = np.searchsorted(self.at_s, times_s, side="right") - 1
        return ((self.bid + self.ask) / 2)[np.maximum(index, 0)]

    def market_mid_before(self, times_s: Floats) -> Floats:
        """The mid (ticks) just before times of the market's clock."""
        index = np.searchsorted(self.market_s, times_s, side="left") - 1
        return ((self.bid + self.ask) / 2)[np.maximum(index, 0)]


@dataclass(slots=True)
class Depth:
    """Sums over samples of both sides, by ticks from the touch: lots, and how often there were any. `changes` counts diffs."""

    samples: int = 0
    lots: Floats = field(default_factory=lambda: np.zeros(DEPTH_TICKS))
    occupied: Floats = field(default_factory=lambda: np.zeros(DEPTH_TICKS))
    changes: Floats = field(default_factory=lambda: np.zeros(DEPTH_TICKS))

    def sample(self, book: Book) -> None:
        """Look at the book."""
        for side, toward in ((book.bids, -1), (book.asks, 1)):
            best = side.best()
            if best is None:
                return
            for price, lots in side.levels():
                distance = (price - best) * toward
                if distance >= DEPTH_TICKS:
                    break
                self.lots[distance] += lots
                self.occupied[distance] += 1
            self.samples += 1

    def count(self, book: Book, frame: DepthFrame) -> None:
        """Note which levels a diff changes."""
        for side, toward, changed in ((book.bids, -1, frame.bids), (book.asks, 1, frame.asks)):
            best = side.best()
            if best is None:
                continue
            for price, _ in changed:
                distance = (price - best) * toward
                if 0 <= distance < DEPTH_TICKS:
                    self.changes[distance] += 1


@dataclass(frozen=True, slots=True)
class Tape:
    """One symbol's market for `seconds`; times are seconds since its first best price."""

    symbol: str
    began_ns: int
    """On the market's clock."""
    tick: float
    lot: float
    seconds: float
    quotes: Quotes
    prints: Prints
    orders: Orders
    depth: Depth

    @property
    def price(self) -> float:
        """The first mid, in quote currency."""
        return float(self.quotes.bid[0] + self.quotes.ask[0]) / 2 * self.tick

    @property
    def lot_notional(self) -> float:
        """What a lot is worth at the first mid."""
        return self.lot * self.price


def read_tape(frames: Iterable[Frame], contract: Contract) -> Tape:
    """The tape of one symbol. What comes before the first best price counts only for the book.

    Raises:
        ValueError: there are too few best prices or prints to say anything.
    """
    book, depth = Book(), Depth()
    quotes: list[tuple[int, int, int, int, int, int]] = []
    prints: list[PrintFrame] = []
    sample_ns = 0
    for frame in frames:
        if getattr(frame, "symbol", "") != contract.symbol:
            continue
        match frame:
            case TickerFrame():
                quotes.append((frame.at_ns, frame.market_ns, frame.bid, frame.bid_lots, frame.ask, frame.ask_lots))
                book.apply_ticker(
                    frame.update_id, frame.bid, frame.bid_lots, frame.ask, frame.ask_lots, frame.market_ns
                )
            case DepthFrame():
                depth.count(book, frame)
                book.apply_depth(frame.bids, frame.asks, frame.update_id, frame.market_ns)
            case BookFrame():
                book.replace(frame.bids, frame.asks, frame.market_ns)
            case PrintFrame():
                prints.append(frame)
            case _:
                pass
        if quotes and frame.at_ns >= sample_ns:
            sample_ns = frame.at_ns + SAMPLE_NS
            depth.sample(book)
    if len(quotes) < 1_000 or len(prints) < 200:
        raise ValueError(
            f"{contract.symbol}: {len(quotes)} best prices and {len(prints)} prints are too few; at least 1,000 and 200"
        )
    first_ns, first_market_ns = quotes[0][0], quotes[0][1]
    columns = [
        np.array(column, float)
        for column in zip(
            *((at - first_ns, market - first_market_ns, *rest) for at, market, *rest in quotes), strict=True
        )
    ]
    at_s, market_s = columns[0] / 1e9, np.maximum.accumulate(columns[1] / 1e9)
    return Tape(
        symbol=contract.symbol,
        began_ns=first_market_ns,
        tick=float(contract.tick_size),
        lot=float(contract.lot_size),
        seconds=float(at_s[-1]),
        quotes=Quotes(at_s, market_s, *columns[2:]),
        prints=Prints(
            np.array([frame.at_ns - first_ns for frame in prints], float) / 1e9,
            np.array([-1.0 if frame.buyer_is_maker else 1.0 for frame in prints]),
            np.array([frame.price_ticks for frame in prints], float),
            np.array([frame.lots for frame in prints], float),
        ),
        orders=_orders(prints, first_market_ns),
        depth=depth,
    )


def _orders(prints: list[PrintFrame], first_market_ns: int) -> Orders:
    rows: list[list[float]] = []
    key: tuple[int, bool] | None = None
    for frame in prints:
        if key == (frame.market_ns // NS_PER_MS, frame.buyer_is_maker):
            row = rows[-1]
            row[2] += frame.lots
            row[3] = max(row[3], abs(frame.price_ticks - row[4]))
            row[5] += frame.lots * frame.price_ticks
            continue
        key, price = (frame.market_ns // NS_PER_MS, frame.buyer_is_maker), float(frame.price_ticks)
        sign = -1.0 if frame.buyer_is_maker else 1.0
        at_s = (frame.market_ns - first_market_ns) / 1e9
        rows.append([at_s, sign, float(frame.lots), 0.0, price, frame.lots * price])
    rows.sort(key=lambda row: row[0])
    at, signs, lots, swept, first, paid = np.array(rows).T
    return Orders(at, signs, lots, swept, first, paid / lots)
