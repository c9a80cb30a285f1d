"""The agent of one node: it holds the pids there, kills and verifies, and watches over the supervisor.

It is told everything again with each beat, so that a restarted agent lacks nothing after one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import psutil

from actors.runtime.ray_cluster import NODE_STATE, is_alive, kill_and_verify, write_durably
from actors.runtime.silence import Doubts, Silence, threads_of
from actors.runtime.state_dir import StateDir

WATCH_PERIOD_S = 0.1
KILL_TIMEOUT_S = 2.0
LATE_S = 0.3
"""When the agent's own loop is later than this, the node is starved and a missing beat proves nothing."""


class NodeAgent:
    """Answers of the agent; each is quick, and none raises for a process that is gone already."""

    def __init__(self) -> None:
        self._supervisor_pid = 0
        self._supervisor_began_s = 0.0
        self._held: dict[str, tuple[int, float]] = {}
        self._beaten_s = 0.0
        self._silence = Silence()
        self._doubts = Doubts()
        self._hung = self._predecessor_hung = False
        state = os.environ.get(NODE_STATE)
        self._stop_file: Path | None = StateDir(state).stop_file if state else None
        self._watching: asyncio.Task[None] | None = None

    async def beat(
        self, supervisor_pid: int, pids: dict[str, int], doubted: tuple[str, ...] = ()
    ) -> tuple[bool, bool, dict[str, int], tuple[str, ...]]:
        """The supervisor is alive, and these are its children on this node.

        Args:
            supervisor_pid: 0 when it is on another node.
            doubted: those of `pids` that do not answer.

        Returns:
            Whether this agent had to kill the supervisor before this one, whether the node of a cluster has its stop file, and the
            resident memory in bytes of each of `pids` that lives, and who of `doubted` is starved.
        """
        if supervisor_pid != self._supervisor_pid:
            self._supervisor_pid = supervisor_pid
            self._supervisor_began_s = _began_s(supervisor_pid)
            self._predecessor_hung, self._hung = self._hung, False
        for name in self._held.keys() - pids.keys():
            del self._held[name]
        for name, pid in pids.items():
            self._hold(name, pid)
        self._beaten_s = time.monotonic()
        self._silence.heard()
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())
        stop_file = self._stop_file is not None and _is_there(self._stop_file)
        threads = {name: threads_of(pids[name]) for name in doubted if name in pids}
        starved = self._doubts.starved(self._beaten_s, threads)
        return self._predecessor_hung, stop_file, self._memory_bytes(), starved

    async def latch(self, present: bool, reason: str) -> None:
        """Write the stop file of this node of a cluster, or remove it; on one machine the supervisor itself does."""
        if self._stop_file is not None and present:
            write_durably(self._stop_file, reason.encode())
        elif self._stop_file is not None:
            self._stop_file.unlink(missing_ok=True)

    async def kill(self, name: str, pid: int, timeout_s: float) -> bool:
        """SIGKILL a child's process; true when it is verified gone. A `pid` of 0 means the one held under that name.

        A pid that another process has taken over since it was first heard of is let be.
        """
        if pid:
            self._hold(name, pid)
        held_pid, began_s = self._held.get(name, (0, 0.0))
        if not held_pid or not began_s:
            return True
        return await asyncio.to_thread(kill_and_verify, held_pid, began_s, timeout_s)

    async def _watch(self) -> None:
        due_s = time.monotonic() + WATCH_PERIOD_S
        while True:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            now_s = time.monotonic()
            starved, due_s = now_s - due_s > LATE_S, now_s + WATCH_PERIOD_S
            silent_s = now_s - self._beaten_s
            if starved:
                self._beaten_s = now_s
                self._silence.heard()
            elif self._supervisor_pid and self._hangs(now_s, silent_s):
                await self._kill_supervisor()

    def _hangs(self, now_s: float, silent_s: float) -> bool:
        looked = self._silence.wants_a_look(silent_s)
        return looked and self._silence.hangs(now_s, silent_s, threads_of(self._supervisor_pid))

    async def _kill_supervisor(self) -> None:
        pid, self._supervisor_pid = self._supervisor_pid, 0
        if is_alive(pid, self._supervisor_began_s):
            self._hung = True
            await asyncio.to_thread(kill_and_verify, pid, self._supervisor_began_s, KILL_TIMEOUT_S)

    def _memory_bytes(self) -> dict[str, int]:
        found = {}
        for name, (pid, began_s) in self._held.items():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if process.create_time() == began_s:
                    found[name] = int(process.memory_info().rss)
        return found

    def _hold(self, name: str, pid: int) -> None:
        if self._held.get(name, (0, 0.0))[0] != pid:
            self._held[name] = (pid, _began_s(pid))


def _is_there(file: Path) -> bool:
    """Whether a file, or a link to nowhere, is there; one that cannot be looked at counts as there."""
    try:
        file.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _began_s(pid: int) -> float:
    """When a process began (seconds of the wall clock, as the kernel tells); 0.0 when it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(psutil.Process(pid).create_time())
    return 0.0
