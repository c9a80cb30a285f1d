"""Which resting orders are close enough to the wanted ladder, which go, and what is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.order_manager.ladder import Missing, Move, Tolerance, diff_side, is_in_place, pair_moves
from actors.order_manager.orders import Amendment, Order, OrderState
from protocols.values import Side, TimeInForce

OLD, NOW = 0, 10_000
TOLERANCE = Tolerance(ticks=3, size_share=0.3, age_ns_min=1_000)


def order(price_ticks: int, lots: int = 10, side: Side = Side.BUY, created_ns: int = OLD) -> Order:
    return Order(
        client_order_id=f"rm1-7-000-{price_ticks}",
        epoch=7,
        side=side,
        price_ticks=price_ticks,
        lots=lots,
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        created_ns=created_ns,
        deadline_venue_ns=0,
    )


def resting(price_ticks: int) -> Order:
    made = order(price_ticks, side=Side.SELL)
    made.state = OrderState.NEW
    return made


def test_an_order_within_the_tolerance_is_kept():
    diff = diff_side(Side.BUY, [(100, 10)], [order(97)], TOLERANCE, NOW)
    assert diff == ([], [])


def test_an_order_beyond_the_tolerance_is_replaced():
    far = order(96)
    diff = diff_side(Side.BUY, [(100, 10)], [far], TOLERANCE, NOW)
    assert diff == ([far], [Missing(0, Side.BUY, 100, 10)])


def test_outer_levels_are_looser():
    diff = diff_side(Side.BUY, [(100, 10), (90, 10)], [order(100), order(84)], TOLERANCE, NOW)
    assert diff == ([], [])


def test_a_size_within_the_tolerance_is_kept_and_one_beyond_is_replaced():
    assert diff_side(Side.SELL, [(100, 10)], [order(100, 8, Side.SELL)], TOLERANCE, NOW) == ([], [])
    small = order(100, 6, Side.SELL)
    assert diff_side(Side.SELL, [(100, 10)], [small], TOLERANCE, NOW).cancels == [small]


def test_a_pure_decrease_is_left():
    assert diff_side(Side.SELL, [(100, 10)], [order(100, 50, Side.SELL)], TOLERANCE, NOW) == ([], [])
    assert is_in_place(Side.SELL, [(100, 10)], [order(100, 50, Side.SELL)], TOLERANCE)


def test_the_innermost_missing_level_is_taken_by_the_nearest_order_that_has_to_go():
    near, far = resting(104), resting(150)
    cancels, missing = [far, near], [Missing(0, Side.SELL, 100, 10), Missing(1, Side.SELL, 120, 10)]
    moves = pair_moves(cancels, missing, reduce_only=False)
    assert moves == [Move(near, Missing(0, Side.SELL, 100, 10)), Move(far, Missing(1, Side.SELL, 120, 10))]
    assert (cancels, missing) == ([], [])


def test_what_may_not_move_is_cancelled_and_its_level_filled_anew():
    pending, going, asked, fixed, doubted = (resting(104 + n) for n in range(5))
    pending.state = OrderState.PENDING
    going.cancel_wanted = True
    asked.amendment = Amendment(price_ticks=101, lots=10, venue_time_ns=0, deadline_venue_ns=0)
    fixed.is_fixed = True
    doubted.in_doubt = True
    cancels, missing = [pending, going, asked, fixed, doubted], [Missing(0, Side.SELL, 100, 10)]
    assert pair_moves(cancels, missing, reduce_only=False) == []
    assert (len(cancels), len(missing)) == (5, 1)


def test_an_order_does_not_become_reduce_only_by_moving():
    plain = resting(104)
    assert pair_moves([plain], [Missing(0, Side.SELL, 100, 10)], reduce_only=True) == []


def test_an_order_under_amendment_stands_where_it_is_going():
    moving = resting(150)
    moving.amendment = Amendment(price_ticks=101, lots=12, venue_time_ns=0, deadline_venue_ns=0, sent_ns=NOW)
    assert diff_side(Side.SELL, [(100, 12)], [moving], TOLERANCE, NOW) == ([], [])
    assert is_in_place(Side.SELL, [(100, 12)], [moving], TOLERANCE)


def test_a_young_order_stays_and_occupies_the_nearest_level():
    diff = diff_side(Side.BUY, [(100, 10), (80, 10)], [order(93, created_ns=9_500)], TOLERANCE, NOW)
    assert diff == ([], [Missing(1, Side.BUY, 80, 10)])


def test_a_young_order_goes_when_it_is_more_aggressive_than_everything_wanted():
    bold = order(110, created_ns=9_500)
    assert diff_side(Side.BUY, [(100, 10)], [bold], TOLERANCE, NOW).cancels == [bold]
    bold = order(90, side=Side.SELL, created_ns=9_500)
    assert diff_side(Side.SELL, [(100, 10)], [bold], TOLERANCE, NOW).cancels == [bold]


def test_a_young_order_goes_when_nothing_is_wanted_on_its_side():
    young = order(100, created_ns=9_500)
    assert diff_side(Side.BUY, [], [young], TOLERANCE, NOW) == ([young], [])


def test_the_farthest_stale_order_goes_first():
    near, far = order(110), order(50)
    assert diff_side(Side.BUY, [(100, 10)], [near, far], TOLERANCE, NOW).cancels == [far, near]


def test_the_innermost_missing_level_comes_first():
    diff = diff_side(Side.SELL, [(100, 10), (120, 10), (140, 10)], [order(120, side=Side.SELL)], TOLERANCE, NOW)
    assert diff.missing == [Missing(0, Side.SELL, 100, 10), Missing(2, Side.SELL, 140, 10)]


LEVELS = st.lists(st.tuples(st.integers(1, 200), st.integers(1, 50)), max_size=8)


@given(
    st.sampled_from(list(Side)),
    LEVELS,
    st.lists(st.tuples(st.integers(1, 200), st.integers(1, 50), st.integers(0, NOW)), max_size=8),
)
def test_every_level_is_covered_by_at_most_one_order_and_every_order_is_judged(side, wanted, rows):
    orders = [order(ticks, lots, side, created_ns) for ticks, lots, created_ns in rows]
    diff = diff_side(side, wanted, orders, TOLERANCE, NOW)
    kept = [each for each in orders if each not in diff.cancels]
    assert len(kept) + len(diff.missing) >= len(wanted)
    assert len(diff.missing) <= len(wanted)
    for each in kept:
        is_young = NOW - each.created_ns < TOLERANCE.age_ns_min
        close = any(
            abs(each.price_ticks - ticks) <= TOLERANCE.ticks * (1 + rank) for rank, (ticks, _) in enumerate(wanted)
        )
        assert is_young or close
