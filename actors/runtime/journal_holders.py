"""The order managers of one state directory, found by the pids in the locks of their journals, and ended without Ray.

A pid is believed only when that very process has the lock file open: nothing else on the machine is ever signalled.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import psutil

from actors.runtime.ray_cluster import kill_and_verify
from actors.runtime.state_dir import StateDir

KILL_TIMEOUT_S = 2.0


class Kills(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the order managers of a node: by shard, the pid that was ended and the one that could not be."""

    ended: dict[str, int]
    survived: dict[str, int]

    @property
    def text(self) -> str:
        """One sentence about it."""
        parts = [f"{name} (pid {pid}) is killed" for name, pid in self.ended.items()]
        parts += [f"{name} (pid {pid}) could NOT be killed" for name, pid in self.survived.items()]
        return "; ".join(parts) or "no order manager runs here"


def kill_order_managers(state: StateDir, timeout_s: float = KILL_TIMEOUT_S) -> Kills:
    """SIGKILL every order manager that holds a journal of `state`, and verify."""
    ended: dict[str, int] = {}
    survived: dict[str, int] = {}
    for lock in sorted(state.journal(0).parent.glob("shard-*.lock")):
        found = _holder(lock)
        if found is None:
            continue
        name = f"order_manager-{lock.stem.removeprefix('shard-')}"
        pid, began_s = found
        (ended if kill_and_verify(pid, began_s, timeout_s) else survived)[name] = pid
    return Kills(ended=ended, survived=survived)


def _holder(lock: Path) -> tuple[int, float] | None:
    """Pid and beginning of the process that has this lock file open, if the pid written in it is that process."""
    try:
        pid = int((lock.read_text(encoding="ascii", errors="replace").split() or ["0"])[0])
        process = psutil.Process(pid)
        began_s = process.create_time()
        is_holder = any(Path(file.path).samefile(lock) for file in process.open_files())
    except (OSError, ValueError, psutil.Error):
        return None
    return (pid, began_s) if is_holder and pid > 0 else None
