"""What a rehearsal has instead of links: the same frames and the same codec, over a pair of sockets that ends where it begins."""

from __future__ import annotations

import os
import socket
from types import UnionType
from typing import Any

import msgspec

from actors.runtime.links.frames import HEADER_BYTES, Kind, envelope_frame
from protocols.envelope import Envelope, Message

_LATEST = int(Kind.LATEST)
_READ_BYTES_MAX = 1_048_576


class Stage:
    """Says messages and hears them itself. Nobody else is connected."""

    def __init__(self, mailbox: UnionType) -> None:
        """Args: mailbox: what is heard must be of it, as in the actor's own links."""
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Envelope[mailbox])  # type: ignore[valid-type]
        self._near, self._far = socket.socketpair()
        for end in (self._near, self._far):
            end.setblocking(False)
        self._write, self._read = self._near.fileno(), self._far.fileno()

    def say(self, message: Message, now_ns: int) -> bytes:
        """Encode a message as for a reader, write it, and take it back; the frame."""
        return self.through(envelope_frame(_LATEST, 0, Envelope("stage", 0, 0, now_ns, now_ns, "", message)))

    def hear(self, message: Message, now_ns: int) -> Message:
        """A message as it comes out of a link that it went into."""
        frame = self.say(message, now_ns)
        heard: Message = self._decoder.decode(memoryview(frame)[HEADER_BYTES:]).body
        return heard

    def through(self, data: bytes) -> bytes:
        """Bytes written to a socket and read from it; what does not fit at once is lost."""
        try:
            os.write(self._write, data)
            return os.read(self._read, _READ_BYTES_MAX)
        except BlockingIOError:
            return data

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self._far.close()
