"""Numbers of a stream: each counts once, what is missing is noticed, and a lost journal begins above everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.arithmetic.sequences import ERA_BITS, ERAS, Arrival, StreamNumbers, begins_era, era_begins_after, era_of


def test_numbers_in_turn_repeated_and_missing() -> None:
    stream = StreamNumbers()
    assert [stream.arrived(0, seq) for seq in (7, 8, 8, 7, 10, 11)] == [
        Arrival.NEXT,
        Arrival.NEXT,
        Arrival.REPEATED,
        Arrival.REPEATED,
        Arrival.AFTER_GAP,
        Arrival.NEXT,
    ]


def test_the_first_number_of_an_era_begins_anew_and_a_later_one_is_a_gap() -> None:
    first = era_begins_after(9) + 1
    stream = StreamNumbers()
    assert stream.arrived(0, 500) is Arrival.NEXT
    assert stream.arrived(0, first) is Arrival.ANEW
    stream.resume(1, 500)
    assert stream.arrived(1, first + 1) is Arrival.AFTER_GAP


def test_a_reader_that_knows_nothing_takes_the_first_number_of_any_era() -> None:
    assert StreamNumbers().arrived(0, era_begins_after(9) + 1) is Arrival.NEXT


@given(epoch=st.integers(0, ERAS - 1), later=st.integers(1, 1_000), count=st.integers(1, 2**ERA_BITS - 1))
def test_a_later_era_is_above_every_number_of_an_earlier_one_and_fits_into_64_bits(
    epoch: int, later: int, count: int
) -> None:
    number = era_begins_after(epoch) + count
    assert begins_era(number) == (count == 1)
    assert number < 2**63
    if epoch + later < ERAS:
        assert era_begins_after(epoch + later) + 1 > number


@pytest.mark.parametrize("epoch", [-1, ERAS])
def test_an_epoch_whose_numbers_would_not_fit_is_refused(epoch: int) -> None:
    with pytest.raises(ValueError, match="is not below"):
        era_begins_after(epoch)


def test_a_number_belongs_to_the_era_that_it_began_in() -> None:
    first = era_begins_after(7) + 1
    assert (era_of(1), era_of(first - 1), era_of(first), era_of(first + 10)) == (0, 6, 7, 7)
