"""Leases: who gets one, what it carries, and when none is given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from account_samples import (
    BTC,
    ETH,
    MS,
    START_NS,
    S,
    equity,
    lease_request,
    mark,
    settings,
    spec,
)
from risk_monitor_rig import Driver

from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.eyes import WEIGHT_1M
from actors.risk_monitor.memory import RiskMemory
from protocols.effects import Append, Send
from protocols.messages.control import (
    ActorState,
    Drain,
    EpochAnnounced,
    Resume,
    ShardHalted,
)
from protocols.messages.orders import RateUsage
from protocols.messages.risk import Lease, LevelChanged, SymbolLimits, TradingState
from protocols.values import RateLimits


def test_a_healthy_account_gets_a_lease_that_echoes_the_request() -> None:
    risk = Driver().healthy()
    effects = risk.tell(lease_request(77, START_NS - 5))
    lease = Lease(
        shard=0,
        epoch=5,
        nonce=77,
        requested_ns=START_NS - 5,
        lease_ms=1_000,
        state=TradingState.ACTIVE,
        reason="",
        limits=(
            SymbolLimits(
                instrument_id=BTC,
                state=TradingState.ACTIVE,
                position_lots_max=198,
                order_lots_max=40,
                open_orders_max=32,
                notional_max=Decimal(10_000),
                order_notional_max=Decimal(2_000),
            ),
            SymbolLimits(
                instrument_id=ETH,
                state=TradingState.ACTIVE,
                position_lots_max=3_960,
                order_lots_max=800,
                open_orders_max=32,
                notional_max=Decimal(10_000),
                order_notional_max=Decimal(2_000),
            ),
        ),
        share_id=1,
        notional_share=Decimal(50_000),
        orders_10s_share=300,
        orders_1m_share=1_200,
        weight_1m_share=2_400 - WEIGHT_1M,
    )
    assert effects[-1] == Send("order_manager-0", lease)


def test_the_request_budget_of_a_lease_is_what_the_venue_told() -> None:
    told = RateLimits(weight_1m=6_000, orders_10s=50, orders_1m=200)
    lease = Driver(rate_limits=told).healthy().ask()
    assert (lease.weight_1m_share, lease.orders_10s_share, lease.orders_1m_share) == (6_000 - WEIGHT_1M, 50, 200)


def test_a_share_is_on_file_before_the_lease_that_grants_it_leaves() -> None:
    effects = Driver().healthy().tell(lease_request(1))
    kinds = [type(getattr(effect, "record", effect)) for effect in effects if isinstance(effect, Append | Send)]
    assert kinds == [RiskMemory, LevelChanged, LevelChanged, LevelChanged, Send]


@pytest.mark.parametrize("epoch", [4, 6])
def test_only_the_newest_announced_epoch_is_answered(epoch: int) -> None:
    assert Driver().healthy().tell(lease_request(1, epoch=epoch)) == []


def test_an_epoch_of_another_role_announces_nothing() -> None:
    risk = Driver().healthy()
    risk.tell(EpochAnnounced(name="market_data-0", shard=0, epoch=9, announced_ns=0))
    assert risk.ask().epoch == 5


def test_an_older_epoch_is_not_announced_again() -> None:
    risk = Driver().healthy()
    risk.tell(EpochAnnounced(name="order_manager-0", shard=0, epoch=4, announced_ns=0))
    assert risk.ask().epoch == 5


@pytest.mark.parametrize("changes", [{"shard": 3}, {"shard": -1}, {"worst_case_notional": Decimal("NaN")}])
def test_a_request_that_makes_no_sense_is_not_answered(changes: dict[str, Any]) -> None:
    assert Driver().healthy().tell(lease_request(1, **changes)) == []


def test_a_shard_that_was_given_up_is_halted_until_its_next_epoch() -> None:
    risk = Driver().healthy()
    risk.tell(ShardHalted(shard=0, reason="too many restarts"))
    assert risk.ask().reason == "too many restarts"
    risk.tell(EpochAnnounced(name="order_manager-0", shard=0, epoch=6, announced_ns=0))
    assert risk.ask(epoch=6).state is TradingState.ACTIVE


def test_a_shard_that_was_given_up_is_lifted_by_a_person() -> None:
    risk = Driver().healthy()
    risk.tell(ShardHalted(shard=0, reason=""), Resume(reason="tried by hand"))
    assert risk.ask().state is TradingState.ACTIVE


def test_a_drained_risk_monitor_gives_no_lease() -> None:
    risk = Driver().healthy()
    risk.tell(Drain())
    assert risk.tell(lease_request(1)) == []
    assert risk.core.state() is ActorState.STOPPED


def test_the_venues_count_of_requests_is_shown() -> None:
    risk = Driver().healthy()
    risk.tell(RateUsage(shard=0, weight_used_1m=3, orders_used_10s=2, orders_used_1m=1, observed_ns=0))
    assert risk.core.snapshot().shards[0].weight_used_1m == 3


def test_limits_in_the_lease_follow_the_mark_in_steps() -> None:
    risk = Driver().healthy()
    first = risk.ask().limits[0].position_lots_max
    risk.tell(mark("50040"))
    assert risk.ask().limits[0].position_lots_max == first
    risk.tell(mark("51000"))
    assert risk.ask().limits[0].position_lots_max == 194


def test_lease_ages_and_shares_are_shown() -> None:
    risk = Driver().healthy()
    risk.ask(worst_case_notional=Decimal(120))
    shard = risk.core.snapshot().shards[0]
    assert (shard.epoch, shard.lease_age_ms, shard.leases) == (5, 0, 1)
    assert (shard.notional_share, shard.worst_case_reported) == ("50000", "120")


def test_shares_are_divided_anew_where_a_shard_needs_more() -> None:
    core = RiskMonitorCore(spec("risk_monitor", ((BTC,), (ETH,))), settings(risk={"account_notional_max": 1_000}))
    now_ns = START_NS
    core.start(now_ns)
    for shard in (0, 1):
        core.handle(EpochAnnounced(name=f"order_manager-{shard}", shard=shard, epoch=5, announced_ns=0), now_ns)

    def ask(shard: int, share_id: int, held: int) -> Lease:
        request = lease_request(1, now_ns, shard=shard, share_id=share_id, worst_case_notional=Decimal(held))
        (lease,) = [effect.body for effect in core.handle(request, now_ns) if isinstance(effect, Send)]
        return lease

    core.handle(equity("100000", now_ns), now_ns)
    for instrument_id, price in ((BTC, "50000"), (ETH, "2500")):
        core.handle(mark(price, now_ns, instrument_id), now_ns)
    assert [ask(0, 0, 0).notional_share, ask(1, 0, 0).notional_share] == [500, 500]
    now_ns += 6 * S
    first = ask(0, 1, 450)
    now_ns += 6 * S
    second = ask(1, 2, 0)
    third = ask(1, second.share_id, 0)
    fourth = ask(0, first.share_id, 450)
    assert third.notional_share == second.notional_share < 500 < fourth.notional_share
    assert third.notional_share + fourth.notional_share <= 1_000
    assert now_ns > START_NS + 250 * MS
