"""The venue as a product of its own: many accounts, a recording that plays again, a page with its state."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from loopback_venue import serving
from venue_rig import START_NS, WireRig, settings
from websockets.asyncio.client import connect

from actors.exchange import admin
from actors.exchange.frames import DepthFrame, PrintFrame, TickerFrame
from actors.exchange.ledger import AccountOpened, decode_lines
from actors.exchange.server import ServerError, demo_credentials
from actors.exchange.sources import open_source
from actors.exchange.venue import Venue
from configs.schema import ExchangeSettings


async def test_what_was_served_can_be_played_again_print_by_print_to_the_same_best_prices(tmp_path: Path) -> None:
    folder = tmp_path / "capture"
    async with (
        serving(tmp_path / "l", record=str(folder), feed_latency_ms=0, latency_jitter_ms=0) as server,
        connect(f"ws://127.0.0.1:{server.port}/ws/btcusdc@trade", proxy=None) as stream,
    ):
        served = [json.loads(await stream.recv()) for _ in range(5)]
        await asyncio.sleep(0.5)
    source = open_source(ExchangeSettings(source=str(folder), loop=False))
    frames = [*source.opening(START_NS), *source.frames(START_NS)]
    assert not source.report.notes
    assert not source.report.counts
    assert {DepthFrame, TickerFrame, PrintFrame} <= {type(frame) for frame in frames}
    numbers = server.exchange.venue.markets["BTCUSDC"].numbers
    played = [
        (numbers.price_text(frame.price_ticks), numbers.quantity_text(frame.lots), frame.buyer_is_maker)
        for frame in frames
        if isinstance(frame, PrintFrame) and frame.symbol == "BTCUSDC"
    ]
    wanted = [(trade["p"], trade["q"], trade["m"]) for trade in served]
    assert wanted in [played[first : first + len(wanted)] for first in range(len(played))]
    again = Venue(settings(), source.contracts, START_NS)
    for frame in frames:
        again.apply(frame)
    for symbol, market in server.exchange.venue.markets.items():
        book, first = again.markets[symbol].book, market.book
        assert (book.bids.best(), book.asks.best()) == (first.bids.best(), first.asks.best())


async def test_a_recording_is_not_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "capture"
    async with serving(tmp_path / "l", record=str(folder)):
        pass
    with pytest.raises(ServerError, match="a capture is there already"):
        async with serving(tmp_path / "l", record=str(folder)):
            raise AssertionError("it was served")


async def test_each_account_has_its_own_key_and_money(tmp_path: Path) -> None:
    ledger = tmp_path / "l"
    async with serving(ledger, credentials=demo_credentials(3)) as server, httpx.AsyncClient(trust_env=False) as client:
        for end in ("", "-2", "-3"):
            headers = {"X-MBX-APIKEY": f"raymaker-demo-key{end}"}
            answer = await client.post(f"http://127.0.0.1:{server.port}/fapi/v1/listenKey", headers=headers)
            assert answer.status_code == 200
        stranger = {"X-MBX-APIKEY": "raymaker-demo-key-4"}
        refused = await client.post(f"http://127.0.0.1:{server.port}/fapi/v1/listenKey", headers=stranger)
        assert refused.json()["code"] == -2015
    with ledger.open("rb") as lines:
        opened = [record.account for record in decode_lines(lines) if isinstance(record, AccountOpened)]
    assert opened == ["main", "main-2", "main-3"]


async def test_a_page_and_a_view_show_the_state(tmp_path: Path) -> None:
    async with serving(tmp_path / "l") as server, httpx.AsyncClient(trust_env=False) as client:
        view = (await client.get(f"http://127.0.0.1:{server.port}/raymaker/status")).json()
        page = await client.get(f"http://127.0.0.1:{server.port}/raymaker/")
    assert set(view) == {"time_ms", "markets", "accounts", "connections", "faults"}
    assert view["markets"]["BTCUSDC"]["bid"] < view["markets"]["BTCUSDC"]["ask"]
    assert page.headers["content-type"].startswith("text/html")
    assert "<h2>markets</h2>" in page.text


def test_names_in_the_page_are_text() -> None:
    rig = WireRig()
    rig.exchange.venue.account("<b>x</b>")
    answer = admin.answer(rig.exchange, "GET", "/raymaker/", b"", faults_allowed=False)
    assert b"&lt;b&gt;x&lt;/b&gt;" in answer.body
    assert b"<b>x" not in answer.body
    assert settings().record is None
