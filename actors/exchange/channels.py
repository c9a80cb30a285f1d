"""One WebSocket of the venue: what waits to be sent on it, bounded, and what it may ask.

Frames of one turn of the loop leave in one write. They are put together here: a server's frames are not masked, so a frame is a short head
and the payload, and a subscriber of a whole market costs little.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from actors.exchange.subscriptions import MESSAGES_PER_SECOND_MAX

TEXT_FRAME = 0x81
SHORT_MAX, MEDIUM_MAX = 125, 65_535


class Subscriber:
    """One WebSocket: what it is subscribed to, and what waits to be sent, bounded."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        bytes_max: int,
        *,
        group: str = "",
        combined: bool = False,
    ) -> None:
        self.socket = socket
        self._transport = transport
        self._frozen = False
        self._closing: asyncio.Task[bool] | None = None
        self.group = group
        self.combined = combined
        self.streams: dict[str, int | None] = {}
        self.dropped = False
        self._bytes_max = bytes_max
        self._waiting: list[bytes] = []
        self._window_s = 0
        self._messages = 0

    def send(self, payload: bytes) -> None:
        """Send a frame at the end of this turn of the loop; a subscriber that is too slow is dropped."""
        if self.dropped or self._frozen:
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting += (_head(len(payload)), payload)

    def serves(self, group: str) -> bool:
        """Whether it is of a group; a socket of the unrouted paths serves market and private streams alike."""
        return self.group in (group, "") and (self.group != "" or group != "api")

    def freeze(self) -> None:
        """Leave the connection half open: nothing is sent or read any more, and it stays."""
        self._frozen = True
        self._waiting.clear()
        if self._transport is not None:
            self._transport.pause_reading()

    def close(self, code: int = 1008, reason: str = "Disconnected after 24 hours") -> None:
        """End the connection, unless told otherwise as the venue does after a day."""
        self._flush()
        self._closing = asyncio.ensure_future(self.socket.close(code=code, message=reason.encode()))

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()

    def allows_message(self, now_s: float) -> bool:
        """Count a message of the client; false beyond the venue's limit a second."""
        if int(now_s) != self._window_s:
            self._window_s, self._messages = int(now_s), 0
        self._messages += 1
        return self._messages <= MESSAGES_PER_SECOND_MAX

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        transport = self._transport
        if not waiting or transport is None or transport.is_closing() or self.socket.closed:
            return
        data = b"".join(waiting)
        if transport.get_write_buffer_size() + len(data) > self._bytes_max:
            self.dropped = True
            self.close(reason="Too slow")
        else:
            transport.write(data)


def _head(length: int) -> bytes:
    """The head of an unmasked text frame."""
    if length <= SHORT_MAX:
        return bytes((TEXT_FRAME, length))
    if length <= MEDIUM_MAX:
        return bytes((TEXT_FRAME, 126)) + length.to_bytes(2)
    return bytes((TEXT_FRAME, 127)) + length.to_bytes(8)
