"""A book becomes LIVE by the venue's rules (facts section 5.3) and never leaves in any other state."""

from __future__ import annotations

from market_feed_driver import ASKS, BIDS, Feed
from market_samples import (
    BTC,
    ETH,
    MS,
    START_NS,
    S,
    diff,
    feed_status,
    instrument,
    published,
    settings,
    snapshot,
    spec,
    ticker,
    top,
)

from actors.market_data.core import MarketDataCore
from protocols.effects import Call, SetTimer, TimerFired
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.market import BookTop, FeedState, FeedStatus
from protocols.values import make_instrument_id
from protocols.venue import OutcomeUnknown, QueryTime, StreamChanged, StreamHeard, Throttled, TimeAnswered, Usage


def test_the_first_diff_asks_for_the_snapshot_that_makes_the_book_live() -> None:
    feed = Feed()
    feed.connect()
    assert feed.asked == []
    feed.tell(diff(95, 102, 90))
    assert [request.instrument_id for request in feed.asked] == [BTC]
    effects = feed.tell(snapshot(feed.asked[0].request_id, 100, BIDS, ASKS))
    assert published(effects) == [
        feed_status(FeedState.LIVE, update_id=102),
        top(102, BIDS[:2], ASKS[:2]),
    ]


def test_held_diffs_are_applied_over_the_snapshot() -> None:
    feed = Feed()
    feed.connect()
    feed.tell(diff(80, 90, 70, bids=[(1000, 9)]))
    feed.tell(diff(95, 102, 90, bids=[(1000, 0)]))
    feed.tell(diff(103, 104, 102, asks=[(1001, 1)]))
    effects = feed.tell(snapshot(feed.asked[0].request_id, 100, BIDS, ASKS))
    assert published(effects, BookTop) == [top(104, ((999, 6), (998, 7)), ((1001, 1), (1002, 4)))]


def test_no_more_diffs_are_held_than_the_configuration_allows() -> None:
    feed = Feed(buffered_diffs_max=10)
    feed.connect()
    for number in range(13):
        feed.tell(diff(101 + number, 101 + number, 100 + number))
    assert feed.core.snapshot().symbols["BTCUSDC"].buffered == 10


def test_nothing_leaves_before_the_snapshot() -> None:
    feed = Feed()
    feed.connect()
    effects = feed.tell(diff(95, 102, 90, [(1000, 1)], [(1001, 1)])) + feed.tell(ticker(101, (1000, 1), (1001, 1)))
    assert published(effects, BookTop) == []
    assert feed.state() == "SYNCHRONISING"


def test_a_snapshot_older_than_the_first_diff_is_asked_for_again_after_the_interval() -> None:
    feed = Feed(resync_interval_ms=1_000)
    feed.connect()
    feed.tell(diff(105, 110, 103))
    feed.tell(snapshot(feed.asked[0].request_id, 100, BIDS, ASKS))
    assert len(feed.asked) == 1
    feed.tick(900)
    assert len(feed.asked) == 1
    feed.tick(100)
    assert len(feed.asked) == 2


def test_a_deep_change_publishes_nothing() -> None:
    feed = Feed()
    feed.live()
    assert feed.tell(diff(103, 105, 102, bids=[(990, 1)])) == []


def test_a_gap_stops_the_book_at_once_and_asks_for_a_snapshot() -> None:
    feed = Feed(resync_interval_ms=1)
    feed.live()
    feed.now_ns += 5 * MS
    effects = feed.tell(diff(110, 112, 108, at_ns=feed.now_ns))
    assert published(effects) == [
        Alert(
            code=AlertCode.FEED_GAP,
            severity=Severity.WARNING,
            subject="BTCUSDC",
            text="diff 112 does not follow the one before",
            raised_ns=feed.now_ns,
            source="market_data-0",
        ),
        feed_status(
            FeedState.SYNCHRONISING,
            confirmed_ns=feed.now_ns,
            since_ns=feed.now_ns,
            reason="gap in the depth stream",
        ),
    ]
    assert len(feed.asked) == 2
    effects = feed.tell(snapshot(feed.asked[1].request_id, 111, BIDS, ASKS, feed.now_ns))
    assert published(effects, BookTop) == [top(112, BIDS[:2], ASKS[:2], feed.now_ns)]


def test_a_repeated_diff_leads_to_a_resync() -> None:
    feed = Feed()
    feed.live()
    feed.tell(diff(103, 104, 102))
    feed.tell(diff(103, 104, 102))
    assert feed.state() == "SYNCHRONISING"


def test_resyncs_are_bounded_in_frequency() -> None:
    feed = Feed(resync_interval_ms=1_000)
    feed.live()
    for step in range(50):
        feed.now_ns += 20 * MS
        feed.tell(diff(1_000 + 10 * step, 1_001 + 10 * step, 5, at_ns=feed.now_ns))
        feed.tell(snapshot(feed.asked[-1].request_id, 500, BIDS, ASKS, feed.now_ns))
    assert len(feed.asked) == 2


def test_one_symbols_gap_leaves_the_other_live() -> None:
    feed = Feed()
    feed.live()
    feed.tell(diff(95, 102, 90, instrument_id=ETH))
    feed.tell(snapshot(feed.asked[-1].request_id, 100, BIDS, ASKS, instrument_id=ETH))
    feed.tell(diff(110, 112, 108))
    states = {name: symbol.state for name, symbol in feed.core.snapshot().symbols.items()}
    assert states == {"BTCUSDC": "SYNCHRONISING", "ETHUSDC": "LIVE"}


def test_a_lost_socket_ends_every_book_and_a_new_one_starts_anew() -> None:
    feed = Feed()
    feed.live()
    effects = feed.tell(StreamChanged(stream="public", up=False, changed_ns=feed.now_ns, reason="reset"))
    assert [status.state for status in published(effects, FeedStatus)] == [FeedState.CONNECTING] * 2  # type: ignore[attr-defined]
    assert [alert.code for alert in published(effects, Alert)] == [AlertCode.FEED_LOST]  # type: ignore[attr-defined]
    feed.now_ns += 2 * S
    assert published(feed.live(), BookTop) == [top(102, BIDS[:2], ASKS[:2], feed.now_ns)]


def test_a_snapshot_asked_for_on_the_old_socket_is_not_used_on_the_new_one() -> None:
    feed = Feed()
    feed.connect()
    feed.tell(diff(95, 102, 90))
    feed.tell(StreamChanged(stream="public", up=False, changed_ns=feed.now_ns))
    feed.connect()
    assert feed.tell(snapshot(feed.asked[0].request_id, 100, BIDS, ASKS)) == []


def test_a_failed_snapshot_is_asked_for_again() -> None:
    feed = Feed(resync_interval_ms=100)
    feed.connect()
    feed.tell(diff(95, 102, 90))
    failure = OutcomeUnknown(
        request_id=feed.asked[0].request_id, received_ns=START_NS, usage=Usage(), reason="no answer"
    )
    feed.tell(failure)
    feed.tick(100)
    assert len(feed.asked) == 2
    assert feed.core.snapshot().snapshots_failed == 1


def test_a_snapshot_without_any_outcome_is_given_up_in_the_end() -> None:
    feed = Feed()
    feed.connect()
    feed.tell(diff(95, 102, 90))
    feed.tick(14_000)
    assert len(feed.asked) == 1
    feed.tick(1_100)
    assert len(feed.asked) == 2


def test_a_throttle_stops_every_request_until_its_end() -> None:
    feed = Feed()
    feed.connect()
    feed.tell(diff(95, 102, 90))
    throttle = Throttled(
        request_id=feed.asked[0].request_id,
        received_ns=START_NS,
        usage=Usage(),
        retry_at_ns=START_NS + 30 * S,
        banned=False,
        orders_only=False,
        venue_code=-1003,
        text="too many requests",
    )
    feed.tell(throttle)
    effects = feed.tick(29_999)
    assert len(feed.asked) == 1
    effects = feed.tell(TimerFired(name="clock"))
    assert [type(effect) for effect in effects] == [SetTimer]
    feed.tick(1)
    assert len(feed.asked) == 2


def test_many_symbols_share_a_bounded_number_of_requests() -> None:
    ids = [make_instrument_id("binance_usdm", "main", f"S{index}USDC") for index in range(10)]
    core = MarketDataCore(spec("market_data", *(instrument(one) for one in ids)), settings())
    core.start(START_NS)
    core.handle(StreamChanged(stream="public", up=True, changed_ns=START_NS), START_NS)
    asked = [
        effect
        for one in ids
        for effect in core.handle(diff(95, 102, 90, instrument_id=one), START_NS)
        if isinstance(effect, Call)
    ]
    assert len(asked) == 4


def test_a_silent_socket_makes_the_book_stale_and_a_pong_brings_it_back() -> None:
    feed = Feed(stale_after_ms=2_000)
    feed.live()
    feed.tick(2_000)
    assert feed.state() == "LIVE"
    effects = feed.tick(100)
    assert feed.state() == "STALE"
    assert published(effects, BookTop) == []
    assert [alert.code for alert in published(effects, Alert)] == [AlertCode.FEED_STALE]  # type: ignore[attr-defined]
    feed.tell(StreamHeard(stream="public", heard_ns=feed.now_ns))
    feed.tick(100)
    assert feed.state() == "LIVE"


def test_a_quiet_symbol_on_a_living_socket_stays_live() -> None:
    feed = Feed(stale_after_ms=2_000)
    feed.live()
    for _ in range(20):
        feed.tell(StreamHeard(stream="public", heard_ns=feed.now_ns))
        effects = feed.tick(500)
    assert feed.state() == "LIVE"
    status = published(effects, FeedStatus)[0]
    assert status == feed_status(FeedState.LIVE, update_id=102, confirmed_ns=feed.now_ns - 500 * MS)


def test_diffs_that_stop_while_tickers_move_make_the_book_stale() -> None:
    feed = Feed(stale_after_ms=2_000)
    feed.live()
    for step in range(22):
        feed.now_ns += 100 * MS
        feed.tell(ticker(103 + step, (1000, 5 + step), (1001, 3), feed.now_ns))
        effects = feed.tick(0)
    assert feed.state() == "STALE"
    feed.now_ns += 10 * MS
    effects = feed.tell(diff(120, 130, 102, bids=[(1000, 40)], at_ns=feed.now_ns))
    assert published(effects, BookTop) == [top(130, ((1000, 40), (999, 6)), ASKS[:2], feed.now_ns)]


def test_diffs_that_arrive_ever_later_make_the_book_stale_until_they_catch_up() -> None:
    feed = Feed(stale_after_ms=2_000)
    feed.live()
    feed.now_ns += 3 * S
    effects = feed.tell(diff(103, 104, 102, [(1000, 8)], at_ns=feed.now_ns, late_ns=2_500 * MS))
    assert published(effects, BookTop) == []
    assert feed.state() == "STALE"
    effects = feed.tell(diff(105, 106, 104, [(1000, 9)], at_ns=feed.now_ns, late_ns=10 * MS))
    assert [type(body) for body in published(effects)] == [FeedStatus, BookTop]


def test_what_has_not_changed_is_said_again_each_second() -> None:
    feed = Feed()
    feed.live()
    feed.tick(100)
    feed.tell(StreamHeard(stream="public", heard_ns=feed.now_ns))
    feed.tick(500)
    feed.tell(StreamHeard(stream="public", heard_ns=feed.now_ns))
    effects = feed.tick(500)
    assert published(effects, BookTop) == [top(102, BIDS[:2], ASKS[:2])]


def test_a_clock_that_stepped_back_looks_like_lateness_only_until_the_venues_time_is_read() -> None:
    feed = Feed()
    feed.tell(time_answer(feed.now_ns, venue_ns=feed.now_ns))
    feed.live()
    feed.tick(100)
    feed.tell(diff(103, 104, 102, [(1000, 8)], at_ns=feed.now_ns, late_ns=3_000 * MS))
    assert feed.state() == "STALE"
    asked = [
        effect for effect in feed.tick(1_000) if isinstance(effect, Call) and isinstance(effect.request, QueryTime)
    ]
    assert len(asked) == 1
    feed.tell(time_answer(feed.now_ns, venue_ns=feed.now_ns - 3_000 * MS))
    feed.tell(diff(105, 106, 104, [(1000, 9)], at_ns=feed.now_ns, late_ns=3_000 * MS))
    assert feed.state() == "LIVE"


def time_answer(now_ns: int, venue_ns: int) -> TimeAnswered:
    return TimeAnswered(
        request_id=1, received_ns=now_ns + MS, usage=Usage(), venue_time_ns=venue_ns, sent_ns=now_ns - MS
    )
