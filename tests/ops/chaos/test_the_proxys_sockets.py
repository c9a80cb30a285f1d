"""The proxy between a client and a tiny venue on loopback: bytes pass, wait, vanish, change, and connections die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from eventually import until

from ops.chaos.proxy.notes import Note
from ops.chaos.proxy.relay import Relay
from ops.chaos.proxy.rules import Effect, Rule, Toward, Way
from ops.chaos.proxy.units import Cutter, response

ASK = b"GET /fapi/v1/time?signature=s HTTP/1.1\r\nHost: venue\r\n\r\n"
BODY = b'{"serverTime":1000}'
PATIENCE_S = 5.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Scene:
    """A relay, the venue behind it, and what both saw."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.asked = 0
        self.relay = Relay(0, self.notes.append)
        self.port = 0

    async def connect(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def venue(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cutter = Cutter(asks=True)
        try:
            while data := await reader.read(65_536):
                for _ in cutter.cut(data):
                    self.asked += 1
                    writer.write(response(200, {}, BODY))
        except OSError:
            pass
        writer.close()


@asynccontextmanager
async def staged() -> AsyncIterator[Scene]:
    scene = Scene()
    venue = await asyncio.start_server(scene.venue, "127.0.0.1", 0)
    scene.relay = Relay(venue.sockets[0].getsockname()[1], scene.notes.append)
    scene.port = await scene.relay.start()
    try:
        yield scene
    finally:
        scene.relay.set(())
        scene.relay.reset(tuple(Way))
        venue.close()


async def asked(streams: Streams) -> bytes:
    """The body of the answer."""
    reader, writer = streams
    writer.write(ASK)
    async with asyncio.timeout(PATIENCE_S):
        await reader.readuntil(b"\r\n\r\n")
        return await reader.read(65_536)


def rule(effect: Effect, toward: Toward = Toward.US, **changes: object) -> Rule:
    return Rule(way=Way.REST, effect=effect, toward=toward, **changes)  # type: ignore[arg-type]


async def test_without_rules_everything_passes_and_requests_are_written_down_without_their_query() -> None:
    async with staged() as scene:
        assert await asked(await scene.connect()) == BODY
        labels = [(note.toward, note.label, note.status) for note in scene.notes]
        assert labels == [(Toward.VENUE, "GET /fapi/v1/time", 0), (Toward.US, "GET /fapi/v1/time", 200)]


async def test_what_is_held_travels_on_when_other_rules_come() -> None:
    async with staged() as scene:
        scene.relay.set((rule(Effect.HOLD, Toward.VENUE),))
        waiting = asyncio.ensure_future(asked(await scene.connect()))
        await until(lambda: bool(scene.relay.rules.touched))
        assert scene.asked == 0
        scene.relay.set(())
        assert await waiting == BODY


async def test_a_request_that_is_dropped_never_reaches_the_venue() -> None:
    async with staged() as scene:
        scene.relay.set((rule(Effect.DROP, Toward.VENUE, times=1),))
        streams = await scene.connect()
        streams[1].write(ASK)
        assert await asked(streams) == BODY
        assert scene.asked == 1


async def test_the_proxy_answers_in_the_venues_place() -> None:
    async with staged() as scene:
        scene.relay.set((rule(Effect.ANSWER, Toward.VENUE, times=1, status=429, body='{"code":-1003}'),))
        streams = await scene.connect()
        assert await asked(streams) == b'{"code":-1003}'
        assert scene.asked == 0
        assert await asked(streams) == BODY


async def test_an_answer_is_replaced_damaged_or_shifted() -> None:
    async with staged() as scene:
        streams = await scene.connect()
        scene.relay.set((rule(Effect.ANSWER, status=503, body="gone"),))
        assert (await asked(streams), scene.asked) == (b"gone", 1)
        scene.relay.set((rule(Effect.SHIFT, delay_ms=500),))
        assert await asked(streams) == b'{"serverTime":1500}'
        scene.relay.set((rule(Effect.DAMAGE),))
        assert (await asked(streams)).endswith(b"\x01")


async def test_a_sliced_answer_arrives_whole() -> None:
    async with staged() as scene:
        scene.relay.set((rule(Effect.SLICE),))
        reader, writer = await scene.connect()
        writer.write(ASK)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.readexactly(len(response(200, {}, BODY))) == response(200, {}, BODY)


async def by_rule(scene: Scene, streams: Streams) -> None:
    scene.relay.set((rule(Effect.RESET, Toward.VENUE),))
    streams[1].write(ASK)


async def by_command(scene: Scene, streams: Streams) -> None:
    await asked(streams)
    assert scene.relay.reset((Way.PRIVATE,)) == 0
    assert scene.relay.reset((Way.REST,)) == 1


@pytest.mark.parametrize("how", [by_rule, by_command])
async def test_a_reset_reaches_us_as_a_reset(how: Callable[[Scene, Streams], Awaitable[None]]) -> None:
    async with staged() as scene:
        streams = await scene.connect()
        await how(scene, streams)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ConnectionResetError):
                await streams[0].readexactly(1_000)


async def test_what_was_held_for_the_venue_arrives_although_its_sender_is_dead() -> None:
    async with staged() as scene:
        scene.relay.set((rule(Effect.HOLD, Toward.VENUE),))
        _, writer = await scene.connect()
        writer.write(ASK)
        await until(lambda: bool(scene.relay.rules.touched))
        writer.transport.abort()
        await asyncio.sleep(0)
        assert scene.asked == 0
        scene.relay.set(())
        await until(lambda: bool(scene.asked))
        assert scene.asked == 1
