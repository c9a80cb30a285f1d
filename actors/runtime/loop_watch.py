"""How late the loop is, and how long the garbage collector stopped it."""

from __future__ import annotations

import gc
from typing import Any

from actors.runtime.shell import Clock

WINDOW_TICKS = 20

GC_THRESHOLDS = (50_000, 20, 100)
"""Collect rarely: hot messages are made without gc, and what lives long is frozen."""


class LoopWatch:
    """Told at a steady beat; remembers the worst lag of the last one to two windows and the longest collection."""

    def __init__(self, clock: Clock, period_s: float) -> None:
        self._clock = clock
        self._period_ns = round(period_s * 1e9)
        self._expected_ns = 0
        self._ticks = 0
        self._worst_now = 0
        self._worst_before = 0
        self._collection_began_ns = 0
        self.gc_pause_ns_max = 0

    @property
    def lag_ns_max(self) -> int:
        """Worst lag of the loop in the last seconds."""
        return max(self._worst_now, self._worst_before)

    def tune_garbage_collection(self) -> None:
        """Collect and freeze what is there; collect rarely from now on. For a process that is one actor's own."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    def start(self) -> None:
        """Begin to time the collector."""
        gc.callbacks.append(self._collector)

    def stop(self) -> None:
        """Leave the collector alone."""
        if self._collector in gc.callbacks:
            gc.callbacks.remove(self._collector)

    def tick(self) -> None:
        """Call at every beat."""
        now_ns = self._clock.now_ns()
        if self._expected_ns:
            self._worst_now = max(self._worst_now, now_ns - self._expected_ns)
        self._expected_ns = now_ns + self._period_ns
        self._ticks += 1
        if self._ticks % WINDOW_TICKS == 0:
            self._worst_before, self._worst_now = self._worst_now, 0

    def _collector(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._collection_began_ns = self._clock.now_ns()
        elif self._collection_began_ns:
            self.gc_pause_ns_max = max(self.gc_pause_ns_max, self._clock.now_ns() - self._collection_began_ns)
