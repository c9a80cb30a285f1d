"""Where our order stands behind the recorded size, and what a print leaves for it."""

from __future__ import annotations

from math import log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.exchange.orders import Order
from actors.exchange.queue_position import join_queue, level_changed, print_at_price


def resting(lots: int = 100, ahead: int = 10, since: int = 0) -> Order:
    order = Order("a", "S", 1, "c", "BUY", "LIMIT", "GTX", 100, lots, False, "EXPIRE_MAKER", 0, 0, 0)
    join_queue(order, ahead, since)
    return order


def test_a_print_shortens_the_queue_and_fills_nothing_before_it_is_through() -> None:
    order = resting(ahead=10)
    assert print_at_price(order, 4, 1).sure == 0
    assert order.lots_ahead == 6


def test_only_the_volume_beyond_the_queue_reaches_the_order() -> None:
    order = resting(ahead=10)
    assert print_at_price(order, 13, 1).sure == 3
    assert order.lots_ahead == 0


def test_a_fall_in_depth_that_a_later_print_explains_is_not_also_a_cancellation() -> None:
    order = resting(ahead=10)
    level_changed(order, 6, market_ns=5)
    assert print_at_price(order, 4, market_ns=5).sure == 0
    assert order.lots_ahead == 6


def test_a_print_beyond_the_explained_fall_and_the_queue_reaches_the_order() -> None:
    order = resting(ahead=10)
    level_changed(order, 6, market_ns=5)
    assert print_at_price(order, 12, market_ns=5).sure == 2


def test_a_print_younger_than_the_fall_is_new_volume() -> None:
    order = resting(ahead=10)
    level_changed(order, 6, market_ns=5)
    assert print_at_price(order, 8, market_ns=6).sure == 2


def test_a_print_that_happened_before_the_order_arrived_is_not_for_it() -> None:
    order = resting(ahead=0, since=7)
    assert print_at_price(order, 50, market_ns=7).sure == 0


def test_a_level_that_grows_leaves_the_queue_ahead_as_it_is() -> None:
    order = resting(ahead=10)
    level_changed(order, 500, market_ns=5)
    assert order.lots_ahead == 10


steps = st.lists(
    st.tuples(st.sampled_from(["print", "level"]), st.integers(1, 50), st.integers(1, 20)), min_size=1, max_size=30
)


@given(ahead=st.integers(0, 100), steps=steps)
def test_fills_of_a_print_never_exceed_the_print_less_the_queue_ahead(
    ahead: int, steps: list[tuple[str, int, int]]
) -> None:
    order = resting(lots=10**6, ahead=ahead)
    now = 0
    for kind, lots, lag in steps:
        now += 10
        if kind == "level":
            level_changed(order, lots, now)
            continue
        before = order.lots_ahead
        filled = print_at_price(order, lots, now - lag + 10).sure
        assert 0 <= filled <= max(0, lots - before)
        assert 0 <= order.lots_ahead <= before


@given(ahead=st.integers(1, 100), prints=st.lists(st.integers(1, 30), max_size=20))
def test_without_cancellations_nothing_fills_until_the_prints_add_up_to_the_queue(
    ahead: int, prints: list[int]
) -> None:
    order = resting(lots=10**6, ahead=ahead)
    filled = sum(print_at_price(order, lots, index + 1).sure for index, lots in enumerate(prints))
    assert filled == max(0, sum(prints) - ahead)


@given(ahead=st.integers(1, 100), prints=st.lists(st.integers(1, 30), max_size=20), print_first=st.booleans())
def test_the_order_of_arrival_of_depth_and_print_does_not_matter(
    ahead: int, prints: list[int], print_first: bool
) -> None:
    """The same trades fill the same lots whether the level's fall is seen before or after the print."""
    order, filled, shown = resting(lots=10**6, ahead=ahead), 0, ahead
    for index, lots in enumerate(prints, start=1):
        shown = max(0, shown - lots)
        if print_first:
            filled += print_at_price(order, lots, index).sure
            level_changed(order, shown, index)
        else:
            level_changed(order, shown, index)
            filled += print_at_price(order, lots, index).sure
    assert filled == max(0, sum(prints) - ahead)


def test_a_cancellation_is_shared_between_what_stands_ahead_and_behind() -> None:
    """Log weights: with 10 ahead and 30 behind, log 11 of log 11 + log 31 of eight cancelled lots were ahead."""
    order = resting(ahead=10)
    level_changed(order, 40, 1)
    level_changed(order, 32, 2)
    assert order.likely_ahead == pytest.approx(10 - 8 * log1p(10) / (log1p(10) + log1p(30)))
    assert order.lots_ahead == 10


def test_a_cancellation_where_nothing_stands_behind_was_ahead() -> None:
    order = resting(ahead=10)
    level_changed(order, 4, 1)
    assert order.likely_ahead == order.lots_ahead == 4


def test_a_fall_that_a_print_explains_was_no_cancellation_by_either_model() -> None:
    order = resting(ahead=10)
    level_changed(order, 40, 1)
    level_changed(order, 36, 5)
    assert print_at_price(order, 4, 5) == (0, 0)
    assert order.likely_ahead == pytest.approx(6)


@given(ahead=st.integers(0, 100), steps=steps)
def test_the_probabilistic_model_never_fills_less(ahead: int, steps: list[tuple[str, int, int]]) -> None:
    order, now = resting(lots=10**6, ahead=ahead), 0
    for kind, lots, lag in steps:
        now += 10
        if kind == "level":
            level_changed(order, lots, now)
            assert 0 <= order.likely_ahead <= order.shown_lots
            continue
        sure, likely = print_at_price(order, lots, now - lag + 10)
        assert 0 <= sure <= likely <= lots
