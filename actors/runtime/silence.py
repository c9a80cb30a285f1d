"""Whether a process that is silent hangs, or only waits for a processor or a disk: the kernel's word on each of its threads.

A hang is noticed soon only if a starved machine is not taken for one: replacing a process there makes it worse for everybody.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HUNG_S = 1.1
"""A process that beats four times a second and has not for so long hangs, unless it is starved."""

STARVED_S = 5.0
"""One that is starved has so long."""

BLIND_S = 2.0
"""Where the kernel does not tell, nobody can know whether it is starved."""

LOOK_S = 0.4
"""Silent for so long it is looked at, so that there is something to compare with."""

WAITING_SHARE = 0.3
"""A thread that waited for a processor for this share of the time is starved ..."""

RAN_S_MAX = 0.3
"""... unless the process had so much of one meanwhile, which is enough for many beats."""

_FIELDS_BEFORE_STATE = b") "


class Thread(NamedTuple):
    """What the kernel says of one thread: time on a processor, time of waiting for one, and its state (R, S, D, T, ...)."""

    ran_ns: int
    waited_ns: int
    state: str


def threads_of(pid: int) -> dict[int, Thread]:
    """Every thread of a process by its id; empty when it is gone, or the kernel keeps no such account."""
    found = {}
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                ran, waited, _ = (task / "schedstat").read_bytes().split()
                state = (task / "stat").read_bytes().rpartition(_FIELDS_BEFORE_STATE)[2][:1].decode("ascii")
                found[int(task.name)] = Thread(int(ran), int(waited), state)
    return found


class Silence:
    """Judges one process. Pure: it is told the time and what the kernel said."""

    def __init__(self) -> None:
        self._looked_s: float | None = None
        self._before: Mapping[int, Thread] = {}

    def heard(self) -> None:
        """It gave a sign of life."""
        self._looked_s, self._before = None, {}

    def wants_a_look(self, silent_s: float) -> bool:
        """Whether `hangs` has to be told of its threads now."""
        return silent_s > HUNG_S or (silent_s > LOOK_S and self._looked_s is None)

    def hangs(self, now_s: float, silent_s: float, threads: Mapping[int, Thread]) -> bool:
        """Whether it hangs, after `silent_s` without a sign of life."""
        if self._looked_s is None:
            self._looked_s, self._before = now_s, threads
            return False
        if silent_s <= HUNG_S:
            return False
        if not threads:
            return silent_s > BLIND_S
        return silent_s > (STARVED_S if self._is_starved(now_s - self._looked_s, threads) else HUNG_S)

    def _is_starved(self, passed_s: float, threads: Mapping[int, Thread]) -> bool:
        known = [(self._before[number], thread) for number, thread in threads.items() if number in self._before]
        waited_s = max((now.waited_ns - before.waited_ns for before, now in known), default=0) / 1e9
        ran_s = sum(now.ran_ns - before.ran_ns for before, now in known) / 1e9
        is_waiting = waited_s > WAITING_SHARE * passed_s and ran_s < RAN_S_MAX
        return is_waiting or any(thread.state == "D" for thread in threads.values())
