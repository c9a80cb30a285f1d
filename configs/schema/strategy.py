"""Section `strategy`."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from configs.schema.section import BasisPoints, Milliseconds, Money, Section


class StrategySettings(Section):
    """Basic market making. Spreads in basis points of the fair price, sizes in quote currency."""

    levels: int = Field(default=3, ge=1, le=8)
    level_spacing_bps: BasisPoints = 1.0
    half_spread_bps_min: BasisPoints = 0.5
    half_spread_bps_max: BasisPoints = 30.0
    volatility_halflife_ms: Milliseconds = 10_000
    volatility_multiplier: float = Field(default=0.5, ge=0, le=100, allow_inf_nan=False)
    skew_bps_at_limit: BasisPoints = 3.0
    order_notional: Money = Decimal(500)
    position_notional_max: Money = Decimal(5_000)
    imbalance_levels: int = Field(default=3, ge=1, le=20)
    quote_period_ms_min: int = Field(default=0, ge=0, le=60_000)
    warm_up_ms: int = Field(default=1_000, ge=0, le=600_000)
    refresh_ms: int = Field(default=250, ge=10, le=1_000)
