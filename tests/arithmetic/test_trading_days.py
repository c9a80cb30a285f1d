"""Days that begin at a local time: each date once, 23 and 25 hours long where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.arithmetic.trading_days import TradingDays

S = 1_000_000_000
HOUR_NS = 3_600 * S
ZONES = ["UTC", "Europe/Zurich", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe"]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * S


def number(text: str) -> int:
    return at(text) // (24 * HOUR_NS)


def test_in_utc_a_day_begins_at_its_time() -> None:
    days = TradingDays("08:00", "UTC")
    assert days.day_of(at("2026-03-05T07:59:59")) == number("2026-03-04")
    assert days.day_of(at("2026-03-05T08:00:00")) == number("2026-03-05")


def test_daylight_saving_moves_the_start_in_utc() -> None:
    days = TradingDays("09:00", "Europe/Zurich")
    assert days.begins_ns(number("2026-03-28")) == at("2026-03-28T08:00:00")
    assert days.begins_ns(number("2026-03-29")) == at("2026-03-29T07:00:00")


@pytest.mark.parametrize(("date", "hours"), [("2026-03-28", 23), ("2026-10-24", 25), ("2026-06-01", 24)])
def test_the_day_of_a_change_of_clocks_is_an_hour_shorter_or_longer(date: str, hours: int) -> None:
    days, day = TradingDays("09:00", "Europe/Zurich"), number(date)
    assert days.begins_ns(day + 1) - days.begins_ns(day) == hours * HOUR_NS


def test_a_start_that_is_skipped_comes_as_long_after_midnight() -> None:
    assert TradingDays("02:30", "Europe/Zurich").begins_ns(number("2026-03-29")) == at("2026-03-29T01:30:00")


def test_of_a_start_that_comes_twice_the_first_counts() -> None:
    days, day = TradingDays("02:30", "Europe/Zurich"), number("2026-10-25")
    assert days.begins_ns(day) == at("2026-10-25T00:30:00")
    assert days.day_of(at("2026-10-25T01:15:00")) == day, "02:15 for the second time is after the start"


@given(
    instants=st.lists(st.integers(at("2010-01-01"), at("2035-01-01")), min_size=1, max_size=20),
    minute=st.integers(0, 1_439),
    zone=st.sampled_from(ZONES),
)
def test_every_instant_lies_in_its_day_and_days_follow_each_other(instants: list[int], minute: int, zone: str) -> None:
    days = TradingDays(f"{minute // 60:02}:{minute % 60:02}", zone)
    found = []
    for instant in sorted(instants):
        found.append(days.day_of(instant))
        assert days.begins_ns(found[-1]) <= instant < days.begins_ns(found[-1] + 1)
    assert found == sorted(found)
