"""Inventory's shell: its journal rebuilds the books, and its questions go to the venue once each."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from account_samples import BTC, START_NS, VENUE_OFFSET_NS, fill, settings, spec, venue_position
from aiohttp import web
from loguru import logger

from actors.inventory import spool as inventory_spool
from actors.inventory.actor import InventoryActor
from actors.inventory.spool import BooksSpool
from actors.runtime.state_dir import StateDir
from protocols.effects import Append
from protocols.envelope import Message
from protocols.messages.control import ActorState
from protocols.values import Side
from protocols.venue import (
    NotSent,
    OpenUserStream,
    PositionReport,
    PositionsAnswered,
    QueryPositions,
    UserStreamOpened,
)

VENUE_NS = START_NS + VENUE_OFFSET_NS


class HostDouble:
    def __init__(self) -> None:
        self.clock: Any = self
        self.log: Any = logger
        self.origin_ns = 0
        self.delivered: asyncio.Queue[Message] = asyncio.Queue()

    def now_ns(self) -> int:
        return START_NS

    def deliver(self, message: Message, origin_ns: int = 0) -> None:
        self.delivered.put_nowait(message)

    async def next(self) -> Message:
        return await asyncio.wait_for(self.delivered.get(), 10)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "keys"
    path.write_text("key\nsecret\n")
    path.chmod(0o600)
    return {"file": str(path)}


def actor(path: Path, url: str = "http://127.0.0.1:1", keys: dict[str, Any] | None = None) -> InventoryActor:
    StateDir(path / "state").create()
    streams = {"stream_url": "ws://127.0.0.1:1", "ws_api_url": "ws://127.0.0.1:1"}
    venue = {"rest_url": url, **streams, "keys": keys or {}}
    return InventoryActor(spec("inventory", state_dir=str(path / "state")), settings(venue=venue))


def carry_out(shell: InventoryActor, *messages: Any) -> None:
    for message in messages:
        for effect in shell.core.handle(message, START_NS):
            if isinstance(effect, Append):
                shell.append(effect.record)


async def test_a_restarted_shell_has_the_same_books_and_asks_for_what_follows(tmp_path: Path) -> None:
    first = actor(tmp_path)
    carry_out(first, venue_position(1, 3, "50000"), fill(2, Side.BUY, 2, 500_000, fee=Decimal("0.1")))
    before = first.core.snapshot().symbols
    await first.stop()
    second = actor(tmp_path)
    assert second.core.snapshot().symbols == before
    assert (second.resume_number("order_manager-0"), second.resume_number("market_data-0")) == (2, -1)
    assert second.extra_snapshot()["journal_records"] == 3
    assert second.replay("events", 0, 10) == []
    await second.stop()


async def test_a_restart_reads_from_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_spool, "SEGMENT_RECORDS", 3)
    first = actor(tmp_path)
    carry_out(first, venue_position(1, 3, "50000"), fill(2, Side.BUY, 2, 500_000))
    for effect in first.core.start(START_NS):
        if isinstance(effect, Append):
            first.append(effect.record)
    carry_out(first, fill(3, Side.BUY, 2, 500_000))
    await first.stop()
    path = StateDir(tmp_path / "state").inventory_journal
    assert len(list(path.parent.glob("inventory.*.sqlite"))) == 2
    spool = BooksSpool(path)
    assert [type(record).__name__ for record in spool.read()] == ["BooksSaved", "OrderFilled"]
    spool.close()
    second = actor(tmp_path)
    assert second.core.snapshot().symbols["BTCUSDC"].position_lots == 7
    await second.stop()


async def test_questions_are_answered_by_the_venue(tmp_path: Path, keys: dict[str, Any]) -> None:
    async def listen_key(request: web.Request) -> web.Response:
        return web.json_response({"listenKey": "k" * 64})

    async def positions(request: web.Request) -> web.Response:
        row = {"symbol": "BTCUSDC", "positionSide": "BOTH", "positionAmt": "-0.003", "entryPrice": "50000.0"}
        return web.json_response([{**row, "markPrice": "50001.0", "updateTime": 5}])

    app = web.Application()
    app.router.add_post("/fapi/v1/listenKey", listen_key)
    app.router.add_get("/fapi/v3/positionRisk", positions)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host = HostDouble()
    shell = actor(tmp_path, f"http://127.0.0.1:{runner.addresses[0][1]}", keys)
    assert shell.state() is ActorState.STARTING
    await shell.start(host)
    assert shell.state() is ActorState.RUNNING
    shell.call(OpenUserStream(request_id=1))
    opened = await host.next()
    assert isinstance(opened, UserStreamOpened)
    assert opened.listen_key == "k" * 64
    shell.call(QueryPositions(request_id=2, venue_time_ns=VENUE_NS))
    answered = await host.next()
    assert isinstance(answered, PositionsAnswered)
    assert answered.positions == (
        PositionReport(
            instrument_id=BTC,
            position_lots=-3,
            entry_price=Decimal(50_000),
            mark_price=Decimal(50_001),
            venue_time_ns=5_000_000,
        ),
    )
    await shell.stop()
    await runner.cleanup()


async def test_more_questions_than_may_be_on_their_way_are_not_sent(tmp_path: Path, keys: dict[str, Any]) -> None:
    host = HostDouble()
    shell = actor(tmp_path, keys=keys)
    await shell.start(host)
    for number in range(9):
        shell.call(OpenUserStream(request_id=number))
    outcomes = [await host.next() for _ in range(9)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, NotSent) and "already" in outcome.reason]
    assert [outcome.request_id for outcome in refused] == [8]
    await shell.stop()


async def test_questions_on_their_way_are_dropped_at_the_stop(tmp_path: Path, keys: dict[str, Any]) -> None:
    shell = actor(tmp_path, keys=keys)
    await shell.start(HostDouble())
    shell.call(OpenUserStream(request_id=1))
    await shell.stop()
    assert shell.extra_snapshot()["calls"] == 0
