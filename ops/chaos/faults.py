"""Putting a fault into processes: signals by pid, and a function that blocks an actor's main loop from the inside."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Sequence

import psutil

from actors.runtime.ray_host import find

FROZEN_S = 10.0
BLOCKED_S = 30.0


def kill(pids: Sequence[int]) -> None:
    """SIGKILL them, one right after the other."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def freeze(pid: int) -> psutil.Process:
    """SIGSTOP; the process is returned for `wake`."""
    process = psutil.Process(pid)
    process.suspend()
    return process


def wake(process: psutil.Process) -> bool:
    """SIGCONT; false when it is gone (another process that has its pid now is let be)."""
    try:
        process.resume()
    except psutil.NoSuchProcess:
        return False
    return True


def block(name: str) -> None:
    """Block the main loop of an actor for BLOCKED_S, as a bug would.

    Raises:
        LookupError: no actor of that name lives.
    """
    actor = find(name)
    if actor is None:
        raise LookupError(f"no actor is named {name}")
    actor.run_inside(functools.partial(_sleep_in_the_loop, seconds=BLOCKED_S))


def _sleep_in_the_loop(actor: object, seconds: float) -> None:
    time.sleep(seconds)
