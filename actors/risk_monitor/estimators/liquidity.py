"""Spread and depth of a book against what is usual for it."""

from __future__ import annotations

import math

from protocols.values import Level


class Usual:
    """Time-weighted average of a positive number whose weights halve with time.

    A value holds until the next one comes, so a burst of updates weighs no more than the time that it lasts.
    """

    __slots__ = ("_decay", "_last", "_last_ns", "_sum", "_weight", "first_ns")

    def __init__(self, halflife_ns: int) -> None:
        self._decay = -math.log(2.0) / halflife_ns
        self._sum = self._weight = self._last = 0.0
        self._last_ns = 0
        self.first_ns = 0

    def observe(self, value: float, now_ns: int) -> None:
        """Take the value that holds from now on; times must not fall."""
        if self._last_ns == 0:
            self.first_ns = now_ns
        else:
            keep = math.exp(self._decay * max(now_ns - self._last_ns, 0))
            self._sum = keep * self._sum + (1.0 - keep) * self._last
            self._weight = keep * self._weight + (1.0 - keep)
        self._last, self._last_ns = value, now_ns

    def mean(self) -> float:
        """The average so far; 0 before there is one."""
        return self._sum / self._weight if self._weight > 0 else 0.0


class Liquidity:
    """Spread and depth against their usual.

    Formula: present / time-weighted average of the past (half-life `halflife_ns`). Unit: ratio, 1 = as usual. Spread: best ask - best bid;
    depth: lots on all levels that we see, of the thinner side. Source: the book's top levels. Known once `warm_up_ns` have passed.
    """

    def __init__(self, halflife_ns: int, warm_up_ns: int) -> None:
        self._warm_up_ns = warm_up_ns
        self._spread = Usual(halflife_ns)
        self._depth = Usual(halflife_ns)
        self.spread_ratio = self.depth_ratio = 1.0
        self.is_warm = False

    def observe(self, bids: tuple[Level, ...], asks: tuple[Level, ...], now_ns: int) -> None:
        """Take a book, best levels first."""
        spread = float(asks[0][0] - bids[0][0])
        depth = float(min(sum([lots for _, lots in bids]), sum([lots for _, lots in asks])))
        usual_spread, usual_depth = self._spread.mean(), self._depth.mean()
        if usual_spread > 0:
            self.spread_ratio = spread / usual_spread
        if usual_depth > 0:
            self.depth_ratio = depth / usual_depth
        self._spread.observe(spread, now_ns)
        self._depth.observe(depth, now_ns)
        self.is_warm = now_ns - self._spread.first_ns >= self._warm_up_ns
