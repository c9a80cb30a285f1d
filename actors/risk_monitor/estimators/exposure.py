"""What the positions are worth together."""

from __future__ import annotations

from collections.abc import Iterable


def gross_exposure(exposures: Iterable[float]) -> float:
    """Sum of unsigned notionals at the mark (quote currency)."""
    return sum(map(abs, exposures))


def net_exposure(exposures: Iterable[float]) -> float:
    """Unsigned sum of signed notionals at the mark (quote currency): what a move of everything together hits."""
    return abs(sum(exposures))


def largest_exposure(exposures: Iterable[float]) -> float:
    """The largest unsigned notional of one symbol (quote currency): concentration is this by the account's limit."""
    return max(map(abs, exposures), default=0.0)


def funding_ahead(position_notional: float, funding_rate: float) -> float:
    """What the next funding will cost at today's estimate; negative when it pays us.

    Formula: signed notional at the mark * rate. Unit: quote currency. Window: until the next funding time. Source: the mark stream.
    """
    return position_notional * funding_rate


def margin_usage(maintenance_margin: float, margin_balance: float) -> float:
    """Maintenance margin by margin balance; the venue liquidates at 1. Source: the account, polled by ourselves."""
    if margin_balance <= 0:
        return 0.0 if maintenance_margin == 0 and margin_balance == 0 else float("inf")
    return maintenance_margin / margin_balance


def liquidation_distance(maintenance_margin: float, margin_balance: float, gross: float) -> float:
    """How far every mark may move against us before the venue liquidates, as a share; infinite without a position.

    Formula: (margin balance - maintenance margin) / gross notional: every position moves against us at once. Source: as `margin_usage`.
    """
    return (margin_balance - maintenance_margin) / gross if gross > 0 else float("inf")
