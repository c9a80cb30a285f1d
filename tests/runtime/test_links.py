"""Links against strangers: readers and writers that speak wrongly, slowly, or not at all."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
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
    Ack,
    Hello,
    Kind,
    Refusal,
    Welcome,
    control_frame,
    envelope_frame,
)
from actors.runtime.links.reader import LinkReader
from actors.runtime.links.writer import LinkWriter
from configs.schema import LinkSettings
from protocols.envelope import Envelope
from protocols.mailboxes import AlertingMailbox, StrategyMailbox
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.market import BookTop, MarkPrice, TradeFlow
from protocols.values import make_instrument_id

BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
ETH = make_instrument_id("binance_usdm", "main", "ETHUSDC")
SETTINGS = LinkSettings(reconnect_delay_ms=1, reconnect_delay_ms_max=2)


def mark(price: int, instrument_id: Any = BTC) -> MarkPrice:
    return MarkPrice(
        instrument_id=instrument_id,
        mark_price=Decimal(price),
        index_price=Decimal(price),
        funding_rate=Decimal(0),
        next_funding_venue_ms=0,
        venue_time_ns=0,
        received_ns=0,
    )


def hello(role: str = "strategy", version: int = VERSION, instruments: tuple[str, ...] = (), **resume: int) -> Hello:
    return Hello(version, f"{role}-0", role, 1, resume, instruments)


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rm-") as folder:
        yield Path(folder) / "a.sock"


@asynccontextmanager
async def writer_at(path: Path, settings: LinkSettings = SETTINGS) -> AsyncIterator[LinkWriter]:
    writer = LinkWriter(
        "market_data-0",
        1,
        settings,
        BootClock(),
        logger,
        AlertSpool(None, 100_000, 1),
        lambda stream, at, limit: [],
        lambda reader, full: None,
        lambda reader, text: None,
    )
    await writer.listen(f"unix:{path}")
    try:
        yield writer
    finally:
        await writer.close()


class RawReader:
    """A reader that does exactly what the test says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def dial(cls, path: Path, first: Hello) -> RawReader:
        raw = cls(*await asyncio.open_unix_connection(str(path), limit=4_096))
        raw.writer.write(control_frame(Kind.HELLO, first))
        return raw

    async def frame(self) -> tuple[int, int, bytes]:
        """The next frame that is not a beat."""
        while True:
            length, kind, number = HEADER.unpack(await self.reader.readexactly(HEADER_BYTES))
            payload = await self.reader.readexactly(length)
            if kind != Kind.BEAT:
                return kind, number, payload

    async def mark(self) -> Decimal:
        kind, _, payload = await self.frame()
        assert kind == Kind.LATEST
        price: Decimal = msgspec.msgpack.decode(payload, type=Envelope[MarkPrice]).body.mark_price
        return price

    async def flow(self) -> int:
        _, _, payload = await self.frame()
        return msgspec.msgpack.decode(payload, type=Envelope[TradeFlow]).body.trades_total

    def close(self) -> None:
        self.writer.transport.abort()


async def test_another_version_is_refused_with_a_reason_and_counted(path: Path) -> None:
    async with writer_at(path) as writer:
        raw = await RawReader.dial(path, hello(version=VERSION + 1))
        kind, _, payload = await raw.frame()
        assert kind == Kind.REFUSAL
        assert "both ends must run the same release" in msgspec.msgpack.decode(payload, type=Refusal).reason
        assert await raw.reader.read() == b""
        assert writer.refused == 1
        raw.close()


async def test_a_reader_hears_only_of_the_instruments_that_it_wants(path: Path) -> None:
    async with writer_at(path) as writer:
        raw = await RawReader.dial(path, hello(instruments=(ETH,)))
        assert (await raw.frame())[0] == Kind.WELCOME
        writer.publish(mark(1, BTC), 0, "")
        writer.publish(mark(2, ETH), 0, "")
        assert await raw.mark() == 2
        raw.close()


async def test_a_reader_that_stops_reading_costs_one_value_a_key_and_gets_the_newest(path: Path) -> None:
    async with writer_at(path) as writer:
        raw = await RawReader.dial(path, hello())
        assert (await raw.frame())[0] == Kind.WELCOME
        for price in range(1, 20_001):
            writer.publish(mark(price), 0, "")
        assert writer.depths()["strategy-0"] == 1
        assert writer.counters()["replaced"] > 10_000
        last = Decimal(0)
        while last != 20_000:
            newer = await raw.mark()
            assert newer > last
            last = newer
        raw.close()


async def test_a_route_with_an_interval_gives_the_newest_after_it(path: Path) -> None:
    async with writer_at(path) as writer:
        raw = await RawReader.dial(path, hello())
        assert (await raw.frame())[0] == Kind.WELCOME
        totals = []
        for total in range(1, 4):
            if total == 2:
                totals.append(await raw.flow())
            flow = TradeFlow(
                instrument_id=BTC,
                received_ns=0,
                price_ticks_last=1,
                bought_lots_total=total,
                sold_lots_total=0,
                trades_total=total,
            )
            writer.publish(flow, 0, "")
        assert [*totals, await raw.flow()] == [1, 3]
        raw.close()


async def test_alerts_are_sent_again_until_they_are_acknowledged(path: Path) -> None:
    alert = Alert(code=AlertCode.FEED_LOST, severity=Severity.INFO, subject="s", text="t" * 5_000, raised_ns=1)
    async with writer_at(path) as writer:
        writer.publish(alert, 0, "")
        first = await RawReader.dial(path, hello("alerting"))
        assert (await first.frame())[0] == Kind.WELCOME
        kind, number, _ = await first.frame()
        assert kind == Kind.ALERT
        first.close()
        second = await RawReader.dial(path, hello("alerting"))
        assert (await second.frame())[0] == Kind.WELCOME
        assert (await second.frame())[:2] == (Kind.ALERT, number)
        second.writer.write(control_frame(Kind.ACK, Ack({"alerts": number})))
        await until(lambda: writer.depths()["alerts"] == 0)
        second.close()


async def test_a_message_that_no_reader_would_accept_is_our_own_bug(path: Path) -> None:
    async with writer_at(path, LinkSettings(frame_bytes_max=1_024)) as writer:
        top = BookTop(
            instrument_id=BTC,
            instrument_version=1,
            update_id=1,
            venue_time_ns=1,
            received_ns=1,
            bids=tuple((10**9 + level, 10**9) for level in range(200)),
            asks=((1, 1),),
        )
        with pytest.raises(ValueError, match="frame_bytes_max"):
            writer.publish(top, 0, "")


async def test_who_says_nothing_is_not_a_reader(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.links.writer.HELLO_TIMEOUT_S", 0.01)
    async with writer_at(path) as writer:
        reader, stream = await asyncio.open_unix_connection(str(path))
        assert await reader.read() == b""
        assert writer.refused == 1
        stream.close()


async def test_an_acknowledgement_that_is_garbage_ends_the_connection(path: Path) -> None:
    async with writer_at(path) as writer:
        raw = await RawReader.dial(path, hello())
        assert (await raw.frame())[0] == Kind.WELCOME
        raw.writer.write(HEADER.pack(1, Kind.ACK, 0) + b"\xc1")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            while True:
                await raw.frame()
        assert writer.refused == 1
        raw.close()


class Ears:
    """Records what a LinkReader calls back."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.changes: list[tuple[bool, int]] = []
        self.bad: list[str] = []


@asynccontextmanager
async def reader_of(path: Path, ears: Ears, mailbox: Any = StrategyMailbox) -> AsyncIterator[LinkReader]:
    reader = LinkReader(
        "market_data-0",
        f"unix:{path}",
        hello(),
        msgspec.msgpack.Decoder(Envelope[mailbox]),
        SETTINGS,
        BootClock(),
        logger,
        lambda envelope: ears.heard.append(envelope.body),
        lambda peer, up, epoch: ears.changes.append((up, epoch)),
        lambda peer, what: ears.bad.append(what),
    )
    reader.start()
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def saying(path: Path, *frames: bytes) -> AsyncIterator[None]:
    """A writer that answers each hello with these frames."""
    opened: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        await reader.read(HEADER_BYTES)
        for frame in frames:
            writer.write(frame)

    server = await asyncio.start_unix_server(serve, str(path))
    try:
        yield
    finally:
        server.close()
        for writer in opened:
            writer.transport.abort()


WELCOME = control_frame(Kind.WELCOME, Welcome(VERSION, "market_data-0", 3))


def envelope(number: int, kind: Kind = Kind.EVENT) -> bytes:
    return envelope_frame(kind, number, Envelope("market_data-0", 3, number, 1, 0, "", mark(number)))


async def test_a_repeated_number_is_ignored_and_counted(path: Path) -> None:
    ears = Ears()
    async with (
        saying(path, WELCOME, envelope(1), envelope(2), envelope(1), envelope(2), envelope(3)),
        reader_of(path, ears) as reader,
    ):
        await until(lambda: len(ears.heard) == 3)
        assert ears.heard == [mark(1), mark(2), mark(3)]
        assert reader.duplicates == 2
        assert reader.last == {"events": 3}


async def test_a_poisoned_ordered_message_is_left_out_and_the_next_one_heard(path: Path) -> None:
    ears = Ears()
    poison = HEADER.pack(3, Kind.EVENT, 2) + b"\xc1\xc1\xc1"
    async with saying(path, WELCOME, envelope(1), poison, envelope(3)), reader_of(path, ears) as reader:
        await until(lambda: len(ears.heard) == 2)
        assert ears.heard == [mark(1), mark(3)]
        assert (reader.refused, len(ears.bad), reader.last) == (1, 1, {"events": 3})


@pytest.mark.parametrize(
    "frame",
    [
        HEADER.pack(0xFFFFFFF0, Kind.LATEST, 0),
        HEADER.pack(0, 99, 0),
        WELCOME,
        HEADER.pack(1, Kind.ACK, 0) + b"\xc1",
    ],
)
async def test_what_a_writer_must_not_say_ends_the_connection_and_it_is_dialled_again(path: Path, frame: bytes) -> None:
    ears = Ears()
    async with saying(path, WELCOME, frame), reader_of(path, ears) as reader:
        await until(lambda: len(ears.changes) >= 4)
        assert ears.changes[:3] == [(True, 3), (False, 3), (True, 3)]
        assert reader.refused >= 1 and ears.bad


@pytest.mark.parametrize(
    "frame",
    [
        control_frame(Kind.WELCOME, Welcome(VERSION + 1, "market_data-0", 3)),
        control_frame(Kind.WELCOME, Welcome(VERSION, "somebody", 3)),
        control_frame(Kind.REFUSAL, Refusal("not you")),
        HEADER.pack(1, Kind.REFUSAL, 0) + b"\xc1",
        HEADER.pack(1, Kind.WELCOME, 0) + b"\xc1",
        envelope(1, Kind.LATEST),
    ],
)
async def test_a_writer_that_does_not_welcome_us_is_not_heard(path: Path, frame: bytes) -> None:
    ears = Ears()
    async with saying(path, frame), reader_of(path, ears) as reader:
        await until(lambda: reader.refused >= 2)
        assert ears.changes == [] and ears.heard == []


async def test_frames_cut_at_any_byte_and_larger_than_the_buffer_are_put_together(path: Path) -> None:
    ears = Ears()
    long = Alert(code=AlertCode.BAD_DATA, severity=Severity.INFO, subject="s", text="x" * 200_000, raised_ns=1)
    frames = WELCOME + b"".join(
        envelope_frame(Kind.ALERT, number, Envelope("market_data-0", 3, number, 1, 0, "", long)) for number in (1, 2)
    )
    pieces = [frames[:7], frames[7:20], *(frames[at : at + 9_001] for at in range(20, len(frames), 9_001))]
    async with saying(path, *pieces), reader_of(path, ears, AlertingMailbox):
        await until(lambda: len(ears.heard) == 2)
        assert ears.heard == [long, long]


async def test_age_is_counted_from_the_senders_clock(path: Path) -> None:
    ears = Ears()
    async with writer_at(path) as writer, reader_of(path, ears) as reader:
        await until(lambda: ears.changes)
        writer.publish(mark(1), 0, "")
        await until(lambda: ears.heard)
        before = BootClock().now_ns()
        assert 0 < reader.age_ns(before) < 10**9
        assert reader.age_ns(before + 5 * 10**9) > 4 * 10**9
