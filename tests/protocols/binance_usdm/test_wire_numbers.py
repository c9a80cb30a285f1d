"""Decimal text to whole units and back, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.binance_usdm.wire_numbers import CACHED_TEXTS_MAX, Scale, exact_decimal

UNITS = st.sampled_from(["0.01", "0.10", "0.5", "1", "10", "0.00001", "0.025", "0.00100"])


@given(UNITS, st.integers(0, 10**12))
def test_text_of_units_reads_back_as_the_same_units(unit: str, units: int) -> None:
    scale = Scale(Decimal(unit))
    assert scale[scale.text(units)] == units
    assert Decimal(scale.text(units)) == Decimal(unit) * units


@given(UNITS, st.integers(0, 10**12), st.integers(0, 6))
def test_trailing_zeros_change_nothing(unit: str, units: int, zeros: int) -> None:
    scale = Scale(Decimal(unit))
    text = scale.text(units)
    assert scale[text + "0" * zeros if "." in text else text + "." + "0" * (zeros + 1)] == units


@given(UNITS, st.decimals(min_value=0, max_value=10**9, places=8))
def test_what_is_no_multiple_is_refused_and_floored_on_request(unit: str, value: Decimal) -> None:
    exact, floor = Scale(Decimal(unit)), Scale(Decimal(unit), floor=True)
    text = f"{value:f}"
    assert floor[text] == int(value / Decimal(unit))
    if value % Decimal(unit):
        with pytest.raises(ValueError, match="not a multiple"):
            exact[text]
    else:
        assert exact[text] == value / Decimal(unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "-1",
        "+1",
        "1.",
        ".5",
        "1e5",
        "NaN",
        "Infinity",
        "1_0",
        " 1",
        "1 ",
        "0x1",
        "\uff11",
        "1,5",
        "1.2.3",
        "9" * 41,
    ],
)
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    for scale in (Scale(Decimal("0.01")), Scale(Decimal("0.01"), floor=True)):
        with pytest.raises(ValueError, match="is not a number"):
            scale[text]


def test_what_no_64_bits_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond every bound"):
        Scale(Decimal("0.00000001"))["9" * 20]


def test_zero_is_refused_where_only_positive_makes_sense() -> None:
    with pytest.raises(ValueError, match="not positive"):
        Scale(Decimal("0.01"), positive=True)["0.00"]
    assert Scale(Decimal("0.01"))["0.00"] == 0


def test_positions_may_be_negative() -> None:
    scale = Scale(Decimal("0.001"))
    assert [scale.signed_units("-0.010"), scale.signed_units("0.010"), scale.signed_units("-0")] == [-10, 10, 0]


def test_the_memory_of_texts_is_bounded() -> None:
    scale = Scale(Decimal(1))
    for number in range(CACHED_TEXTS_MAX + 10):
        assert scale[str(number)] == number
    assert len(scale) <= CACHED_TEXTS_MAX


@pytest.mark.parametrize("unit", ["0", "-1", "NaN", "Infinity"])
def test_a_unit_is_a_positive_number(unit: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        Scale(Decimal(unit))


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "sNaN", "1_0", "", " 1", "x", "1e99", "1e-99", "1" * 41, "\uff11"]
)
def test_decimals_are_finite_and_of_sensible_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|beyond"):
        exact_decimal(text)


def test_decimals_are_exact() -> None:
    assert [exact_decimal("-0.00261066"), exact_decimal("0E-8"), exact_decimal("1e3")] == [
        Decimal("-0.00261066"),
        0,
        1_000,
    ]
