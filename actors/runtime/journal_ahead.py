"""Records on file before they are in a journal's database: a small file mapped into memory, so that keeping one is a copy of bytes.

What was copied into the mapping belongs to the kernel: a process that is killed loses none of it, and the next owner of the journal
moves it into the database. It is a place to pass through, not a store: the database has each record soon after.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

AHEAD_BYTES = 65_536
"""Room for what is not yet in the database, some 200 intents; what finds none goes to the database at once."""

_HEADER = struct.Struct("<IIQ")
"""Length of the record, its checksum begun with its number, its number."""


class AheadFile:
    """Records in the order of their numbers, from the beginning of the file; `clear` makes all of it free again."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, empty: what it held must have been taken (`read_ahead`).

        Raises:
            OSError: it cannot be made, or there is no room for it.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, AHEAD_BYTES)
            self._map = mmap.mmap(descriptor, AHEAD_BYTES)
            self._map[:] = bytes(AHEAD_BYTES)
        finally:
            os.close(descriptor)
        self._end = 0
        self._beside = mmap.mmap(-1, AHEAD_BYTES)

    def write(self, first_number: int, records: Sequence[bytes]) -> bool:
        """Keep records with consecutive numbers; False, and nothing is kept, where there is no room."""
        block = _block(first_number, records)
        end = self._end + len(block)
        if end > AHEAD_BYTES:
            return False
        self._map[self._end : end] = block
        self._end = end
        return True

    def rehearse(self, records: Sequence[bytes]) -> None:
        """Do the same beside the file."""
        block = _block(0, records)[:AHEAD_BYTES]
        self._beside[: len(block)] = block

    def clear(self) -> None:
        """Everything is in the database. The bytes stay; their numbers tell that they are old."""
        self._end = 0

    def close(self) -> None:
        """Let the file go; what it holds stays."""
        self._map.close()
        self._beside.close()


def read_ahead(path: Path) -> list[tuple[int, bytes]]:
    """Numbers and records of a file, in their order, up to the first that is torn or older than the one before it.

    The caller leaves out those that the database has. Without a file there are none.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    found: list[tuple[int, bytes]] = []
    at = 0
    while at + _HEADER.size <= len(data):
        length, checksum, number = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        record = data[at : at + length]
        at += length
        is_next = not found or number == found[-1][0] + 1
        if not length or len(record) < length or checksum != _checksum(number, record) or not is_next:
            break
        found.append((number, record))
    return found


def _block(first_number: int, records: Sequence[bytes]) -> bytes:
    parts: list[bytes] = []
    for number, record in enumerate(records, first_number):
        parts += (_HEADER.pack(len(record), _checksum(number, record), number), record)
    return b"".join(parts)


def _checksum(number: int, record: bytes) -> int:
    return zlib.crc32(record, number & 0xFFFF_FFFF)
