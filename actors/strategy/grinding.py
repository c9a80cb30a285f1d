"""Grinding, the inventory-cost engine: a little of a large, idle position is sold to the market and bought back cheaper by a maker order.

A cycle has two orders. With the position at `position_share_min` of its soft limit or above, and a price that has hardly moved for half
an hour, a taker order takes `reduce_share` of the position off. When the venue has confirmed what of it was executed, a maker order of
at most that quantity waits `reentry_bps` better. A cycle adds nothing on balance; it earns when the price comes to the second order, and
costs the spread and the fees of the first when it does not.

Only at NORMAL: where the level is another or not known nothing begins, and an order that waits to come back is withdrawn. After a start
nobody knows how often the last life has ground, so the first hour begins with all of it used up.
"""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction

import msgspec

from actors.strategy.grind_books import BACK, OUT, Execution, GrindBooks, Grinding
from actors.strategy.price_deviation import PriceDeviation
from configs.schema import GrindingSettings
from protocols.messages.orders import (
    AnyOrderEvent,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from protocols.messages.requests import OrderRequest, WithdrawRequest
from protocols.messages.risk import RiskLevel
from protocols.values import Instrument, Side, TimeInForce

PATIENCE_NS = 60_000_000_000
"""An order whose end is not told by so long after its expiry is given up: its cycle ends, and nothing comes back for it."""

_MS = 1_000_000
_BPS = Fraction(1, 10_000)


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What is known now. None: not known.

    `soft_lots` is the largest position that quotes may lead to. `funding_rate`: positive means that longs pay.
    """

    level: RiskLevel | None
    position_lots: int | None
    soft_lots: int
    touch: tuple[int, int] | None
    """Best bid and ask in ticks."""
    funding_rate: float = 0.0


class GrindingView(msgspec.Struct, frozen=True, kw_only=True):
    """The engine of one symbol as people see it. `waits_for` says why no cycle begins, `stage` where the present one is."""

    enabled: bool
    stage: str
    waits_for: str
    deviation_share: float | None
    cycles_in_window: int
    totals: Grinding


class _Asked:
    """One order of a cycle, as far as events tell. It is over when the venue has named its end and we hold all of its executions."""

    def __init__(self, request: OrderRequest) -> None:
        self.request = request
        self.is_answered = self.is_withdrawn = False
        self.filled_lots = 0
        self.value = 0
        """Sum of ticks x lots."""
        self._ended_lots: int | None = None

    @property
    def is_over(self) -> bool:
        full = self.filled_lots >= self.request.quantity_lots
        return full or (self._ended_lots is not None and self.filled_lots >= self._ended_lots)

    def take(self, event: AnyOrderEvent) -> None:
        self.is_answered = True
        match event:
            case OrderFilled():
                self.filled_lots += event.quantity_lots
                self.value += event.price_ticks * event.quantity_lots
            case OrderCanceled() | OrderExpired():
                self._ended_lots = event.filled_lots
            case OrderRejected() | OrderDenied():
                self._ended_lots = 0
            case OrderAccepted() | OrderAmended() | OrderUnknown():
                pass


class Grinder:
    """One symbol's cycles, one at a time."""

    def __init__(self, instrument: Instrument, settings: GrindingSettings, name: str, started_ns: int) -> None:
        """Make an engine that has not ground.

        Args:
            name: what the intents of this life begin with: unique over restarts.
        """
        self._instrument = instrument
        self._settings = settings
        self._name = name
        self._cycles = 0
        self._begun_ns: deque[int] = deque([started_ns] * settings.cycles_max)
        self._deviation = PriceDeviation(settings.window_ms * _MS, settings.sample_ms * _MS)
        self._books = GrindBooks(instrument.margin_asset)
        self._out: _Asked | None = None
        self._back: _Asked | None = None
        self._waits_for = "nothing was looked at yet"

    def change(self, settings: GrindingSettings) -> None:
        """Take changed settings; windows and rates stay those of the start."""
        self._settings = settings

    def take_instrument(self, instrument: Instrument) -> None:
        """Take new filters of the same tick and lot."""
        self._instrument = instrument

    def observe(self, touch: tuple[int, int], now_ns: int) -> None:
        """Take the present best bid and ask."""
        self._deviation.observe(sum(touch), now_ns)

    def take(self, event: AnyOrderEvent) -> None:
        """Follow the orders of the present cycle; executions of any cycle are booked."""
        for asked in (self._out, self._back):
            if asked is not None and event.intent_id == asked.request.intent_id:
                asked.take(event)
        if isinstance(event, OrderFilled) and event.intent_id.startswith((OUT, BACK)):
            self._books.take(
                Execution(
                    intent_id=event.intent_id,
                    sign=event.side.sign,
                    price=self._instrument.price(event.price_ticks),
                    quantity=self._instrument.quantity(event.quantity_lots),
                    fee=event.fee,
                    fee_asset=event.fee_asset,
                )
            )

    def step(self, sight: Sight, now_ns: int) -> list[OrderRequest | WithdrawRequest]:
        """What is to be asked of the order manager now; called several times a second."""
        out, back = self._out, self._back
        if out is not None:
            if not out.is_over:
                return self._pursue(out, self._may_grind(sight), now_ns)
            self._out = None
            return self._come_back(out, sight, now_ns)
        if back is not None:
            if not back.is_over:
                return self._pursue(back, self._may_grind(sight), now_ns)
            self._back = None
        self._waits_for = self._obstacle(sight, now_ns)
        return [] if self._waits_for else self._begin(sight, now_ns)

    def view(self, now_ns: int) -> GrindingView:
        """For people."""
        window_ns = self._settings.cycles_window_ms * _MS
        return GrindingView(
            enabled=self._settings.enabled,
            stage="reducing" if self._out is not None else "coming back" if self._back is not None else "idle",
            waits_for=self._waits_for,
            deviation_share=self._deviation.share(now_ns),
            cycles_in_window=sum(now_ns - begun_ns < window_ns for begun_ns in self._begun_ns),
            totals=self._books.totals,
        )

    def _may_grind(self, sight: Sight) -> bool:
        return self._settings.enabled and sight.level is RiskLevel.NORMAL

    def _obstacle(self, sight: Sight, now_ns: int) -> str:
        """Why no cycle begins; "" when one may."""
        own, position_lots = self._settings, sight.position_lots
        if not own.enabled:
            return "switched off"
        if sight.level is not RiskLevel.NORMAL:
            return f"level {sight.level.value}" if sight.level is not None else "the level of risk is not known"
        if position_lots is None or sight.touch is None:
            return "position or book are not known"
        if now_ns - self._begun_ns[-1] < own.interval_ms_min * _MS:
            return f"less than {own.interval_ms_min} ms since the last"
        if now_ns - self._begun_ns[0] < own.cycles_window_ms * _MS:
            return f"{own.cycles_max} within {own.cycles_window_ms} ms (a start counts as so many)"
        if sight.soft_lots <= 0:
            return "the soft limit is not known"
        if not position_lots or abs(position_lots) < own.position_share_min * sight.soft_lots:
            return f"position below {own.position_share_min} of its soft limit"
        deviation = self._deviation.share(now_ns)
        if deviation is None:
            return "the price was not watched for long enough"
        if deviation >= own.deviation_share_max:
            return f"the price moved by {deviation:.5f}, {own.deviation_share_max} or more"
        if not self._reduction_lots(position_lots, sight.funding_rate):
            return "the reduction is smaller than the venue takes"
        return ""

    def _reduction_lots(self, position_lots: int, funding_rate: float) -> int:
        """A share of the position, more where the position pays funding; 0 when the venue would not take it."""
        own = self._settings
        share = own.reduce_share * (own.funding_factor if position_lots * funding_rate > 0 else 1.0)
        lots = min(math.floor(abs(position_lots) * min(share, 1.0)), self._instrument.quantity_lots_max)
        return lots if lots >= self._instrument.quantity_lots_min else 0

    def _begin(self, sight: Sight, now_ns: int) -> list[OrderRequest | WithdrawRequest]:
        assert sight.position_lots is not None and sight.touch is not None
        self._cycles += 1
        self._begun_ns.append(now_ns)
        self._begun_ns.popleft()
        bid_ticks, ask_ticks = sight.touch
        through = Fraction(self._settings.crossing_bps) * _BPS
        side = Side.SELL if sight.position_lots > 0 else Side.BUY
        limit_ticks = (
            math.ceil(bid_ticks * (1 - through)) if side is Side.SELL else math.floor(ask_ticks * (1 + through))
        )
        self._out = _Asked(
            self._request(
                f"{OUT}{self._name}{self._cycles}",
                side,
                self._reduction_lots(sight.position_lots, sight.funding_rate),
                limit_ticks,
                TimeInForce.IMMEDIATE_OR_CANCEL,
                self._settings.taker_life_ms,
                now_ns,
            )
        )
        return [self._out.request]

    def _come_back(self, out: _Asked, sight: Sight, now_ns: int) -> list[OrderRequest | WithdrawRequest]:
        """The reduction is over and what it executed is certain: wait for as much, better by `reentry_bps`."""
        side, lots, position_lots = out.request.side.opposite, out.filled_lots, sight.position_lots
        if not lots or not self._may_grind(sight) or sight.touch is None or not position_lots:
            return []
        if side.sign * position_lots < 0:
            return []  # what was to be re-entered is gone
        bid_ticks, ask_ticks = sight.touch
        away = side.sign * Fraction(self._settings.reentry_bps) * _BPS
        wanted = Fraction(out.value, lots) * (1 - away)
        ticks = min(math.floor(wanted), ask_ticks - 1) if side is Side.BUY else max(math.ceil(wanted), bid_ticks + 1)
        if self._instrument.notional(ticks, lots) < self._instrument.notional_min:
            return []
        self._back = _Asked(
            self._request(
                f"{BACK}{self._name}{self._cycles}",
                side,
                lots,
                ticks,
                TimeInForce.POST_ONLY,
                self._settings.reentry_life_ms,
                now_ns,
            )
        )
        return [self._back.request]

    def _pursue(self, asked: _Asked, is_wanted: bool, now_ns: int) -> list[OrderRequest | WithdrawRequest]:
        """Say a request again until it is answered; withdraw one that is no longer wanted; give up one whose end nobody tells."""
        request = asked.request
        if now_ns >= request.expires_ns + PATIENCE_NS:
            self._out = self._back = None
            return []
        if not is_wanted or asked.is_withdrawn:
            asked.is_withdrawn = True
            return [WithdrawRequest(intent_id=request.intent_id, instrument_id=request.instrument_id)]
        return [] if asked.is_answered or now_ns >= request.expires_ns else [request]

    def _request(
        self,
        intent_id: str,
        side: Side,
        lots: int,
        limit_ticks: int,
        time_in_force: TimeInForce,
        life_ms: int,
        now_ns: int,
    ) -> OrderRequest:
        instrument = self._instrument
        return OrderRequest(
            intent_id=intent_id,
            instrument_id=instrument.instrument_id,
            instrument_version=instrument.version,
            side=side,
            quantity_lots=lots,
            limit_ticks=limit_ticks,
            time_in_force=time_in_force,
            reduce_only=time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL,
            asked_ns=now_ns,
            expires_ns=now_ns + life_ms * _MS,
            reason="grinding",
        )
