"""What stands on the wire of a link: frames of a header and a MessagePack payload.

Header: payload length (4 bytes), kind (1), number (8), little endian. The number of an ordered message is outside its payload,
so that a duplicate is known without decoding and a message that cannot be decoded can still be acknowledged.
"""

from __future__ import annotations

import enum
import struct

import msgspec

from protocols.envelope import Envelope, Message

VERSION = 1
"""Version of this file. Both ends must speak the same."""

HEADER = struct.Struct("<IBQ")
HEADER_BYTES = HEADER.size


class Kind(enum.IntEnum):
    """What a frame carries. LATEST to ALERT hold an envelope; BEAT holds nothing and its number is the sender's clock."""

    HELLO = 1
    WELCOME = 2
    REFUSAL = 3
    ACK = 4
    BEAT = 5
    LATEST = 16
    EVENT = 17
    ORDERED = 18
    ALERT = 19


STREAMS = {"events": Kind.EVENT, "ordered": Kind.ORDERED, "alerts": Kind.ALERT}
"""Numbered streams of a link. `events` are numbered by the `event_seq` of the message and live on in the sender's journal;
the other numbers begin at the sender's epoch * 2**32, so they grow over restarts, too."""

STREAM_OF = {kind: stream for stream, kind in STREAMS.items()}

FROM_NOW = -1
"""Resume number of a reader that wants no history."""


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """First frame of a reader. `resume` tells the last number that it has handled of each stream.

    `instruments` are those it wants to hear of; empty means all.
    """

    version: int
    name: str
    role: str
    epoch: int
    resume: dict[str, int]
    instruments: tuple[str, ...] = ()


class Welcome(msgspec.Struct, frozen=True, array_like=True):
    """The writer's answer to an accepted hello."""

    version: int
    name: str
    epoch: int


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """The writer's answer to a hello that it does not accept; the connection ends after it."""

    reason: str


class Ack(msgspec.Struct, frozen=True, array_like=True):
    """The reader has handled everything of these streams up to these numbers."""

    numbers: dict[str, int]


Control = Hello | Welcome | Refusal | Ack

_encoder = msgspec.msgpack.Encoder()
_buffer = bytearray(65_536)


def control_frame(kind: Kind, body: Control) -> bytes:
    """A frame of the link itself."""
    payload = _encoder.encode(body)
    return HEADER.pack(len(payload), kind, 0) + payload


def beat_frame(now_ns: int) -> bytes:
    """A sign of life."""
    return HEADER.pack(0, Kind.BEAT, now_ns)


def envelope_frame(kind: int, number: int, envelope: Envelope[Message]) -> bytes:
    """A message's frame, encoded once for all its readers."""
    _encoder.encode_into(envelope, _buffer, HEADER_BYTES)
    HEADER.pack_into(_buffer, 0, len(_buffer) - HEADER_BYTES, kind, number)
    return bytes(_buffer)
