"""Other people's clients, unmodified, with the settings of the facts (section 11) and nothing else, each through a full round.

They live in an environment of their own (`make test` sets it up in .clients): what they demand is not ours to bear.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import ccxt
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
    by_rest = seen["async"].pop("rest")
    for rest in (seen["sync"], by_rest):
        assert "COMMISSION" in rest["income"]
        assert rest | {"income": None} == {
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
            "klines": 12,
            "status": ["NEW", "CANCELED"],
            "amended": "0.020",
            "open": ["pb:1/a"],
            "gtd": True,
            "batch": 2,
            "batch canceled": ["CANCELED"],
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
            "listen key": True,
        }
    assert seen["async"] == {"user": ["NEW", "CANCELED"], "book": True} | dict.fromkeys(
        ("depth", "mark", "aggregate", "several", "kline"), "BTCUSDC"
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
    assert seen["streams"] == dict.fromkeys(("depth", "diff", "mark", "kline", "trade", "user", "book"), True)
    api = {"status": ["NEW", "CANCELED"], "amended": "0.020", "found": "0.020", "balance": True}
    assert seen["ws hmac"] == api
    assert seen["ws ed25519"] == seen["ws hmac"] | {"logon": ED_KEY}


CCXT_OPTIONS = {
    "apiKey": DEMO_KEY,
    "secret": DEMO_SECRET,
    "options": {"fetchCurrencies": False, "fetchMargins": False},
}


def addressed(client: Any, port: int) -> Any:
    """A client of ccxt, told the addresses of a venue."""
    for name, version in (
        ("fapiPublic", 1),
        ("fapiPublicV2", 2),
        ("fapiPublicV3", 3),
        ("fapiPrivate", 1),
        ("fapiPrivateV2", 2),
        ("fapiPrivateV3", 3),
    ):
        client.urls["api"][name] = f"http://127.0.0.1:{port}/fapi/v{version}"
    if "ws" in client.urls["api"]:
        client.urls["api"]["ws"]["linear"] = f"ws://127.0.0.1:{port}/ws"
        client.urls["api"]["ws"]["ws-api"]["linear"] = f"ws://127.0.0.1:{port}/ws-fapi/v1"
    return client


async def test_ccxt_pro_watches_and_trades(tmp_path: Path) -> None:
    symbol = "BTC/USDC:USDC"
    async with serving(tmp_path / "l") as server:
        client = addressed(ccxt.pro.binanceusdm(CCXT_OPTIONS), server.port)
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

            async def ask(method: str, *arguments: Any) -> Any:
                return await getattr(client, method)(*arguments)

            assert await ccxt_by_rest(ask, client, symbol) == CCXT_SEEN
        finally:
            await client.close()


async def test_ccxt_without_sockets_does_all_the_same_by_rest(tmp_path: Path) -> None:
    async with serving(tmp_path / "l") as server:
        client = addressed(ccxt.binanceusdm(CCXT_OPTIONS), server.port)
        await asyncio.to_thread(client.load_markets)

        async def ask(method: str, *arguments: Any) -> Any:
            return await asyncio.to_thread(getattr(client, method), *arguments)

        assert await ccxt_by_rest(ask, client, "BTC/USDC:USDC") == CCXT_SEEN


CCXT_SEEN = {
    "spread": True,
    "tape": True,
    "candle": 6,
    "mark": "BTC/USDC:USDC",
    "post only": ["GTX", "open"],
    "amended": 0.02,
    "found": "open",
    "canceled": "canceled",
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
    "balance": True,
    "batch": ["open", "open"],
    "batch canceled": 2,
    "left": 0,
    "maker": 0.0,
    "listen key": {},
}


async def ccxt_by_rest(ask: Callable[..., Awaitable[Any]], client: Any, symbol: str) -> dict[str, Any]:
    """What ccxt does by REST; `ask` calls a method of either client."""
    limit = (symbol, "limit", "buy", 0.01, 60_900.0)
    book, candles = await ask("fetch_order_book", symbol, 5), await ask("fetch_ohlcv", symbol, "1m")
    seen: dict[str, Any] = {"spread": 0 < book["bids"][0][0] < book["asks"][0][0], "candle": len(candles[-1])}
    seen["tape"] = {each["symbol"] for each in await ask("fetch_trades", symbol)} == {symbol}
    seen["mark"] = (await ask("fetch_funding_rate", symbol))["symbol"]
    order = await ask("create_order", *limit, {"timeInForce": "GTX"})
    seen["post only"] = [order["info"]["timeInForce"], order["status"]]
    seen["amended"] = (await ask("edit_order", order["id"], symbol, "limit", "buy", 0.02, 60_900.0))["amount"]
    seen["found"] = (await ask("fetch_order", order["id"], symbol))["status"]
    seen["canceled"] = (await ask("cancel_order", order["id"], symbol))["status"]
    seen |= await ccxt_times_in_force(ask, client, limit)
    market = {"symbol": client.market(symbol)["id"]}
    counted = await ask("fapiPrivatePostCountdownCancelAll", market | {"countdownTime": 60_000})
    seen["countdown"] = counted["countdownTime"]
    seen["tiers"] = len((await ask("fetch_leverage_tiers", [symbol]))[symbol])
    seen["leverage"] = int((await ask("set_leverage", 10, symbol))["leverage"])
    seen["margin mode"] = await refusal_of(ask, "set_margin_mode", "cross", symbol)
    await ask("create_order", symbol, "market", "buy", 0.01)
    await ask("create_order", symbol, "market", "sell", 0.006, None, {"reduceOnly": True})
    seen["reduced"] = (await ask("fetch_positions", [symbol]))[0]["contracts"]
    income = {row["incomeType"] for row in await ask("fapiPrivateGetIncome", market)}
    seen["income"] = income >= {"COMMISSION"}
    seen["orders"] = len(await ask("fetch_orders", symbol)) >= 5 and len(await ask("fetch_my_trades", symbol)) >= 2
    seen["balance"] = 0 < (await ask("fetch_balance"))["USDC"]["total"] < 100_000
    seen["maker"] = (await ask("fetch_trading_fee", symbol))["maker"]
    await ask("fetch_funding_history", symbol)
    key = await ask("fapiPrivatePostListenKey")
    await ask("fapiPrivatePutListenKey", key)
    seen["listen key"] = await ask("fapiPrivateDeleteListenKey", key)
    return seen


async def ccxt_times_in_force(
    ask: Callable[..., Awaitable[Any]], client: Any, limit: tuple[Any, ...]
) -> dict[str, Any]:
    """GTD, IOC, FOK, a batch, and cancel all."""
    symbol, seen = limit[0], dict[str, Any]()
    till = client.milliseconds() + 700_000
    order = await ask("create_order", *limit, {"timeInForce": "GTD", "goodTillDate": till})
    seen["gtd"] = order["info"]["timeInForce"]
    seen["ioc"] = (await ask("create_order", *limit, {"timeInForce": "IOC"}))["info"]["status"]
    seen["fok"] = await refusal_of(ask, "create_order", *limit, {"timeInForce": "FOK"})
    names = ("symbol", "type", "side", "amount", "price")
    placed = await ask("create_orders", [dict(zip(names, limit, strict=True)) for _ in range(2)])
    seen["batch"] = [each["status"] for each in placed]
    seen["batch canceled"] = len(await ask("cancel_orders", [each["id"] for each in placed], symbol))
    await ask("cancel_all_orders", symbol)
    seen["left"] = len(await ask("fetch_open_orders", symbol))
    return seen


async def refusal_of(ask: Callable[..., Awaitable[Any]], *call: Any) -> str:
    """The venue's code, of a call that must be refused."""
    try:
        return f"taken: {await ask(*call)}"
    except ccxt.BaseError as error:
        found = re.search(r'"code":(-\d+)', str(error))
        return found[1] if found else str(error)
