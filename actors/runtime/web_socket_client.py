"""One WebSocket connection without queues: frames are handed over in the turn of the loop that received them.

The protocol is that of `websockets` without its own I/O; the sockets are the loop's. No message of this file shows more of a URL than
host and port, for paths may hold a key.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from actors.runtime.clock import BootClock
from actors.runtime.direct_write import plain_descriptor, write_now
from actors.runtime.shell import Clock
from actors.runtime.web_socket_frames import text_frames

OnFrame = Callable[[bytes, int], None]
"""Called with the payload of a whole message and the clock's reading when its last byte arrived."""

OnChange = Callable[[bool, str], None]
"""Called when the connection opened (True) and, once, when it was lost (False), with the reason."""

_silent = logging.getLogger("raymaker.web_socket")
_silent.setLevel(logging.CRITICAL + 1)


class WebSocketError(Exception):
    """A connection could not be opened; the text names host and port."""


class WebSocketClient(asyncio.Protocol):
    """One connection, opened once. Callbacks run inside `data_received`."""

    def __init__(
        self,
        url: str,
        on_frame: OnFrame,
        on_change: OnChange,
        headers: Mapping[str, str] | None = None,
        linger_off: bool = True,
        user_timeout_ms: int | None = None,
        frame_bytes_max: int = 4_194_304,
        *,
        clock: Clock | None = None,
        open_timeout_ms: int = 5_000,
        close_timeout_ms: int = 1_000,
        pending_bytes_max: int = 65_536,
    ) -> None:
        """Describe a connection; `open` makes it.

        Args:
            url: `ws://` or `wss://`.
            headers: added to the request of the handshake.
            linger_off: a close or the end of the process discards what the kernel has not sent yet (SO_LINGER on, 0 s), so
                that no byte reaches the venue after we are gone.
            user_timeout_ms: the kernel drops the connection when sent bytes stay unacknowledged for longer (TCP_USER_TIMEOUT).
            frame_bytes_max: a longer message closes the connection.
            pending_bytes_max: `write` refuses while more than this waits in the process.

        Raises:
            WebSocketError: the URL is not one of a WebSocket.
        """
        self._uri = _parse(url)
        self._peer = f"{self._uri.host}:{self._uri.port}"
        self._on_frame = on_frame
        self._on_change = on_change
        self._headers = dict(headers or {})
        self._linger_off = linger_off
        self._user_timeout_ms = user_timeout_ms
        self._frame_bytes_max = frame_bytes_max
        self._clock: Clock = clock or BootClock()
        self._open_timeout_s = open_timeout_ms / 1_000
        self._close_timeout_s = close_timeout_ms / 1_000
        self._pending_bytes_max = pending_bytes_max
        self._protocol: ClientProtocol | None = None
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._opened: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._reported_up = False
        self._close_timer: asyncio.TimerHandle | None = None
        self.is_open = False
        self.heard_ns = 0
        """When the last bytes of any kind arrived; 0 before the first."""

    async def open(self) -> None:
        """Connect and shake hands; `on_change(True, ...)` has been called when this returns.

        Raises:
            WebSocketError: refused, unreachable, too slow, or not a WebSocket.
        """
        loop = asyncio.get_running_loop()
        self._opened, self._closed = loop.create_future(), loop.create_future()
        self._protocol = ClientProtocol(self._uri, max_size=self._frame_bytes_max, logger=_silent)
        try:
            async with asyncio.timeout(self._open_timeout_s):
                context = _tls_context() if self._uri.secure else None
                await loop.create_connection(lambda: self, self._uri.host, self._uri.port, ssl=context)
                await self._opened
        except TimeoutError as error:
            self.abort()
            raise WebSocketError(f"{self._peer}: no answer within {self._open_timeout_s:g} s") from error
        except OSError as error:
            self.abort()
            raise WebSocketError(f"{self._peer}: {error.strerror or error}") from error
        except BaseException:
            self.abort()
            raise

    def write(self, payload: bytes) -> bool:
        """Send one text message; False means that nothing of it was written and nothing will be."""
        return self.write_all((payload,))

    def write_all(self, payloads: Sequence[bytes]) -> bool:
        """Send several text messages in one go; False means that nothing of any was written and nothing will be."""
        transport, protocol = self._transport, self._protocol
        if not self.is_open or transport is None or protocol is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > self._pending_bytes_max:
            return False
        if protocol.writes:
            self._flush(protocol, transport)
        write_now(transport, self._descriptor, text_frames(payloads))
        return True

    def ping(self) -> bool:
        """Ask for a sign of life; the answer shows in `heard_ns`. False when the connection is not open."""
        transport, protocol = self._transport, self._protocol
        if not self.is_open or transport is None or protocol is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > self._pending_bytes_max:
            return False
        protocol.send_ping(b"")
        self._flush(protocol, transport)
        return True

    async def close(self) -> None:
        """Close with a handshake, or without where the other end does not answer in time. Safe to call at any time."""
        transport, protocol = self._transport, self._protocol
        if transport is None or protocol is None or self._closed is None:
            return
        if protocol.state is State.OPEN and not transport.is_closing():
            protocol.send_close(1000)
            self._flush(protocol, transport)
            self._down("closed by us")
            await asyncio.wait([self._closed], timeout=self._close_timeout_s)
        self.abort()
        await asyncio.wait([self._closed], timeout=self._close_timeout_s)

    def abort(self, reason: str = "aborted by us") -> None:
        """Drop the connection at once; what waits in the process is discarded."""
        if self._transport is not None:
            self._transport.abort()
        self._down(reason)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake on a new transport."""
        assert self._protocol is not None
        self._transport = transport = cast(asyncio.Transport, transport)
        self._descriptor = plain_descriptor(transport)
        self._set_options(transport.get_extra_info("socket"))
        request = self._protocol.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush(self._protocol, transport)

    def data_received(self, data: bytes) -> None:
        """Parse and hand over what arrived."""
        received_ns = self._clock.now_ns()
        protocol, transport = self._protocol, self._transport
        assert protocol is not None and transport is not None
        self.heard_ns = received_ns
        protocol.receive_data(data)
        if protocol.writes:
            self._flush(protocol, transport)
        for event in protocol.events_received():
            if type(event) is Frame:
                if event.opcode is Opcode.TEXT and event.fin:
                    self._on_frame(bytes(event.data), received_ns)
                elif event.opcode in DATA_OPCODES:
                    self._take_part(event, received_ns)
            elif isinstance(event, Response) and protocol.handshake_exc is None:
                self._up()
        if protocol.handshake_exc is not None:
            self._refused(protocol.handshake_exc)
        elif protocol.state is not State.OPEN and protocol.state is not State.CONNECTING:
            self._finish(protocol)

    def eof_received(self) -> bool | None:
        """The other end closed its side: close ours."""
        if self._protocol is not None and self._protocol.state is not State.CLOSED:
            self._protocol.receive_eof()
            self._down(_reason(self._protocol))
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Report the loss, whoever caused it."""
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        text = f"connection lost: {error}" if error is not None else "connection closed"
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(WebSocketError(f"{self._peer}: {text} during the handshake"))
        self._down(text)
        self._transport = None
        self._descriptor = -1
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def _take_part(self, frame: Frame, received_ns: int) -> None:
        self._parts.append(bytes(frame.data))
        if frame.fin:
            payload, self._parts = b"".join(self._parts), []
            self._on_frame(payload, received_ns)

    def _flush(self, protocol: ClientProtocol, transport: asyncio.Transport) -> None:
        data = b"".join(protocol.data_to_send())
        if data:
            write_now(transport, self._descriptor, data)

    def _up(self) -> None:
        self.is_open = True
        self._reported_up = True
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)
        self._on_change(True, self._peer)

    def _down(self, reason: str) -> None:
        self.is_open = False
        if self._reported_up:
            self._reported_up = False
            self._on_change(False, reason)

    def _refused(self, error: Exception) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(WebSocketError(f"{self._peer}: handshake refused: {error}"))

    def _finish(self, protocol: ClientProtocol) -> None:
        self._down(_reason(protocol))
        if self._close_timer is None and self._transport is not None:
            self._close_timer = asyncio.get_running_loop().call_later(self._close_timeout_s, self._transport.abort)

    def _set_options(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._linger_off:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self._user_timeout_ms is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._user_timeout_ms)


@cache
def _tls_context() -> ssl.SSLContext:
    """Made once: reading the certificates takes tens of milliseconds of the loop."""
    return ssl.create_default_context()


def _parse(url: str) -> WebSocketURI:
    try:
        return parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise WebSocketError(
            f"not the URL of a WebSocket (ws:// or wss://): its scheme is {url.split(':')[0]!r}"
        ) from error


def _reason(protocol: ClientProtocol) -> str:
    if protocol.parser_exc is not None and not isinstance(protocol.parser_exc, EOFError):
        return f"refused by us: {protocol.parser_exc}"
    if protocol.close_rcvd is not None:
        return f"closed by the other end: {protocol.close_rcvd}"
    return "connection ended without a close"
