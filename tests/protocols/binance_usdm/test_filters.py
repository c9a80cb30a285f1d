"""The venue's order filters, in ticks and lots."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_path
from wire_samples import instrument

from protocols.binance_usdm.errors import CODES
from protocols.binance_usdm.filters import Filter, broken_filter, least_lots, price_band_ticks
from protocols.values import Side

ETH = instrument()


@pytest.mark.parametrize(
    ("side", "price_ticks", "quantity_lots", "broken"),
    [
        (Side.BUY, 250_000, 10, None),
        (Side.BUY, 0, 10, Filter.PRICE_MIN),
        (Side.BUY, 10_000_001, 10, Filter.PRICE_MAX),
        (Side.BUY, 250_000, 0, Filter.QUANTITY_MIN),
        (Side.BUY, 250_000, 8_000_001, Filter.QUANTITY_MAX),
        (Side.BUY, 249_999, 8, Filter.NOTIONAL_MIN),
        (Side.BUY, 262_501, 10, Filter.PRICE_BAND),
        (Side.BUY, 262_500, 10, None),
        (Side.SELL, 237_499, 10, Filter.PRICE_BAND),
        (Side.SELL, 237_500, 10, None),
        (Side.BUY, 100_000, 100, None),
        (Side.SELL, 900_000, 100, None),
    ],
)
def test_the_first_broken_filter_is_named(
    side: Side, price_ticks: int, quantity_lots: int, broken: Filter | None
) -> None:
    assert broken_filter(ETH, side, price_ticks, quantity_lots, mark_price=Decimal(2_500)) is broken


def test_reduce_only_orders_are_free_of_the_least_notional() -> None:
    assert broken_filter(ETH, Side.SELL, 250_000, 1, reduce_only=True) is None


def test_without_a_mark_the_band_is_not_judged() -> None:
    assert broken_filter(ETH, Side.BUY, 9_000_000, 10) is None


def test_every_filter_has_a_code_that_the_error_table_knows() -> None:
    assert {filter_.venue_code(side) for filter_ in Filter for side in Side} <= set(CODES)


def test_notional_and_band_of_the_facts() -> None:
    cases = {row["id"]: row for row in json.loads(shared_path("facts/test_vectors.json").read_bytes())["binance_arith"]}
    case = cases["notional"]
    price_ticks, lots = ETH.exact_ticks(Decimal(case["price"])), ETH.exact_lots(Decimal(case["qty"]))
    assert ETH.notional(price_ticks, lots) == Decimal(case["value"])
    assert (broken_filter(ETH, Side.BUY, price_ticks, lots) is None) is case["accept"]
    band = cases["percent_price"]
    sell_min, buy_max = price_band_ticks(ETH, Decimal(band["mark"]))
    assert (ETH.price(sell_min), ETH.price(buy_max)) == (Decimal(band["min_sell"]), Decimal(band["max_buy"]))


@given(st.integers(1, 10_000_000))
def test_the_least_quantity_passes_and_one_lot_less_does_not(price_ticks: int) -> None:
    lots = least_lots(ETH, price_ticks)
    if lots <= ETH.quantity_lots_max:
        assert broken_filter(ETH, Side.BUY, price_ticks, lots) is None
    assert broken_filter(ETH, Side.BUY, price_ticks, lots - 1) in (
        Filter.NOTIONAL_MIN,
        Filter.QUANTITY_MIN,
        Filter.QUANTITY_MAX,
    )
