"""Floats leave estimators with their side named."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.arithmetic.rounding import at_least, at_most, clamp

numbers = st.floats(-1e12, 1e12)


@given(numbers)
def test_at_most_and_at_least_enclose_the_number_within_one(value: float) -> None:
    assert at_most(value) <= value <= at_least(value)
    assert at_least(value) - at_most(value) == (value != int(value))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_never_becomes_a_price(value: float) -> None:
    for rounded in (at_most, at_least):
        with pytest.raises((ValueError, OverflowError)):
            rounded(value)


@given(numbers, numbers, numbers)
def test_a_clamped_value_lies_within_its_bounds(value: float, one: float, other: float) -> None:
    lowest, highest = sorted((one, other))
    clamped = clamp(value, lowest, highest)
    assert lowest <= clamped <= highest
    assert clamped == value or not lowest <= value <= highest


def test_nan_is_clamped_to_the_lowest() -> None:
    assert clamp(math.nan, 1.0, 2.0) == 1.0
