"""The recorded market's book of one contract: what others show, less what we have taken from it.

Our own resting orders are not in it; matching and the published streams add them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

LEVELS_MAX = 10_000
"""Levels kept a side; the farthest are forgotten beyond it."""

Level = tuple[int, int]


class BookSide:
    """One side: recorded lots by price, sorted, and the lots that our orders took from a level and the recording still shows."""

    def __init__(self, *, is_bid: bool) -> None:
        self.is_bid = is_bid
        self.prices: list[int] = []
        self.changed: set[int] = set()
        self._recorded: dict[int, int] = {}
        self._taken: dict[int, int] = {}

    def lots(self, price_ticks: int) -> int:
        """Lots that stand at a price."""
        recorded = self._recorded.get(price_ticks, 0)
        return max(0, recorded - self._taken.get(price_ticks, 0)) if self._taken else recorded

    def levels_at(self, prices: Iterable[int]) -> list[Level]:
        """Lots that stand at these prices, nothing included."""
        if self._taken:
            return [(price, self.lots(price)) for price in prices]
        recorded = self._recorded.get
        return [(price, recorded(price, 0)) for price in prices]

    def set(self, price_ticks: int, recorded_lots: int) -> None:
        """The recording now shows `recorded_lots` at a price; 0 removes the level.

        What we took is missing until the recording itself lets go of it: a fall of the recorded size is first taken to be ours.
        """
        before = self._recorded.get(price_ticks, 0)
        if recorded_lots == before:
            return
        self.changed.add(price_ticks)
        if recorded_lots == 0:
            self._remove(price_ticks)
            return
        if before == 0:
            insort(self.prices, price_ticks)
        self._recorded[price_ticks] = recorded_lots
        taken = self._taken.get(price_ticks)
        if taken is not None and recorded_lots < before:
            left = taken - (before - recorded_lots)
            if left > 0:
                self._taken[price_ticks] = left
            else:
                del self._taken[price_ticks]

    def update(self, levels: Iterable[Level]) -> None:
        """`set` for each of these levels; nearly all of them stand already and change their size."""
        recorded, changed, taken = self._recorded, self.changed, self._taken
        for price_ticks, lots in levels:
            before = recorded.get(price_ticks, 0)
            if lots == before:
                continue
            if taken or not lots or not before:
                self.set(price_ticks, lots)
            else:
                changed.add(price_ticks)
                recorded[price_ticks] = lots

    def take(self, price_ticks: int, lots: int) -> None:
        """Our order consumed `lots` of a level."""
        self._taken[price_ticks] = self._taken.get(price_ticks, 0) + lots
        self.changed.add(price_ticks)

    def best(self) -> int | None:
        """The best price at which something stands."""
        if not self._taken:
            return None if not self.prices else self.prices[-1 if self.is_bid else 0]
        return next((price for price, _ in self.levels()), None)

    def levels(self) -> Iterator[Level]:
        """Levels from the best outwards."""
        for price in reversed(self.prices) if self.is_bid else iter(self.prices):
            lots = self.lots(price)
            if lots:
                yield price, lots

    def better_than(self, price_ticks: int) -> list[int]:
        """Prices of recorded levels strictly better than a price."""
        if self.is_bid:
            return self.prices[bisect_right(self.prices, price_ticks) :]
        return self.prices[: bisect_left(self.prices, price_ticks)]

    def replace(self, levels: Iterable[Level]) -> None:
        """Forget everything and show `levels` instead."""
        fresh = {price: lots for price, lots in levels if lots}
        self.changed.update(self._recorded, fresh)
        self._recorded, self._taken = fresh, {}
        self.prices = sorted(fresh)

    def trim(self) -> None:
        """Keep at most LEVELS_MAX levels."""
        excess = len(self.prices) - LEVELS_MAX
        if excess > 0:
            for price in self.prices[:excess] if self.is_bid else self.prices[-excess:]:
                self.changed.add(price)
                self._remove(price)

    def _remove(self, price_ticks: int) -> None:
        if self._recorded.pop(price_ticks, None) is not None:
            del self.prices[bisect_left(self.prices, price_ticks)]
        self._taken.pop(price_ticks, None)


class Book:
    """Both sides, fed by depth diffs and by the faster best-price updates.

    `market_ns` is the newest transaction time seen. Best-price updates run ahead of the diffs; an older diff does not undo them.
    """

    def __init__(self) -> None:
        self.bids = BookSide(is_bid=True)
        self.asks = BookSide(is_bid=False)
        self.market_ns = 0
        self.crossings = 0
        self._ticker: tuple[int, int, int, int, int] | None = None

    def replace(self, bids: Iterable[Level], asks: Iterable[Level], market_ns: int) -> None:
        """Start from a snapshot."""
        self.bids.replace(bids)
        self.asks.replace(asks)
        self.market_ns = max(self.market_ns, market_ns)
        self._ticker = None

    def apply_depth(self, bids: Iterable[Level], asks: Iterable[Level], update_id: int, market_ns: int) -> None:
        """Apply absolute quantities of a depth diff, then the newer best prices again, if there are."""
        self.bids.update(bids)
        self.asks.update(asks)
        self.bids.trim()
        self.asks.trim()
        self.market_ns = max(self.market_ns, market_ns)
        ticker = self._ticker
        if ticker is not None and ticker[0] > update_id:
            self._impose(ticker)
        else:
            self._ticker = None
        self._uncross()

    def apply_ticker(self, update_id: int, bid: int, bid_lots: int, ask: int, ask_lots: int, market_ns: int) -> bool:
        """Make these the best prices. Returns False, and changes nothing, for an update that is older, empty or crossed."""
        if bid >= ask or bid_lots <= 0 or ask_lots <= 0 or (self._ticker is not None and update_id < self._ticker[0]):
            return False
        self._ticker = (update_id, bid, bid_lots, ask, ask_lots)
        self._impose(self._ticker)
        self.market_ns = max(self.market_ns, market_ns)
        return True

    def side(self, *, bids: bool) -> BookSide:
        """The bids or the asks."""
        return self.bids if bids else self.asks

    def _impose(self, ticker: tuple[int, int, int, int, int]) -> None:
        _, bid, bid_lots, ask, ask_lots = ticker
        bids, asks = self.bids, self.asks
        if bids.prices and bids.prices[-1] > bid:
            for price in bids.better_than(bid):
                bids.set(price, 0)
        if asks.prices and asks.prices[0] < ask:
            for price in asks.better_than(ask):
                asks.set(price, 0)
        bids.set(bid, bid_lots)
        asks.set(ask, ask_lots)

    def _uncross(self) -> None:
        """A crossed book is a fault of the recording: the levels inside each other cannot be told apart, so both go."""
        while self.bids.prices and self.asks.prices and self.bids.prices[-1] >= self.asks.prices[0]:
            self.crossings += 1
            self.bids.set(self.bids.prices[-1], 0)
            self.asks.set(self.asks.prices[0], 0)
