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

DOUBT_S_MIN = 0.15
"""Two words of the kernel that are nearer to each other say nothing."""

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


def is_starved(passed_s: float, before: Mapping[int, Thread], now: Mapping[int, Thread]) -> bool:
    """Whether a process waited for a processor or a disk in the last `passed_s`, by two words of the kernel."""
    known = [(before[number], thread) for number, thread in now.items() if number in before]
    waited_s = max((after.waited_ns - earlier.waited_ns for earlier, after in known), default=0) / 1e9
    ran_s = sum(after.ran_ns - earlier.ran_ns for earlier, after in known) / 1e9
    is_waiting = waited_s > WAITING_SHARE * passed_s and ran_s < RAN_S_MAX
    return is_waiting or any(thread.state == "D" for thread in now.values())


class Doubts:
    """The processes that somebody doubts: looked at for as long as they are doubted."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, Mapping[int, Thread]]] = {}

    def starved(self, now_s: float, doubted: Mapping[str, Mapping[int, Thread]]) -> tuple[str, ...]:
        """Who of `doubted` (by name, with the kernel's word on it) is starved since it is doubted."""
        self._before = {name: before for name, before in self._before.items() if name in doubted}
        found = []
        for name, threads in doubted.items():
            began_s, before = self._before.setdefault(name, (now_s, threads))
            if now_s - began_s > DOUBT_S_MIN and is_starved(now_s - began_s, before, threads):
                found.append(name)
        return tuple(found)


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
        starved = is_starved(now_s - self._looked_s, self._before, threads)
        return silent_s > (STARVED_S if starved else HUNG_S)
