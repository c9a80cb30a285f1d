"""Captures recognised by content, replayed in time, damaged ones survived; and the synthetic market."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from capture_lines import CAPTURE, EVENT_MS, RECEIVED, diff, frame, snapshot, ticker, trade
from shared_data import shared_path
from venue_rig import MS, START_NS, settings

from actors.exchange.captures import (
    DamagedLineError,
    RecordedBook,
    RecordedDepth,
    RecordedPrint,
    RecordedTicker,
    Skipped,
    read_body,
    receive_time,
)
from actors.exchange.errors import SourceError
from actors.exchange.exchange import Exchange
from actors.exchange.frames import BookFrame, DepthFrame, Frame, MarkFrame, PrintFrame, SeamFrame, TickerFrame
from actors.exchange.ledger import TopSampled
from actors.exchange.sources import CaptureSource, list_symbols, open_source


def capture(tmp_path: Path, lines: list[bytes], **changes: Any) -> CaptureSource:
    path = tmp_path / "recorded.txt"
    path.write_bytes(b"".join(lines))
    source = open_source(settings(source=str(path), **changes))
    assert isinstance(source, CaptureSource)
    return source


def played(source: CaptureSource, count: int = 100) -> list[Frame]:
    source.opening(START_NS)
    return [f for f in islice(source.frames(START_NS), count) if not isinstance(f, MarkFrame)]


def test_the_book_starts_with_the_snapshot_bridged_by_the_buffered_diffs(tmp_path: Path) -> None:
    opening = capture(tmp_path, CAPTURE, loop=False).opening(START_NS)
    assert [f for f in opening if not isinstance(f, MarkFrame)] == [
        BookFrame("BTCUSDT", START_NS, EVENT_MS * MS, [(640_000, 1_000)], [(640_001, 2_000)]),
        DepthFrame("BTCUSDT", START_NS, (EVENT_MS + 50) * MS, 10, [(639_999, 3_000)], []),
    ]


def test_recorded_times_are_mapped_to_now_at_the_speed(tmp_path: Path) -> None:
    for speed in (1, 2):
        source = capture(tmp_path, CAPTURE, loop=False, speed=speed)
        late = START_NS + 5_000 * MS
        source.opening(START_NS)
        frames = [f for f in source.frames(late) if not isinstance(f, MarkFrame)]
        assert [(type(f), (f.at_ns - late) * speed // MS) for f in frames] == [
            (PrintFrame, 40),
            (TickerFrame, 90),
            (DepthFrame, 140),
        ]


def test_a_loop_shifts_times_closes_the_seam_and_starts_the_book_anew(tmp_path: Path) -> None:
    frames = played(capture(tmp_path, CAPTURE), 14)
    kinds = [type(f).__name__ for f in frames]
    assert kinds[:6] == ["PrintFrame", "TickerFrame", "DepthFrame", "SeamFrame", "BookFrame", "DepthFrame"]
    assert [f.loop for f in frames if isinstance(f, SeamFrame)] == [1, 2]
    times = [f.at_ns for f in frames]
    assert times == sorted(times)
    market = [f.market_ns for f in frames if isinstance(f, PrintFrame)]
    assert market == sorted(set(market)), "prints of a later loop are younger"


def test_damaged_lines_are_counted_and_named_and_skipped(tmp_path: Path) -> None:
    bad = [
        b"no time here\n",
        str(RECEIVED + 110 * MS).encode() + b' {"stream":"btcusdt@trade","data":{"E":1}}\n',
        str(RECEIVED + 120 * MS).encode() + b" {broken\n",
        trade(130, "64x"),
    ]
    source = capture(tmp_path, [*CAPTURE[:4], *bad, *CAPTURE[4:]], loop=False)
    assert len(played(source)) == 3
    assert source.report.counts["damaged lines"] == 4
    assert source.report.notes[0] == "recorded.txt:5: damaged line skipped: it does not begin with a receive time"
    assert source.report.notes[1].startswith("recorded.txt:6: damaged line skipped: Object missing required field `T`")


def test_a_truncated_gzip_file_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    lines = [*CAPTURE, *(trade(300 + n, "64000.00") for n in range(3_000))]
    packed = gzip.compress(b"".join(lines))
    path = tmp_path / "cut.gz"
    path.write_bytes(packed[: len(packed) // 2])
    source = CaptureSource(path, settings(source=str(path), loop=False))
    assert len(played(source, 10_000)) > 3
    assert "the rest of the file is lost" in source.report.notes[-1]


def test_spot_and_coin_margined_streams_are_skipped_with_a_word(tmp_path: Path) -> None:
    spot = frame("btcusdt@bookTicker", 1, u=1, b="1", B="1", a="2", A="1")
    coin = frame("btcusd_perp@bookTicker", 2, e="bookTicker", u=1, b="1", B="1", a="2", A="1")
    source = capture(tmp_path, [spot, coin, *CAPTURE], loop=False)
    assert [c.symbol for c in source.contracts] == ["BTCUSDT"]
    played(source)
    assert "recorded.txt:1: BTCUSDT spot: not a USD-M market stream, skipped" in source.report.notes
    assert "recorded.txt: BTCUSD_PERP is not margined in USDC or USDT, skipped" in source.report.notes


def test_a_missing_or_foreign_source_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no such file or folder"):
        open_source(settings(source=str(tmp_path / "none")))
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(SourceError, match="no recorded market stream recognised"):
        open_source(settings(source=str(tmp_path)))
    with pytest.raises(SourceError, match="XRPUSDC: the synthetic market knows"):
        open_source(settings(symbols=["XRPUSDC"]))


def test_a_crossed_recorded_book_is_counted_and_never_published(tmp_path: Path) -> None:
    source = capture(tmp_path, [*CAPTURE, diff(300, 16, 20, 15, b=[["64000.20", "1.000"]])], loop=False)
    exchange = Exchange(settings(), source.contracts, [], START_NS)
    for each in [*source.opening(START_NS), *source.frames(START_NS)]:
        exchange.apply(each)
    book = exchange.venue.markets["BTCUSDT"].book
    bid, ask = book.bids.best(), book.asks.best()
    assert book.crossings > 0
    assert bid is None or ask is None or bid < ask


def test_funding_falls_on_the_recorded_eight_hour_boundary(tmp_path: Path) -> None:
    source = capture(tmp_path, CAPTURE, loop=False)
    (mark,) = [f for f in source.opening(START_NS) if isinstance(f, MarkFrame)]
    recorded_ms = EVENT_MS + 60
    boundary_ms = (recorded_ms // 28_800_000 + 1) * 28_800_000
    assert mark.next_funding_ns is not None
    assert (mark.next_funding_ns - START_NS) // MS == boundary_ms - recorded_ms
    assert mark.funding_rate is None


def test_lines_of_both_recorders_are_read() -> None:
    assert receive_time(b"1680652800004107 {}") == (1_680_652_800_004_107_000, b"{}", "")
    assert receive_time(b"1626992741.06217: {}") == (1_626_992_741_062_170_000, b"{}", "")
    line = b"https://fapi.binance.com/fapi/v1/depth?symbol=SUSHIUSDT&limit=1000 -> 1626992741.3: {}"
    timed = receive_time(line)
    assert timed is not None
    assert timed[2].endswith("symbol=SUSHIUSDT&limit=1000")
    assert receive_time(b"not a line") is None
    aggregated = b'{"stream":"xusdt@aggTrade","data":{"E":1,"T":2,"p":"1.0","q":"2","m":false,"a":1}}'
    assert read_body(aggregated, "") == RecordedPrint("XUSDT", 1, 2, "1.0", "2", False, True)
    assert read_body(b'{"stream":"xusdt@kline_1m","data":{}}', "") == Skipped("stream kline_1m")
    with pytest.raises(DamagedLineError):
        read_body(b"[1,2]", "")


@pytest.mark.parametrize(
    ("folder", "symbols", "starts_with_snapshot"),
    [
        ("data/usdm-btc-eth-20240718", ("BTCUSDT", "ETHUSDT"), True),
        ("data/usdm-btc-20230404", ("BTCUSDT",), True),
        ("data/cryptofeed-usdm-20210722", ("AKROUSDT", "CTKUSDT", "KEEPUSDT", "SUSHIUSDT"), True),
    ],
)
def test_recorded_captures_are_recognised_and_play_without_damage_or_crossing(
    folder: str, symbols: tuple[str, ...], starts_with_snapshot: bool
) -> None:
    path = shared_path(folder)
    assert list_symbols(path) == symbols
    source = open_source(settings(source=str(path), loop=False))
    exchange = Exchange(settings(), source.contracts, [], START_NS)
    for each in source.opening(START_NS):
        exchange.apply(each)
    for each in islice(source.frames(START_NS), 20_000):
        exchange.apply(each)
        exchange.drain()
    assert source.report.counts["damaged lines"] == 0
    for market in exchange.venue.markets.values():
        assert market.is_open
        assert market.book.crossings == 0
        assert market.trades


def test_the_recorded_best_prices_are_the_venues_best_prices() -> None:
    """After every recorded best-price update, the book rebuilt from diffs and updates has exactly that top."""
    source = open_source(settings(source=str(shared_path("data/usdm-btc-eth-20240718")), loop=False))
    exchange = Exchange(settings(), source.contracts, [], START_NS)
    for each in source.opening(START_NS):
        exchange.apply(each)
    checked = 0
    for each in islice(source.frames(START_NS), 20_000):
        exchange.apply(each)
        exchange.drain()
        if isinstance(each, TickerFrame):
            book = exchange.venue.markets[each.symbol].book
            assert (book.bids.best(), book.asks.best()) == (each.bid, each.ask)
            assert (book.bids.lots(each.bid), book.asks.lots(each.ask)) == (each.bid_lots, each.ask_lots)
            checked += 1
    assert checked > 5_000


def synthetic(seed: int, seconds: int) -> list[Frame]:
    source = open_source(settings(seed=seed))
    frames = list(source.opening(START_NS))
    for each in source.frames(START_NS):
        if each.at_ns > START_NS + seconds * 1_000 * MS:
            return frames
        frames.append(each)
    raise AssertionError("the synthetic market ended")


def test_the_synthetic_market_repeats_from_its_seed() -> None:
    assert synthetic(7, 2) == synthetic(7, 2)
    assert synthetic(7, 2) != synthetic(8, 2)


def test_the_synthetic_market_has_a_one_tick_spread_and_trades_on_both_sides() -> None:
    frames = synthetic(1, 60)
    assert [f.at_ns for f in frames] == sorted(f.at_ns for f in frames)
    tickers = [f for f in frames if isinstance(f, TickerFrame)]
    assert all(f.ask - f.bid == 1 and f.bid_lots > 0 and f.ask_lots > 0 for f in tickers)
    for symbol in ("BTCUSDC", "ETHUSDC"):
        prints = [f for f in frames if isinstance(f, PrintFrame) and f.symbol == symbol]
        sells = sum(f.buyer_is_maker for f in prints)
        assert len(prints) > 200
        assert 0.25 < sells / len(prints) < 0.75


def test_the_venue_samples_the_top_of_the_market_ten_times_a_second() -> None:
    source = open_source(settings())
    exchange = Exchange(settings(), source.contracts, [], START_NS)
    for each in synthetic(1, 5):
        exchange.apply(each)
    samples = [r for r in exchange.drain().records if isinstance(r, TopSampled) and r.symbol == "BTCUSDC"]
    assert 49 <= len(samples) <= 52
    assert all(sample.mid is not None for sample in samples)


def test_unused_records_are_known_types() -> None:
    assert read_body(snapshot(0, 1).partition(b" ")[2], "") == RecordedBook(
        "", 1, EVENT_MS, [("64000.00", "1.000")], [("64000.10", "2.000")]
    )
    assert isinstance(read_body(diff(0, 1, 2, 0).partition(b" ")[2], ""), RecordedDepth)
    assert isinstance(read_body(ticker(0, 1, "1.0", "2.0").partition(b" ")[2], ""), RecordedTicker)
