"""The supervisor's journal of changed settings: one line of JSON each, synced before anybody is told."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from actors.runtime.journal_error import JournalFailed
from actors.supervisor.commands import SettingsJournaled

JOURNAL_BYTES_MAX = 4_194_304
"""A journal of this length becomes the older one, and a new one begins: two are kept."""


class SettingsJournal:
    """Every change of the settings of a running system."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, record: SettingsJournaled) -> None:
        """Add a record; when this returns it is synced.

        Raises:
            JournalFailed: the disk did not take it.
        """
        try:
            with contextlib.suppress(FileNotFoundError):
                if self._path.stat().st_size >= JOURNAL_BYTES_MAX:
                    self._path.replace(self._path.with_name(self._path.name + ".older"))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(msgspec.json.encode(msgspec.structs.asdict(record)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise JournalFailed(f"{self._path}: a change of settings cannot be written: {error.strerror}") from error
