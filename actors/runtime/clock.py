"""The one clock of a process: CLOCK_BOOTTIME, which runs on while the machine sleeps and is the same for a whole node."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial


class BootClock:
    """CLOCK_BOOTTIME in nanoseconds."""

    def __init__(self) -> None:
        self.now_ns: Callable[[], int] = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
        """Nanoseconds since the machine started, sleep included. It is read several times a message, so without a frame of its own."""
