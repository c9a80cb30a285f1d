"""Alerts of one sender until alerting has acknowledged them: bounded, on file, and never lost without a word.

`AlertQueue` decides what is kept; `AlertSpool` is its file. When the queue is full, a repeat of a kept (code, subject) folds into a
count, and what repeats nothing folds into one alert that counts the others.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from protocols.messages.alerts import Alert, AlertCode, Severity

OVERFLOW_SUBJECT = "alert spool"
OVERFLOW_BYTES_MAX = 512
"""Room kept for the alert that counts the others."""
_RECORD = struct.Struct("<IQ")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Alert)


class AlertQueue:
    """Unacknowledged alerts by number, oldest first. Every alert given is kept or counted in one that is."""

    def __init__(self, bytes_max: int, first_number: int) -> None:
        self._room = bytes_max - OVERFLOW_BYTES_MAX
        self._kept: dict[int, tuple[Alert, int]] = {}
        self._number_of: dict[tuple[AlertCode, str], int] = {}
        self._bytes = 0
        self.next_number = first_number
        self.removals = 0
        """Entries taken out so far: acknowledged, or folded."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """Encoded size of what is kept."""
        return self._bytes

    def add(self, alert: Alert) -> int:
        """Keep an alert, or fold it into a kept one; returns the newest number."""
        if self._bytes + self._size(alert) > self._room:
            alert = self._folded(alert)
            if self._size(alert) > self._room:
                alert = self._overflow(alert, alert.repeats)
        newest = self._keep(alert)
        while self._bytes > self._room:
            oldest = next((number for number in self._kept if number not in (newest, self._overflow_number)), None)
            if oldest is None:
                break
            gone = self._remove(oldest)
            self._keep(self._overflow(gone, gone.repeats))
        return self.next_number - 1

    def acknowledge(self, number: int) -> int:
        """Forget everything up to `number`; returns how many entries went."""
        done = [kept for kept in self._kept if kept <= number]
        for kept in done:
            self._remove(kept)
        return len(done)

    def after(self, number: int, limit: int) -> list[tuple[int, Alert]]:
        """At most `limit` kept alerts with numbers above `number`, oldest first."""
        found: list[tuple[int, Alert]] = []
        for kept, (alert, _) in self._kept.items():
            if kept > number:
                found.append((kept, alert))
                if len(found) == limit:
                    break
        return found

    def restore(self, number: int, alert: Alert) -> None:
        """Take an alert that a former process kept."""
        size = len(_encoder.encode(alert))
        self._kept[number] = (alert, size)
        self._number_of[(alert.code, alert.subject)] = number
        self._bytes += size
        self.next_number = max(self.next_number, number + 1)

    def _folded(self, alert: Alert) -> Alert:
        """`alert` with the count of its kept twin, or the overflow alert where it has none."""
        twin = self._number_of.get((alert.code, alert.subject))
        if twin is not None:
            return msgspec.structs.replace(alert, repeats=alert.repeats + self._remove(twin).repeats)
        return self._overflow(alert, alert.repeats)

    def _overflow(self, alert: Alert, repeats: int) -> Alert:
        """The overflow alert with `repeats` more, taken out of the queue where it stands there."""
        number = self._overflow_number
        repeats += self._remove(number).repeats if number is not None else 0
        return Alert(
            code=AlertCode.OUTBOX_FULL,
            severity=Severity.WARNING,
            subject=OVERFLOW_SUBJECT,
            text=f"{repeats} alerts folded into this one, the last: {alert.code.value}",
            raised_ns=alert.raised_ns,
            source=alert.source[:64],
            repeats=repeats,
        )

    @property
    def _overflow_number(self) -> int | None:
        return self._number_of.get((AlertCode.OUTBOX_FULL, OVERFLOW_SUBJECT))

    def _keep(self, alert: Alert) -> int:
        number = self.next_number
        self.next_number += 1
        size = self._size(alert)
        self._kept[number] = (alert, size)
        self._number_of[(alert.code, alert.subject)] = number
        self._bytes += size
        return number

    def _remove(self, number: int) -> Alert:
        alert, size = self._kept.pop(number)
        self.removals += 1
        self._bytes -= size
        key = (alert.code, alert.subject)
        if self._number_of.get(key) == number:
            del self._number_of[key]
        return alert

    @staticmethod
    def _size(alert: Alert) -> int:
        return len(_encoder.encode(alert))


class AlertSpool:
    """An AlertQueue that outlives its process. Written without fsync: a dead process loses nothing, a dead machine may."""

    def __init__(self, path: Path | None, bytes_max: int, epoch: int) -> None:
        """Open or make the file; a damaged tail is cut off.

        Args:
            path: None keeps the alerts in memory only.
            bytes_max: bound of what is kept; the file may be twice as long between two rewritings.
            epoch: numbers begin at `epoch * 2**32`, so they grow over restarts even when the file is lost.
        """
        self.queue = AlertQueue(bytes_max, epoch << 32)
        self._path = path
        self._bytes_max = bytes_max
        self._file: BinaryIO | None = None
        self._written = 0
        if path is not None:
            for number, alert in _records(path):
                self.queue.restore(number, alert)
            self._rewrite()

    def add(self, alert: Alert) -> int:
        """Keep an alert; returns its number.

        Raises:
            OSError: the file cannot be written; the alert is kept in memory.
        """
        removals = self.queue.removals
        number = self.queue.add(alert)
        if self._file is not None:
            if self.queue.removals != removals or self._written > 2 * self._bytes_max:
                self._rewrite()
            else:
                kept = self.queue.after(number - 1, 1)
                self._written += self._file.write(_record(number, kept[0][1]))
        return number

    def acknowledge(self, number: int) -> None:
        """Forget everything up to `number`.

        Raises:
            OSError: the file cannot be written; what is acknowledged may be sent again after a restart.
        """
        if self.queue.acknowledge(number) and self._file is not None and not len(self.queue):
            self._file.seek(0)
            self._file.truncate()
            self._written = 0

    def close(self) -> None:
        """Leave on file what is not acknowledged."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._rewrite()
            self._file.close()
            self._file = None

    def _rewrite(self) -> None:
        assert self._path is not None
        fresh = self._path.with_suffix(".new")
        file = fresh.open("wb", buffering=0)
        try:
            kept = self.queue.after(-1, len(self.queue))
            self._written = file.write(b"".join(_record(number, alert) for number, alert in kept))
            fresh.replace(self._path)
        except OSError:
            file.close()
            raise
        if self._file is not None:
            self._file.close()
        self._file = file


def _record(number: int, alert: Alert) -> bytes:
    payload = _encoder.encode(alert)
    return _RECORD.pack(len(payload), number) + payload


def _records(path: Path) -> Iterator[tuple[int, Alert]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    at = 0
    while at + _RECORD.size <= len(data):
        length, number = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        payload = data[at : at + length]
        at += length
        try:
            yield number, _decoder.decode(payload)
        except msgspec.DecodeError:
            return
