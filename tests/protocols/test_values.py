"""Sides, instruments, and rounding with the side named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import ETH, instrument

from protocols.values import Side, make_instrument_id, symbol_of

ONE = instrument()
PRICES = st.decimals(min_value=0, max_value=10**6, places=6)


def test_a_side_has_a_sign_and_an_opposite() -> None:
    assert [(side.sign, side.opposite) for side in Side] == [(1, Side.SELL), (-1, Side.BUY)]


def test_an_instrument_id_names_venue_account_and_symbol() -> None:
    assert make_instrument_id("binance_usdm", "main", "ETHUSDC") == "binance_usdm:main:ETHUSDC"
    assert symbol_of(ETH) == ONE.symbol == "ETHUSDC"


def test_ticks_and_lots_to_money() -> None:
    assert (ONE.price(261_050), ONE.quantity(12)) == (Decimal("2610.50"), Decimal("0.012"))
    assert ONE.notional(249_999, 8) == Decimal("19.99992")


@given(PRICES)
def test_a_price_lies_between_its_ticks_down_and_up(price: Decimal) -> None:
    down, up = ONE.ticks_down(price), ONE.ticks_up(price)
    assert ONE.price(down) <= price <= ONE.price(up)
    assert up - down == (0 if price % ONE.tick_size == 0 else 1)


@given(PRICES)
def test_a_quantity_lies_between_its_lots_down_and_up(quantity: Decimal) -> None:
    down, up = ONE.lots_down(quantity), ONE.lots_up(quantity)
    assert ONE.quantity(down) <= quantity <= ONE.quantity(up)
    assert up - down == (0 if quantity % ONE.lot_size == 0 else 1)


@given(st.integers(0, 10**9))
def test_exact_conversion_is_the_inverse_of_pricing(units: int) -> None:
    assert ONE.exact_ticks(ONE.price(units)) == units
    assert ONE.exact_lots(ONE.quantity(units)) == units


def test_what_is_no_multiple_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"ETHUSDC: price 2610\.505 is not a multiple of the tick 0\.01"):
        ONE.exact_ticks(Decimal("2610.505"))
    with pytest.raises(ValueError, match=r"ETHUSDC: quantity 0\.0005 is not a multiple of the lot 0\.001"):
        ONE.exact_lots(Decimal("0.0005"))
