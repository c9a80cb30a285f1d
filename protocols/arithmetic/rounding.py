"""How floats of an estimator become integers of the order path: with the side named, and never from a NaN."""

from __future__ import annotations

import math


def at_most(value: float) -> int:
    """The highest integer not above `value`: the side of a bid, and of a size.

    Raises:
        ValueError, OverflowError: the value is NaN or infinite.
    """
    return math.floor(value)


def at_least(value: float) -> int:
    """The lowest integer not below `value`: the side of an ask.

    Raises:
        ValueError, OverflowError: the value is NaN or infinite.
    """
    return math.ceil(value)


def clamp(value: float, lowest: float, highest: float) -> float:
    """`value`, or the bound that it passed. NaN becomes `lowest`."""
    if value >= highest:
        return highest
    return value if value > lowest else lowest
