"""One symbol's book: absolute quantities by price, and the best few levels of either side at hand.

Each side keeps every level in a dict and the keys of its best levels in a short sorted list. Most changes lie behind the list
and cost one dict write; a change inside it moves at most `_NEAR_MAX` integers. A key is the price in ticks, negated for bids, so
that smaller is better on both sides.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from protocols.values import Level

_NEAR_MIN = 32
_NEAR_MAX = 128
_TRIM_TO = 0.8
"""Share of the bound that is kept when a side outgrows it: trimming is rare and cheap per level."""


class BookSide:
    """Levels of one side. `sign` is +1 for asks and -1 for bids."""

    __slots__ = ("_far_from", "_levels", "_levels_max", "_near", "sign", "trimmed")

    def __init__(self, sign: int, levels_max: int) -> None:
        self.sign = sign
        self.trimmed = 0
        """Levels given up because the side outgrew its bound; always those farthest from the touch."""
        self._levels: dict[int, int] = {}
        self._levels_max = levels_max
        self._near: list[int] = []
        self._far_from: int | None = None

    def __len__(self) -> int:
        return len(self._levels)

    def best_ticks(self) -> int | None:
        """Price of the best level, or None on an empty side."""
        near = self._near
        return near[0] * self.sign if near else None

    def load(self, levels: Sequence[Level]) -> None:
        """Replace everything."""
        sign = self.sign
        self._levels = {ticks * sign: lots for ticks, lots in levels if lots > 0}
        self._refill()
        if len(self._levels) > self._levels_max:
            self._trim()

    def apply(self, changes: Sequence[Level]) -> None:
        """Set absolute quantities; 0 lots removes a level, and removing an unknown one is normal."""
        sign, levels, near, far_from = self.sign, self._levels, self._near, self._far_from
        for ticks, lots in changes:
            key = ticks * sign
            if lots > 0:
                if key not in levels and (far_from is None or key < far_from):
                    insort(near, key)
                levels[key] = lots
            elif levels.pop(key, None) is not None and (far_from is None or key < far_from):
                del near[bisect_left(near, key)]
        if len(near) > _NEAR_MAX:
            self._far_from = near[_NEAR_MAX]
            del near[_NEAR_MAX:]
        elif len(near) < _NEAR_MIN and far_from is not None:
            self._refill()
        if len(levels) > self._levels_max:
            self._trim()

    def top(self, count: int) -> list[Level]:
        """The best `count` levels, best first."""
        sign, levels = self.sign, self._levels
        return [(key * sign, levels[key]) for key in self._near_keys(count)]

    def top_behind(self, limit_ticks: int, count: int) -> list[Level]:
        """The best `count` levels strictly worse than `limit_ticks`, best first."""
        sign, levels = self.sign, self._levels
        limit = limit_ticks * sign
        near = self._near
        start = bisect_right(near, limit)
        keys = near[start : start + count]
        if len(keys) < count and self._far_from is not None:
            keys = heapq.nsmallest(count, (key for key in levels if key > limit))
        return [(key * sign, levels[key]) for key in keys]

    def _near_keys(self, count: int) -> list[int]:
        if count > len(self._near) and self._far_from is not None:
            return heapq.nsmallest(count, self._levels)
        return self._near[:count]

    def _refill(self) -> None:
        keys = heapq.nsmallest(_NEAR_MAX + 1, self._levels)
        self._far_from = keys[_NEAR_MAX] if len(keys) > _NEAR_MAX else None
        self._near = keys[:_NEAR_MAX]

    def _trim(self) -> None:
        keep = heapq.nsmallest(max(int(self._levels_max * _TRIM_TO), 1), self._levels)
        self.trimmed += len(self._levels) - len(keep)
        levels = self._levels
        self._levels = {key: levels[key] for key in keep}
        self._refill()


class Book:
    """Both sides of one symbol. `levels_max` bounds each side."""

    __slots__ = ("asks", "bids")

    def __init__(self, levels_max: int) -> None:
        self.bids = BookSide(-1, levels_max)
        self.asks = BookSide(1, levels_max)

    @property
    def levels_trimmed(self) -> int:
        """Levels given up at either side's far end."""
        return self.bids.trimmed + self.asks.trimmed

    def clear(self) -> None:
        """Empty both sides."""
        self.bids.load(())
        self.asks.load(())

    def load(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Replace both sides by a snapshot's."""
        self.bids.load(bids)
        self.asks.load(asks)

    def apply(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Apply one diff."""
        self.bids.apply(bids)
        self.asks.apply(asks)

    def fault(self) -> str:
        """Why no price may be taken from this book; empty when it has two sides that do not cross."""
        bid, ask = self.bids.best_ticks(), self.asks.best_ticks()
        if bid is None or ask is None:
            return "no bids" if bid is None else "no asks"
        return f"crossed: bid {bid} >= ask {ask} ticks" if bid >= ask else ""
