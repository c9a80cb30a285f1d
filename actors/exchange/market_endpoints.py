"""Public endpoints: time, contracts, book, trades, mark price (facts sections 2.1 and 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from actors.exchange.candle_shapes import day_statistics, kline_row, price_row
from actors.exchange.endpoint import Call, Desk, Route, Security, weight_by_symbol
from actors.exchange.errors import VenueRefusal, invalid_parameter, invalid_symbol
from actors.exchange.fee_schedule import BNB
from actors.exchange.klines import INTERVALS_MS, Candle, Candles, Price
from actors.exchange.market import FUNDING_INTERVAL_NS, Market, PublicTrade
from actors.exchange.order_checks import read_int, required
from actors.exchange.shapes import symbol_row
from actors.exchange.user_stream import money, plain

DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
DEPTH_LIMIT = 500
KLINES_MAX = 1_500
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
    _refuse_stale(market)
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
    return [_trade_row(market, trade) for trade in _newest(market, _limit(call, 500, 1000))]


def _trade_row(market: Market, trade: PublicTrade) -> dict[str, Any]:
    return {
        "id": trade.trade_id,
        "price": market.numbers.price_text(trade.price_ticks),
        "qty": market.numbers.quantity_text(trade.lots),
        "quoteQty": plain(market.contract.price(trade.price_ticks) * market.contract.quantity(trade.lots)),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isRPITrade": False,
    }


def aggregate_trades(desk: Desk, call: Call) -> Any:
    market, limit = call.market(desk), _limit(call, 500, 1000)
    from_id = read_int(call.params, "fromId")
    start_ms, end_ms = read_int(call.params, "startTime"), read_int(call.params, "endTime")
    chosen = [
        trade
        for trade in market.trades
        if (from_id is None or trade.trade_id >= from_id)
        and (start_ms is None or trade.time_ms >= start_ms)
        and (end_ms is None or trade.time_ms <= end_ms)
    ]
    rows = []
    for trade in chosen[:limit] if from_id is not None or start_ms is not None else chosen[-limit:]:
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
    _refuse_stale(named)
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
        if not market.stale
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
    _refuse_stale(named)
    markets = [named] if named else [market for market in desk.venue.markets.values() if not market.stale]
    rows = [_book_ticker_row(desk, market) for market in markets]
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
    """Statistics of the last 24 hours, or of as long as the venue has run."""
    named = call.market_if_named(desk)
    rows = [_day_row(desk, market) for market in ([named] if named else desk.venue.markets.values())]
    return rows[0] if named else rows


def _day_row(desk: Desk, market: Market) -> dict[str, Any]:
    now_ms = desk.venue.now_ms
    candle = market.day(now_ms)
    return (
        {"symbol": market.contract.symbol}
        | day_statistics(candle, market.contract, market.numbers)
        | {
            "lastQty": market.numbers.quantity_text(market.trades[-1].lots if market.trades else 0),
            "openTime": candle.open_ms,
            "closeTime": now_ms,
        }
    )


def _refuse_stale(market: Market | None) -> None:
    """A book or a mark that may no longer be true is not shown."""
    if market is not None and market.stale:
        raise VenueRefusal(-1001, "Internal error; unable to process your request. Please try again.", 503)


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


def klines(desk: Desk, call: Call) -> Any:
    market = call.market(desk)
    return _kline_rows(call, market.candles, lambda c, ms: kline_row(c, market.contract, market.numbers, ms))


def continuous_klines(desk: Desk, call: Call) -> Any:
    market = _pair(desk, call)
    if required(call.params, "contractType") != "PERPETUAL":
        raise VenueRefusal(-4104, "Invalid contract type.")
    return _kline_rows(call, market.candles, lambda c, ms: kline_row(c, market.contract, market.numbers, ms))


def mark_klines(desk: Desk, call: Call) -> Any:
    return _kline_rows(call, call.market(desk).mark_candles, price_row)


def index_klines(desk: Desk, call: Call) -> Any:
    return _kline_rows(call, _pair(desk, call).index_candles, price_row)


def premium_klines(desk: Desk, call: Call) -> Any:
    return _kline_rows(call, call.market(desk).premium_candles, price_row)


def _pair(desk: Desk, call: Call) -> Market:
    return desk.venue.market(required(call.params, "pair"))


def _kline_rows(call: Call, candles: Candles[Price], row: Callable[[Candle[Price], int], list[Any]]) -> list[Any]:
    interval_ms = INTERVALS_MS.get(required(call.params, "interval"))
    if interval_ms is None:
        raise VenueRefusal(-1120, "Invalid interval.")
    limit = _limit(call, 500, KLINES_MAX)
    start_ms, end_ms = read_int(call.params, "startTime"), read_int(call.params, "endTime")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise VenueRefusal(-1023, "Start time is greater than end time.")
    found = [
        candle
        for candle in candles.rows(interval_ms)
        if (start_ms is None or candle.open_ms >= start_ms) and (end_ms is None or candle.open_ms <= end_ms)
    ]
    return [row(candle, interval_ms) for candle in (found[:limit] if start_ms is not None else found[-limit:])]


def historical_trades(desk: Desk, call: Call) -> Any:
    market, limit = call.market(desk), _limit(call, 100, 500)
    from_id = read_int(call.params, "fromId")
    if from_id is None:
        return [_trade_row(market, trade) for trade in _newest(market, limit)]
    return [_trade_row(market, trade) for trade in market.trades if trade.trade_id >= from_id][:limit]


def open_interest(desk: Desk, call: Call) -> Any:
    """What the venue's accounts hold; the recorded market's own is unknown."""
    market = call.market(desk)
    symbol = market.contract.symbol
    held = sum(abs(account.position(symbol).amount) for account in desk.venue.accounts.values())
    return {"openInterest": plain(held) if held else "0", "symbol": symbol, "time": desk.venue.now_ms}


def asset_index(desk: Desk, call: Call) -> Any:
    """Rates of margin assets in USD: par, and BNB's; buffers are nothing."""
    rates = {market.contract.margin_asset: "1.00000000" for market in desk.venue.markets.values()}
    rates[BNB] = f"{desk.venue.fee_schedule.bnb_price:.8f}"
    rows = [
        {
            "symbol": f"{asset}USD",
            "time": desk.venue.now_ms,
            "index": rate,
            "bidBuffer": "0.00000000",
            "askBuffer": "0.00000000",
            "bidRate": rate,
            "askRate": rate,
            "autoExchangeBidBuffer": "0.00000000",
            "autoExchangeAskBuffer": "0.00000000",
            "autoExchangeBidRate": rate,
            "autoExchangeAskRate": rate,
        }
        for asset, rate in sorted(rates.items())
    ]
    wanted = call.params.get("symbol")
    if not wanted:
        return rows
    named = [row for row in rows if row["symbol"] == wanted]
    if not named:
        raise invalid_symbol()
    return named[0]


def index_constituents(desk: Desk, call: Call) -> Any:
    market = call.market(desk)
    symbol = market.contract.symbol
    part = {"exchange": "simulated", "symbol": symbol, "price": money(market.index_price), "weight": "1.00000000"}
    return {"symbol": symbol, "time": desk.venue.now_ms, "constituents": [part]}


def adl_risk(desk: Desk, call: Call) -> Any:
    rows = [
        {"symbol": symbol, "adlRisk": "low", "updateTime": desk.venue.now_ms}
        for symbol in ([call.market(desk).contract.symbol] if call.params.get("symbol") else desk.venue.markets)
    ]
    return rows[0] if call.params.get("symbol") else rows


def insurance_balance(desk: Desk, call: Call) -> Any:
    now_ms, markets = desk.venue.now_ms, desk.venue.markets.values()
    assets = sorted({market.contract.margin_asset for market in markets})
    funds, opening = desk.venue.insurance_funds, desk.venue.settings.insurance_fund
    return {
        "symbols": [market.contract.symbol for market in markets],
        "assets": [
            {"asset": asset, "marginBalance": plain(funds.get(asset, opening)), "updateTime": now_ms}
            for asset in assets
        ],
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


def _klines_weight(params: Mapping[str, str]) -> int:
    text = params.get("limit") or "500"
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 500
    return next((weight for most, weight in ((99, 1), (499, 2), (1_000, 5)) if limit <= most), 10)


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
    Route(
        method="GET",
        path="/fapi/v1/historicalTrades",
        handler=historical_trades,
        security=Security.KEY,
        weight=200,
    ),
    _public("/fapi/v1/klines", klines, _klines_weight),
    _public("/fapi/v1/continuousKlines", continuous_klines, _klines_weight),
    _public("/fapi/v1/markPriceKlines", mark_klines, _klines_weight),
    _public("/fapi/v1/indexPriceKlines", index_klines, _klines_weight),
    _public("/fapi/v1/premiumIndexKlines", premium_klines, _klines_weight),
    _public("/fapi/v1/openInterest", open_interest),
    _public("/fapi/v1/assetIndex", asset_index, weight_by_symbol(1, 10)),
    _public("/fapi/v1/constituents", index_constituents, 2),
    _public("/fapi/v1/symbolAdlRisk", adl_risk),
    _public("/fapi/v1/insuranceBalance", insurance_balance),
    _public("/fapi/v1/premiumIndex", premium_index, weight_by_symbol(1, 10)),
    _public("/fapi/v1/fundingRate", funding_rate, 0, funding_pool=True),
    _public("/fapi/v1/fundingInfo", funding_info, 0, funding_pool=True),
    _public("/fapi/v1/ticker/bookTicker", book_ticker, weight_by_symbol(2, 5)),
    _public("/fapi/v1/ticker/price", price_ticker, weight_by_symbol(1, 2)),
    _public("/fapi/v2/ticker/price", price_ticker, weight_by_symbol(1, 2)),
    _public("/fapi/v1/ticker/24hr", day_ticker, weight_by_symbol(1, 40)),
]
