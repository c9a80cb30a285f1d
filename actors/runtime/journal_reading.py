"""Reading a journal's files, by their owner and by anybody else, and finding every damage to what is read.

Each record and snapshot carries a checksum begun with its number, and numbers follow one another without a gap: a flipped bit, a lost
page or a record in another's place is a sentence, never a different truth.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import UnionType
from typing import Any

import msgspec

from actors.runtime.journal_ahead import read_ahead
from actors.runtime.journal_error import JournalError
from protocols.envelope import Message

BUSY_TIMEOUT_S = 5.0
PAGE_ROWS = 1_000
CHECKSUM_BYTES = 4


def read_kept(path: Path, record_types: UnionType, from_seq: int = 1) -> Iterator[tuple[int, Message]]:
    """Every record of a journal from a number on, oldest first, without owning it, also while its owner writes.

    Raises:
        JournalError: a segment or a record is damaged; what came before it is sound.
    """
    return read_rows(path, from_seq, msgspec.msgpack.Decoder(record_types))


def read_snapshots(path: Path) -> list[tuple[int, bytes]]:
    """Every snapshot that is kept, oldest first, each with the number of the last record in it; without owning the journal.

    Raises:
        JournalError: one of them is damaged.
    """
    found: list[tuple[int, bytes]] = []
    for file in segments(path):
        try:
            with closing(open_to_read(file)) as connection:
                rows = connection.execute("SELECT seq, snapshot FROM snapshots ORDER BY seq").fetchall()
        except sqlite3.Error as error:
            raise damaged(file, error) from error
        found += [(seq, opened(file, "the snapshot after record", seq, snapshot)) for seq, snapshot in rows]
    return found


def read_shard_events(path: Path, record_types: UnionType, shard: int) -> Iterator[Message]:
    """The numbered events of one shard in a journal of whomever, in the order in which they were written, without owning it.

    Raises:
        JournalError: a segment or a record is damaged; what came before it is sound.
    """
    decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(record_types)
    for file in segments(path):
        at = 0
        rows: list[tuple[int, bytes]] = [(0, b"")] * PAGE_ROWS
        while len(rows) == PAGE_ROWS:
            try:
                with closing(open_to_read(file)) as connection:
                    query = "SELECT seq, record FROM records WHERE seq > ? AND shard = ? ORDER BY seq LIMIT ?"
                    rows = connection.execute(query, (at, shard, PAGE_ROWS)).fetchall()
            except sqlite3.Error as error:
                raise damaged(file, error) from error
            for at, record in rows:
                yield _decoded(file, at, record, decoder)


def segments(path: Path) -> list[Path]:
    """The files of a journal, oldest first."""
    return sorted(path.parent.glob(f"{path.stem}.[0-9][0-9][0-9][0-9][0-9][0-9].sqlite"))


def segment_file(path: Path, number: int) -> Path:
    """Path of a segment."""
    return path.with_name(f"{path.stem}.{number:06d}.sqlite")


def segment_number(segment: Path) -> int:
    """Number of a segment; the first is 1."""
    return int(segment.suffixes[-2][1:])


def ahead_file(path: Path) -> Path:
    """Path of what is ahead of the database."""
    return path.with_suffix(".ahead")


def sealed(number: int, content: bytes) -> bytes:
    """A record or snapshot as it is kept: with its checksum."""
    return content + zlib.crc32(content, number & 0xFFFF_FFFF).to_bytes(CHECKSUM_BYTES, "little")


def opened(file: Path, what: str, number: int, kept: bytes) -> bytes:
    """What `sealed` was given.

    Raises:
        JournalError: it is not what was kept under this number.
    """
    content = kept[:-CHECKSUM_BYTES]
    if len(kept) < CHECKSUM_BYTES or sealed(number, content) != kept:
        raise damaged(file, f"{what} {number} is not what was written")
    return content


def ahead_rows(ahead: list[tuple[int, bytes]], next_number: int) -> list[tuple[int, bytes]]:
    """Of what is ahead of the database that which is not in it, numbered on from there.

    The database lacks records before them only when the machine went down: then the numbers close up.
    """
    return list(enumerate((record for number, record in ahead if number >= next_number), next_number))


def open_to_read(file: Path) -> sqlite3.Connection:
    """A connection that changes nothing."""
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def read_rows(path: Path, from_seq: int, decoder: msgspec.msgpack.Decoder[Any]) -> Iterator[tuple[int, Message]]:
    """As `read_kept`."""
    ahead = _ahead_of(path)  # before the database: what it takes from there meanwhile is then read twice, not missed
    files = segments(path)
    at = from_seq
    is_first_free = from_seq == 1 and bool(files) and segment_number(files[0]) > 1  # older segments were let go
    for file in files:
        try:
            with closing(open_to_read(file)) as connection:
                rows = [(0, b"")] * PAGE_ROWS
                while len(rows) == PAGE_ROWS:
                    query = "SELECT seq, record FROM records WHERE seq >= ? ORDER BY seq LIMIT ?"
                    rows = connection.execute(query, (at, PAGE_ROWS)).fetchall()
                    for seq, record in rows:
                        if seq != at and not is_first_free:
                            raise damaged(file, f"records {at} to {seq - 1} are missing")
                        is_first_free = False
                        yield seq, _decoded(file, seq, record, decoder)
                        at = seq + 1
        except sqlite3.Error as error:
            raise damaged(file, error) from error
    for seq, record in ahead_rows(ahead, at):
        yield seq, _decode(ahead_file(path), seq, record, decoder)


def read_segment_events(
    connection: sqlite3.Connection,
    file: Path,
    from_event_seq: int,
    limit: int,
    shard: int | None,
    decoder: msgspec.msgpack.Decoder[Any],
) -> list[tuple[int, Message]]:
    """Events of one segment by their own number.

    Raises:
        JournalError: the segment or one of them is damaged.
    """
    of_shard = "" if shard is None else "AND shard = ?"
    query = f"SELECT event_seq, seq, record FROM records WHERE event_seq >= ? {of_shard} ORDER BY event_seq LIMIT ?"
    values = (from_event_seq, limit) if shard is None else (from_event_seq, shard, limit)
    try:
        rows = connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise damaged(file, error) from error
    found: list[tuple[int, Message]] = []
    for event_seq, seq, record in rows:
        event = _decoded(file, seq, record, decoder)
        if getattr(event, "event_seq", None) != event_seq:
            raise damaged(file, f"record {seq} is not event {event_seq}")
        found.append((event_seq, event))
    return found


def damaged(file: Path, why: object) -> JournalError:
    """The one sentence about a journal that cannot be trusted, and what to do."""
    return JournalError(
        f"{file}: the journal cannot be read: {why}; move its files away to start from the venue and inventory's copy "
        "(ops/runbooks/stop_and_resume.md)"
    )


def _ahead_of(path: Path) -> list[tuple[int, bytes]]:
    try:
        return read_ahead(ahead_file(path))
    except OSError as error:
        raise damaged(ahead_file(path), error) from error


def _decoded(file: Path, seq: int, kept: bytes, decoder: msgspec.msgpack.Decoder[Any]) -> Message:
    return _decode(file, seq, opened(file, "record", seq, kept), decoder)


def _decode(file: Path, seq: int, record: bytes, decoder: msgspec.msgpack.Decoder[Any]) -> Message:
    try:
        message: Message = decoder.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(file, f"record {seq}: {error}") from error
    return message
