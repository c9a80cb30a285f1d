"""The public streams of another venue become our market while they are in sync, and silence when they are not."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice, pairwise

from market_samples import BTC, ETH, START_NS, VENUE_NS, S, diff, instrument, snapshot, ticker
from shared_data import shared_path

from actors.exchange.captures import RecordedBook, read_body, receive_time
from actors.exchange.following import SNAPSHOT_WAIT_NS_MAX, SNAPSHOTS_PER_MINUTE_MAX, Follower, Stream
from actors.exchange.frames import BookFrame, DepthFrame, Frame, MarkFrame, PrintFrame, StaleFrame, TickerFrame
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.values import InstrumentId, make_instrument_id
from protocols.venue import AnyMarketEvent, BookDiff, BookSnapshot, PublicTrade, Usage, VenueMark

NOW = START_NS
FUNDING_NS = NOW + 100 * S


def mark(*, next_ns: int = FUNDING_NS, rate: str = "0.0001", instrument_id: InstrumentId = BTC) -> VenueMark:
    return VenueMark(
        instrument_id=instrument_id,
        mark_price=Decimal(64_000),
        index_price=Decimal(64_001),
        funding_rate=Decimal(rate),
        next_funding_venue_ms=next_ns // 1_000_000,
        venue_time_ns=VENUE_NS,
        received_ns=NOW,
    )


def trade(price_ticks: int = 640_000, lots: int = 3) -> PublicTrade:
    return PublicTrade(
        instrument_id=BTC,
        trade_id=1,
        price_ticks=price_ticks,
        quantity_lots=lots,
        buyer_is_maker=True,
        venue_time_ns=VENUE_NS,
        received_ns=NOW,
    )


def connected(*ids: InstrumentId) -> Follower:
    follower = Follower([instrument(each) for each in ids or (BTC,)])
    for stream in Stream:
        assert follower.stream_changed(stream, NOW, up=True) == []
    return follower


def in_sync() -> Follower:
    """BTC with a snapshot at 10 and a diff to 12."""
    follower = connected()
    follower.take(mark(), NOW)
    assert follower.take(diff(9, 12, 8, bids=[(640_000, 7)]), NOW) == []
    assert follower.snapshots_due(NOW) == [BTC]
    assert follower.take_snapshot(snapshot(1, 10, ((640_000, 5),), ((640_001, 6),)), NOW) == [
        BookFrame("BTCUSDC", NOW, VENUE_NS, [(640_000, 5)], [(640_001, 6)]),
        DepthFrame("BTCUSDC", NOW, VENUE_NS, 12, [(640_000, 7)], []),
    ]
    assert follower.waiting_for == {}
    return follower


def test_nothing_is_said_before_sockets_mark_and_snapshot_are_there() -> None:
    follower = Follower([instrument()])
    assert follower.waiting_for == {"BTCUSDC": "its public streams are not connected"}
    follower.stream_changed(Stream.PUBLIC, NOW, up=True)
    assert follower.waiting_for == {"BTCUSDC": "its market streams are not connected"}
    follower.stream_changed(Stream.MARKET, NOW, up=True)
    assert follower.waiting_for == {"BTCUSDC": "no mark price has come"}
    assert follower.take(diff(9, 12, 8), NOW) == []
    assert follower.snapshots_due(NOW) == []
    assert follower.take(mark(), NOW) == [
        MarkFrame("BTCUSDC", NOW, Decimal(64_000), Decimal(64_001), Decimal("0.0001"), FUNDING_NS)
    ]
    assert follower.waiting_for == {"BTCUSDC": "a snapshot that joins its depth diffs"}
    assert follower.take(trade(), NOW) == []
    assert follower.take(ticker(13, (640_000, 1), (640_001, 1)), NOW) == []
    assert follower.dropped == 2


def test_in_sync_everything_passes_and_best_prices_older_than_the_book_do_not() -> None:
    follower = in_sync()
    assert follower.take(ticker(12, (639_999, 1), (640_001, 1)), NOW) == []
    assert follower.take(ticker(13, (640_000, 1), (640_001, 2)), NOW) == [
        TickerFrame("BTCUSDC", NOW, VENUE_NS, 13, 640_000, 1, 640_001, 2)
    ]
    assert follower.take(trade(), NOW) == [PrintFrame("BTCUSDC", NOW, VENUE_NS, 640_000, 3, True)]
    assert follower.take(diff(13, 15, 12, asks=[(640_001, 0)]), NOW) == [
        DepthFrame("BTCUSDC", NOW, VENUE_NS, 15, [], [(640_001, 0)])
    ]


def test_a_snapshot_ahead_of_the_diffs_waits_for_the_one_that_joins_it() -> None:
    follower = connected()
    follower.take(mark(), NOW)
    follower.take(diff(1, 2, 0), NOW)
    follower.snapshots_due(NOW)
    assert follower.take_snapshot(snapshot(1, 10, ((640_000, 5),), ((640_001, 6),)), NOW) == []
    assert follower.take(diff(3, 8, 2), NOW) == []
    assert [type(frame) for frame in follower.take(diff(9, 11, 8), NOW)] == [BookFrame, DepthFrame]


def test_a_gap_is_stale_at_once_and_a_new_snapshot_ends_it() -> None:
    follower = in_sync()
    assert follower.take(diff(20, 25, 19), NOW + S) == [StaleFrame("BTCUSDC", NOW + S, disconnected=False)]
    assert follower.take(trade(), NOW + S) == []
    assert follower.take(diff(26, 27, 25), NOW + S) == []
    assert follower.snapshots_due(NOW + S) == [BTC]
    assert follower.snapshots_due(NOW + S) == []
    frames = follower.take_snapshot(snapshot(2, 22, ((639_000, 5),), ((639_001, 6),)), NOW + S)
    assert [(type(frame), getattr(frame, "update_id", 0)) for frame in frames] == [
        (BookFrame, 0),
        (DepthFrame, 25),
        (DepthFrame, 27),
    ]


def test_a_lost_socket_makes_all_stale_and_the_next_connection_begins_anew() -> None:
    for stream in Stream:
        follower = in_sync()
        assert follower.stream_changed(stream, NOW + S, up=False) == [StaleFrame("BTCUSDC", NOW + S, disconnected=True)]
        assert follower.snapshots_due(NOW + S) == []
        assert follower.stream_changed(stream, NOW + 2 * S, up=True) == []
        follower.take(diff(40, 41, 39), NOW + 2 * S)
        follower.take(mark(), NOW + 2 * S)
        assert follower.snapshots_due(NOW + 2 * S) == [BTC]
        frames = follower.take_snapshot(snapshot(2, 40, ((639_000, 5),), ((639_001, 6),)), NOW + 2 * S)
        assert [type(frame) for frame in frames] == [BookFrame, DepthFrame]


def test_a_snapshot_that_was_asked_for_before_the_socket_was_lost_is_not_used() -> None:
    follower = connected()
    follower.take(mark(), NOW)
    follower.take(diff(9, 12, 8), NOW)
    follower.snapshots_due(NOW)
    follower.stream_changed(Stream.PUBLIC, NOW, up=False)
    assert follower.take_snapshot(snapshot(1, 10, ((640_000, 5),), ((640_001, 6),)), NOW) == []
    assert follower.waiting_for == {"BTCUSDC": "its public streams are not connected"}


def test_a_frame_that_cannot_be_read_makes_the_books_stale() -> None:
    follower = in_sync()
    assert follower.damaged(Stream.MARKET, NOW) == []
    assert follower.damaged(Stream.PUBLIC, NOW) == [StaleFrame("BTCUSDC", NOW, disconnected=False)]
    assert follower.damaged(Stream.PUBLIC, NOW) == []


def test_diffs_that_arrive_late_tell_of_a_market_that_has_moved_on() -> None:
    follower = in_sync()
    assert follower.take(diff(13, 13, 12, at_ns=NOW + S, late_ns=2 * S), NOW + S) == [
        DepthFrame("BTCUSDC", NOW + S, VENUE_NS - S, 13, [], [])
    ]
    now = NOW + 2 * S
    assert follower.take(diff(14, 14, 13, at_ns=now, late_ns=2 * S + 1), now) == [
        StaleFrame("BTCUSDC", now, disconnected=False)
    ]
    assert follower.take(diff(15, 15, 14, at_ns=now, late_ns=3 * S), now) == []
    assert follower.waiting_for == {"BTCUSDC": "its depth diffs arrive late"}
    assert follower.snapshots_due(now) == []
    assert follower.take(diff(16, 16, 15, at_ns=now + S), now + S) == []
    assert follower.snapshots_due(now + S) == [BTC]
    frames = follower.take_snapshot(snapshot(2, 15, ((640_000, 5),), ((640_001, 6),)), now + S)
    assert [type(frame) for frame in frames] == [BookFrame, DepthFrame, DepthFrame]


def test_a_snapshot_without_two_sides_is_refused() -> None:
    follower = connected()
    follower.take(mark(), NOW)
    follower.take(diff(9, 12, 8), NOW)
    follower.snapshots_due(NOW)
    assert follower.take_snapshot(snapshot(1, 10, (), ((640_001, 6),)), NOW) == []
    assert follower.refused_snapshots == 1


def test_snapshots_that_do_not_help_are_asked_for_ever_more_seldom() -> None:
    follower = connected()
    follower.take(mark(), NOW)
    follower.take(diff(9, 12, 8), NOW)
    asked = []
    for second in range(300):
        if follower.snapshots_due(NOW + second * S):
            asked.append(second)
            follower.snapshot_failed(BTC)
    assert asked[:7] == [0, 1, 3, 7, 15, 31, 63]
    assert {later - before for before, later in pairwise(asked[6:])} == {SNAPSHOT_WAIT_NS_MAX // S}


def test_a_venue_that_wants_silence_gets_it_for_every_symbol() -> None:
    follower = connected(BTC, ETH)
    for each in (BTC, ETH):
        follower.take(mark(instrument_id=each), NOW)
    follower.take(diff(9, 12, 8), NOW)
    assert follower.snapshots_due(NOW) == [BTC]
    follower.snapshot_failed(BTC, shut_until_ns=NOW + 30 * S)
    follower.take(diff(9, 12, 8, instrument_id=ETH), NOW)
    assert follower.snapshots_due(NOW + 29 * S) == []
    assert follower.snapshots_due(NOW + 30 * S) == [BTC, ETH]


def test_however_many_symbols_resync_the_snapshots_of_a_minute_are_bounded() -> None:
    ids = [
        make_instrument_id("binance_usdm", "main", f"A{number}USDC") for number in range(SNAPSHOTS_PER_MINUTE_MAX + 5)
    ]
    follower = connected(*ids)
    for each in ids:
        follower.take(mark(instrument_id=each), NOW)
        follower.take(diff(9, 12, 8, instrument_id=each), NOW)
    assert len(follower.snapshots_due(NOW)) == SNAPSHOTS_PER_MINUTE_MAX
    assert follower.snapshots_due(NOW + 59 * S) == []
    assert len(follower.snapshots_due(NOW + 60 * S)) == 5


def test_the_next_funding_is_not_announced_before_this_one_is_due_on_our_clock() -> None:
    follower = in_sync()
    early = FUNDING_NS - 1
    later_ns = FUNDING_NS + 8 * 3_600 * S
    assert follower.take(mark(next_ns=later_ns, rate="0.0009"), early) == [
        MarkFrame("BTCUSDC", early, Decimal(64_000), Decimal(64_001), None, None)
    ]
    assert follower.take(mark(next_ns=later_ns, rate="0.0009"), FUNDING_NS) == [
        MarkFrame("BTCUSDC", FUNDING_NS, Decimal(64_000), Decimal(64_001), Decimal("0.0009"), later_ns)
    ]


BTCUSDT = make_instrument_id("binance_usdm", "main", "BTCUSDT")


def recorded(lines_max: int) -> Iterator[AnyMarketEvent | BookSnapshot]:
    """Events of the recorded streams and the recorded snapshot, in the order of their receipt."""
    path = shared_path("data/usdm-btc-eth-20240718/usdm_btcusdt_20240718.gz")
    decoder = MarketStreamDecoder(WireInstruments([instrument(BTCUSDT)]))
    with gzip.open(path, "rb") as lines:
        for line in islice(lines, lines_max):
            timed = receive_time(line.rstrip())
            assert timed is not None
            received_ns, payload, url = timed
            if payload.startswith(b'{"stream"'):
                event = decoder.decode(payload, received_ns)
                if event is not None:
                    yield event
                continue
            book = read_body(payload, url)
            assert isinstance(book, RecordedBook)
            yield BookSnapshot(
                request_id=1,
                received_ns=received_ns,
                usage=Usage(),
                instrument_id=BTCUSDT,
                last_update_id=book.update_id,
                venue_time_ns=book.market_ms * 1_000_000,
                bids=tuple((round(float(price) * 10), round(float(lots) * 1_000)) for price, lots in book.bids),
                asks=tuple((round(float(price) * 10), round(float(lots) * 1_000)) for price, lots in book.asks),
            )


def followed(events: Iterable[AnyMarketEvent | BookSnapshot]) -> list[Frame]:
    follower = connected(BTCUSDT)
    frames = follower.take(mark(instrument_id=BTCUSDT), NOW)
    for event in events:
        if isinstance(event, BookSnapshot):
            assert follower.snapshots_due(event.received_ns) == [BTCUSDT]
            frames += follower.take_snapshot(event, event.received_ns)
        else:
            frames += follower.take(event, event.received_ns)
    return frames


def test_recorded_streams_come_into_sync_with_their_recorded_snapshot_and_stay() -> None:
    events = list(recorded(5_000))
    frames = followed(events)
    books = [index for index, frame in enumerate(frames) if isinstance(frame, BookFrame)]
    assert books == [1]
    snapshot_id = next(event.last_update_id for event in events if isinstance(event, BookSnapshot))
    joined = [e.last_update_id for e in events if isinstance(e, BookDiff) and e.last_update_id >= snapshot_id]
    assert [frame.update_id for frame in frames if isinstance(frame, DepthFrame)] == joined
    assert not any(isinstance(frame, StaleFrame) for frame in frames)
    assert any(isinstance(frame, PrintFrame) for frame in frames)


def test_one_recorded_diff_less_is_noticed_at_the_next_one_and_nothing_follows() -> None:
    events = list(recorded(5_000))
    diffs = [index for index, event in enumerate(events) if isinstance(event, BookDiff)]
    lost, noticed = diffs[-20], diffs[-19]
    frames = followed(events[:lost] + events[lost + 1 :])
    stale = frames[-1]
    assert stale == StaleFrame("BTCUSDT", events[noticed].received_ns, disconnected=False)
    assert sum(isinstance(frame, StaleFrame) for frame in frames) == 1
