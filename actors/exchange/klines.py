"""Candles: minutes are kept, longer intervals are put together from them when they are asked for (facts sections 2.2 and 5.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

MINUTE_MS = 60_000
MINUTES_KEPT_MAX = 3_000
INTERVALS_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": 1_440 * MINUTE_MS,
    "3d": 3 * 1_440 * MINUTE_MS,
    "1w": 7 * 1_440 * MINUTE_MS,
    "1M": 30 * 1_440 * MINUTE_MS,
}
"""A month is thirty days here, and a week begins on a Thursday, as the count of days since 1970 has it."""

Price = TypeVar("Price", int, float)


@dataclass(slots=True)
class Candle(Generic[Price]):
    """One interval. Volumes are in lots and in ticks times lots; `taken` is what buyers took."""

    open_ms: int
    open: Price
    high: Price
    low: Price
    close: Price
    lots: int = 0
    quote: int = 0
    count: int = 0
    taken_lots: int = 0
    taken_quote: int = 0
    first_id: int = 0
    last_id: int = 0

    def add(self, other: Candle[Price]) -> None:
        """Take in the candle that follows within the same interval."""
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close = other.close
        self.lots += other.lots
        self.quote += other.quote
        self.count += other.count
        self.taken_lots += other.taken_lots
        self.taken_quote += other.taken_quote
        self.first_id = self.first_id or other.first_id
        self.last_id = other.last_id or self.last_id


class Candles(Generic[Price]):
    """The minutes of one series of prices."""

    def __init__(self) -> None:
        self._minutes: deque[Candle[Price]] = deque(maxlen=MINUTES_KEPT_MAX)

    def trade(self, now_ms: int, price: Price, lots: int, quote: int, trade_id: int, *, taken: bool) -> None:
        """A trade of `lots`; `taken` when a buyer took."""
        candle = self._minute(now_ms, price)
        candle.high, candle.low, candle.close = max(candle.high, price), min(candle.low, price), price
        candle.lots += lots
        candle.quote += quote
        candle.count += 1
        candle.first_id = candle.first_id or trade_id
        candle.last_id = trade_id
        if taken:
            candle.taken_lots += lots
            candle.taken_quote += quote

    def sample(self, now_ms: int, price: Price) -> None:
        """A price without a trade."""
        candle = self._minute(now_ms, price)
        candle.high, candle.low, candle.close = max(candle.high, price), min(candle.low, price), price
        candle.count += 1

    def rows(self, interval_ms: int) -> list[Candle[Price]]:
        """All candles of an interval, the oldest first, the last one still open."""
        return list(self._grouped(interval_ms))

    def since(self, start_ms: int) -> Candle[Price] | None:
        """All minutes from `start_ms` on as one candle."""
        found: Candle[Price] | None = None
        for minute in self._minutes:
            if minute.open_ms >= start_ms:
                if found is None:
                    found = _begun(minute, minute.open_ms)
                else:
                    found.add(minute)
        return found

    def last(self, interval_ms: int) -> Candle[Price] | None:
        """The candle that is open now."""
        if not self._minutes:
            return None
        start_ms = self._minutes[-1].open_ms // interval_ms * interval_ms
        found: Candle[Price] | None = None
        parts = []
        for minute in reversed(self._minutes):
            if minute.open_ms < start_ms:
                break
            parts.append(minute)
        for minute in reversed(parts):
            if found is None:
                found = _begun(minute, start_ms)
            else:
                found.add(minute)
        return found

    def _minute(self, now_ms: int, price: Price) -> Candle[Price]:
        start_ms = now_ms // MINUTE_MS * MINUTE_MS
        if not self._minutes or self._minutes[-1].open_ms < start_ms:
            self._minutes.append(Candle(start_ms, price, price, price, price))
        return self._minutes[-1]

    def _grouped(self, interval_ms: int) -> Iterator[Candle[Price]]:
        current: Candle[Price] | None = None
        for minute in self._minutes:
            start_ms = minute.open_ms // interval_ms * interval_ms
            if current is not None and current.open_ms == start_ms:
                current.add(minute)
                continue
            if current is not None:
                yield current
            current = _begun(minute, start_ms)
        if current is not None:
            yield current


def _begun(minute: Candle[Price], start_ms: int) -> Candle[Price]:
    return Candle(
        start_ms,
        minute.open,
        minute.high,
        minute.low,
        minute.close,
        minute.lots,
        minute.quote,
        minute.count,
        minute.taken_lots,
        minute.taken_quote,
        minute.first_id,
        minute.last_id,
    )
