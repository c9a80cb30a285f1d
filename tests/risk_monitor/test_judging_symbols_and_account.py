"""What speaks against a symbol or the account, and who lifts it."""

from __future__ import annotations

import pytest
from account_samples import (
    BTC,
    ETH,
    START_NS,
    S,
    alert_codes,
    equity,
    fill,
    mark,
    position,
    venue_clock,
)
from risk_monitor_rig import Driver, states

from protocols.arithmetic.sequences import era_begins_after
from protocols.effects import LinkChanged, TimerFired
from protocols.messages.control import (
    EmergencyStop,
    EpochAnnounced,
    Resume,
    StopFileSeen,
)
from protocols.messages.market import FeedState, FeedStatus
from protocols.messages.orders import MarginCalled, OrderAccepted
from protocols.messages.risk import TradingState
from protocols.values import Side


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
