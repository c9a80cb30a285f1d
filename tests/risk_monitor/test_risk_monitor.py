"""The risk monitor's core: states with reasons, leases to the newest epoch only, and what it remembers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from account_samples import (
    BTC,
    ETH,
    MS,
    START_NS,
    VENUE_OFFSET_NS,
    S,
    alert_codes,
    equity,
    fill,
    lease_request,
    mark,
    position,
    settings,
    spec,
    venue_clock,
)
from risk_monitor_rig import Driver, states

from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.eyes import WEIGHT_1M
from actors.risk_monitor.memory import RiskMemory
from protocols.arithmetic.sequences import era_begins_after
from protocols.effects import Append, LinkChanged, Send, TimerFired
from protocols.messages.control import (
    ActorState,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    Resume,
    SettingsChanged,
    ShardHalted,
    StopFileSeen,
)
from protocols.messages.market import FeedState, FeedStatus
from protocols.messages.orders import BalanceChanged, FundingPaid, MarginCalled, OrderAccepted, RateUsage
from protocols.messages.risk import Lease, LevelChanged, SymbolLimits, TradingState
from protocols.values import RateLimits, Side

DAY_NS = 86_400 * S
QUIET_HOUR = {
    "indicators": {"hourly_pnl": {"warning": None, "limit": None}},
    "breakers": {"loss_share_max": 0.9},
}
"""Losses of an hour and of a minute are not judged."""


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


def test_what_was_never_known_is_halted() -> None:
    risk = Driver()
    risk.tell(EpochAnnounced(name="order_manager-0", shard=0, epoch=5, announced_ns=0))
    lease = risk.ask()
    assert states(lease) == ("HALTED", "HALTED", "HALTED")
    assert lease.reason == "the equity has never been known"


def test_a_position_that_inventory_never_knew_is_halted_and_one_that_it_doubts_reduces() -> None:
    risk = Driver()
    risk.tell(EpochAnnounced(name="order_manager-0", shard=0, epoch=5, announced_ns=0), venue_clock())
    risk.tell(mark("50000"), mark("2500", START_NS, ETH), equity("1000"), position(0, known=False), position(0, ETH))
    assert states(risk.ask()) == ("ACTIVE", "HALTED", "ACTIVE")
    risk.tell(position(3), position(3, known=False))
    assert states(risk.ask()) == ("ACTIVE", "REDUCING", "ACTIVE")


@pytest.mark.parametrize("price", ["NaN", "Infinity", "0", "-1"])
def test_a_mark_price_that_cannot_be_is_refused_with_an_alert(price: str) -> None:
    risk = Driver()
    assert alert_codes(risk.tell(mark(price))) == [("BAD_DATA", BTC)]
    assert risk.core.snapshot().bad_data == 1
    assert risk.core.snapshot().symbols["BTCUSDC"].state == "HALTED"


def test_a_stale_mark_reduces_its_symbol_only() -> None:
    risk = Driver(mark_age_ms_max=3_000).healthy()
    risk.now_ns += 3 * S + 1
    risk.tell(mark("2500", risk.now_ns, ETH), position(0), position(0, ETH), equity("100000", risk.now_ns))
    assert states(risk.ask()) == ("ACTIVE", "REDUCING", "ACTIVE")
    assert risk.core.snapshot().symbols["BTCUSDC"].reason == "the mark price is stale"


def test_a_silent_inventory_reduces_everything() -> None:
    risk = Driver().healthy()
    risk.now_ns += 2 * S + 1
    assert states(risk.ask()) == ("REDUCING", "REDUCING", "REDUCING")


def test_a_position_beyond_its_limit_reduces_its_symbol_with_an_alert() -> None:
    risk = Driver().healthy()
    risk.ask()
    effects = risk.tell(position(-201))
    assert alert_codes(effects) == [("LEVEL_CHANGED", "BTCUSDC"), ("LIMIT_BREACHED", "BTCUSDC")]
    assert states(risk.ask()) == ("ACTIVE", "REDUCING", "ACTIVE")


def test_a_position_at_its_limit_is_no_breach() -> None:
    risk = Driver().healthy()
    risk.tell(position(200))
    assert states(risk.ask()) == ("ACTIVE", "ACTIVE", "ACTIVE")


def test_a_breach_is_told_again_only_after_a_while() -> None:
    risk = Driver().healthy()
    risk.tell(position(300))
    risk.tell(TimerFired(name="judge"))
    assert alert_codes(risk.tell(TimerFired(name="judge"))) == []


def test_positions_beyond_the_account_reduce_the_account() -> None:
    risk = Driver(account_notional_max=9_000).healthy()
    risk.tell(position(100), position(2_000, ETH))
    lease = risk.ask()
    assert (states(lease)[0], lease.reason) == (
        "REDUCING",
        "positions of 10000.00 are above the account's limit of 9000",
    )


def test_more_open_orders_than_allowed_reduce_the_symbol() -> None:
    risk = Driver(open_orders_max=1).healthy()
    for number in (1, 2):
        risk.tell(
            OrderAccepted(
                shard=0,
                event_seq=number,
                instrument_id=BTC,
                client_order_id=str(number),
                venue_order_id=number,
                venue_time_ns=0,
                side=Side.BUY,
                price_ticks=1,
                quantity_lots=1,
            )
        )
    assert states(risk.ask())[1] == "REDUCING"


def test_a_loss_beyond_the_days_limit_halts_until_the_next_day() -> None:
    risk = Driver().healthy("100000")
    effects = risk.tell(equity("98999"))
    assert alert_codes(effects) == [("DAILY_LOSS", "account")]
    assert risk.ask().state is TradingState.HALTED
    risk.tell(equity("100500"))
    assert risk.ask().state is TradingState.HALTED
    risk.now_ns += DAY_NS
    risk.refresh("100500")
    assert risk.ask().state is TradingState.ACTIVE


def test_a_loss_at_the_limit_is_no_breach() -> None:
    risk = Driver(**QUIET_HOUR).healthy("100000")
    risk.tell(equity("99000"))
    assert risk.ask().state is TradingState.ACTIVE


def test_the_day_begins_at_its_configured_time() -> None:
    since_midnight_ns = (START_NS + VENUE_OFFSET_NS) % DAY_NS
    minute = since_midnight_ns // (60 * S) + 1
    risk = Driver(day_starts=f"{minute // 60:02}:{minute % 60:02}").healthy("100000")
    risk.tell(equity("99500"))
    risk.now_ns += 60 * S
    risk.refresh("99500")
    assert risk.core.snapshot().day_pnl == "0"


def test_a_deposit_is_no_profit_and_counts_once_whichever_shard_reports_it() -> None:
    risk = Driver().healthy("100000")
    deposit = BalanceChanged(
        shard=0,
        event_seq=1,
        asset="USDC",
        wallet_balance=Decimal(105_000),
        balance_change=Decimal(5_000),
        reason="DEPOSIT",
        venue_time_ns=7,
    )
    risk.tell(deposit, BalanceChanged(**{**_fields(deposit), "shard": 1}), equity("104000"))
    assert risk.core.snapshot().day_pnl == "-1000"


def test_a_fill_and_funding_are_no_transfer() -> None:
    risk = Driver().healthy("100000")
    risk.tell(
        BalanceChanged(
            shard=0,
            event_seq=1,
            asset="USDC",
            wallet_balance=Decimal(1),
            balance_change=Decimal(9),
            reason="FUNDING_FEE",
            venue_time_ns=7,
        ),
        FundingPaid(
            shard=0,
            event_seq=2,
            instrument_id=BTC,
            asset="USDC",
            amount=Decimal(9),
            transaction_id="",
            venue_time_ns=7,
        ),
    )
    assert risk.core.snapshot().day_pnl == "0"


def test_an_equity_that_is_no_number_is_refused() -> None:
    risk = Driver().healthy()
    assert alert_codes(risk.tell(equity("NaN"))) == [("BAD_DATA", "account")]


def test_an_equity_of_nothing_reduces() -> None:
    risk = Driver(daily_loss_max=10**9).healthy("0")
    assert risk.ask().state is TradingState.REDUCING


def test_before_the_venues_clock_is_known_the_account_reduces() -> None:
    risk = Driver()
    risk.tell(EpochAnnounced(name="order_manager-0", shard=0, epoch=5, announced_ns=0))
    risk.refresh()
    assert risk.ask().reason == "the equity at the day's start is not known yet"


def test_a_margin_call_reduces_until_a_person_resumes() -> None:
    risk = Driver().healthy()
    called = MarginCalled(shard=0, event_seq=1, text="BTCUSDC", venue_time_ns=0)
    assert alert_codes(risk.tell(called)) == [("MARGIN_CALL", "account")]
    assert risk.ask().state is TradingState.REDUCING
    risk.tell(Resume(reason="looked at it"))
    assert risk.ask().state is TradingState.ACTIVE


def test_a_forced_fill_halts_the_symbol_and_reduces_the_account() -> None:
    risk = Driver().healthy()
    risk.tell(fill(1, Side.SELL, 3, 500_000, client_order_id="", ours=False, forced=True))
    assert states(risk.ask()) == ("REDUCING", "HALTED", "REDUCING")


def test_a_foreign_fill_restricts_nothing_by_itself() -> None:
    risk = Driver().healthy()
    risk.tell(fill(1, Side.SELL, 3, 500_000, client_order_id="", ours=False))
    assert states(risk.ask()) == ("ACTIVE", "ACTIVE", "ACTIVE")


@pytest.mark.parametrize("stop", [EmergencyStop(reason="by hand"), StopFileSeen(present=True, text="by hand")])
def test_a_stop_halts_until_a_person_resumes(stop: EmergencyStop | StopFileSeen) -> None:
    risk = Driver().healthy()
    risk.tell(stop)
    lease = risk.ask()
    assert (lease.state, lease.reason) == (TradingState.HALTED, "emergency stop: by hand")
    risk.tell(StopFileSeen(present=False))
    assert risk.ask().state is TradingState.HALTED
    risk.tell(Resume(reason="fixed"))
    assert risk.ask().state is TradingState.ACTIVE


def test_a_person_who_resumes_after_a_daily_loss_measures_from_there() -> None:
    risk = Driver(**QUIET_HOUR).healthy("100000")
    risk.tell(equity("98000"), Resume(reason="accepted"))
    assert risk.ask().state is TradingState.ACTIVE
    risk.tell(equity("96999"))
    assert risk.ask().state is TradingState.HALTED


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


def test_messages_of_no_consequence_change_nothing() -> None:
    risk = Driver().healthy()
    before = risk.core.snapshot()
    status = FeedStatus(instrument_id=BTC, state=FeedState.LIVE, update_id=1, confirmed_ns=0, since_ns=0)
    assert risk.tell(LinkChanged(peer="x", up=True), status) == []
    assert risk.core.snapshot() == before


def test_an_event_that_is_repeated_counts_once_and_a_gap_makes_the_orders_incomplete() -> None:
    risk = Driver().healthy()
    risk.tell(accepted(1, "a"), accepted(1, "a"))
    view = risk.core.snapshot().symbols["BTCUSDC"]
    assert (view.open_orders, view.worst_case_notional, view.worst_case_complete) == (1, "100", True)
    risk.tell(fill(5, Side.BUY, 2, 500_000))
    assert not risk.core.snapshot().symbols["BTCUSDC"].worst_case_complete


def test_a_shard_whose_journal_was_lost_is_pictured_anew() -> None:
    risk = Driver().healthy()
    first = era_begins_after(6) + 1
    risk.tell(accepted(1, "a"), accepted(first, "b"))
    view = risk.core.snapshot().symbols["BTCUSDC"]
    assert (view.open_orders, view.worst_case_notional, view.worst_case_complete) == (1, "100", True)
    risk.tell(accepted(1, "c"))
    assert risk.core.snapshot().symbols["BTCUSDC"].open_orders == 1, "the old numbers are over"


def accepted(event_seq: int, client_order_id: str) -> OrderAccepted:
    return OrderAccepted(
        shard=0,
        event_seq=event_seq,
        instrument_id=BTC,
        client_order_id=client_order_id,
        venue_order_id=1,
        venue_time_ns=0,
        side=Side.BUY,
        price_ticks=500_000,
        quantity_lots=2,
    )


def test_numbers_of_a_symbol_that_is_not_traded_are_refused() -> None:
    risk = Driver().healthy()
    foreign = fill(1, Side.BUY, 1, 1, instrument_id="binance_usdm:main:DOGEUSDC")
    risk.tell(foreign, position(1, foreign.instrument_id))
    assert risk.core.snapshot().bad_data == 2


def test_the_venues_count_of_requests_is_shown() -> None:
    risk = Driver().healthy()
    risk.tell(RateUsage(shard=0, weight_used_1m=3, orders_used_10s=2, orders_used_1m=1, observed_ns=0))
    assert risk.core.snapshot().shards[0].weight_used_1m == 3


def test_a_restart_remembers_day_latches_epochs_and_shares() -> None:
    risk = Driver().healthy("100000")
    risk.ask()
    risk.tell(MarginCalled(shard=0, event_seq=1, text="x", venue_time_ns=0), equity("98000"))
    restarted = Driver(memory=risk.memory())
    restarted.tell(venue_clock())
    restarted.refresh("100000")
    lease = restarted.ask(share_id=1)
    assert (lease.state, lease.epoch, lease.share_id) == (TradingState.HALTED, 5, 1)
    assert restarted.core.snapshot().latches == {"account": "margin call: x"}
    assert restarted.core.snapshot().day_pnl == "0"


def test_a_restart_on_an_unchanged_memory_writes_nothing() -> None:
    risk = Driver().healthy()
    risk.ask()
    restarted = RiskMonitorCore(spec("risk_monitor"), settings(), risk.memory())
    assert [effect for effect in restarted.start(START_NS) if isinstance(effect, Append)] == []


def test_a_damaged_memory_halts_until_a_person_resumes() -> None:
    risk = Driver(damaged="risk.msgpack cannot be understood").healthy()
    assert risk.ask().reason == "the risk monitor's memory is damaged: risk.msgpack cannot be understood"
    risk.tell(Resume(reason="looked"))
    assert risk.ask().state is TradingState.ACTIVE


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


def _fields(message: BalanceChanged) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__struct_fields__}


def changed(**risk: Any) -> SettingsChanged:
    return SettingsChanged(settings_json=settings(risk=risk).model_dump_json(), changes=("a limit",))


def test_a_limit_that_is_tightened_while_running_is_in_the_next_lease() -> None:
    risk = Driver().healthy("100000")
    before = risk.ask().limits[0].notional_max
    risk.tell(changed(position_notional_max=4_000))
    assert (before, risk.ask().limits[0].notional_max) == (Decimal(10_000), Decimal(4_000))


def test_a_loss_above_a_limit_that_was_tightened_stops_with_the_next_valuation() -> None:
    risk = Driver(**QUIET_HOUR).healthy("100000")
    risk.tell(equity("99500"))
    assert risk.ask().state is TradingState.ACTIVE
    risk.tell(changed(daily_loss_max=400, **QUIET_HOUR), equity("99500"))
    assert risk.ask().state is not TradingState.ACTIVE
    assert risk.core.snapshot().day_pnl == "-500"


def test_a_share_of_equity_is_cut_at_the_hard_cap() -> None:
    caps = {"position_notional_max": 3_000, "account_notional_max": 5_000}
    risk = Driver(position_notional_max="10%", account_notional_max="50%")
    own = {"position_notional_max": "10%", "account_notional_max": "50%"}
    risk.core = RiskMonitorCore(spec("risk_monitor"), settings(hard_caps=caps, risk=own))
    risk.healthy("100000")
    lease = risk.ask()
    assert lease.limits[0].notional_max == Decimal(3_000)
    loosened = settings(risk={"position_notional_max": "90%", "account_notional_max": "90%"}).model_dump_json()
    risk.tell(SettingsChanged(settings_json=loosened, changes=("caps untouched",)))
    assert risk.ask().limits[0].notional_max == Decimal(3_000)
