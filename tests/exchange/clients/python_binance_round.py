"""python-binance, unmodified, through a round on a venue: `python python_binance_round.py PORT KEY SECRET`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from binance import AsyncClient, BinanceSocketManager, Client
from binance.exceptions import BinanceAPIException

BTC = "BTCUSDC"


def sync_round(port: str, key: str, secret: str) -> dict[str, Any]:
    client = Client(key, secret, ping=False)
    client.FUTURES_URL = f"http://127.0.0.1:{port}/fapi"
    client.futures_ping()
    seen: dict[str, Any] = {"time": client.futures_time()["serverTime"] > 0}
    info = client.futures_exchange_info()
    seen["filters"] = [each["filterType"] for each in info["symbols"][0]["filters"]]
    book = client.futures_order_book(symbol=BTC, limit=5)
    away = f"{float(book['bids'][0][0]) * 0.98:.1f}"
    seen["trades"] = len(client.futures_recent_trades(symbol=BTC)) >= 0
    seen["mark"] = client.futures_mark_price(symbol=BTC)["symbol"]
    seen["klines"] = len(client.futures_klines(symbol=BTC, interval="1m")) >= 0
    order = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "quantity": "0.010", "price": away}
    placed = client.futures_create_order(timeInForce="GTX", newClientOrderId="pb:1/a", **order)
    seen["status"] = [client.futures_get_order(symbol=BTC, orderId=placed["orderId"])["status"]]
    amended = client.futures_modify_order(
        symbol=BTC, orderId=placed["orderId"], side="BUY", quantity="0.020", price=away
    )
    seen["amended"] = amended["origQty"]
    seen["open"] = [each["clientOrderId"] for each in client.futures_get_open_orders(symbol=BTC)]
    seen["status"].append(client.futures_cancel_order(symbol=BTC, origClientOrderId="pb:1/a")["status"])
    until_ms = int(time.time() * 1000) + 700_000
    gtd = client.futures_create_order(timeInForce="GTD", goodTillDate=until_ms, **order)
    seen["gtd"] = (
        client.futures_get_order(symbol=BTC, orderId=gtd["orderId"])["goodTillDate"] // 1000 == until_ms // 1000
    )
    batch = client.futures_place_batch_order(
        batchOrders=[order | {"timeInForce": "GTC"}, order | {"timeInForce": "GTX"}]
    )
    seen["batch"] = len([each for each in batch if "orderId" in each])
    client.futures_cancel_orders(symbol=BTC, orderIdList=[batch[0]["orderId"]])
    seen["countdown"] = client.futures_countdown_cancel_all(symbol=BTC, countdownTime=60_000)["countdownTime"]
    client.futures_cancel_all_open_orders(symbol=BTC)
    seen["left"] = len(client.futures_get_open_orders(symbol=BTC))
    for kind in ({"timeInForce": "IOC"}, {"timeInForce": "FOK"}):
        try:
            seen[kind["timeInForce"]] = client.futures_create_order(**order, **kind)["status"]
        except BinanceAPIException as refusal:
            seen[kind["timeInForce"]] = refusal.code
    client.futures_create_order(symbol=BTC, side="BUY", type="MARKET", quantity="0.010")
    client.futures_create_order(symbol=BTC, side="SELL", type="MARKET", quantity="0.004", reduceOnly="true")
    seen["position"] = client.futures_position_information(symbol=BTC)[0]["positionAmt"]
    seen["account trades"] = len(client.futures_account_trades(symbol=BTC)) >= 2
    seen["orders"] = len(client.futures_get_all_orders(symbol=BTC)) >= 5
    seen["balance"] = [row["asset"] for row in client.futures_account_balance()]
    seen["account"] = client.futures_account()["canTrade"]
    seen["income"] = sorted({row["incomeType"] for row in client.futures_income_history()})
    seen["commission"] = client.futures_commission_rate(symbol=BTC)["takerCommissionRate"]
    seen["brackets"] = len(client.futures_leverage_bracket(symbol=BTC)[0]["brackets"])
    seen["leverage"] = client.futures_change_leverage(symbol=BTC, leverage=10)["leverage"]
    seen["mode"] = client.futures_get_position_mode()["dualSidePosition"]
    try:
        client.futures_change_margin_type(symbol=BTC, marginType="CROSSED")
    except BinanceAPIException as refusal:
        seen["margin type"] = refusal.code
    client.close_connection()
    return seen


async def async_round(port: str, key: str, secret: str) -> dict[str, Any]:
    AsyncClient.WS_FUTURES_URL = f"ws://127.0.0.1:{port}/ws-fapi/v1"
    client = AsyncClient(key, secret)
    client.FUTURES_URL = f"http://127.0.0.1:{port}/fapi"
    manager = BinanceSocketManager(client)
    manager.FSTREAM_URL = f"ws://127.0.0.1:{port}/"
    seen: dict[str, Any] = {}
    try:
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
            "diff": manager.futures_multiplex_socket([f"{BTC.lower()}@depth@100ms"], category="public"),
            "kline": manager.futures_multiplex_socket([f"{BTC.lower()}@kline_1m"]),
            "depth": manager.futures_depth_socket(BTC, depth="5"),
            "mark": manager.symbol_mark_price_socket(BTC),
            "aggregate": manager.aggtrade_futures_socket(BTC),
            "several": manager.futures_multiplex_socket([f"{BTC.lower()}@miniTicker", f"{BTC.lower()}@aggTrade"]),
        }
        for name, socket in sockets.items():
            async with socket as stream:
                frame = await asyncio.wait_for(stream.recv(), 5)
                seen[name] = frame.get("data", frame)["s"]
    finally:
        await client.close_connection()
    return seen


def main(port: str, key: str, secret: str) -> None:
    result = {"sync": sync_round(port, key, secret), "async": asyncio.run(async_round(port, key, secret))}
    print("RESULT " + json.dumps(result))


main(*sys.argv[1:4])
