"""Arithmetic of a linear perpetual against cases with a known right answer."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from shared_data import shared_path

from protocols.arithmetic import perpetuals
from protocols.arithmetic.positions import AverageCost

CASES = (
    "avg_entry",
    "partial_close",
    "flip",
    "taker_fee",
    "funding_payment",
    "funding_rate",
    "premium",
    "mark_price",
    "maint_margin",
    "liq_price_oneway_cross",
)


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of one name, numbers as decimals."""
    rows = json.loads(shared_path("facts/test_vectors.json").read_bytes())["binance_arith"]
    assert {row["id"] for row in rows} == {*CASES, "notional", "percent_price"}, "a case that no test reads"
    return [{key: _number(value) for key, value in row.items()} for row in rows if row["id"] == name]


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(item) for item in value]
    try:
        return Decimal(value)
    except (ArithmeticError, ValueError, TypeError):
        return value


def test_average_entry() -> None:
    for case in cases("avg_entry"):
        position = AverageCost()
        for quantity, price in case["fills"]:
            position, _ = position.traded(quantity, price)
        assert position.average_price == case["entry"]


def test_partial_close_realises_against_the_average() -> None:
    for case in cases("partial_close"):
        _, trade = AverageCost.opened(case["pos"], case["entry"]).traded(-case["close_qty"], case["price"])
        assert trade.realised == case["realized"]


def test_flip_realises_the_whole_old_position() -> None:
    for case in cases("flip"):
        position, trade = AverageCost.opened(case["pos"], case["entry"]).traded(-case["sell_qty"], case["price"])
        assert (trade.realised, position.quantity, position.average_price) == (
            case["realized"],
            case["new_pos"],
            case["new_entry"],
        )


def test_taker_fee() -> None:
    for case in cases("taker_fee"):
        assert perpetuals.fee(case["qty"], case["price"], case["rate"]) == case["fee"]


def test_longs_pay_a_positive_funding_rate() -> None:
    for case in cases("funding_payment"):
        assert perpetuals.funding_payment(case["pos"], case["mark"], case["rate"]) == case["amount"]


def test_funding_rate_of_an_average_premium() -> None:
    for case in cases("funding_rate"):
        assert perpetuals.funding_rate(case["P"], int(case["N"])) == case["F"]


def test_premium_is_zero_while_the_index_lies_between_the_impact_prices() -> None:
    for case in cases("premium"):
        assert perpetuals.premium_index(case["impact_bid"], case["impact_ask"], case["index"]) == case["premium"]


def test_mark_price_is_the_median_of_three() -> None:
    for case in cases("mark_price"):
        assert (
            perpetuals.mark_price(
                case["index"], case["rate"], case["hours_left"], case["interval"], case["basis_mean"], case["last"]
            )
            == case["mark"]
        )


def test_maintenance_margin_of_a_bracket() -> None:
    for case in cases("maint_margin"):
        assert perpetuals.maintenance_margin(case["notional"], case["mmr"], case["cum"]) == case["mm"]


def test_liquidation_price_of_a_single_cross_position() -> None:
    for case in cases("liq_price_oneway_cross"):
        price = perpetuals.liquidation_price(case["wallet"], case["pos"], case["entry"], case["mmr"], case["cum"])
        assert round(price, 4) == case["liq"]


def test_a_flat_position_is_never_liquidated() -> None:
    with pytest.raises(ValueError, match="flat"):
        perpetuals.liquidation_price(Decimal(1), Decimal(0), Decimal(1), Decimal("0.01"), Decimal(0))
