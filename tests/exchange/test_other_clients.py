"""Other people's clients, unmodified, with the settings of the facts (section 11) and nothing else, each through a full round.

They live in an environment of their own (`make test` sets it up in .clients): what they demand is not ours to bear.
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import ccxt.pro
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loopback_venue import serving
from other_clients import run_client

from actors.exchange.authentication import Credential
from actors.exchange.server import DEMO_ACCOUNT, DEMO_KEY, DEMO_SECRET, VenueServer, demo_credentials

ED_KEY = "ed25519-key"


def ed25519_key(folder: Path) -> tuple[Credential, Path]:
    """A key pair: the venue's side, and the private part as a file."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "ed25519.pem"
    file.write_bytes(pem)

    def accepts(message: bytes, signature: str) -> bool:
        return base64.b64encode(private.sign(message)).decode() == signature

    return Credential(api_key=ED_KEY, account=DEMO_ACCOUNT, accepts=accepts, is_ed25519=True), file


async def round_of(script: str, server: VenueServer, *arguments: str) -> dict[str, Any]:
    """Run a client's script against the venue and take what it saw."""
    return await run_client(script, str(server.port), DEMO_KEY, DEMO_SECRET, *arguments)


async def test_python_binance_sync_async_and_sockets(tmp_path: Path) -> None:
    async with serving(tmp_path / "l") as server:
        seen = await round_of("python_binance_round.py", server)
    assert seen["sync"] | {"income": None} == {
        "time": True,
        "filters": [
            "PRICE_FILTER",
            "LOT_SIZE",
            "MARKET_LOT_SIZE",
            "MAX_NUM_ORDERS",
            "MIN_NOTIONAL",
            "PERCENT_PRICE",
            "POSITION_RISK_CONTROL",
        ],
        "trades": True,
        "mark": "BTCUSDC",
        "klines": True,
        "status": ["NEW", "CANCELED"],
        "amended": "0.020",
        "open": ["pb:1/a"],
        "gtd": True,
        "batch": 2,
        "countdown": "60000",
        "left": 0,
        "IOC": "NEW",
        "FOK": -5021,
        "position": "0.006",
        "account trades": True,
        "orders": True,
        "balance": ["USDC", "USDT"],
        "account": True,
        "income": None,
        "commission": "0.00040000",
        "brackets": 10,
        "leverage": 10,
        "mode": False,
        "margin type": -4046,
    }
    assert "COMMISSION" in seen["sync"]["income"]
    assert seen["async"] == {"user": ["NEW", "CANCELED"]} | dict.fromkeys(
        ("depth", "mark", "aggregate", "several", "diff", "kline"), "BTCUSDC"
    ) | {"websocket api": ["NEW", "0.020", "CANCELED"]}


async def test_nautilus_trader_quotes_amends_trades_and_reconciles(tmp_path: Path) -> None:
    async with serving(tmp_path / "l") as server:
        asked, receive = set(), server.exchange.receive_rest

        def noted(request: Any, now_ns: int) -> int:
            asked.add((request.method, request.path))
            return receive(request, now_ns)

        server.exchange.receive_rest = noted  # type: ignore[method-assign]
        seen = await round_of("nautilus_round.py", server)
        leverage = server.exchange.venue.accounts[DEMO_ACCOUNT].position("BTCUSDC").leverage
    assert seen["step"] == 12
    assert ("DELETE", "/fapi/v1/batchOrders") in asked
    assert leverage == 10
    assert seen["orders"] == [
        ["LIMIT", "FOK", "REJECTED"],
        *[["LIMIT", "GTC", "CANCELED"]] * 3,
        ["LIMIT", "GTD", "CANCELED"],
        ["LIMIT", "IOC", "EXPIRED"],
        ["MARKET", "GTC", "FILLED"],
        ["MARKET", "GTC", "FILLED"],
    ]
    assert {"quote", "trade", "book", "mark", "OrderUpdated", "PositionOpened", "PositionClosed"} <= set(seen["seen"])


async def test_the_official_sdk_on_rest_streams_and_the_websocket_api(tmp_path: Path) -> None:
    credential, file = ed25519_key(tmp_path)
    async with serving(tmp_path / "l", credentials=[*demo_credentials(), credential]) as server:
        seen = await round_of("sdk_round.py", server, ED_KEY, str(file))
    for name in ("rest", "rest ed25519"):
        rest = seen[name]
        assert (rest["status"], rest["amended"], rest["open"]) == (["NEW", "CANCELED"], "0.020", ["sdk-1"])
        assert (rest["countdown"], rest["leverage"], rest["commission"]) == ("60000", 10, "0.00040000")
        assert rest["trades"]
        assert rest["listen key"]
        assert (rest["gtd"], rest["ioc"], rest["fok"], rest["brackets"]) == (True, "NEW", True, 10)
        assert rest["margin type"]
        assert (rest["batch amended"], rest["batch canceled"]) == (["0.020"] * 2, ["CANCELED"] * 2)
    assert seen["streams"] == dict.fromkeys(("depth", "diff", "mark", "kline", "trade", "user"), True)
    api = {"status": ["NEW", "CANCELED"], "amended": "0.020", "found": "0.020", "balance": True}
    assert seen["ws hmac"] == api
    assert seen["ws ed25519"] == seen["ws hmac"] | {"logon": ED_KEY}


def ccxt_pro(port: int) -> Any:
    client = ccxt.pro.binanceusdm(
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
    client.urls["api"]["ws"]["linear"] = f"ws://127.0.0.1:{port}/ws"
    client.urls["api"]["ws"]["ws-api"]["linear"] = f"ws://127.0.0.1:{port}/ws-fapi/v1"
    return client


async def test_ccxt_pro_watches_and_trades(tmp_path: Path) -> None:
    symbol = "BTC/USDC:USDC"
    async with serving(tmp_path / "l") as server:
        client = ccxt_pro(server.port)
        try:
            await client.load_markets()
            book = await client.watch_order_book(symbol)
            assert 0 < book["bids"][0][0] < book["asks"][0][0]
            trades = await client.watch_trades(symbol)
            ticker = await client.watch_ticker(symbol)
            mark = await client.watch_mark_price(symbol)
            candles = await client.watch_ohlcv(symbol, "1m")
            assert trades[-1]["symbol"] == ticker["symbol"] == mark["symbol"] == symbol
            assert len(candles[-1]) == 6
            watching = asyncio.ensure_future(client.watch_orders(symbol))
            await asyncio.sleep(0)
            while server.connections()["user_sessions"] == 0:
                await asyncio.wait({watching}, timeout=0.05)
            order = await client.create_order_ws(symbol, "limit", "buy", 0.01, 60_900.0, {"timeInForce": "GTX"})
            told = await watching
            assert [(each["id"], each["status"]) for each in told] == [(order["id"], "open")]
            canceled = await client.cancel_order_ws(order["id"], symbol)
            assert canceled["status"] == "canceled"
            assert await ccxt_settings(client, symbol) == {
                "countdown": "60000",
                "tiers": 10,
                "leverage": 10,
                "margin mode": "-4046",
                "gtd": "GTD",
                "ioc": "EXPIRED",
                "fok": "-5021",
                "reduced": 0.004,
                "income": True,
                "orders": True,
                "batch": ["open", "open"],
                "canceled": 2,
                "maker": 0.0,
                "listen key": {},
            }
        finally:
            await client.close()


async def ccxt_settings(client: Any, symbol: str) -> dict[str, Any]:
    """What ccxt does by REST besides: times, brackets, batches and settings."""
    market = {"symbol": client.market(symbol)["id"]}
    till = client.milliseconds() + 700_000
    limit = (symbol, "limit", "buy", 0.01, 60_900.0)
    seen: dict[str, Any] = {}
    counted = await client.fapiPrivatePostCountdownCancelAll(market | {"countdownTime": 60_000})
    seen["countdown"] = counted["countdownTime"]
    seen["tiers"] = len((await client.fetch_leverage_tiers([symbol]))[symbol])
    seen["leverage"] = int((await client.set_leverage(10, symbol))["leverage"])
    try:
        seen["margin mode"] = await client.set_margin_mode("cross", symbol)
    except ccxt.BaseError as error:
        seen["margin mode"] = "-4046" if "-4046" in str(error) else str(error)
    order = await client.create_order(*limit, {"timeInForce": "GTD", "goodTillDate": till})
    seen["gtd"] = order["info"]["timeInForce"]
    seen["ioc"] = (await client.create_order(*limit, {"timeInForce": "IOC"}))["info"]["status"]
    try:
        await client.create_order(*limit, {"timeInForce": "FOK"})
    except ccxt.BaseError as error:
        seen["fok"] = "-5021" if "-5021" in str(error) else str(error)
    await client.cancel_all_orders(symbol)
    await client.create_order(symbol, "market", "buy", 0.01)
    await client.create_order(symbol, "market", "sell", 0.006, None, {"reduceOnly": True})
    seen["reduced"] = (await client.fetch_positions([symbol]))[0]["contracts"]
    seen["income"] = {"COMMISSION"} <= {row["incomeType"] for row in await client.fapiPrivateGetIncome(market)}
    seen["orders"] = len(await client.fetch_orders(symbol)) >= 4 and len(await client.fetch_my_trades(symbol)) >= 2
    names = ("symbol", "type", "side", "amount", "price")
    placed = await client.create_orders([dict(zip(names, limit, strict=True)) for _ in range(2)])
    seen["batch"] = [each["status"] for each in placed]
    seen["canceled"] = len(await client.cancel_orders([each["id"] for each in placed], symbol))
    seen["maker"] = (await client.fetch_trading_fee(symbol))["maker"]
    await client.fetch_funding_history(symbol)
    key = await client.fapiPrivatePostListenKey()
    seen["listen key"] = await client.fapiPrivateDeleteListenKey(key)
    return seen
