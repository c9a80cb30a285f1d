"""Cuts one direction of a connection into units that a rule can look at: HTTP messages first, WebSocket frames after the upgrade. Pure."""

from __future__ import annotations

import enum
import re

import msgspec

HEAD_BYTES_MAX = 65_536


class Kind(enum.StrEnum):
    """What a unit is. RAW: bytes whose end cannot be known (a body without a length), carried as they come."""

    REQUEST = "request"
    RESPONSE = "response"
    MESSAGE = "message"
    CONTROL = "control"
    RAW = "raw"


class Unit(msgspec.Struct, frozen=True):
    """One unit: its bytes on the wire, and what it says (a frame's payload without its mask; the whole of an HTTP message)."""

    kind: Kind
    wire: bytes
    text: bytes


class NotUnderstood(Exception):
    """The bytes are neither HTTP nor WebSocket frames of a sane size."""


_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
_UPGRADE = re.compile(rb"\r\nupgrade:[ \t]*websocket", re.IGNORECASE)
_SWITCHED = re.compile(rb"HTTP/1\.1 101[ \r]")
_CONTROL_FROM = 0x8


class Cutter:
    """One direction of one connection."""

    def __init__(self, asks: bool) -> None:
        """Args: asks: the direction of requests, else that of responses."""
        self._asks = asks
        self._rest = b""
        self._cut = self._cut_http

    def cut(self, data: bytes) -> list[Unit]:
        """The units that are complete now.

        Raises:
            NotUnderstood: the connection cannot be cut any further.
        """
        self._rest += data
        units: list[Unit] = []
        while self._rest and (unit := self._cut()) is not None:
            self._rest = self._rest[len(unit.wire) :]
            units.append(unit)
        return units

    def _cut_http(self) -> Unit | None:
        end = self._rest.find(b"\r\n\r\n")
        if end < 0:
            if len(self._rest) > HEAD_BYTES_MAX:
                raise NotUnderstood(f"no end of an HTTP head within {HEAD_BYTES_MAX} bytes")
            return None
        head = self._rest[: end + 4]
        if _CHUNKED.search(head):
            self._cut = self._cut_raw
            return self._cut_raw()
        found = _LENGTH.search(head)
        whole = end + 4 + (int(found[1]) if found else 0)
        if len(self._rest) < whole:
            return None
        if _UPGRADE.search(head) if self._asks else _SWITCHED.match(head):
            self._cut = self._cut_frame
        wire = self._rest[:whole]
        return Unit(Kind.REQUEST if self._asks else Kind.RESPONSE, wire, wire)

    def _cut_frame(self) -> Unit | None:
        data = self._rest
        if len(data) < 2:
            return None
        at, length = 2, data[1] & 0x7F
        if length >= 126:
            wide = 2 if length == 126 else 8
            at += wide
            if len(data) < at:
                return None
            length = int.from_bytes(data[2:at])
        mask = b""
        if data[1] & 0x80:
            mask, at = data[at : at + 4], at + 4
        if len(data) < at + length:
            return None
        kind = Kind.CONTROL if data[0] & 0x0F >= _CONTROL_FROM else Kind.MESSAGE
        return Unit(kind, data[: at + length], _unmasked(data[at : at + length], mask))

    def _cut_raw(self) -> Unit:
        return Unit(Kind.RAW, self._rest, b"")


def text_frame(payload: bytes) -> bytes:
    """A whole text message as a server sends it."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65_536:
        return bytes((0x81, 126)) + length.to_bytes(2) + payload
    return bytes((0x81, 127)) + length.to_bytes(8) + payload


def response(status: int, headers: dict[str, str], body: bytes) -> bytes:
    """A whole HTTP response."""
    fields = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
    head = f"HTTP/1.1 {status} Said By Proxy\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode("ascii") + b"\r\n" + body


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    if not mask or not payload:
        return payload
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(len(payload))
