"""What a rehearsal has instead of links: the same writer, connections and codec, over a pair of sockets that ends where it begins."""

from __future__ import annotations

import asyncio
import os
import socket
from types import UnionType
from typing import Any

import msgspec

from actors.runtime.links.alert_spool import AlertSpool
from actors.runtime.links.connection import Connection
from actors.runtime.links.frames import VERSION, Hello, Kind, control_frame, envelope_frame
from actors.runtime.links.writer import LinkWriter
from actors.runtime.shell import Clock
from configs.schema import LinkSettings
from protocols.envelope import Envelope, Message

_LATEST = int(Kind.LATEST)
_READ_BYTES_MAX = 1_048_576
_SPOOL_BYTES_MAX = 65_536


class Unconnected(asyncio.Transport):
    """A transport around one socket that no loop watches: it holds nothing back, and what is written to it itself is lost."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__({"socket": end})

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""

    def get_write_buffer_size(self) -> int:
        """Nothing is ever buffered."""
        return 0

    def is_closing(self) -> bool:
        """Its owner closes the socket."""
        return False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """What the socket did not take at once."""

    def abort(self) -> None:
        """Its owner closes the socket."""

    close = abort


class Stage:
    """Says messages to one imagined reader, and hears what an imagined writer says. Nobody else is connected. Inside the loop only."""

    def __init__(self, mailbox: UnionType, reader_role: str, settings: LinkSettings, clock: Clock, log: Any) -> None:
        """Open it.

        Args:
            mailbox: what is heard must be of it, as in the actor's own links.
            reader_role: of the imagined reader of what is said; empty for none.
        """
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Envelope[mailbox])  # type: ignore[valid-type]
        self._near, self._far = socket.socketpair()
        for end in (self._near, self._far):
            end.setblocking(False)
        self._write, self._read = self._near.fileno(), self._far.fileno()
        self._heard: Message | None = None
        self._reading = Connection(settings.frame_bytes_max, self._take, lambda: None, lambda reason: None)
        self._reading.connection_made(Unconnected(self._far))
        spool = AlertSpool(None, _SPOOL_BYTES_MAX, 0)
        self._writer = LinkWriter(
            "stage", 0, settings, clock, log, spool, lambda stream, first, limit: [], _unheard, _unheard
        )
        if reader_role:
            self._admit(reader_role)

    def say(self, message: Message, now_ns: int) -> None:
        """Publish a message as to a reader; the reader forgets it."""
        self._writer.publish(message, now_ns, "")
        self._drain()

    def hear(self, message: Message, now_ns: int) -> Message:
        """A message as it comes out of a link that it went into."""
        os.write(self._write, envelope_frame(_LATEST, 0, Envelope("stage", 0, 0, now_ns, now_ns, "", message)))
        self._reading.buffer_updated(os.readv(self._read, [self._reading.get_buffer(-1)]))
        heard, self._heard = self._heard, None
        assert heard is not None, "what was written was not read"
        return heard

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self._far.close()

    def _take(self, kind: int, number: int, payload: memoryview) -> None:
        self._heard = self._decoder.decode(payload).body

    def _admit(self, role: str) -> None:
        connection = self._writer.accept()
        connection.connection_made(Unconnected(self._near))
        hello = control_frame(Kind.HELLO, Hello(VERSION, "stage", role, 1, {}))
        connection.get_buffer(-1)[: len(hello)] = hello
        connection.buffer_updated(len(hello))
        self._drain()

    def _drain(self) -> None:
        try:
            os.read(self._read, _READ_BYTES_MAX)
        except BlockingIOError:
            return


def _unheard(who: str, what: Any) -> None:
    """An imagined reader has nothing to tell."""
