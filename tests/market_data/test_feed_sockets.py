"""The shell of market_data against a small venue on loopback: sockets, decoding, snapshot, damage, reconnect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from eventually import until
from market_samples import BTC, instrument, settings, spec

from actors.market_data.actor import CALLS_MAX, MarketDataActor
from actors.runtime.clock import BootClock
from configs.schema import MarketDataSettings
from protocols.effects import Call, Publish
from protocols.envelope import Message
from protocols.messages.control import ActorState, Drain
from protocols.messages.market import BookTop, FeedState, FeedStatus
from protocols.venue import BadFrame, NotSent, QueryTime, StreamChanged, StreamHeard

DEPTH = {
    "e": "depthUpdate",
    "E": 1,
    "T": 1,
    "s": "BTCUSDC",
    "U": 95,
    "u": 102,
    "pu": 90,
    "b": [["100.0", "0.005"]],
    "a": [],
}
BOOK = {"lastUpdateId": 100, "E": 1, "T": 1, "bids": [["99.9", "0.001"]], "asks": [["100.1", "0.003"]]}


class Venue:
    """Serves the two market paths, the time and one snapshot; remembers who asked for what."""

    def __init__(self) -> None:
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.asked: list[str] = []
        self.url = ""

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.asked.append(request.path_qs)
        self.sockets[request.path.split("/")[1]] = socket
        async for _ in socket:
            pass
        return socket

    async def send(self, path: str, stream: str, data: Any) -> None:
        await self.sockets[path].send_bytes(msgspec.json.encode({"stream": stream, "data": data}))

    async def send_text(self, path: str, text: str) -> None:
        await self.sockets[path].send_str(text)


@asynccontextmanager
async def venue() -> AsyncIterator[Venue]:
    one = Venue()

    async def depth(request: web.Request) -> web.Response:
        one.asked.append(request.path_qs)
        return web.json_response(BOOK)

    async def time(request: web.Request) -> web.Response:
        return web.json_response({"serverTime": 1_000})

    app = web.Application()
    app.router.add_get("/public/stream", one.stream)
    app.router.add_get("/market/stream", one.stream)
    app.router.add_get("/fapi/v1/depth", depth)
    app.router.add_get("/fapi/v1/time", time)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.url = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield one
    finally:
        await runner.cleanup()


class TestHost:
    """Feeds the core as the process host does and keeps what was delivered and published."""

    __test__ = False

    def __init__(self, actor: MarketDataActor) -> None:
        self.clock = BootClock()
        self.log = None
        self.origin_ns = 0
        self.delivered: list[tuple[Message, int]] = []
        self.published: list[Message] = []
        self._actor = actor

    def deliver(self, message: Message, origin_ns: int = 0) -> None:
        self.delivered.append((message, origin_ns))
        self.carry_out(self._actor.core.handle(message, self.clock.now_ns()))  # type: ignore[arg-type]

    def carry_out(self, effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Publish):
                self.published.append(effect.body)
            elif isinstance(effect, Call):
                self._actor.call(effect.request)

    def seen(self, kind: type[Message]) -> list[Message]:
        return [message for message, _ in self.delivered if isinstance(message, kind)]


@asynccontextmanager
async def running(url: str) -> AsyncIterator[tuple[MarketDataActor, TestHost]]:
    limits = MarketDataSettings(reconnect_delay_ms=1, reconnect_delay_ms_max=2)
    actor = MarketDataActor(spec("market_data", instrument(BTC)), settings(limits, url=url))
    host = TestHost(actor)
    assert actor.state() is ActorState.STARTING
    await actor.start(host)
    host.carry_out(actor.core.start(host.clock.now_ns()))
    try:
        yield actor, host
    finally:
        await actor.stop()


async def test_a_book_comes_alive_over_both_ways_of_the_venue() -> None:
    async with venue() as there, running(there.url) as (actor, host):
        await until(lambda: len(there.sockets) == 2 and len(host.seen(StreamChanged)) == 2)
        await there.send("public", "btcusdc@depth@100ms", DEPTH)
        await until(lambda: [body for body in host.published if isinstance(body, BookTop)])
        (book,) = [body for body in host.published if isinstance(body, BookTop)]
        assert (book.update_id, book.bids, book.asks) == (102, ((1000, 5), (999, 1)), ((1001, 3),))
        assert actor.state() is ActorState.RUNNING
        assert sorted(there.asked) == [
            "/fapi/v1/depth?symbol=BTCUSDC&limit=1000",
            "/market/stream?streams=btcusdc@aggTrade/btcusdc@markPrice@1s",
            "/public/stream?streams=btcusdc@depth@100ms/btcusdc@bookTicker",
        ]
        assert actor.extra_snapshot()["sockets"]["public"]["frames"] == 1


async def test_a_frame_carries_its_receipt_as_the_origin_of_what_follows() -> None:
    async with venue() as there, running(there.url) as (_, host):
        await until(lambda: len(there.sockets) == 2)
        await there.send("public", "btcusdc@depth@100ms", DEPTH)
        await until(lambda: any(origin for _, origin in host.delivered))
        ((message, origin_ns),) = [pair for pair in host.delivered if pair[1]]
        assert origin_ns == message.received_ns  # type: ignore[attr-defined]


async def test_damaged_frames_are_reported_and_the_socket_stays() -> None:
    async with venue() as there, running(there.url) as (actor, host):
        await until(lambda: len(there.sockets) == 2)
        await there.send_text("public", "no json at all")
        await there.send("public", "btcusdc@depth@100ms", {**DEPTH, "b": [["-5", "1"]]})
        await there.send("public", "btcusdc@kline_1m", {"e": "kline"})
        await there.send("public", "btcusdc@depth@100ms", DEPTH)
        await until(lambda: [body for body in host.published if isinstance(body, BookTop)])
        assert [frame.stream for frame in host.seen(BadFrame)] == ["public", "public"]  # type: ignore[attr-defined]
        public = actor.extra_snapshot()["sockets"]["public"]
        assert (public["bad_frames"], public["connections"], public["unmodelled"]) == (2, 1, {"kline": 1})


async def test_a_lost_socket_is_told_and_opened_again() -> None:
    async with venue() as there, running(there.url) as (actor, host):
        await until(lambda: len(there.sockets) == 2)
        await there.sockets["public"].close()
        await until(lambda: actor.extra_snapshot()["sockets"]["public"]["connections"] == 2)
        changes = [change.up for change in host.seen(StreamChanged) if change.stream == "public"]  # type: ignore[attr-defined]
        assert changes == [True, False, True]
        states = [body.state for body in host.published if isinstance(body, FeedStatus)]
        assert FeedState.CONNECTING in states and FeedState.SYNCHRONISING in states


async def test_a_quiet_socket_shows_that_it_lives() -> None:
    async with venue() as there, running(there.url) as (_, host):
        await until(lambda: len(there.sockets) == 2)
        await until(lambda: len(host.seen(StreamHeard)) >= 4)
        assert all(change.up for change in host.seen(StreamChanged))  # type: ignore[attr-defined]


async def test_a_venue_that_cannot_be_reached_is_a_state_and_no_error() -> None:
    async with running("127.0.0.1:1") as (actor, host):
        await until(lambda: actor.extra_snapshot()["sockets"]["public"]["failures_in_a_row"] >= 2)
        assert actor.core.snapshot().symbols["BTCUSDC"].state == "CONNECTING"
        assert actor.state() is ActorState.RUNNING
        host.deliver(Drain())
        assert actor.state() is ActorState.STOPPED


async def test_more_calls_than_the_bound_are_not_sent() -> None:
    async with venue() as there, running(there.url) as (actor, host):
        for number in range(CALLS_MAX + 1):
            actor.call(QueryTime(request_id=100 + number))
        await until(lambda: host.seen(NotSent))
        assert actor.replay("", 0, 1) == []
