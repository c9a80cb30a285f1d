"""Links over TCP: both ends prove the cluster secret before a word counts, and no clock of another node reaches a core untranslated."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from eventually import until
from loguru import logger

from actors.runtime.clock import BootClock
from actors.runtime.links.alert_spool import AlertSpool
from actors.runtime.links.frames import (
    HEADER,
    HEADER_BYTES,
    VERSION,
    Hello,
    Kind,
    Refusal,
    Welcome,
    control_frame,
)
from actors.runtime.links.peer_clock import PeerClock
from actors.runtime.links.proof import Challenge, ClusterSecret, Proven, WrongProof, new_nonce
from actors.runtime.links.reader import LinkReader
from actors.runtime.links.writer import LinkWriter
from configs.schema import LinkSettings
from protocols.envelope import Envelope
from protocols.mailboxes import StrategyMailbox
from protocols.messages.market import MarkPrice
from protocols.values import make_instrument_id

BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
SETTINGS = LinkSettings(reconnect_delay_ms=1, reconnect_delay_ms_max=2)
OURS = ClusterSecret(b"the same words on every node of the cluster")
THEIRS = ClusterSecret(b"words that somebody else made up for himself")
HELLO = Hello(VERSION, "strategy-0", "strategy", 1, {})
AHEAD_NS = 10**15
"""How far the other node's clock is ahead of ours: it was started days before."""


class OtherClock:
    """The clock of another node."""

    def now_ns(self) -> int:
        return BootClock().now_ns() + AHEAD_NS


def mark(received_ns: int = 0) -> MarkPrice:
    return MarkPrice(
        instrument_id=BTC,
        mark_price=Decimal(1),
        index_price=Decimal(1),
        funding_rate=Decimal(0),
        next_funding_venue_ms=0,
        venue_time_ns=7,
        received_ns=received_ns,
    )


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"tcp:127.0.0.1:{probe.getsockname()[1]}"


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


@asynccontextmanager
async def writer_at(
    address: str, secret: ClusterSecret = OURS, epoch: int = 1, strangers: list[str] | None = None
) -> AsyncIterator[LinkWriter]:
    heard: list[str] = [] if strangers is None else strangers
    writer = LinkWriter(
        "market_data-0",
        epoch,
        SETTINGS,
        OtherClock(),
        logger,
        AlertSpool(None, 100_000, 1),
        lambda stream, at, limit: [],
        lambda reader, full: None,
        lambda reader, text: None,
        secret,
        lambda who, what: heard.append(what),
    )
    await writer.listen(address)
    try:
        yield writer
    finally:
        await writer.close()


class Ears:
    """Records what a LinkReader calls back."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.changes: list[tuple[bool, int]] = []
        self.bad: list[str] = []


@asynccontextmanager
async def reader_of(address: str, ears: Ears, secret: ClusterSecret | None = OURS) -> AsyncIterator[LinkReader]:
    reader = LinkReader(
        "market_data-0",
        address,
        HELLO,
        msgspec.msgpack.Decoder(Envelope[StrategyMailbox]),
        SETTINGS,
        BootClock(),
        logger,
        lambda envelope: ears.heard.append(envelope),
        lambda peer, up, epoch: ears.changes.append((up, epoch)),
        lambda peer, what: ears.bad.append(what),
        secret,
    )
    reader.start()
    try:
        yield reader
    finally:
        await reader.close()


class RawReader:
    """A reader that does exactly what the test says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def dial(cls, address: str) -> RawReader:
        return cls(*await asyncio.open_connection("127.0.0.1", port_of(address)))

    async def frame(self) -> tuple[int, bytes]:
        while True:
            length, kind, _ = HEADER.unpack(await self.reader.readexactly(HEADER_BYTES))
            payload = await self.reader.readexactly(length)
            if kind != Kind.BEAT:
                return kind, payload

    async def challenge(self) -> bytes:
        kind, payload = await self.frame()
        assert kind == Kind.CHALLENGE
        return msgspec.msgpack.decode(payload, type=Challenge).nonce

    def say(self, kind: Kind, body: Any) -> None:
        self.writer.write(control_frame(kind, body))

    def close(self) -> None:
        self.writer.transport.abort()


async def test_a_message_crosses_when_both_ends_know_the_secret() -> None:
    ears, address = Ears(), free_address()
    async with writer_at(address, epoch=3) as writer, reader_of(address, ears):
        await until(lambda: ears.changes)
        writer.publish(mark(), 0, "")
        await until(lambda: ears.heard)
    assert ears.changes[0] == (True, 3)
    assert ears.heard[0].body == mark()


async def test_times_of_the_other_node_are_times_of_ours_where_they_arrive() -> None:
    ears, address = Ears(), free_address()
    async with writer_at(address) as writer, reader_of(address, ears) as reader:
        await until(lambda: ears.changes)
        before_ns = BootClock().now_ns()
        writer.publish(mark(received_ns=OtherClock().now_ns()), OtherClock().now_ns(), "")
        await until(lambda: ears.heard)
        after_ns = BootClock().now_ns()
        envelope = ears.heard[0]
        slack_ns = 1_000_000_000  # of the echo on a busy machine; the clocks themselves are eleven days apart
        for moment_ns in (envelope.sent_ns, envelope.origin_ns, envelope.body.received_ns):
            assert before_ns - slack_ns <= moment_ns <= after_ns + slack_ns
        assert envelope.body.venue_time_ns == 7
        assert 0 <= reader.age_ns(BootClock().now_ns()) < slack_ns


async def test_a_reader_with_another_secret_is_refused_with_a_sentence_and_counted() -> None:
    ears, address, strangers = Ears(), free_address(), list[str]()
    async with writer_at(address, strangers=strangers) as writer, reader_of(address, ears, THEIRS) as reader:
        await until(lambda: reader.refused)
        await until(lambda: writer.unproven)
        assert writer.refused >= writer.unproven >= 1
    assert ears.changes == []
    assert "without the cluster secret" in strangers[0]


async def test_the_refusal_says_what_to_do() -> None:
    address = free_address()
    async with writer_at(address):
        raw = await RawReader.dial(address)
        challenge = await raw.challenge()
        raw.say(Kind.HELLO, THEIRS.prove_hello(challenge, new_nonce(), msgspec.msgpack.encode(HELLO)))
        kind, payload = await raw.frame()
        assert kind == Kind.REFUSAL
        assert "both nodes need the same cluster.secret" in msgspec.msgpack.decode(payload, type=Refusal).reason
        assert await raw.reader.read() == b""
        raw.close()


async def test_a_hello_without_proof_is_not_admitted() -> None:
    address = free_address()
    async with writer_at(address) as writer:
        raw = await RawReader.dial(address)
        await raw.challenge()
        raw.say(Kind.HELLO, HELLO)
        await until(lambda: writer.refused)
        assert writer.counters()["connected"] == 0
        raw.close()


async def test_a_proof_that_was_overheard_opens_nothing() -> None:
    address = free_address()
    async with writer_at(address) as writer:
        first = await RawReader.dial(address)
        overheard = OURS.prove_hello(await first.challenge(), new_nonce(), msgspec.msgpack.encode(HELLO))
        first.say(Kind.HELLO, overheard)
        assert (await first.frame())[0] == Kind.WELCOME
        second = await RawReader.dial(address)
        await second.challenge()
        second.say(Kind.HELLO, overheard)
        assert (await second.frame())[0] == Kind.REFUSAL
        assert writer.unproven == 1
        first.close()
        second.close()


async def test_who_says_nothing_between_nodes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.links.writer.HELLO_TIMEOUT_S", 0.01)
    address = free_address()
    async with writer_at(address) as writer:
        raw = await RawReader.dial(address)
        await raw.challenge()
        assert await raw.reader.read() == b""
        assert writer.refused == 1
        raw.close()


async def test_a_stranger_cannot_make_us_keep_a_long_frame() -> None:
    address = free_address()
    async with writer_at(address) as writer:
        raw = await RawReader.dial(address)
        await raw.challenge()
        raw.writer.write(HEADER.pack(500_000, Kind.HELLO, 0))
        await until(lambda: writer.refused)
        assert (writer.refused, await raw.reader.read()) == (1, b"")
        raw.close()


@asynccontextmanager
async def impostor(address: str, *frames: Any) -> AsyncIterator[None]:
    """Listens where a writer should, and says these to whoever comes."""
    opened: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        for kind, body in frames:
            writer.write(control_frame(kind, body))

    server = await asyncio.start_server(serve, "127.0.0.1", port_of(address))
    try:
        yield
    finally:
        server.close()
        for writer in opened:
            writer.transport.abort()


WELCOME = Welcome(VERSION, "market_data-0", 9)


@pytest.mark.parametrize(
    "frames",
    [
        [(Kind.WELCOME, WELCOME)],
        [(Kind.CHALLENGE, Challenge(b"c" * 32)), (Kind.WELCOME, WELCOME)],
        [
            (Kind.CHALLENGE, Challenge(b"c" * 32)),
            (Kind.WELCOME, THEIRS.prove_welcome(b"c" * 32, b"n" * 32, msgspec.msgpack.encode(WELCOME))),
        ],
    ],
)
async def test_a_writer_that_does_not_prove_the_secret_is_not_heard(frames: list[Any]) -> None:
    ears, address = Ears(), free_address()
    async with impostor(address, *frames), reader_of(address, ears) as reader:
        await until(lambda: reader.refused >= 2)
    assert ears.changes == []


async def test_an_actor_without_a_secret_does_not_answer_a_challenge() -> None:
    ears, address = Ears(), free_address()
    async with writer_at(address) as writer, reader_of(address, ears, None) as reader:
        await until(lambda: reader.refused)
        assert writer.unproven == 0
    assert ears.changes == []


async def test_a_peer_that_was_moved_is_dialled_at_its_new_address() -> None:
    ears, old, new = Ears(), free_address(), free_address()
    async with writer_at(old, epoch=1), writer_at(new, epoch=2), reader_of(old, ears) as reader:
        await until(lambda: ears.changes)
        reader.announce(2, new)
        await until(lambda: len(ears.changes) == 3)
        assert ears.changes == [(True, 1), (False, 1), (True, 2)]


async def test_a_writer_that_falls_silent_is_dialled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut line says nothing, and TCP waits for minutes."""
    monkeypatch.setattr("actors.runtime.links.writer.BEAT_PERIOD_S", 1_000.0)
    monkeypatch.setattr("actors.runtime.links.reader.ECHO_PERIOD_S", 0.01)
    monkeypatch.setattr("actors.runtime.links.reader.SILENCE_NS", 20_000_000)
    ears, address = Ears(), free_address()
    async with writer_at(address), reader_of(address, ears):
        await until(lambda: len(ears.changes) >= 3)
        assert ears.changes[:3] == [(True, 1), (False, 1), (True, 1)]


async def test_the_process_at_the_old_address_is_not_read_once_a_newer_epoch_is_known() -> None:
    ears, address = Ears(), free_address()
    async with writer_at(address, epoch=1), reader_of(address, ears) as reader:
        await until(lambda: ears.changes)
        reader.announce(2)
        await until(lambda: reader.refused)
        assert ears.changes == [(True, 1), (False, 1)]


def test_a_proof_of_one_side_is_none_of_the_other() -> None:
    challenge, nonce = new_nonce(), new_nonce()
    hello = OURS.prove_hello(challenge, nonce, b"words")
    OURS.check_hello(challenge, hello)
    with pytest.raises(WrongProof):
        OURS.check_welcome(challenge, nonce, hello)
    with pytest.raises(WrongProof):
        OURS.check_hello(challenge, Proven(hello.mac, b"other words", nonce))


def test_the_secret_is_not_shown() -> None:
    assert "words" not in repr(OURS)
    assert OURS.derived("one thing") != OURS.derived("another")


def test_the_best_echo_counts() -> None:
    clock = PeerClock()
    clock.note(asked_ns=1_000, theirs_ns=500, heard_ns=3_000)
    clock.note(asked_ns=10_000, theirs_ns=8_100, heard_ns=10_200)
    clock.note(asked_ns=20_000, theirs_ns=0, heard_ns=29_000)
    assert (clock.offset_ns, clock.error_ns) == (2_000, 100)
    clock.note(asked_ns=40_000, theirs_ns=0, heard_ns=39_000)
    assert clock.offset_ns == 2_000
