"""Section `strategy`."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from configs.schema.section import BasisPoints, Milliseconds, Money, Section


class GrindingSettings(Section):
    """The inventory-cost engine, off by default (actors/strategy/grinding.py). Shares are of one; 0.0038 is 0.38 %.

    A cycle begins where the position is at `position_share_min` of its soft limit or above and the standard deviation of the mid over
    `window_ms` is below `deviation_share_max` of the mid; at least `interval_ms_min` apart, at most `cycles_max` within `cycles_window_ms`.
    """

    enabled: bool = False
    position_share_min: float = Field(default=0.87, gt=0, le=1, allow_inf_nan=False)
    deviation_share_max: float = Field(default=0.0038, gt=0, le=1, allow_inf_nan=False)
    window_ms: int = Field(default=1_800_000, ge=10_000, le=86_400_000)
    sample_ms: int = Field(default=1_000, ge=1_000, le=5_000)
    reduce_share: float = Field(default=0.075, gt=0, le=0.5, allow_inf_nan=False)
    funding_factor: float = Field(default=1.4, ge=1, le=2, allow_inf_nan=False)
    crossing_bps: BasisPoints = 1.0
    reentry_bps: BasisPoints = 4.2
    interval_ms_min: Milliseconds = 42_000
    cycles_max: int = Field(default=18, ge=1, le=1_000)
    cycles_window_ms: Milliseconds = 3_600_000
    taker_life_ms: int = Field(default=2_000, ge=100, le=60_000)
    reentry_life_ms: int = Field(default=200_000, ge=1_000, le=3_600_000)


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
    grinding: GrindingSettings = GrindingSettings()
