"""How fast NautilusTrader's backtest engine goes through a capture: `python nautilus_replay.py FILE...`. Reading is not timed."""

from __future__ import annotations

import gzip
import itertools
import json
import sys
import time
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, QuoteTick, TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, BookAction, BookType, OmsType, OrderSide
from nautilus_trader.model.identifiers import TradeId, Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider

VENUE = Venue("BINANCE")
INSTRUMENTS = {
    "btcusdt": TestInstrumentProvider.btcusdt_perp_binance,
    "ethusdt": TestInstrumentProvider.ethusdt_perp_binance,
}


def deltas(instrument: Any, bids: list[Any], asks: list[Any], at_ns: int, sequence: int, *, whole: bool) -> Any:
    rows = [OrderBookDelta.clear(instrument.id, sequence, at_ns, at_ns)] if whole else []
    for side, levels in ((OrderSide.BUY, bids), (OrderSide.SELL, asks)):
        for price, quantity in levels:
            action = BookAction.UPDATE if Decimal(quantity) else BookAction.DELETE
            size = Quantity(Decimal(quantity), instrument.size_precision)
            order = BookOrder(side, Price(Decimal(price), instrument.price_precision), size, 0)
            rows.append(OrderBookDelta(instrument.id, action, order, 0, sequence, at_ns, at_ns))
    return OrderBookDeltas(instrument.id, rows) if rows else None


def read(file: str) -> tuple[Any, list[Any]]:
    """The instrument of a file, and its records."""
    instrument: Any = None
    found: list[Any] = []
    with gzip.open(file) as lines:
        for line in lines:
            received, frame = line.split(b" ", 1)
            at_ns, body = int(received), json.loads(frame)
            if "stream" not in body:
                if instrument is not None:
                    found.append(deltas(instrument, body["bids"], body["asks"], at_ns, 0, whole=True))
                continue
            symbol, _, kind = body["stream"].partition("@")
            instrument = instrument or INSTRUMENTS[symbol]()
            price, quantity = instrument.price_precision, instrument.size_precision
            data = body["data"]
            if kind == "bookTicker":
                bid, ask = Price(Decimal(data["b"]), price), Price(Decimal(data["a"]), price)
                sizes = Quantity(Decimal(data["B"]), quantity), Quantity(Decimal(data["A"]), quantity)
                found.append(QuoteTick(instrument.id, bid, ask, *sizes, at_ns, at_ns))
            elif kind == "trade" and data["X"] == "MARKET":
                side = AggressorSide.SELLER if data["m"] else AggressorSide.BUYER
                at, size = Price(Decimal(data["p"]), price), Quantity(Decimal(data["q"]), quantity)
                found.append(TradeTick(instrument.id, at, size, side, TradeId(str(data["t"])), at_ns, at_ns))
            elif kind.startswith("depth"):
                found.append(deltas(instrument, data["b"], data["a"], at_ns, data["u"], whole=False))
    return instrument, [each for each in found if each is not None]


def main(*files: str) -> None:
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, [Money(1_000_000, USDT)], book_type=BookType.L2_MBP)
    records: dict[Any, list[Any]] = {}
    for file in files:
        instrument, found = read(file)
        if instrument.id not in records:
            engine.add_instrument(instrument)
        records.setdefault(instrument.id, []).extend(found)
    total = sum(map(len, records.values()))
    merged = sorted(itertools.chain(*records.values()), key=lambda record: record.ts_init)
    engine.add_data(merged, validate=False, sort=False)
    begun = time.process_time()
    engine.run()
    took = time.process_time() - begun
    print("RESULT " + json.dumps({"ticks": total, "ticks_per_second": total / took}))


main(*sys.argv[1:])
