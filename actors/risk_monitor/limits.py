"""Limits of a symbol: from the configuration's words to quote currency and to lots at the mark."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from actors.risk_monitor.guard import NOTHING, Remedy
from actors.risk_monitor.levels import Permissions
from configs.schema import HardCaps, Limit, RiskSettings
from protocols.messages.risk import FACTOR_ONE_BPS, RiskLevel, SymbolLimits
from protocols.values import Instrument

MARK_DRIFT_BPS = 100
"""Lots are computed this far below the limit, so that a mark that moves between two leases does not turn a full position into a breach."""

MARK_STEP_BPS = 10
"""Lots are computed anew when the mark has moved this far, not on every tick."""

EQUITY_STEP_BPS = 100
"""Limits that are shares of equity follow it in steps of this size, not with every valuation."""

_BPS = Decimal(10_000)
_ZERO = Decimal(0)


NO_CAPS = HardCaps()


class WrittenLimits(NamedTuple):
    """Limits of one symbol as the configuration says them."""

    position: Limit
    order: Limit
    open_orders_max: int
    caps: HardCaps = NO_CAPS


class QuoteLimits(NamedTuple):
    """Limits of one symbol in quote currency; nothing is allowed while what they depend on is not known."""

    position_notional_max: Decimal
    order_notional_max: Decimal
    open_orders_max: int


class LimitTexts(NamedTuple):
    """One limit in all three units, for people; empty where it cannot be said yet."""

    quote: str
    base: str
    equity_share: str


def written_limits(settings: RiskSettings, instrument: Instrument, caps: HardCaps = NO_CAPS) -> WrittenLimits:
    """The symbol's limits: its own, else the defaults, never more open orders than the venue allows."""
    own = settings.symbols.get(instrument.symbol)
    position = own.position_notional_max if own is not None else None
    order = own.order_notional_max if own is not None else None
    open_orders = own.open_orders_max if own is not None else None
    return WrittenLimits(
        position if position is not None else settings.position_notional_max,
        order if order is not None else settings.order_notional_max,
        min(open_orders if open_orders is not None else settings.open_orders_max, instrument.open_orders_max),
        caps,
    )


def quote_limits(written: WrittenLimits, equity: Decimal | None, mark_price: Decimal | None) -> QuoteLimits:
    """The limits in quote currency."""
    position = written.position.in_quote(equity, mark_price)
    order = written.order.in_quote(equity, mark_price)
    return QuoteLimits(
        written.caps.capped("position_notional_max", position or _ZERO),
        written.caps.capped("order_notional_max", order or _ZERO),
        written.open_orders_max,
    )


def limit_texts(notional: Decimal | None, equity: Decimal | None, mark_price: Decimal | None = None) -> LimitTexts:
    """A limit of so much quote currency in all three units."""
    if notional is None:
        return LimitTexts("", "", "")
    base = "" if mark_price is None or mark_price <= 0 else f"{notional / mark_price:.6f}"
    share = "" if equity is None or equity <= 0 else f"{notional / equity * 100:.3f}%"
    return LimitTexts(f"{notional:.2f}", base, share)


def lots_within(notional: Decimal, mark_price: Decimal, instrument: Instrument) -> int:
    """The most lots whose notional at `mark_price` is not above `notional`."""
    return int((notional / (mark_price * instrument.lot_size)).to_integral_value(ROUND_FLOOR))


class Bounds(NamedTuple):
    """What else bounds a symbol: the venue's bracket, its part of the margin, trial orders of a breaker, and the behaviour guard."""

    bracket_notional_max: Decimal | None = None
    margin_notional_max: Decimal | None = None
    trial_orders: int = 0
    remedy: Remedy = NOTHING


def symbol_limits(
    instrument: Instrument,
    limits: QuoteLimits,
    mark_price: Decimal | None,
    level: RiskLevel,
    permissions: Permissions,
    bounds: Bounds = Bounds(),  # noqa: B008 - immutable
) -> SymbolLimits:
    """The symbol's part of a lease, as far as its level allows. Without a mark price nothing is allowed."""
    allowed = permissions.of(level)
    position_lots = order_lots = 0
    order_notional = limits.order_notional_max * allowed.size_factor_bps / FACTOR_ONE_BPS
    if mark_price is not None:
        careful = limits.position_notional_max * (_BPS - MARK_DRIFT_BPS) / _BPS
        position_lots = lots_within(careful, mark_price, instrument)
        order_lots = min(lots_within(order_notional, mark_price, instrument), instrument.quantity_lots_max)
    open_orders = min(bounds.trial_orders or limits.open_orders_max, limits.open_orders_max)
    return SymbolLimits(
        instrument_id=instrument.instrument_id,
        state=allowed.state,
        position_lots_max=position_lots,
        order_lots_max=order_lots,
        open_orders_max=open_orders,
        notional_max=limits.position_notional_max,
        level=level,
        size_factor_bps=allowed.size_factor_bps,
        spread_factor_bps=allowed.spread_factor_bps,
        order_notional_max=order_notional,
        bracket_notional_max=bounds.bracket_notional_max,
        margin_notional_max=bounds.margin_notional_max,
        quote_life_ms_min=bounds.remedy.quote_life_ms_min,
        tolerance_factor_bps=bounds.remedy.tolerance_factor_bps,
        levels_max=bounds.remedy.levels_max,
    )


def has_moved(mark_price: Decimal, since: Decimal | None) -> bool:
    """Whether the mark is a step away from the one that lots were computed with."""
    return since is None or abs(mark_price - since) * _BPS > since * MARK_STEP_BPS


def equity_has_moved(equity: Decimal, since: Decimal | None) -> bool:
    """Whether equity is a step away from the one that limits were computed with; a loss of everything always is."""
    return since is None or equity <= 0 or abs(equity - since) * _BPS > since * EQUITY_STEP_BPS
