"""The durable truth of one actor: records appended one by one to SQLite files, one directory of segments per owner.

`append` returns when the record has left the process: a dead process loses nothing, a dead machine at most the tail since the last
sync. `append_ahead` does the same in less time: the record passes through a mapped file (journal_ahead.py) and enters the database
with what comes next. A thread with a connection of its own syncs and checkpoints once a second, so no append pays for it. A write or
sync that fails is final: nothing is retried, and every later append fails too.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any

import msgspec

from actors.runtime.file_system import network_file_system
from actors.runtime.journal_ahead import AheadFile, read_ahead
from actors.runtime.journal_error import JournalError as JournalError
from actors.runtime.journal_error import JournalFailed as JournalFailed
from actors.runtime.journal_lock import JournalLock
from actors.runtime.journal_reading import (
    BUSY_TIMEOUT_S,
    ahead_file,
    ahead_rows,
    damaged,
    open_to_read,
    opened,
    read_kept,
    read_rows,
    read_segment_events,
    sealed,
    segment_file,
    segment_number,
)
from actors.runtime.journal_reading import segments as segments
from protocols.envelope import Message
from protocols.messages import journal as records
from protocols.messages.orders import AnyAccountEvent, AnyOrderEvent

AnyRecord = (
    records.EpochBegan
    | records.OrderIntended
    | records.AmendIntended
    | records.OrderWritten
    | records.OrderNotSent
    | records.FilledAmidAmendment
    | records.PositionAdopted
    | records.GateChanged
    | records.LimitsChanged
    | records.Reconciled
    | AnyOrderEvent
    | AnyAccountEvent
)
"""What an order manager's journal holds."""

SYNC_PERIOD_S = 1.0
ROW_VALUES = 4
ROWS_MAX = 8_000
"""Records of one statement; SQLite takes 32,766 values."""
SEGMENTS_MAX = 8
"""Segments kept; the oldest beyond it is deleted when a new one begins."""
WAL_FRAMES_MAX = 8_192
"""Pages of 4 KiB in the log before it is made to begin anew."""
STALL_NS = 50_000_000
"""A write that took longer has held its process up: nothing was read from sockets meanwhile."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY, shard INTEGER, event_seq INTEGER, record BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events ON records (event_seq) WHERE event_seq IS NOT NULL;
CREATE TABLE IF NOT EXISTS snapshots (seq INTEGER PRIMARY KEY, snapshot BLOB NOT NULL);
"""


class Journal:
    """The one writer of a journal. Files are `<stem>.<number>.sqlite` beside `path`; a lock file keeps others out."""

    def __init__(
        self,
        path: Path,
        record_types: UnionType = AnyRecord,
        *,
        sync_period_s: float = SYNC_PERIOD_S,
        keeps_ahead: bool = False,
    ) -> None:
        """Open the newest segment, or make the first.

        Args:
            path: as from StateDir.journal.
            record_types: union that records are decoded against.
            keeps_ahead: `append_ahead` will be used, and has a file of its own.

        Raises:
            JournalError: in use by another process, on a network file system, or damaged.
        """
        self._path = path
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(record_types)
        self._encode = msgspec.msgpack.Encoder().encode
        self._failure: BaseException | None = None
        self.stalls = 0
        """Writes so far that took longer than `STALL_NS`."""
        kind = network_file_system(path.parent)
        if kind is not None:
            raise JournalError(f"{path.parent} is on a network file system ({kind}): put the state on a local disk")
        self._lock = JournalLock(path)
        self._ahead: AheadFile | None = None
        self._ahead_values: list[int | bytes | None] = []
        try:
            files = segments(path)
            self._segment = files[-1] if files else segment_file(path, 1)
            if files and not files[-1].stat().st_size and self._lock.segment >= segment_number(files[-1]):
                raise damaged(files[-1], "it is empty")
            self._connection = _open(self._segment)
            self._lock.note_segment(segment_number(self._segment))
            self._cursor = self._connection.cursor()
            self._seq = max((_last_seq(self._connection), *(_last_seq_of(file) for file in files[-2:-1])))
            self._events_last = self._last_events()
            self._take_ahead()
            if keeps_ahead:
                self._ahead = AheadFile(ahead_file(path))
        except (sqlite3.Error, OSError) as error:
            self._lock.release()
            raise _unusable(path, error) from error
        except JournalError:
            self._lock.release()
            raise
        self._syncer = _Syncer(self._segment, sync_period_s, self._fail)

    @property
    def sync_began_ns(self) -> int:
        """When the sync that is under way began (CLOCK_BOOTTIME); 0 between two of them. One that never ends fails nothing."""
        return self._syncer.began_ns

    @property
    def last_seq(self) -> int:
        """Number of the newest record; 0 before the first."""
        return self._seq

    @property
    def machine_died(self) -> bool:
        """Whether the machine went down under the owner before this one: what it wrote last may be lost."""
        return self._lock.machine_died and self._seq > 0

    @property
    def segment(self) -> Path:
        """The file that is written now."""
        return self._segment

    @property
    def segment_first_seq(self) -> int:
        """Number of the first record of the present segment; of the one to come while there is none."""
        self.settle()
        row = self._connection.execute("SELECT MIN(seq) FROM records").fetchone()
        return self._seq + 1 if row[0] is None else int(row[0])

    def last_event_seq(self, shard: int) -> int:
        """The greatest `event_seq` of a shard that is journaled; 0 when there is none."""
        return self._events_last.get(shard, 0)

    def append(self, record: Message) -> int:
        """Write a record; returns its number.

        Raises:
            JournalFailed: it could not be written, or an earlier write or sync failed.
        """
        self.append_all((record,))
        return self._seq

    def append_all(self, records: Sequence[Message]) -> None:
        """Write several records by one statement: all of them are in the journal afterwards, or none and the journal has failed.

        Args:
            records: at least one and at most `ROWS_MAX`.

        Raises:
            JournalFailed: they could not be written, or an earlier write or sync failed.
        """
        if self._failure is not None:
            raise JournalFailed(f"{self._segment}: an earlier write failed: {self._failure}") from self._failure
        assert 0 < len(records) <= ROWS_MAX
        if len(records) + len(self._ahead_values) // ROW_VALUES > ROWS_MAX:
            self.settle()
        seq = self._seq
        values = self._ahead_values.copy()
        events: dict[int, int] = {}
        for record in records:
            seq += 1
            event_seq: int | None = getattr(record, "event_seq", None)
            shard: int | None = getattr(record, "shard", None) if event_seq is not None else None
            if event_seq is not None and shard is not None:
                events[shard] = max(event_seq, events.get(shard, self._events_last.get(shard, 0)))
            values += (seq, shard, event_seq, sealed(seq, self._encode(record)))
        self._write_rows(values)
        self._seq = seq
        if events:
            self._events_last.update(events)

    def append_ahead(self, records: Sequence[Message]) -> None:
        """Write records that are no events, in a few microseconds; they enter the database with the next append or `settle`.

        A dead process loses none of them: its successor finds them, and so does whoever reads the journal meanwhile.

        Raises:
            JournalFailed: they could not be written, or an earlier write or sync failed.
        """
        if self._failure is not None:
            raise JournalFailed(f"{self._segment}: an earlier write failed: {self._failure}") from self._failure
        encoded = [self._encode(record) for record in records]
        began_ns = time.monotonic_ns()
        if self._ahead is None or not self._ahead.write(self._seq + 1, encoded):
            self.append_all(records)
            return
        self._note_stall(began_ns)
        seq, values = self._seq, self._ahead_values
        for record in encoded:
            seq += 1
            values += (seq, None, None, sealed(seq, record))
        self._seq = seq

    def rehearse(self, records: Sequence[Message]) -> None:
        """Do what `append_ahead` does, beside the file: nothing is kept, and no number is used."""
        encoded = [self._encode(record) for record in records]
        if self._ahead is not None:
            self._ahead.rehearse(encoded)
        for record in encoded:
            sealed(0, record)

    def settle(self) -> None:
        """Bring what was appended ahead into the database now.

        Raises:
            JournalFailed: it could not be written; it is still on file.
        """
        if self._ahead_values:
            self._write_rows(self._ahead_values)

    def read(self, from_seq: int = 1) -> Iterator[tuple[int, Message]]:
        """Records from `from_seq` on, oldest first, over every segment that is kept.

        Raises:
            JournalError: a segment or a record is damaged; what came before it is sound.
        """
        return read_rows(self._path, from_seq, self._decoder)

    def read_events(self, from_event_seq: int, limit: int, shard: int | None = None) -> list[tuple[int, Message]]:
        """At most `limit` records with `event_seq` from `from_event_seq` on, in its order; of one shard, or of the only one.

        Raises:
            JournalError: a segment or a record is damaged.
        """
        found: list[tuple[int, Message]] = []
        for file in segments(self._path):
            if len(found) >= limit:
                break
            at = found[-1][0] + 1 if found else from_event_seq
            with self._connection_of(file) as connection:
                found.extend(read_segment_events(connection, file, at, limit - len(found), shard, self._decoder))
        return found

    def snapshot(self, snapshot: bytes) -> None:
        """Keep a snapshot of the state after the newest record; the one before it in this segment is replaced.

        Raises:
            JournalFailed: it could not be written.
        """
        self.settle()
        began_ns = time.monotonic_ns()
        try:
            self._connection.execute("BEGIN")
            self._connection.execute("DELETE FROM snapshots")
            row = (self._seq, sealed(self._seq, snapshot))
            self._connection.execute("INSERT INTO snapshots (seq, snapshot) VALUES (?, ?)", row)
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._failure = error
            raise JournalFailed(f"{self._segment}: the snapshot could not be written: {error}") from error
        self._note_stall(began_ns)

    def latest_snapshot(self) -> tuple[int, bytes] | None:
        """The newest snapshot and the number of the last record in it; read on from the next.

        Raises:
            JournalError: it is damaged.
        """
        for file in reversed(segments(self._path)):
            with self._connection_of(file) as connection:
                row = connection.execute("SELECT seq, snapshot FROM snapshots").fetchone()
            if row is not None:
                return int(row[0]), opened(file, "the snapshot after record", int(row[0]), bytes(row[1]))
        return None

    def begin_segment(self, snapshot: bytes) -> None:
        """Go on in a new file that starts with `snapshot`; once a day keeps every file small. Takes some milliseconds.

        Raises:
            JournalFailed: the new file could not be made.
        """
        self.settle()
        number = segment_number(self._segment) + 1
        try:
            self._syncer.stop()
            self._connection.close()
            self._segment = segment_file(self._path, number)
            self._connection = _open(self._segment)
            self._lock.note_segment(number)
            self._cursor = self._connection.cursor()
        except (sqlite3.Error, OSError, JournalError) as error:
            self._failure = error
            raise JournalFailed(f"{self._segment}: the new segment could not be made: {error}") from error
        self._syncer = _Syncer(self._segment, self._syncer.period_s, self._fail)
        self.snapshot(snapshot)
        for old in segments(self._path)[:-SEGMENTS_MAX]:
            old.unlink(missing_ok=True)

    def close(self) -> None:
        """Sync, checkpoint and let others in."""
        if self._failure is None:
            with suppress(JournalFailed):  # what cannot enter the database is still on file
                self.settle()
        self._syncer.stop()
        self._connection.close()
        if self._ahead is not None:
            self._ahead.close()
        self._lock.release()

    def _fail(self, error: BaseException) -> None:
        self._failure = error

    @contextmanager
    def _connection_of(self, file: Path) -> Iterator[sqlite3.Connection]:
        if file == self._segment:
            yield self._connection
            return
        with closing(open_to_read(file)) as connection:
            yield connection

    def _write_rows(self, values: list[int | bytes | None]) -> None:
        """Write rows, those appended ahead among them."""
        if self._failure is not None:
            raise JournalFailed(f"{self._segment}: an earlier write failed: {self._failure}") from self._failure
        began_ns = time.monotonic_ns()
        try:
            self._cursor.execute(_insert(len(values) // ROW_VALUES), values)
        except (sqlite3.Error, OSError) as error:
            self._failure = error
            raise JournalFailed(
                f"{self._segment}: what follows record {self._seq} could not be written: {error}"
            ) from error
        if self._ahead_values:
            self._ahead_values = []
            assert self._ahead is not None
            self._ahead.clear()
        self._note_stall(began_ns)

    def _note_stall(self, began_ns: int) -> None:
        if time.monotonic_ns() - began_ns > STALL_NS:
            self.stalls += 1

    def _take_ahead(self) -> None:
        """Bring into the database what a former owner had only ahead of it."""
        ahead = ahead_rows(read_ahead(ahead_file(self._path)), self._seq + 1)
        rows = [(seq, None, None, sealed(seq, record)) for seq, record in ahead]
        if rows:
            self._cursor.execute(_insert(len(rows)), [value for row in rows for value in row])
            self._seq = rows[-1][0]

    def _last_events(self) -> dict[int, int]:
        query = "SELECT shard, MAX(event_seq) FROM records WHERE event_seq IS NOT NULL GROUP BY shard"
        found: dict[int, int] = {}
        for file in segments(self._path):
            with self._connection_of(file) as connection:
                for shard, event_seq in connection.execute(query):
                    found[shard] = max(event_seq, found.get(shard, 0))
        return found


def _unusable(path: Path, error: sqlite3.Error | OSError) -> JournalError:
    """A disk that is full or broken is another matter than a damaged journal."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if isinstance(error, OSError) or code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return JournalError(f"{path}: the journal cannot be opened: {error}: make room on the disk, or mend it")
    return damaged(path, error)


def read_journal(path: Path, record_types: UnionType = AnyRecord, from_seq: int = 1) -> Iterator[tuple[int, Message]]:
    """Records of a journal from a number on, oldest first, without owning it: for reports and checks, also while its owner writes.

    Raises:
        JournalError: a segment or a record is damaged; what came before it is sound.
    """
    return read_kept(path, record_types, from_seq)


class _Syncer:
    """Syncs and checkpoints on a connection and a thread of its own."""

    def __init__(self, file: Path, period_s: float, on_failure: Any) -> None:
        self.period_s = period_s
        self._file = file
        self._on_failure = on_failure
        self.began_ns = 0
        """When the sync that is under way began (CLOCK_BOOTTIME); 0 between two of them."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sync {file.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sync once more and end."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with closing(_connect(self._file)) as connection:
                ended = False
                while not ended:
                    ended = self._ending.wait(self.period_s)
                    self.began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
                    _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if frames > WAL_FRAMES_MAX:
                        # Appends never paused long enough for the log to begin anew: hold them up for the moment it takes.
                        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                    self.began_ns = 0
        except (sqlite3.Error, OSError) as error:
            self._on_failure(error)


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=BUSY_TIMEOUT_S, isolation_level=None, cached_statements=16)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


@lru_cache(maxsize=64)
def _insert(rows: int) -> str:
    return "INSERT INTO records (seq, shard, event_seq, record) VALUES " + ", ".join(["(?, ?, ?, ?)"] * rows)


def _open(file: Path) -> sqlite3.Connection:
    connection = _connect(file)
    connection.executescript(_SCHEMA)
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        connection.close()
        raise damaged(file, verdict)
    return connection


def _last_seq(connection: sqlite3.Connection) -> int:
    query = "SELECT MAX(COALESCE((SELECT MAX(seq) FROM records), 0), COALESCE((SELECT MAX(seq) FROM snapshots), 0))"
    return int(connection.execute(query).fetchone()[0])


def _last_seq_of(file: Path) -> int:
    with closing(open_to_read(file)) as connection:
        return _last_seq(connection)
