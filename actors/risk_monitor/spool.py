"""The risk monitor's memory on file, written whole and put in place of the old one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from actors.risk_monitor.memory import RiskMemory
from actors.runtime.journal_error import JournalFailed

MEMORY_BYTES_MAX = 4_194_304
"""A longer file is not ours."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RiskMemory)


class MemoryDamaged(Exception):
    """The file exists and cannot be understood; the text says which and what to do."""


class MemorySpool:
    """One file that holds the newest memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = path.with_name(path.name + ".next")
        self.writes = 0

    def read(self) -> RiskMemory | None:
        """The memory of an earlier life, None where there was none.

        Raises:
            MemoryDamaged: the file cannot be read or understood.
        """
        try:
            with self._path.open("rb") as file:
                content = file.read(MEMORY_BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MemoryDamaged(f"{self._path} cannot be read: {error.strerror}") from error
        try:
            if len(content) > MEMORY_BYTES_MAX:
                raise msgspec.DecodeError("it is too long")
            return _decoder.decode(content)
        except msgspec.DecodeError as error:
            raise MemoryDamaged(
                f"{self._path} cannot be understood ({error}): look at the account, move the file away, then resume"
            ) from error

    def write(self, memory: RiskMemory) -> None:
        """Put `memory` on file; when this returns it is synced.

        Raises:
            JournalFailed: the disk did not take it. Never tried again: what is on file is then unknown.
        """
        try:
            descriptor = os.open(self._next, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_encoder.encode(memory))
                file.flush()
                os.fsync(file.fileno())
            self._next.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise JournalFailed(
                f"{self._path}: the risk monitor's memory cannot be written: {error.strerror}"
            ) from error
        self.writes += 1

    def set_aside(self) -> None:
        """Keep a damaged file under another name, so that the next write does not destroy the evidence."""
        with contextlib.suppress(FileNotFoundError):
            self._path.replace(self._path.with_name(self._path.name + ".damaged"))
