"""What one order costs before it leaves: the gate's check, and the journal's append."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from actors.order_manager.gate import Limits, check_order
from actors.order_manager.orders import Order, OrderState
from actors.order_manager.shard import Shard
from actors.order_manager.symbol import scaled_notional
from actors.runtime.journal import Journal
from configs.schema import Settings
from ops.simulation.house import House
from protocols.messages.journal import OrderIntended
from protocols.messages.market import BookTop
from protocols.messages.risk import SymbolLimits, TradingState
from protocols.values import Side, TimeInForce, make_instrument_id

REPEATS = 20_000
PACE_EVERY = 500
"""After so many appends the bench pauses, so that the journal's own thread syncs between them as it does live."""
PACE_S = 0.01


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Time of one call in microseconds."""

    p50_us: float
    p99_us: float
    calls: int


def cost_of(call: Callable[[int], object], repeats: int = REPEATS, after: Callable[[], object] = lambda: None) -> Cost:
    """Time `call(number)` again and again; what `after` does between them is not timed."""
    taken_us = []
    clock = time.perf_counter_ns
    for number in range(repeats):
        began = clock()
        call(number)
        taken_us.append((clock() - began) / 1_000)
        after()
        if number % PACE_EVERY == 0:
            time.sleep(PACE_S)
    cuts = statistics.quantiles(taken_us, n=100, method="inclusive")
    return Cost(p50_us=cuts[49], p99_us=cuts[98], calls=repeats)


def measure_gate(settings: Settings, live_orders: int = 20) -> Cost:
    """Why-not of the symbol and all checks of one order, its exposure summed anew over `live_orders` resting ones.

    Args:
        settings: any with BTCUSDC among its symbols.
    """
    spec = next(spec for spec in House(settings, seed=1).specs.values() if spec.role == "order_manager")
    shard = Shard(spec, settings)
    symbol = next(symbol for symbol in shard.symbols.values() if symbol.name == "BTCUSDC")
    instrument_id = symbol.instrument_id
    top = BookTop(
        instrument_id=instrument_id,
        instrument_version=1,
        update_id=7,
        venue_time_ns=1,
        received_ns=1,
        bids=((640_000, 100),),
        asks=((640_001, 100),),
    )
    symbol.take_top(top)
    symbol.buy_ticks_max, symbol.sell_ticks_min = 670_000, 610_000
    for number in range(live_orders):
        side = Side.BUY if number % 2 else Side.SELL
        order = Order(
            client_order_id=f"{symbol.prefix}{number}",
            epoch=1,
            side=side,
            price_ticks=640_000 - side.sign * (10 + number),
            lots=5,
            time_in_force=TimeInForce.POST_ONLY,
            reduce_only=False,
            created_ns=1,
            deadline_venue_ns=1,
        )
        order.state = OrderState.NEW
        symbol.table.add(order)
    told = SymbolLimits(
        instrument_id=instrument_id,
        state=TradingState.ACTIVE,
        position_lots_max=10_000,
        order_lots_max=1_000,
        open_orders_max=100,
        notional_max=Decimal(10_000_000),
    )
    limits = Limits(told, TradingState.ACTIVE)
    shard.notional_share = scaled_notional(Decimal(100_000_000))

    def one_order(number: int) -> None:
        symbol.table.touch()
        shard.gate.reasons(symbol, True, number)
        shard.refresh_notional(symbol)
        denied = check_order(symbol, limits, Side.BUY, 639_900 - number % 50, 5, False, shard.notional_room(symbol))
        assert denied is None, denied

    return cost_of(one_order)


def measure_journal() -> Cost:
    """Append of one intent to a journal on the disk of the temporary folder, as before a send: it enters the database after it."""
    record = OrderIntended(
        instrument_id=make_instrument_id("binance_usdm", "main", "BTCUSDC"),
        instrument_version=1,
        client_order_id="rm1-3f-000-8k2",
        side=Side.BUY,
        price=Decimal("64000.1"),
        quantity=Decimal("0.010"),
        price_ticks=640_001,
        quantity_lots=10,
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        venue_time_ns=1_790_000_000_000_000_000,
        deadline_venue_ns=1_790_000_003_000_000_000,
        decided_ns=1,
        book_update_id=11_753_110_753_006,
        book_age_ns=1_000_000,
        book_age_ns_max=500_000_000,
        best_bid_ticks=640_001,
        best_ask_ticks=640_002,
        worst_case_lots=30,
        limit_lots=150,
        lease_nonce=77,
    )
    with tempfile.TemporaryDirectory(prefix="raymaker-bench-") as folder:
        journal = Journal(Path(folder) / "shard-0.sqlite", keeps_ahead=True)
        try:
            return cost_of(lambda number: journal.append_ahead((record,)), after=journal.settle)
        finally:
            journal.close()
