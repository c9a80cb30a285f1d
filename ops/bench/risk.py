"""What the risk monitor costs: all indicators after one market message, many symbols, and growth with the length of a run."""

from __future__ import annotations

import statistics
import time
from decimal import Decimal

import msgspec

from actors.risk_monitor.core import RiskMonitorCore
from configs.schema import Settings
from ops.bench.order_path import Cost
from protocols.effects import TimerFired
from protocols.messages.control import ActorSpec
from protocols.messages.inventory import EquityChanged, PositionChanged
from protocols.messages.market import BookTop, MarkPrice, VenueClock
from protocols.values import Instrument, make_instrument_id

MESSAGES = 40_000
GROWTH_PARTS = 10
SYMBOLS_MANY = 200
UPDATES_PER_SECOND = 20
SECONDS_MANY = 5
START_NS = 1_000_000_000_000
VENUE_OFFSET_NS = 1_790_000_000_000_000_000
_MS = 1_000_000


class RiskCost(msgspec.Struct, frozen=True, kw_only=True):
    """`indicators` of one message; `growth` is the median of the last part of a long run by that of the first after its windows filled;

    `many_core_share` is the part of one core that many symbols take, everything of the core's included.
    """

    indicators: Cost
    growth: float
    many_symbols: int
    many_core_share: float


class _Market:
    """A risk monitor's core fed with books, marks, positions and time."""

    def __init__(self, settings: Settings, symbols: int) -> None:
        names = [f"S{number:03}USDC" for number in range(symbols)]
        self.instruments = tuple(_instrument(name) for name in names)
        own = settings.model_copy(update={"symbols": tuple(names), "exchange": None})
        spec = ActorSpec(
            name="risk_monitor",
            role="risk_monitor",
            shard=0,
            epoch=1,
            install="1",
            account="main",
            address="",
            peers={},
            instruments=self.instruments,
            symbol_codes={},
            shards=(tuple(one.instrument_id for one in self.instruments),),
            state_dir="",
            config_json="",
        )
        self.core = RiskMonitorCore(spec, own)
        self.now_ns = START_NS
        self.core.start(self.now_ns)
        self.core.handle(VenueClock(offset_ns=VENUE_OFFSET_NS, error_ns=0, sampled_ns=START_NS), self.now_ns)
        self.number = 0
        self.report()

    def report(self) -> None:
        """What inventory says four times a second, and the timer of the core."""
        equity = EquityChanged(equity=Decimal(10_000_000), day_pnl=Decimal(0), valued_ns=self.now_ns)
        self.core.handle(equity, self.now_ns)
        for place, instrument in enumerate(self.instruments):
            lots = (1 if place % 2 else -1) * (place % 7)
            self.core.handle(
                PositionChanged(
                    instrument_id=instrument.instrument_id,
                    position_lots=lots,
                    average_price=Decimal(0),
                    shard=0,
                    event_seq=1,
                ),
                self.now_ns,
            )
        self.core.handle(TimerFired(name="judge"), self.now_ns)

    def message(self) -> BookTop | MarkPrice:
        """The next message: books and marks of every symbol in turn, on a price that moves a little."""
        self.number += 1
        instrument = self.instruments[self.number // 2 % len(self.instruments)]
        mid = 640_000 + self.number * 7919 % 41 - 20
        if self.number % 2:
            return BookTop(
                instrument_id=instrument.instrument_id,
                instrument_version=1,
                update_id=self.number,
                venue_time_ns=self.now_ns,
                received_ns=self.now_ns,
                bids=tuple((mid - 1 - level, 50 + level) for level in range(5)),
                asks=tuple((mid + 1 + level, 50 + level) for level in range(5)),
            )
        return MarkPrice(
            instrument_id=instrument.instrument_id,
            mark_price=Decimal(mid) / 10,
            index_price=Decimal(mid) / 10,
            funding_rate=Decimal("0.0001"),
            next_funding_venue_ms=0,
            venue_time_ns=self.now_ns,
            received_ns=self.now_ns,
        )


def measure_risk(settings: Settings) -> RiskCost:
    """Measure everything on cores in this process; the messages are made before their time is taken."""
    market = _Market(settings, 2)
    taken_us: list[float] = []
    clock = time.perf_counter_ns
    for number in range(MESSAGES):
        market.now_ns += 25 * _MS
        message = market.message()
        began = clock()
        market.core.handle(message, market.now_ns)
        taken_us.append((clock() - began) / 1_000)
        if number % 4 == 0:
            market.core.handle(TimerFired(name="judge"), market.now_ns)
        if number % 10 == 0:
            market.report()
    cuts = statistics.quantiles(taken_us, n=100, method="inclusive")
    part = MESSAGES // GROWTH_PARTS
    first, last = statistics.median(taken_us[part : 2 * part]), statistics.median(taken_us[-part:])
    return RiskCost(
        indicators=Cost(p50_us=cuts[49], p99_us=cuts[98], calls=MESSAGES),
        growth=last / first,
        many_symbols=SYMBOLS_MANY,
        many_core_share=_many(settings),
    )


def _many(settings: Settings) -> float:
    market = _Market(settings, SYMBOLS_MANY)
    rate = SYMBOLS_MANY * UPDATES_PER_SECOND
    began = time.process_time_ns()
    for number in range(rate * SECONDS_MANY):
        market.now_ns += 1_000_000_000 // rate
        market.core.handle(market.message(), market.now_ns)
        if number % (rate // 10) == 0:
            market.core.handle(TimerFired(name="judge"), market.now_ns)
        if number % (rate // 4) == 0:
            market.report()
    return (time.process_time_ns() - began) / (SECONDS_MANY * 1e9)


def _instrument(symbol: str) -> Instrument:
    return Instrument(
        instrument_id=make_instrument_id("binance_usdm", "main", symbol),
        version=1,
        base_asset=symbol.removesuffix("USDC"),
        quote_asset="USDC",
        margin_asset="USDC",
        tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"),
        price_ticks_min=1,
        price_ticks_max=10_000_000,
        quantity_lots_min=1,
        quantity_lots_max=1_000_000,
        notional_min=Decimal(5),
        price_multiplier_up=Decimal("1.05"),
        price_multiplier_down=Decimal("0.95"),
        open_orders_max=200,
    )
