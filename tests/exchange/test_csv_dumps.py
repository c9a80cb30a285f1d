"""Binance's public dumps and Tardis' CSV as market sources: recognised, translated, played; what cannot be played is said."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from venue_rig import START_NS, contract, settings

from actors.exchange.errors import SourceError
from actors.exchange.frames import BookFrame, DepthFrame, Frame, MarkFrame, PrintFrame, TickerFrame
from actors.exchange.orders import OrderRequest
from actors.exchange.sources import open_source
from actors.exchange.venue import Venue

T_MS = 1_711_756_800_000
T_US = T_MS * 1_000
BOOK_TICKER = (
    "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
    f"10,64000.00,1.500,64000.10,2.000,{T_MS},{T_MS + 1}\n"
    f"12,64000.00,1.000,64000.10,2.000,{T_MS + 50},{T_MS + 51}\n"
)
TRADES = (
    "id,price,qty,quote_qty,time,is_buyer_maker\n"
    f"1,64000.00,0.500,32000.0,{T_MS + 40},true\n"
    f"2,64000.10,0.020,1280.0,{T_MS + 60},false\n"
)
AGGREGATED = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
    f"7,64000.00,0.500,1,1,{T_MS + 40},true\n"
)
L2 = (
    "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
    f"binance-futures,BTCUSDT,{T_US},{T_US + 900},true,bid,64000.0,1.5\n"
    f"binance-futures,BTCUSDT,{T_US},{T_US + 900},true,bid,63999.9,4\n"
    f"binance-futures,BTCUSDT,{T_US},{T_US + 900},true,ask,64000.1,2\n"
    f"binance-futures,BTCUSDT,{T_US + 30_000},{T_US + 31_000},false,bid,64000.0,0\n"
    f"binance-futures,BTCUSDT,{T_US + 30_000},{T_US + 31_000},false,ask,64000.2,3\n"
    f"binance-futures,BTCUSDT,{T_US + 60_000},{T_US + 61_000},false,bid,63999.9,5\n"
)
TARDIS_TRADES = (
    "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    f"binance-futures,BTCUSDT,{T_US + 40_000},{T_US + 41_000},9,sell,64000,0.5\n"
)
TARDIS_TICKER = (
    "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n"
    f"binance-futures,BTCUSDT,{T_US + 50_000},{T_US + 51_000},2,64000.1,63999.9,4\n"
)


BANDS = (
    "timestamp,percentage,depth,notional\n"
    "2024-03-30 00:00:00,-1,700.000,44500000\n"
    "2024-03-30 00:00:00,-0.2,200.000,12800000\n"
    "2024-03-30 00:00:00,0.2,210.000,13400000\n"
    "2024-03-30 00:00:00,1,800.000,51500000\n"
    "2024-03-30 00:00:30,-0.2,50.000,3200000\n"
    "2024-03-30 00:00:30,0.2,60.000,3800000\n"
)
BARS = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n"
    f"{T_MS},64000.0,64050.0,63980.0,64040.0,40.000,{T_MS + 59_999},2560000,900,24.000,1536000,0\n"
    f"{T_MS + 60_000},64040.0,64045.0,63900.0,63950.0,20.000,{T_MS + 119_999},1280000,400,0.000,0,0\n"
)


def played(folder: Path) -> list[Frame]:
    source = open_source(settings(source=str(folder), loop=False))
    frames = [*source.opening(START_NS), *source.frames(START_NS)]
    assert not source.report.counts, source.report.notes
    return [frame for frame in frames if not isinstance(frame, MarkFrame)]


def test_binances_best_prices_and_trades_play_together(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT-bookTicker-2024-03-30.csv").write_text(BOOK_TICKER)
    (tmp_path / "BTCUSDT-trades-2024-03-30.csv").write_text(TRADES)
    book, *rest = played(tmp_path)
    assert isinstance(book, BookFrame)
    assert (book.bids, book.asks) == ([(640_000, 1_500)], [(640_001, 2_000)])
    prints = [(frame.price_ticks, frame.lots, frame.buyer_is_maker) for frame in rest if isinstance(frame, PrintFrame)]
    assert prints == [(640_000, 500, True), (640_001, 20, False)]
    assert [frame.bid_lots for frame in rest if isinstance(frame, TickerFrame)] == [1_500, 1_000]
    times = [frame.at_ns for frame in rest]
    assert times == sorted(times)


def test_aggregated_trades_serve_where_there_are_no_others(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT-bookTicker-2024-03-30.csv").write_text(BOOK_TICKER)
    (tmp_path / "BTCUSDT-aggTrades-2024-03-30.csv").write_text(AGGREGATED)
    assert sum(isinstance(frame, PrintFrame) for frame in played(tmp_path)) == 1
    (tmp_path / "BTCUSDT-trades-2024-03-30.csv").write_text(TRADES)
    assert sum(isinstance(frame, PrintFrame) for frame in played(tmp_path)) == 2


def test_zipped_packed_and_headerless_dumps(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "BTCUSDT-bookTicker-2024-03-30.zip", "w") as archive:
        archive.writestr("BTCUSDT-bookTicker-2024-03-30.csv", BOOK_TICKER.split("\n", 1)[1])
    with gzip.open(tmp_path / "BTCUSDT-trades-2024-03-30.csv.gz", "wt") as packed:
        packed.write(TRADES)
    assert {type(frame) for frame in played(tmp_path)} == {BookFrame, TickerFrame, PrintFrame}


def test_tardis_rows_of_one_message_are_put_together(tmp_path: Path) -> None:
    (tmp_path / "binance-futures_incremental_book_L2_2024-03-30_BTCUSDT.csv").write_text(L2)
    (tmp_path / "binance-futures_trades_2024-03-30_BTCUSDT.csv").write_text(TARDIS_TRADES)
    (tmp_path / "binance-futures_book_ticker_2024-03-30_BTCUSDT.csv").write_text(TARDIS_TICKER)
    book, *rest = played(tmp_path)
    assert isinstance(book, BookFrame)
    assert (book.bids, book.asks) == ([(640_000, 1_500), (639_999, 4_000)], [(640_001, 2_000)])
    diffs = [(frame.bids, frame.asks) for frame in rest if isinstance(frame, DepthFrame)]
    assert diffs == [([(640_000, 0)], [(640_002, 3_000)]), ([(639_999, 5_000)], [])]
    assert [frame.buyer_is_maker for frame in rest if isinstance(frame, PrintFrame)] == [True]
    assert [frame.bid for frame in rest if isinstance(frame, TickerFrame)] == [639_999]


def test_tardis_best_prices_play_alone(tmp_path: Path) -> None:
    (tmp_path / "binance-futures_book_ticker_2024-03-30_BTCUSDT.csv").write_text(TARDIS_TICKER)
    assert [type(frame) for frame in played(tmp_path)] == [BookFrame, TickerFrame]


def test_bands_complete_the_book_behind_the_best_prices(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT-bookTicker-2024-03-30.csv").write_text(BOOK_TICKER)
    (tmp_path / "BTCUSDT-bookDepth-2024-03-30.csv").write_text(BANDS.replace("00:00:30", "00:00:31"))
    frames = played(tmp_path)
    completed = next(index for index, frame in enumerate(frames) if isinstance(frame, DepthFrame))
    venue = Venue(settings(), [contract("BTCUSDT")], START_NS)
    for frame in frames[: completed + 1]:
        venue.apply(frame)
    book = venue.markets["BTCUSDT"].book
    bids, asks = list(book.bids.levels()), list(book.asks.levels())
    assert (bids[0], asks[0]) == ((640_000, 1_500), (640_001, 2_000))
    assert sum(lots for _, lots in bids[1:]) == 700_000
    assert sum(lots for price, lots in asks[1:] if price <= 640_000 * 1.002) == pytest.approx(210_000, rel=0.03)
    assert venue.markets["BTCUSDT"].matcher.knows_queues
    for frame in frames[completed + 1 :]:
        venue.apply(frame)
    assert sum(lots for _, lots in list(book.bids.levels())[1:]) == 50_000


def test_bars_and_bands_make_a_market_that_fills_only_where_it_goes_through(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT-1m-2024-03-30.csv").write_text(BARS)
    (tmp_path / "BTCUSDT-bookDepth-2024-03-30.csv").write_text(BANDS)
    frames = played(tmp_path)
    prints = [
        (frame.price_ticks, frame.lots, frame.buyer_is_maker) for frame in frames if isinstance(frame, PrintFrame)
    ]
    path = [639_800, 640_500, 640_400]
    assert prints[:6] == [(price, lots, sold) for price in path for lots, sold in ((6_000, False), (4_000, True))]
    assert prints[6:] == [(price, 5_000, True) for price in (640_400, 640_450, 639_000, 639_500)]
    venue = Venue(settings(), [contract("BTCUSDT")], START_NS)
    market, account = venue.markets["BTCUSDT"], venue.account("main")
    through, touched = (
        OrderRequest(
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            time_in_force="GTX",
            price_ticks=price,
            lots=1,
            reduce_only=False,
            client_order_id=str(price),
        )
        for price in (639_810, 639_000)
    )
    for frame in frames:
        venue.apply(frame)
        if market.is_open and not account.orders:
            venue.place(account, through)
            venue.place(account, touched)
    assert [order.status for order in account.orders.values()] == ["FILLED", "NEW"]
    depth = sum(lots for price, lots in market.book.asks.levels() if price <= 639_500 * 1.002)
    assert depth == pytest.approx(60_000, rel=0.03)


def test_bars_are_left_out_where_something_says_more(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT-1m-2024-03-30.csv").write_text(BARS)
    (tmp_path / "BTCUSDT-bookDepth-2024-03-30.csv").write_text(BANDS)
    (tmp_path / "BTCUSDT-trades-2024-03-30.csv").write_text(TRADES)
    source = open_source(settings(source=str(tmp_path), loop=False))
    frames = [*source.opening(START_NS), *source.frames(START_NS)]
    assert [frame.lots for frame in frames if isinstance(frame, PrintFrame)] == [500, 20]
    assert source.report.notes == [
        "BTCUSDT-1m-2024-03-30.csv: left out: its bars say less than the trades or prices beside them"
    ]


def test_units_of_an_unlisted_contract_are_inferred(tmp_path: Path) -> None:
    text = BOOK_TICKER.replace("64000.00", "0.25380").replace("64000.10", "0.25390")
    (tmp_path / "TRXUSDT-bookTicker-2024-03-30.csv").write_text(text)
    (contract,) = open_source(settings(source=str(tmp_path), loop=False)).contracts
    assert (contract.symbol, str(contract.tick_size)) == ("TRXUSDT", "0.00010")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("BTCUSDT-bookDepth-2024-03-30.csv", BANDS, "has depth and no prices"),
        ("BTCUSDT-1m-2024-03-30.csv", BARS, "has trades and no book; .* at least its bookDepth"),
        ("BTCUSDT-1d-2024-03-30.csv", BARS, "longer than an hour no path"),
        ("BTCUSDT-metrics-2024-03-30.csv", "create_time,symbol\n", "it holds no market"),
        ("BTCUSDT-trades-2024-03-30.csv", TRADES, "has trades and no book"),
        ("other.csv", "a,b\n1,2\n", "none of a known dump"),
        ("BTCUSDT-bookTicker-2024-03-30.zip", "no archive", "cannot be read"),
    ],
)
def test_what_cannot_be_played_is_said(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=reason):
        open_source(settings(source=str(tmp_path / name), loop=False))


def test_a_damaged_row_is_counted_and_what_came_before_is_played(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT-bookTicker-2024-03-30.csv").write_text(BOOK_TICKER + "13,64000.00,1\n")
    source = open_source(settings(source=str(tmp_path), loop=False))
    frames = [*source.opening(START_NS), *source.frames(START_NS)]
    assert sum(isinstance(frame, TickerFrame) for frame in frames) == 2
    assert source.report.counts["damaged lines"] == 1
