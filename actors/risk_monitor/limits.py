"""Limits of a symbol: from quote currency in the configuration to lots at the mark."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from actors.risk_monitor.levels import Permissions
from configs.schema import RiskSettings
from protocols.messages.risk import FACTOR_ONE_BPS, RiskLevel, SymbolLimits
from protocols.values import Instrument

MARK_DRIFT_BPS = 100
"""Lots are computed this far below the limit, so that a mark that moves between two leases does not turn a full position into a breach."""

MARK_STEP_BPS = 10
"""Lots are computed anew when the mark has moved this far, not on every tick."""

_BPS = Decimal(10_000)


class QuoteLimits(NamedTuple):
    """Limits of one symbol in quote currency."""

    position_notional_max: Decimal
    order_notional_max: Decimal
    open_orders_max: int


def quote_limits(settings: RiskSettings, instrument: Instrument) -> QuoteLimits:
    """The symbol's limits: its own, else the defaults, never more open orders than the venue allows."""
    own = settings.symbols.get(instrument.symbol)
    position = own.position_notional_max if own is not None else None
    order = own.order_notional_max if own is not None else None
    open_orders = own.open_orders_max if own is not None else None
    return QuoteLimits(
        position if position is not None else settings.position_notional_max,
        order if order is not None else settings.order_notional_max,
        min(open_orders if open_orders is not None else settings.open_orders_max, instrument.open_orders_max),
    )


def lots_within(notional: Decimal, mark_price: Decimal, instrument: Instrument) -> int:
    """The most lots whose notional at `mark_price` is not above `notional`."""
    return int((notional / (mark_price * instrument.lot_size)).to_integral_value(ROUND_FLOOR))


def symbol_limits(
    instrument: Instrument,
    limits: QuoteLimits,
    mark_price: Decimal | None,
    level: RiskLevel,
    permissions: Permissions,
) -> SymbolLimits:
    """The symbol's part of a lease, as far as its level allows. Without a mark price nothing is allowed."""
    allowed = permissions.of(level)
    position_lots = order_lots = 0
    if mark_price is not None:
        careful = limits.position_notional_max * (_BPS - MARK_DRIFT_BPS) / _BPS
        position_lots = lots_within(careful, mark_price, instrument)
        most = limits.order_notional_max * allowed.size_factor_bps / FACTOR_ONE_BPS
        order_lots = min(lots_within(most, mark_price, instrument), instrument.quantity_lots_max)
    return SymbolLimits(
        instrument_id=instrument.instrument_id,
        state=allowed.state,
        position_lots_max=position_lots,
        order_lots_max=order_lots,
        open_orders_max=limits.open_orders_max,
        notional_max=limits.position_notional_max,
        level=level,
        size_factor_bps=allowed.size_factor_bps,
        spread_factor_bps=allowed.spread_factor_bps,
    )


def has_moved(mark_price: Decimal, since: Decimal | None) -> bool:
    """Whether the mark is a step away from the one that lots were computed with."""
    return since is None or abs(mark_price - since) * _BPS > since * MARK_STEP_BPS
