"""From quote currency to lots, and the risk monitor's own picture of open orders."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from account_samples import BTC, ETH, fill, instrument, settings
from hypothesis import given
from hypothesis import strategies as st

from actors.risk_monitor.budget import shard_budget
from actors.risk_monitor.levels import Permissions
from actors.risk_monitor.limits import has_moved, lots_within, quote_limits, symbol_limits, written_limits
from actors.risk_monitor.open_orders import ORDERS_TRACKED_MAX, OpenOrders
from protocols.messages.orders import (
    DenialCode,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderRejected,
    OrderUnknown,
)
from protocols.messages.risk import RiskLevel, SymbolLimits, TradingState
from protocols.values import RateLimits, Side

PERMISSIONS = Permissions(settings().risk.levels)
HEAD = {"shard": 0, "event_seq": 1, "instrument_id": BTC, "venue_time_ns": 0}


def accepted(name: str, side: Side, lots: int) -> OrderAccepted:
    return OrderAccepted(**HEAD, client_order_id=name, venue_order_id=0, side=side, price_ticks=1, quantity_lots=lots)


def test_a_symbol_has_its_own_limits_where_the_configuration_says_so() -> None:
    risk = settings(
        risk={
            "position_notional_max": 900,
            "symbols": {"BTCUSDC": {"position_notional_max": 500, "open_orders_max": 7}},
        }
    ).risk
    assert quote_limits(written_limits(risk, instrument(BTC)), None, None) == (500, 2_000, 7)
    assert quote_limits(written_limits(risk, instrument(ETH)), None, None) == (900, 2_000, 32)


def test_the_venue_allows_fewer_open_orders_than_the_configuration() -> None:
    assert written_limits(settings().risk, instrument(open_orders_max=3)).open_orders_max == 3


def test_limits_in_lots_are_computed_at_the_mark_and_a_little_below_the_position_limit() -> None:
    limits = quote_limits(written_limits(settings().risk, instrument()), None, None)
    assert symbol_limits(instrument(), limits, Decimal(50_000), RiskLevel.NORMAL, PERMISSIONS) == SymbolLimits(
        instrument_id=BTC,
        state=TradingState.ACTIVE,
        position_lots_max=198,
        order_lots_max=40,
        open_orders_max=32,
        notional_max=Decimal(10_000),
        order_notional_max=Decimal(2_000),
    )


def test_nothing_is_allowed_without_a_mark() -> None:
    limits = symbol_limits(
        instrument(),
        quote_limits(written_limits(settings().risk, instrument()), None, None),
        None,
        RiskLevel.HALTED,
        PERMISSIONS,
    )
    assert (limits.position_lots_max, limits.order_lots_max) == (0, 0)


def test_an_order_is_never_larger_than_the_venue_takes() -> None:
    small = instrument(quantity_lots_max=5)
    limits = symbol_limits(
        small,
        quote_limits(written_limits(settings().risk, small), None, None),
        Decimal(50_000),
        RiskLevel.NORMAL,
        PERMISSIONS,
    )
    assert limits.order_lots_max == 5


@given(notional=st.decimals("0.01", "1e9", places=2), mark=st.decimals("0.01", "1e6", places=2))
def test_lots_are_never_worth_more_than_the_limit(notional: Decimal, mark: Decimal) -> None:
    lots = lots_within(notional, mark, instrument())
    assert instrument().quantity(lots) * mark <= notional < instrument().quantity(lots + 1) * mark


def test_limits_follow_the_mark_in_steps() -> None:
    assert has_moved(Decimal(100), None)
    assert not has_moved(Decimal("100.1"), Decimal(100))
    assert has_moved(Decimal("100.11"), Decimal(100))


def test_the_request_budget_is_divided_by_symbols() -> None:
    whole = RateLimits(weight_1m=2_400, orders_10s=300, orders_1m=1_201)
    assert shard_budget(whole, 1, 3) == RateLimits(weight_1m=800, orders_10s=100, orders_1m=400)


def test_sides_are_never_netted() -> None:
    orders = OpenOrders()
    orders.apply(accepted("a", Side.BUY, 3))
    orders.apply(accepted("b", Side.SELL, 4))
    assert orders.worst_case_lots(1) == (4, -3)


def test_a_partial_fill_leaves_the_rest_and_a_full_one_nothing() -> None:
    orders = OpenOrders()
    orders.apply(accepted("a", Side.BUY, 3))
    orders.apply(fill(1, Side.BUY, 1, 500_000, client_order_id="a", remaining_lots=2))
    assert (orders.count(), orders.worst_case_lots(0)) == (1, (2, 0))
    orders.apply(fill(2, Side.BUY, 2, 500_000, client_order_id="a", remaining_lots=0))
    assert orders.count() == 0


def test_what_was_executed_before_an_order_was_known_as_ours_is_not_open() -> None:
    orders = OpenOrders()
    orders.apply(msgspec.structs.replace(accepted("whole", Side.BUY, 3), filled_lots=3))
    orders.apply(msgspec.structs.replace(accepted("part", Side.BUY, 3), filled_lots=1))
    assert (orders.count(), orders.worst_case_lots(0)) == (1, (2, 0))


def test_an_amended_total_counts_without_what_is_filled() -> None:
    orders = OpenOrders()
    orders.apply(accepted("a", Side.BUY, 3))
    orders.apply(fill(1, Side.BUY, 1, 500_000, client_order_id="a", remaining_lots=2))
    orders.apply(
        OrderAmended(**HEAD, client_order_id="a", venue_order_id=0, side=Side.BUY, price_ticks=2, quantity_lots=5)
    )
    assert orders.worst_case_lots(0) == (4, 0)


@pytest.mark.parametrize(("quantity", "left"), [(5, 2), (3, 0)])
def test_an_amendment_that_is_told_after_the_fill_knows_what_was_filled_before(quantity: int, left: int) -> None:
    orders = OpenOrders()
    orders.apply(accepted("a", Side.BUY, 3))
    orders.apply(fill(1, Side.BUY, 3, 500_000, client_order_id="a", remaining_lots=0))
    amended = {"side": Side.BUY, "price_ticks": 2, "quantity_lots": quantity, "filled_lots": 3}
    orders.apply(OrderAmended(**HEAD, client_order_id="a", venue_order_id=0, **amended))
    assert (orders.worst_case_lots(0), orders.count()) == ((left, 0), int(left > 0))


def test_an_unknown_order_counts_in_full() -> None:
    orders = OpenOrders()
    orders.apply(
        OrderUnknown(
            **HEAD, client_order_id="a", venue_order_id=0, side=Side.SELL, price_ticks=2, quantity_lots=5, reason="lost"
        )
    )
    assert orders.worst_case_lots(0) == (0, -5)


@pytest.mark.parametrize(
    "ended",
    [
        OrderCanceled(**HEAD, client_order_id="a", venue_order_id=0, side=Side.BUY, filled_lots=0),
        OrderExpired(**HEAD, client_order_id="a", venue_order_id=0, side=Side.BUY, filled_lots=0, reason=""),
        OrderRejected(**HEAD, client_order_id="a", venue_order_id=0, side=Side.BUY, venue_code=-1, text=""),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_ended_order_does_not_count(ended: OrderCanceled | OrderExpired | OrderRejected) -> None:
    orders = OpenOrders()
    orders.apply(accepted("a", Side.BUY, 3))
    orders.apply(ended)
    assert orders.count() == 0


def test_a_denied_order_never_was_one() -> None:
    orders = OpenOrders()
    orders.apply(
        OrderDenied(**HEAD, client_order_id="a", venue_order_id=0, side=Side.BUY, code=DenialCode.RATE, text="")
    )
    assert orders.count() == 0


def test_more_orders_than_can_be_followed_make_the_picture_incomplete() -> None:
    orders = OpenOrders()
    for number in range(ORDERS_TRACKED_MAX + 1):
        orders.apply(accepted(str(number), Side.BUY, 1))
    assert (orders.count(), orders.complete) == (ORDERS_TRACKED_MAX, False)


def test_missed_events_make_the_picture_incomplete_until_the_next_incarnation() -> None:
    orders = OpenOrders()
    orders.forget()
    assert not orders.complete
    orders.begin_again()
    assert orders.complete
