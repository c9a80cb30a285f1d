"""Laws of the estimators and of the ladder: bounded, monotone, and the same for both sides."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_samples import instrument

from actors.strategy.fair_value import fair_price_ticks, others_levels
from actors.strategy.ladder import LadderShape, ask_prices, bid_prices
from actors.strategy.sizing import Sizer
from actors.strategy.spread import half_spread_bps, skew_bps
from protocols.values import Level

lots = st.integers(1, 10**6)
sizes = st.lists(lots, min_size=1, max_size=6)
PIVOT = 2_000_000
"""Prices are mirrored around half of this."""


def book(bid: int, spread: int, bid_sizes: list[int], ask_sizes: list[int]) -> tuple[list[Level], list[Level]]:
    bids = [(bid - index, size) for index, size in enumerate(bid_sizes)]
    asks = [(bid + spread + index, size) for index, size in enumerate(ask_sizes)]
    return bids, asks


def mirrored(levels: list[Level]) -> list[Level]:
    return [(PIVOT - ticks, size) for ticks, size in levels]


books = st.builds(book, st.integers(900_000, 1_100_000), st.integers(1, 50), sizes, sizes)


@given(books, st.integers(1, 6))
def test_the_fair_price_lies_within_the_touch(sides: tuple[list[Level], list[Level]], levels: int) -> None:
    bids, asks = sides
    assert bids[0][0] <= fair_price_ticks(bids, asks, levels) <= asks[0][0]


@given(books, st.integers(1, 6), lots, st.integers(0, 5))
def test_more_bids_never_lower_the_fair_price_and_more_asks_never_raise_it(
    sides: tuple[list[Level], list[Level]], levels: int, more: int, place: int
) -> None:
    bids, asks = sides
    fair = fair_price_ticks(bids, asks, levels)
    index = min(place, len(bids) - 1)
    heavier = [*bids[:index], (bids[index][0], bids[index][1] + more), *bids[index + 1 :]]
    assert fair_price_ticks(heavier, asks, levels) >= fair
    index = min(place, len(asks) - 1)
    heavier = [*asks[:index], (asks[index][0], asks[index][1] + more), *asks[index + 1 :]]
    assert fair_price_ticks(bids, heavier, levels) <= fair


@given(books, st.integers(1, 6))
def test_the_fair_price_of_a_mirrored_book_is_the_mirrored_fair_price(
    sides: tuple[list[Level], list[Level]], levels: int
) -> None:
    bids, asks = sides
    flipped = fair_price_ticks(mirrored(asks), mirrored(bids), levels)
    assert flipped == pytest.approx(PIVOT - fair_price_ticks(bids, asks, levels), rel=1e-12)


@given(books, st.integers(1, 6))
def test_our_own_size_does_not_move_the_fair_price(sides: tuple[list[Level], list[Level]], ours: int) -> None:
    bids, asks = sides
    seen = [(bids[0][0], bids[0][1] + ours), *bids[1:]]
    assert others_levels(seen, {bids[0][0]: ours}) == bids
    assert others_levels([(bids[0][0] + 1, ours), *bids], {bids[0][0] + 1: ours}) == bids
    assert asks == others_levels(asks, {})


def test_a_side_that_is_all_ours_is_taken_as_it_is() -> None:
    assert others_levels([(100, 5)], {100: 5}) == [(100, 5)]


bps = st.floats(0, 1_000)


@given(bps, bps, st.floats(0, 100), bps, bps)
def test_the_half_spread_is_bounded_and_grows_with_volatility(
    one: float, other: float, multiplier: float, bound: float, another: float
) -> None:
    lowest, highest = sorted((bound, another))
    calm, wild = (half_spread_bps(v, multiplier, lowest, highest) for v in sorted((one, other)))
    assert lowest <= calm <= wild <= highest


def test_a_volatility_that_is_no_number_gives_the_widest_spread() -> None:
    assert half_spread_bps(math.nan, 1.0, 0.5, 30.0) == 30.0
    assert half_spread_bps(math.inf, 1.0, 0.5, 30.0) == 30.0


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(1, 10**6), bps)
def test_the_skew_works_against_the_position(one: int, other: int, limit: int, at_limit: float) -> None:
    smaller, larger = sorted((one, other))
    assert skew_bps(larger, limit, at_limit) <= skew_bps(smaller, limit, at_limit)
    assert abs(skew_bps(one, limit, at_limit)) <= at_limit
    assert skew_bps(-one, limit, at_limit) == -skew_bps(one, limit, at_limit)
    assert skew_bps(limit, limit, at_limit) == -at_limit
    assert skew_bps(one, 0, at_limit) == 0.0


INSTRUMENT = instrument()
prices = st.floats(100_000, 10_000_000)
ladders = st.tuples(
    prices,
    st.floats(0, 100),
    st.integers(1, 8),
    st.floats(0, 20),
    st.integers(1, 100),
    st.integers(1, 200),
    st.integers(-5_000, 5_000),
)


def both_sides(
    case: tuple[float, float, int, float, int, int, int],
) -> tuple[tuple[Level, ...], tuple[Level, ...], Sizer, int, int]:
    reservation, half, levels, spacing, below, spread, position = case
    best_bid = int(reservation) - below + 50
    best_ask = best_bid + spread
    shape = LadderShape.of(INSTRUMENT, levels, spacing)
    sizer = Sizer(INSTRUMENT, Decimal(500), Decimal(5_000))
    bids = sizer.sized(bid_prices(reservation, half, best_ask, shape), position)
    asks = sizer.sized(ask_prices(reservation, half, best_bid, shape), -position)
    return bids, asks, sizer, best_bid, best_ask


@given(ladders)
def test_a_ladder_never_crosses_and_its_prices_run_away_from_the_touch(
    case: tuple[float, float, int, float, int, int, int],
) -> None:
    bids, asks, _, best_bid, best_ask = both_sides(case)
    assert all(ticks <= best_ask - 1 and ticks <= case[0] for ticks, _ in bids)
    assert all(ticks >= best_bid + 1 and ticks >= case[0] for ticks, _ in asks)
    assert [ticks for ticks, _ in bids] == sorted({ticks for ticks, _ in bids}, reverse=True)
    assert [ticks for ticks, _ in asks] == sorted({ticks for ticks, _ in asks})
    assert len(bids) <= case[2] and len(asks) <= case[2]


@given(ladders)
def test_every_level_is_an_order_that_the_venue_takes(case: tuple[float, float, int, float, int, int, int]) -> None:
    bids, asks, _, _, _ = both_sides(case)
    for ticks, size in (*bids, *asks):
        assert 5 <= INSTRUMENT.notional(ticks, size) <= 500


@given(ladders)
def test_all_fills_of_a_side_together_stay_within_the_position_limit(
    case: tuple[float, float, int, float, int, int, int],
) -> None:
    bids, asks, sizer, _, _ = both_sides(case)
    position = case[6]
    if bids:
        assert position + sum(size for _, size in bids) <= sizer.position_lots_max(bids[0][0])
    if asks:
        assert -position + sum(size for _, size in asks) <= sizer.position_lots_max(asks[0][0])


@given(ladders, st.integers(1, 2_000))
def test_a_longer_position_never_buys_more_and_never_sells_less(
    case: tuple[float, float, int, float, int, int, int], more: int
) -> None:
    longer = (*case[:6], case[6] + more)
    bids, asks, *_ = both_sides(case)
    bids_longer, asks_longer, *_ = both_sides(longer)
    assert sum(size for _, size in bids_longer) <= sum(size for _, size in bids)
    assert sum(size for _, size in asks_longer) >= sum(size for _, size in asks)


@given(st.integers(100_000, 10_000_000), st.integers(-50_000, 50_000), st.integers(0, 50_000))
def test_a_size_shrinks_towards_the_limit_and_is_full_while_it_reduces(price: int, position: int, more: int) -> None:
    def lots(held: int) -> int:
        return sum(size for _, size in sizer.sized([price], held))

    sizer = Sizer(INSTRUMENT, Decimal(500), Decimal(5_000))
    assert lots(position + more) <= lots(position) <= lots(min(position, 0)) == 5_000_000 // price
    assert lots(sizer.position_lots_max(price)) == 0


def test_a_half_spread_of_nothing_joins_a_touch_of_one_tick() -> None:
    shape = LadderShape.of(INSTRUMENT, 1, 1.0)
    assert bid_prices(640_000.4, 0.0, 640_001, shape) == [640_000]
    assert ask_prices(640_000.4, 0.0, 640_000, shape) == [640_001]


def test_prices_beyond_the_instruments_bounds_are_left_out() -> None:
    shape = LadderShape(steps=(0.0, 0.001, 0.002), price_ticks_min=99_950, price_ticks_max=100_050)
    assert bid_prices(100_000.0, 0.0, 100_001, shape) == [100_000]
    assert ask_prices(100_000.0, 0.0, 99_999, shape) == [100_000]
    assert ask_prices(200_000.0, 0.0, 99_999, shape) == []


def test_a_price_above_the_position_limit_has_no_size() -> None:
    sizer = Sizer(INSTRUMENT, Decimal("0.00005"), Decimal("0.00005"))
    assert sizer.sized([10], 0) == sizer.sized([10], 1) == sizer.sized([], 0) == ()


def test_the_instruments_largest_order_bounds_a_level() -> None:
    sizer = Sizer(instrument(quantity_lots_max=3), Decimal(500), Decimal(5_000))
    assert sizer.sized([640_000, 639_000], 0) == ((640_000, 3), (639_000, 3))


HARD = st.integers(200, 20_000)


def gated(hard: int) -> Sizer:
    sizer = Sizer(INSTRUMENT, Decimal(500), Decimal(5_000))
    sizer.take_hard_limit(Decimal(hard))
    return sizer


def value(lots_held: int, ticks: int) -> Decimal:
    return INSTRUMENT.notional(ticks, lots_held)


@given(HARD, st.integers(-400, 400), st.lists(st.integers(600_000, 640_000), min_size=1, max_size=8, unique=True))
def test_a_sweep_of_all_our_levels_ends_within_the_soft_limit(hard: int, held: int, prices: list[int]) -> None:
    prices = sorted(prices, reverse=True)
    levels = gated(hard).sized(prices, held)
    swept = held + sum(size for _, size in levels)
    soft = min(Decimal(hard) / Decimal("1.15"), Decimal(5_000))
    assert not levels or value(swept, prices[0]) <= soft + value(1, prices[0])


@given(HARD, st.integers(0, 80), st.integers(1, 8))
def test_sizes_decay_with_exposure_as_the_law_says(hard: int, held: int, levels: int) -> None:
    prices = [640_000 - index for index in range(levels)]
    full = gated(hard).sized(prices, 0)
    now = gated(hard).sized(prices, held)
    if not now or not full:
        return
    decay = math.exp(-3.8 * float(value(held, prices[0])) / hard)
    assert now[0][1] <= 5_000_000 / prices[0] * decay + 1


@given(st.integers(0, 60), st.integers(0, 60))
def test_more_exposure_never_quotes_more_levels_or_larger_ones(held: int, more: int) -> None:
    prices = [640_000 - index for index in range(8)]
    before, after = gated(10_000).sized(prices, held), gated(10_000).sized(prices, held + more)
    assert len(after) <= len(before)
    assert all(later[1] <= earlier[1] for later, earlier in zip(after, before, strict=False))


def test_the_reducing_side_is_full_and_an_unknown_hard_limit_leaves_our_own() -> None:
    prices = [640_000, 639_000]
    plain = Sizer(INSTRUMENT, Decimal(500), Decimal(5_000))
    assert gated(10_000).sized(prices, -50) == plain.sized(prices, -50) == plain.sized(prices, 0)
    assert gated(0).sized(prices, 30) == plain.sized(prices, 30)
