"""A start after the venue changed its ticks or lots: what the journal holds is the same quantity in the new units, or the symbol halts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_manager_rig import BTC, MID, OFFSET_NS, SECOND, Rig, Venue, instrument, spec

from actors.order_manager.core import OrderManagerCore
from protocols.messages.alerts import AlertCode
from protocols.messages.orders import InstrumentTaken, OrderFilled
from protocols.messages.risk import InstrumentChanged
from protocols.values import Side
from protocols.venue import PlaceOrder, RefusalKind, Refused, Usage

FINER = {"version": 2, "tick_size": Decimal("0.01"), "lot_size": Decimal("0.0001")}
COARSER = {"version": 2, "lot_size": Decimal("0.002")}


def traded(bought_lots: int) -> Rig:
    """A life that has bought something and then died."""
    rig = Rig().come_up()
    rig.want([(MID - 5, bought_lots)], [])
    (order,) = rig.venue.open()
    rig.venue.fill(order.client_order_id, bought_lots)
    rig.want([], [])
    rig.run(1_000)
    return rig


def in_other_units(venue: Venue, lots: Fraction) -> Venue:
    """The venue as it speaks after the change."""
    venue.positions = {one: int(held * lots) for one, held in venue.positions.items()}
    venue.fills = [msgspec.structs.replace(fill, quantity_lots=int(fill.quantity_lots * lots)) for fill in venue.fills]
    return venue


def begun_again(old: Rig, listed: dict[str, object], lots: Fraction) -> Rig:
    venue = in_other_units(old.venue, lots)
    return Rig(journal=list(old.journal), venue=venue, epoch=8, now_ns=old.now_ns + SECOND, listed=listed)


def test_each_life_names_the_units_of_its_journal_before_any_event():
    rig = Rig()
    (taken,) = rig.records(InstrumentTaken)
    assert taken == InstrumentTaken(
        shard=0,
        event_seq=taken.event_seq,
        instrument_id=BTC,
        instrument=instrument(),
        position_lots=0,
        venue_time_ns=rig.now_ns,
    )
    assert rig.published.index(taken) == 0


def test_a_position_is_the_same_quantity_in_finer_lots():
    old = traded(12)
    rig = begun_again(old, FINER, Fraction(10))
    taken = rig.records(InstrumentTaken)[-1]
    assert (taken.instrument.version, taken.position_lots) == (2, 120)
    rig.come_up()
    assert (rig.shown().position, rig.shown().position_lots) == ("0.0120", 120)
    assert rig.shown().halted == ""
    assert rig.alerts(AlertCode.POSITION_MISMATCH) == []


def test_executions_that_are_told_again_are_not_booked_again_in_the_new_units():
    rig = begun_again(traded(12), FINER, Fraction(10)).come_up()
    assert rig.said(OrderFilled) == []


def test_and_back_again():
    rig = begun_again(traded(12), FINER, Fraction(10)).come_up()
    rig = Rig(
        journal=list(rig.journal),
        venue=in_other_units(rig.venue, Fraction(1, 10)),
        epoch=9,
        now_ns=rig.now_ns + SECOND,
        listed={"version": 3},
    ).come_up()
    assert (rig.shown().position, rig.shown().position_lots) == ("0.012", 12)


def test_a_checkpoint_is_read_in_its_own_units():
    old = traded(12)
    core = OrderManagerCore(spec(8, listed=FINER), old.core._shard.settings)
    core.load(old.core.checkpoint())
    assert core._shard.symbols[BTC].table.position_lots == 12
    core.start(old.now_ns + SECOND)
    assert core._shard.symbols[BTC].table.position_lots == 120


def test_orders_are_priced_and_sized_in_the_new_units():
    rig = begun_again(traded(12), FINER, Fraction(10))
    rig.come_up()
    ten = MID * 10
    rig.give(rig.request(Side.SELL, 100, ten - 30, instrument_version=2))
    assert rig.venue.of(PlaceOrder)[-1].price_ticks == ten - 30
    intent = rig.intents()[-1]
    assert (intent.price, intent.quantity, intent.instrument_version) == (Decimal("59999.70"), Decimal("0.0100"), 2)


def test_a_position_that_is_no_whole_number_of_the_new_lots_halts_the_symbol_with_what_to_do():
    old = traded(13)
    rig = begun_again(old, COARSER, Fraction(1, 2))
    assert rig.shown().halted == (
        "the position of 0.013 is no whole number of the venue's new lot of 0.002: bring it to one at the venue, then resume"
    )
    (alert,) = rig.alerts(AlertCode.ACCOUNT_DIFFERS)
    assert "is halted" in alert.text


def test_an_order_that_a_dead_process_left_counts_for_no_less():
    old = Rig().come_up()
    old.venue.answer = lambda request: "lost" if isinstance(request, PlaceOrder) else None
    old.want([(MID - 5, 11)], [])
    rig = begun_again(old, COARSER, Fraction(1, 2))
    assert rig.shown().worst_long_lots == 6
    assert rig.core.snapshot().orders[0].price == "59999.5"


def test_without_a_journal_the_copy_of_the_events_is_converted_too():
    old = traded(12)
    copy = [body for body in old.published if hasattr(body, "event_seq")]
    venue = in_other_units(old.venue, Fraction(10))
    rig = Rig(copy=copy, venue=venue, epoch=8, now_ns=old.now_ns + SECOND, listed=FINER)
    assert rig.shown().position_lots == 120


@pytest.mark.parametrize("lot", ["0.001", "0.0001", "0.00005", "0.01"])
@given(lots=st.integers(-10_000, 10_000))
def test_a_position_is_the_same_or_the_symbol_halts(lot: str, lots: int) -> None:
    old = OrderManagerCore(spec(), Rig().core._shard.settings)
    old._shard.symbols[BTC].table.adopt(lots)
    new = OrderManagerCore(spec(8, listed={"version": 2, "lot_size": Decimal(lot)}), old._shard.settings)
    new.load(old.checkpoint())
    new.start(OFFSET_NS)
    symbol = new._shard.symbols[BTC]
    held, was = symbol.instrument.quantity(symbol.table.position_lots), instrument().quantity(lots)
    assert (held == was) is not bool(symbol.halted)
    assert abs(held) <= abs(was)


def changed(**bounds: object) -> InstrumentChanged:
    return InstrumentChanged(instrument_id=BTC, instrument=instrument(**{"version": 2, **bounds}))


def quoting() -> Rig:
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want([(MID - 5, 10)], [])
    return rig


def test_new_bounds_while_running_withdraw_the_quotes_until_a_ladder_of_their_version_comes():
    rig = quoting()
    rig.give(changed(notional_min=Decimal(700)))
    assert rig.venue.open() == []
    assert rig.shown().gate_reasons == ("BOOK", "TARGET")
    assert rig.records(InstrumentTaken)[-1].instrument == instrument(version=2, notional_min=Decimal(700))
    rig.run(200)
    assert rig.venue.open() == [], "book and ladder are of the old version"
    rig.version = 2
    rig.want([(MID - 5, 11), (MID - 40, 13)], [])
    assert rig.venue.side(Side.BUY) == [(MID - 40, 13)], "660 of quote currency is less than 700"
    assert rig.shown().denials == {"FILTER": 1}


def test_what_is_said_again_or_is_older_changes_nothing():
    rig = quoting()
    rig.give(changed())
    rig.give(changed())
    rig.give(changed(version=1, notional_min=Decimal(999)))
    assert [one.instrument.version for one in rig.records(InstrumentTaken)] == [1, 2]


def test_other_units_are_never_taken_while_running():
    rig = quoting()
    rig.give(changed(lot_size=Decimal("0.0001")))
    assert len(rig.records(InstrumentTaken)) == 1
    assert len(rig.venue.open()) == 1


def refusing_for_filters(rig: Rig) -> None:
    rig.venue.answer = lambda request: (
        Refused(
            request_id=request.request_id,
            received_ns=rig.now_ns,
            usage=Usage(),
            kind=RefusalKind.OUR_FAULT,
            venue_code=-4005,
            text="Quantity greater than max quantity.",
        )
        if isinstance(request, PlaceOrder)
        else None
    )


LADDER = [(MID - 5 - 40 * level, 10) for level in range(7)]


def test_a_whole_ladder_that_old_filters_let_through_waits_for_new_ones_and_does_not_halt() -> None:
    rig = Rig().come_up()
    refusing_for_filters(rig)
    rig.want(LADDER, [])
    rig.run(4_000)
    assert ("SYMBOL_HALTED" in rig.shown().gate_reasons, rig.shown().halted) == (True, "")
    assert len(rig.venue.of(PlaceOrder)) == len(LADDER)
    rig.venue.answer = lambda request: None
    rig.give(changed(quantity_lots_max=50))
    rig.version = 2
    rig.want(LADDER, [])
    assert len(rig.venue.open()) == len(LADDER)


def test_refusals_for_filters_that_no_new_ones_explain_halt_after_some() -> None:
    rig = Rig().come_up()
    refusing_for_filters(rig)
    rig.want([(MID - 5, 10)], [])
    rig.run(19_000)
    assert rig.shown().halted == ""
    rig.run(3_000)
    assert (len(rig.venue.of(PlaceOrder)), bool(rig.shown().halted)) == (5, True)
