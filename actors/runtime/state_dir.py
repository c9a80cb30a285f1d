"""Paths of the one state directory: everything of a running system that is a file or a socket is here.

Unix socket paths may be 107 bytes long. Where the state directory is too deep for that, its sockets are kept in a short private
folder of the system's temporary directory, linked as `run`.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

SOCKET_PATH_BYTES_MAX = 107
"""The kernel's limit on the path of a Unix socket, without its closing zero byte."""

SOCKET_NAME_BYTES_MAX = 32
"""Room kept for the name of a socket when it is decided whether `run` can be a plain folder."""


class StateDirError(Exception):
    """The state directory cannot be used; the text says what to do."""


class StateDir:
    """One state directory. Paths are computed; `create` makes the folders."""

    def __init__(self, path: Path | str) -> None:
        """Args: path: absolute or relative; `~` is expanded."""
        self.path = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() would follow links

    def __repr__(self) -> str:
        return f"StateDir({str(self.path)!r})"

    def create(self) -> StateDir:
        """Make the directory and its folders, readable by their owner only; returns itself.

        Raises:
            StateDirError: a path is not a folder, belongs to somebody else, or cannot be made.
        """
        for folder in (self.path, self._journals, self._logs, self._spools):
            _make_private(folder)
        self._make_run()
        return self

    @property
    def run(self) -> Path:
        """The folder of the sockets, by a path that is short enough.

        Raises:
            StateDirError: `create` has not been called.
        """
        link = self.path / "run"
        try:
            return Path(os.readlink(link)) if link.is_symlink() else link  # noqa: PTH115 - one level, not resolved
        except OSError as error:
            raise StateDirError(f"cannot read {link}: {error.strerror}") from error

    def socket(self, name: str) -> str:
        """Address `unix:/path` of the actor `name`.

        Raises:
            StateDirError: the path would be longer than a Unix socket's may be.
        """
        path = self.run / f"{name}.sock"
        length = len(os.fsencode(path))
        if length > SOCKET_PATH_BYTES_MAX:
            raise StateDirError(
                f"socket path {path} has {length} bytes, more than {SOCKET_PATH_BYTES_MAX}: "
                "create the state directory first, or choose a shorter --state"
            )
        return f"unix:{path}"

    def journal(self, shard: int) -> Path:
        """Journal of the shard's order manager."""
        return self._journals / f"shard-{shard}.sqlite"

    @property
    def inventory_journal(self) -> Path:
        """Inventory's second copy of the ordered events."""
        return self._journals / "inventory.sqlite"

    @property
    def risk_memory(self) -> Path:
        """What the risk monitor must know after a restart: day start, equity peak, levels, latches, shares."""
        return self._journals / "risk.msgpack"

    @property
    def risk_levels(self) -> Path:
        """Every change of a level, a line of JSON each."""
        return self._journals / "risk_levels.jsonl"

    @property
    def stop_file(self) -> Path:
        """While this exists nothing that adds risk is sent from this node."""
        return self.path / "STOP"

    @property
    def epochs_file(self) -> Path:
        """The greatest epoch given so far."""
        return self.path / "epochs.json"

    @property
    def address_ledger(self) -> Path:
        """What this node's processes know of their address at the venue."""
        return self.path / "address.ledger"

    @property
    def lock_file(self) -> Path:
        """Held by the one system that runs on this directory."""
        return self.path / "system.lock"

    @property
    def ray_file(self) -> Path:
        """Address of the Ray that this system started."""
        return self.path / "ray.json"

    @property
    def cluster_secret(self) -> Path:
        """What every node of the cluster knows; there where the system has more than one node."""
        return self.path / "cluster.secret"

    @property
    def plan_file(self) -> Path:
        """What the supervisor was told to keep alive."""
        return self.path / "plan.msgpack"

    @property
    def report_file(self) -> Path:
        """The report of the last run."""
        return self.path / "report.json"

    @property
    def ledger_file(self) -> Path:
        """The simulated venue's ledger, unless the configuration names another."""
        return self.path / "ledger.jsonl"

    def log(self, name: str) -> Path:
        """The newest log file of the actor `name`."""
        return self._logs / f"{name}.jsonl"

    def spool(self, name: str) -> Path:
        """Alerts of the actor `name` that alerting has not acknowledged."""
        return self._spools / f"{name}.alerts"

    @property
    def recordings(self) -> Path:
        """Flight recordings; made when the first one begins."""
        return self.path / "recordings"

    @property
    def _journals(self) -> Path:
        return self.path / "journals"

    @property
    def _logs(self) -> Path:
        return self.path / "logs"

    @property
    def _spools(self) -> Path:
        return self.path / "spools"

    def _make_run(self) -> None:
        run = self.path / "run"
        if run.is_symlink():
            target = self.run
            if target.is_dir() and _is_private(target):
                return
            run.unlink()
        if len(os.fsencode(run)) + 1 + SOCKET_NAME_BYTES_MAX <= SOCKET_PATH_BYTES_MAX:
            _make_private(run)
            return
        short = Path(tempfile.mkdtemp(prefix="raymaker-"))
        if len(os.fsencode(short)) + 1 + SOCKET_NAME_BYTES_MAX > SOCKET_PATH_BYTES_MAX:
            short.rmdir()
            short = Path(tempfile.mkdtemp(prefix="raymaker-", dir="/tmp"))
        try:
            run.symlink_to(short, target_is_directory=True)
        except FileExistsError:
            short.rmdir()  # another process was faster; its folder serves both


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StateDirError(f"{folder} exists and is not a folder: choose another --state") from error
    except OSError as error:
        raise StateDirError(f"cannot make {folder}: {error.strerror}") from error
    status = folder.stat()
    if status.st_uid != os.getuid():
        raise StateDirError(f"{folder} belongs to another user: choose another --state")
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise StateDirError(f"others may write to {folder}: run `chmod 700 {folder}` or choose another --state")


def _is_private(folder: Path) -> bool:
    status = folder.stat()
    return status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) & 0o077 == 0
