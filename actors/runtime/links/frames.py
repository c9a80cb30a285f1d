"""What stands on the wire of a link: frames of a header and a MessagePack payload.

Header: payload length (4 bytes), kind (1), number (8), little endian. The number of an ordered message is outside its payload,
so that a duplicate is known without decoding and a message that cannot be decoded can still be acknowledged.
"""

from __future__ import annotations

import enum
import struct

import msgspec

from actors.runtime.links.proof import Challenge, Proven
from protocols.envelope import Envelope, Message

VERSION = 1
"""Version of this file. Both ends must speak the same."""

HEADER = struct.Struct("<IBQ")
HEADER_BYTES = HEADER.size
CLOCK = struct.Struct("<Q")

GREETING_BYTES_MAX = 65_536
"""No frame of one who is not known yet may be longer."""


class Kind(enum.IntEnum):
    """What a frame carries. LATEST to ALERT hold an envelope; BEAT holds nothing and its number is the sender's clock.

    Between nodes the writer begins with a CHALLENGE, and HELLO and WELCOME are proven (links/proof.py). ECHO is a reader's question for
    the writer's clock; its number is the reader's, and the answer repeats it with the writer's as payload.
    """

    HELLO = 1
    WELCOME = 2
    REFUSAL = 3
    ACK = 4
    BEAT = 5
    CHALLENGE = 6
    ECHO = 7
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
    """The writer's answer to an accepted hello. `now_ns` is the writer's clock."""

    version: int
    name: str
    epoch: int
    now_ns: int = 0


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """The writer's answer to a hello that it does not accept; the connection ends after it."""

    reason: str


class Ack(msgspec.Struct, frozen=True, array_like=True):
    """The reader has handled everything of these streams up to these numbers."""

    numbers: dict[str, int]


Control = Hello | Welcome | Refusal | Ack | Challenge | Proven

_encoder = msgspec.msgpack.Encoder()
_buffer = bytearray(65_536)


def control_frame(kind: Kind, body: Control) -> bytes:
    """A frame of the link itself."""
    payload = _encoder.encode(body)
    return HEADER.pack(len(payload), kind, 0) + payload


def beat_frame(now_ns: int) -> bytes:
    """A sign of life."""
    return HEADER.pack(0, Kind.BEAT, now_ns)


def echo_frame(asked_ns: int, answered_ns: int | None = None) -> bytes:
    """The question for a clock, or its answer."""
    payload = b"" if answered_ns is None else CLOCK.pack(answered_ns)
    return HEADER.pack(len(payload), Kind.ECHO, asked_ns) + payload


def envelope_frame(kind: int, number: int, envelope: Envelope[Message]) -> bytes:
    """A message's frame, encoded once for all its readers."""
    _encoder.encode_into(envelope, _buffer, HEADER_BYTES)
    HEADER.pack_into(_buffer, 0, len(_buffer) - HEADER_BYTES, kind, number)
    return bytes(_buffer)
