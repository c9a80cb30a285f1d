"""Who gets the processor first: the loops of the order path before everybody else, the other actors after them.

Where cores are short, and on two they are, an order waits longer for the processor than for its own code: to an ordinary scheduler
a process that wakes up for a quote is no better than any other and may wait for milliseconds until somebody's slice is over.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

ORDER_PATH = frozenset(("market_data", "strategy", "order_manager"))

REAL_TIME_PRIORITY = 1
"""The lowest of the real-time ones: above every ordinary process, below the kernel's own; none of a path interrupts another."""

SWITCH_INTERVAL_S = 0.0005
"""How long another thread may keep the interpreter's lock from a loop of the order path."""

BESIDE_NICENESS = 5


def take_place(role: str, real_time: bool) -> str:
    """Give every thread of this process that is there now the place of its role, for good; returns it in words, for status.

    Not only the one that runs the loop: another that holds the interpreter's lock (Ray's looks for signals a hundred times a second,
    and answers questions about our health) must not be kept from the processor while the loop waits for it. What they start later is
    ordinary. The kernel keeps a share of each core for ordinary processes, whatever real-time ones do. Without the permission to be
    one (root, CAP_SYS_NICE or a limit on rtprio) nothing changes.

    Args:
        role: of the actor whose process this is.
        real_time: whether the order path is to be served before everything else.
    """
    if role not in ORDER_PATH:
        return _give_way()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if not real_time:
        return "ordinary"
    try:
        for thread in _threads():
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                os.sched_setscheduler(
                    thread, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME_PRIORITY)
                )
    except (OSError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not on this system"
        return f"ordinary, real time is not permitted ({reason})"
    return "real time"


def go_first() -> None:
    """Serve the calling thread before ordinary processes, where that is permitted; not what it starts.

    For what a person waits for while the machine starves: niceness counts only within a session of the system.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME_PRIORITY))


def _threads() -> list[int]:
    return [int(thread.name) for thread in Path("/proc/self/task").iterdir()]


def _give_way() -> str:
    """A quote does not wait for those who only look at it; as batch work, one that wakes up takes the core from no order."""
    if os.getpriority(os.PRIO_PROCESS, 0) < BESIDE_NICENESS:
        os.setpriority(os.PRIO_PROCESS, 0, BESIDE_NICENESS)
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    return "beside the order path"
