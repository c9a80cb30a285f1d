"""Alerts that the webhook has not confirmed, on file: one record after another, written anew when it has grown too long."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

import msgspec

from actors.alerting.records import AlertSettled, AlertSpooled

_LENGTH = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AlertSpooled | AlertSettled)


class DeliverySpool:
    """The file. A disk that does not take it costs only the survival of a restart: `problem` says so, alerts go on.

    Args:
        bytes_max: length at which the file is written anew with what still waits; the gravest and newest stay when that is not enough.
    """

    def __init__(self, path: Path, bytes_max: int) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._waiting: dict[int, AlertSpooled] = {}
        self._file: BinaryIO | None = None
        self._length = 0
        self.damaged_bytes = 0
        self.problem = ""

    def read(self) -> list[AlertSpooled]:
        """What an earlier life left behind, oldest first; a torn or damaged end is left out and counted."""
        try:
            with self._path.open("rb") as file:
                content = file.read(self._bytes_max * 2)
        except FileNotFoundError:
            return []
        except OSError as error:
            self.problem = f"{self._path} cannot be read: {error.strerror}"
            return []
        start = 0
        while start + _LENGTH.size <= len(content):
            (length,) = _LENGTH.unpack_from(content, start)
            end = start + _LENGTH.size + length
            try:
                record = _decoder.decode(content[start + _LENGTH.size : end])
            except msgspec.DecodeError:
                break
            self._note(record)
            start = end
        self.damaged_bytes = len(content) - start
        return list(self._waiting.values())

    def add(self, record: AlertSpooled | AlertSettled) -> None:
        """Write a record."""
        self._note(record)
        try:
            data = _framed(record)
            if self._file is None or self._length + len(data) > self._bytes_max:
                self._write_anew()
            else:
                self._file.write(data)
                self._length += len(data)
            self.problem = ""
        except OSError as error:
            self._close()
            self.problem = f"{self._path} cannot be written: {error.strerror}"

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        self._close()

    def _note(self, record: AlertSpooled | AlertSettled) -> None:
        if isinstance(record, AlertSpooled):
            self._waiting[record.number] = record
        else:
            self._waiting.pop(record.number, None)

    def _write_anew(self) -> None:
        self._close()
        kept: list[bytes] = []
        room = self._bytes_max // 2
        for record in sorted(self._waiting.values(), key=_gravest_newest_first):
            data = _framed(record)
            if room < len(data):
                break
            room -= len(data)
            kept.append(data)
        following = self._path.with_name(self._path.name + ".next")
        descriptor = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        for data in reversed(kept):
            self._file.write(data)
        following.replace(self._path)
        self._length = sum(map(len, kept))

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _framed(record: AlertSpooled | AlertSettled) -> bytes:
    data = _encoder.encode(record)
    return _LENGTH.pack(len(data)) + data


def _gravest_newest_first(record: AlertSpooled) -> tuple[int, int]:
    order = ("CRITICAL", "WARNING", "INFO")
    return order.index(record.alert.severity.value), -record.number
