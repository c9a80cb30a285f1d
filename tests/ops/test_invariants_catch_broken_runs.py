"""Each invariant's check holds on a sound run, and fails on the run that breaks just it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from actors.exchange.ledger import (
    CountdownSet,
    LedgerRecord,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    RequestThrottled,
    VenueStarted,
)
from ops.invariants.all import check_all
from ops.invariants.history import Difference, History, Untended
from ops.report import build_report
from protocols.arithmetic.sequences import era_begins_after
from protocols.client_order_id import ClientOrderId
from protocols.envelope import Message
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.journal import GateChanged, OrderIntended, OrderWritten, PositionAdopted
from protocols.messages.orders import DenialCode, InstrumentTaken, OrderDenied
from protocols.messages.orders import OrderFilled as FillEvent
from protocols.values import Instrument, Side, TimeInForce, make_instrument_id

BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
INSTRUMENT = Instrument(
    instrument_id=BTC,
    version=1,
    base_asset="BTC",
    quote_asset="USDC",
    margin_asset="USDC",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
    price_ticks_min=1,
    price_ticks_max=10_000_000,
    quantity_lots_min=1,
    quantity_lots_max=1_000_000,
    notional_min=Decimal(20),
    price_multiplier_up=Decimal("1.05"),
    price_multiplier_down=Decimal("0.95"),
    open_orders_max=200,
)
SECOND_NS = 1_000_000_000


def order_id(seq: int, epoch: int = 3) -> str:
    return ClientOrderId(install="1", epoch=epoch, shard=0, symbol_code=0, seq=seq).text


def intended(client_order_id: str, **changes: object) -> OrderIntended:
    sound = OrderIntended(
        instrument_id=BTC,
        instrument_version=1,
        client_order_id=client_order_id,
        side=Side.BUY,
        price=Decimal("64000.0"),
        quantity=Decimal("0.010"),
        price_ticks=640_000,
        quantity_lots=10,
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        venue_time_ns=SECOND_NS,
        deadline_venue_ns=5 * SECOND_NS,
        decided_ns=1,
        book_update_id=77,
        book_age_ns=1_000_000,
        book_age_ns_max=500_000_000,
        best_bid_ticks=640_000,
        best_ask_ticks=640_001,
        worst_case_lots=10,
        limit_lots=25,
        lease_nonce=4,
    )
    return msgspec.structs.replace(sound, **changes)


def accepted(venue_order_id: int, client_order_id: str, *, at_ns: int = SECOND_NS) -> OrderAccepted:
    return OrderAccepted(
        t=at_ns,
        account="main",
        symbol="BTCUSDC",
        order_id=venue_order_id,
        client_order_id=client_order_id,
        side="BUY",
        type="LIMIT",
        time_in_force="GTX",
        price=Decimal("64000.0"),
        quantity=Decimal("0.010"),
        reduce_only=False,
        timestamp_ms=1_000,
        recv_window_ms=1_500,
    )


def armed(*, at_ns: int = 0, deadline_ns: int = 10 * SECOND_NS) -> CountdownSet:
    return CountdownSet(t=at_ns, account="main", symbol="BTCUSDC", deadline_ns=deadline_ns)


def restarted(at_ns: int) -> VenueStarted:
    latency_ms = Decimal(1)
    return VenueStarted(
        t=at_ns,
        source="synthetic",
        seed=1,
        speed=Decimal(1),
        order_latency_ms=latency_ms,
        feed_latency_ms=latency_ms,
        restart=True,
    )


def throttled(at_ns: int, *, sent_ns: int = 0, **changes: object) -> RequestThrottled:
    sound = RequestThrottled(
        t=at_ns,
        address="127.0.0.1",
        status=429,
        code=-1003,
        until_ns=at_ns + 20 * SECOND_NS,
        count=1,
        sent_ms=(sent_ns or at_ns) // 1_000_000,
    )
    return msgspec.structs.replace(sound, **changes)


def filled(venue_order_id: int, client_order_id: str, trade_id: int, position_after: str) -> OrderFilled:
    return OrderFilled(
        t=2 * SECOND_NS,
        account="main",
        symbol="BTCUSDC",
        trade_id=trade_id,
        order_id=venue_order_id,
        client_order_id=client_order_id,
        side="BUY",
        price=Decimal("64000.0"),
        quantity=Decimal("0.010"),
        executed=Decimal("0.010"),
        maker=True,
        commission=Decimal("0.0128"),
        commission_asset="USDC",
        realized_pnl=Decimal(0),
        position_after=Decimal(position_after),
        entry_price_after=Decimal("64000.0"),
        entry_cost_after=Decimal("640.0"),
        wallet_after=Decimal("99999.9872"),
    )


def booked(venue_order_id: int, client_order_id: str, trade_id: int, **changes: object) -> FillEvent:
    sound = FillEvent(
        shard=0,
        event_seq=trade_id,
        instrument_id=BTC,
        client_order_id=client_order_id,
        venue_order_id=venue_order_id,
        venue_time_ns=2 * SECOND_NS,
        side=Side.BUY,
        trade_id=trade_id,
        price_ticks=640_000,
        quantity_lots=10,
        remaining_lots=0,
        fee=Decimal("0.0128"),
        fee_asset="USDC",
        maker=True,
        ours=True,
    )
    return msgspec.structs.replace(sound, **changes)


OPENING: tuple[Message, ...] = (
    PositionAdopted(instrument_id=BTC, position_lots=0, entry_price=Decimal(0), trade_id_last=0, venue_time_ns=0),
    GateChanged(instrument_id=BTC, open=True, reason="", changed_ns=1),
)


def history(ledger: tuple[LedgerRecord, ...], journal: tuple[Message, ...], **claims: int) -> History:
    return History(
        ledger=ledger,
        journals={0: OPENING + journal},
        instruments={"BTCUSDC": INSTRUMENT},
        install="1",
        claimed_positions=claims,
    )


def sound_run() -> tuple[tuple[LedgerRecord, ...], tuple[Message, ...]]:
    first, second = order_id(1), order_id(2)
    ledger = (
        armed(),
        accepted(1, first),
        filled(1, first, 501, "0.010"),
        accepted(2, second),
        OrderCanceled(
            t=3 * SECOND_NS,
            account="main",
            symbol="BTCUSDC",
            order_id=2,
            client_order_id=second,
            side="BUY",
            executed=Decimal(0),
            reason="request",
        ),
    )
    journal = (intended(first), booked(1, first, 501), intended(second, worst_case_lots=20))
    return ledger, journal


def broken(run: History) -> set[str]:
    return {verdict.name for verdict in check_all(run) if not verdict.held}


def test_a_sound_run_holds_and_every_check_looked_at_something() -> None:
    verdicts = check_all(history(*sound_run(), BTCUSDC=10))
    assert {v.name: v.held for v in verdicts} == dict.fromkeys(
        ("I1", "I2", "I3", "I5", "I6", "I7", "I8", "I10", "I13", "I14", "I15"), True
    )
    assert all(v.checked > 0 for v in verdicts)


def test_an_intent_accepted_twice_breaks_i1() -> None:
    ledger, journal = sound_run()
    assert "I1" in broken(history((*ledger, accepted(9, order_id(2))), journal))


def test_a_position_that_the_journal_does_not_explain_breaks_i3() -> None:
    ledger, journal = sound_run()
    assert broken(history(ledger, tuple(r for r in journal if not isinstance(r, FillEvent)))) == {"I3", "I13"}


def test_an_inventory_that_claims_another_position_breaks_i3() -> None:
    assert broken(history(*sound_run(), BTCUSDC=11)) == {"I3"}


def test_an_intent_after_the_gate_was_stopped_breaks_i2() -> None:
    ledger, journal = sound_run()
    stopped = GateChanged(instrument_id=BTC, open=False, reason="STOPPED, BOOK", changed_ns=2)
    assert broken(history(ledger, (journal[0], journal[1], stopped, journal[2]))) == {"I2", "I7"}


def test_an_order_accepted_after_its_window_breaks_i2() -> None:
    only = order_id(1)
    ledger = (armed(), accepted(1, only, at_ns=4 * SECOND_NS))
    assert broken(history(ledger, (intended(only),))) == {"I2"}


def test_an_order_accepted_under_an_emergency_stop_breaks_i2() -> None:
    only = order_id(1)
    late = msgspec.structs.replace(accepted(1, only, at_ns=9 * SECOND_NS), timestamp_ms=8_900)
    run = history((armed(), late), (intended(only),))
    under = msgspec.structs.replace(run, stops=((5 * SECOND_NS, 0),))
    still_in_its_window = msgspec.structs.replace(run, stops=((8 * SECOND_NS, 0),))
    lifted = msgspec.structs.replace(run, stops=((5 * SECOND_NS, 8 * SECOND_NS),))
    assert [broken(one) for one in (under, still_in_its_window, lifted)] == [{"I2"}, set(), set()]


def test_a_request_inside_a_retry_after_window_breaks_i10() -> None:
    ledger, journal = sound_run()
    first = throttled(4 * SECOND_NS)
    on_its_way = throttled(5 * SECOND_NS, sent_ns=4 * SECOND_NS)
    inside = throttled(9 * SECOND_NS)
    after = throttled(30 * SECOND_NS)
    assert broken(history((*ledger, first, on_its_way, after), journal)) == set()
    assert broken(history((*ledger, first, inside), journal)) == {"I10"}


def test_a_ban_breaks_i10() -> None:
    ledger, journal = sound_run()
    assert broken(history((*ledger, throttled(4 * SECOND_NS, status=418)), journal)) == {"I10"}


def test_an_order_without_an_armed_countdown_breaks_i14() -> None:
    ledger, journal = sound_run()
    assert broken(history(ledger[1:], journal)) == {"I14"}


def test_a_countdown_disarmed_over_a_live_order_breaks_i14() -> None:
    only = order_id(1)
    ledger = (armed(), accepted(1, only), armed(at_ns=2 * SECOND_NS, deadline_ns=0))
    assert broken(history(ledger, (intended(only),))) == {"I14"}


def test_an_order_that_outlives_its_countdown_breaks_i14() -> None:
    only = order_id(1)
    ledger = (armed(), accepted(1, only), throttled(12 * SECOND_NS))
    assert broken(history(ledger, (intended(only),))) == {"I14"}


def test_a_countdown_that_ran_out_while_the_venue_was_away_fires_when_it_is_back_or_breaks_i14() -> None:
    only = order_id(1)
    lived = (armed(), accepted(1, only), restarted(20 * SECOND_NS))
    assert "I14" not in broken(history((*lived, throttled(20 * SECOND_NS)), (intended(only),)))
    assert "I14" in broken(history((*lived, throttled(22 * SECOND_NS)), (intended(only),)))
    overdue = (armed(), accepted(1, only), throttled(12 * SECOND_NS), restarted(20 * SECOND_NS))
    assert "I14" in broken(history(overdue, (intended(only),)))


def test_an_order_of_an_older_epoch_after_a_newer_one_breaks_i5() -> None:
    ledger, journal = sound_run()
    late = order_id(3, epoch=2)
    assert broken(history((*ledger, accepted(3, late)), (*journal, intended(late)))) == {"I5"}


def test_an_order_beyond_the_limit_at_its_write_breaks_i6() -> None:
    first, second = order_id(1), order_id(2)
    ledger = (armed(), accepted(1, first), accepted(2, second))
    assert broken(history(ledger, (intended(first), intended(second, limit_lots=15)))) == {"I6"}


def test_what_a_stranger_trades_counts_in_i6_from_when_it_was_heard_of() -> None:
    first = order_id(1)
    stranger = filled(9, "stranger-1", 601, "0.020")
    order = accepted(1, first, at_ns=3 * SECOND_NS)
    ledger = (armed(), stranger, order)
    heard = booked(9, "stranger-1", 601, ours=False, quantity_lots=20)
    assert "I6" not in broken(history(ledger, (intended(first),)))
    assert "I6" in broken(history(ledger, (heard, intended(first))))


@pytest.mark.parametrize(
    "fault",
    [
        {"book_age_ns": 600_000_000},
        {"best_bid_ticks": 640_001},
        {"best_bid_ticks": 0},
        {"book_update_id": 0},
    ],
    ids=["stale", "crossed", "empty", "none"],
)
def test_an_order_without_a_sound_book_breaks_i7(fault: dict[str, int]) -> None:
    only = order_id(1)
    assert broken(history((armed(), accepted(1, only)), (intended(only, **fault),))) == {"I7"}


def test_an_order_while_the_gate_is_shut_breaks_i7() -> None:
    only = order_id(1)
    shut = GateChanged(instrument_id=BTC, open=False, reason="resync", changed_ns=2)
    assert broken(history((armed(), accepted(1, only)), (shut, intended(only)))) == {"I7"}


def test_an_order_that_no_journal_knows_breaks_i8() -> None:
    ledger, journal = sound_run()
    assert "I8" in broken(history((*ledger, accepted(7, order_id(7))), journal))


def test_an_event_that_inventory_has_and_the_journal_has_not_breaks_i4() -> None:
    ledger, journal = sound_run()
    fill = booked(1, order_id(1), 501)
    copied = msgspec.structs.replace(history(ledger, journal), copied=(fill,))
    assert broken(copied) == set()
    for other in (msgspec.structs.replace(fill, quantity_lots=9), msgspec.structs.replace(fill, event_seq=777)):
        assert broken(msgspec.structs.replace(copied, copied=(other,))) == {"I4"}


@pytest.mark.parametrize(("hidden_s", "lasted_s"), [(0, 2), (10, 12)])
def test_a_position_that_differs_for_longer_than_two_seconds_or_than_a_fault_hides_it_breaks_i3(
    hidden_s: int, lasted_s: int
) -> None:
    run = msgspec.structs.replace(history(*sound_run()), hidden_ns_max=hidden_s * SECOND_NS)
    short = Difference(symbol="BTCUSDC", ours=1, theirs=2, lasted_ns=lasted_s * SECOND_NS)
    long = msgspec.structs.replace(short, lasted_ns=short.lasted_ns + 1)
    assert broken(msgspec.structs.replace(run, differences=(short,))) == set()
    assert broken(msgspec.structs.replace(run, differences=(short, long))) == {"I3"}


def test_an_order_that_rests_in_no_table_for_longer_than_a_comparison_takes_breaks_i8() -> None:
    ledger, journal = sound_run()
    for lasted_ns, names in ((11 * SECOND_NS, set()), (13 * SECOND_NS, {"I8"})):
        lost = Untended(symbol="BTCUSDC", client_order_id=order_id(1), lasted_ns=lasted_ns)
        run = msgspec.structs.replace(history(ledger, journal, BTCUSDC=10), untended=(lost,))
        assert broken(run) == names


def test_a_wallet_that_is_not_the_venues_breaks_i13() -> None:
    ledger, journal = sound_run()
    for claimed, names in (("99999.9872", set()), ("100000", {"I13"})):
        run = msgspec.structs.replace(history(ledger, journal, BTCUSDC=10), claimed_wallets={"USDC": Decimal(claimed)})
        assert broken(run) == names


def test_a_queue_above_its_bound_breaks_i11() -> None:
    run = history(*sound_run())
    assert broken(msgspec.structs.replace(run, peaks={"link": (10, 10)})) == set()
    assert broken(msgspec.structs.replace(run, peaks={"link": (11, 10)})) == {"I11"}


def alerted(
    ledger: tuple[LedgerRecord, ...], journal: tuple[Message, ...], raised_s: float, **changes: object
) -> History:
    """A run in which one alert was raised at an instant of the venue, within five seconds of its incident at most."""
    limited = Alert(code=AlertCode.RATE_LIMITED, severity=Severity.WARNING, subject="main", text="", raised_ns=1)
    alert = msgspec.structs.replace(limited, **changes)
    return msgspec.structs.replace(
        history(ledger, journal),
        raised=(alert,),
        told=(alert,),
        raised_t=(round(raised_s * SECOND_NS),),
        told_ns_max=5 * SECOND_NS,
    )


def test_an_alert_that_never_arrived_and_an_incident_that_raised_none_break_i12() -> None:
    ledger, journal = sound_run()
    told = alerted((*ledger, throttled(4 * SECOND_NS)), journal, 4)
    assert broken(told) == set()
    assert broken(msgspec.structs.replace(told, told=())) == {"I12"}
    assert broken(msgspec.structs.replace(told, raised=(), raised_t=())) == {"I12"}


@pytest.mark.parametrize(("raised_s", "names"), [(3.9, {"I12"}), (4, set()), (9, set()), (9.1, {"I12"})])
def test_an_alert_from_before_its_incident_or_long_after_it_breaks_i12(raised_s: float, names: set[str]) -> None:
    ledger, journal = sound_run()
    assert broken(alerted((*ledger, throttled(4 * SECOND_NS)), journal, raised_s)) == names


def test_an_alert_of_another_actor_breaks_i12() -> None:
    ledger, journal = sound_run()
    of_inventory = throttled(4 * SECOND_NS, address="127.0.0.1 inventory")
    assert broken(alerted((*ledger, of_inventory), journal, 4, source="order_manager-0")) == {"I12"}
    assert broken(alerted((*ledger, of_inventory), journal, 4, source="inventory")) == set()


@pytest.mark.parametrize(("subject", "is_told"), [("BTCUSDC", True), ("ETHUSDC", False)])
def test_an_alert_about_another_symbol_breaks_i12(subject: str, is_told: bool) -> None:
    ledger, journal = sound_run()
    strangers = filled(99, "stranger-1", 77, "0.020")
    run = alerted((*ledger, strangers), journal, 2, code=AlertCode.FOREIGN_FILL, subject=subject)
    assert ("I12" not in broken(run)) is is_told


def test_a_refusal_that_nobody_lived_to_read_binds_nobody_and_is_no_incident() -> None:
    ledger, journal = sound_run()
    first, second = throttled(4 * SECOND_NS), throttled(6 * SECOND_NS)
    run = alerted((*ledger, first, second), journal, 6)
    assert broken(run) == {"I10"}
    assert broken(msgspec.structs.replace(run, untold=frozenset({(first.address, first.t)}))) == set()
    assert broken(msgspec.structs.replace(run, untold=frozenset({(second.address, second.t)}))) == {"I10"}


def test_an_incident_shortly_after_one_that_was_told_needs_no_alert_of_its_own() -> None:
    ledger, journal = sound_run()
    for again_s, is_told in ((13, True), (15, False)):
        run = alerted((*ledger, throttled(4 * SECOND_NS), throttled(again_s * SECOND_NS)), journal, 4)
        assert ("I12" not in broken(run)) is is_told


def test_a_lot_that_is_worth_another_quantity_in_the_same_version_breaks_i15() -> None:
    first, second = order_id(1), order_id(2)
    ledger = (armed(), accepted(1, first))
    other = intended(second, quantity=Decimal("0.020"))
    assert broken(history(ledger, (intended(first), other))) == {"I15"}
    assert broken(history(ledger, (intended(first), msgspec.structs.replace(other, instrument_version=2)))) == set()


def taken(position_lots: int, lot: str, version: int) -> InstrumentTaken:
    instrument = msgspec.structs.replace(INSTRUMENT, version=version, lot_size=Decimal(lot))
    return InstrumentTaken(
        shard=0,
        event_seq=900 + version,
        instrument_id=BTC,
        instrument=instrument,
        position_lots=position_lots,
        venue_time_ns=2 * SECOND_NS,
    )


def test_a_position_that_another_lot_has_changed_breaks_i15() -> None:
    ledger, journal = sound_run()
    opening = PositionAdopted(
        instrument_id=BTC, position_lots=0, entry_price=Decimal(0), trade_id_last=0, venue_time_ns=1
    )
    before = (taken(0, "0.001", 1), opening, *journal)
    assert broken(history(ledger, (*before, taken(100, "0.0001", 2)))) == set()
    assert broken(history(ledger, (*before, taken(10, "0.0001", 2)))) == {"I15"}
    anew = msgspec.structs.replace(taken(0, "0.0001", 2), event_seq=era_begins_after(7) + 1)
    assert broken(history(ledger, (*before, anew))) == set(), "a life without a journal does not know yet"


def test_a_fill_booked_twice_breaks_i13() -> None:
    ledger, journal = sound_run()
    assert broken(history(ledger, (*journal, booked(1, order_id(1), 501)))) == {"I13"}


def test_a_fee_that_differs_from_the_venues_breaks_i13() -> None:
    first = order_id(1)
    ledger, _ = sound_run()
    journal = (intended(first), booked(1, first, 501, fee=Decimal("0.02")), intended(order_id(2)))
    assert broken(history(ledger, journal)) == {"I13"}


NOT_GROUND = {
    "reductions": 0,
    "reentries": 0,
    "reduced": "0",
    "reentered": "0",
    "cost": "0",
    "saving": "0",
    "fees_elsewhere": {},
}


def test_the_report_tells_the_run_from_its_files() -> None:
    ledger, journal = sound_run()
    written = tuple(
        OrderWritten(client_order_id=order_id(n), origin_ns=1_000_000, written_ns=1_000_000 + n * 100_000)
        for n in (1, 2, 3)
    )
    report = build_report(history(ledger, journal + written))
    assert report["live_orders_at_end"] == 0
    assert report["latency_us"]["tick_to_order"] == {"p50": 200.0, "p95": 290.0, "p99": 298.0, "count": 3}
    assert report["symbols"]["BTCUSDC"] == {
        "quotes": 2,
        "orders": {"accepted": 2, "amended": 0, "canceled": 1, "rejected": 0},
        "fills": 1,
        "maker_share": 1.0,
        "volume": "640.0000",
        "position": "0.010",
        "pnl": {
            "gross": "0",
            "fees": "0.0128",
            "funding": "0",
            "net": "-0.0128",
            "seam": "0",
            "fees_plain": "0.12800000",
            "net_plain": "-0.12800000",
        },
        "queue_models": {
            model: {"fills": fills, "volume": volume, "gross": gross, "net": gross, "net_plain_fees": net_plain}
            for model, fills, volume, gross, net_plain in (
                ("pessimistic", 1, "640.0000", "0.0000", "-0.12800000"),
                ("probabilistic", 0, "0", "0", "0"),
            )
        },
        "quoted_both_share": 0.0,
        "markout_bps": {"1s": None, "5s": None, "30s": None},
        "requests": {"sent": 0, "denied": {}, "fills": 0, "volume": "0", "fees": "0", "grinding": NOT_GROUND},
    }


def test_the_report_tells_what_became_of_one_shot_requests() -> None:
    ledger, journal = sound_run()
    asked = msgspec.structs.replace(journal[0], intent_id="wish-1")
    refused = OrderDenied(
        shard=0,
        event_seq=9,
        instrument_id=BTC,
        client_order_id=order_id(9),
        venue_order_id=0,
        venue_time_ns=1,
        side=Side.BUY,
        code=DenialCode.POSITION,
        text="",
        intent_id="wish-2",
    )
    report = build_report(history(ledger, (asked, *journal[1:], refused)))
    assert report["symbols"]["BTCUSDC"]["requests"] == {
        "sent": 1,
        "denied": {"POSITION": 1},
        "fills": 1,
        "volume": "640.0000",
        "fees": "0.0128",
        "grinding": NOT_GROUND,
    }


def test_a_request_that_was_sent_twice_breaks_i1() -> None:
    ledger, _ = sound_run()
    wishes = [msgspec.structs.replace(intended(order_id(n)), intent_id="wish-1") for n in (1, 2)]
    assert "I1" in broken(history(ledger, tuple(wishes)))
