"""Inventory's journal on file: the second copy of the ordered events, and what was decided about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from actors.inventory.records import BooksSaved, JournalRecord
from actors.runtime.journal import Journal
from protocols.envelope import Message

SEGMENT_RECORDS = 200_000
"""A file of the journal that holds more is closed at the next checkpoint, and a new one begins."""


class BooksSpool:
    """Records one by one; a checkpoint is kept as the journal's snapshot, so that a restart reads only what came after it.

    Raises:
        JournalError: the journal is in use, on a network file system, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path, JournalRecord)
        self._encoder = msgspec.msgpack.Encoder()
        self._segment_seq = self._journal.last_seq

    @property
    def last_seq(self) -> int:
        """Number of the newest record."""
        return self._journal.last_seq

    def read(self) -> Iterator[Any]:
        """The newest checkpoint and every record after it, oldest first.

        Raises:
            JournalError: a record is damaged.
        """
        from_seq = 1
        found = self._journal.latest_snapshot()
        if found is not None:
            from_seq = found[0] + 1
            yield msgspec.msgpack.decode(found[1], type=BooksSaved)
        for _, record in self._journal.read(from_seq):
            yield record

    def write(self, record: Message) -> None:
        """Keep a record; when this returns it has left the process.

        Raises:
            JournalFailed: it could not be written.
        """
        if not isinstance(record, BooksSaved):
            self._journal.append(record)
        elif self._journal.last_seq - self._segment_seq >= SEGMENT_RECORDS:
            self._journal.begin_segment(self._encoder.encode(record))
            self._segment_seq = self._journal.last_seq
        else:
            self._journal.snapshot(self._encoder.encode(record))

    def close(self) -> None:
        """Sync and let others in."""
        self._journal.close()
