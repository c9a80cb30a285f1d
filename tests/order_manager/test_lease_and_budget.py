"""Permission that ends by itself, and the request budget."""

from __future__ import annotations

from decimal import Decimal

from order_manager_rig import BTC, ETH, MS, SECOND

from actors.order_manager.lease import LeaseClient
from actors.order_manager.rate_budget import RateBudget, Urgency
from protocols.messages.risk import Lease, LeaseRequest, SymbolLimits, TradingState
from protocols.values import RateLimits
from protocols.venue import Throttled, Usage

ZERO = Decimal(0)
DOCUMENTED = RateLimits()


def asked(client: LeaseClient, now_ns: int) -> LeaseRequest:
    request = client.request(ZERO, True, now_ns)
    assert request is not None
    return request


def answer(request: LeaseRequest, **changes: object) -> Lease:
    limits = SymbolLimits(
        instrument_id=BTC,
        state=TradingState.REDUCING,
        position_lots_max=5,
        order_lots_max=5,
        open_orders_max=5,
        notional_max=Decimal(1),
    )
    fields: dict[str, object] = {
        "shard": request.shard,
        "epoch": request.epoch,
        "nonce": request.nonce,
        "requested_ns": request.requested_ns,
        "lease_ms": 1_000,
        "state": TradingState.ACTIVE,
        "reason": "",
        "limits": (limits,),
        "share_id": 3,
        "notional_share": Decimal(100),
        "orders_10s_share": 0,
        "orders_1m_share": 0,
        "weight_1m_share": 0,
        **changes,
    }
    return Lease(**fields)  # type: ignore[arg-type]


def client() -> LeaseClient:
    return LeaseClient(shard=0, epoch=7, period_ns=250 * MS)


def test_the_lease_ends_counted_from_the_request_not_from_the_answer():
    lease = client()
    request = asked(lease, 10 * SECOND)
    assert lease.take(answer(request))
    assert not lease.is_over(11 * SECOND - 1)
    assert lease.is_over(11 * SECOND)
    assert not lease.is_long_over(13 * SECOND - 1)
    assert lease.is_long_over(13 * SECOND)


def test_an_answer_to_no_open_request_is_dropped():
    lease = client()
    request = asked(lease, 10 * SECOND)
    for strange in (
        answer(request, nonce=99),
        answer(request, epoch=8),
        answer(request, shard=1),
        answer(request, requested_ns=request.requested_ns + 5),
        answer(request, lease_ms=0),
    ):
        assert not lease.take(strange)
    assert lease.is_over(10 * SECOND)
    assert lease.answers_dropped == 5


def test_an_answer_counts_once_and_an_older_one_not_after_a_newer():
    lease = client()
    first, second = asked(lease, 10 * SECOND), asked(lease, 11 * SECOND)
    assert lease.take(answer(second))
    assert not lease.take(answer(second))
    assert not lease.take(answer(first))
    assert lease.ends_ns == 12 * SECOND


def test_requests_come_at_their_period_and_open_ones_are_bounded():
    lease = client()
    first = asked(lease, SECOND)
    assert lease.request(ZERO, True, SECOND + 249 * MS) is None
    for beat in range(1, 20):
        asked(lease, SECOND + beat * 250 * MS)
    assert not lease.take(answer(first))


def test_the_severer_state_holds_and_what_is_not_named_is_halted():
    lease = client()
    assert lease.state(BTC) is TradingState.HALTED
    lease.take(answer(asked(lease, SECOND)))
    assert lease.state(BTC) is TradingState.REDUCING
    assert lease.state(ETH) is TradingState.HALTED
    lease.take(answer(asked(lease, 2 * SECOND), state=TradingState.HALTED))
    assert lease.state(BTC) is TradingState.HALTED


def test_a_request_says_whether_the_share_held_is_obeyed():
    lease = client()
    lease.take(answer(asked(lease, SECOND)))
    request = lease.request(Decimal(101), True, 2 * SECOND)
    assert request is not None
    assert (request.share_id, request.fits) == (3, False)


def test_a_shard_that_has_not_recovered_never_says_that_it_fits():
    lease = client()
    request = lease.request(ZERO, False, SECOND)
    assert request is not None
    assert not request.fits
    lease.take(answer(request))
    request = lease.request(ZERO, False, 2 * SECOND)
    assert request is not None
    assert (request.share_id, request.fits) == (3, False)


# budget


def budget(shards: int = 1, limits: RateLimits = DOCUMENTED) -> RateBudget:
    made = RateBudget(limits, shards, orders_share=0.8, weight_share=0.8)
    made.roll(59 * SECOND)
    return made


def place(made: RateBudget, rank: int = 0) -> int:
    count = 0
    while made.may_place(0, rank) and count < 5_000:
        made.placed()
        count += 1
    return count


def test_orders_stop_at_the_share_of_the_ten_second_limit():
    assert place(budget()) == 240


def test_a_shard_has_its_part_only():
    assert place(budget(shards=3)) == 80


def test_limits_that_the_venue_raised_or_lowered_are_obeyed():
    assert place(budget(limits=RateLimits(orders_10s=50))) == 40
    assert place(budget(limits=RateLimits(orders_10s=1_000, orders_1m=600))) == 480
    low = budget(limits=RateLimits(weight_1m=100))
    low.told(Usage(weight_1m=78), 59 * SECOND, 59 * SECOND)
    assert (low.may_spend(5, Urgency.QUERY, 0), low.may_spend(5, Urgency.CANCEL, 0)) == (False, True)


def test_a_window_starts_anew_at_its_multiple_on_the_venues_clock():
    made = budget()
    place(made)
    made.roll(60 * SECOND - 1)
    assert not made.may_place(0)
    made.roll(60 * SECOND)
    assert made.may_place(0)


def test_a_minute_is_not_used_up_at_its_beginning():
    made = budget()
    placed = 0
    for second in range(60, 120):
        made.roll(second * SECOND)
        placed += place(made)
        assert placed <= 960 * (0.35 + (second - 60) / 60) + 1
    assert placed == 960


def test_outer_levels_leave_a_reserve_for_the_inner_ones():
    made = budget()
    assert place(made, rank=1) == 192
    assert place(made, rank=0) == 48


def test_what_the_venue_tells_counts_more_than_our_own_count():
    made = budget()
    assert made.told(Usage(orders_10s=240), 59 * SECOND, 59 * SECOND)
    assert not made.may_place(0)
    assert made.orders_used_10s == 240
    assert not made.told(Usage(), 59 * SECOND, 59 * SECOND)


def test_a_count_that_was_told_of_an_older_window_says_nothing_of_the_present_one():
    made = budget()
    made.told(Usage(weight_1m=2_000, orders_10s=290, orders_1m=1_100), 59 * SECOND, 61 * SECOND)
    assert (made.weight_used_1m, made.orders_used_10s, made.orders_used_1m) == (0, 0, 0)
    made.told(Usage(weight_1m=50, orders_10s=20, orders_1m=30), 60 * SECOND, 61 * SECOND)
    assert (made.weight_used_1m, made.orders_used_10s, made.orders_used_1m) == (50, 20, 30)


def test_the_order_of_service_is_cancels_unknown_orders_queries_audits():
    """A fifth of the weight is for cancels and questions about unknown orders alone, and the last of it for cancels."""
    made = budget()
    made.told(Usage(weight_1m=1_400), 59 * SECOND, 59 * SECOND)
    assert not made.may_spend(5, Urgency.AUDIT, 0)
    assert made.may_spend(5, Urgency.QUERY, 0)
    made.told(Usage(weight_1m=1_918), 59 * SECOND, 59 * SECOND)
    assert not made.may_spend(5, Urgency.QUERY, 0)
    assert made.may_spend(5, Urgency.UNKNOWN, 0)
    made.told(Usage(weight_1m=2_278), 59 * SECOND, 59 * SECOND)
    assert not made.may_spend(5, Urgency.UNKNOWN, 0)
    assert made.may_spend(1, Urgency.CANCEL, 0)
    made.spent(2_400)
    assert not made.may_spend(1, Urgency.CANCEL, 0)
    assert made.weight_used_1m == 2_400


def test_what_only_closes_may_use_the_orders_that_are_kept_from_quotes():
    made = RateBudget(RateLimits(), 1, orders_share=0.85, weight_share=0.8)
    made.roll(59 * SECOND)
    assert place(made) == 255
    closes = 0
    while made.may_close(0):
        made.placed()
        closes += 1
    assert closes == 45
    made.throttled(throttled(orders_only=True))
    assert not made.may_close(0)


def throttled(**changes: object) -> Throttled:
    fields: dict[str, object] = {
        "request_id": 1,
        "received_ns": 0,
        "usage": Usage(),
        "retry_at_ns": SECOND,
        "banned": False,
        "orders_only": False,
        "venue_code": -1003,
        "text": "",
        **changes,
    }
    return Throttled(**fields)  # type: ignore[arg-type]


def test_retry_after_stops_everything_and_an_earlier_end_does_not_shorten_it():
    made = budget()
    made.throttled(throttled(banned=True))
    made.throttled(throttled(retry_at_ns=MS))
    assert made.is_blocked(SECOND - 1)
    assert not made.may_spend(1, Urgency.CANCEL, SECOND - 1)
    assert not made.may_place(SECOND - 1)
    assert made.may_place(SECOND)


def test_a_limit_on_orders_leaves_cancels_and_queries():
    made = budget()
    made.throttled(throttled(orders_only=True))
    assert not made.may_place(0)
    assert made.may_spend(1, Urgency.CANCEL, 0)
    assert made.orders_used_1m == 0
