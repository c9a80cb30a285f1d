"""Nothing leaves without a reason to: the conditions of the gate and the checks of a single order."""

from __future__ import annotations

from decimal import Decimal

import pytest
from order_manager_rig import BTC, MID, MS, OFFSET_NS, SECOND, Rig, instrument, settings

from actors.order_manager.gate import Limits, check_order
from actors.order_manager.orders import Order
from actors.order_manager.outbox import Outbox
from actors.order_manager.symbol import Symbol, scaled_notional
from configs.schema import OrderManagerSettings
from protocols.effects import JournalStalled, LinkChanged, OutboxFull, TimerFired
from protocols.messages.alerts import AlertCode
from protocols.messages.control import EmergencyStop, EpochAnnounced, Resume, SettingsChanged
from protocols.messages.journal import GateChanged, LimitsChanged, OrderIntended
from protocols.messages.market import BookTop, FeedState, MarkPrice, VenueClock
from protocols.messages.orders import DenialCode, OrderDenied
from protocols.messages.risk import QuotingTerms, RiskLevel, SymbolLimits, TradingState
from protocols.values import Side, TimeInForce
from protocols.venue import AmendOrder, CancelOrder, PlaceOrder, StreamChanged, Throttled, Usage

BIDS, ASKS = [(MID - 5, 10)], [(MID + 5, 10)]


def test_an_open_gate_sends_post_only_intents_with_the_facts_that_justify_them():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    intent = rig.intents()[0]
    assert intent == OrderIntended(
        instrument_id=BTC,
        instrument_version=1,
        client_order_id="rm1-7-000-1",
        side=Side.BUY,
        price=Decimal("59999.5"),
        quantity=Decimal("0.010"),
        price_ticks=MID - 5,
        quantity_lots=10,
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        venue_time_ns=rig.now_ns + OFFSET_NS,
        deadline_venue_ns=rig.now_ns + OFFSET_NS + 3_000 * MS + rig.core._shard.clock.error_ns,
        decided_ns=rig.now_ns,
        book_update_id=rig.book_id,
        book_age_ns=0,
        book_age_ns_max=500 * MS,
        best_bid_ticks=MID - 1,
        best_ask_ticks=MID + 1,
        worst_case_lots=10,
        limit_lots=1_000,
        lease_nonce=rig.core._shard.lease.nonce,
    )
    assert rig.venue.of(PlaceOrder)[0].client_order_id == intent.client_order_id
    assert rig.records(GateChanged)[-1].open


def test_targets_that_do_not_change_send_nothing_more():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.run(5_000)
    assert len(rig.venue.of(PlaceOrder)) == 2


def test_a_lease_that_is_over_sends_nothing_and_two_seconds_later_every_quote_goes():
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want(BIDS, ASKS)
    rig.lease_on = False
    rig.run(1_250)
    rig.want([(MID - 50, 10)], ASKS)
    assert rig.venue.side(Side.BUY) == BIDS
    assert rig.shown().gate_reasons == ("LEASE",)
    rig.run(2_000)
    assert rig.venue.open() == []


def test_a_stale_book_pulls_the_quotes():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.feed_on = False
    rig.run(600)
    assert rig.venue.open() == []
    assert "BOOK" in rig.shown().gate_reasons


def test_a_book_that_is_not_live_pulls_the_quotes_at_once():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.give(rig.status(BTC, FeedState.INVALID))
    assert rig.venue.open() == []


def test_targets_that_nobody_repeats_are_pulled():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.targets.clear()
    rig.run(2_100)
    assert rig.venue.open() == []
    assert rig.shown().gate_reasons == ("TARGET",)


def test_targets_of_an_older_book_place_nothing_when_the_feed_has_a_newer_one():
    rig = Rig().come_up()
    rig.want([], [])
    late = rig.quote(BTC)
    rig.targets.clear()
    rig.run(600)
    rig.targets[BTC] = (tuple(BIDS), ())
    import msgspec

    rig.give(msgspec.structs.replace(late, bids=tuple(BIDS)))
    assert rig.intents() == []
    assert rig.shown().denials == {"STALE_BOOK": 1}


def test_a_mute_private_stream_pulls_the_quotes():
    rig = Rig(user_stream_age_ms_max=2_000).come_up()
    rig.want(BIDS, ASKS)
    rig.stream_on = rig.venue.tells = False
    rig.run(2_200)
    assert rig.venue.open() == []
    assert "USER_STREAM" in rig.shown().gate_reasons


def test_an_old_clock_sample_shuts_the_gate():
    rig = Rig(clock_age_ms_max=1_000)
    rig.give(VenueClock(offset_ns=OFFSET_NS, error_ns=300 * MS, sampled_ns=rig.now_ns))
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    assert "CLOCK" in rig.shown().gate_reasons or not rig.shown().gate_open


def test_a_process_that_stood_still_pulls_its_quotes_until_it_beats_in_time():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.now_ns += 700 * MS
    rig.give(rig.top(BTC))
    rig.give(rig.status(BTC))
    rig.give(TimerFired(name="heartbeat"))
    assert "LOOP" in rig.shown().gate_reasons
    assert rig.venue.open() == []
    rig.run(1_000)
    assert len(rig.venue.open()) == 2


@pytest.mark.parametrize("peer", ["strategy-0", "market_data-0"])
def test_a_lost_link_pulls_the_quotes(peer):
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.give(LinkChanged(peer=peer, up=False))
    assert rig.venue.open() == []
    rig.give(LinkChanged(peer=peer, up=True))
    assert len(rig.venue.open()) == 2


def test_a_reader_that_does_not_read_stops_quoting():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.give(OutboxFull(reader="inventory", full=True))
    assert rig.venue.open() == []
    assert len(rig.alerts(AlertCode.OUTBOX_FULL)) == 1
    rig.give(OutboxFull(reader="inventory", full=False))
    assert len(rig.venue.open()) == 2


def test_a_newer_epoch_of_this_actor_shuts_the_gate():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.give(EpochAnnounced(name="strategy-0", shard=0, epoch=9, announced_ns=rig.now_ns))
    assert len(rig.venue.open()) == 2
    rig.give(EpochAnnounced(name="order_manager-0", shard=0, epoch=9, announced_ns=rig.now_ns))
    assert rig.venue.open() == []


def test_halted_allows_only_cancels():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.state = TradingState.HALTED
    rig.run(300)
    assert rig.venue.open() == []
    assert "LEASE_HALTED" in rig.shown().gate_reasons


def test_reducing_withdraws_the_increasing_side_and_sends_only_reduce_only_within_the_position():
    rig = Rig(order_age_ms_min=0).come_up(position_lots=15)
    rig.want(BIDS, [])
    rig.state = TradingState.REDUCING
    rig.run(300)
    rig.want(BIDS, [(MID + 5, 10), (MID + 50, 10)])
    assert rig.venue.side(Side.BUY) == []
    assert rig.venue.side(Side.SELL) == [(MID + 5, 10), (MID + 50, 5)]
    assert all(order.request.reduce_only for order in rig.venue.open())


def test_reducing_without_a_position_quotes_nothing():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    rig.state = TradingState.REDUCING
    rig.run(300)
    assert rig.venue.open() == []


def test_a_lowered_limit_withdraws_the_outermost_orders():
    rig = Rig().come_up()
    rig.want([(MID - 5, 10), (MID - 20, 10)], ASKS)
    rig.position_lots_max = 12
    rig.run(300)
    assert rig.venue.side(Side.BUY) == [(MID - 5, 10)]
    changes = rig.records(LimitsChanged)
    assert [(c.position_lots_max, c.state) for c in changes] == [(1_000, "ACTIVE"), (12, "ACTIVE")]


def test_a_denied_level_is_tried_again_four_times_a_second_counted_and_told_once():
    rig = Rig()
    rig.position_lots_max = 5
    rig.come_up()
    rig.want(BIDS, [])
    rig.run(950)
    assert [event.code for event in rig.said(OrderDenied)] == [DenialCode.POSITION]
    assert rig.shown().denials["POSITION"] == 4


def test_dry_run_decides_and_sends_nothing():
    rig = Rig(dry_run=True)
    rig.give(VenueClock(offset_ns=OFFSET_NS, error_ns=MS, sampled_ns=rig.now_ns))
    rig.run(1_000)
    rig.want(BIDS, ASKS)
    assert rig.venue.requests == []
    assert rig.intents() == []
    assert rig.shown().denials["DRY_RUN"] >= 2


# a single order


def symbol(**changes: object) -> Symbol:
    made = Symbol(
        instrument(**changes),
        install="1",
        epoch=7,
        shard=0,
        symbol_code=0,
        settings=OrderManagerSettings(),
        price_band_bps_max=100,
        outbox=Outbox(0, "order_manager-0"),
    )
    made.take_top(
        BookTop(
            instrument_id=BTC,
            instrument_version=1,
            update_id=1,
            venue_time_ns=1,
            received_ns=1,
            bids=((MID - 1, 1),),
            asks=((MID + 1, 1),),
        )
    )
    return made


def limits(state: TradingState = TradingState.ACTIVE, **changes: int) -> Limits:
    fields = {"position_lots_max": 50, "order_lots_max": 20, "open_orders_max": 3, **changes}
    told = SymbolLimits(
        instrument_id=BTC, state=state, notional_max=Decimal(10_000), order_notional_max=Decimal(1_150), **fields
    )
    return Limits(told, state)


def rest(made: Symbol, side: Side, price_ticks: int, lots: int) -> Order:
    order = Order(
        client_order_id=f"rm1-7-000-{len(made.table.live) + 1}",
        epoch=7,
        side=side,
        price_ticks=price_ticks,
        lots=lots,
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        created_ns=0,
        deadline_venue_ns=0,
    )
    made.table.add(order)
    return order


ROOM = scaled_notional(Decimal(1_000_000))


def test_an_order_within_every_limit_passes():
    assert check_order(symbol(), limits(), Side.BUY, MID - 5, 10, False, ROOM) is None


@pytest.mark.parametrize(
    ("side", "price_ticks", "lots", "code"),
    [
        (Side.BUY, MID - 5, 0, DenialCode.FILTER),
        (Side.BUY, MID - 5, 100_001, DenialCode.FILTER),
        (Side.BUY, 0, 10, DenialCode.FILTER),
        (Side.BUY, 10, 1, DenialCode.FILTER),
        (Side.BUY, MID - 5, 21, DenialCode.ORDER_SIZE),
        (Side.BUY, MID - 5, 20, DenialCode.NOTIONAL),
        (Side.BUY, MID - 7_000, 10, DenialCode.PRICE_BAND),
        (Side.SELL, MID + 7_000, 10, DenialCode.PRICE_BAND),
    ],
)
def test_an_order_that_breaks_a_bound_is_denied(side, price_ticks, lots, code):
    assert check_order(symbol(), limits(), side, price_ticks, lots, False, ROOM) is code


def mark_of(price: str) -> MarkPrice:
    return MarkPrice(
        instrument_id=BTC,
        mark_price=Decimal(price),
        index_price=Decimal(price),
        funding_rate=Decimal(0),
        next_funding_venue_ms=0,
        venue_time_ns=0,
        received_ns=0,
    )


def test_the_venues_own_price_bands_follow_the_mark():
    made = symbol(price_multiplier_up=Decimal("1.0005"))
    made.take_mark(mark_of("59900"))
    assert check_order(made, limits(), Side.BUY, MID - 5, 10, False, ROOM) is DenialCode.PRICE_BAND
    assert check_order(made, limits(), Side.SELL, MID + 5, 10, False, ROOM) is None


def test_our_own_price_band_stands_around_the_mark_and_not_around_the_book():
    made = symbol()
    made.take_mark(mark_of("59000"))
    for side, price_ticks in ((Side.BUY, MID - 5), (Side.SELL, MID + 5)):
        assert check_order(made, limits(), side, price_ticks, 10, False, ROOM) is DenialCode.PRICE_BAND
    made.take_top(made.top)
    assert check_order(made, limits(), Side.SELL, MID + 5, 10, False, ROOM) is DenialCode.PRICE_BAND


@pytest.mark.parametrize(
    ("bound", "code"),
    [("bracket_notional_max", DenialCode.BRACKET), ("margin_notional_max", DenialCode.MARGIN)],
)
def test_the_worst_case_stays_within_the_venues_bracket_and_our_margin(bound: str, code: DenialCode):
    told = SymbolLimits(
        instrument_id=BTC,
        state=TradingState.ACTIVE,
        position_lots_max=50,
        order_lots_max=20,
        open_orders_max=3,
        notional_max=Decimal(10_000),
        **{bound: Decimal(1_000)},
    )
    made, tight = symbol(), Limits(told, TradingState.ACTIVE)
    assert check_order(made, tight, Side.BUY, MID - 5, 16, False, ROOM) is None
    rest(made, Side.BUY, MID - 5, 10)
    assert check_order(made, tight, Side.BUY, MID - 6, 6, False, ROOM) is None
    assert check_order(made, tight, Side.BUY, MID - 6, 7, False, ROOM) is code
    assert check_order(made, tight, Side.BUY, MID - 6, 6, False, scaled_notional(Decimal(900))) is DenialCode.NOTIONAL


def test_every_live_order_of_a_side_counts_and_the_sides_are_not_netted():
    made = symbol()
    made.table.position_lots = 25
    rest(made, Side.BUY, MID - 10, 10)
    rest(made, Side.SELL, MID + 10, 40)
    assert check_order(made, limits(), Side.BUY, MID - 5, 16, False, ROOM) is DenialCode.POSITION
    assert check_order(made, limits(), Side.BUY, MID - 5, 15, False, ROOM) is None
    assert check_order(made, limits(), Side.SELL, MID + 5, 16, False, ROOM) is None


def test_an_order_that_would_meet_one_of_ours_is_denied():
    made = symbol()
    rest(made, Side.SELL, MID - 3, 1)
    assert check_order(made, limits(), Side.BUY, MID - 3, 10, False, ROOM) is DenialCode.SELF_CROSS
    assert check_order(made, limits(), Side.BUY, MID - 4, 10, False, ROOM) is None
    rest(made, Side.BUY, MID - 9, 1)
    assert check_order(made, limits(), Side.SELL, MID - 9, 10, False, ROOM) is DenialCode.SELF_CROSS


def test_too_many_open_orders_are_denied():
    made = symbol()
    for step in range(3):
        rest(made, Side.BUY, MID - 10 - step, 1)
    assert check_order(made, limits(), Side.BUY, MID - 5, 10, False, ROOM) is DenialCode.OPEN_ORDERS


def test_the_shards_share_of_the_accounts_notional_holds():
    room = scaled_notional(Decimal(599))
    assert check_order(symbol(), limits(), Side.BUY, MID - 5, 10, False, room) is DenialCode.NOTIONAL
    assert check_order(symbol(), limits(), Side.BUY, MID - 5, 9, False, room) is None


def test_states_decide_what_may_be_sent():
    made = symbol()
    made.table.position_lots = -10
    halted, reducing = limits(TradingState.HALTED), limits(TradingState.REDUCING)
    assert check_order(made, halted, Side.BUY, MID - 5, 5, True, ROOM) is DenialCode.HALTED
    assert check_order(made, reducing, Side.BUY, MID - 5, 5, False, ROOM) is DenialCode.REDUCING
    assert check_order(made, reducing, Side.BUY, MID - 5, 11, True, ROOM) is DenialCode.REDUCING
    assert check_order(made, reducing, Side.BUY, MID - 5, 10, True, ROOM) is None
    assert check_order(made, reducing, Side.SELL, MID + 5, 1, True, ROOM) is DenialCode.REDUCING


def test_a_stop_is_journaled_also_where_the_gate_was_shut_already():
    rig = Rig().come_up()
    rig.want([(MID - 5, 10)], [])
    rig.feed_on = False
    rig.run(1_000)
    rig.give(EmergencyStop(reason="a person"))
    rig.run(100)
    rig.give(Resume(reason="a person"))
    rig.run(3_000)
    told = [(record.open, "STOPPED" in record.reason) for record in rig.records(GateChanged)]
    assert told[-3:] == [(False, False), (False, True), (False, False)]


def test_a_private_stream_that_is_lost_behind_a_shut_gate_is_journaled_when_it_goes_and_comes():
    rig = Rig().come_up()
    rig.want([(MID - 5, 10)], [])
    rig.feed_on = False
    rig.run(1_000)
    rig.give(StreamChanged(stream="private", up=False, changed_ns=rig.now_ns, reason="reset"))
    rig.run(100)
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    rig.run(1_000)
    told = [(record.open, "USER_STREAM" in record.reason) for record in rig.records(GateChanged)]
    assert told[-3:] == [(False, False), (False, True), (False, False)]


def throttled(request_id: int, until_ns: int, *, orders_only: bool) -> Throttled:
    return Throttled(
        request_id=request_id,
        received_ns=0,
        usage=Usage(),
        retry_at_ns=until_ns,
        banned=False,
        orders_only=orders_only,
        venue_code=-1015 if orders_only else -1003,
        text="",
    )


def test_a_level_that_waits_for_the_budget_is_priced_anew_before_it_is_sent():
    rig = Rig(order_age_ms_min=0).come_up()
    until_ns = rig.now_ns + 3 * SECOND
    rig.venue.answer = lambda request: (
        throttled(request.request_id, until_ns, orders_only=True) if isinstance(request, PlaceOrder) else None
    )
    rig.want(BIDS, [])
    rig.venue.answer = lambda request: None
    for step in range(1, 20):
        rig.want([(MID - 5 - 10 * step, 10)], [])
        rig.run(100)
    assert len(rig.venue.of(PlaceOrder)) == 1
    newest = [(MID - 300, 10)]
    rig.want(newest, [])
    rig.run(2_000)
    assert rig.venue.side(Side.BUY) == newest
    assert len(rig.venue.of(PlaceOrder)) == 2, "none of the older prices was sent"


def test_after_a_retry_after_window_cancels_leave_before_anything_else():
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want(BIDS, ASKS)
    until_ns = rig.now_ns + 3 * SECOND
    rig.venue.answer = lambda request: (
        throttled(request.request_id, until_ns, orders_only=False) if isinstance(request, AmendOrder) else None
    )
    rig.want([(MID - 60, 10)], ASKS)
    rig.venue.answer = lambda request: None
    rig.give(rig.status(BTC, FeedState.INVALID))
    rig.feed_on = False
    sent = len(rig.venue.requests)
    rig.run(2_900)
    assert len(rig.venue.requests) == sent, "inside the window nothing is sent"
    rig.run(300)
    kinds = [type(request) for request in rig.venue.requests[sent:]]
    assert kinds[:2] == [CancelOrder, CancelOrder]
    assert rig.venue.open() == []


def test_what_another_process_of_the_address_was_told_stops_this_one():
    rig = Rig(order_age_ms_min=0).come_up()
    until_ns = rig.now_ns + 3 * SECOND
    rig.give(throttled(0, until_ns, orders_only=False))
    sent = len(rig.venue.requests)
    rig.want(BIDS, [])
    rig.run(2_900)
    assert len(rig.venue.requests) == sent
    rig.run(1_000)
    assert rig.venue.side(Side.BUY) == BIDS


def terms(level: RiskLevel) -> QuotingTerms:
    return QuotingTerms(instrument_id=BTC, level=level, size_factor_bps=0, spread_factor_bps=10_000)


def test_a_level_that_rises_between_two_leases_takes_the_quotes_at_once():
    rig = Rig().come_up()
    rig.want(BIDS, ASKS)
    assert rig.venue.open()
    rig.lease_on = False
    rig.give(terms(RiskLevel.HALTED))
    assert rig.venue.open() == []
    rig.give(terms(RiskLevel.NORMAL))
    rig.want(BIDS, ASKS)
    assert rig.venue.open() == [], "only a lease loosens"
    rig.lease_on = True
    rig.run(500)
    assert rig.venue.open()


def test_a_level_that_restricts_between_two_leases_leaves_only_what_reduces():
    rig = Rig().come_up(position_lots=5)
    rig.want(BIDS, [(MID + 5, 5)])
    rig.lease_on = False
    rig.give(terms(RiskLevel.RESTRICTED))
    assert rig.venue.side(Side.BUY) == []


def test_a_narrower_band_that_comes_while_running_denies_what_it_leaves_out():
    rig = Rig().come_up()
    far = settings(book_age_ms_max=400)
    far = far.model_copy(update={"risk": far.risk.model_copy(update={"price_band_bps_max": 1.0})})
    rig.give(SettingsChanged(settings_json=far.model_dump_json(), changes=("a band",)))
    rig.want([(MID - 100, 10)], [])
    assert rig.venue.open() == []
    assert rig.said(OrderDenied)[-1].code is DenialCode.PRICE_BAND
    assert rig.core._shard.gate.book_age_ns_max == 400 * MS


def test_a_sync_of_the_journal_that_hangs_withdraws_quotes_with_an_alert_until_it_ends():
    rig = Rig().come_up()
    rig.want([(MID - 5, 10)], [(MID + 5, 10)])
    rig.give(JournalStalled(stalled=True, age_ns=5_100 * MS))
    assert rig.venue.open() == []
    assert rig.shown().gate_reasons == ("JOURNAL",)
    assert [alert.text for alert in rig.alerts(AlertCode.JOURNAL_STALLED)] == [
        "a sync of the journal has been under way for 5100 ms: quotes are withdrawn until it ends"
    ]
    rig.run(500)
    assert rig.venue.open() == []
    rig.give(JournalStalled(stalled=False, age_ns=9_000 * MS))
    rig.run(500)
    assert len(rig.venue.open()) == 2
