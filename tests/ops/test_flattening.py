"""What the flattening decides next, from what the venue says of one position."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import FlattenSettings
from ops.flattening import Cross, Ended, Flattening, Keep, Rest, Resting, View, Wait, Withdraw
from protocols.values import Instrument, InstrumentId, Side

BTC = Instrument(
    instrument_id=InstrumentId("binance_usdm:main:BTCUSDC"),
    version=1,
    base_asset="BTC",
    quote_asset="USDC",
    margin_asset="USDC",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
    price_ticks_min=1,
    price_ticks_max=10_000_000,
    quantity_lots_min=1,
    quantity_lots_max=1_000,
    notional_min=Decimal(50),
    price_multiplier_up=Decimal("1.05"),
    price_multiplier_down=Decimal("0.95"),
    open_orders_max=200,
)
CROSSING = FlattenSettings(urgency="crossing", slice_notional_max=Decimal(1_000), crossing_bps=10)
PASSIVE = FlattenSettings(urgency="passive", passive_ms=5_000, slice_notional_max=Decimal(1_000))


def view(position_lots: int, now_ms: int = 0, **changes: Any) -> View:
    """A market of 64,000.0 / 64,000.1 with its mark between."""
    seen = View(
        now_ms=now_ms,
        position_lots=position_lots,
        bid_ticks=640_000,
        ask_ticks=640_001,
        mark_price=Decimal("64000.05"),
    )
    return msgspec.structs.replace(seen, **changes)


def test_no_position_is_the_end() -> None:
    assert Flattening(BTC, CROSSING, 0).decide(view(0)) == Ended(flat=True, text="BTCUSDC: flat")


def test_a_long_position_is_sold_in_slices_a_little_below_the_bid() -> None:
    assert Flattening(BTC, CROSSING, 0).decide(view(40)) == Cross(side=Side.SELL, price_ticks=639_360, lots=15)


def test_a_short_position_is_bought_back_a_little_above_the_ask() -> None:
    assert Flattening(BTC, CROSSING, 0).decide(view(-40)) == Cross(side=Side.BUY, price_ticks=640_641, lots=15)


def test_each_slice_is_sized_from_the_position_of_that_moment() -> None:
    core = Flattening(BTC, CROSSING, 0)
    assert core.decide(view(40)).lots == 15  # type: ignore[union-attr]
    assert core.decide(view(-7)) == Cross(side=Side.BUY, price_ticks=640_641, lots=7)


def test_a_rest_below_the_least_notional_is_closed_all_the_same() -> None:
    small = msgspec.structs.replace(BTC, notional_min=Decimal(1_000))
    assert Flattening(small, CROSSING, 0).decide(view(2)) == Cross(side=Side.SELL, price_ticks=639_360, lots=2)


def test_a_slice_takes_with_it_what_would_be_too_small_to_be_sold_alone() -> None:
    coarse = msgspec.structs.replace(BTC, quantity_lots_min=5)
    assert Flattening(coarse, CROSSING, 0).decide(view(18)).lots == 18  # type: ignore[union-attr]


def test_a_position_below_the_least_quantity_is_reported_not_tried() -> None:
    coarse = msgspec.structs.replace(BTC, quantity_lots_min=5)
    assert Flattening(coarse, CROSSING, 0).decide(view(-4)) == Ended(
        flat=False, text="BTCUSDC: -0.004 is less than the venue's least quantity and cannot be closed by an order"
    )


def test_what_does_not_fill_is_crossed_further_but_never_beyond_the_band_around_the_mark() -> None:
    core = Flattening(BTC, CROSSING, 0)
    prices = []
    for _ in range(6):
        prices.append(core.decide(view(10)).price_ticks)  # type: ignore[union-attr]
        core.answered(0)
    assert prices == [639_360, 638_720, 637_440, 634_880, 633_601, 633_601]


def test_a_fill_begins_with_the_least_crossing_again() -> None:
    core = Flattening(BTC, CROSSING, 0)
    core.answered(0)
    core.answered(3)
    assert core.decide(view(10)).price_ticks == 639_360  # type: ignore[union-attr]


def test_a_touch_outside_of_the_price_band_is_waited_out() -> None:
    seen = view(10, bid_ticks=600_000, ask_ticks=600_001)
    assert Flattening(BTC, CROSSING, 0).decide(seen) == Wait(
        reason="the touch is outside of the price band around the mark"
    )


def test_without_a_book_nothing_is_sent() -> None:
    assert Flattening(BTC, CROSSING, 0).decide(view(10, bid_ticks=0)) == Wait(reason="the book is empty on one side")


def test_passive_first_rests_at_the_own_side_of_the_touch() -> None:
    assert Flattening(BTC, PASSIVE, 0).decide(view(40)) == Rest(side=Side.SELL, price_ticks=640_001, lots=15)
    assert Flattening(BTC, PASSIVE, 0).decide(view(-40)) == Rest(side=Side.BUY, price_ticks=640_000, lots=15)


def test_a_passive_order_at_the_touch_is_kept_and_one_that_was_left_behind_is_withdrawn() -> None:
    core = Flattening(BTC, PASSIVE, 0)
    assert core.decide(view(10, resting=Resting(side=Side.SELL, price_ticks=640_001))) == Keep()
    assert core.decide(view(10, resting=Resting(side=Side.SELL, price_ticks=640_009))) == Withdraw()


def test_when_patience_with_the_passive_order_ends_it_is_withdrawn_before_anything_crosses() -> None:
    core = Flattening(BTC, PASSIVE, 0)
    resting = Resting(side=Side.SELL, price_ticks=640_001)
    assert core.decide(view(10, 5_000, resting=resting)) == Withdraw()
    assert isinstance(core.decide(view(10, 5_100)), Cross)


def test_a_passive_order_of_a_position_that_is_gone_is_withdrawn() -> None:
    core = Flattening(BTC, PASSIVE, 0)
    resting = Resting(side=Side.SELL, price_ticks=640_001)
    assert core.decide(view(0, resting=resting)) == Withdraw()
    assert core.decide(view(0)) == Ended(flat=True, text="BTCUSDC: flat")


def test_reduce_only_rejected_at_zero_is_done_without_an_alert() -> None:
    core = Flattening(BTC, CROSSING, 0)
    core.decide(view(10))
    core.refused(-2022, "ReduceOnly Order is rejected.")
    assert core.decide(view(0)) == Ended(flat=True, text="BTCUSDC: flat")
    assert core.alerts == []


def test_a_refusal_goes_on_with_an_alert() -> None:
    core = Flattening(BTC, CROSSING, 0)
    core.decide(view(10))
    core.refused(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.")
    assert isinstance(core.decide(view(10)), Cross)
    assert core.alerts == [
        "BTCUSDC: a slice was refused (-4131): The counterparty's best price does not meet the PERCENT_PRICE filter limit."
    ]


def test_refusals_without_end_give_up_with_what_is_left() -> None:
    core = Flattening(BTC, CROSSING, 0)
    for _ in range(CROSSING.refusals_max + 1):
        core.decide(view(10))
        core.refused(-1102, "no")
    assert core.decide(view(10)) == Ended(flat=False, text="BTCUSDC: 0.010 is left: 21 orders in a row were refused")


def test_a_position_that_does_not_shrink_is_given_up_and_one_that_does_is_not() -> None:
    core = Flattening(BTC, CROSSING, 0)
    core.decide(view(10))
    assert isinstance(core.decide(view(9, 59_000)), Cross)
    assert isinstance(core.decide(view(9, 118_000)), Cross)
    assert core.decide(view(9, 119_000)) == Ended(
        flat=False, text="BTCUSDC: 0.009 is left: the position did not shrink for 60000 ms"
    )


def test_a_liquidation_by_the_venue_is_left_to_it() -> None:
    left = Ended(flat=False, text="BTCUSDC: the venue is liquidating the account: left to it")
    assert Flattening(BTC, CROSSING, 0).decide(view(10, liquidating=True)) == left
    core = Flattening(BTC, CROSSING, 0)
    core.refused(-2023, "User in liquidation mode now.")
    assert core.decide(view(10)) == left


@given(
    position=st.integers(-5_000, 5_000),
    least=st.integers(1, 20),
    most=st.integers(40, 3_000),
    idle=st.integers(0, 40),
    bid=st.integers(600_000, 680_000),
    passive=st.booleans(),
)
def test_no_order_is_greater_than_the_position_nor_outside_of_the_bands(
    position: int, least: int, most: int, idle: int, bid: int, passive: bool
) -> None:
    instrument = msgspec.structs.replace(BTC, quantity_lots_min=least, quantity_lots_max=most)
    core = Flattening(instrument, PASSIVE if passive else CROSSING, 0)
    for _ in range(idle):
        core.answered(0)
    action = core.decide(view(position, bid_ticks=bid, ask_ticks=bid + 1))
    if not isinstance(action, Cross | Rest):
        return
    assert action.side is (Side.SELL if position > 0 else Side.BUY)
    assert least <= action.lots <= min(abs(position), most)
    left = abs(position) - action.lots
    assert left == 0 or left >= least
    if isinstance(action, Cross):
        is_sale = action.side is Side.SELL
        assert action.price_ticks >= 633_601 if is_sale else action.price_ticks <= 646_400
