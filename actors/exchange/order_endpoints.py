"""Order endpoints: place, amend, cancel, batches, countdown, queries (facts sections 2.4 to 2.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actors.exchange import errors
from actors.exchange.accounts import Account
from actors.exchange.endpoint import Call, Desk, Route, weight_by_symbol
from actors.exchange.errors import VenueRefusal, invalid_parameter, mandatory
from actors.exchange.order_checks import (
    check_bands,
    read_int,
    read_order,
    read_price,
    read_quantity,
    read_side,
    required,
)
from actors.exchange.orders import Order, OrderRequest
from actors.exchange.shapes import amendment_row, queried_order_row, trade_row

BATCH_MAX = 5
CANCEL_BATCH_MAX = 10
AMENDMENTS_LISTED_MAX = 100
WEEK_MS = 7 * 86_400_000
COUNTDOWN_MS_MAX = 86_400_000

Params = Mapping[str, Any]


def place(desk: Desk, call: Call) -> Any:
    request = _read(desk, call.params)
    call.order_counts = desk.limits.charge_orders(call.account(desk).name, 1, 1, desk.venue.now_ms)
    return _place(desk, call, call.params, request)


def place_test(desk: Desk, call: Call) -> Any:
    _read(desk, call.params)
    return {}


def amend(desk: Desk, call: Call) -> Any:
    call.order_counts = desk.limits.charge_orders(call.account(desk).name, 1, 1, desk.venue.now_ms)
    return _amend(desk, call, call.params)


def cancel(desk: Desk, call: Call) -> Any:
    return _cancel(desk, call, call.params)


def place_batch(desk: Desk, call: Call) -> Any:
    return _batch(desk, call, "place", lambda params: _place(desk, call, params, _read(desk, params)))


def amend_batch(desk: Desk, call: Call) -> Any:
    return _batch(desk, call, "amend", lambda params: _amend(desk, call, params))


def cancel_batch(desk: Desk, call: Call) -> Any:
    symbol = call.market(desk).contract.symbol
    ids = _json_list(call.params, "orderIdList", "orderidlist")
    names = _json_list(call.params, "origClientOrderIdList", "origclientorderidlist")
    if ids is None and names is None:
        raise mandatory("orderIdList")
    targets = [{"symbol": symbol, "orderId": str(value)} for value in ids or []]
    targets += [{"symbol": symbol, "origClientOrderId": str(value)} for value in names or []]
    if len(targets) > CANCEL_BATCH_MAX:
        raise VenueRefusal(-4032, "Exceed maximum cancel order size.")
    return [_item(desk, call, "cancel", target, lambda params: _cancel(desk, call, params)) for target in targets]


def cancel_all(desk: Desk, call: Call) -> Any:
    desk.venue.cancel_all(call.account(desk), call.market(desk).contract.symbol)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def countdown(desk: Desk, call: Call) -> Any:
    symbol = call.market(desk).contract.symbol
    countdown_ms = read_int(call.params, "countdownTime")
    if countdown_ms is None:
        raise mandatory("countdownTime")
    if not 0 <= countdown_ms <= COUNTDOWN_MS_MAX:
        raise invalid_parameter("countdownTime")
    desk.venue.set_countdown(call.account(desk), symbol, countdown_ms)
    return {"symbol": symbol, "countdownTime": str(countdown_ms)}


def query(desk: Desk, call: Call) -> Any:
    return _queried(desk, _find(desk, call.account(desk), call.params))


def query_open(desk: Desk, call: Call) -> Any:
    order = _find(desk, call.account(desk), call.params)
    if not order.is_live:
        raise errors.no_such_order()
    return _queried(desk, order)


def open_orders(desk: Desk, call: Call) -> Any:
    named = call.market_if_named(desk)
    symbol = named.contract.symbol if named else None
    return desk.answers.listed(call.account(desk).live_orders(symbol), desk.venue)


def all_orders(desk: Desk, call: Call) -> Any:
    account, params = call.account(desk), call.params
    named = call.market_if_named(desk)
    from_id = read_int(params, "orderId")
    start_ms, end_ms = _time_range(desk, params)
    limit = _limit(params)
    rows = []
    for order in account.orders.values():
        if named is not None and order.symbol != named.contract.symbol:
            continue
        if (order.order_id >= from_id) if from_id is not None else (start_ms <= order.created_ms <= end_ms):
            row = queried_order_row(order, desk.venue.market(order.symbol))
            rows.append(row | {"pair": order.symbol, "cumBase": row["executedQty"]})
    return rows[:limit] if from_id is not None or "startTime" in params else rows[-limit:]


def user_trades(desk: Desk, call: Call) -> Any:
    account, params = call.account(desk), call.params
    symbol = call.market(desk).contract.symbol
    order_id, from_id = read_int(params, "orderId"), read_int(params, "fromId")
    if from_id is not None and ("startTime" in params or "endTime" in params):
        raise VenueRefusal(-1128, "Combination of optional parameters invalid.")
    start_ms, end_ms = _time_range(desk, params)
    limit = _limit(params)
    rows = [
        trade_row(trade)
        for trade in account.trades
        if trade.symbol == symbol
        and (order_id is None or trade.order_id == order_id)
        and ((trade.trade_id >= from_id) if from_id is not None else (start_ms <= trade.time_ms <= end_ms))
    ]
    return rows[:limit] if from_id is not None or "startTime" in params else rows[-limit:]


def amendments(desk: Desk, call: Call) -> Any:
    """What was amended of one order, oldest first (facts section 2.4)."""
    order = _find(desk, call.account(desk), call.params)
    start_ms, end_ms = _time_range(desk, call.params)
    limit = read_int(call.params, "limit", 50) or 50
    if not 0 < limit <= AMENDMENTS_LISTED_MAX:
        raise invalid_parameter("limit")
    rows = [
        amendment_row(each)
        for each in call.account(desk).amendments
        if each.record.order_id == order.order_id and start_ms <= each.record.t // 1_000_000 <= end_ms
    ]
    return rows[-limit:]


def _read(desk: Desk, params: Params) -> OrderRequest:
    symbol = required(params, "symbol")
    market = desk.venue.market(symbol)
    return read_order(params, market, f"web_{desk.venue.next_order_id}", desk.venue.now_ms)


def _place(desk: Desk, call: Call, params: Params, request: OrderRequest) -> Any:
    response_type = (params.get("newOrderRespType") or "ACK").upper()
    if response_type not in ("ACK", "RESULT"):
        raise VenueRefusal(-1136, "Invalid newOrderRespType.")
    order = desk.venue.place(call.account(desk), request)
    return desk.answers.placed(order, desk.venue.market(order.symbol), as_new=response_type == "ACK")


def _amend(desk: Desk, call: Call, params: Params) -> Any:
    account = call.account(desk)
    order = _find(desk, account, params)
    if not order.is_live:
        raise errors.no_such_order()
    if order.type != "LIMIT":
        raise VenueRefusal(-5025, "Only limit order is supported.")
    if read_side(params) != order.side:
        raise VenueRefusal(-1117, "Invalid side.")
    market = desk.venue.market(order.symbol)
    price_ticks, lots = read_price(params, market), read_quantity(params, market, is_market=False)
    check_bands(market, price_ticks, lots, is_buy=order.is_buy, reduce_only=order.reduce_only)
    timestamp_ms, window_ms = _timing(call)
    modify_id = read_int(params, "modifyId")
    desk.venue.amend(account, order, price_ticks, lots, modify_id, timestamp_ms, window_ms)
    return desk.answers.amended(order, market, modify_id)


def _cancel(desk: Desk, call: Call, params: Params) -> Any:
    account = call.account(desk)
    try:
        order = _find(desk, account, params)
    except VenueRefusal as refusal:
        raise errors.unknown_order() if refusal.code == -2013 else refusal from None
    if not order.is_live:
        raise errors.unknown_order()
    return desk.answers.canceled(desk.venue.cancel(order), desk.venue.market(order.symbol))


def _find(desk: Desk, account: Account, params: Params) -> Order:
    symbol = required(params, "symbol")
    desk.venue.market(symbol)
    order_id = read_int(params, "orderId")
    client_order_id = params.get("origClientOrderId")
    if order_id is None and not client_order_id:
        raise VenueRefusal(-1102, "Either 'orderId' or 'origClientOrderId' must be sent.")
    order = account.find_order(symbol, order_id, client_order_id)
    if order is None:
        raise errors.no_such_order()
    return order


def _queried(desk: Desk, order: Order) -> Any:
    return desk.answers.queried(order, desk.venue.market(order.symbol))


def _batch(desk: Desk, call: Call, method: str, one: Callable[[Params], Any]) -> Any:
    items = _json_list(call.params, "batchOrders")
    if items is None:
        raise mandatory("batchOrders")
    if not 1 <= len(items) <= BATCH_MAX or not all(isinstance(item, dict) for item in items):
        raise VenueRefusal(-4082, "Invalid number of batch place orders.")
    call.order_counts = desk.limits.charge_orders(call.account(desk).name, BATCH_MAX, 1, desk.venue.now_ms)
    timestamp_ms, window_ms = _timing(call)
    times = {"timestamp": str(timestamp_ms), "recvWindow": str(window_ms)}
    return [
        _item(desk, call, method, {name: text(value) for name, value in item.items()} | times, one) for item in items
    ]


def _item(desk: Desk, call: Call, method: str, params: Params, one: Callable[[Params], Any]) -> Any:
    try:
        return one(params)
    except VenueRefusal as refusal:
        name = params.get("newClientOrderId") or params.get("origClientOrderId") or ""
        desk.venue.refuse(call.account(desk).name, params.get("symbol", ""), method, refusal.code, name)
        return {"code": refusal.code, "msg": refusal.msg}


def _json_list(params: Params, *names: str) -> list[Any] | None:
    found = next((params[name] for name in names if params.get(name)), None)
    if found is None:
        return None
    try:
        values = msgspec.json.decode(found)
    except msgspec.DecodeError:
        raise invalid_parameter(names[0]) from None
    if not isinstance(values, list):
        raise invalid_parameter(names[0])
    return values


def text(value: Any) -> str:
    """A JSON parameter as the text that a query would carry."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _timing(call: Call) -> tuple[int, int]:
    return (call.timing.timestamp_ms, call.timing.recv_window_ms) if call.timing is not None else (0, 0)


def _time_range(desk: Desk, params: Params) -> tuple[int, int]:
    end_ms = read_int(params, "endTime", desk.venue.now_ms) or 0
    start_ms = read_int(params, "startTime", end_ms - WEEK_MS) or 0
    if start_ms > end_ms:
        raise VenueRefusal(-1023, "Start time is greater than end time.")
    if end_ms - start_ms > WEEK_MS and "startTime" in params and "endTime" in params:
        raise VenueRefusal(-4165, "Invalid time interval: the maximum is 7 days.")
    return start_ms, end_ms


def _limit(params: Params) -> int:
    limit = read_int(params, "limit", 500) or 500
    if not 0 < limit <= 1000:
        raise invalid_parameter("limit")
    return limit


def _order(method: str, handler: Any, weight: int, trades: str) -> Route:
    return Route(method=method, path="/fapi/v1/order", handler=handler, weight=weight, trades=trades)


ROUTES = [
    _order("POST", place, 0, "place"),
    _order("PUT", amend, 0, "amend"),
    _order("DELETE", cancel, 1, "cancel"),
    _order("GET", query, 1, ""),
    Route(method="POST", path="/fapi/v1/order/test", handler=place_test),
    Route(method="GET", path="/fapi/v1/openOrder", handler=query_open),
    Route(method="POST", path="/fapi/v1/batchOrders", handler=place_batch, weight=5, trades="place"),
    Route(method="PUT", path="/fapi/v1/batchOrders", handler=amend_batch, weight=5, trades="amend"),
    Route(method="DELETE", path="/fapi/v1/batchOrders", handler=cancel_batch, trades="cancel"),
    Route(method="DELETE", path="/fapi/v1/allOpenOrders", handler=cancel_all, trades="cancel_all"),
    Route(method="POST", path="/fapi/v1/countdownCancelAll", handler=countdown, weight=10, trades="countdown"),
    Route(method="GET", path="/fapi/v1/orderAmendment", handler=amendments),
    Route(method="GET", path="/fapi/v1/openOrders", handler=open_orders, weight=weight_by_symbol(1, 40)),
    Route(method="GET", path="/fapi/v1/allOrders", handler=all_orders, weight=5),
    Route(method="GET", path="/fapi/v1/userTrades", handler=user_trades, weight=5),
]
