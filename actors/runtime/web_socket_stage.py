"""What a rehearsal has instead of a WebSocket: the real client on a connection of loopback whose other end is here too."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from websockets.client import ClientProtocol
from websockets.http11 import Request
from websockets.server import ServerProtocol

from actors.runtime.links.stage import Unconnected
from actors.runtime.shell import Clock
from actors.runtime.web_socket_client import OnFrame, WebSocketClient

HOST = "127.0.0.1"
HANDSHAKE_S_MAX = 1.0
_READ_BYTES_MAX = 1_048_576
_FINAL_TEXT = 0x81
_LENGTH_16 = 126


class _Rehearsing(WebSocketClient):
    """A client that is given its connection."""

    def begin(self, end: socket.socket) -> None:
        self._protocol = ClientProtocol(self._uri)
        self.connection_made(Unconnected(end))


class StageWebSocket:
    """One client, and the imagined venue that it is connected to."""

    def __init__(self, on_frame: OnFrame, clock: Clock) -> None:
        """Connect and shake hands; blocks for less than a millisecond.

        Raises:
            OSError: this machine has no loopback.
        """
        self._near, self._far = _pair()
        self._client = _Rehearsing(f"ws://{HOST}/stage", on_frame, lambda up, reason: None, clock=clock)
        self._client.begin(self._near)
        venue = ServerProtocol()
        venue.receive_data(self._far.recv(_READ_BYTES_MAX))
        (request,) = venue.events_received()
        assert isinstance(request, Request)
        venue.send_response(venue.accept(request))
        self._client.data_received(b"".join(venue.data_to_send()))
        for end in (self._near, self._far):
            end.setblocking(False)

    def receive(self, payload: bytes) -> None:
        """Let the client receive one text message; what loopback does not bring at once comes with the next."""
        self._far.send(bytes((_FINAL_TEXT, _LENGTH_16)) + len(payload).to_bytes(2, "big") + payload)
        try:
            self._client.data_received(self._near.recv(_READ_BYTES_MAX))
        except BlockingIOError:
            return

    def write_all(self, payloads: Sequence[bytes]) -> bool:
        """Let the client send text messages, which the imagined venue forgets."""
        is_written = self._client.write_all(payloads)
        try:
            self._far.recv(_READ_BYTES_MAX)
        except BlockingIOError:
            return is_written
        return is_written

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self._far.close()


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server((HOST, 0), backlog=1) as listening:
        near = socket.create_connection(listening.getsockname(), HANDSHAKE_S_MAX)
        far, _ = listening.accept()
    far.settimeout(HANDSHAKE_S_MAX)
    return near, far
