"""JSON shapes of candles and of the day's statistics, on REST and on streams (facts sections 2.2 and 5.2)."""

from __future__ import annotations

from typing import Any

from actors.exchange.contracts import Contract, WireNumbers
from actors.exchange.klines import INTERVALS_MS, Candle
from actors.exchange.user_stream import plain

DAY_MS = 86_400_000


def kline_row(candle: Candle[int], contract: Contract, numbers: WireNumbers, interval_ms: int) -> list[Any]:
    """A row of klines."""
    return [
        candle.open_ms,
        *(numbers.price_text(ticks) for ticks in (candle.open, candle.high, candle.low, candle.close)),
        numbers.quantity_text(candle.lots),
        candle.open_ms + interval_ms - 1,
        _quote(candle.quote, contract),
        candle.count,
        numbers.quantity_text(candle.taken_lots),
        _quote(candle.taken_quote, contract),
        "0",
    ]


def price_row(candle: Candle[float], interval_ms: int) -> list[Any]:
    """A row of mark, index or premium klines: prices and the number of samples, no volumes."""
    prices = [f"{price:.8f}" for price in (candle.open, candle.high, candle.low, candle.close)]
    return [candle.open_ms, *prices, "0", candle.open_ms + interval_ms - 1, "0", candle.count, "0", "0", "0"]


def candle_event(candle: Candle[int], contract: Contract, numbers: WireNumbers, interval: str) -> dict[str, Any]:
    """The `k` of a kline event of an open candle."""
    return {
        "t": candle.open_ms,
        "T": candle.open_ms + INTERVALS_MS[interval] - 1,
        "i": interval,
        "f": candle.first_id,
        "L": candle.last_id,
        "o": numbers.price_text(candle.open),
        "c": numbers.price_text(candle.close),
        "h": numbers.price_text(candle.high),
        "l": numbers.price_text(candle.low),
        "v": numbers.quantity_text(candle.lots),
        "n": candle.count,
        "x": False,
        "q": _quote(candle.quote, contract),
        "V": numbers.quantity_text(candle.taken_lots),
        "Q": _quote(candle.taken_quote, contract),
        "B": "0",
    }


def day_statistics(candle: Candle[int], contract: Contract, numbers: WireNumbers) -> dict[str, Any]:
    """What REST and streams say of a day, by REST's names."""
    change = candle.close - candle.open
    average = contract.tick_size * candle.quote / candle.lots if candle.lots else contract.price(candle.close)
    return {
        "priceChange": plain(contract.price(change)),
        "priceChangePercent": f"{100 * change / candle.open if candle.open else 0:.3f}",
        "weightedAvgPrice": plain(average.quantize(contract.tick_size)),
        "lastPrice": numbers.price_text(candle.close),
        "openPrice": numbers.price_text(candle.open),
        "highPrice": numbers.price_text(candle.high),
        "lowPrice": numbers.price_text(candle.low),
        "volume": numbers.quantity_text(candle.lots),
        "quoteVolume": _quote(candle.quote, contract),
        "firstId": candle.first_id,
        "lastId": candle.last_id,
        "count": candle.count,
    }


def day_event(candle: Candle[int], contract: Contract, numbers: WireNumbers, now_ms: int) -> dict[str, Any]:
    """`@ticker`."""
    day = day_statistics(candle, contract, numbers)
    return {
        "e": "24hrTicker",
        "E": now_ms,
        "s": contract.symbol,
        "ps": contract.symbol,
        "p": day["priceChange"],
        "P": day["priceChangePercent"],
        "w": day["weightedAvgPrice"],
        "c": day["lastPrice"],
        "Q": numbers.quantity_text(1 if candle.lots else 0),
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
        "O": now_ms - DAY_MS,
        "C": now_ms,
        "F": candle.first_id,
        "L": candle.last_id,
        "n": candle.count,
        "st": 1,
    }


def mini_day_event(candle: Candle[int], contract: Contract, numbers: WireNumbers, now_ms: int) -> dict[str, Any]:
    """`@miniTicker`."""
    day = day_event(candle, contract, numbers, now_ms)
    return {"e": "24hrMiniTicker"} | {name: day[name] for name in ("E", "s", "ps", "c", "o", "h", "l", "v", "q", "st")}


def _quote(ticks_lots: int, contract: Contract) -> str:
    return plain(contract.tick_size * contract.lot_size * ticks_lots)
