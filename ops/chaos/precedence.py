"""What stands for machines and lines of its own must not wait for the processor of ours."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from actors.runtime.precedence import REAL_TIME_PRIORITY


def serve_first(pid: int) -> None:
    """Every thread that a process has now is scheduled as the order path is, where that is permitted.

    The venue and the network between us and it are elsewhere in truth: what we compute here, in real time too, would else make
    the venue's countdown late, and every line slow.
    """
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it ended meanwhile, or real time is not permitted
            os.sched_setscheduler(int(thread.name), os.SCHED_FIFO, os.sched_param(REAL_TIME_PRIORITY))
