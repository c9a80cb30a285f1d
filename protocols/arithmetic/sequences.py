"""Numbered streams: each number is booked once, and a missing one is noticed."""

from __future__ import annotations

import enum


class Arrival(enum.Enum):
    """What a number in a stream means to its reader."""

    NEXT = "NEXT"
    REPEATED = "REPEATED"
    AFTER_GAP = "AFTER_GAP"


class StreamNumbers:
    """The last number seen of each shard's stream. A stream's first number is 1; a reader that knows nothing takes any as its first."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def arrived(self, shard: int, seq: int) -> Arrival:
        """Take note of a number. After a gap the reader goes on from `seq`: what was missed stays missed for the reader."""
        last = self._last.get(shard)
        if last is not None and seq <= last:
            return Arrival.REPEATED
        self._last[shard] = seq
        return Arrival.NEXT if last is None or seq == last + 1 else Arrival.AFTER_GAP

    def last(self, shard: int) -> int:
        """The last number seen, 0 for none."""
        return self._last.get(shard, 0)

    def resume(self, shard: int, seq: int) -> None:
        """Go on from a number known from an earlier life; an older one than is known changes nothing."""
        self._last[shard] = max(seq, self._last.get(shard, 0))

    def known(self) -> dict[int, int]:
        """The last number of each shard."""
        return dict(self._last)
