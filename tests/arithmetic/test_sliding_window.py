"""Windows over time agree with a full history and stay bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.arithmetic.sliding_window import SlidingMinimum, SlidingSum

steps = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=80)


@given(steps)
def test_the_sum_is_that_of_the_entries_inside_the_window(history: list[tuple[int, int]]) -> None:
    window, now_ns, told = SlidingSum(100), 0, []
    for step, amount in history:
        now_ns += step
        window.add(amount, now_ns)
        told.append((now_ns, amount))
        assert window.total(now_ns) == sum(a for at, a in told if at > now_ns - 100)


@given(steps)
def test_a_full_window_never_counts_too_little(history: list[tuple[int, int]]) -> None:
    window, now_ns, told = SlidingSum(100, entries_max=4), 0, []
    for step, amount in history:
        now_ns += step
        window.add(amount, now_ns)
        told.append((now_ns, amount))
        assert window.total(now_ns) >= sum(a for at, a in told if at > now_ns - 100)


@given(steps, st.integers(1, 30))
def test_room_is_there_when_it_was_promised_and_not_before(history: list[tuple[int, int]], limit: int) -> None:
    window, now_ns = SlidingSum(100), 0
    for step, amount in history:
        now_ns += step
        window.add(amount, now_ns)
    at_ns = window.room_at_ns(limit, now_ns)
    if at_ns > now_ns:
        assert window.total(at_ns - 1) >= limit
    assert window.total(at_ns) < limit


@given(steps)
def test_the_minimum_is_that_of_the_entries_inside_the_window(history: list[tuple[int, int]]) -> None:
    window, now_ns, told = SlidingMinimum(100), 0, []
    for step, value in history:
        now_ns += step
        window.add(value, value * 10, now_ns)
        told.append((now_ns, value))
        least = window.least(now_ns)
        assert least is not None
        assert least[1:] == (min(v for at, v in told if at > now_ns - 100), least[1] * 10)


def test_an_empty_window_has_no_minimum() -> None:
    window = SlidingMinimum(100)
    window.add(3, 0, 10)
    assert window.least(110) is None
    window.add(3, 0, 120)
    window.clear()
    assert window.least(120) is None


@pytest.mark.parametrize("make", [lambda: SlidingSum(0), lambda: SlidingSum(1, 1), lambda: SlidingMinimum(0)])
def test_a_window_that_cannot_slide_is_refused(make: object) -> None:
    with pytest.raises(ValueError, match="cannot slide"):
        make()  # type: ignore[operator]
