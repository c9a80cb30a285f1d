"""The indicators of risk and their thresholds: what is watched, in which unit, which way is worse, and from where on it matters."""

from __future__ import annotations

import enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from protocols.messages.risk import RiskLevel


class Indicator(enum.StrEnum):
    """Every number that the risk monitor judges. Formula, window and source of each stand in its estimator."""

    POSITION = "position"
    WORST_LONG = "worst_long"
    WORST_SHORT = "worst_short"
    OPEN_ORDERS = "open_orders"
    GROSS_EXPOSURE = "gross_exposure"
    NET_EXPOSURE = "net_exposure"
    CORRELATED_EXPOSURE = "correlated_exposure"
    CONCENTRATION = "concentration"
    VALUE_AT_RISK = "value_at_risk"
    MARGIN_USAGE = "margin_usage"
    LIQUIDATION_DISTANCE = "liquidation_distance"
    REALISED_PNL = "realised_pnl"
    UNREALISED_PNL = "unrealised_pnl"
    HOURLY_PNL = "hourly_pnl"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    VOLATILITY_SHORT = "volatility_short"
    VOLATILITY_LONG = "volatility_long"
    VOLATILITY_EWMA = "volatility_ewma"
    VOLATILITY_RATIO = "volatility_ratio"
    ORDER_RATE = "order_rate"
    CANCEL_RATIO = "cancel_ratio"
    UNFILLED_RATIO = "unfilled_ratio"
    DUST_RATIO = "dust_ratio"
    REJECT_RATIO = "reject_ratio"
    INVALID_RATIO = "invalid_ratio"
    FILL_RATE = "fill_rate"
    TIME_TO_FILL = "time_to_fill"
    SPREAD_RATIO = "spread_ratio"
    DEPTH_RATIO = "depth_ratio"
    BOOK_AGE = "book_age"
    MARK_AGE = "mark_age"
    MARK_STILL = "mark_still"
    MARK_GAP = "mark_gap"
    FUNDING_AHEAD = "funding_ahead"
    ADVERSE_SELECTION = "adverse_selection"
    ROUND_TRIP = "round_trip"
    ERROR_RATE = "error_rate"
    ADL_QUANTILE = "adl_quantile"
    POSITION_DIFFERENCE = "position_difference"
    ORDER_DIFFERENCE = "order_difference"
    EQUITY_DIFFERENCE = "equity_difference"
    BLIND = "blind"


class Threshold(BaseModel):
    """From where on an indicator matters: beyond `warning` the level `at_warning`, beyond `limit` `at_limit`. None: never.

    Beyond is above, for an indicator of which less is worse below.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    warning: float | None = Field(default=None, allow_inf_nan=False)
    limit: float | None = Field(default=None, allow_inf_nan=False)
    at_warning: RiskLevel = RiskLevel.CAUTION
    at_limit: RiskLevel = RiskLevel.RESTRICTED


class Kind(BaseModel):
    """What an indicator is: its unit, whether less of it is worse, and its thresholds where the configuration names none.

    `sight`: it tells how well we see; its level ends as soon as we see again. `by_guard`: it raises no level; the behaviour guard acts
    on it (longer lives of quotes, wider tolerance, then fewer levels). `exact`: it is a part of a limit of the configuration, which is
    judged in exact decimals; its limit is 1.
    """

    model_config = ConfigDict(frozen=True)

    unit: str
    default: Threshold
    less_is_worse: bool = False
    sight: bool = False
    by_guard: bool = False
    exact: bool = False


_CAUTION, _RESTRICTED, _HALTED, _EMERGENCY = (
    RiskLevel.CAUTION,
    RiskLevel.RESTRICTED,
    RiskLevel.HALTED,
    RiskLevel.EMERGENCY,
)


def _kind(
    unit: str,
    warning: float | None,
    limit: float | None,
    at_limit: RiskLevel = _RESTRICTED,
    *,
    less_is_worse: bool = False,
    sight: bool = False,
    by_guard: bool = False,
    exact: bool = False,
    at_warning: RiskLevel = _CAUTION,
) -> Kind:
    return Kind(
        unit=unit,
        default=Threshold(warning=warning, limit=limit, at_warning=at_warning, at_limit=at_limit),
        less_is_worse=less_is_worse,
        sight=sight,
        by_guard=by_guard,
        exact=exact,
    )


KINDS: dict[Indicator, Kind] = {
    Indicator.POSITION: _kind("of its limit", 0.95, 1.0, exact=True),
    Indicator.WORST_LONG: _kind("of its limit", 1.02, 1.2),
    Indicator.WORST_SHORT: _kind("of its limit", 1.02, 1.2),
    Indicator.OPEN_ORDERS: _kind("of the limit", 0.95, 1.0, exact=True),
    Indicator.GROSS_EXPOSURE: _kind("of the account's limit", 0.95, 1.0, exact=True),
    Indicator.NET_EXPOSURE: _kind("of the account's limit", 0.95, 1.0),
    Indicator.CORRELATED_EXPOSURE: _kind("of the account's limit", 0.95, 1.0),
    Indicator.CONCENTRATION: _kind("of the account's limit", 0.7, 0.9, _CAUTION),
    Indicator.VALUE_AT_RISK: _kind("of equity", 0.01, 0.02),
    Indicator.MARGIN_USAGE: _kind("of the margin balance", 0.3, 0.5),
    Indicator.LIQUIDATION_DISTANCE: _kind("move of the marks", 0.25, 0.1, less_is_worse=True),
    Indicator.REALISED_PNL: _kind("of equity, today", -0.0075, -0.01, _CAUTION, less_is_worse=True),
    Indicator.UNREALISED_PNL: _kind("of equity", -0.0075, -0.01, _CAUTION, less_is_worse=True),
    Indicator.HOURLY_PNL: _kind("of equity, in an hour", -0.005, -0.0075, less_is_worse=True),
    Indicator.DAILY_LOSS: _kind("of its limit", 0.7, 1.0, _HALTED, exact=True),
    Indicator.DRAWDOWN: _kind("of its limit", 0.7, 1.0, _EMERGENCY, exact=True),
    Indicator.VOLATILITY_SHORT: _kind("a year", 3.0, 6.0),
    Indicator.VOLATILITY_LONG: _kind("a year", 2.5, 5.0),
    Indicator.VOLATILITY_EWMA: _kind("a year", 4.0, 8.0),
    Indicator.VOLATILITY_RATIO: _kind("short by long", 3.0, 6.0, _CAUTION),
    Indicator.ORDER_RATE: _kind("of the venue's limit", 0.9, 0.97, _CAUTION),
    Indicator.CANCEL_RATIO: _kind("of orders", 0.792, 0.9875, _CAUTION, by_guard=True),
    Indicator.UNFILLED_RATIO: _kind("of quantity", 0.792, 0.9875, _CAUTION, by_guard=True),
    Indicator.DUST_RATIO: _kind("of orders", 0.72, 0.875, _CAUTION, by_guard=True),
    Indicator.REJECT_RATIO: _kind("of orders", 0.2, 0.5, _CAUTION),
    Indicator.INVALID_RATIO: _kind("of orders", 0.02, 0.1),
    Indicator.FILL_RATE: _kind("a minute", 120.0, 600.0, _CAUTION),
    Indicator.TIME_TO_FILL: _kind("s", 0.05, 0.01, _CAUTION, less_is_worse=True),
    Indicator.SPREAD_RATIO: _kind("of the usual", 8.0, 25.0, _CAUTION),
    Indicator.DEPTH_RATIO: _kind("of the usual", 0.08, 0.03, _CAUTION, less_is_worse=True),
    Indicator.BOOK_AGE: _kind("s", 2.0, 5.0, sight=True),
    Indicator.MARK_AGE: _kind("s", 5.0, 30.0, _HALTED, sight=True),
    Indicator.MARK_STILL: _kind("s", 10.0, 30.0, _HALTED, sight=True),
    Indicator.MARK_GAP: _kind("bps", 50.0, 150.0, _HALTED),
    Indicator.FUNDING_AHEAD: _kind("of equity", 0.001, 0.003, _CAUTION),
    Indicator.ADVERSE_SELECTION: _kind("bps", -5.0, -15.0, _CAUTION, less_is_worse=True),
    Indicator.ROUND_TRIP: _kind("ms", 500.0, 1_500.0, _CAUTION),
    Indicator.ERROR_RATE: _kind("of calls", 0.1, 0.5, _CAUTION),
    Indicator.ADL_QUANTILE: _kind("0 to 4", 2.0, 3.0),
    Indicator.EQUITY_DIFFERENCE: _kind("of equity", 0.01, 0.05),
    Indicator.BLIND: _kind("s", 10.0, 30.0, sight=True),
    Indicator.POSITION_DIFFERENCE: _kind("s", 2.0, 5.0, _HALTED, at_warning=_RESTRICTED),
    Indicator.ORDER_DIFFERENCE: _kind("s", 2.0, 5.0, _HALTED, at_warning=_RESTRICTED),
}


class IndicatorThresholds(BaseModel):
    """Thresholds of every indicator; what the configuration does not name stays at its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    thresholds: dict[Indicator, Threshold]

    @model_validator(mode="before")
    @classmethod
    def _above_the_defaults(cls, given: Any) -> Any:
        if isinstance(given, IndicatorThresholds):
            return given
        if not isinstance(given, dict):
            raise ValueError("must be a map of indicators")
        named = given.get("thresholds", given)
        if strangers := sorted(set(map(str, named)) - {one.value for one in Indicator}):
            raise ValueError(f"{strangers[0]} is no indicator")
        merged: dict[str, Any] = {}
        for indicator, kind in KINDS.items():
            own = named.get(indicator.value, {})
            own = own.model_dump() if isinstance(own, Threshold) else own
            if not isinstance(own, dict):
                raise ValueError(f"{indicator}: must be a map of warning, limit, at_warning and at_limit")
            merged[indicator] = {**kind.default.model_dump(), **own}
        return {"thresholds": merged}

    @model_validator(mode="after")
    def _warning_comes_first(self) -> IndicatorThresholds:
        for indicator, threshold in self.thresholds.items():
            if KINDS[indicator].exact and threshold.limit != 1.0:
                raise ValueError(f"{indicator}: it is a part of its limit of the configuration; its limit stays 1")
            if threshold.warning is None or threshold.limit is None:
                continue
            sign = -1 if KINDS[indicator].less_is_worse else 1
            if sign * threshold.warning > sign * threshold.limit:
                raise ValueError(f"{indicator}: its warning {threshold.warning} is beyond its limit {threshold.limit}")
        return self

    def of(self, indicator: Indicator) -> Threshold:
        """The thresholds of an indicator."""
        return self.thresholds[indicator]
