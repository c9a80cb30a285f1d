"""The venue's clock: the least round trip of the last minutes, with an error that is known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from market_feed_driver import Feed
from market_samples import MS, START_NS, S, published

from actors.market_data.venue_time import WINDOW_NS, VenueTime
from protocols.effects import Call, SetTimer, TimerFired
from protocols.messages.alerts import Alert, AlertCode
from protocols.messages.market import VenueClock
from protocols.venue import NotSent, QueryTime, TimeAnswered, Usage


def answer(sent_ns: int, there_ns: int, back_ns: int, offset_ns: int, request_id: int = 1) -> TimeAnswered:
    """The venue read its clock `there_ns` after our sending, and its answer took `back_ns`."""
    return TimeAnswered(
        request_id=request_id,
        received_ns=sent_ns + there_ns + back_ns,
        usage=Usage(),
        venue_time_ns=sent_ns + there_ns + offset_ns,
        sent_ns=sent_ns,
    )


def test_the_offset_is_measured_at_the_middle_and_errs_by_half_the_round_trip() -> None:
    time = VenueTime(8)
    assert time.take(answer(START_NS, 10 * MS, 10 * MS, -1_520 * MS)) is False
    assert time.clock == VenueClock(offset_ns=-1_520 * MS, error_ns=10 * MS, sampled_ns=START_NS + 20 * MS)


def test_the_answer_with_the_least_round_trip_is_believed() -> None:
    time = VenueTime(8)
    time.take(answer(START_NS, 5 * MS, 5 * MS, 0))
    time.take(answer(START_NS + S, 90 * MS, 10 * MS, 0))
    assert time.clock == VenueClock(offset_ns=0, error_ns=5 * MS, sampled_ns=START_NS + 10 * MS)


def test_an_answer_older_than_the_window_is_not_believed_any_more() -> None:
    time = VenueTime(8)
    time.take(answer(START_NS, 5 * MS, 5 * MS, 0))
    time.take(answer(START_NS + WINDOW_NS + 10 * MS, 20 * MS, 20 * MS, 0))
    assert time.clock == VenueClock(offset_ns=0, error_ns=20 * MS, sampled_ns=START_NS + WINDOW_NS + 50 * MS)


def test_a_clock_that_jumped_gives_up_the_older_answers() -> None:
    time = VenueTime(8)
    time.take(answer(START_NS, 5 * MS, 5 * MS, 0))
    assert time.take(answer(START_NS + S, 50 * MS, 50 * MS, 5 * S)) is True
    assert time.clock == VenueClock(offset_ns=5 * S, error_ns=50 * MS, sampled_ns=START_NS + S + 100 * MS)


def test_an_answer_received_before_it_was_sent_is_refused() -> None:
    time = VenueTime(8)
    time.take(answer(START_NS, 5 * MS, -6 * MS, 0))
    assert (time.clock, time.refused) == (None, 1)


@given(
    st.integers(-10 * S, 10 * S),
    st.lists(st.tuples(st.integers(0, 400 * MS), st.integers(0, 400 * MS)), min_size=1, max_size=20),
)
def test_the_true_offset_lies_within_the_error(offset_ns: int, trips: list[tuple[int, int]]) -> None:
    time, now_ns = VenueTime(8), START_NS
    for there_ns, back_ns in trips:
        assert time.take(answer(now_ns, there_ns, back_ns, offset_ns)) is False
        now_ns += S
        assert time.clock is not None
        assert abs(time.clock.offset_ns - offset_ns) <= time.clock.error_ns


def test_the_time_is_asked_often_at_first_and_then_at_its_period() -> None:
    feed = Feed(clock_sample_period_ms=30_000)
    waits = []
    for number in range(1, 8):
        effects = feed.tell(TimerFired(name="clock"))
        (request,) = [effect.request for effect in effects if isinstance(effect, Call)]
        assert isinstance(request, QueryTime)
        waits += [effect.at_ns - feed.now_ns for effect in effects if isinstance(effect, SetTimer)]
        assert len(published(feed.tell(answer(feed.now_ns, 1, 1, 0, request.request_id)), VenueClock)) == 1
        feed.now_ns += number
    assert waits == [200 * MS] * 3 + [S] * 2 + [30 * S] * 2


def test_a_venue_that_does_not_answer_is_asked_once_a_second_and_logged_seldom() -> None:
    feed = Feed(clock_sample_period_ms=30_000)
    waits, logged = [], 0
    for _ in range(20):
        effects = feed.tell(TimerFired(name="clock"))
        (request,) = [effect.request for effect in effects if isinstance(effect, Call)]
        (timer,) = [effect for effect in effects if isinstance(effect, SetTimer)]
        waits.append(timer.at_ns - feed.now_ns)
        assert isinstance(request, QueryTime)
        lost = NotSent(request_id=request.request_id, received_ns=feed.now_ns, usage=Usage(), reason="refused")
        logged += len(feed.tell(lost))
        feed.now_ns = timer.at_ns
    assert waits == [200 * MS] * 3 + [S] * 17
    assert logged == 2
    assert feed.core.snapshot().requests_failed == 20


def test_a_jump_of_the_venues_clock_is_told() -> None:
    feed = Feed()
    feed.tell(answer(START_NS, MS, MS, 0))
    effects = feed.tell(answer(START_NS, MS, MS, 5 * S))
    assert [alert.code for alert in published(effects, Alert)] == [AlertCode.CLOCK_UNTRUSTED]  # type: ignore[attr-defined]
    assert feed.core.snapshot().clock_jumps == 1


def test_the_clock_is_said_again_each_second() -> None:
    feed = Feed()
    feed.tell(answer(START_NS, MS, MS, 7))
    feed.tick(100)
    assert published(feed.tick(100), VenueClock) == []
    feed.tick(500)
    assert published(feed.tick(500), VenueClock) == [VenueClock(offset_ns=7, error_ns=MS, sampled_ns=START_NS + 2 * MS)]
