"""Putting a fault into processes: signals by pid, and a function that blocks an actor's main loop from the inside."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from actors.runtime.hosted_actor import HostedActor
from actors.runtime.ray_host import find

FROZEN_S = 10.0
BLOCKED_S = 30.0
BEGIN_S_MAX = 10.0


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


def block(name: str, note: Path) -> int:
    """Block the main loop of an actor for BLOCKED_S, as a bug would; returns the boot time at which it began to.

    Args:
        note: a file to be written by the actor when it begins, for the call takes its time to get there.

    Raises:
        LookupError: no actor of that name lives, or it did not begin.
    """
    actor = find(name)
    if actor is None:
        raise LookupError(f"no actor is named {name}")
    actor.run_inside(functools.partial(_block_the_loop, seconds=BLOCKED_S, note=str(note)))
    deadline = time.monotonic() + BEGIN_S_MAX
    while not note.exists():
        if time.monotonic() > deadline:
            raise LookupError(f"{name} did not begin to block within {BEGIN_S_MAX:.0f} s")
        time.sleep(0.002)
    return int(note.read_text("ascii"))


def _block_the_loop(actor: HostedActor, seconds: float, note: str) -> None:
    """Runs in one of Ray's own threads, beside the actor's loop."""
    loop = actor._loop
    assert loop is not None
    loop.call_soon_threadsafe(_sleep_noted, seconds, note)


def _sleep_noted(seconds: float, note: str) -> None:
    draft = Path(note + ".new")
    draft.write_text(str(time.clock_gettime_ns(time.CLOCK_BOOTTIME)), "ascii")
    draft.rename(note)
    time.sleep(seconds)
