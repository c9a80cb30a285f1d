"""The same orders on the same capture in hftbacktest: `python hftbacktest_round.py ORDERS.json TICK LOT LATENCY_NS FILE...`.

ORDERS.json: [[number, +1 or -1, price ticks, lots, sent, canceled], ...], times in ns of the capture's own receive clock.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from hftbacktest import FILLED, GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest
from hftbacktest.data.utils import binancefutures
from numba import njit

FILLED_STATUS = FILLED


@njit
def play(hbt: Any, orders: Any, tick: float, lot: float, filled: Any) -> None:
    """Send each order at its time, cancel it at its other time, note when it was filled (exchange time)."""
    hbt.elapse(1)
    count = len(orders)
    placed, first = 0, 0
    canceled = np.zeros(count, np.bool_)
    while placed < count or first < count:
        now = hbt.current_timestamp
        due = orders[placed, 4] if placed < count else np.int64(1) << 62
        for index in range(first, placed):
            if not canceled[index]:
                due = min(due, orders[index, 5])
        if due == np.int64(1) << 62:
            break
        if due > now and hbt.elapse(due - now) != 0:
            break
        while placed < count and orders[placed, 4] <= hbt.current_timestamp:
            number, side, ticks, lots = orders[placed, 0], orders[placed, 1], orders[placed, 2], orders[placed, 3]
            if side > 0:
                hbt.submit_buy_order(0, number, ticks * tick, lots * lot, GTX, LIMIT, False)
            else:
                hbt.submit_sell_order(0, number, ticks * tick, lots * lot, GTX, LIMIT, False)
            placed += 1
        for index in range(first, placed):
            if not canceled[index] and orders[index, 5] <= hbt.current_timestamp:
                canceled[index] = True
                order = hbt.orders(0).get(orders[index, 0])
                if order is not None and order.cancellable:
                    hbt.cancel(0, orders[index, 0], False)
        while first < placed and canceled[first]:
            first += 1
    hbt.elapse(1_000_000_000)
    for index in range(count):
        order = hbt.orders(0).get(orders[index, 0])
        if order is not None and order.status == FILLED_STATUS:
            filled[index] = order.exch_timestamp


def main(orders_file: str, tick: str, lot: str, latency_ns: str, *files: str) -> None:
    orders = np.array(json.loads(Path(orders_file).read_text(encoding="utf-8")), np.int64)
    data = np.concatenate([binancefutures.convert(file, opt="") for file in files])
    with gzip.open(files[0]) as lines:
        shift_ns = int(data["local_ts"].min()) - int(lines.readline().split(b" ", 1)[0])
    orders[:, 4:] += shift_ns
    asset = (
        BacktestAsset()
        .data([data])
        .linear_asset(1.0)
        .constant_order_latency(int(latency_ns), 0)
        .risk_adverse_queue_model()
        .partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(float(tick))
        .lot_size(float(lot))
    )
    hbt = HashMapMarketDepthBacktest([asset])
    filled = np.zeros(len(orders), np.int64)
    play(hbt, orders, float(tick), float(lot), filled)
    print("RESULT " + json.dumps({"filled_ns": [int(at) - shift_ns if at else 0 for at in filled]}))


main(*sys.argv[1:])
