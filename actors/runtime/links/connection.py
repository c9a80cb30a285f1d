"""One end of a link's byte stream: whole frames in, whole frames out, nothing queued above the transport's own buffer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from actors.runtime.direct_write import plain_descriptor, write_now
from actors.runtime.links.frames import HEADER, HEADER_BYTES

RECEIVE_BYTES = 65_536
SEND_BUFFER_BYTES = 65_536
"""Asked of the kernel for what is written: what waits there can no longer be replaced by something newer."""

OnFrame = Callable[[int, int, memoryview], None]
"""Called with kind, number and payload; the payload's bytes are valid until the call returns."""


class Connection(asyncio.BufferedProtocol):
    """Frames over one stream socket. `writable` is true while nothing waits in the process."""

    def __init__(
        self,
        frame_bytes_max: int,
        on_frame: OnFrame,
        on_writable: Callable[[], None],
        on_lost: Callable[[str], None],
        on_made: Callable[[Connection], None] | None = None,
    ) -> None:
        self.frame_bytes_max = frame_bytes_max
        """It may grow when the other end has become known."""
        self._on_frame = on_frame
        self._on_writable = on_writable
        self._on_lost = on_lost
        self._on_made = on_made
        self._buffer = bytearray(RECEIVE_BYTES)
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._reason = ""
        self.writable = False
        self.closed = False
        self.oversized = False
        """The connection was dropped for the length of a frame."""

    def rebind(self, on_frame: OnFrame, on_writable: Callable[[], None], on_lost: Callable[[str], None]) -> None:
        """Send what happens from now on to others: who the other end is has become known."""
        self._on_frame, self._on_writable, self._on_lost = on_frame, on_writable, on_lost

    def write(self, frame: bytes) -> None:
        """Write a whole frame, now where the kernel takes it. The caller looks at `writable` for what may wait."""
        transport = self._transport
        if transport is not None and not self.closed:
            write_now(transport, self._descriptor, frame)

    def close(self, reason: str) -> None:
        """Drop the connection; `on_lost` follows with `reason`."""
        self.closed = True
        self.writable = False
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def finish(self, reason: str) -> None:
        """Close after what has been written has left."""
        self.writable = False
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.close()
        self.closed = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set the socket up."""
        self._transport = cast(asyncio.Transport, transport)
        if self.closed:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=0)
        stream = self._transport.get_extra_info("socket")
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if stream.family != socket.AF_UNIX:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._descriptor = plain_descriptor(transport)
        self.writable = True
        if self._on_made is not None:
            self._on_made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Room for what comes."""
        filled = self._filled
        return self._view[filled:] if filled else self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Hand over every whole frame that has come."""
        self._filled = filled = self._filled + nbytes
        start = 0
        view = self._view
        while filled - start >= HEADER_BYTES and not self.closed:
            length, kind, number = HEADER.unpack_from(view, start)
            if length > self.frame_bytes_max:
                self.oversized = True
                self.close(f"a frame of {length} bytes, more than {self.frame_bytes_max}")
                return
            end = start + HEADER_BYTES + length
            if end > filled:
                break
            self._on_frame(kind, number, view[start + HEADER_BYTES : end])
            start = end
        if start == filled and len(self._buffer) == RECEIVE_BYTES:
            self._filled = 0
        elif not self.closed:
            self._keep_rest(start)

    def _keep_rest(self, start: int) -> None:
        rest = self._filled - start
        needed = HEADER_BYTES + HEADER.unpack_from(self._buffer, start)[0] if rest >= HEADER_BYTES else HEADER_BYTES
        if needed > len(self._buffer):
            self._move_rest(bytearray(needed), start)
        elif len(self._buffer) > RECEIVE_BYTES and max(rest, needed) <= RECEIVE_BYTES:
            self._move_rest(bytearray(RECEIVE_BYTES), start)
        elif start and rest:
            self._buffer[:rest] = self._buffer[start : self._filled]
        self._filled = rest

    def _move_rest(self, buffer: bytearray, start: int) -> None:
        buffer[: self._filled - start] = self._view[start : self._filled]
        self._buffer, self._view = buffer, memoryview(buffer)

    def eof_received(self) -> bool:
        """The other end is gone."""
        return False

    def pause_writing(self) -> None:
        """Bytes wait in the process."""
        self.writable = False

    def resume_writing(self) -> None:
        """Everything written has gone to the kernel."""
        if not self.closed:
            self.writable = True
            self._on_writable()

    def connection_lost(self, error: Exception | None) -> None:
        """Report the loss."""
        self.closed = True
        self.writable = False
        self._transport = None
        self._descriptor = -1
        self._on_lost(self._reason or (str(error) if error is not None else "closed by the other end"))
