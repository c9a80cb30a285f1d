"""Public CSV dumps as lines of the collector's format: Binance's aggTrades, trades, bookTicker, bookDepth and klines, Tardis' trades,
book_ticker and incremental_book_L2. Recognised by their header (Binance's older files have none: then by their name); nothing is opened.

A bar becomes a path of prices: open, low, high, close where it rose, open, high, low, close where it fell, evenly spaced in its time, a
quarter of its volume at each, bought and sold as its takers did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import msgspec

from actors.exchange.captures import BANDS, DamagedLineError

Row = list[str]
US_PER_MS = 1_000
_BOOK_START = b'{"symbol"'
NS_PER_US = 1_000

BINANCE_COLUMNS = {
    "aggTrades": (
        ["agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker"],
        ["price", "quantity", "transact_time", "is_buyer_maker"],
    ),
    "trades": (
        ["id", "price", "qty", "quote_qty", "time", "is_buyer_maker"],
        ["price", "qty", "time", "is_buyer_maker"],
    ),
    "bookTicker": (
        [
            "update_id",
            "best_bid_price",
            "best_bid_qty",
            "best_ask_price",
            "best_ask_qty",
            "transaction_time",
            "event_time",
        ],
        ["update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty", "transaction_time"],
    ),
    "bookDepth": (["timestamp", "percentage", "depth", "notional"], ["timestamp", "percentage", "depth"]),
    "klines": (
        [
            *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count"),
            *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
        ],
        ["open_time", "open", "high", "low", "close", "volume", "close_time", "taker_buy_volume"],
    ),
}
"""By kind: the columns in order, and those that are needed."""

TARDIS_COLUMNS = {
    "trades": ["symbol", "timestamp", "local_timestamp", "side", "price", "amount"],
    "book_ticker": ["symbol", "timestamp", "local_timestamp", "ask_amount", "ask_price", "bid_price", "bid_amount"],
    "incremental_book_L2": ["symbol", "timestamp", "local_timestamp", "is_snapshot", "side", "price", "amount"],
}
UNUSABLE = {"metrics": "it holds no market"}
_BAR_NAME = re.compile(r"-\d+[smh]-")
_LONG_BAR_NAME = re.compile(r"-\d+(d|w|mo)-")
BAR_MS_MAX = 3_600_000
COLUMNS_SHOWN, COLUMN_CHARS_SHOWN = 4, 30


class Dump(NamedTuple):
    """What a file is. `symbol` is that of its name; Tardis files have it in each row."""

    family: str
    kind: str
    symbol: str
    columns: dict[str, int]
    has_header: bool


def recognise(name: str, first_row: Row) -> Dump | str:
    """What a CSV file is by its first row and its name; why it cannot be played when it cannot."""
    parts = name.split("-")
    symbol = parts[0].upper()
    for kind, reason in UNUSABLE.items():
        if kind in name:
            return f"{kind}: {reason}, so orders cannot be matched against it"
    if _LONG_BAR_NAME.search(name):
        return "klines: of bars longer than an hour no path can be told; take 1h or shorter ones"
    have = {column: index for index, column in enumerate(first_row)}
    for kind in ("incremental_book_L2", "book_ticker", "trades"):
        if set(TARDIS_COLUMNS[kind]) <= set(have):
            return Dump("tardis", kind, "", have, True)
    for kind, (order, needed) in BINANCE_COLUMNS.items():
        if set(needed) <= set(have):
            return Dump("binance", kind, symbol, have, True)
        named = f"-{kind}-" in name or (kind == "klines" and _BAR_NAME.search(name) is not None)
        if named and len(first_row) >= len(order) - 1 and first_row[0].isdigit():
            return Dump("binance", kind, symbol, {column: index for index, column in enumerate(order)}, False)
    shown = ", ".join(column[:COLUMN_CHARS_SHOWN] for column in first_row[:COLUMNS_SHOWN])
    more = ", ..." if len(first_row) > COLUMNS_SHOWN else ""
    return f"its columns ({shown}{more}) are none of a known dump of Binance or Tardis"


def lines(dump: Dump, rows: Iterable[Row], *, opens_book: bool) -> Iterator[tuple[int, bytes]]:
    """Receive times (ns) and frames. With `opens_book` a file of best prices begins with a book of them, so that it can be played alone.

    Raises:
        DamagedLineError: a row cannot be read.
    """
    reader = {
        ("binance", "trades"): _binance_trades,
        ("binance", "aggTrades"): _binance_trades,
        ("binance", "bookTicker"): _binance_tickers,
        ("binance", "bookDepth"): _binance_bands,
        ("binance", "klines"): _binance_bars,
        ("tardis", "trades"): _tardis_trades,
        ("tardis", "book_ticker"): _tardis_tickers,
        ("tardis", "incremental_book_L2"): _tardis_book,
    }[dump.family, dump.kind]
    try:
        for received_ns, body in reader(dump, rows):
            if opens_book or dump.kind == "incremental_book_L2" or not body.startswith(_BOOK_START):
                yield received_ns, body
    except (IndexError, ValueError, InvalidOperation) as error:
        raise DamagedLineError(f"a column is missing or no number: {error}") from None


def _binance_trades(dump: Dump, rows: Iterable[Row]) -> Iterator[tuple[int, bytes]]:
    time_column = "transact_time" if dump.kind == "aggTrades" else "time"
    quantity = "quantity" if dump.kind == "aggTrades" else "qty"
    kind = "aggTrade" if dump.kind == "aggTrades" else "trade"
    for row in rows:
        at = dump.columns
        time_us = _time_us(row[at[time_column]])
        maker = row[at["is_buyer_maker"]].lower() == "true"
        yield time_us * NS_PER_US, _trade(dump.symbol, kind, time_us, row[at["price"]], row[at[quantity]], maker)


def _binance_tickers(dump: Dump, rows: Iterable[Row]) -> Iterator[tuple[int, bytes]]:
    at, first = dump.columns, True
    for row in rows:
        time_us = _time_us(row[at["transaction_time"]])
        bid = (row[at["best_bid_price"]], row[at["best_bid_qty"]])
        ask = (row[at["best_ask_price"]], row[at["best_ask_qty"]])
        update_id = int(row[at["update_id"]])
        if first:
            yield time_us * NS_PER_US, _book(dump.symbol, update_id, time_us, [bid], [ask])
        first = False
        yield time_us * NS_PER_US, _ticker(dump.symbol, update_id, time_us, bid, ask)


def _binance_bands(dump: Dump, rows: Iterable[Row]) -> Iterator[tuple[int, bytes]]:
    """Rows of one time are one state of the book."""
    at = dump.columns
    bands: list[tuple[str, str]] = []
    time_text = ""
    for row in rows_with_end(rows):
        row_time = row[at["timestamp"]] if row else ""
        if bands and row_time != time_text:
            time_ms = _time_of(time_text)
            yield time_ms * US_PER_MS * NS_PER_US, _frame(dump.symbol, BANDS, {"T": time_ms, "bands": bands})
            bands = []
        time_text = row_time
        if row:
            float(row[at["percentage"]])
            bands.append((row[at["percentage"]], row[at["depth"]]))


def _binance_bars(dump: Dump, rows: Iterable[Row]) -> Iterator[tuple[int, bytes]]:
    at = dump.columns
    for row in rows:
        opened, closed = _time_us(row[at["open_time"]]), _time_us(row[at["close_time"]])
        if not 0 < closed - opened <= BAR_MS_MAX * US_PER_MS:
            raise ValueError("a bar is longer than an hour, or ends before it begins")
        first, high, low, last = (row[at[name]] for name in ("open", "high", "low", "close"))
        rose = Decimal(last) >= Decimal(first)
        bought = Decimal(row[at["taker_buy_volume"]])
        sold = Decimal(row[at["volume"]]) - bought
        for number, price in enumerate((first, low, high, last) if rose else (first, high, low, last)):
            time_us = opened + (closed - opened) * number // 3
            for volume, buyer_is_maker in ((bought, False), (sold, True)):
                if volume > 0:
                    quarter = f"{volume / 4:f}"
                    yield (
                        time_us * NS_PER_US,
                        _trade(dump.symbol, "aggTrade", time_us, price, quarter, buyer_is_maker),
                    )


def superfluous(dumps: Mapping[str, Dump], other_books: bool) -> dict[str, str]:
    """Files that say less than others beside them, with the reason. `other_books`: there are captures of streams too."""
    kinds: dict[str, set[str]] = {}
    for dump in dumps.values():
        kinds.setdefault(dump.symbol, set()).add(dump.kind)
    reasons = {}
    for name, dump in dumps.items():
        beside = kinds[dump.symbol] | kinds.get("", set())
        if dump.kind == "klines" and (other_books or beside & {"trades", "aggTrades", "bookTicker", *TARDIS_COLUMNS}):
            reasons[name] = "its bars say less than the trades or prices beside them"
        if dump.kind == "bookDepth" and (other_books or "incremental_book_L2" in beside):
            reasons[name] = "its bands say less than the book beside them"
    return reasons


def _time_of(text: str) -> int:
    """Milliseconds of a time written as a date, UTC, or as a number."""
    if text.isdigit():
        return _time_us(text) // US_PER_MS
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


def _tardis_trades(dump: Dump, rows: Iterable[Row]) -> Iterator[tuple[int, bytes]]:
    at = dump.columns
    for row in rows:
        time_us, symbol = int(row[at["timestamp"]]), row[at["symbol"]].upper()
        sold = row[at["side"]] == "sell"
        frame = _trade(symbol, "trade", time_us, row[at["price"]], row[at["amount"]], sold)
        yield int(row[at["local_timestamp"]]) * NS_PER_US, frame


def _tardis_tickers(dump: Dump, rows: Iterable[Row]) -> Iterator[tuple[int, bytes]]:
    at, opened = dump.columns, set[str]()
    for row in rows:
        time_us, symbol = int(row[at["timestamp"]]), row[at["symbol"]].upper()
        received_ns = int(row[at["local_timestamp"]]) * NS_PER_US
        bid, ask = (row[at["bid_price"]], row[at["bid_amount"]]), (row[at["ask_price"]], row[at["ask_amount"]])
        if not all((*bid, *ask)):
            continue
        if symbol not in opened:
            opened.add(symbol)
            yield received_ns, _book(symbol, time_us, time_us, [bid], [ask])
        yield received_ns, _ticker(symbol, time_us, time_us, bid, ask)


def _tardis_book(dump: Dump, rows: Iterable[Row]) -> Iterator[tuple[int, bytes]]:
    """Rows of one message share their times: they are put together again. Times serve as update ids, over all files alike."""
    at = dump.columns
    waiting: list[Row] = []
    key: tuple[str, ...] = ()
    last_ids: dict[str, int] = {}
    for row in [*rows_with_end(rows)]:
        row_key = (
            tuple(row[at[name]] for name in ("symbol", "timestamp", "local_timestamp", "is_snapshot")) if row else ()
        )
        if waiting and row_key != key:
            symbol, time_us, received_ns = key[0].upper(), int(key[1]), int(key[2]) * NS_PER_US
            sides = {
                side: [(each[at["price"]], each[at["amount"]]) for each in waiting if each[at["side"]] == side]
                for side in ("bid", "ask")
            }
            if key[3] == "true":
                yield received_ns, _book(symbol, time_us, time_us, sides["bid"], sides["ask"])
            else:
                previous = last_ids.get(symbol, time_us)
                yield received_ns, _diff(symbol, time_us, previous, sides["bid"], sides["ask"])
            last_ids[symbol] = time_us
            waiting = []
        key = row_key
        if row:
            waiting.append(row)


def rows_with_end(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, and an empty one that ends the last message."""
    yield from rows
    yield []


def _time_us(text: str) -> int:
    """Microseconds of a time in milliseconds or microseconds; the dumps changed from one to the other."""
    return int(text) if len(text) >= 16 else int(text) * US_PER_MS


def _trade(symbol: str, kind: str, time_us: int, price: str, quantity: str, buyer_is_maker: bool) -> bytes:
    time_ms = time_us // US_PER_MS
    data = {"e": kind, "E": time_ms, "T": time_ms, "s": symbol, "p": price, "q": quantity, "m": buyer_is_maker}
    return _frame(symbol, kind, data | ({"X": "MARKET"} if kind == "trade" else {}))


def _ticker(symbol: str, update_id: int, time_us: int, bid: tuple[str, str], ask: tuple[str, str]) -> bytes:
    time_ms = time_us // US_PER_MS
    data = {"e": "bookTicker", "u": update_id, "s": symbol, "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1]}
    return _frame(symbol, "bookTicker", data | {"T": time_ms, "E": time_ms})


def _diff(
    symbol: str, update_id: int, previous: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]
) -> bytes:
    time_ms = update_id // US_PER_MS
    data = {"e": "depthUpdate", "E": time_ms, "T": time_ms, "s": symbol, "U": update_id, "u": update_id, "pu": previous}
    return _frame(symbol, "depth@0ms", data | {"b": bids, "a": asks})


def _book(symbol: str, update_id: int, time_us: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> bytes:
    time_ms = time_us // US_PER_MS
    body = {"symbol": symbol, "lastUpdateId": update_id, "E": time_ms, "T": time_ms, "bids": bids, "asks": asks}
    return msgspec.json.encode(body)


def _frame(symbol: str, kind: str, data: dict[str, object]) -> bytes:
    return msgspec.json.encode({"stream": f"{symbol.lower()}@{kind}", "data": data})
