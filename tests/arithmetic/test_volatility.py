"""The volatility estimate measures time, not the number of prints."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.arithmetic.volatility import EwmaVolatility

S = 1_000_000_000
moves = st.lists(st.tuples(st.integers(1, 5 * S), st.floats(-0.01, 0.01)), min_size=2, max_size=40)


def estimate(history: list[tuple[int, float]], factor: float = 1.0, halflife_ns: int = 10 * S) -> float:
    volatility, now_ns, price = EwmaVolatility(halflife_ns), S, 100.0
    volatility.observe(price, now_ns)
    for step_ns, change in history:
        now_ns += step_ns
        price *= math.exp(change * factor)
        volatility.observe(price, now_ns)
    return volatility.bps_per_root_second()


def test_a_walk_of_one_basis_point_a_second_is_measured_as_one() -> None:
    steps = [(S, 1e-4 * (1 if index % 2 else -1)) for index in range(100)]
    assert estimate(steps) == pytest.approx(1.0)


def test_the_same_walk_sampled_ten_times_a_second_measures_the_same() -> None:
    steps = [(S // 10, 1e-4 / math.sqrt(10) * (1 if index % 2 else -1)) for index in range(1_000)]
    assert estimate(steps) == pytest.approx(1.0)


def test_repeated_prints_at_one_instant_do_not_dilute_the_estimate() -> None:
    volatility = EwmaVolatility(10 * S)
    for second in range(1, 60):
        for _ in range(5):
            volatility.observe(100.0 * (1 + 1e-4 * (second % 2)), second * S)
    assert volatility.bps_per_root_second() == pytest.approx(1.0, rel=1e-3)


@given(moves, st.floats(1.0, 3.0))
def test_larger_moves_never_give_a_smaller_estimate(history: list[tuple[int, float]], factor: float) -> None:
    assert estimate(history, factor) >= estimate(history) * (1 - 1e-9)


@given(moves)
def test_up_and_down_count_alike(history: list[tuple[int, float]]) -> None:
    flipped = [(step_ns, -change) for step_ns, change in history]
    assert estimate(flipped) == pytest.approx(estimate(history), rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 10 * S), st.floats(allow_nan=True, allow_infinity=True)), max_size=30))
def test_no_input_makes_it_anything_but_finite_and_not_negative(history: list[tuple[int, float]]) -> None:
    volatility, now_ns = EwmaVolatility(S), 0
    for step_ns, price in history:
        now_ns += step_ns
        volatility.observe(price, now_ns)
        assert 0.0 <= volatility.bps_per_root_second() < math.inf


def test_it_forgets_by_half_in_a_halflife() -> None:
    """One second of movement, then quiet: the variance halves each halflife."""
    moved = [(S, 1e-3)] * 200
    before = estimate([*moved, (S, 0.0)])
    after = estimate([*moved, (S, 0.0), (10 * S, 0.0)])
    assert after / before == pytest.approx(math.sqrt(0.5), rel=0.01)


def test_time_that_runs_backwards_is_ignored() -> None:
    volatility = EwmaVolatility(S)
    volatility.observe(100.0, 10 * S)
    volatility.observe(200.0, 9 * S)
    assert volatility.bps_per_root_second() == 0.0


def test_a_halflife_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="halflife"):
        EwmaVolatility(0)
