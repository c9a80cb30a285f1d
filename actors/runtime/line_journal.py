"""A journal for people and rare records: one line of JSON each, synced before anything that follows from it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from actors.runtime.journal_error import JournalFailed
from protocols.envelope import Message

LINES_BYTES_MAX = 8_388_608
"""A file of this length becomes the older one, and a new one begins: two are kept."""


class LineJournal:
    """Records added one by one to a file that anybody can read."""

    def __init__(self, path: Path, record_name: str) -> None:
        """Describe the file; it is made by the first record.

        Args:
            record_name: what a record is, for the sentence of an error.
        """
        self._path = path
        self._record_name = record_name

    def write(self, record: Message) -> None:
        """Add a record; when this returns it is synced.

        Raises:
            JournalFailed: the disk did not take it.
        """
        try:
            with contextlib.suppress(FileNotFoundError):
                if self._path.stat().st_size >= LINES_BYTES_MAX:
                    self._path.replace(self._path.with_name(self._path.name + ".older"))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(msgspec.json.encode(msgspec.structs.asdict(record)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise JournalFailed(f"{self._path}: {self._record_name} cannot be written: {error.strerror}") from error
