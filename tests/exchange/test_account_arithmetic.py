"""Positions, PnL, fees, funding and the seam, in the referee's own Decimal arithmetic."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from venue_rig import ACCOUNT, MS, SYMBOL, VenueRig

from actors.exchange.accounts import Position
from actors.exchange.frames import MarkFrame, SeamFrame
from actors.exchange.ledger import FundingPaid, SeamClosed
from protocols.arithmetic.positions import AverageCost

HOUR_NS = 3_600_000 * MS


def test_adding_averages_and_reducing_realizes() -> None:
    position = Position("S")
    assert position.trade(Decimal("0.010"), Decimal(2500)) == 0
    assert position.trade(Decimal("0.030"), Decimal(2504)) == 0
    assert position.entry_price == 2503
    assert position.trade(Decimal("-0.020"), Decimal(2510)) == Decimal("0.140")
    assert (position.amount, position.entry_price) == (Decimal("0.020"), 2503)


def test_a_flip_realizes_the_old_position_and_opens_at_the_price() -> None:
    position = Position("S")
    position.trade(Decimal("0.010"), Decimal(2500))
    assert position.trade(Decimal("-0.030"), Decimal(2490)) == Decimal("-0.100")
    assert (position.amount, position.entry_price) == (Decimal("-0.020"), 2490)
    assert position.unrealized(Decimal(2480)) == Decimal("0.20000000")


fills = st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(600_000, 700_000)), min_size=1, max_size=60)


@given(fills=fills, mark=st.integers(600_000, 700_000))
def test_cash_and_position_value_always_add_up_to_the_pnl(fills: list[tuple[int, int]], mark: int) -> None:
    """Realized plus unrealized equals what was received less what was paid plus the worth of what is left."""
    position, realized, cash = Position("S"), Decimal(0), Decimal(0)
    for lots, ticks in fills:
        quantity, price = Decimal(lots) / 1000, Decimal(ticks) / 10
        realized += position.trade(quantity, price)
        cash -= quantity * price
    at = Decimal(mark) / 10
    assert abs(realized + position.unrealized(at) - (cash + position.amount * at)) <= Decimal("0.00000001")
    assert position.cost >= 0
    assert (position.cost == 0) == (position.amount == 0)


def test_taker_fee_of_the_fact_sheet() -> None:
    rig = VenueRig(open_book=False)
    rig.apply(rig.market.book(bids=[(24_999, 50)], asks=[(25_001, 50)]))
    rig.market_order("BUY", 10)
    assert rig.fills()[0].commission == Decimal("0.01000040")


def test_funding_is_paid_by_the_long_at_its_time() -> None:
    rig = VenueRig()
    rig.market_order("BUY", 10)
    due = rig.venue.now_ns + HOUR_NS
    rig.apply(MarkFrame(SYMBOL, rig.venue.now_ns, Decimal(64_000), None, Decimal("0.0001"), due))
    rig.venue.advance(due)
    paid = [record for record in rig.records() if isinstance(record, FundingPaid)]
    assert [(p.t, p.amount, p.position, p.mark_price) for p in paid] == [
        (due, Decimal("-0.06400000"), Decimal("0.010"), Decimal(64_000))
    ]
    assert paid[0].wallet_after == rig.account.wallets["USDC"]
    assert rig.account.income[-1].kind == "FUNDING_FEE"
    assert rig.venue.markets[SYMBOL].next_funding_ns == due + 8 * HOUR_NS


def test_a_short_receives_funding_and_a_flat_account_gets_no_record() -> None:
    rig = VenueRig(tick_ms=250)
    rig.venue.account("flat")
    rig.market_order("SELL", 10)
    due = rig.venue.now_ns + HOUR_NS
    rig.apply(MarkFrame(SYMBOL, rig.venue.now_ns, Decimal(64_000), None, Decimal("0.0001"), due))
    rig.venue.advance(due + 9 * HOUR_NS)
    paid = [record for record in rig.records() if isinstance(record, FundingPaid)]
    assert [(p.account, p.amount) for p in paid] == [(ACCOUNT, Decimal("0.06400000"))] * 2


def test_at_the_seam_orders_expire_and_the_position_is_closed_at_the_mid_against_its_owner() -> None:
    rig = VenueRig()
    rig.market_order("BUY", 10)
    order = rig.place("BUY", 640_000, 5)
    wallet = rig.account.wallets["USDC"]
    rig.apply(rig.market.ticker((640_000, 10), (640_003, 5)), SeamFrame(rig.market.now_ns + MS, 1))
    assert order.status == "EXPIRED"
    closed = rig.records()[-1]
    assert isinstance(closed, SeamClosed)
    assert (closed.side, closed.price, closed.quantity) == ("SELL", Decimal("64000.1"), Decimal("0.010"))
    assert closed.realized_pnl == (Decimal("64000.1") - Decimal("64000.1")) * Decimal("0.010")
    assert (closed.position_after, closed.wallet_after) == (0, wallet)
    assert rig.account.position(SYMBOL).amount == 0


def test_a_position_closed_after_the_seam_is_the_sum_of_the_accounts_trades() -> None:
    rig = VenueRig()
    rig.market_order("SELL", 7)
    rig.apply(SeamFrame(rig.market.now_ns + MS, 1))
    signed = [trade.quantity if trade.side == "BUY" else -trade.quantity for trade in rig.account.trades]
    assert sum(signed, Decimal(0)) == rig.account.position(SYMBOL).amount == 0


@given(fills=fills)
def test_the_referee_and_inventory_agree_though_they_share_no_code(fills: list[tuple[int, int]]) -> None:
    referee, ours, realized = Position("S"), AverageCost(), Decimal(0)
    for lots, ticks in fills:
        quantity, price = Decimal(lots) / 1000, Decimal(ticks) / 10
        realized = referee.trade(quantity, price)
        ours, trade = ours.traded(quantity, price)
        assert trade.realised == realized
        assert (ours.quantity, ours.cost) == (referee.amount, referee.cost)
