"""How far another node's clock is from ours, by echo: their time was read between our question and their answer."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

SAMPLES_MAX = 16
"""The best of so many counts. At one a second they are young enough for the drift of two quartz clocks (some 0.1 ms a second at worst)."""


class _Sample(NamedTuple):
    round_trip_ns: int
    offset_ns: int


class PeerClock:
    """Add `offset_ns` to a time of theirs to have it on our clock; it is wrong by at most `error_ns`."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES_MAX)
        self._best = _Sample(0, 0)

    @property
    def offset_ns(self) -> int:
        """Ours minus theirs."""
        return self._best.offset_ns

    @property
    def error_ns(self) -> int:
        """Half of the shortest round trip."""
        return (self._best.round_trip_ns + 1) // 2

    def note(self, asked_ns: int, theirs_ns: int, heard_ns: int) -> None:
        """Take an echo. Ours are `asked_ns` and `heard_ns`; an answer from before its question is no answer."""
        if heard_ns < asked_ns:
            return
        self._samples.append(_Sample(heard_ns - asked_ns, (asked_ns + heard_ns) // 2 - theirs_ns))
        self._best = min(self._samples)

    def forget(self) -> None:
        """Another process answers now, perhaps on another node."""
        self._samples.clear()
        self._best = _Sample(0, 0)
