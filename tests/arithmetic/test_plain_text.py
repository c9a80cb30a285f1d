"""Decimals as text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.arithmetic.plain_text import plain_text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0E-11", "0"), ("-0.00", "0"), ("1.500", "1.5"), ("1E+3", "1000"), ("100", "100"), ("-0.0000001", "-0.0000001")],
)
def test_no_exponent_and_no_trailing_zeros(amount: str, text: str) -> None:
    assert plain_text(Decimal(amount)) == text


def test_what_is_not_known_is_empty() -> None:
    assert plain_text(None) == ""


@given(amount=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12))
def test_the_text_is_the_number(amount: Decimal) -> None:
    assert Decimal(plain_text(amount)) == amount
