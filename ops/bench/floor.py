"""The floor of tick to order: three processes that only pass bytes on.

The first receives the venue's WebSocket frames and forwards each raw over a Unix socket, the second forwards it again, the third writes
one WebSocket frame of an order's size for each. Same loop, same WebSocket library, same direct writes and same place on the processor as
the live actors; no decoding, no decision, no journal, no signature. Every frame counts, also those on which raymaker sends nothing: by
kind of frame the floor's medians lie no further apart than those of its blocks, and a floor that writes for each fifth frame only, as
often as raymaker writes orders, takes as long. Started by
ops/bench/tick_to_order.py as

    python -m ops.bench.floor first  URL[,URL] NEXT_SOCKET
    python -m ops.bench.floor middle SOCKET NEXT_SOCKET
    python -m ops.bench.floor last   SOCKET SINK_URL OUT_FILE
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import uvloop

from actors.runtime.clock import BootClock
from actors.runtime.direct_write import plain_descriptor, write_now
from actors.runtime.precedence import take_place
from actors.runtime.web_socket import WebSocketClient

ORDER_BYTES = 420
SAMPLES_MAX = 2_000_000
CONNECT_TRIES_MAX = 200
CONNECT_PAUSE_S = 0.05
_HEADER = struct.Struct("<Iq")
"""Length of the payload, and the receipt of the frame in nanoseconds."""

OnRelayed = Callable[[bytes, int], None]


class Relay(asyncio.Protocol):
    """One end of a Unix socket that carries (receipt, payload) frames."""

    def __init__(self, on_frame: OnRelayed | None = None) -> None:
        self._on_frame = on_frame
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._descriptor = plain_descriptor(transport)

    def data_received(self, data: bytes) -> None:
        assert self._on_frame is not None
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= _HEADER.size:
            length, received_ns = _HEADER.unpack_from(self._buffer, start)
            end = start + _HEADER.size + length
            if end > len(self._buffer):
                break
            self._on_frame(bytes(self._buffer[start + _HEADER.size : end]), received_ns)
            start = end
        del self._buffer[:start]

    def send(self, payload: bytes, received_ns: int) -> None:
        assert self._transport is not None
        write_now(self._transport, self._descriptor, _HEADER.pack(len(payload), received_ns) + payload)


async def connect(path: str) -> Relay:
    """Dial the next process, which may not listen yet."""
    loop = asyncio.get_running_loop()
    for _ in range(CONNECT_TRIES_MAX):
        try:
            _, relay = await loop.create_unix_connection(Relay, path)
        except (FileNotFoundError, ConnectionRefusedError):
            await asyncio.sleep(CONNECT_PAUSE_S)
        else:
            return relay
    raise TimeoutError(f"nobody listens at {path}")


async def until_terminated() -> None:
    """Wait for SIGTERM."""
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    await done.wait()


async def first(urls: str, next_path: str) -> None:
    """Receive frames of the venue and forward them."""
    relay = await connect(next_path)
    sockets = [
        WebSocketClient(url, lambda payload, at_ns: relay.send(payload, at_ns), lambda up, reason: None)
        for url in urls.split(",")
    ]
    for socket in sockets:
        await socket.open()
    await until_terminated()


async def middle(path: str, next_path: str) -> None:
    """Forward what comes."""
    relay = await connect(next_path)
    server = await asyncio.get_running_loop().create_unix_server(lambda: Relay(relay.send), path)
    async with server:
        await until_terminated()


async def last(path: str, sink_url: str, out_file: str) -> None:
    """Write an order's worth of bytes for each frame, and the times taken (microseconds) to `out_file` at the end."""
    clock = BootClock()
    sink = WebSocketClient(sink_url, lambda payload, at_ns: None, lambda up, reason: None)
    await sink.open()
    order = b"x" * ORDER_BYTES
    taken_us: list[float] = []

    def on_frame(payload: bytes, received_ns: int) -> None:
        if sink.write(order) and len(taken_us) < SAMPLES_MAX:
            taken_us.append((clock.now_ns() - received_ns) / 1_000)

    server = await asyncio.get_running_loop().create_unix_server(lambda: Relay(on_frame), path)
    async with server:
        await until_terminated()
    await asyncio.to_thread(Path(out_file).write_text, json.dumps(taken_us), "utf-8")


def main(arguments: list[str]) -> None:
    """Run one of the three processes."""
    gc.freeze()
    match arguments:
        case ["first", urls, next_path]:
            take_place("market_data", real_time=True)
            uvloop.run(first(urls, next_path))
        case ["middle", path, next_path]:
            take_place("strategy", real_time=True)
            uvloop.run(middle(path, next_path))
        case ["last", path, sink_url, out_file]:
            take_place("order_manager", real_time=True)
            uvloop.run(last(path, sink_url, out_file))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
