"""exchangeInfo as instruments and limits."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest

from protocols.binance_usdm.damage import DamagedPayload, SymbolUnavailable
from protocols.binance_usdm.exchange_info import BODY_BYTES_MAX, ExchangeInfo, decode_exchange_info
from protocols.values import Instrument, RateLimits, make_instrument_id

ETHUSDC: dict[str, Any] = {
    "symbol": "ETHUSDC",
    "contractType": "PERPETUAL",
    "status": "TRADING",
    "baseAsset": "ETH",
    "quoteAsset": "USDC",
    "marginAsset": "USDC",
    "pricePrecision": 2,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "100000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "8000", "stepSize": "0.001"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": "20"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ],
}
LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6_000},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1_000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 200},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 1},
]
INSTRUMENT = Instrument(
    instrument_id=make_instrument_id("binance_usdm", "main", "ETHUSDC"),
    version=3,
    base_asset="ETH",
    quote_asset="USDC",
    margin_asset="USDC",
    tick_size=Decimal("0.01"),
    lot_size=Decimal("0.001"),
    price_ticks_min=1,
    price_ticks_max=10_000_000,
    quantity_lots_min=1,
    quantity_lots_max=8_000_000,
    notional_min=Decimal(20),
    price_multiplier_up=Decimal("1.0500"),
    price_multiplier_down=Decimal("0.9500"),
    open_orders_max=200,
)


def body(*symbols: Any, limits: Any = LIMITS) -> bytes:
    return json.dumps({"serverTime": 1, "rateLimits": limits, "symbols": list(symbols)}).encode()


def with_filter(kind: str, **fields: Any) -> dict[str, Any]:
    symbol = copy.deepcopy(ETHUSDC)
    for row in symbol["filters"]:
        if row["filterType"] == kind:
            row.update(fields)
    return symbol


def without_filter(kind: str) -> dict[str, Any]:
    return {**ETHUSDC, "filters": [row for row in ETHUSDC["filters"] if row["filterType"] != kind]}


def test_a_symbol_and_the_limits() -> None:
    assert decode_exchange_info(body(ETHUSDC), "main", ["ETHUSDC"], version=3) == ExchangeInfo(
        instruments=(INSTRUMENT,),
        rate_limits=RateLimits(weight_1m=6_000, orders_10s=200, orders_1m=1_000),
        statuses={"ETHUSDC": "TRADING"},
        refused={},
    )


def test_limits_that_are_not_named_are_those_of_production() -> None:
    assert decode_exchange_info(body(limits=[]), "main").rate_limits == RateLimits()


def test_symbols_come_in_the_order_asked() -> None:
    btc = {**ETHUSDC, "symbol": "BTCUSDC"}
    info = decode_exchange_info(body(ETHUSDC, btc, {**ETHUSDC, "symbol": "X"}), "main", ["BTCUSDC", "ETHUSDC"])
    assert [one.symbol for one in info.instruments] == ["BTCUSDC", "ETHUSDC"]


def test_bounds_of_zero_are_no_bounds() -> None:
    symbol = with_filter("PRICE_FILTER", minPrice="0", maxPrice="0")
    (one,) = decode_exchange_info(body(symbol), "main").instruments
    assert (one.price_ticks_min, one.price_ticks_max) == (1, 2**53)


def test_a_least_price_off_the_tick_is_rounded_inwards() -> None:
    symbol = with_filter("PRICE_FILTER", minPrice="556.803", maxPrice="1000.007")
    (one,) = decode_exchange_info(body(symbol), "main").instruments
    assert (one.price_ticks_min, one.price_ticks_max) == (55_681, 100_000)


@pytest.mark.parametrize("kind", ["MAX_NUM_ORDERS", "MIN_NOTIONAL", "PERCENT_PRICE"])
def test_filters_that_a_symbol_may_lack(kind: str) -> None:
    info = decode_exchange_info(body(without_filter(kind)), "main", ["ETHUSDC"])
    assert len(info.instruments) == 1


@pytest.mark.parametrize(
    ("symbol", "field"),
    [
        (without_filter("PRICE_FILTER"), "symbols[ETHUSDC].filters.PRICE_FILTER"),
        (without_filter("LOT_SIZE"), "symbols[ETHUSDC].filters.LOT_SIZE"),
        (with_filter("PRICE_FILTER", tickSize="0"), "symbols[ETHUSDC].filters.PRICE_FILTER.tickSize"),
        (with_filter("PRICE_FILTER", tickSize="NaN"), "symbols[ETHUSDC].filters.PRICE_FILTER.tickSize"),
        (with_filter("PRICE_FILTER", tickSize="1e-25"), "symbols[ETHUSDC].filters.PRICE_FILTER.tickSize"),
        (with_filter("PRICE_FILTER", tickSize=0.01), "symbols[ETHUSDC].filters.PRICE_FILTER.tickSize"),
        (with_filter("PRICE_FILTER", minPrice="-1"), "symbols[ETHUSDC].filters.PRICE_FILTER.minPrice"),
        (with_filter("PRICE_FILTER", maxPrice=None), "symbols[ETHUSDC].filters.PRICE_FILTER.maxPrice"),
        (with_filter("PRICE_FILTER", minPrice="200000"), "symbols[ETHUSDC].filters"),
        (with_filter("MIN_NOTIONAL", notional="x"), "symbols[ETHUSDC].filters.MIN_NOTIONAL.notional"),
        (with_filter("MAX_NUM_ORDERS", limit=True), "symbols[ETHUSDC].filters.MAX_NUM_ORDERS.limit"),
        ({**ETHUSDC, "filters": {}}, "symbols[ETHUSDC].filters"),
        ({**ETHUSDC, "baseAsset": 7}, "symbols[ETHUSDC].baseAsset"),
    ],
)
def test_a_damaged_symbol_is_refused_when_asked_for_and_reported_when_not(symbol: Any, field: str) -> None:
    with pytest.raises(DamagedPayload) as caught:
        decode_exchange_info(body(symbol), "main", ["ETHUSDC"])
    assert caught.value.field == field
    info = decode_exchange_info(body(symbol, {**ETHUSDC, "symbol": "BTCUSDC"}), "main")
    assert [one.symbol for one in info.instruments] == ["BTCUSDC"]
    assert info.refused["ETHUSDC"].startswith(field)


def test_a_symbol_that_is_unknown_or_does_not_trade_is_unavailable() -> None:
    with pytest.raises(SymbolUnavailable, match="DOGEUSDC: the venue does not list it"):
        decode_exchange_info(body(ETHUSDC), "main", ["DOGEUSDC"])
    with pytest.raises(SymbolUnavailable, match="ETHUSDC: its status is SETTLING, not TRADING"):
        decode_exchange_info(body({**ETHUSDC, "status": "SETTLING"}), "main", ["ETHUSDC"])


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"<html>", "byte 0"),
        (b"{}", "symbols"),
        (b'{"symbols":[7]}', "symbols[0]"),
        (b" " * (BODY_BYTES_MAX + 1), "body"),
        (body(limits=[{**LIMITS[0], "limit": 0}]), "rateLimits[0].limit"),
        (body(limits=[{**LIMITS[0], "limit": "many"}]), "rateLimits[0].limit"),
    ],
)
def test_a_damaged_body_names_the_field(raw: bytes, field: str) -> None:
    with pytest.raises(DamagedPayload) as caught:
        decode_exchange_info(raw, "main")
    assert caught.value.field == field
