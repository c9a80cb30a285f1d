"""Arithmetic of a linear perpetual contract in exact decimals: fees, funding, premium, mark price, margin (facts section 9).

Quantities are signed base currency (positive = long), amounts quote currency.
"""

from __future__ import annotations

from decimal import Decimal

FUNDING_INTERVAL_HOURS = 8
"""The interval that rates are quoted for; contracts that settle more often divide by it."""

INTEREST_RATE = Decimal("0.0001")
"""Interest per eight hours in the funding rate."""

RATE_CLAMP = Decimal("0.0005")
"""How far interest may lead the rate away from the premium."""


def fee(quantity: Decimal, price: Decimal, rate: Decimal) -> Decimal:
    """Fee of an execution; positive is paid, a negative rate is a rebate."""
    return abs(quantity) * price * rate


def funding_payment(position: Decimal, mark_price: Decimal, rate: Decimal) -> Decimal:
    """What the position receives (negative: pays) at a funding time: longs pay when the rate is positive."""
    return -position * mark_price * rate


def premium_index(impact_bid: Decimal, impact_ask: Decimal, index_price: Decimal) -> Decimal:
    """How far the book's impact prices stand off the index, as a fraction of it; 0 while the index is between them."""
    above = max(Decimal(0), impact_bid - index_price)
    below = max(Decimal(0), index_price - impact_ask)
    return (above - below) / index_price


def funding_rate(premium: Decimal, interval_hours: int) -> Decimal:
    """The rate of one interval from the average premium, before a symbol's own cap and floor."""
    interest = min(max(INTEREST_RATE - premium, -RATE_CLAMP), RATE_CLAMP)
    return (premium + interest) * interval_hours / FUNDING_INTERVAL_HOURS


def mark_price(
    index_price: Decimal, rate: Decimal, time_left: Decimal, interval: Decimal, basis_mean: Decimal, last_price: Decimal
) -> Decimal:
    """Median of the index carried to the next funding, the index plus the mean basis, and the last price.

    Args:
        rate: the last funding rate.
        time_left: until the next funding, in the unit of `interval`.
        basis_mean: mean of (mid - index) over the venue's window.
    """
    carried = index_price * (1 + rate * time_left / interval)
    return sorted((carried, index_price + basis_mean, last_price))[1]


def maintenance_margin(notional: Decimal, rate: Decimal, deduction: Decimal) -> Decimal:
    """Maintenance margin of a notional in a bracket with this rate and cumulated deduction."""
    return notional * rate - deduction


def liquidation_price(
    wallet_balance: Decimal, position: Decimal, entry_price: Decimal, rate: Decimal, deduction: Decimal
) -> Decimal:
    """Mark at which the margin of a single cross position is used up.

    Raises:
        ValueError: there is no position.
    """
    if position == 0:
        raise ValueError("a flat position has no liquidation price")
    return (wallet_balance + deduction - position * entry_price) / (abs(position) * rate - position)
