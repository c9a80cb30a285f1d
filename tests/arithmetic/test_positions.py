"""Average cost and first in first out: what a position is worth, and what closing it brought."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.arithmetic import positions
from protocols.arithmetic.positions import AverageCost, FirstInFirstOut, OpenPart, Trade

ZERO = Decimal(0)


def play(position, trades):  # type: ignore[no-untyped-def]
    realised = ZERO
    for quantity, price in trades:
        position, trade = position.traded(quantity, price)
        realised += trade.realised
    return position, realised


def test_adding_to_a_position_realises_nothing() -> None:
    position, realised = play(AverageCost(), [(Decimal(1), Decimal(100)), (Decimal(3), Decimal(104))])
    assert (position.quantity, position.average_price, realised) == (4, 103, 0)


def test_average_cost_of_a_reduction_is_the_average_price() -> None:
    position, _ = play(AverageCost(), [(Decimal(1), Decimal(100)), (Decimal(3), Decimal(104))])
    assert position.traded(Decimal(-2), Decimal(105)) == (
        AverageCost(Decimal(2), Decimal(206)),
        Trade(Decimal(4), Decimal(2)),
    )


def test_first_in_first_out_closes_the_oldest_part_first() -> None:
    position, _ = play(FirstInFirstOut(), [(Decimal(1), Decimal(100)), (Decimal(3), Decimal(104))])
    assert position.traded(Decimal(-2), Decimal(105)) == (
        FirstInFirstOut(Decimal(2), (OpenPart(Decimal(2), Decimal(208)),)),
        Trade(Decimal(6), Decimal(2)),
    )


@pytest.mark.parametrize("kind", [AverageCost, FirstInFirstOut])
def test_crossing_zero_realises_the_old_position_and_opens_the_rest(kind: type) -> None:
    position, realised = play(kind(), [(Decimal(-2), Decimal(100)), (Decimal(5), Decimal(90))])
    assert (position.quantity, position.cost, realised) == (3, 270, 20)


@pytest.mark.parametrize("kind", [AverageCost, FirstInFirstOut])
def test_a_position_taken_over_keeps_its_entry_price(kind: type) -> None:
    position = kind.opened(Decimal("-1.5"), Decimal("2000.1"))
    assert position.unrealised(Decimal("1999.1")) == Decimal("1.5")


@pytest.mark.parametrize("kind", [AverageCost, FirstInFirstOut])
def test_nothing_taken_over_is_flat(kind: type) -> None:
    assert kind.opened(ZERO, Decimal(7)) == kind()


@pytest.mark.parametrize("kind", [AverageCost, FirstInFirstOut])
def test_a_trade_of_nothing_changes_nothing(kind: type) -> None:
    position = kind.opened(Decimal(1), Decimal(10))
    assert position.traded(ZERO, Decimal(11)) == (position, Trade(ZERO, ZERO))


def test_a_flat_position_has_no_average_price() -> None:
    assert AverageCost().average_price == 0


def test_an_average_that_has_no_end_is_shown_rounded_and_closed_without_loss() -> None:
    position, _ = play(AverageCost(), [(Decimal(1), Decimal(1)), (Decimal(2), Decimal(2))])
    assert position.average_price == Decimal("1.66666666667")
    _, realised = play(position, [(Decimal(-1), Decimal(2))] * 3)
    assert realised == 1


def test_more_parts_than_the_limit_merge_the_oldest_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "OPEN_PARTS_MAX", 2)
    position, _ = play(FirstInFirstOut(), [(Decimal(1), Decimal(price)) for price in (10, 20, 30)])
    assert position.parts == (OpenPart(Decimal(2), Decimal(30)), OpenPart(Decimal(1), Decimal(30)))


quantities = st.decimals(min_value=-50, max_value=50, places=3)
prices = st.decimals(min_value="0.01", max_value=100_000, places=2)
trades = st.lists(st.tuples(quantities, prices), max_size=40)


@pytest.mark.parametrize("kind", [AverageCost, FirstInFirstOut])
@given(trades=trades, mark=prices)
def test_realised_and_unrealised_add_up_to_the_cash_and_the_position(
    kind: type, trades: list[tuple[Decimal, Decimal]], mark: Decimal
) -> None:
    position, realised = play(kind(), trades)
    quantity = sum((q for q, _ in trades), ZERO)
    cash = -sum((q * p for q, p in trades), ZERO)
    assert position.quantity == quantity
    assert realised + position.unrealised(mark) == cash + quantity * mark


@given(trades=trades, price=prices)
def test_both_ways_of_counting_agree_when_flat(trades: list[tuple[Decimal, Decimal]], price: Decimal) -> None:
    closing = [*trades, (-sum((q for q, _ in trades), ZERO), price)]
    average, average_realised = play(AverageCost(), closing)
    fifo, fifo_realised = play(FirstInFirstOut(), closing)
    assert (average.quantity, average.cost, fifo.quantity, fifo.parts) == (0, 0, 0, ())
    assert average_realised == fifo_realised


@given(trades=trades)
def test_the_parts_sum_to_the_position(trades: list[tuple[Decimal, Decimal]]) -> None:
    position, _ = play(FirstInFirstOut(), trades)
    assert sum((part.quantity for part in position.parts), ZERO) == abs(position.quantity)
    assert all(part.quantity > 0 for part in position.parts)


@given(trades=trades)
def test_the_surrounding_precision_does_not_matter(trades: list[tuple[Decimal, Decimal]]) -> None:
    expected = play(AverageCost(), trades)[0]
    with localcontext(prec=5, rounding=ROUND_HALF_UP):
        position = AverageCost()
        for quantity, price in trades:
            position, _ = position.traded(quantity, price)
    assert position == expected
