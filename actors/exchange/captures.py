"""Recorded captures as text: what one line says. Recognised by content, never by name; nothing is opened here.

- collector: `<receive ns or us> <combined-stream frame>`; a body without `stream` is the REST depth snapshot of the file's symbol;
- cryptofeed: `<receive s>: <frame>`, and `<URL> -> <receive s>: <body>` for REST.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec

TextLevel = tuple[str, str]
NS_DIGITS_MIN = 18
US_DIGITS_MIN = 15
BANDS = "bookDepth"
"""No stream of the venue: what a dump of this name says, as a line."""

STAMP_BYTES_MAX = 21
"""A second with nine digits of its fraction and the colon; numbers of thousands of digits cannot even be read."""


class RecordedBook(NamedTuple):
    """A REST depth snapshot; `symbol` is empty where the line does not say it."""

    symbol: str
    update_id: int
    market_ms: int
    bids: list[TextLevel]
    asks: list[TextLevel]


class RecordedDepth(NamedTuple):
    """A depth diff; `previous_id` is the last id of the diff before it."""

    symbol: str
    event_ms: int
    market_ms: int
    first_id: int
    update_id: int
    bids: list[TextLevel]
    asks: list[TextLevel]
    previous_id: int


class RecordedTicker(NamedTuple):
    """Best prices."""

    symbol: str
    event_ms: int
    market_ms: int
    update_id: int
    bid: TextLevel
    ask: TextLevel


class RecordedPrint(NamedTuple):
    """A public trade; `aggregated` for aggTrade, which repeats what `trade` says where a capture has both."""

    symbol: str
    event_ms: int
    market_ms: int
    price: str
    quantity: str
    buyer_is_maker: bool
    aggregated: bool


class RecordedMark(NamedTuple):
    """Mark price and funding."""

    symbol: str
    event_ms: int
    mark_price: str
    index_price: str | None
    funding_rate: str | None
    next_funding_ms: int


class RecordedBands(NamedTuple):
    """How much stands within some percents of the mid: (percent, quantity), percents below zero for bids."""

    symbol: str
    market_ms: int
    bands: list[tuple[str, str]]


class Skipped(NamedTuple):
    """A sound line that this venue has no use for, by its reason."""

    reason: str


Recorded: TypeAlias = (
    RecordedBook | RecordedDepth | RecordedTicker | RecordedPrint | RecordedMark | RecordedBands | Skipped
)


class DamagedLineError(ValueError):
    """A line that cannot be read; the text says why."""


def receive_time(line: bytes) -> tuple[int, bytes, str] | None:
    """Split a line into receive time (ns), body and URL (empty for frames); None when it has no such form."""
    url = ""
    head, arrow, rest = line.partition(b" -> ")
    if arrow and head.startswith(b"http"):
        url, line = head.decode("ascii", "replace"), rest
    stamp, space, body = line.partition(b" ")
    if not space or len(stamp) > STAMP_BYTES_MAX:
        return None
    if stamp.endswith(b":"):
        whole, _, part = stamp[:-1].partition(b".")
        if not whole.isdigit() or (part and not part.isdigit()):
            return None
        return int(whole) * 1_000_000_000 + int(part[:9].ljust(9, b"0")), body, url
    if not stamp.isdigit() or len(stamp) < US_DIGITS_MIN:
        return None
    return (int(stamp) if len(stamp) >= NS_DIGITS_MIN else int(stamp) * 1_000), body, url


def read_body(body: bytes, url: str) -> Recorded:
    """Read what a line carries.

    Raises:
        DamagedLineError: it is no JSON, or a field is missing or has the wrong type.
    """
    try:
        if url:
            return _rest(body, url)
        outer = _OUTER.decode(body)
        if outer.stream is None:
            snapshot = _SNAPSHOT.decode(body)
            return _book(snapshot.symbol, snapshot)
        return _frame(outer.stream, bytes(outer.data))
    except msgspec.DecodeError as error:
        raise DamagedLineError(str(error)) from None
    except UnicodeDecodeError as error:
        raise DamagedLineError(f"not UTF-8: {error.reason}") from None


def _rest(body: bytes, url: str) -> Recorded:
    parts = urlsplit(url)
    if not parts.path.endswith("/fapi/v1/depth"):
        return Skipped(f"REST {parts.path}")
    symbol = parse_qs(parts.query).get("symbol", [""])[0].upper()
    return _book(symbol, _SNAPSHOT.decode(body))


def _frame(stream: str, data: bytes) -> Recorded:
    symbol, _, kind = stream.partition("@")
    symbol = symbol.upper()
    if kind.startswith("depth"):
        depth = _DEPTH.decode(data)
        if depth.pu is None:
            return Skipped(f"{symbol} spot")
        return RecordedDepth(symbol, depth.E, depth.T, depth.U, depth.u, depth.b, depth.a, depth.pu)
    if kind == "bookTicker":
        ticker = _TICKER.decode(data)
        if not ticker.e:
            return Skipped(f"{symbol} spot")
        return RecordedTicker(symbol, ticker.E, ticker.T, ticker.u, (ticker.b, ticker.B), (ticker.a, ticker.A))
    if kind in ("trade", "aggTrade"):
        trade = _TRADE.decode(data)
        if kind == "trade" and trade.X is None:
            return Skipped(f"{symbol} spot")
        if kind == "trade" and trade.X != "MARKET":
            return Skipped(f"{symbol} trade of kind {trade.X}")
        return RecordedPrint(symbol, trade.E, trade.T, trade.p, trade.q, trade.m, kind == "aggTrade")
    if kind == BANDS:
        bands = _BANDS.decode(data)
        return RecordedBands(symbol, bands.T, bands.bands)
    if kind.startswith("markPrice"):
        mark = _MARK.decode(data)
        return RecordedMark(symbol, mark.E, mark.p, mark.i, mark.r or None, mark.T)
    return Skipped(f"stream {kind or stream}")


def _book(symbol: str, snapshot: _Snapshot) -> RecordedBook:
    return RecordedBook(symbol, snapshot.lastUpdateId, snapshot.T, snapshot.bids, snapshot.asks)


class _Outer(msgspec.Struct):
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Snapshot(msgspec.Struct):
    lastUpdateId: int  # noqa: N815
    bids: list[TextLevel]
    asks: list[TextLevel]
    T: int = 0
    symbol: str = ""


class _Depth(msgspec.Struct):
    E: int
    U: int
    u: int
    b: list[TextLevel]
    a: list[TextLevel]
    T: int = 0
    pu: int | None = None


class _Ticker(msgspec.Struct):
    u: int
    b: str
    B: str
    a: str
    A: str
    e: str = ""
    E: int = 0
    T: int = 0


class _Trade(msgspec.Struct):
    E: int
    T: int
    p: str
    q: str
    m: bool
    X: str | None = None


class _Mark(msgspec.Struct):
    E: int
    p: str
    T: int
    i: str | None = None
    r: str | None = None


class _Bands(msgspec.Struct):
    T: int
    bands: list[tuple[str, str]]


_OUTER = msgspec.json.Decoder(_Outer)
_SNAPSHOT = msgspec.json.Decoder(_Snapshot)
_DEPTH = msgspec.json.Decoder(_Depth)
_TICKER = msgspec.json.Decoder(_Ticker)
_TRADE = msgspec.json.Decoder(_Trade)
_MARK = msgspec.json.Decoder(_Mark)
_BANDS = msgspec.json.Decoder(_Bands)
