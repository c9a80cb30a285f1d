"""How floats of an estimator become integers of the order path: with the side named, and never from a NaN."""

from __future__ import annotations

import math
from collections.abc import Callable

at_most: Callable[[float], int] = math.floor
"""The highest integer not above a value: the side of a bid, and of a size. ValueError or OverflowError from NaN and infinity."""

at_least: Callable[[float], int] = math.ceil
"""The lowest integer not below a value: the side of an ask. ValueError or OverflowError from NaN and infinity."""


def clamp(value: float, lowest: float, highest: float) -> float:
    """`value`, or the bound that it passed. NaN becomes `lowest`."""
    if value >= highest:
        return highest
    return value if value > lowest else lowest
