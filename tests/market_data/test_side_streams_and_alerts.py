"""Trades, marks, bad frames and alerts of market_data."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from market_feed_driver import Feed
from market_samples import BTC, MS, START_NS, S, diff, instrument, published, ticker

from actors.market_data.alert_throttle import SUBJECTS_MAX, AlertThrottle
from protocols.effects import LinkChanged, OutboxFull, TimerFired
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import Drain, EmergencyStop, EpochAnnounced, Resume, ShardHalted, StopFileSeen
from protocols.messages.market import MarkPrice, TradeFlow
from protocols.values import make_instrument_id
from protocols.venue import (
    BadFrame,
    Done,
    PublicTrade,
    RefusalKind,
    Refused,
    StreamChanged,
    StreamHeard,
    Usage,
    VenueMark,
)

STRANGER = make_instrument_id("binance_usdm", "main", "XRPUSDC")


def trade(trade_id: int, lots: int, buyer_is_maker: bool, ticks: int = 1000, **changes: Any) -> PublicTrade:
    values: dict[str, Any] = {
        "instrument_id": BTC,
        "trade_id": trade_id,
        "price_ticks": ticks,
        "quantity_lots": lots,
        "buyer_is_maker": buyer_is_maker,
        "venue_time_ns": START_NS,
        "received_ns": START_NS,
    }
    return PublicTrade(**{**values, **changes})


def mark(price: str = "100.5", **changes: Any) -> VenueMark:
    values: dict[str, Any] = {
        "instrument_id": BTC,
        "mark_price": Decimal(price),
        "index_price": Decimal("100.4"),
        "funding_rate": Decimal("0.0001"),
        "next_funding_venue_ms": 8_000,
        "venue_time_ns": 7,
        "received_ns": START_NS,
    }
    return VenueMark(**{**values, **changes})


def bad_frame(stream: str = "public") -> BadFrame:
    return BadFrame(stream=stream, reason="not a number", field="data.b[0][0]", received_ns=START_NS)


def test_trades_become_totals_that_are_told_with_the_next_status() -> None:
    feed = Feed()
    assert feed.tell(trade(7, 3, False)) == []
    feed.tell(trade(8, 5, True, ticks=999))
    assert published(feed.tick(100), TradeFlow) == [
        TradeFlow(
            instrument_id=BTC,
            received_ns=START_NS,
            price_ticks_last=999,
            bought_lots_total=3,
            sold_lots_total=5,
            trades_total=2,
        )
    ]
    assert published(feed.tick(100), TradeFlow) == []


def test_a_repeated_trade_counts_once_and_a_new_socket_may_number_anew() -> None:
    feed = Feed()
    feed.tell(trade(7, 3, False))
    feed.tell(trade(7, 3, False))
    feed.tell(trade(6, 3, False))
    assert feed.core.snapshot().symbols["BTCUSDC"].trades == 1
    feed.tell(StreamChanged(stream="market", up=True, changed_ns=START_NS))
    feed.tell(trade(1, 3, False))
    assert feed.core.snapshot().symbols["BTCUSDC"].trades == 2


def test_an_impossible_trade_or_mark_is_refused_and_told() -> None:
    feed = Feed()
    effects = feed.tell(trade(7, 0, False)) + feed.tell(mark("0"))
    (alert,) = published(effects)
    assert isinstance(alert, Alert)
    assert (alert.code, alert.subject) == (AlertCode.BAD_DATA, "BTCUSDC")
    assert feed.core.snapshot().symbols["BTCUSDC"].refused == 2


def test_a_mark_price_is_passed_on_and_said_again_each_second() -> None:
    feed = Feed()
    said = [
        MarkPrice(
            instrument_id=BTC,
            mark_price=Decimal("100.5"),
            index_price=Decimal("100.4"),
            funding_rate=Decimal("0.0001"),
            next_funding_venue_ms=8_000,
            venue_time_ns=7,
            received_ns=START_NS,
        )
    ]
    feed.tick(100)
    assert published(feed.tell(mark())) == said
    assert published(feed.tick(900), MarkPrice) == []
    assert published(feed.tick(100), MarkPrice) == said


def test_bad_frames_are_counted_by_socket_and_told_without_flooding() -> None:
    feed = Feed()
    first = published(feed.tell(bad_frame()))
    assert first == [
        Alert(
            code=AlertCode.BAD_DATA,
            severity=Severity.WARNING,
            subject="public",
            text="a frame of the public stream was refused at data.b[0][0]: not a number",
            raised_ns=START_NS,
            source="market_data-0",
        )
    ]
    for _ in range(50):
        assert feed.tell(bad_frame()) == []
    feed.now_ns += 10 * S
    (again,) = published(feed.tell(bad_frame()))
    assert isinstance(again, Alert)
    assert again.repeats == 51
    assert feed.core.snapshot().bad_frames == {"public": 52}


def test_the_throttle_remembers_a_bounded_number_of_subjects() -> None:
    throttle = AlertThrottle("market_data-0")
    for number in range(SUBJECTS_MAX + 1):
        assert throttle.alert(AlertCode.BAD_DATA, Severity.INFO, str(number), "", START_NS) is not None
    assert throttle.alert(AlertCode.BAD_DATA, Severity.INFO, "1", "", START_NS) is None
    assert throttle.alert(AlertCode.BAD_DATA, Severity.INFO, "0", "", START_NS) is not None


@pytest.mark.parametrize(
    "message",
    [
        ticker(1, (1, 1), (2, 1), instrument_id=STRANGER),
        diff(1, 1, 0, instrument_id=STRANGER),
        trade(1, 1, True, instrument_id=STRANGER),
        mark(instrument_id=STRANGER),
    ],
)
def test_a_frame_of_a_symbol_that_is_not_ours_is_counted_only(message: Any) -> None:
    feed = Feed()
    assert feed.tell(message) == []
    assert feed.core.snapshot().unknown_instruments == 1


@pytest.mark.parametrize(
    "message",
    [
        EmergencyStop(reason="x"),
        Resume(reason="x"),
        EpochAnnounced(name="x", shard=0, epoch=1, announced_ns=1),
        ShardHalted(shard=0, reason="x"),
        StopFileSeen(present=True),
        LinkChanged(peer="strategy-0", up=True),
        OutboxFull(reader="strategy-0", full=True),
        TimerFired(name="nobody's"),
        StreamHeard(stream="market", heard_ns=START_NS),
        StreamChanged(stream="private", up=True, changed_ns=START_NS),
        Done(request_id=1, received_ns=1, usage=Usage()),
    ],
)
def test_what_does_not_concern_the_feed_changes_nothing(message: Any) -> None:
    feed = Feed()
    feed.live()
    before = feed.core.snapshot()
    assert feed.tell(message) == []
    assert feed.core.snapshot() == before


def test_a_refused_request_is_logged_and_asked_again() -> None:
    feed = Feed(resync_interval_ms=100)
    feed.connect()
    feed.tell(diff(95, 102, 90))
    refused = Refused(
        request_id=feed.asked[0].request_id,
        received_ns=START_NS,
        usage=Usage(),
        kind=RefusalKind.OUR_FAULT,
        venue_code=-1121,
        text="Invalid symbol.",
    )
    assert len(feed.tell(refused)) == 1
    feed.tick(100)
    assert len(feed.asked) == 2


def test_a_drained_feed_says_so() -> None:
    feed = Feed()
    assert feed.tell(Drain()) == []
    assert feed.core.drained is True
    assert feed.core.snapshot().drained is True


def test_the_snapshot_shows_a_live_symbol() -> None:
    feed = Feed()
    feed.live()
    feed.now_ns += 40 * MS
    feed.tell(mark())
    feed.tick(10)
    symbol = feed.core.snapshot().symbols["BTCUSDC"]
    assert (symbol.bid, symbol.ask, symbol.mid) == ((1000, 5), (1001, 3), "100.05")
    assert (symbol.book_age_ns, symbol.mark_price, symbol.diffs) == (50 * MS, "100.5", 1)
    assert instrument(BTC).symbol == "BTCUSDC"
