"""When the way to an order is rehearsed: again and again while nobody walks it, within a share of one core.

Between two orders lie milliseconds in which others use the processor, and code and data that its caches have lost run four to eight
times slower. A rehearsal walks the same code over imagined data (each actor's rehearsal.py), so that the real order finds it there.
"""

from __future__ import annotations

WAKING_NS = 15_000
"""What a wake-up costs beside what is done in it."""

_SMOOTHING = 8


class Pace:
    """How long to wait after each rehearsal. Pure: the host measures and waits."""

    def __init__(self, core_share: float, period_ns_min: int) -> None:
        """Args: core_share: of one core that may be used; 0 means never rehearse. period_ns_min: between two at the least."""
        self._core_share = core_share
        self._period_ns_min = period_ns_min
        self._took_ns = 0

    @property
    def is_wanted(self) -> bool:
        """Whether anything is rehearsed at all."""
        return self._core_share > 0

    def wait_ns(self, took_ns: int) -> int:
        """The wait after a rehearsal that took so long: on the average the share is kept, whatever others do to the processor."""
        self._took_ns += (took_ns + WAKING_NS - self._took_ns) // _SMOOTHING
        return max(self._period_ns_min, int(self._took_ns / self._core_share) - took_ns)
