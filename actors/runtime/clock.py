"""The one clock of a process: CLOCK_BOOTTIME, which runs on while the machine sleeps and is the same for a whole node."""

from __future__ import annotations

import time


class BootClock:
    """CLOCK_BOOTTIME in nanoseconds."""

    def now_ns(self) -> int:
        """Nanoseconds since the machine started, sleep included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
