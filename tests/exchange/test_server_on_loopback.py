"""The venue behind real sockets on loopback: other people's client, streams, WebSocket API, ledger before answer, restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import httpx
import msgspec
import pytest
from loopback_venue import serving
from venue_rig import MS
from websockets.asyncio.client import connect

from actors.exchange.ledger import LedgerRecord, OrderAccepted, OrderCanceled, OrderFilled, VenueStarted, decode_lines
from actors.exchange.server import DEMO_KEY, DEMO_SECRET, ServerError, VenueServer

BTC = "BTC/USDC:USDC"


def records(ledger: Path) -> list[LedgerRecord]:
    with ledger.open("rb") as lines:
        return list(decode_lines(lines))


def ccxt_client(port: int) -> Any:
    """ccxt with the settings of the fact sheet and nothing else (section 11.1)."""
    client = ccxt.binanceusdm(
        {"apiKey": DEMO_KEY, "secret": DEMO_SECRET, "options": {"fetchCurrencies": False, "fetchMargins": False}}
    )
    for name, version in (
        ("fapiPublic", 1),
        ("fapiPublicV2", 2),
        ("fapiPublicV3", 3),
        ("fapiPrivate", 1),
        ("fapiPrivateV2", 2),
        ("fapiPrivateV3", 3),
    ):
        client.urls["api"][name] = f"http://127.0.0.1:{port}/fapi/v{version}"
    return client


def ccxt_round(client: Any) -> dict[str, Any]:
    client.load_markets()
    book = client.fetch_order_book(BTC, limit=5)
    away = client.price_to_precision(BTC, book["bids"][0][0] * 0.98)
    placed = client.create_order(BTC, "limit", "buy", 0.01, float(away), {"timeInForce": "GTX"})
    open_before = client.fetch_open_orders(BTC)
    amended = client.edit_order(placed["id"], BTC, "limit", "buy", 0.02, float(away))
    canceled = client.cancel_order(placed["id"], BTC)
    market = client.create_order(BTC, "market", "buy", 0.01)
    return {
        "limits": client.market(BTC)["limits"]["amount"]["min"],
        "bid": book["bids"][0][0],
        "ask": book["asks"][0][0],
        "open": [order["id"] for order in open_before],
        "placed": placed,
        "amended": amended,
        "canceled": canceled,
        "market": market,
        "trades": client.fetch_my_trades(BTC),
        "positions": client.fetch_positions([BTC]),
        "balance": client.fetch_balance(),
        "open_after": client.fetch_open_orders(BTC),
        "batch": client.create_orders(
            [
                {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": float(away)},
                {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": float(away)},
            ]
        ),
        "all_canceled": client.cancel_all_orders(BTC),
    }


async def test_ccxt_completes_a_round(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with serving(ledger) as server:
        seen = await asyncio.to_thread(ccxt_round, ccxt_client(server.port))
    assert seen["limits"] == 0.001
    assert seen["bid"] < seen["ask"]
    assert seen["open"] == [seen["placed"]["id"]]
    assert (seen["amended"]["amount"], seen["canceled"]["status"]) == (0.02, "canceled")
    assert sum(trade["amount"] for trade in seen["trades"]) == pytest.approx(0.01)
    assert seen["positions"][0]["contracts"] == 0.01
    assert seen["balance"]["USDC"]["total"] < 100_000
    assert seen["open_after"] == []
    assert len(seen["batch"]) == 2
    ids = [record.order_id for record in records(ledger) if isinstance(record, OrderAccepted)]
    assert str(ids[0]) == seen["placed"]["id"]
    assert len(ids) == 4


async def test_an_accepted_order_is_on_file_when_its_answer_arrives(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with serving(ledger) as server:
        client = ccxt_client(server.port)
        await asyncio.to_thread(client.load_markets)
        order = await asyncio.to_thread(client.create_order, BTC, "limit", "buy", 0.01, 60_900.0)
        on_file = [r.order_id for r in records(ledger) if isinstance(r, OrderAccepted)]
        assert on_file == [int(order["id"])]


async def test_a_restarted_venue_has_the_orders_and_positions_of_its_ledger(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with serving(ledger) as server:
        client = ccxt_client(server.port)
        await asyncio.to_thread(client.load_markets)
        order = await asyncio.to_thread(client.create_order, BTC, "limit", "buy", 0.01, 60_900.0)
        await asyncio.to_thread(client.create_order, BTC, "market", "sell", 0.02)
    async with serving(ledger) as server:
        client = ccxt_client(server.port)
        await asyncio.to_thread(client.load_markets)
        found = await asyncio.to_thread(client.fetch_open_orders, BTC)
        (position,) = await asyncio.to_thread(client.fetch_positions, [BTC])
        canceled = await asyncio.to_thread(client.cancel_order, order["id"], BTC)
    assert [each["id"] for each in found] == [order["id"]]
    assert (position["contracts"], position["side"], canceled["status"]) == (0.02, "short", "canceled")
    starts = [record.restart for record in records(ledger) if isinstance(record, VenueStarted)]
    assert starts == [False, True]
    assert sum(isinstance(record, OrderFilled) for record in records(ledger)) >= 1
    assert sum(isinstance(record, OrderCanceled) for record in records(ledger)) == 1


async def rest(server: VenueServer, method: str, path: str) -> Any:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.request(
            method, f"http://127.0.0.1:{server.port}{path}", headers={"X-MBX-APIKEY": DEMO_KEY}
        )
    assert answer.status_code == 200
    return answer.json()


async def first(socket_: Any, wanted: Callable[[Any], bool]) -> Any:
    """The first frame that is wanted, among at most 1,000."""
    for _ in range(1_000):
        frame = msgspec.json.decode(await socket_.recv())
        if wanted(frame):
            return frame
    raise AssertionError("the wanted frame did not come")


@pytest.mark.parametrize(
    ("address", "combined"),
    [
        ("/public/ws/btcusdc@bookTicker", False),
        ("/ws/btcusdc@bookTicker", False),
        ("/public/stream?streams=btcusdc@bookTicker", True),
        ("/stream?streams=btcusdc@bookTicker/btcusdc@aggTrade", True),
    ],
)
async def test_streams_by_address(tmp_path: Path, address: str, combined: bool) -> None:
    async with (
        serving(tmp_path / "l") as server,
        connect(f"ws://127.0.0.1:{server.port}{address}", proxy=None) as stream,
    ):
        frame = await first(stream, lambda f: "bookTicker" in (f.get("stream", ""), f.get("e", "")) or combined)
        assert (frame["data"]["s"] if combined else frame["s"]) == "BTCUSDC"


async def test_subscribing_by_message_and_the_wrong_path_stays_silent(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "l") as server,
        connect(f"ws://127.0.0.1:{server.port}/public/ws/0", proxy=None) as stream,
    ):
        await stream.send('{"method":"SUBSCRIBE","params":["btcusdc@markPrice@1s","btcusdc@depth@0ms"],"id":1}')
        assert msgspec.json.decode(await stream.recv()) == {"result": None, "id": 1}
        frame = await first(stream, lambda f: True)
        assert frame["e"] == "depthUpdate"
        assert server.connections()["market_streams"] == 1
        await stream.send('{"method":"UNSUBSCRIBE","params":["btcusdc@depth@0ms"],"id":2}')
        assert await first(stream, lambda f: f.get("id") == 2) == {"result": None, "id": 2}
        assert server.connections()["market_streams"] == 0


Opened = Callable[[str], str]


@pytest.mark.parametrize(
    ("address", "combined"),
    [
        (lambda key: f"/private/ws/{key}", False),
        (lambda key: f"/private/ws?listenKey={key}", False),
        (lambda key: f"/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE", False),
        (lambda key: f"/private/stream?listenKey={key}", True),
        (lambda key: f"/ws/{key}", False),
        (lambda key: f"/stream?streams={key}", True),
    ],
)
async def test_the_user_stream_is_served_under_every_address(tmp_path: Path, address: Opened, combined: bool) -> None:
    async with serving(tmp_path / "l") as server:
        key = (await rest(server, "POST", "/fapi/v1/listenKey"))["listenKey"]
        async with connect(f"ws://127.0.0.1:{server.port}{address(key)}", proxy=None) as stream:
            client = ccxt_client(server.port)
            await asyncio.to_thread(client.load_markets)
            await asyncio.to_thread(client.create_order, BTC, "limit", "buy", 0.01, 60_900.0)
            frame = msgspec.json.decode(await stream.recv())
            event = frame["data"] if combined else frame
            assert (event["e"], event["o"]["x"]) == ("ORDER_TRADE_UPDATE", "NEW")
            if combined:
                assert frame["stream"] == key


async def test_the_websocket_api_answers_and_survives_nonsense(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "l") as server,
        connect(f"ws://127.0.0.1:{server.port}/ws-fapi/v1", proxy=None) as api,
    ):
        await api.send("nonsense")
        assert msgspec.json.decode(await api.recv())["status"] == 400
        await api.send('{"id":5,"method":"depth","params":{"symbol":"BTCUSDC","limit":5}}')
        answer = msgspec.json.decode(await api.recv())
        assert (answer["id"], answer["status"], len(answer["result"]["bids"])) == (5, 200, 5)


async def test_too_many_messages_close_the_stream_socket(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "l") as server,
        connect(f"ws://127.0.0.1:{server.port}/public/ws", proxy=None) as stream,
    ):
        for number in range(40):
            await stream.send(f'{{"method":"LIST_SUBSCRIPTIONS","id":{number}}}')
        with pytest.raises(Exception, match="1008"):
            for _ in range(41):
                await stream.recv()


async def test_a_replay_waits_for_its_first_subscriber(tmp_path: Path) -> None:
    start = time.time_ns() // MS
    book = {"lastUpdateId": 1, "E": 1, "T": 1, "bids": [["64000.00", "1.000"]], "asks": [["64000.10", "1.000"]]}
    best = {"e": "bookTicker", "u": 2, "s": "BTCUSDT", "b": "64000.00", "B": "2.000", "a": "64000.10", "A": "1.000"}
    frame = {"stream": "btcusdt@bookTicker", "data": best | {"T": 5, "E": 5}}
    lines = [
        f"1721347020000000000 {msgspec.json.encode(book).decode()}",
        f"1721347020001000000 {msgspec.json.encode(frame).decode()}",
    ]
    capture = tmp_path / "capture.txt"
    capture.write_text("\n".join(lines) + "\n")
    async with serving(tmp_path / "l", source=str(capture), loop=False) as server:
        depth = await rest(server, "GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=5")
        assert depth["bids"] == [["64000.00", "1.000"]]
        async with connect(f"ws://127.0.0.1:{server.port}/ws/btcusdt@bookTicker", proxy=None) as stream:
            top = msgspec.json.decode(await stream.recv())
        assert (top["B"], top["E"] >= start) == ("2.000", True)


async def test_a_port_in_use_and_a_ledger_in_use_are_one_sentence(tmp_path: Path) -> None:
    async with serving(tmp_path / "l") as server:
        with pytest.raises(ServerError, match=f"port {server.port} of 127.0.0.1 cannot be used"):
            await refused(serving(tmp_path / "other", port=server.port))
        with pytest.raises(ServerError, match="is in use by another venue"):
            await refused(serving(tmp_path / "l"))
    with pytest.raises(ServerError, match="there is no such file or folder"):
        await refused(serving(tmp_path / "l", source=str(tmp_path / "nothing")))


async def refused(server: Any) -> None:
    async with server:
        raise AssertionError("it was served")


async def test_the_ledger_that_cannot_be_written_ends_the_venue(tmp_path: Path, monkeypatch: Any) -> None:
    async with serving(tmp_path / "l") as server:

        def full(records: Any) -> None:
            raise OSError(28, "No space left on device")

        assert server._ledger is not None
        monkeypatch.setattr(server._ledger, "append", full)
        assert server.failed is not None
        with pytest.raises(ServerError, match="the ledger cannot be written: No space left on device"):
            await server.failed
        monkeypatch.undo()
