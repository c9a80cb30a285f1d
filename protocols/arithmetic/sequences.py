"""Numbered streams: each number is booked once, and a missing one is noticed.

A writer whose journal is new, or was lost, begins above everything that any earlier life of it can have said: at the first number of
an era, and its era is its epoch. Numbers between two eras never existed.
"""

from __future__ import annotations

import enum


class Arrival(enum.Enum):
    """What a number in a stream means to its reader."""

    NEXT = "NEXT"
    REPEATED = "REPEATED"
    AFTER_GAP = "AFTER_GAP"
    ANEW = "ANEW"
    """The writer lost its journal: what it said last before may never have come, and what it says now is complete."""


ERA_BITS = 32
"""Numbers of one era; at a thousand events a second they last for fifty days without a break, and then run on into the next."""

ERAS = 2**31
"""Eras, so that every number fits into a signed integer of 64 bits."""


def era_begins_after(epoch: int) -> int:
    """The number before the first one of the era of `epoch`.

    Raises:
        ValueError: the epoch is outside of what fits.
    """
    if not 0 <= epoch < ERAS:
        raise ValueError(f"epoch {epoch} is not below {ERAS}")
    return epoch << ERA_BITS


def era_of(seq: int) -> int:
    """The era that a number belongs to."""
    return (seq - 1) >> ERA_BITS


def begins_era(seq: int) -> bool:
    """Whether nothing of its era came before this number. 1 begins the era of journals that are older than eras."""
    return seq % (1 << ERA_BITS) == 1


class StreamNumbers:
    """The last number seen of each shard's stream. A reader that knows nothing takes any number as its first."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def arrived(self, shard: int, seq: int) -> Arrival:
        """Take note of a number. After a gap the reader goes on from `seq`: what was missed stays missed for the reader."""
        last = self._last.get(shard)
        if last is not None and seq <= last:
            return Arrival.REPEATED
        self._last[shard] = seq
        if last is None or seq == last + 1:
            return Arrival.NEXT
        return Arrival.ANEW if begins_era(seq) else Arrival.AFTER_GAP

    def last(self, shard: int) -> int:
        """The last number seen, 0 for none."""
        return self._last.get(shard, 0)

    def resume(self, shard: int, seq: int) -> None:
        """Go on from a number known from an earlier life; an older one than is known changes nothing."""
        self._last[shard] = max(seq, self._last.get(shard, 0))

    def known(self) -> dict[int, int]:
        """The last number of each shard."""
        return dict(self._last)
