"""What the venue does with orders and prints, situation by situation."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue_rig import ACCOUNT, SYMBOL, VenueRig

from actors.exchange.errors import VenueRefusal
from actors.exchange.ledger import OrderAccepted, OrderCanceled, OrderExpired, OrderFilled


def refused(rig: VenueRig, *arguments: object, **changes: object) -> int:
    records = list(rig.records())
    events = list(rig.venue.outcome.events)
    with pytest.raises(VenueRefusal) as refusal:
        rig.place(*arguments, **changes)  # type: ignore[arg-type]
    assert rig.records() == records, "a refused order leaves no record"
    assert rig.venue.outcome.events == events, "a refused order sends no event"
    return refusal.value.code


def test_an_accepted_order_is_recorded_with_the_market_at_its_arrival() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5, time_in_force="GTX", timestamp_ms=17, recv_window_ms=1_500)
    assert rig.records()[-1] == OrderAccepted(
        t=rig.venue.now_ns,
        account=ACCOUNT,
        symbol=SYMBOL,
        order_id=order.order_id,
        client_order_id="c1",
        side="BUY",
        type="LIMIT",
        time_in_force="GTX",
        price=Decimal("64000.0"),
        quantity=Decimal("0.005"),
        reduce_only=False,
        timestamp_ms=17,
        recv_window_ms=1_500,
        best_bid=Decimal("64000.0"),
        best_ask=Decimal("64000.1"),
        queue_ahead=Decimal("0.010"),
    )


def test_post_only_that_would_take_is_refused_by_the_book_at_arrival() -> None:
    rig = VenueRig()
    assert refused(rig, "BUY", 640_001, 5, time_in_force="GTX") == -5022
    rig.apply(rig.market.ticker((640_001, 3), (640_002, 3)))
    assert rig.place("BUY", 640_001, 5, time_in_force="GTX").status == "NEW"


def test_post_only_against_our_own_resting_order_is_refused() -> None:
    rig = VenueRig()
    rig.apply(rig.market.ticker((640_000, 10), (640_010, 50)))
    rig.place("SELL", 640_005, 5)
    assert refused(rig, "BUY", 640_005, 5, time_in_force="GTX") == -5022


def test_a_print_fills_only_beyond_the_queue_and_once_over_all_our_orders() -> None:
    rig = VenueRig()
    first, second = rig.place("BUY", 640_000, 4), rig.place("BUY", 640_000, 4)
    rig.apply(rig.market.sold(640_000, 16))
    assert (first.executed_lots, second.executed_lots) == (4, 2)
    rig.apply(rig.market.sold(640_000, 1))
    assert second.executed_lots == 3


def test_a_print_through_our_price_fills_us_in_full_at_our_price() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 500)
    rig.apply(rig.market.sold(639_999, 1))
    assert order.status == "FILLED"
    assert [(fill.price, fill.quantity, fill.maker) for fill in rig.fills()] == [
        (Decimal("64000.0"), Decimal("0.500"), True)
    ]


def test_a_print_that_went_through_one_order_leaves_less_for_the_next() -> None:
    rig = VenueRig()
    above, at = rig.place("BUY", 640_000, 4), rig.place("BUY", 639_999, 30)
    rig.apply(rig.market.sold(639_999, 26))
    assert above.status == "FILLED"
    assert at.executed_lots == 26 - 4 - 20


def test_the_other_side_of_the_book_reaching_our_price_fills_us_in_full() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 50)
    rig.apply(rig.market.ticker((639_998, 5), (640_000, 1)))
    assert order.status == "FILLED"
    assert order.executed_quote == Decimal("64000.0") * Decimal("0.050")


def test_an_order_inside_the_spread_has_nothing_ahead() -> None:
    rig = VenueRig()
    rig.apply(rig.market.ticker((640_000, 10), (640_010, 50)))
    order = rig.place("SELL", 640_005, 7)
    rig.apply(rig.market.bought(640_005, 2))
    assert order.executed_lots == 2


def test_cancellations_ahead_do_not_advance_us_except_that_the_level_bounds_the_queue() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 639_999, 5)
    rig.apply(rig.market.depth(bids=[(639_999, 15)]))
    assert order.lots_ahead == 15
    rig.apply(rig.market.depth(bids=[(639_999, 90)]))
    assert order.lots_ahead == 15


def test_a_market_order_takes_the_levels_in_order_and_pays_the_taker_fee() -> None:
    rig = VenueRig()
    order = rig.market_order("BUY", 25)
    assert order.status == "FILLED"
    assert [(fill.price, fill.quantity, fill.commission) for fill in rig.fills()] == [
        (Decimal("64000.1"), Decimal("0.010"), Decimal("0.25600040")),
        (Decimal("64000.2"), Decimal("0.015"), Decimal("0.38400120")),
    ]


def test_what_we_took_is_gone_until_the_recording_lets_go_of_the_level() -> None:
    rig = VenueRig()
    rig.market_order("BUY", 10)
    book = rig.venue.markets[SYMBOL].book
    assert book.asks.best() == 640_002
    rig.apply(rig.market.ticker((640_000, 10), (640_001, 10)))
    assert book.asks.best() == 640_002
    rig.apply(rig.market.ticker((640_000, 10), (640_001, 12)))
    assert (book.asks.best(), book.asks.lots(640_001)) == (640_001, 2)


def test_an_ioc_remainder_expires() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_001, 15, time_in_force="IOC")
    assert (order.status, order.executed_lots) == ("EXPIRED", 10)
    expired = rig.records()[-1]
    assert isinstance(expired, OrderExpired)
    assert (expired.reason, expired.executed) == ("2", Decimal("0.010"))


def test_fill_or_kill_that_cannot_fill_leaves_no_trace() -> None:
    rig = VenueRig()
    assert refused(rig, "BUY", 640_001, 11, time_in_force="FOK") == -5021
    assert rig.place("BUY", 640_001, 10, time_in_force="FOK").status == "FILLED"


def test_a_marketable_gtc_takes_what_is_there_and_rests_with_the_remainder() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_001, 15)
    assert (order.status, order.remaining_lots, order.lots_ahead) == ("PARTIALLY_FILLED", 5, 0)
    assert rig.venue.markets[SYMBOL].matcher.best(bids=True) == 640_001


def test_a_market_order_stops_at_the_take_bound_and_expires() -> None:
    rig = VenueRig(open_book=False)
    rig.apply(rig.market.book(bids=[(640_000, 10)], asks=[(640_001, 10), (680_000, 10)]))
    order = rig.market_order("BUY", 15)
    assert (order.status, order.executed_lots) == ("EXPIRED", 10)


def test_reduce_only_without_a_position_to_reduce_is_refused() -> None:
    rig = VenueRig()
    assert refused(rig, "SELL", 640_010, 5, reduce_only=True) == -2022
    rig.market_order("BUY", 5)
    assert refused(rig, "BUY", 640_000, 5, reduce_only=True) == -2022
    assert rig.place("SELL", 640_010, 5, reduce_only=True).status == "NEW"


def test_a_second_reduce_only_order_beyond_the_position_is_refused() -> None:
    rig = VenueRig()
    rig.market_order("BUY", 5)
    rig.place("SELL", 640_010, 5, reduce_only=True)
    assert refused(rig, "SELL", 640_011, 5, reduce_only=True) == -2022


def test_a_reduce_only_order_never_flips_the_position() -> None:
    rig = VenueRig()
    rig.market_order("BUY", 5)
    order = rig.place("SELL", 640_010, 50, reduce_only=True)
    rig.apply(rig.market.bought(640_011, 1))
    assert (order.status, order.executed_lots) == ("EXPIRED", 5)
    assert rig.account.position(SYMBOL).amount == 0


def test_reduce_only_orders_expire_when_the_position_is_gone() -> None:
    rig = VenueRig()
    rig.market_order("BUY", 5)
    order = rig.place("SELL", 640_010, 5, reduce_only=True)
    rig.market_order("SELL", 5)
    assert order.status == "EXPIRED"
    expired = [record for record in rig.records() if isinstance(record, OrderExpired)]
    assert [(record.order_id, record.reason) for record in expired] == [(order.order_id, "4")]


def test_a_live_client_id_may_not_be_used_twice() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5, client_order_id="same")
    assert refused(rig, "BUY", 639_999, 5, client_order_id="same") == -4116
    rig.venue.cancel(order)
    assert rig.place("BUY", 639_999, 5, client_order_id="same").status == "NEW"


def test_more_open_orders_than_the_limit_are_refused() -> None:
    rig = VenueRig()
    for lot in range(200):
        rig.place("BUY", 630_000 + lot, 1)
    assert refused(rig, "BUY", 630_500, 1) == -2025


def test_more_than_the_margin_allows_is_refused() -> None:
    rig = VenueRig(balances={"USDC": 100})
    assert rig.place("BUY", 640_000, 30).status == "NEW"
    assert refused(rig, "BUY", 640_000, 10) == -2019
    assert rig.place("SELL", 640_010, 30).status == "NEW"


def test_nothing_is_accepted_before_there_is_a_book() -> None:
    rig = VenueRig(open_book=False)
    assert refused(rig, "BUY", 640_000, 5) == -4140


def test_an_amended_order_keeps_its_ids_and_goes_to_the_back_of_the_queue() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5)
    rig.apply(rig.market.sold(640_000, 10))
    assert order.lots_ahead == 0
    rig.apply(rig.market.depth(bids=[(640_000, 40)]))
    rig.venue.amend(rig.account, order, 640_000, 4, None, 0, 0)
    assert (order.lots_ahead, order.lots, order.status) == (40, 4, "NEW")
    assert rig.event_kinds()[-1] == "ORDER_TRADE_UPDATE AMENDMENT"


def test_an_amend_that_changes_nothing_is_refused() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5)
    with pytest.raises(VenueRefusal) as refusal:
        rig.venue.amend(rig.account, order, 640_000, 5, None, 0, 0)
    assert refusal.value.code == -5027


def test_amending_a_post_only_order_into_the_other_side_cancels_it() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5, time_in_force="GTX")
    rig.venue.amend(rig.account, order, 640_001, 5, None, 0, 0)
    assert order.status == "CANCELED"


def test_amending_below_what_is_filled_cancels() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5)
    rig.apply(rig.market.sold(640_000, 13))
    rig.venue.amend(rig.account, order, 640_000, 3, None, 0, 0)
    assert (order.status, order.executed_lots) == ("CANCELED", 3)


def test_self_trade_prevention_expires_the_resting_order_by_default() -> None:
    rig = VenueRig()
    rig.apply(rig.market.ticker((640_000, 10), (640_010, 50)))
    resting = rig.place("SELL", 640_005, 5)
    taker = rig.place("BUY", 640_010, 5)
    assert resting.status == "EXPIRED_IN_MATCH"
    assert (taker.status, rig.fills()[-1].price) == ("FILLED", Decimal("64001.0"))


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"), ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH")],
)
def test_self_trade_prevention_by_the_takers_mode(mode: str, maker: str, taker: str) -> None:
    rig = VenueRig()
    rig.apply(rig.market.ticker((640_000, 10), (640_010, 50)))
    resting = rig.place("SELL", 640_005, 5)
    arriving = rig.place("BUY", 640_010, 5, stp_mode=mode)
    assert (resting.status, arriving.status) == (maker, taker)


def test_two_accounts_trade_with_each_other_at_the_resting_price() -> None:
    rig = VenueRig()
    rig.apply(rig.market.ticker((640_000, 10), (640_010, 50)))
    resting = rig.place("SELL", 640_005, 5)
    taker = rig.place("BUY", 640_010, 5, account="other")
    maker_fill, taker_fill = rig.fills()
    assert (resting.status, taker.status) == ("FILLED", "FILLED")
    assert maker_fill.trade_id == taker_fill.trade_id
    assert (maker_fill.maker, taker_fill.maker) == (True, False)
    assert maker_fill.price == taker_fill.price == Decimal("64000.5")


def test_a_fill_tells_trade_lite_then_the_account_then_the_order() -> None:
    rig = VenueRig()
    rig.venue.outcome.events.clear()
    rig.place("BUY", 640_001, 5)
    assert rig.event_kinds() == [
        "ORDER_TRADE_UPDATE NEW",
        "TRADE_LITE",
        "ACCOUNT_UPDATE",
        "ORDER_TRADE_UPDATE TRADE",
    ]


def test_a_countdown_cancels_the_symbol_unless_it_is_renewed() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5)
    rig.venue.set_countdown(rig.account, SYMBOL, 1_000)
    rig.venue.advance(rig.venue.now_ns + 900_000_000)
    rig.venue.set_countdown(rig.account, SYMBOL, 1_000)
    rig.venue.advance(rig.venue.now_ns + 900_000_000)
    assert order.is_live
    rig.venue.advance(rig.venue.now_ns + 200_000_000)
    canceled = [record for record in rig.records() if isinstance(record, OrderCanceled)]
    assert [(record.order_id, record.reason) for record in canceled] == [(order.order_id, "countdown")]


def test_a_disarmed_countdown_cancels_nothing() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5)
    rig.venue.set_countdown(rig.account, SYMBOL, 1_000)
    rig.venue.set_countdown(rig.account, SYMBOL, 0)
    rig.venue.advance(rig.venue.now_ns + 5_000_000_000)
    assert order.is_live


def test_a_good_till_date_order_expires_at_its_time() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5, time_in_force="GTD", good_till_ms=rig.venue.now_ms + 700_000)
    rig.venue.advance(rig.venue.now_ns + 699_000 * 1_000_000)
    assert order.is_live
    rig.venue.advance(rig.venue.now_ns + 2_000 * 1_000_000)
    assert order.status == "EXPIRED"


actions = st.lists(
    st.tuples(
        st.sampled_from(["sold", "bought", "bid", "ask", "place", "amend", "cancel"]),
        st.integers(-4, 4),
        st.integers(1, 40),
    ),
    max_size=40,
)


@given(actions=actions)
def test_fills_at_the_price_of_a_print_never_exceed_it_and_ids_and_states_stay_sound(
    actions: list[tuple[str, int, int]],
) -> None:
    rig = VenueRig()
    for kind, offset, lots in actions:
        seen = len(rig.records())
        price = 640_000 + offset
        live = rig.account.live_orders()
        match kind:
            case "sold" | "bought":
                rig.apply(getattr(rig.market, kind)(price, lots))
                at_price = [
                    record.quantity
                    for record in rig.records()[seen:]
                    if isinstance(record, OrderFilled) and record.price == Decimal(price) / 10
                ]
                assert sum(at_price, Decimal(0)) <= Decimal(lots) / 1000
            case "bid":
                rig.apply(rig.market.ticker((price, lots), (price + 1, 10)))
            case "ask":
                rig.apply(rig.market.ticker((price - 1, 10), (price, lots)))
            case "place":
                rig.place("BUY" if lots % 2 else "SELL", price, lots)
            case "amend" if live:
                try:
                    rig.venue.amend(rig.account, live[0], price, lots, None, 0, 0)
                except VenueRefusal as refusal:
                    assert refusal.code == -5027
            case "cancel" if live:
                rig.venue.cancel(live[-1])
    check_sound(rig)


def check_sound(rig: VenueRig) -> None:
    """What holds after any history."""
    matcher = rig.venue.markets[SYMBOL].matcher
    bid, ask = matcher.best(bids=True), matcher.best(bids=False)
    assert bid is None or ask is None or bid < ask, "the published book is never crossed"
    fills = rig.fills()
    assert len({(fill.trade_id, fill.order_id) for fill in fills}) == len(fills)
    signed = sum((f.quantity if f.side == "BUY" else -f.quantity for f in fills), Decimal(0))
    assert rig.account.position(SYMBOL).amount == signed
    wallet = Decimal(100_000) + sum((f.realized_pnl - f.commission for f in fills), Decimal(0))
    assert rig.account.wallets["USDC"] == wallet
    for order in rig.account.orders.values():
        filled = sum((f.quantity for f in fills if f.order_id == order.order_id), Decimal(0))
        assert filled == Decimal(order.executed_lots) / 1000
        assert order.executed_lots <= order.lots
