"""Section `risk`: limits, levels, estimators, breakers, and how the risk monitor looks at the venue."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from configs.schema.indicators import IndicatorThresholds
from configs.schema.limits import Limit
from configs.schema.section import BasisPoints, Milliseconds, Section, Symbol
from configs.schema.venue import KeySource


class SymbolRisk(Section):
    """Limits of one symbol, in quote currency, base units or as a share of equity."""

    position_notional_max: Limit | None = None
    order_notional_max: Limit | None = None
    open_orders_max: int | None = Field(default=None, ge=1, le=1_000)


class LevelSettings(Section):
    """What the levels ask for. A level falls by one after each `quiet_ms` without a cause for it."""

    quiet_ms: Milliseconds = 3_000
    caution_size_factor: float = Field(default=0.5, gt=0, le=1, allow_inf_nan=False)
    caution_spread_factor: float = Field(default=1.5, ge=1, le=100, allow_inf_nan=False)


class EstimatorSettings(Section):
    """Windows of the estimators."""

    sample_ms: Milliseconds = 1_000
    volatility_short_ms: Milliseconds = 60_000
    volatility_long_ms: Milliseconds = 1_800_000
    volatility_halflife_ms: Milliseconds = 60_000
    covariance_halflife_ms: Milliseconds = 600_000
    value_at_risk_horizon_ms: Milliseconds = 3_600_000
    value_at_risk_confidence: float = Field(default=0.95, gt=0.5, lt=1)
    usual_halflife_ms: Milliseconds = 300_000
    warm_up_ms: Milliseconds = 60_000
    markout_ms: Milliseconds = 5_000
    markout_fills: int = Field(default=100, ge=10, le=10_000)
    flow_window_ms: Milliseconds = 600_000


class BehaviourSettings(Section):
    """The venue's rules of behaviour, in its own definitions (ten-minute windows, per symbol).

    An order cancelled within `life_ms` counts as invalid to it; its ratios matter above these numbers of orders. The venue once
    published 5,000 and 10,000; now they depend on the account's tier, so ours are lower.
    """

    window_ms: Milliseconds = 600_000
    life_ms: Milliseconds = 2_000
    cancel_orders_min: int = Field(default=1_000, ge=1, le=1_000_000)
    orders_min: int = Field(default=2_000, ge=1, le=1_000_000)
    dust_notional: float = Field(default=50.0, ge=0, le=1e6, allow_inf_nan=False)
    trigger_share: float = Field(default=0.8, gt=0, le=1, allow_inf_nan=False)
    tolerance_factor: float = Field(default=2.0, ge=1, le=100, allow_inf_nan=False)
    levels_max: int = Field(default=1, ge=1, le=8)


class BreakerSettings(Section):
    """Circuit breakers: what opens each, after how many times, how long it stays open, and how many trial orders it lets through half open.

    `timeout_ms` and `trial_orders` are every breaker's, but for the time of losses. So many jumps, gaps or thin books within
    `market_window_ms` open theirs.
    """

    timeout_ms: Milliseconds = 3_000
    trial_orders: int = Field(default=2, ge=1, le=100)
    api_failures_max: int = Field(default=20, ge=1, le=10_000)
    api_window_ms: Milliseconds = 5_000
    loss_share_max: float = Field(default=0.003, gt=0, lt=1, allow_inf_nan=False)
    loss_window_ms: Milliseconds = 60_000
    loss_timeout_ms: Milliseconds = 60_000
    market_window_ms: Milliseconds = 60_000
    jumps_max: int = Field(default=1, ge=1, le=1_000)
    jump_sigmas: float = Field(default=15.0, ge=1, le=1_000, allow_inf_nan=False)
    jump_bps_min: BasisPoints = 15.0
    gaps_max: int = Field(default=1, ge=1, le=1_000)
    gap_bps_max: BasisPoints = 40.0
    thin_books_max: int = Field(default=1, ge=1, le=1_000)
    depth_ratio_min: float = Field(default=0.02, ge=0, lt=1, allow_inf_nan=False)
    depth_ratio_back: float = Field(default=0.2, gt=0, le=1, allow_inf_nan=False)

    @model_validator(mode="after")
    def _depth_comes_back_above_what_was_thin(self) -> BreakerSettings:
        if self.depth_ratio_back < self.depth_ratio_min:
            raise ValueError(
                "depth_ratio_back is below depth_ratio_min: a book would be back while it is still too thin"
            )
        return self


class EyesSettings(Section):
    """How often the risk monitor looks at the venue by itself."""

    positions_ms: Milliseconds = 2_000
    account_ms: Milliseconds = 2_000
    open_orders_ms: Milliseconds = 30_000
    adl_ms: Milliseconds = 30_000
    trading_status_ms: Milliseconds = 60_000
    symbol_config_ms: Milliseconds = 60_000
    fee_burn_ms: Milliseconds = 300_000


def _limit(written: str) -> Limit:
    return Limit.model_validate(written)


class RiskSettings(Section):
    """Limits in quote currency, base units or as a share of equity; `symbols` overrides the defaults by symbol.

    The day's loss is measured against the equity at the day's start (at `day_starts` on the clock of `day_zone`, an IANA name: daylight
    saving is followed), the drawdown against its peak. `keys` is a key that may only read;
    without one the risk monitor looks with the account's. A mark price older than `mark_age_ms_max`, and a position or the
    equity that inventory has not repeated for `report_age_ms_max`, is not known. What strategy may do is said again
    every `terms_period_ms`.
    """

    position_notional_max: Limit = _limit("2%")
    order_notional_max: Limit = _limit("0.5%")
    account_notional_max: Limit = _limit("10%")
    open_orders_max: int = Field(default=32, ge=1, le=1_000)
    daily_loss_max: Limit = _limit("1%")
    drawdown_max: Limit = _limit("3%")
    price_band_bps_max: BasisPoints = 100
    lease_ms: Milliseconds = 1_000
    lease_period_ms: Milliseconds = 250
    keys: KeySource | None = None
    eyes: EyesSettings = EyesSettings()
    judge_period_ms: int = Field(default=100, ge=10, le=1_000)
    day_starts: str = Field(default="00:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    day_zone: str = "UTC"
    mark_age_ms_max: Milliseconds = 10_000
    report_age_ms_max: int = Field(default=2_000, ge=100, le=10_000)
    terms_period_ms: int = Field(default=1_000, ge=100, le=3_000)
    levels: LevelSettings = LevelSettings()
    estimators: EstimatorSettings = EstimatorSettings()
    behaviour: BehaviourSettings = BehaviourSettings()
    breakers: BreakerSettings = BreakerSettings()
    indicators: IndicatorThresholds = IndicatorThresholds.model_validate({})
    symbols: dict[Symbol, SymbolRisk] = Field(default={})

    def position_limit(self, symbol: str) -> Limit:
        """The limit on a symbol's position: its own, else the one of all."""
        own = self.symbols.get(symbol)
        return (
            self.position_notional_max
            if own is None or own.position_notional_max is None
            else own.position_notional_max
        )

    @field_validator("day_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        try:
            if name != "UTC":  # needs no table of zones
                ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{name} is no IANA time zone that is known here, such as UTC or Europe/Zurich (the package tzdata brings them all)"
            ) from None
        return name

    @model_validator(mode="after")
    def _account_limits_have_no_base(self) -> RiskSettings:
        for name in ("account_notional_max", "daily_loss_max", "drawdown_max"):
            if getattr(self, name).unit == "base":
                raise ValueError(f"{name} is the account's: it has no base unit")
        return self
