"""One WebSocket of the venue: what waits to be sent on it, bounded, and what it may ask."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import WSMsgType, web

from actors.exchange.subscriptions import MESSAGES_PER_SECOND_MAX


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
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._more = asyncio.Event()
        self._window_s = 0
        self._messages = 0

    def send(self, payload: bytes) -> None:
        """Queue a frame; a subscriber that is too slow is dropped."""
        if self.dropped or self._frozen:
            return
        self._waiting_bytes += len(payload)
        if self._waiting_bytes > self._bytes_max:
            self.dropped = True
            self._waiting.clear()
        else:
            self._waiting.append(payload)
        self._more.set()

    def serves(self, group: str) -> bool:
        """Whether it is of a group; a socket of the unrouted paths serves market and private streams alike."""
        return self.group in (group, "") and (self.group != "" or group != "api")

    def freeze(self) -> None:
        """Leave the connection half open: nothing is sent or read any more, and it stays."""
        self._frozen = True
        self._waiting.clear()
        self._waiting_bytes = 0
        if self._transport is not None:
            self._transport.pause_reading()

    def close(self, code: int = 1008, reason: str = "Disconnected after 24 hours") -> None:
        """End the connection, unless told otherwise as the venue does after a day."""
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

    async def write(self) -> None:
        """Send what is queued until the connection ends."""
        while not self.socket.closed:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                payload = self._waiting.popleft()
                await self.socket.send_frame(payload, WSMsgType.TEXT)
                self._waiting_bytes -= len(payload)
            if self.dropped:
                await self.socket.close(code=1008, message=b"Too slow")
