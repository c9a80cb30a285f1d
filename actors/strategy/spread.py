"""How far from the reservation price we quote, and which way the reservation price leans for our position."""

from __future__ import annotations

from protocols.arithmetic.rounding import clamp


def half_spread_bps(
    volatility_bps: float, multiplier: float, half_spread_bps_min: float, half_spread_bps_max: float
) -> float:
    """Half spread for a volatility (basis points per root second): in proportion, between a floor and a cap.

    A volatility that is not a number gives the cap: not knowing is no reason to quote tightly.
    """
    if volatility_bps != volatility_bps:
        return half_spread_bps_max
    return clamp(volatility_bps * multiplier, half_spread_bps_min, half_spread_bps_max)


def skew_bps(position_lots: int, position_lots_max: int, skew_bps_at_limit: float) -> float:
    """Shift of both quotes, in basis points; positive means up. Long gives a negative skew, linear up to the limit."""
    if position_lots_max <= 0:
        return 0.0
    return -skew_bps_at_limit * clamp(position_lots / position_lots_max, -1.0, 1.0)
