"""Lines of a small capture as a collector writes them, and one whole capture of a symbol."""

from __future__ import annotations

from typing import Any

import msgspec
from venue_rig import MS

RECEIVED = 1_721_347_020_000_000_000
EVENT_MS = RECEIVED // MS + 1_500


def price(ticks: int) -> str:
    """A price of BTCUSDT as the venue writes it."""
    return f"{ticks // 10}.{ticks % 10}0"


def stamped(at_ms: int, body: Any) -> bytes:
    """A line with its receive time, `at_ms` after the first."""
    return str(RECEIVED + at_ms * MS).encode() + b" " + msgspec.json.encode(body) + b"\n"


def frame(stream: str, at_ms: int, **data: Any) -> bytes:
    times = {"E": EVENT_MS + at_ms, "T": EVENT_MS + at_ms, "s": "BTCUSDT"}
    return stamped(at_ms, {"stream": stream, "data": times | data})


def streamed(at_ms: int, kind: str, **data: Any) -> bytes:
    """A frame of one stream of BTCUSDT."""
    return frame(f"btcusdt@{kind}", at_ms, **data)


def diff(at_ms: int, first: int, last: int, previous: int, **sides: Any) -> bytes:
    changes = {"b": [], "a": []} | sides
    return frame("btcusdt@depth@0ms", at_ms, e="depthUpdate", U=first, u=last, pu=previous, **changes)


def ticker(at_ms: int, update_id: int, bid: str, ask: str) -> bytes:
    return frame("btcusdt@bookTicker", at_ms, e="bookTicker", u=update_id, b=bid, B="1.000", a=ask, A="2.000")


def trade(at_ms: int, price: str) -> bytes:
    return frame("btcusdt@trade", at_ms, e="trade", t=1, p=price, q="0.005", X="MARKET", m=True)


def snapshot(at_ms: int, last: int) -> bytes:
    book = {
        "lastUpdateId": last,
        "E": 1,
        "T": EVENT_MS,
        "bids": [["64000.00", "1.000"]],
        "asks": [["64000.10", "2.000"]],
    }
    return stamped(at_ms, book)


CAPTURE = [
    diff(0, 1, 5, 0, b=[["63990.00", "9.000"]]),
    diff(50, 6, 10, 5, b=[["63999.90", "3.000"]]),
    snapshot(60, 8),
    trade(100, "64000.00"),
    ticker(150, 12, "64000.00", "64000.10"),
    diff(200, 11, 15, 10, a=[["64000.20", "4.000"]]),
]
