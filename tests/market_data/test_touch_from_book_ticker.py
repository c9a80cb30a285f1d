"""The newer of depth and bookTicker gives the touch; what contradicts, crosses or jumps never becomes a price."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_feed_driver import ASKS, BIDS, Feed
from market_samples import BTC, MS, S, diff, instrument, published, snapshot, ticker, top

from protocols.messages.alerts import Alert, AlertCode
from protocols.messages.market import BookTop, FeedStatus
from protocols.messages.risk import InstrumentChanged
from protocols.values import Level


def test_a_newer_ticker_moves_the_touch_at_once() -> None:
    feed = Feed()
    feed.live()
    effects = feed.tell(ticker(103, (1000, 9), (1001, 3)))
    assert published(effects) == [top(103, ((1000, 9), (999, 6)), ASKS[:2])]


def test_a_ticker_hides_what_the_book_still_shows_in_front_of_it() -> None:
    feed = Feed()
    feed.live()
    effects = feed.tell(ticker(103, (998, 7), (999, 2)))
    assert published(effects) == [top(103, ((998, 7),), ((999, 2), (1001, 3)))]


def test_a_ticker_older_than_the_book_changes_nothing() -> None:
    feed = Feed()
    feed.live()
    assert feed.tell(ticker(101, (990, 9), (991, 3))) == []


def test_a_ticker_seen_before_changes_nothing() -> None:
    feed = Feed()
    feed.live()
    feed.tell(ticker(104, (1000, 9), (1001, 3)))
    assert feed.tell(ticker(104, (1000, 1), (1001, 3))) == []
    assert feed.tell(ticker(103, (1000, 2), (1001, 3))) == []


def test_a_ticker_stays_in_front_until_the_book_has_passed_it() -> None:
    feed = Feed()
    feed.live()
    feed.tell(ticker(106, (1000, 9), (1001, 3)))
    effects = feed.tell(diff(103, 104, 102, bids=[(1000, 1), (999, 8)]))
    assert published(effects) == [top(106, ((1000, 9), (999, 8)), ASKS[:2])]
    effects = feed.tell(diff(105, 107, 104, bids=[(1000, 4)]))
    assert published(effects) == [top(107, ((1000, 4), (999, 8)), ASKS[:2])]


def test_a_ticker_that_came_before_the_snapshot_counts_when_it_is_newer() -> None:
    feed = Feed()
    feed.connect()
    feed.tell(diff(95, 102, 90))
    feed.tell(ticker(105, (1000, 2), (1001, 2)))
    effects = feed.tell(snapshot(feed.asked[0].request_id, 100, BIDS, ASKS))
    assert published(effects, BookTop) == [top(105, ((1000, 2), (999, 6)), ((1001, 2), (1002, 4)))]


@pytest.mark.parametrize(
    ("bid", "ask"), [((1001, 1), (1001, 1)), ((1002, 1), (1001, 1)), ((0, 0), (1001, 1)), ((1000, 0), (1001, 1))]
)
def test_a_crossed_or_empty_ticker_is_refused_and_told(bid: Level, ask: Level) -> None:
    feed = Feed()
    feed.live()
    effects = feed.tell(ticker(103, bid, ask))
    assert [alert.code for alert in published(effects)] == [AlertCode.BAD_DATA]  # type: ignore[attr-defined]
    assert feed.core.snapshot().symbols["BTCUSDC"].refused == 1
    assert feed.state() == "LIVE"


def test_a_ticker_of_the_books_own_id_that_differs_makes_it_invalid() -> None:
    feed = Feed()
    feed.live()
    effects = feed.tell(ticker(102, (1000, 4), (1001, 3)))
    assert published(effects, BookTop) == []
    assert feed.state() == "INVALID"


def test_a_ticker_of_the_books_own_id_that_agrees_is_silent() -> None:
    feed = Feed()
    feed.live()
    assert feed.tell(ticker(102, (1000, 5), (1001, 3))) == []


def test_a_diff_that_lands_on_a_tickers_id_and_differs_makes_the_book_invalid() -> None:
    feed = Feed()
    feed.live()
    feed.tell(ticker(104, (1000, 9), (1001, 3)))
    effects = feed.tell(diff(103, 104, 102, bids=[(1000, 8)]))
    assert published(effects, BookTop) == []
    assert feed.state() == "INVALID"


def test_a_ticker_the_book_never_reaches_is_dropped_in_the_end() -> None:
    feed = Feed(stale_after_ms=2_000)
    feed.live()
    feed.tell(ticker(10**9, (1000, 99), (1001, 99)))
    last = 102
    for _ in range(21):
        feed.now_ns += 100 * MS
        effects = feed.tell(diff(last + 1, last + 2, last, at_ns=feed.now_ns))
        last += 2
    assert published(effects, BookTop) == [top(last, BIDS[:2], ASKS[:2], feed.now_ns)]
    assert feed.core.snapshot().symbols["BTCUSDC"].refused == 1


@pytest.mark.parametrize(
    ("bids", "asks"),
    [([(1001, 2)], []), ([], [(1000, 2)]), ([(1000, 0), (999, 0), (998, 0)], [])],
    ids=["bid through ask", "ask through bid", "no bids left"],
)
def test_a_diff_that_crosses_or_empties_the_book_makes_it_invalid_until_a_new_snapshot(
    bids: list[Level], asks: list[Level]
) -> None:
    feed = Feed(resync_interval_ms=1)
    feed.live()
    feed.now_ns += S
    effects = feed.tell(diff(103, 104, 102, bids, asks, at_ns=feed.now_ns))
    assert published(effects, BookTop) == []
    assert feed.state() == "INVALID"
    assert feed.tell(ticker(105, (1000, 5), (1001, 3), feed.now_ns)) == []
    feed.tell(diff(105, 110, 104, at_ns=feed.now_ns))
    effects = feed.tell(snapshot(feed.asked[-1].request_id, 106, BIDS, ASKS, feed.now_ns))
    assert published(effects, BookTop) == [top(110, BIDS[:2], ASKS[:2], feed.now_ns)]


def test_an_empty_or_crossed_snapshot_is_not_used() -> None:
    feed = Feed()
    feed.connect()
    feed.tell(diff(95, 102, 90))
    effects = feed.tell(snapshot(feed.asked[0].request_id, 100, BIDS, ()))
    assert published(effects, BookTop) == []
    assert feed.state() == "INVALID"


def test_a_price_jump_is_held_until_a_fresh_snapshot_confirms_it() -> None:
    feed = Feed(price_jump_bps_max=500, resync_interval_ms=1)
    feed.live()
    feed.now_ns += S
    effects = feed.tell(ticker(103, (1500, 1), (1501, 1), feed.now_ns))
    assert published(effects, BookTop) == []
    assert [alert.text for alert in published(effects, Alert)] == ["price jumped from 1000.5 to 1500.5 ticks at 103"]  # type: ignore[attr-defined]
    assert feed.state() == "INVALID"
    feed.tell(diff(104, 110, 102, at_ns=feed.now_ns))
    effects = feed.tell(snapshot(feed.asked[-1].request_id, 106, ((1500, 1),), ((1501, 1),), feed.now_ns))
    assert published(effects, BookTop) == [top(110, ((1500, 1),), ((1501, 1),), feed.now_ns)]


def test_a_jump_that_the_snapshot_does_not_confirm_never_leaves() -> None:
    feed = Feed(price_jump_bps_max=500, resync_interval_ms=1)
    feed.live()
    feed.now_ns += S
    feed.tell(ticker(103, (1500, 1), (1501, 1), feed.now_ns))
    feed.tell(diff(104, 110, 102, at_ns=feed.now_ns))
    effects = feed.tell(snapshot(feed.asked[-1].request_id, 106, BIDS, ASKS, feed.now_ns))
    assert published(effects, BookTop) == [top(110, BIDS[:2], ASKS[:2], feed.now_ns)]


def test_a_status_says_why_a_book_is_invalid() -> None:
    feed = Feed()
    feed.live()
    effects = feed.tell(diff(103, 104, 102, bids=[(1001, 2)]))
    (status,) = published(effects, FeedStatus)
    assert isinstance(status, FeedStatus)
    assert (status.state, status.reason) == ("INVALID", "after diff 104: crossed: bid 1001 >= ask 1001 ticks")


frames = st.one_of(
    st.tuples(st.just("ticker"), st.integers(-3, 3), st.integers(990, 1010), st.integers(990, 1010)),
    st.tuples(st.just("diff"), st.integers(-1, 1), st.integers(990, 1010), st.integers(0, 3)),
)


@given(st.lists(frames, max_size=40))
def test_whatever_comes_a_top_that_leaves_is_whole_and_ordered(history: list[tuple[str, int, int, int]]) -> None:
    """Neither crossed nor empty, best first, in strictly ordered prices, and only from a LIVE feed."""
    feed = Feed(levels=3, price_jump_bps_max=1_000)
    feed.live()
    last = 102
    for kind, jump, one, other in history:
        if kind == "ticker":
            effects = feed.tell(ticker(last + jump, (one, 1), (other, 1)))
        else:
            side = {"bids": [(one, other)]} if one % 2 else {"asks": [(one, other)]}
            effects = feed.tell(diff(last + 1, last + 3, last + (jump < 0), **side))  # type: ignore[arg-type]
            last += 3
        for body in published(effects, BookTop):
            assert isinstance(body, BookTop)
            bid_prices = [ticks for ticks, _ in body.bids]
            ask_prices = [ticks for ticks, _ in body.asks]
            assert bid_prices and ask_prices and bid_prices[0] < ask_prices[0]
            assert bid_prices == sorted(set(bid_prices), reverse=True) and ask_prices == sorted(set(ask_prices))
            assert all(lots > 0 for _, lots in (*body.bids, *body.asks))
            assert feed.state() == "LIVE"
        if feed.state() != "LIVE":
            assert feed.core.snapshot().symbols["BTCUSDC"].bid is None or feed.state() == "STALE"


def test_books_carry_the_version_of_new_filters_of_the_same_tick_and_lot() -> None:
    feed = Feed()
    feed.live()
    feed.tell(InstrumentChanged(instrument_id=BTC, instrument=instrument(BTC, version=2, notional_min=Decimal(50))))
    feed.tell(InstrumentChanged(instrument_id=BTC, instrument=instrument(BTC, version=3, lot_size=Decimal(1))))
    (body,) = published(feed.tell(ticker(103, (1000, 9), (1001, 3))), BookTop)
    assert body.instrument_version == 2
