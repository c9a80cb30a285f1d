"""Public endpoints: time, contracts, book, trades, mark price (facts sections 2.1 and 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from actors.exchange.endpoint import Call, Desk, Route, Security, weight_by_symbol
from actors.exchange.errors import VenueRefusal, invalid_parameter
from actors.exchange.market import FUNDING_INTERVAL_NS, Market
from actors.exchange.order_checks import read_int
from actors.exchange.shapes import symbol_row
from actors.exchange.user_stream import money, plain

DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
DEPTH_LIMIT = 500
DEPTH_LIMIT_MAX = 1_000


def ping(desk: Desk, call: Call) -> Any:
    return {}


def server_time(desk: Desk, call: Call) -> Any:
    return {"serverTime": desk.venue.clock_ms}


def exchange_info(desk: Desk, call: Call) -> Any:
    assets = sorted({market.contract.margin_asset for market in desk.venue.markets.values()})
    return {
        "timezone": "UTC",
        "serverTime": desk.venue.clock_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": desk.limits.described(),
        "exchangeFilters": [],
        "assets": [{"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"} for asset in assets],
        "symbols": [symbol_row(market) for market in desk.venue.markets.values()],
    }


def depth(desk: Desk, call: Call) -> Any:
    market = call.market(desk)
    limit = read_int(call.params, "limit", DEPTH_LIMIT)
    if limit not in DEPTH_WEIGHTS:
        raise VenueRefusal(-4021, f"{limit} is not valid depth limit")
    return depth_body(market, limit, desk.venue.now_ms)


def depth_body(market: Market, limit: int, now_ms: int) -> dict[str, Any]:
    """A snapshot of the best `limit` levels."""
    numbers = market.numbers
    return {
        "lastUpdateId": market.update_id,
        "E": now_ms,
        "T": now_ms,
        "bids": [
            [numbers.price_text(price), numbers.quantity_text(lots)]
            for price, lots in market.published_levels(bids=True, limit=limit)
        ],
        "asks": [
            [numbers.price_text(price), numbers.quantity_text(lots)]
            for price, lots in market.published_levels(bids=False, limit=limit)
        ],
    }


def trades(desk: Desk, call: Call) -> Any:
    market = call.market(desk)
    return [
        {
            "id": trade.trade_id,
            "price": market.numbers.price_text(trade.price_ticks),
            "qty": market.numbers.quantity_text(trade.lots),
            "quoteQty": plain(market.contract.price(trade.price_ticks) * market.contract.quantity(trade.lots)),
            "time": trade.time_ms,
            "isBuyerMaker": trade.buyer_is_maker,
            "isRPITrade": False,
        }
        for trade in _newest(market, _limit(call, 500, 1000))
    ]


def aggregate_trades(desk: Desk, call: Call) -> Any:
    market = call.market(desk)
    rows = []
    for trade in _newest(market, _limit(call, 500, 1000)):
        quantity = market.numbers.quantity_text(trade.lots)
        rows.append(
            {
                "a": trade.trade_id,
                "p": market.numbers.price_text(trade.price_ticks),
                "q": quantity,
                "nq": quantity,
                "f": trade.trade_id,
                "l": trade.trade_id,
                "T": trade.time_ms,
                "m": trade.buyer_is_maker,
            }
        )
    return rows


def premium_index(desk: Desk, call: Call) -> Any:
    named = call.market_if_named(desk)
    now_ms = desk.venue.now_ms
    rows = [
        {
            "symbol": market.contract.symbol,
            "markPrice": money(market.mark_price),
            "indexPrice": money(market.index_price),
            "estimatedSettlePrice": money(market.mark_price),
            "lastFundingRate": money(market.funding_rate),
            "interestRate": "0.00010000",
            "nextFundingTime": market.next_funding_ns // 1_000_000,
            "time": now_ms,
        }
        for market in ([named] if named else desk.venue.markets.values())
    ]
    return rows[0] if named else rows


def funding_rate(desk: Desk, call: Call) -> Any:
    named = call.market_if_named(desk)
    limit = _limit(call, 100, 1000)
    rows = [
        {
            "symbol": market.contract.symbol,
            "fundingTime": funding.time_ms,
            "fundingRate": money(funding.rate),
            "markPrice": money(funding.mark_price),
            "rateType": "Regular",
        }
        for market in ([named] if named else desk.venue.markets.values())
        for funding in market.fundings
    ]
    rows.sort(key=lambda row: (row["fundingTime"], row["symbol"]))
    return rows[-limit:]


def funding_info(desk: Desk, call: Call) -> Any:
    return [
        {
            "symbol": symbol,
            "adjustedFundingRateCap": "0.00300",
            "adjustedFundingRateFloor": "-0.00300",
            "fundingIntervalHours": FUNDING_INTERVAL_NS // 3_600_000_000_000,
            "disclaimer": False,
            "updateTime": None,
        }
        for symbol in desk.venue.markets
    ]


def book_ticker(desk: Desk, call: Call) -> Any:
    named = call.market_if_named(desk)
    rows = [_book_ticker_row(desk, market) for market in ([named] if named else desk.venue.markets.values())]
    return rows[0] if named else rows


def price_ticker(desk: Desk, call: Call) -> Any:
    named = call.market_if_named(desk)
    rows = [
        {
            "symbol": market.contract.symbol,
            "price": market.numbers.price_text(_last_price(market)),
            "time": desk.venue.now_ms,
        }
        for market in ([named] if named else desk.venue.markets.values())
    ]
    return rows[0] if named else rows


def day_ticker(desk: Desk, call: Call) -> Any:
    """Statistics over the trades that the venue remembers, which may be less than a day."""
    named = call.market_if_named(desk)
    rows = [_day_row(desk, market) for market in ([named] if named else desk.venue.markets.values())]
    return rows[0] if named else rows


def _day_row(desk: Desk, market: Market) -> dict[str, Any]:
    contract, numbers = market.contract, market.numbers
    last = _last_price(market)
    prices = [trade.price_ticks for trade in market.trades] or [last]
    lots = sum(trade.lots for trade in market.trades)
    quote = sum(trade.price_ticks * trade.lots for trade in market.trades) * contract.tick_size * contract.lot_size
    change = last - prices[0]
    now_ms = desk.venue.now_ms
    return {
        "symbol": contract.symbol,
        "priceChange": plain(contract.price(change)),
        "priceChangePercent": f"{100 * change / prices[0] if prices[0] else 0:.3f}",
        "weightedAvgPrice": plain((quote / contract.quantity(lots)).quantize(contract.tick_size))
        if lots
        else numbers.price_text(last),
        "lastPrice": numbers.price_text(last),
        "lastQty": numbers.quantity_text(market.trades[-1].lots if market.trades else 0),
        "openPrice": numbers.price_text(prices[0]),
        "highPrice": numbers.price_text(max(prices)),
        "lowPrice": numbers.price_text(min(prices)),
        "volume": numbers.quantity_text(lots),
        "quoteVolume": plain(quote),
        "openTime": market.trades[0].time_ms if market.trades else now_ms,
        "closeTime": now_ms,
        "firstId": market.trades[0].trade_id if market.trades else 0,
        "lastId": market.trades[-1].trade_id if market.trades else 0,
        "count": len(market.trades),
    }


def _book_ticker_row(desk: Desk, market: Market) -> dict[str, Any]:
    numbers = market.numbers
    bid = next(iter(market.published_levels(bids=True, limit=1)), (0, 0))
    ask = next(iter(market.published_levels(bids=False, limit=1)), (0, 0))
    return {
        "lastUpdateId": market.update_id,
        "symbol": market.contract.symbol,
        "bidPrice": numbers.price_text(bid[0]),
        "bidQty": numbers.quantity_text(bid[1]),
        "askPrice": numbers.price_text(ask[0]),
        "askQty": numbers.quantity_text(ask[1]),
        "time": desk.venue.now_ms,
    }


def _last_price(market: Market) -> int:
    last = market.last_price_ticks
    return last if last is not None else int(market.mark_price / market.contract.tick_size)


def _newest(market: Market, limit: int) -> list[Any]:
    return list(islice(market.trades, max(0, len(market.trades) - limit), None))


def _limit(call: Call, default: int, most: int) -> int:
    limit = read_int(call.params, "limit", default) or default
    if not 0 < limit <= most:
        raise invalid_parameter("limit")
    return limit


def _depth_weight(params: Mapping[str, str]) -> int:
    text = params.get("limit") or str(DEPTH_LIMIT)
    return DEPTH_WEIGHTS.get(int(text), 2) if text.isascii() and text.isdigit() and len(text) < 8 else 2


def _public(path: str, handler: Any, weight: Any = 1, *, funding_pool: bool = False) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        security=Security.NONE,
        weight=weight,
        funding_pool=funding_pool,
    )


ROUTES = [
    _public("/fapi/v1/ping", ping),
    _public("/fapi/v1/time", server_time),
    _public("/fapi/v1/exchangeInfo", exchange_info),
    _public("/fapi/v1/depth", depth, _depth_weight),
    _public("/fapi/v1/trades", trades, 5),
    _public("/fapi/v1/aggTrades", aggregate_trades, 20),
    _public("/fapi/v1/premiumIndex", premium_index, weight_by_symbol(1, 10)),
    _public("/fapi/v1/fundingRate", funding_rate, 0, funding_pool=True),
    _public("/fapi/v1/fundingInfo", funding_info, 0, funding_pool=True),
    _public("/fapi/v1/ticker/bookTicker", book_ticker, weight_by_symbol(2, 5)),
    _public("/fapi/v1/ticker/price", price_ticker, weight_by_symbol(1, 2)),
    _public("/fapi/v2/ticker/price", price_ticker, weight_by_symbol(1, 2)),
    _public("/fapi/v1/ticker/24hr", day_ticker, weight_by_symbol(1, 40)),
]
