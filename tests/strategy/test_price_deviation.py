"""The standard deviation of a price over a window, against the library's."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.strategy.price_deviation import PriceDeviation

S = 1_000_000_000


@given(st.lists(st.integers(100_000, 200_000), min_size=20, max_size=200))
def test_it_is_that_of_the_last_samples(prices: list[int]) -> None:
    deviation = PriceDeviation(20 * S, S)
    for second, price in enumerate(prices):
        deviation.observe(price, second * S)
    held = prices[-20:]
    found = deviation.share((len(prices) - 1) * S)
    assert found == pytest.approx(statistics.pstdev(held) / statistics.fmean(held), rel=1e-9, abs=1e-12)


def test_between_two_samples_nothing_happens() -> None:
    deviation = PriceDeviation(10 * S, S)
    for half in range(20):
        deviation.observe(1_000 if half % 2 == 0 else 5_000, half * S // 2)
    assert deviation.share(9 * S) == 0.0


def test_it_is_not_known_before_the_window_is_covered_nor_after_a_hole() -> None:
    deviation = PriceDeviation(20 * S, S)
    for second in range(18):
        deviation.observe(1_000, second * S)
        assert deviation.share(second * S) is None
    for second in range(18, 21):
        deviation.observe(1_000, second * S)
    assert deviation.share(20 * S) == 0.0
    assert deviation.share(24 * S) is None


def test_a_window_without_two_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="no two samples"):
        PriceDeviation(10 * S, 6 * S)
