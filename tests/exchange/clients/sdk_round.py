"""The official SDK, unmodified, through a round on a venue: `python sdk_round.py PORT KEY SECRET ED_KEY ED_PRIVATE_FILE`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError
from binance_sdk_derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from book_join import JoinedBook

BTC = "BTCUSDC"


def plain(value: Any) -> Any:
    if hasattr(value, "actual_instance"):
        return plain(value.actual_instance)
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


def rest_round(port: str, **key: Any) -> dict[str, Any]:
    client = DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(base_path=f"http://127.0.0.1:{port}", **key)
    ).rest_api
    seen: dict[str, Any] = {"time": client.check_server_time().data().server_time > 0}
    seen["symbols"] = [each.symbol for each in client.exchange_information().data().symbols]
    book = plain(client.order_book(symbol=BTC, limit=5).data())
    away = float(f"{float(book['bids'][0][0]) * 0.98:.1f}")
    seen["klines"] = isinstance(client.kline_candlestick_data(symbol=BTC, interval="1m").data(), list)
    placed = client.new_order(
        symbol=BTC,
        side="BUY",
        type="LIMIT",
        time_in_force="GTX",
        quantity=0.01,
        price=away,
        new_client_order_id="sdk-1",
    ).data()
    seen["status"] = [placed.status]
    amended = client.modify_order(symbol=BTC, order_id=placed.order_id, side="BUY", quantity=0.02, price=away).data()
    seen["amended"] = amended.orig_qty
    seen["open"] = [each.client_order_id for each in client.current_all_open_orders(symbol=BTC).data()]
    seen["status"].append(client.cancel_order(symbol=BTC, orig_client_order_id="sdk-1").data().status)
    client.new_order(symbol=BTC, side="BUY", type="MARKET", quantity=0.01)
    client.new_order(symbol=BTC, side="SELL", type="MARKET", quantity=0.01, reduce_only="true")
    seen["countdown"] = client.auto_cancel_all_open_orders(symbol=BTC, countdown_time=60_000).data().countdown_time
    client.cancel_all_open_orders(symbol=BTC)
    seen["trades"] = len(client.account_trade_list(symbol=BTC).data()) >= 2
    seen["balances"] = [row.asset for row in client.futures_account_balance_v3().data()]
    seen["positions"] = isinstance(client.position_information_v3(symbol=BTC).data(), list)
    seen["income"] = sorted({row.income_type for row in client.get_income_history().data()})
    seen["commission"] = client.user_commission_rate(symbol=BTC).data().taker_commission_rate
    seen["leverage"] = client.change_initial_leverage(symbol=BTC, leverage=10).data().leverage
    seen["listen key"] = len(client.start_user_data_stream().data().listen_key) > 20
    client.keepalive_user_data_stream()
    client.close_user_data_stream()
    return seen | more_orders(client, float(away))


def more_orders(client: Any, away: float) -> dict[str, Any]:
    """Times in force, batches, and settings."""
    seen: dict[str, Any] = {}
    limit = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "quantity": 0.01, "price": away}
    till = (int(time.time()) + 700) * 1_000
    seen["gtd"] = client.new_order(**limit, time_in_force="GTD", good_till_date=till).data().good_till_date == till
    seen["ioc"] = client.new_order(**limit, time_in_force="IOC").data().status
    try:
        client.new_order(**limit, time_in_force="FOK")
    except BadRequestError as error:
        seen["fok"] = "-5021" in str(error) or "FOK" in str(error) or "Fill or Kill" in str(error)
    order = {name: str(value) for name, value in limit.items()} | {"timeInForce": "GTX"}
    placed = [plain(row) for row in client.place_multiple_orders(batch_orders=[order, order]).data()]
    numbers = [row["orderId"] for row in placed]
    amended = client.modify_multiple_orders(
        batch_orders=[
            {"orderId": number, "symbol": BTC, "side": "BUY", "quantity": "0.02", "price": str(away)}
            for number in numbers
        ]
    ).data()
    seen["batch amended"] = [plain(row)["origQty"] for row in amended]
    canceled = client.cancel_multiple_orders(symbol=BTC, order_id_list=numbers).data()
    seen["batch canceled"] = [plain(row)["status"] for row in canceled]
    client.cancel_all_open_orders(symbol=BTC)
    seen["orders"] = len(client.all_orders(symbol=BTC).data()) >= 6
    brackets = plain(client.notional_and_leverage_brackets(symbol=BTC).data())
    rows = brackets[0] if isinstance(brackets, list) else brackets
    seen["brackets"] = len(rows["brackets"])
    try:
        client.change_margin_type(symbol=BTC, margin_type="CROSSED")
    except BadRequestError as error:
        seen["margin type"] = "No need to change margin type" in str(error)
    return seen


async def streams_round(port: str, key: str, secret: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    rest = DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(api_key=key, api_secret=secret, base_path=f"http://127.0.0.1:{port}")
    ).rest_api
    listen_key = (await asyncio.to_thread(rest.start_user_data_stream)).data().listen_key
    streams = DerivativesTradingUsdsFutures(
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=f"ws://127.0.0.1:{port}")
    ).websocket_streams
    connection = await streams.create_connection()
    got: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    depth = await connection.partial_book_depth_streams(symbol=BTC.lower(), levels=5)
    depth.on("message", lambda data: got.put_nowait(("depth", data)))
    for name, stream in (
        ("diff", await connection.diff_book_depth_streams(symbol=BTC.lower())),
        ("mark", await connection.mark_price_stream(symbol=BTC.lower())),
        ("kline", await connection.kline_candlestick_streams(symbol=BTC.lower(), interval="1m")),
    ):
        stream.on("message", lambda data, name=name: got.put_nowait((name, data)))
    trades = await connection.aggregate_trade_streams(symbol=BTC.lower())
    trades.on("message", lambda data: got.put_nowait(("trade", data)))
    user = await connection.user_data(listen_key)
    user.on("message", lambda data: got.put_nowait(("user", data)))
    order = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": 0.01}
    await asyncio.to_thread(lambda: rest.new_order(**order))
    book: JoinedBook | None = None
    async with asyncio.timeout(15):
        while set(seen) != {"depth", "diff", "mark", "kline", "trade", "user"} or not (book and book.is_in_sync):
            name, data = await got.get()
            seen[name] = True
            if name == "diff":
                if book is None:
                    snapshot = await asyncio.to_thread(lambda: rest.order_book(symbol=BTC, limit=1000).data())
                    book = JoinedBook(plain(snapshot))
                book.apply(plain(data))
    seen["book"] = book.is_in_sync
    await connection.close_connection(close_session=True)
    return seen


async def ws_api_round(port: str, *, logs_on: bool, **key: Any) -> dict[str, Any]:
    client = DerivativesTradingUsdsFutures(
        config_ws_api=ConfigurationWebSocketAPI(stream_url=f"ws://127.0.0.1:{port}/ws-fapi/v1", **key)
    ).websocket_api
    connection = await client.create_connection()
    seen: dict[str, Any] = {}
    try:
        if logs_on:
            said = await connection.send_signed_message(
                {"method": "session.logon", "params": {}}, signer=connection.signer, api_key=True, session_logon=True
            )
            seen["logon"] = said.data()["result"]["apiKey"]
        book = plain((await connection.order_book(symbol=BTC, limit=5)).data().result)
        away = float(f"{float(book['bids'][0][0]) * 0.98:.1f}")
        placed = await connection.new_order(
            symbol=BTC, side="BUY", type="LIMIT", time_in_force="GTX", quantity=0.01, price=away
        )
        order = placed.data().result
        seen["status"] = [order.status]
        changed = {"symbol": BTC, "order_id": order.order_id, "side": "BUY", "price": away}
        seen["amended"] = (await connection.modify_order(quantity=0.02, **changed)).data().result.orig_qty
        found = await connection.query_order(symbol=BTC, order_id=order.order_id)
        seen["found"] = found.data().result.orig_qty
        seen["status"].append((await connection.cancel_order(symbol=BTC, order_id=order.order_id)).data().result.status)
        seen["balance"] = len((await connection.futures_account_balance_v2()).data().result) > 0
    finally:
        await connection.close_connection(close_session=True)
    return seen


def main(port: str, key: str, secret: str, ed_key: str, ed_file: str) -> None:
    private = Path(ed_file).read_text(encoding="utf-8")
    result = {
        "rest": rest_round(port, api_key=key, api_secret=secret),
        "rest ed25519": rest_round(port, api_key=ed_key, private_key=private),
        "streams": asyncio.run(streams_round(port, key, secret)),
        "ws hmac": asyncio.run(ws_api_round(port, logs_on=False, api_key=key, api_secret=secret)),
        "ws ed25519": asyncio.run(ws_api_round(port, logs_on=True, api_key=ed_key, private_key=private)),
    }
    print("RESULT " + json.dumps(result))


main(*sys.argv[1:6])
