"""The envelope around every message of the data plane, and its codec.

`origin_ns` is the receipt of the market frame that started the chain (0 when no frame did); `cause` is the id of the chain's
first message. The wire form is a MessagePack array: new fields are added at the end, with defaults; none is retyped.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

Body = TypeVar("Body")


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, array_like=True, gc=False):
    """Base of every message: immutable, tagged with its class name, a MessagePack array on the wire."""


class Envelope(msgspec.Struct, Generic[Body], frozen=True, array_like=True, gc=False):
    """One message on its way.

    `sender` is the actor's name (`market_data-0`), `epoch` its incarnation, `seq` its position in the link's stream.
    All `_ns` are CLOCK_BOOTTIME of the sender's node.
    """

    sender: str
    epoch: int
    seq: int
    sent_ns: int
    origin_ns: int
    cause: str
    body: Body


encoder = msgspec.msgpack.Encoder()
