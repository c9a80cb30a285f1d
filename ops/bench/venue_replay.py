"""The venue in the deterministic world: how fast it goes through a capture, and whether its memory stands still over a looped hour.

No socket, no clock: frames and requests are applied as fast as they come. Beside it, where the tests' other clients are installed,
NautilusTrader's backtest engine on the same capture; both have their records in memory before the time begins.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import psutil

from actors.exchange.api import DirectRequest
from actors.exchange.exchange import Exchange
from actors.exchange.frames import SeamFrame
from actors.exchange.server import DEMO_KEY, demo_credentials
from actors.exchange.sources import open_source
from configs.schema import ExchangeSettings

ROOT = Path(__file__).resolve().parents[2]
NAUTILUS = (ROOT / ".clients/bin/python", ROOT / "tests/exchange/clients/nautilus_replay.py")
START_NS = 1_800_000_000_000_000_000
HOUR_NS = 3_600_000_000_000
ORDER_NS = 50_000_000
FILLING_HOURS_MAX = 8.0
"""The account's trades and income are full long before; the measured hours begin when they are."""

ANY_NUMBER = 10_000_000


class ReplayRate(msgspec.Struct, frozen=True, kw_only=True):
    """Ticks a second of processor time; `nautilus` is None where it is not installed."""

    ticks: int
    ticks_per_second: float
    nautilus_ticks_per_second: float | None


class MemorySlope(msgspec.Struct, frozen=True, kw_only=True):
    """Resident memory at the seams of the loop once everything bounded is full, and its slope by least squares."""

    hours: float
    filling_hours: float
    frames: int
    orders: int
    memory_mb: list[float]
    slope_mb_per_hour: float


def measure_replay(capture: Path) -> ReplayRate:
    """One pass of the capture through the venue, and through NautilusTrader."""
    settings = _settings(capture, loop=False)
    source = open_source(settings)
    frames = [*source.opening(START_NS), *source.frames(START_NS)]
    exchange = Exchange(settings, source.contracts, demo_credentials(), START_NS)
    gc.collect()
    begun = time.process_time()
    for frame in frames:
        exchange.apply(frame)
        exchange.drain()
    took = time.process_time() - begun
    return ReplayRate(
        ticks=len(frames), ticks_per_second=len(frames) / took, nautilus_ticks_per_second=_nautilus(capture)
    )


def measure_memory(capture: Path, hours: float = 1.0) -> MemorySlope:
    """Loop the capture, with twenty orders a second placed at the best bid and canceled; look at the memory for `hours` of its time.

    Raises:
        RuntimeError: the account's histories are not full after `FILLING_HOURS_MAX`, so that a slope would say nothing.
    """
    settings = _settings(capture, loop=True)
    source = open_source(settings)
    exchange = Exchange(settings, source.contracts, demo_credentials(), START_NS)
    market = exchange.venue.markets[source.contracts[0].symbol]
    account = exchange.venue.account(demo_credentials()[0].account)
    symbol, process = market.contract.symbol, psutil.Process()
    for frame in source.opening(START_NS):
        exchange.apply(frame)
    frames = orders = 0
    order_ns, full_ns, end_ns = START_NS, 0, START_NS + int(FILLING_HOURS_MAX * HOUR_NS)
    memory: list[tuple[float, float]] = []
    for frame in source.frames(START_NS):
        if frame.at_ns > end_ns:
            break
        exchange.apply(frame)
        frames += 1
        bid = market.book.bids.best()
        if frame.at_ns >= order_ns and bid is not None:
            order_ns = frame.at_ns + ORDER_NS
            place = {"type": "LIMIT", "timeInForce": "GTX", "side": "BUY", "quantity": "0.002"}
            price = market.numbers.price_text(bid)
            _ask(exchange, frame.at_ns, "POST", symbol, place | {"price": price, "newClientOrderId": f"m{orders}"})
            _ask(exchange, frame.at_ns, "DELETE", symbol, {"origClientOrderId": f"m{max(0, orders - 20)}"})
            orders += 1
        exchange.drain()
        if isinstance(frame, SeamFrame):
            gc.collect()
            if not full_ns and _are_full(account.trades, account.income):
                full_ns, end_ns = frame.at_ns, frame.at_ns + int(hours * HOUR_NS)
            if full_ns:
                memory.append(((frame.at_ns - full_ns) / HOUR_NS, process.memory_info().rss / 1e6))
    if not full_ns:
        raise RuntimeError(f"the histories of the account are not full after {FILLING_HOURS_MAX:g} hours")
    slope = statistics.linear_regression([at for at, _ in memory], [held for _, held in memory]).slope
    return MemorySlope(
        hours=hours,
        filling_hours=(full_ns - START_NS) / HOUR_NS,
        frames=frames,
        orders=orders,
        memory_mb=[held for _, held in memory],
        slope_mb_per_hour=slope,
    )


def _are_full(*histories: deque[Any]) -> bool:
    return all(len(history) == history.maxlen for history in histories)


def _ask(exchange: Exchange, now_ns: int, method: str, symbol: str, params: dict[str, str]) -> None:
    stamped = {"symbol": symbol, "timestamp": str(now_ns // 1_000_000)}
    exchange.receive_rest(DirectRequest(method, "/fapi/v1/order", stamped | params, DEMO_KEY, "127.0.0.1"), now_ns)


def _settings(capture: Path, *, loop: bool) -> ExchangeSettings:
    wide: dict[str, Any] = {
        "weight_per_minute": ANY_NUMBER,
        "orders_per_10s": ANY_NUMBER,
        "orders_per_minute": ANY_NUMBER,
        "balances": {"USDT": "1000000000"},
        "symbols": (),
    }
    return ExchangeSettings.model_validate(wide | {"source": str(capture), "loop": loop})


def _nautilus(capture: Path) -> float | None:
    if not NAUTILUS[0].exists():
        return None
    files = [str(file) for file in sorted(capture.glob("*.gz"))]
    done = subprocess.run([*map(str, NAUTILUS), *files], capture_output=True, text=True, timeout=300, check=False)
    result = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not result:
        raise RuntimeError(f"the replay of NautilusTrader failed: {done.stderr[-1_000:]}")
    found: float = json.loads(result[-1].removeprefix("RESULT "))["ticks_per_second"]
    return found


if __name__ == "__main__":
    recorded = (Path(os.environ.get("RAYMAKER_SHARED", "../shared")) / "data/usdm-btc-eth-20240718").resolve()
    for measured in (measure_replay(recorded), measure_memory(recorded)):
        print(json.dumps(msgspec.to_builtins(measured), indent=2))
