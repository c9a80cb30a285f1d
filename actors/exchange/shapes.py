"""JSON shapes of the REST and WebSocket API answers (facts sections 2 and 7)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from actors.exchange.accounts import (
    Account,
    Amendment,
    Position,
    Trade,
    symbol_margin,
)
from actors.exchange.contracts import Contract
from actors.exchange.liquidation import adl_quantile
from actors.exchange.margin import liquidation_price, maintenance, maintenance_of
from actors.exchange.market import Market
from actors.exchange.orders import Order
from actors.exchange.streams import DELIVERY_MS, ONBOARD_MS
from actors.exchange.user_stream import average_price, money, plain
from actors.exchange.venue import Venue

ZERO_MONEY = "0.00000000"


def order_row(order: Order, market: Market) -> dict[str, Any]:
    """An order as place, amend and cancel answer it."""
    numbers = market.numbers
    executed = numbers.quantity_text(order.executed_lots)
    return {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_order_id,
        "price": numbers.price_text(order.price_ticks),
        "avgPrice": plain(average_price(order, market.contract)) if order.executed_lots else "0.00",
        "origQty": numbers.quantity_text(order.lots),
        "executedQty": executed,
        "cumQty": executed,
        "cumQuote": f"{order.executed_quote:.5f}",
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": order.side,
        "positionSide": "BOTH",
        "stopPrice": "0.00",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": order.type,
        "priceMatch": order.price_match,
        "selfTradePreventionMode": order.stp_mode,
        "goodTillDate": order.good_till_ms,
        "updateTime": order.updated_ms,
    }


def queried_order_row(order: Order, market: Market) -> dict[str, Any]:
    """An order as queries answer it: with its creation time, without cumQty."""
    row = order_row(order, market)
    del row["cumQty"]
    row["time"] = order.created_ms
    return row


def trade_row(trade: Trade) -> dict[str, Any]:
    """A row of userTrades."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": trade.side,
        "price": plain(trade.price),
        "qty": plain(trade.quantity),
        "realizedPnl": plain(trade.realized_pnl),
        "quoteQty": plain(trade.price * trade.quantity),
        "baseQty": plain(trade.quantity),
        "marginAsset": trade.commission_asset,
        "pair": trade.symbol,
        "commission": money(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": trade.time_ms,
        "positionSide": "BOTH",
        "buyer": trade.side == "BUY",
        "maker": trade.maker,
    }


def amendment_row(amendment: Amendment) -> dict[str, Any]:
    """A row of orderAmendment."""
    record = amendment.record
    changed: dict[str, Any] = {
        "price": {"before": plain(record.price_before), "after": plain(record.price)},
        "origQty": {"before": plain(record.quantity_before), "after": plain(record.quantity)},
        "count": amendment.number,
    }
    if amendment.modify_id is not None:
        changed["modifyId"] = amendment.modify_id
    return {
        "amendmentId": amendment.amendment_id,
        "symbol": record.symbol,
        "pair": record.symbol,
        "orderId": record.order_id,
        "clientOrderId": record.client_order_id,
        "time": record.t // 1_000_000,
        "amendment": changed,
    }


def symbol_row(market: Market) -> dict[str, Any]:
    """One symbol of exchangeInfo."""
    contract, numbers = market.contract, market.numbers
    lot = numbers.quantity_text(1)
    return {
        "symbol": contract.symbol,
        "pair": contract.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": DELIVERY_MS,
        "onboardDate": ONBOARD_MS,
        "status": market.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": contract.base_asset,
        "quoteAsset": contract.quote_asset,
        "marginAsset": contract.margin_asset,
        "pricePrecision": contract.price_decimals,
        "quantityPrecision": contract.quantity_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW" if contract.base_asset == "BTC" else "Layer-1"],
        "triggerProtect": "0.0500",
        "liquidationFee": f"{contract.liquidation_fee:.6f}",
        "marketTakeBound": plain(contract.market_take_bound),
        "maxMoveOrderLimit": 10000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": plain(contract.tick_size),
                "maxPrice": plain(contract.price(contract.price_ticks_max)),
                "tickSize": plain(contract.tick_size * market.tick_multiple),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": lot,
                "maxQty": plain(contract.quantity(contract.quantity_lots_max)),
                "stepSize": lot,
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": lot,
                "maxQty": plain(contract.quantity(contract.market_lots_max)),
                "stepSize": lot,
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": contract.open_orders_max},
            {"filterType": "MIN_NOTIONAL", "notional": plain(contract.notional_min)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{contract.multiplier_up:.4f}",
                "multiplierDown": f"{contract.multiplier_down:.4f}",
                "multiplierDecimal": "4",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY"],
    }


def max_notional(account: Account, market: Market) -> str:
    """The largest position that the account's leverage allows."""
    leverage = account.position(market.contract.symbol).leverage
    return str(int(market.brackets.notional_max(leverage)))


def position_row(account: Account, venue: Venue, market: Market, *, version: int) -> dict[str, Any]:
    """A row of positionRisk v2 or v3."""
    position, mark = account.position(market.contract.symbol), market.mark_price
    notional = position.amount * mark
    entry = plain(position.entry_price)
    amount = _amount(position.amount, market.contract)
    row: dict[str, Any] = {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": amount,
        "entryPrice": entry,
        "breakEvenPrice": entry,
        "markPrice": money(mark),
        "unRealizedProfit": money(position.unrealized(mark)),
        "liquidationPrice": plain(liquidation_price(account, venue.markets, market)),
        "isolatedMargin": "0",
        "notional": money(notional),
        "isolatedWallet": "0",
        "updateTime": position.updated_ms,
    }
    if version == 2:
        return row | {
            "leverage": str(position.leverage),
            "maxNotionalValue": max_notional(account, market),
            "marginType": "cross" if position.margin_type == "CROSSED" else "isolated",
            "isAutoAddMargin": "false",
        }
    margin = symbol_margin(account, market.contract, mark)
    buys, sells = _open_notionals(account, market)
    return row | {
        "marginAsset": market.contract.margin_asset,
        "initialMargin": money(margin.worst),
        "maintMargin": money(maintenance_of(account, market)),
        "positionInitialMargin": money(margin.position),
        "openOrderInitialMargin": money(margin.worst - margin.position),
        "adl": adl_quantile(account, market, list(venue.accounts.values())),
        "bidNotional": money(buys),
        "askNotional": money(sells),
    }


def balance_rows(account: Account, venue: Venue) -> list[dict[str, Any]]:
    """Rows of balance v2 and v3."""
    rows = []
    for asset, wallet in account.wallets.items():
        available = max(Decimal(0), venue.available(account, asset))
        rows.append(
            {
                "accountAlias": account.name,
                "asset": asset,
                "balance": money(wallet),
                "crossWalletBalance": money(wallet),
                "crossUnPnl": money(_unrealized(account, venue, asset)),
                "availableBalance": money(available),
                "maxWithdrawAmount": money(min(available, wallet)),
                "marginAvailable": True,
                "updateTime": account.updated_ms,
            }
        )
    return rows


def account_body(account: Account, venue: Venue, *, version: int) -> dict[str, Any]:
    """account v2 or v3; totals are in quote currency over all assets at par."""
    assets = [_asset_row(account, venue, asset, version=version) for asset in account.wallets]
    positions = [
        _account_position_row(account.position(symbol), account, market, version=version)
        for symbol, market in venue.markets.items()
        if version == 2 or account.position(symbol).amount or account.live_orders(symbol)
    ]
    totals = {
        total: money(sum((Decimal(row[name]) for row in assets), Decimal(0)))
        for total, name in (
            ("totalInitialMargin", "initialMargin"),
            ("totalMaintMargin", "maintMargin"),
            ("totalWalletBalance", "walletBalance"),
            ("totalUnrealizedProfit", "unrealizedProfit"),
            ("totalMarginBalance", "marginBalance"),
            ("totalPositionInitialMargin", "positionInitialMargin"),
            ("totalOpenOrderInitialMargin", "openOrderInitialMargin"),
            ("totalCrossWalletBalance", "crossWalletBalance"),
            ("totalCrossUnPnl", "crossUnPnl"),
            ("availableBalance", "availableBalance"),
            ("maxWithdrawAmount", "maxWithdrawAmount"),
        )
    }
    if version == 2:
        return (
            {"feeTier": venue.fee_schedule.tier, "feeBurn": account.fee_burn}
            | {"canTrade": True, "canDeposit": True, "canWithdraw": True, "updateTime": 0}
            | {"multiAssetsMargin": False, "tradeGroupId": -1}
            | totals
            | {"assets": assets, "positions": positions}
        )
    return totals | {"assets": assets, "positions": positions}


class AssetMargin(NamedTuple):
    """What an account has of an asset, and what its positions and orders keep of it."""

    wallet: Decimal
    unrealized: Decimal
    maintenance: Decimal
    initial: Decimal
    position_initial: Decimal
    available: Decimal


def asset_margin(account: Account, venue: Venue, asset: str) -> AssetMargin:
    """Cross margin of one asset."""
    wallet = account.wallets[asset]
    unrealized = _unrealized(account, venue, asset)
    initial = position_initial = Decimal(0)
    for market in venue.markets.values():
        if market.contract.margin_asset == asset:
            margin = symbol_margin(account, market.contract, market.mark_price)
            initial += margin.worst
            position_initial += margin.position
    available = max(Decimal(0), wallet + unrealized - initial)
    needed = maintenance(account, venue.markets, asset)
    return AssetMargin(wallet, unrealized, needed, initial, position_initial, available)


def _asset_row(account: Account, venue: Venue, asset: str, *, version: int) -> dict[str, Any]:
    wallet, unrealized, needed, initial, position_initial, available = asset_margin(account, venue, asset)
    row: dict[str, Any] = {
        "asset": asset,
        "walletBalance": money(wallet),
        "unrealizedProfit": money(unrealized),
        "marginBalance": money(wallet + unrealized),
        "maintMargin": money(needed),
        "initialMargin": money(initial),
        "positionInitialMargin": money(position_initial),
        "openOrderInitialMargin": money(initial - position_initial),
        "crossWalletBalance": money(wallet),
        "crossUnPnl": money(unrealized),
        "availableBalance": money(available),
        "maxWithdrawAmount": money(min(available, wallet)),
        "updateTime": account.updated_ms,
    }
    return row | {"marginAvailable": True} if version == 2 else row


def _account_position_row(position: Position, account: Account, market: Market, *, version: int) -> dict[str, Any]:
    mark = market.mark_price
    margin = symbol_margin(account, market.contract, mark)
    notional = position.amount * mark
    row: dict[str, Any] = {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": _amount(position.amount, market.contract),
        "unrealizedProfit": money(position.unrealized(mark)),
        "isolatedMargin": "0",
        "notional": money(notional),
        "isolatedWallet": "0",
        "initialMargin": money(margin.worst),
        "maintMargin": money(maintenance_of(account, market)),
        "updateTime": position.updated_ms,
    }
    if version == 3:
        return row
    buys, sells = _open_notionals(account, market)
    entry = plain(position.entry_price)
    return row | {
        "positionInitialMargin": money(margin.position),
        "openOrderInitialMargin": money(margin.worst - margin.position),
        "leverage": str(position.leverage),
        "isolated": position.margin_type != "CROSSED",
        "entryPrice": entry,
        "breakEvenPrice": entry,
        "maxNotional": max_notional(account, market),
        "bidNotional": money(buys),
        "askNotional": money(sells),
    }


def _open_notionals(account: Account, market: Market) -> tuple[Decimal, Decimal]:
    contract = market.contract
    totals = {"BUY": Decimal(0), "SELL": Decimal(0)}
    for order in account.live_orders(contract.symbol):
        totals[order.side] += contract.price(order.price_ticks) * contract.quantity(order.remaining_lots)
    return totals["BUY"], totals["SELL"]


def _unrealized(account: Account, venue: Venue, asset: str) -> Decimal:
    return sum(
        (
            account.position(symbol).unrealized(market.mark_price)
            for symbol, market in venue.markets.items()
            if market.contract.margin_asset == asset
        ),
        Decimal(0),
    )


def _amount(amount: Decimal, contract: Contract) -> str:
    return f"{amount:.{contract.quantity_decimals}f}" if amount else f"{0:.{contract.quantity_decimals}f}"
