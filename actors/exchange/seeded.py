"""Seeded pseudo-random numbers, so that the venue's jitter and its synthetic market repeat exactly from a seed."""

from __future__ import annotations

import math

_MASK = (1 << 64) - 1


class SeededNumbers:
    """SplitMix64: small, fast, the same on every machine."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def bits(self) -> int:
        """64 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def uniform(self) -> float:
        """A float in [0, 1)."""
        return (self.bits() >> 11) * (1.0 / (1 << 53))

    def below(self, bound: int) -> int:
        """A whole number in [0, bound)."""
        return self.bits() % bound

    def exponential(self, mean: float) -> float:
        """A waiting time of a Poisson process."""
        return -mean * math.log(1.0 - self.uniform())

    def normal(self) -> float:
        """A standard normal number."""
        return math.sqrt(-2.0 * math.log(1.0 - self.uniform())) * math.cos(2.0 * math.pi * self.uniform())

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability
