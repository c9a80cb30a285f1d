"""One subscriber of the venue's market streams: takes what the socket gives, and looks at it when the clock has stopped.

While time counts it only reads, so that it is not what is measured. Afterwards each frame is decoded and held against the one before it.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

SYMBOLS = ("btcusdt", "ethusdt")
STREAMS = "/".join(f"{symbol}@{kind}" for symbol in SYMBOLS for kind in ("bookTicker", "depth@0ms", "trade"))
READ_BYTES = 1 << 20
QUIET_S = 1.0
"""Without a byte for so long the market has ended; the clock then stopped with the last byte."""

TEXT_FRAME, PING_FRAME = 0x81, 0x89
LENGTH_OF_TWO_BYTES, LENGTH_OF_EIGHT_BYTES = 126, 127


class BrokenStreamError(Exception):
    """What was served is not what a market stream is; the text says where."""


class StreamReader:
    """A WebSocket on the combined stream of a capture's market."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=QUIET_S)
        self._chunks: list[bytes] = []

    def subscribe(self) -> None:
        """Ask for the streams, and read the answer's head."""
        key = "AAAAAAAAAAAAAAAAAAAAAA=="
        self._socket.sendall(
            f"GET /public/stream?streams={STREAMS} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._socket.recv(READ_BYTES)
        if not head.startswith(b"HTTP/1.1 101"):
            raise BrokenStreamError(f"the venue refused the subscription: {head!r}")
        self._chunks.append(head.partition(b"\r\n\r\n")[2])

    def read_for(self, seconds: float) -> float:
        """Keep all that comes until so much time has passed or the market has ended; the seconds until its last byte."""
        begun_s = last_s = time.monotonic()
        try:
            while last_s < begun_s + seconds:
                chunk = self._socket.recv(READ_BYTES)
                if not chunk:
                    raise BrokenStreamError("the venue closed the connection")
                self._chunks.append(chunk)
                last_s = time.monotonic()
        except TimeoutError:
            pass
        return last_s - begun_s

    def close(self) -> None:
        """Read no more."""
        self._socket.close()

    def checked_frames(self) -> int:
        """How many whole frames came, each decoded, none lost or out of order in its stream.

        Raises:
            BrokenStreamError: one is no frame of a stream, or not the one that follows.
        """
        last: dict[str, int] = {}
        count = 0
        for payload in frames_of(b"".join(self._chunks)):
            frame = json.loads(payload)
            check_order(frame, last)
            count += 1
        if missing := set(STREAMS.split("/")) - set(last):
            raise BrokenStreamError(f"nothing came on {', '.join(sorted(missing))}")
        return count


def frames_of(data: bytes) -> Iterator[bytes]:
    """The payloads of a server's whole text frames; what is cut off at the end is left."""
    place = 0
    while len(data) >= place + 2:
        kind, length, head = data[place], data[place + 1], 2
        if length == LENGTH_OF_TWO_BYTES:
            length, head = int.from_bytes(data[place + 2 : place + 4]), 4
        elif length == LENGTH_OF_EIGHT_BYTES:
            length, head = int.from_bytes(data[place + 2 : place + 10]), 10
        end = place + head + length
        if len(data) < end:
            return
        if kind == TEXT_FRAME:
            yield data[place + head : end]
        elif kind != PING_FRAME:
            raise BrokenStreamError(f"byte {place}: a frame of kind {kind:#x}")
        place = end


def check_order(frame: dict[str, Any], last: dict[str, int]) -> None:
    """Hold a frame against the last one of its stream: diffs are a chain, trades are numbered, best prices get younger.

    Raises:
        BrokenStreamError: it does not follow.
    """
    stream, event = frame["stream"], frame["data"]
    before = last.get(stream)
    match event["e"]:
        case "depthUpdate":
            number, follows = event["u"], before is None or event["pu"] == before
        case "trade":
            number, follows = event["t"], before is None or event["t"] == before + 1
        case "bookTicker":
            number, follows = event["u"], before is None or event["u"] >= before
        case other:
            raise BrokenStreamError(f"{stream}: an event of kind {other}")
    if not follows:
        raise BrokenStreamError(f"{stream}: {number} after {before}")
    last[stream] = number
