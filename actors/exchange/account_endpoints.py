"""Account endpoints: balances, positions, configuration, income, listen keys (facts sections 2.3 and 2.8)."""

from __future__ import annotations

from typing import Any

from actors.exchange.accounts import Account, Income
from actors.exchange.brackets import LEVERAGE_MAX
from actors.exchange.endpoint import Call, Desk, Route, Security, weight_by_symbol
from actors.exchange.errors import VenueRefusal, invalid_parameter, mandatory, unsupported
from actors.exchange.liquidation import adl_quantile as adl_quantile_of
from actors.exchange.order_checks import read_flag, read_int, required
from actors.exchange.shapes import account_body, balance_rows, max_notional, position_row, queried_order_row
from actors.exchange.user_stream import money

SUCCESS = {"code": 200, "msg": "success"}
PERMISSIONS = (
    "enableReading",
    "enableFutures",
    "enableWithdrawals",
    "enableInternalTransfer",
    "permitsUniversalTransfer",
    "enableSpotAndMarginTrading",
    "enableMargin",
    "enableVanillaOptions",
    "enablePortfolioMarginTrading",
    "enableFixApiTrade",
    "enableFixReadOnly",
)
WEEK_MS = 7 * 86_400_000


def account_v2(desk: Desk, call: Call) -> Any:
    return account_body(call.account(desk), desk.venue, version=2)


def account_v3(desk: Desk, call: Call) -> Any:
    return desk.answers.margins(call.account(desk), desk.venue)


def balance(desk: Desk, call: Call) -> Any:
    return balance_rows(call.account(desk), desk.venue)


def position_risk_v2(desk: Desk, call: Call) -> Any:
    account, named = call.account(desk), call.market_if_named(desk)
    markets = [named] if named else list(desk.venue.markets.values())
    return [position_row(account, desk.venue, m, version=2) for m in markets]


def position_risk_v3(desk: Desk, call: Call) -> Any:
    account, named = call.account(desk), call.market_if_named(desk)
    markets = [named] if named else list(desk.venue.markets.values())
    shown = [m for m in markets if account.position(m.contract.symbol).amount or account.live_orders(m.contract.symbol)]
    return desk.answers.positions(account, desk.venue, shown)


def account_config(desk: Desk, call: Call) -> Any:
    return {
        "feeTier": desk.venue.fee_schedule.tier,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def symbol_config(desk: Desk, call: Call) -> Any:
    account, named = call.account(desk), call.market_if_named(desk)
    return [
        {
            "symbol": market.contract.symbol,
            "marginType": account.position(market.contract.symbol).margin_type,
            "isAutoAddMargin": False,
            "leverage": account.position(market.contract.symbol).leverage,
            "maxNotionalValue": max_notional(account, market),
        }
        for market in ([named] if named else desk.venue.markets.values())
    ]


def leverage_brackets(desk: Desk, call: Call) -> Any:
    named = call.market_if_named(desk)
    return [
        {"symbol": market.contract.symbol, "notionalCoef": 1.0, "brackets": market.brackets.described()}
        for market in ([named] if named else desk.venue.markets.values())
    ]


def position_mode(desk: Desk, call: Call) -> Any:
    return {"dualSidePosition": False}


def set_position_mode(desk: Desk, call: Call) -> Any:
    required(call.params, "dualSidePosition")
    if read_flag(call.params, "dualSidePosition"):
        raise unsupported("hedge mode; positions are one-way")
    raise VenueRefusal(-4059, "No need to change position side.")


def multi_assets_mode(desk: Desk, call: Call) -> Any:
    return {"multiAssetsMargin": False}


def set_multi_assets_mode(desk: Desk, call: Call) -> Any:
    required(call.params, "multiAssetsMargin")
    if read_flag(call.params, "multiAssetsMargin"):
        raise unsupported("multi-assets mode; each asset is its own margin")
    raise VenueRefusal(-4171, "No need to change multi-assets mode.")


def set_leverage(desk: Desk, call: Call) -> Any:
    market = call.market(desk)
    leverage = read_int(call.params, "leverage")
    if leverage is None:
        raise mandatory("leverage")
    if not 1 <= leverage <= LEVERAGE_MAX:
        raise VenueRefusal(-4028, f"Leverage {leverage} is not valid")
    account = call.account(desk)
    desk.venue.set_leverage(account, market.contract.symbol, leverage)
    most = max_notional(account, market)
    return {"leverage": leverage, "maxNotionalValue": most, "symbol": market.contract.symbol}


def set_margin_type(desk: Desk, call: Call) -> Any:
    call.market(desk)
    margin_type = required(call.params, "marginType")
    if margin_type == "CROSSED":
        raise VenueRefusal(-4046, "No need to change margin type.")
    if margin_type == "ISOLATED":
        raise unsupported("isolated margin; positions are cross")
    raise invalid_parameter("marginType")


def commission_rate(desk: Desk, call: Call) -> Any:
    market = call.market(desk)
    fees = desk.venue.fees(market.contract)
    return {
        "symbol": market.contract.symbol,
        "makerCommissionRate": money(fees.maker),
        "takerCommissionRate": money(fees.taker),
        "rpiCommissionRate": money(fees.maker),
    }


def key_permissions(desk: Desk, call: Call) -> Any:
    """What the key that asks may do, as the wallet of the venue says it."""
    granted = call.credential.permissions if call.credential is not None else frozenset()
    return {"ipRestrict": True, "createTime": 0, **{name: name in granted for name in PERMISSIONS}}


def fee_burn(desk: Desk, call: Call) -> Any:
    return {"feeBurn": call.account(desk).fee_burn}


def set_fee_burn(desk: Desk, call: Call) -> Any:
    required(call.params, "feeBurn")
    desk.venue.set_fee_burn(call.account(desk), fee_burn=read_flag(call.params, "feeBurn"))
    return SUCCESS


def income(desk: Desk, call: Call) -> Any:
    account, params = call.account(desk), call.params
    kind, symbol = params.get("incomeType"), params.get("symbol")
    end_ms = read_int(params, "endTime", desk.venue.now_ms) or 0
    start_ms = read_int(params, "startTime", end_ms - WEEK_MS) or 0
    limit = read_int(params, "limit", 100) or 100
    page = read_int(params, "page", 1) or 1
    if not 0 < limit <= 1000 or page < 1:
        raise invalid_parameter("limit" if page >= 1 else "page")
    rows = [
        _income_row(row)
        for row in account.income
        if start_ms <= row.time_ms <= end_ms and (not kind or row.kind == kind) and (not symbol or row.symbol == symbol)
    ]
    if "page" in params or "startTime" in params:
        return rows[(page - 1) * limit : page * limit]
    return rows[-limit:]


def order_limits(desk: Desk, call: Call) -> Any:
    return [row for row in reversed(desk.limits.described()) if row["rateLimitType"] == "ORDERS"]


def adl_quantile(desk: Desk, call: Call) -> Any:
    named = call.market_if_named(desk)
    account, accounts = call.account(desk), list(desk.venue.accounts.values())
    return [
        {
            "symbol": market.contract.symbol,
            "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": adl_quantile_of(account, market, accounts)},
        }
        for market in ([named] if named else desk.venue.markets.values())
    ]


def force_orders(desk: Desk, call: Call) -> Any:
    """Orders by which the venue closed positions of the account."""
    account, params = call.account(desk), call.params
    symbol, kind = params.get("symbol"), params.get("autoCloseType")
    if kind not in (None, "", "LIQUIDATION", "ADL"):
        raise invalid_parameter("autoCloseType")
    limit = read_int(params, "limit", 50) or 50
    if not 0 < limit <= 100:
        raise invalid_parameter("limit")
    end_ms = read_int(params, "endTime", desk.venue.now_ms) or 0
    start_ms = read_int(params, "startTime", end_ms - WEEK_MS) or 0
    rows = []
    for number in account.forced:
        order = account.orders.get(number)
        if order is None or (symbol and order.symbol != symbol) or not start_ms <= order.created_ms <= end_ms:
            continue
        if kind and (order.type == "LIQUIDATION") != (kind == "LIQUIDATION"):
            continue
        row = queried_order_row(order, desk.venue.market(order.symbol))
        rows.append(row | {"type": "LIMIT", "origType": "LIMIT", "pair": order.symbol, "cumBase": row["executedQty"]})
    return rows[-limit:]


def trading_status(desk: Desk, call: Call) -> Any:
    account, named = call.account(desk), call.market_if_named(desk)
    markets = [named] if named else desk.venue.markets.values()
    rows = {market.contract.symbol: _indicators(account, market.contract.symbol) for market in markets}
    return {"indicators": rows, "updateTime": desk.venue.now_ms}


def _indicators(account: Account, symbol: str) -> list[dict[str, Any]]:
    """The quantitative rules' ratios over the orders that are remembered; this venue locks nobody out for them."""
    orders = [order for order in account.orders.values() if order.symbol == symbol]
    immediate = [order for order in orders if order.time_in_force in ("IOC", "FOK")]
    resting = [order for order in orders if order.time_in_force == "GTC" and order.type == "LIMIT"]
    ratios = {
        "UFR": (sum(not order.executed_lots for order in orders), len(orders), 0.995),
        "IFER": (sum(order.status == "EXPIRED" for order in immediate), len(immediate), 0.99),
        "GCR": (sum(order.status == "CANCELED" for order in resting), len(resting), 0.99),
        "DR": (0, 1, 0.99),
    }
    return [
        {
            "isLocked": False,
            "plannedRecoverTime": 0,
            "indicator": name,
            "value": round(part / whole, 4) if whole else 0.0,
            "triggerValue": trigger,
        }
        for name, (part, whole, trigger) in ratios.items()
    ]


def start_listen_key(desk: Desk, call: Call) -> Any:
    return {"listenKey": desk.listen_keys.start(call.account(desk).name, desk.venue.now_ms)}


def renew_listen_key(desk: Desk, call: Call) -> Any:
    return {"listenKey": desk.listen_keys.renew(call.account(desk).name, desk.venue.now_ms)}


def close_listen_key(desk: Desk, call: Call) -> Any:
    desk.listen_keys.close(call.account(desk).name)
    return {}


def _income_row(row: Income) -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "incomeType": row.kind,
        "income": money(row.amount),
        "asset": row.asset,
        "info": row.kind if row.kind == "FUNDING_FEE" else row.trade_id,
        "time": row.time_ms,
        "tranId": row.tran_id,
        "tradeId": row.trade_id,
    }


def _key(method: str, handler: Any) -> Route:
    return Route(method=method, path="/fapi/v1/listenKey", handler=handler, security=Security.KEY)


def _get(path: str, handler: Any, weight: Any = 5) -> Route:
    return Route(method="GET", path=path, handler=handler, weight=weight)


def _post(path: str, handler: Any) -> Route:
    return Route(method="POST", path=path, handler=handler)


ROUTES = [
    _get("/fapi/v2/account", account_v2),
    _get("/fapi/v3/account", account_v3),
    _get("/fapi/v2/balance", balance),
    _get("/fapi/v3/balance", balance),
    _get("/fapi/v2/positionRisk", position_risk_v2),
    _get("/fapi/v3/positionRisk", position_risk_v3),
    _get("/fapi/v1/accountConfig", account_config),
    _get("/fapi/v1/symbolConfig", symbol_config),
    _get("/fapi/v1/leverageBracket", leverage_brackets, 1),
    _get("/fapi/v1/positionSide/dual", position_mode, 30),
    _post("/fapi/v1/positionSide/dual", set_position_mode),
    _get("/fapi/v1/multiAssetsMargin", multi_assets_mode, 30),
    _post("/fapi/v1/multiAssetsMargin", set_multi_assets_mode),
    _post("/fapi/v1/leverage", set_leverage),
    _post("/fapi/v1/marginType", set_margin_type),
    _get("/fapi/v1/commissionRate", commission_rate, 20),
    _get("/sapi/v1/account/apiRestrictions", key_permissions, 1),
    _get("/fapi/v1/feeBurn", fee_burn, 30),
    _post("/fapi/v1/feeBurn", set_fee_burn),
    _get("/fapi/v1/income", income, 30),
    _get("/fapi/v1/rateLimit/order", order_limits, 1),
    _get("/fapi/v1/adlQuantile", adl_quantile),
    _get("/fapi/v1/forceOrders", force_orders, weight_by_symbol(20, 50)),
    _get("/fapi/v1/apiTradingStatus", trading_status, weight_by_symbol(1, 10)),
    _key("POST", start_listen_key),
    _key("PUT", renew_listen_key),
    _key("DELETE", close_listen_key),
]
