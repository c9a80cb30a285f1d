"""Paper trading: one venue follows the public streams of a second one on loopback, and matches our orders locally."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from aiohttp import web
from eventually import until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from actors.exchange.errors import VenueRefusal
from actors.exchange.frames import ContractFrame
from actors.exchange.ledger import ContractChanged, OrderAccepted, OrderFilled, decode_lines
from actors.exchange.orders import Order, OrderRequest
from actors.exchange.server import ServerError, VenueServer, demo_credentials
from configs.schema import ExchangeSettings

SYMBOL = "BTCUSDC"


class Watched(VenueServer):
    """A venue that remembers who asked what: method, path, query, and whether a key came along."""

    def __init__(self, ledger: Path, **changes: Any) -> None:
        settings = ExchangeSettings.model_validate({"ledger": str(ledger), "symbols": (SYMBOL,)} | changes)
        super().__init__(settings, demo_credentials(), lambda text: None)
        self.asked: list[tuple[str, str, str, bool]] = []

    def change(self, frame: ContractFrame) -> None:
        """What its source would say."""
        self._take_live([frame])

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        keyed = "X-MBX-APIKEY" in request.headers or "signature" in request.query or "listenKey" in request.query
        self.asked.append((request.method, request.path, request.query_string, keyed))
        return await super()._handle(request)


@asynccontextmanager
async def followed_venue(ledger: Path, **changes: Any) -> AsyncIterator[Watched]:
    server = Watched(ledger, **changes)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def follow(port: int, **changes: Any) -> dict[str, Any]:
    addresses = {"rest_url": f"http://127.0.0.1:{port}", "stream_url": f"ws://127.0.0.1:{port}"}
    return {"follow": addresses | changes, "symbols": (SYMBOL,), "feed_latency_ms": 0, "latency_jitter_ms": 0}


@asynccontextmanager
async def paper_venue(ledger: Path, port: int, **changes: Any) -> AsyncIterator[VenueServer]:
    """Made in a thread, for it asks the followed venue, which lives in this loop."""
    settings = ExchangeSettings.model_validate({"ledger": str(ledger)} | follow(port) | changes)
    server = await asyncio.to_thread(VenueServer, settings, demo_credentials(), lambda text: None)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def place(server: VenueServer, side: str, kind: str, price_ticks: int, lots: int) -> Order:
    """An order straight into the core: no request of a test's own is in what the venue was asked."""
    venue = server.exchange.venue
    order = venue.place(
        venue.account("main"),
        OrderRequest(
            symbol=SYMBOL,
            side=side,
            type=kind,
            time_in_force="GTC",
            price_ticks=price_ticks,
            lots=lots,
            reduce_only=False,
            client_order_id=f"{side}-{kind}-{price_ticks}",
        ),
    )
    server.exchange.collect()
    return order


async def test_our_order_fills_from_a_print_of_the_followed_venue_which_sees_public_calls_only(tmp_path: Path) -> None:
    async with (
        followed_venue(tmp_path / "followed") as followed,
        paper_venue(tmp_path / "paper", followed.port) as paper,
    ):
        market = paper.exchange.venue.markets[SYMBOL]
        best = market.book.bids.best()
        assert best is not None
        order = place(paper, "BUY", "LIMIT", best, 10)
        assert order.lots_ahead == market.book.bids.lots(best) > 0
        sold = place(followed, "SELL", "MARKET", 0, 20_000)
        assert sold.executed_lots > 10
        await until(lambda: order.status == "FILLED")
    with (tmp_path / "paper").open("rb") as lines:
        fills = [record for record in decode_lines(lines) if isinstance(record, OrderFilled)]
    assert {(fill.order_id, fill.price, fill.maker) for fill in fills} == {
        (order.order_id, market.contract.price(best), True)
    }
    with (tmp_path / "followed").open("rb") as lines:
        accepted = [record.order_id for record in decode_lines(lines) if isinstance(record, OrderAccepted)]
    assert accepted == [sold.order_id]
    streams = (
        "streams=btcusdc@depth@100ms/btcusdc@bookTicker",
        "streams=btcusdc@aggTrade/btcusdc@markPrice@1s/!contractInfo",
    )
    assert {(method, path) for method, path, _, _ in followed.asked} == {
        ("GET", "/fapi/v1/exchangeInfo"),
        ("GET", "/fapi/v1/depth"),
        ("GET", "/public/stream"),
        ("GET", "/market/stream"),
    }
    assert {query for _, path, query, _ in followed.asked if path.endswith("/stream")} == set(streams)
    assert not any(keyed for _, _, _, keyed in followed.asked)


async def test_the_contract_is_listed_as_the_followed_venue_lists_it(tmp_path: Path) -> None:
    async with (
        followed_venue(tmp_path / "followed", open_orders_max=77) as followed,
        paper_venue(tmp_path / "paper", followed.port) as paper,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        theirs, ours = [
            (await client.get(f"http://127.0.0.1:{server.port}/fapi/v1/exchangeInfo")).json()["symbols"]
            for server in (followed, paper)
        ]
        marks = [server.exchange.venue.markets[SYMBOL] for server in (followed, paper)]
    assert ours == theirs
    assert marks[1].next_funding_ns // 1_000_000 == marks[0].next_funding_ns // 1_000_000


async def test_when_the_followed_venue_goes_away_so_does_the_market_and_it_comes_back(tmp_path: Path) -> None:
    async with (
        followed_venue(tmp_path / "followed") as followed,
        paper_venue(tmp_path / "paper", followed.port) as paper,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{paper.port}", trust_env=False) as client,
    ):
        market = paper.exchange.venue.markets[SYMBOL]
        async with connect(f"ws://127.0.0.1:{paper.port}/public/ws/btcusdc@bookTicker", proxy=None) as stream:
            assert msgspec.json.decode(await stream.recv())["e"] == "bookTicker"
            await followed.stop()
            with pytest.raises(ConnectionClosed, match="followed venue is away"):
                while True:
                    await stream.recv()
        assert market.stale
        assert (await client.get("/fapi/v1/depth", params={"symbol": SYMBOL})).status_code == 503
        async with followed_venue(tmp_path / "again", port=followed.port):
            await until(lambda: not market.stale)
            assert (await client.get("/fapi/v1/depth", params={"symbol": SYMBOL})).status_code == 200


async def test_a_halt_and_a_delisting_of_the_followed_venue_are_ours_too(tmp_path: Path) -> None:
    async with (
        followed_venue(tmp_path / "followed") as followed,
        paper_venue(tmp_path / "paper", followed.port) as paper,
    ):
        market = paper.exchange.venue.markets[SYMBOL]
        followed.change(ContractFrame(SYMBOL, followed.now_ns(), "PENDING_TRADING", 1))
        await until(lambda: market.status == "PENDING_TRADING")
        with pytest.raises(VenueRefusal, match="-4140"):
            place(paper, "BUY", "MARKET", 0, 10)
        followed.change(ContractFrame(SYMBOL, followed.now_ns(), "TRADING", 1))
        await until(lambda: market.status == "TRADING")
        bought = place(paper, "BUY", "MARKET", 0, 10)
        assert bought.status == "FILLED"
        followed.change(ContractFrame(SYMBOL, followed.now_ns(), "CLOSE", 1))
        await until(lambda: market.status == "CLOSE")
        assert not paper.exchange.venue.account("main").position(SYMBOL).amount
    with (tmp_path / "paper").open("rb") as lines:
        changes = [record.status for record in decode_lines(lines) if isinstance(record, ContractChanged)]
    assert changes == ["PENDING_TRADING", "TRADING", "SETTLING", "CLOSE"]


async def test_a_gap_in_the_followed_diffs_is_mended_with_a_new_snapshot(tmp_path: Path) -> None:
    async with (
        followed_venue(tmp_path / "followed", faults=True) as followed,
        paper_venue(tmp_path / "paper", followed.port) as paper,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        market = paper.exchange.venue.markets[SYMBOL]
        snapshots = [path for _, path, _, _ in followed.asked].count("/fapi/v1/depth")
        gap = {"kind": "depth_gap", "count": 1}
        assert (await client.post(f"http://127.0.0.1:{followed.port}/raymaker/faults", json=gap)).status_code == 200
        await until(lambda: market.stale)
        await until(lambda: not market.stale)
        assert [path for _, path, _, _ in followed.asked].count("/fapi/v1/depth") > snapshots


async def test_a_venue_that_cannot_be_reached_is_one_sentence_at_the_start(tmp_path: Path) -> None:
    settings = ExchangeSettings.model_validate(follow(1))
    with pytest.raises(ServerError, match=r"http://127\.0\.0\.1:1 cannot be reached .* check exchange\.follow"):
        VenueServer(settings, demo_credentials(), lambda text: None)


async def test_a_symbol_that_the_followed_venue_does_not_list_is_named(tmp_path: Path) -> None:
    async with followed_venue(tmp_path / "followed") as followed:
        with pytest.raises(ServerError, match="ETHUSDC: the venue does not list it"):
            async with paper_venue(tmp_path / "paper", followed.port, symbols=("ETHUSDC",)):
                pass


async def test_streams_that_do_not_come_are_named_with_what_is_lacking(tmp_path: Path) -> None:
    async with followed_venue(tmp_path / "followed") as followed:
        away = follow(followed.port, stream_url="ws://127.0.0.1:1", start_timeout_ms=1_000)
        with pytest.raises(ServerError, match=r"within 1000 ms \(BTCUSDC: its public streams are not connected; 127"):
            async with paper_venue(tmp_path / "paper", followed.port, **away):
                pass


async def test_a_venue_that_refuses_to_answer_is_named_with_its_status(tmp_path: Path) -> None:
    async with (
        followed_venue(tmp_path / "followed", faults=True) as followed,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        fault = {"kind": "banned", "calls": ["public"], "count": 1, "retry_after_s": 60}
        await client.post(f"http://127.0.0.1:{followed.port}/raymaker/faults", json=fault)
        with pytest.raises(ServerError, match=r"exchangeInfo answered 418 \(too many questions from this address"):
            async with paper_venue(tmp_path / "paper", followed.port):
                pass
