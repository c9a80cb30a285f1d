"""Our position arithmetic and the simulated venue's, written apart, agree to the last digit on every sequence of trades."""

from __future__ import annotations

from decimal import Decimal

from account_samples import BTC, fill, instrument
from hypothesis import given
from hypothesis import strategies as st

from actors.exchange.accounts import Position
from actors.inventory.books import SymbolBook
from protocols.arithmetic.positions import AverageCost, FirstInFirstOut
from protocols.values import Side

trades = st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(1, 500), st.integers(1, 2_000_000)), max_size=40)


@given(trades=trades)
def test_realised_pnl_entry_price_and_quantity_agree(trades: list[tuple[Side, int, int]]) -> None:
    ours, theirs, unit = AverageCost(), Position("BTCUSDC"), instrument()
    for side, lots, ticks in trades:
        quantity, price = unit.quantity(lots) * side.sign, unit.price(ticks)
        ours, trade = ours.traded(quantity, price)
        assert trade.realised == theirs.trade(quantity, price)
        assert (ours.quantity, ours.average_price) == (theirs.amount, theirs.entry_price)


@given(trades=trades, mark=st.decimals("0.01", "100000", places=2))
def test_unrealised_pnl_agrees_to_the_venues_last_digit(trades: list[tuple[Side, int, int]], mark: Decimal) -> None:
    ours, theirs, unit = AverageCost(), Position("BTCUSDC"), instrument()
    for side, lots, ticks in trades:
        quantity, price = unit.quantity(lots) * side.sign, unit.price(ticks)
        ours, _ = ours.traded(quantity, price)
        theirs.trade(quantity, price)
    assert abs(ours.unrealised(mark) - theirs.unrealized(mark)) <= Decimal("0.000000005")


@given(trades=trades, last=st.integers(1, 2_000_000))
def test_when_flat_all_three_ways_of_counting_realised_the_same(trades: list[tuple[Side, int, int]], last: int) -> None:
    book, theirs, fifo, unit = SymbolBook(instrument_id=BTC), Position("BTCUSDC"), FirstInFirstOut(), instrument()
    held = sum(side.sign * lots for side, lots, _ in trades)
    closing = [(Side.SELL if held > 0 else Side.BUY, abs(held), last)] if held else []
    for number, (side, lots, ticks) in enumerate([*trades, *closing], 1):
        book.book(fill(number, side, lots, ticks), unit)
        theirs.trade(unit.quantity(lots) * side.sign, unit.price(ticks))
        fifo, _ = fifo.traded(unit.quantity(lots) * side.sign, unit.price(ticks))
    assert (book.average.quantity, fifo.quantity, theirs.amount) == (0, 0, 0)
    assert book.realised == book.realised_fifo == theirs.realized_total
