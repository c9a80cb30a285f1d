"""The same orders on the same capture in hftbacktest, with the same latency and a queue that only prints shorten: the same fills."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from other_clients import run_client
from shared_data import shared_path
from venue_makers import generous
from venue_rig import ACCOUNT, KEY, MS, SECRET, START_NS

from actors.exchange.api import DirectRequest
from actors.exchange.authentication import hmac_credential
from actors.exchange.exchange import Exchange
from actors.exchange.frames import DepthFrame, Frame, PrintFrame, TickerFrame
from actors.exchange.ledger import OrderFilled
from actors.exchange.sources import CaptureSource, open_source

pytestmark = pytest.mark.timeout(600)
SECOND_NS = 1_000_000_000
LATENCY_MS = 2
EVERY_NS, RESTS_NS = SECOND_NS // 2, 8 * SECOND_NS
DISAGREE_SHARE_MAX = 0.025
APART_NS_MAX = 10 * MS
"""What they may differ by. Ours sees a frame when it was received and follows the best-price stream as well, whose updates come before the
diffs; hftbacktest sees diffs and prints when they happened. An order that misses a print by this waits for the next one."""


class Plan(NamedTuple):
    """An order of the test; times are those of the capture's receive clock."""

    number: int
    side: int
    price_ticks: int
    lots: int
    sent_ns: int
    canceled_ns: int


def planned(file: Path, tick: float, lots: int) -> list[Plan]:
    """An order at each touch every half second, canceled after eight."""
    orders: list[Plan] = []
    next_ns = 0
    with gzip.open(file) as lines:
        for line in lines:
            if b"bookTicker" not in line[:80]:
                continue
            received, frame = line.split(b" ", 1)
            now_ns = int(received)
            next_ns = next_ns or now_ns + 2 * SECOND_NS
            if now_ns < next_ns:
                continue
            next_ns = now_ns + EVERY_NS
            best = json.loads(frame)["data"]
            for side, price in ((1, best["b"]), (-1, best["a"])):
                ticks = round(float(price) / tick)
                orders.append(Plan(len(orders) + 1, side, ticks, lots, now_ns, now_ns + RESTS_NS))
    return orders


def as_hftbacktest_sees(frames: list[Frame], start_ns: int) -> list[Frame]:
    """Diffs and prints without the best-price stream, at the market's own times; the least delay of a frame counts as none."""
    seen = [frame for frame in frames if isinstance(frame, DepthFrame | PrintFrame)]
    apart_ns = min(frame.at_ns - frame.market_ns for frame in seen)
    retimed = [frame._replace(at_ns=max(start_ns, frame.market_ns + apart_ns)) for frame in seen]
    others = [frame for frame in frames if not isinstance(frame, DepthFrame | PrintFrame | TickerFrame)]
    return sorted([*others, *retimed], key=lambda frame: frame.at_ns)


def filled_here(file: Path, symbol: str, orders: list[Plan], *, same_sight: bool = False) -> list[int]:
    """When each order was filled in full at our venue (0: never), after it was sent."""
    settings = generous(source=str(file), loop=False, order_latency_ms=LATENCY_MS, open_orders_max=1_000)
    source = open_source(settings)
    assert isinstance(source, CaptureSource)
    exchange = Exchange(settings, source.contracts, [hmac_credential(KEY, SECRET, ACCOUNT)], START_NS)
    (contract,) = source.contracts
    for frame in source.opening(START_NS):
        exchange.apply(frame)
    frames = list(source.frames(START_NS))
    if same_sight:
        frames = as_hftbacktest_sees(frames, START_NS)
    at_ns = source._replay.at_ns
    acts = sorted(
        [(at_ns(order.sent_ns), "POST", order) for order in orders]
        + [(at_ns(order.canceled_ns), "DELETE", order) for order in orders],
        reverse=True,
    )
    executed: dict[str, list[tuple[int, int]]] = {}
    for frame in frames:
        while acts and acts[-1][0] <= frame.at_ns:
            now_ns, method, order = acts.pop()
            params = {"symbol": symbol, "timestamp": str(now_ns // MS), "origClientOrderId": f"o{order.number}"}
            if method == "POST":
                params |= {
                    "side": "BUY" if order.side > 0 else "SELL",
                    "type": "LIMIT",
                    "timeInForce": "GTX",
                    "price": str(contract.price(order.price_ticks)),
                    "quantity": str(contract.quantity(order.lots)),
                    "newClientOrderId": f"o{order.number}",
                }
            exchange.receive_rest(DirectRequest(method, "/fapi/v1/order", params, KEY, "127.0.0.1"), now_ns)
        exchange.apply(frame)
        for record in exchange.drain().records:
            if isinstance(record, OrderFilled):
                lots = int(record.quantity / contract.lot_size)
                executed.setdefault(record.client_order_id, []).append((record.t, lots))
    times = []
    for order in orders:
        fills = executed.get(f"o{order.number}", [])
        whole = sum(lots for _, lots in fills) == order.lots
        times.append(fills[-1][0] - at_ns(order.sent_ns) if whole else 0)
    return times


@pytest.mark.parametrize(
    ("symbol", "tick", "lots"), [("BTCUSDT", "0.1", 5), ("ETHUSDT", "0.01", 50)], ids=["BTCUSDT", "ETHUSDT"]
)
async def test_hftbacktest_fills_the_same_orders_at_the_same_times(
    tmp_path: Path, symbol: str, tick: str, lots: int
) -> None:
    file = shared_path(f"data/usdm-btc-eth-20240718/usdm_{symbol.lower()}_20240718.gz")
    orders = planned(file, float(tick), lots)
    plan = tmp_path / "orders.json"
    plan.write_text(json.dumps(orders))
    theirs_run = asyncio.ensure_future(
        run_client("hftbacktest_round.py", str(plan), tick, "0.001", str(LATENCY_MS * MS), str(file))
    )
    ours = await asyncio.to_thread(filled_here, file, symbol, orders)
    with_their_sight = await asyncio.to_thread(filled_here, file, symbol, orders, same_sight=True)
    filled_ns = (await theirs_run)["filled_ns"]
    theirs = [at_ns - order.sent_ns if at_ns else 0 for at_ns, order in zip(filled_ns, orders, strict=True)]
    disagree, apart = differences(ours, theirs)
    assert disagree <= DISAGREE_SHARE_MAX * len(orders), f"{disagree} of {len(orders)} orders"
    assert apart[len(apart) * 3 // 4] <= APART_NS_MAX, f"three quarters within {apart[len(apart) * 3 // 4] / MS} ms"
    _, apart = differences(with_their_sight, theirs)
    assert apart[len(apart) * 3 // 4] == 0
    differing = [
        order for order, here, there in zip(orders, with_their_sight, theirs, strict=True) if bool(here) != bool(there)
    ]
    assert len(differing) <= 1
    for order in differing:
        # Here a print is shared by our orders at its price, the older one first; there each takes it whole.
        alone = await asyncio.to_thread(filled_here, file, symbol, [order], same_sight=True)
        assert alone == [theirs[order.number - 1]]


def differences(ours: list[int], theirs: list[int]) -> tuple[int, list[int]]:
    """How many orders only one of them filled, and how far apart the others were filled, in order (ns)."""
    pairs = list(zip(ours, theirs, strict=True))
    apart = sorted(abs(here - there) for here, there in pairs if here and there)
    assert len(apart) > 20
    return sum(bool(here) != bool(there) for here, there in pairs), apart
