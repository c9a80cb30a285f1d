"""Damaged captures: what is wrong is counted and named, and no order is ever filled from it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from capture_lines import EVENT_MS, price, stamped, streamed
from shared_data import shared_path
from venue_makers import generous
from venue_rig import ACCOUNT, START_NS, contract

from actors.exchange.errors import SourceError
from actors.exchange.frames import Frame
from actors.exchange.ledger import OrderFilled
from actors.exchange.orders import OrderRequest
from actors.exchange.sources import CaptureSource, list_symbols, open_source
from actors.exchange.venue import Venue

BID = 640_000


def best(at_ms: int, update_id: int, bid: int = BID, ask: int = BID + 1, **changes: Any) -> bytes:
    data = {"e": "bookTicker", "u": update_id, "b": price(bid), "B": "1.000", "a": price(ask), "A": "1.000"}
    return streamed(at_ms, "bookTicker", **(data | changes))


def sold(at_ms: int, text: str, **changes: Any) -> bytes:
    data = {"e": "trade", "t": 1, "p": text, "q": "0.100", "X": "MARKET", "m": True}
    return streamed(at_ms, "trade", **(data | changes))


def diff(at_ms: int, last: int, previous: int, **sides: Any) -> bytes:
    return streamed(
        at_ms, "depth@0ms", e="depthUpdate", U=previous + 1, u=last, pu=previous, **({"b": [], "a": []} | sides)
    )


def snapshot() -> bytes:
    sides = {"bids": [[price(BID), "1.000"]], "asks": [[price(BID + 1), "1.000"]]}
    return stamped(0, {"lastUpdateId": 5, "T": EVENT_MS} | sides)


HEALTHY = [snapshot(), *(best(step * 10, 10 + step) for step in range(1, 60))]


def with_damage(tmp_path: Path, *damage: bytes, after: int = 30) -> CaptureSource:
    path = tmp_path / "damaged.txt"
    path.write_bytes(b"".join([*HEALTHY[:after], *damage, *HEALTHY[after:]]))
    source = open_source(generous(source=str(path), loop=False))
    assert isinstance(source, CaptureSource)
    return source


def fills_of_resting_orders(source: CaptureSource) -> list[OrderFilled]:
    """Bids a tick to ten percent below the touch, asks as far above: nothing sound in these captures reaches any."""
    venue = Venue(generous(), [contract("BTCUSDT")], START_NS)
    frames: list[Frame] = [*source.opening(START_NS), *source.frames(START_NS)]
    placed = False
    for frame in frames:
        venue.apply(frame)
        if venue.markets["BTCUSDT"].is_open and not placed:
            placed = True
            for away in (1, 100, 10_000, 60_000):
                for side, ticks in (("BUY", BID - away), ("SELL", BID + 1 + away)):
                    request = OrderRequest(
                        symbol="BTCUSDT",
                        side=side,
                        type="LIMIT",
                        time_in_force="GTX",
                        price_ticks=ticks,
                        lots=10,
                        reduce_only=False,
                        client_order_id=f"{side}{away}",
                    )
                    venue.place(venue.account(ACCOUNT), request)
    assert placed
    return [record for record in venue.outcome.records if isinstance(record, OrderFilled)]


GARBAGE = {
    "a trade at a thousandth of the price": (sold(305, "64.00"), "is more than 10 % away from the last one"),
    "a trade at ten times the price": (sold(305, "640000.00", m=False), "is more than 10 % away from the last one"),
    "a trade at nothing": (sold(305, "0.00"), "is more than 10 % away from the last one"),
    "a negative price": (sold(305, "-64000.00"), "is no plain positive number"),
    "a price in words": (sold(305, "6_4000.00"), "is no plain positive number"),
    "no number": (sold(305, "NaN"), "is no plain positive number"),
    "a price that is a number": (sold(305, "1", p=64000.0), "Expected `str`"),
    "best prices at a tenth": (best(305, 41, BID // 10, BID // 10 + 1), "is more than 10 % away"),
    "crossed best prices": (best(305, 41, BID + 50, BID - 50), "its best prices are crossed or empty"),
    "an empty best bid": (best(305, 41, B="0.000"), "its best prices are crossed or empty"),
    "an update id from the future": (best(305, 10**15), "is far beyond the last one"),
    "a transaction time from the future": (best(305, 41, T=EVENT_MS * 2), "does not belong to its time of receipt"),
    "a negative depth": (diff(305, 41, 40, b=[[price(BID), "-1.000"]]), "is no plain positive number"),
    "a receive time of next year": (
        best(31_536_000_000, 41, BID - 200, BID - 199),
        "does not follow the lines before it",
    ),
    "a receive time of last year": (b"1" + best(305, 41, BID - 200)[2:], "does not follow the lines before it"),
    "a cut line": (best(305, 41)[:60] + b"\n", "Input data was truncated"),
    "bytes that are no text": (b"\xff\xfe\x00\n", "it does not begin with a receive time"),
    "half of another line": (best(305, 41)[40:], "it does not begin with a receive time"),
}


@pytest.mark.parametrize(("line", "reason"), GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_counted_named_and_fills_nothing(tmp_path: Path, line: bytes, reason: str) -> None:
    source = with_damage(tmp_path, line)
    assert fills_of_resting_orders(source) == []
    assert source.report.counts["damaged lines"] == 1
    (note,) = source.report.notes
    assert note.startswith("damaged.txt:31: damaged line skipped: ")
    assert reason in note


def test_a_crossing_depth_diff_fills_nothing_and_the_next_best_prices_mend_the_book(tmp_path: Path) -> None:
    source = with_damage(tmp_path, diff(305, 10**6, 5, b=[[price(BID + 60), "5.000"]], a=[[price(BID - 60), "5.000"]]))
    assert fills_of_resting_orders(source) == []


def test_missing_depth_diffs_are_counted_and_named(tmp_path: Path) -> None:
    source = with_damage(tmp_path, diff(301, 41, 5), diff(302, 45, 41), diff(303, 60, 55))
    assert fills_of_resting_orders(source) == []
    assert source.report.counts == {"gaps": 1}
    assert source.report.notes == ["damaged.txt:33: BTCUSDT: depth diffs are missing between 45 and 55"]


def test_a_real_break_is_believed_after_a_while(tmp_path: Path) -> None:
    """A recording that goes on at another price is no damage for ever."""
    moved = [best(700 + step, 100 + step, 2 * BID, 2 * BID + 1) for step in range(150)]
    path = tmp_path / "moved.txt"
    path.write_bytes(b"".join([*HEALTHY, *moved]))
    source = CaptureSource(path, generous(source=str(path), loop=False))
    venue = Venue(generous(), source.contracts, START_NS)
    for frame in [*source.opening(START_NS), *source.frames(START_NS)]:
        venue.apply(frame)
    assert venue.markets["BTCUSDT"].book.bids.best() == 2 * BID
    assert source.report.counts["damaged lines"] == 100


def test_a_packed_file_that_breaks_in_the_middle_is_played_up_to_there(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"".join(HEALTHY + [best(600 + step, 100 + step) for step in range(5_000)])))
    packed[len(packed) // 2] ^= 0xFF
    for name, content in (("flipped.gz", bytes(packed)), ("cut.gz", bytes(packed[: len(packed) // 3]))):
        path = tmp_path / name
        path.write_bytes(content)
        source = CaptureSource(path, generous(source=str(path), loop=False))
        assert fills_of_resting_orders(source) == []
        assert source.report.counts["files cut short"] == 1
        assert any(note.startswith(f"{name}: the rest of the file is lost: ") for note in source.report.notes)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("only-a-gzip-header.gz", b"\x1f\x8b"),
        ("broken.gz", b"\x1f\x8b\x08\x00" + b"\x00" * 6 + b"\xde\xad\xbe\xef" * 20),
        ("an-archive.zip", b"PK\x03\x04" + b"\x00" * 60),
        ("rows.csv", b"TimestampOfReceive,Stream,EventType\n1741107600000,depth,x\n"),
        ("json-lines", b'{"stream":"btcusdt@trade","data":{}}\n' * 10),
        ("binary", bytes(range(256)) * 20),
        ("without-markets.txt", stamped(0, {"stream": "btcusdt@kline_1m", "data": {}}) * 5),
        ("without-data.txt", stamped(0, {"result": None, "id": 1}) * 5),
    ],
)
def test_other_formats_are_refused_in_one_clear_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(
        SourceError, match=r"no recorded market stream recognised|no USD-M market stream in it"
    ) as refused:
        open_source(generous(source=str(path)))
    assert name in str(refused.value)


FOLDERS_OF_OTHER_FORMATS = (
    "lasota-trx-20250304",
    "lean-minute-20221213",
    "payloads-gct",
    "payloads-binance-net",
    "payloads-tardis-node",
    "metacodi-sequences",
    "user-events-and-errors",
    "ccxt-cases",
)


@pytest.mark.parametrize("folder", FOLDERS_OF_OTHER_FORMATS)
def test_recorded_data_of_other_formats_is_refused_with_what_is_expected(folder: str) -> None:
    path = shared_path(f"data/{folder}")
    with pytest.raises(SourceError) as refused:
        list_symbols(path)
    assert str(refused.value).startswith(f"{path}: no recorded market stream recognised")
    assert "expected a CSV dump of Binance or Tardis, or lines of" in str(refused.value)


def test_each_recorded_csv_is_refused_with_the_columns_that_it_has() -> None:
    """None of them is a dump of Binance or Tardis: bars and rates of another platform, rows that somebody flattened."""
    root = shared_path("data")
    files = [file for file in sorted(root.rglob("*")) if file.name.endswith((".csv", ".csv.gz", ".zip"))]
    assert len(files) >= 30
    for file in files:
        with pytest.raises(SourceError) as refused:
            list_symbols(file)
        assert re.fullmatch(
            rf"{re.escape(file.name)}: no recorded market stream recognised: its columns \(.+\) are none of a known dump "
            r"of Binance or Tardis",
            str(refused.value),
        ), str(refused.value)


def test_nothing_recorded_is_neither_played_nor_refused_by_name() -> None:
    """Whoever adds a folder of data says here, or among the captures, what it is."""
    captures = {"usdm-btc-eth-20240718", "usdm-btc-20230404", "cryptofeed-usdm-20210722"}
    found = {folder.name for folder in shared_path("data").iterdir() if folder.is_dir()}
    assert found == captures | set(FOLDERS_OF_OTHER_FORMATS)


def test_a_line_without_end_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.exchange.sources.LINE_BYTES_MAX", 2_000)
    source = with_damage(tmp_path, b"9" * 5_000 + b"\n")
    assert fills_of_resting_orders(source) == []
    assert source.report.counts["damaged lines"] == 3
    assert "longer than 2000 bytes" in source.report.notes[0]


def test_a_healthy_capture_has_no_damage(tmp_path: Path) -> None:
    source = with_damage(tmp_path)
    assert fills_of_resting_orders(source) == []
    assert source.report.counts == {}
