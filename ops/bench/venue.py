"""How much one core of the simulated venue serves: order round trips over both ways, and frames to one subscriber.

The venue is a process of its own on the last core, the clients are on the first; limits are raised and latencies are zero.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import psutil
import uvloop

from actors.exchange.frames import Frame
from actors.exchange.server import DEMO_KEY, DEMO_SECRET, VenueServer, demo_credentials
from actors.exchange.sources import CaptureSource, SourceReport
from configs.schema import ExchangeSettings
from ops.bench.venue_frames import StreamReader

SECONDS = 4.0
WARM_S = 0.5
SOCKETS = 4
IN_FLIGHT = 8
"""Requests under way on each socket of the WebSocket API; on REST it is one a connection, of as many."""

SYMBOL = "BTCUSDC"
ANY_NUMBER = 10_000_000
HASTE = 1_000
"""How many times faster than it was recorded the market comes: faster than any venue here can serve it."""

HASTY_FRAMES = 200_000
"""As many as are served in the time that is measured, or fewer: then the clock stops with the last one."""


class Rate(msgspec.Struct, frozen=True):
    """By the clock, and by the venue's own processor time: what a core for it alone gives. A busy machine lowers only the first."""

    a_second: float
    a_core_second: float


class VenueRates(msgspec.Struct, frozen=True, kw_only=True):
    """With the venue on one core."""

    ws_api_round_trips: Rate
    rest_round_trips: Rate
    frames_to_one_subscriber: Rate


class Watch:
    """Counts what is done, and the clock and the venue's processor time meanwhile."""

    def __init__(self, process: psutil.Process) -> None:
        self.count = 0
        self._process = process
        self._begun = (0, 0.0, 0.0)

    def begin(self) -> None:
        """Count from now on."""
        self._begun = (self.count, time.monotonic(), self._core_s())

    def rate(self) -> Rate:
        """Of what was done since the beginning."""
        count, at, _ = self._begun
        done = self.count - count
        return Rate(done / (time.monotonic() - at), done / self.core_s())

    def core_s(self) -> float:
        """The venue's processor time since the beginning."""
        return self._core_s() - self._begun[2]

    def _core_s(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


class HastySource:
    """A capture whose frames are all due soon."""

    def __init__(self, settings: ExchangeSettings) -> None:
        assert settings.source is not None
        self._capture = CaptureSource(Path(settings.source), settings)
        self.contracts = self._capture.contracts
        self.report = SourceReport()
        self.name = self._capture.name
        self._recorded: list[Frame] = []
        self._began_ns = 0

    def opening(self, now_ns: int) -> list[Frame]:
        """The first books. What comes after them is read now, so that reading takes none of the time that is measured."""
        books = self._capture.opening(now_ns)
        self._began_ns = now_ns
        self._recorded = list(itertools.islice(self._capture.frames(now_ns), HASTY_FRAMES))
        return books

    def frames(self, start_ns: int) -> Iterator[Frame]:
        """The capture in a loop, `HASTE` times faster."""
        for frame in self._recorded:
            yield frame._replace(at_ns=start_ns + (frame.at_ns - self._began_ns) // HASTE)


def measure_venue(capture: Path) -> VenueRates:
    """Start a venue for each measurement, and load it from here."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    try:
        ws_api = _measured(_settings(), cores[-1], lambda port, watch: uvloop.run(_ws_api(port, watch)))
        rest = _measured(_settings(), cores[-1], lambda port, watch: uvloop.run(_rest(port, watch)))
        frames = _measured(_settings(source=str(capture), symbols=()), cores[-1], _subscriber)
    finally:
        os.sched_setaffinity(0, cores)
    return VenueRates(
        ws_api_round_trips=ws_api,
        rest_round_trips=rest,
        frames_to_one_subscriber=frames,
    )


def _settings(**changes: Any) -> ExchangeSettings:
    wide: dict[str, Any] = {
        "order_latency_ms": 0,
        "feed_latency_ms": 0,
        "latency_jitter_ms": 0,
        "weight_per_minute": ANY_NUMBER,
        "orders_per_10s": ANY_NUMBER,
        "orders_per_minute": ANY_NUMBER,
        "open_orders_max": 10_000,
        "symbols": (SYMBOL,),
    }
    return ExchangeSettings.model_validate(wide | changes)


def _measured(settings: ExchangeSettings, core: int, load: Callable[[int, Watch], Rate]) -> Rate:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    with tempfile.TemporaryDirectory() as folder:
        kept = settings.model_copy(update={"ledger": str(Path(folder) / "ledger.jsonl")})
        venue = multiprocessing.get_context("spawn").Process(target=serve, args=(kept, core, theirs), daemon=True)
        venue.start()
        try:
            port = ours.recv()
            return load(port, Watch(psutil.Process(venue.pid)))
        finally:
            ours.send(None)
            venue.join(10)
            if venue.is_alive():
                venue.kill()


def serve(settings: ExchangeSettings, core: int, pipe: Connection) -> None:
    """The venue's process: serves on one core until anything comes through the pipe."""
    os.sched_setaffinity(0, {core})

    async def run() -> None:
        source = HastySource(settings) if settings.source else None
        server = VenueServer(settings, demo_credentials(), lambda text: None, source=source)
        await server.start()
        pipe.send(server.port)
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await server.stop()

    uvloop.run(run())


def _requests(number: int) -> Iterator[tuple[bool, dict[str, str]]]:
    """Orders far from the market, each placed and then canceled: (is it placed, parameters without the signature)."""
    for count in itertools.count():
        name = f"bench-{number}-{count}"
        stamped = {"symbol": SYMBOL, "timestamp": str(time.time_ns() // 1_000_000), "recvWindow": "60000"}
        order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTX", "price": "62000.0", "quantity": "0.002"}
        yield True, stamped | order | {"newClientOrderId": name}
        yield False, stamped | {"origClientOrderId": name}


def _signature(text: str) -> str:
    return hmac.new(DEMO_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


async def _ws_api(port: int, watch: Watch) -> Rate:
    import aiohttp

    until = float("inf")

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        async with session.ws_connect(f"http://127.0.0.1:{port}/ws-fapi/v1?returnRateLimits=false") as socket:
            lanes = [_requests(number * IN_FLIGHT + lane) for lane in range(IN_FLIGHT)]

            async def ask(lane: int) -> None:
                placed, params = next(lanes[lane])
                params["apiKey"] = DEMO_KEY
                params["signature"] = _signature("&".join(f"{name}={params[name]}" for name in sorted(params)))
                method = "order.place" if placed else "order.cancel"
                await socket.send_bytes(msgspec.json.encode({"id": lane, "method": method, "params": params}))

            for lane in range(IN_FLIGHT):
                await ask(lane)
            async for message in socket:
                answer = msgspec.json.decode(message.data)
                if answer["status"] != 200:
                    raise RuntimeError(f"the venue refused: {answer}")
                watch.count += 1
                if time.monotonic() > until:
                    return
                await ask(answer["id"])

    async with aiohttp.ClientSession() as session:
        tasks = [asyncio.ensure_future(one(session, number)) for number in range(SOCKETS)]
        await asyncio.sleep(WARM_S)
        watch.begin()
        until = time.monotonic() + SECONDS
        await asyncio.gather(*tasks)
        return watch.rate()


async def _rest(port: int, watch: Watch) -> Rate:
    until = float("inf")

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for placed, params in _requests(number):
            query = "&".join(f"{name}={value}" for name, value in params.items())
            line = f"{'POST' if placed else 'DELETE'} /fapi/v1/order?{query}&signature={_signature(query)} HTTP/1.1\r\n"
            writer.write(f"{line}Host: 127.0.0.1\r\nX-MBX-APIKEY: {DEMO_KEY}\r\nContent-Length: 0\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            body = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the venue refused: {body.decode()}")
            watch.count += 1
            if time.monotonic() > until:
                break
        writer.close()

    tasks = [asyncio.ensure_future(one(number)) for number in range(IN_FLIGHT)]
    await asyncio.sleep(WARM_S)
    watch.begin()
    until = time.monotonic() + SECONDS
    await asyncio.gather(*tasks)
    return watch.rate()


def _subscriber(port: int, watch: Watch) -> Rate:
    reader = StreamReader(port)
    reader.subscribe()
    watch.begin()
    took_s = reader.read_for(SECONDS)
    core_s = watch.core_s()
    reader.close()
    frames = reader.checked_frames()
    return Rate(frames / took_s, frames / core_s)


if __name__ == "__main__":
    found = measure_venue(Path(os.environ.get("RAYMAKER_SHARED", "../shared")) / "data/usdm-btc-eth-20240718")
    print(json.dumps(msgspec.to_builtins(found), indent=2))
