"""python-binance, unmodified, through a round on a venue: `python python_binance_round.py PORT KEY SECRET`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from binance import AsyncClient, BinanceSocketManager, Client
from binance.exceptions import BinanceAPIException
from book_join import JoinedBook

BTC = "BTCUSDC"


Ask = Callable[..., Awaitable[Any]]


async def rest_round(ask: Ask) -> dict[str, Any]:
    """Everything by REST; `ask` calls a method of either client."""
    await ask("futures_ping")
    seen: dict[str, Any] = {"time": (await ask("futures_time"))["serverTime"] > 0}
    info = await ask("futures_exchange_info")
    seen["filters"] = [each["filterType"] for each in info["symbols"][0]["filters"]]
    book = await ask("futures_order_book", symbol=BTC, limit=5)
    away = f"{float(book['bids'][0][0]) * 0.98:.1f}"
    trades = await ask("futures_recent_trades", symbol=BTC)
    seen["trades"] = set(trades[-1]) >= {"id", "price", "qty", "time", "isBuyerMaker"}
    seen["mark"] = (await ask("futures_mark_price", symbol=BTC))["symbol"]
    seen["klines"] = len((await ask("futures_klines", symbol=BTC, interval="1m"))[-1])
    order = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "quantity": "0.010", "price": away}
    placed = await ask("futures_create_order", timeInForce="GTX", newClientOrderId="pb:1/a", **order)
    seen["status"] = [(await ask("futures_get_order", symbol=BTC, orderId=placed["orderId"]))["status"]]
    change = {"symbol": BTC, "side": "BUY", "quantity": "0.020", "price": away}
    seen["amended"] = (await ask("futures_modify_order", orderId=placed["orderId"], **change))["origQty"]
    seen["open"] = [each["clientOrderId"] for each in await ask("futures_get_open_orders", symbol=BTC)]
    seen["status"].append((await ask("futures_cancel_order", symbol=BTC, origClientOrderId="pb:1/a"))["status"])
    return seen | await more_orders(ask, order) | await account(ask)


async def more_orders(ask: Ask, order: dict[str, str]) -> dict[str, Any]:
    """Times in force, batches, the countdown; market and reduce-only."""
    seen: dict[str, Any] = {}
    until_ms = int(time.time() * 1000) + 700_000
    gtd = await ask("futures_create_order", timeInForce="GTD", goodTillDate=until_ms, **order)
    found = await ask("futures_get_order", symbol=BTC, orderId=gtd["orderId"])
    seen["gtd"] = found["goodTillDate"] // 1000 == until_ms // 1000
    several = [order | {"timeInForce": "GTC"}, order | {"timeInForce": "GTX"}]
    batch = await ask("futures_place_batch_order", batchOrders=several)
    seen["batch"] = len([each for each in batch if "orderId" in each])
    canceled = await ask("futures_cancel_orders", symbol=BTC, orderIdList=[batch[0]["orderId"]])
    seen["batch canceled"] = [each["status"] for each in canceled]
    seen["countdown"] = (await ask("futures_countdown_cancel_all", symbol=BTC, countdownTime=60_000))["countdownTime"]
    await ask("futures_cancel_all_open_orders", symbol=BTC)
    seen["left"] = len(await ask("futures_get_open_orders", symbol=BTC))
    for kind in ("IOC", "FOK"):
        try:
            seen[kind] = (await ask("futures_create_order", timeInForce=kind, **order))["status"]
        except BinanceAPIException as refusal:
            seen[kind] = refusal.code
    await ask("futures_create_order", symbol=BTC, side="BUY", type="MARKET", quantity="0.010")
    await ask("futures_create_order", symbol=BTC, side="SELL", type="MARKET", quantity="0.004", reduceOnly="true")
    seen["position"] = (await ask("futures_position_information", symbol=BTC))[0]["positionAmt"]
    await ask("futures_create_order", symbol=BTC, side="SELL", type="MARKET", quantity="0.006", reduceOnly="true")
    return seen


async def account(ask: Ask) -> dict[str, Any]:
    """What the account has and may do, and the life of a listen key."""
    seen: dict[str, Any] = {}
    seen["account trades"] = len(await ask("futures_account_trades", symbol=BTC)) >= 2
    seen["orders"] = len(await ask("futures_get_all_orders", symbol=BTC)) >= 5
    seen["balance"] = [row["asset"] for row in await ask("futures_account_balance")]
    seen["account"] = (await ask("futures_account"))["canTrade"]
    seen["income"] = sorted({row["incomeType"] for row in await ask("futures_income_history")})
    seen["commission"] = (await ask("futures_commission_rate", symbol=BTC))["takerCommissionRate"]
    seen["brackets"] = len((await ask("futures_leverage_bracket", symbol=BTC))[0]["brackets"])
    seen["leverage"] = (await ask("futures_change_leverage", symbol=BTC, leverage=10))["leverage"]
    seen["mode"] = (await ask("futures_get_position_mode"))["dualSidePosition"]
    try:
        await ask("futures_change_margin_type", symbol=BTC, marginType="CROSSED")
    except BinanceAPIException as refusal:
        seen["margin type"] = refusal.code
    key = await ask("futures_stream_get_listen_key")
    await ask("futures_stream_keepalive", listenKey=key)
    await ask("futures_stream_close", listenKey=key)
    seen["listen key"] = await ask("futures_stream_get_listen_key") != key
    return seen


def sync_round(port: str, key: str, secret: str) -> dict[str, Any]:
    client = Client(key, secret, ping=False)
    client.FUTURES_URL = f"http://127.0.0.1:{port}/fapi"

    async def ask(method: str, **params: Any) -> Any:
        return getattr(client, method)(**params)

    try:
        return asyncio.run(rest_round(ask))
    finally:
        client.close_connection()


async def async_round(port: str, key: str, secret: str) -> dict[str, Any]:
    AsyncClient.WS_FUTURES_URL = f"ws://127.0.0.1:{port}/ws-fapi/v1"
    client = AsyncClient(key, secret)
    client.FUTURES_URL = f"http://127.0.0.1:{port}/fapi"
    manager = BinanceSocketManager(client)
    manager.FSTREAM_URL = f"ws://127.0.0.1:{port}/"

    async def ask(method: str, **params: Any) -> Any:
        return await getattr(client, method)(**params)

    seen: dict[str, Any] = {}
    try:
        seen["rest"] = await rest_round(ask)
        user = manager.futures_user_socket()
        async with user as user_stream:
            book = await client.futures_order_book(symbol=BTC, limit=5)
            away = f"{float(book['bids'][0][0]) * 0.98:.1f}"
            placed = await client.futures_create_order(
                symbol=BTC, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.010", price=away
            )
            await client.futures_cancel_order(symbol=BTC, orderId=placed["orderId"])
            events = [await asyncio.wait_for(user_stream.recv(), 5) for _ in range(2)]
            seen["user"] = [event["o"]["x"] for event in events]
        order = {"symbol": BTC, "side": "BUY", "quantity": "0.010", "price": away}
        placed = await client.ws_futures_create_order(type="LIMIT", timeInForce="GTX", **order)
        named = {"symbol": BTC, "orderId": placed["orderId"]}
        amended = await client.ws_futures_edit_order(**(order | named | {"quantity": "0.020"}))
        canceled = await client.ws_futures_cancel_order(**named)
        seen["websocket api"] = [placed["status"], amended["origQty"], canceled["status"]]
        sockets = {
            "kline": manager.futures_multiplex_socket([f"{BTC.lower()}@kline_1m"]),
            "depth": manager.futures_depth_socket(BTC, depth="5"),
            "mark": manager.symbol_mark_price_socket(BTC),
            "aggregate": manager.aggtrade_futures_socket(BTC),
            "several": manager.futures_multiplex_socket([f"{BTC.lower()}@miniTicker", f"{BTC.lower()}@aggTrade"]),
        }
        seen["book"] = await joined_book(client, manager)
        for name, socket in sockets.items():
            async with socket as stream:
                frame = await asyncio.wait_for(stream.recv(), 5)
                seen[name] = frame.get("data", frame)["s"]
    finally:
        await client.close_connection()
    return seen


async def joined_book(client: AsyncClient, manager: BinanceSocketManager) -> bool:
    """Whether the diffs continue a snapshot that was asked for while they came."""
    socket = manager.futures_multiplex_socket([f"{BTC.lower()}@depth@100ms"], category="public")
    async with socket as stream:
        first = [(await asyncio.wait_for(stream.recv(), 5))["data"] for _ in range(2)]
        book = JoinedBook(await client.futures_order_book(symbol=BTC, limit=1000))
        for diff in first:
            book.apply(diff)
        while not book.is_in_sync:
            book.apply((await asyncio.wait_for(stream.recv(), 5))["data"])
    return book.is_in_sync


def main(port: str, key: str, secret: str) -> None:
    result = {"sync": sync_round(port, key, secret), "async": asyncio.run(async_round(port, key, secret))}
    print("RESULT " + json.dumps(result))


main(*sys.argv[1:4])
