"""Who owns a journal: a lock file with the owner's pid, the boot of the machine under which it took it, and the segment in use."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from actors.runtime.journal_error import JournalError

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
OWNER_BYTES_MAX = 64


class JournalLock:
    """Held until `release` or the end of the process, however that comes."""

    def __init__(self, path: Path) -> None:
        """Take it. Args: path: of the journal.

        Raises:
            JournalError: another process has it.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._written()[:1] or ["unknown"]
            os.close(self._descriptor)
            raise JournalError(f"{path}: the journal is in use by process {owner[0]}: stop it first") from None
        self._boot = _boot_id()
        self.machine_died = self._written()[1:2] not in ([], [self._boot])
        """Whether the owner before this one had it under another boot of the machine."""
        told = self._written()[2:3]
        self.segment = int(told[0]) if told and told[0].isdecimal() else 0
        """Number of the newest segment that was known to hold something; 0 for none."""
        self._write()

    def note_segment(self, number: int) -> None:
        """This segment has been made: from now on it may not be empty."""
        self.segment = number
        self._write()

    def release(self) -> None:
        """Let others in."""
        os.close(self._descriptor)

    def _write(self) -> None:
        content = f"{os.getpid()}\n{self._boot}\n{self.segment}\n".encode()
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))

    def _written(self) -> list[str]:
        return os.pread(self._descriptor, OWNER_BYTES_MAX, 0).decode("ascii", "replace").split()


def _boot_id() -> str:
    try:
        return BOOT_ID_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
