"""The market's clock: it runs faster and slower by stretches, so that lively and quiet times last longer than what excites itself."""

from __future__ import annotations

from math import exp

from actors.exchange.market_model import Pace
from actors.exchange.seeded import SeededNumbers

PACE_LEAST, PACE_MOST = 0.1, 10.0


class PacedClock:
    """Turns the market's own time into seconds; its average pace is one."""

    def __init__(self, pace: Pace, numbers: SeededNumbers) -> None:
        self._pace = pace
        self._numbers = numbers
        self._own_s = self._real_s = 0.0
        self._pace_now = 1.0
        self._left_s = 0.0

    def real_s(self, own_s: float) -> float:
        """The second of a moment of the market's own time. Moments are asked for in their order."""
        while own_s > self._own_s + self._left_s * self._pace_now:
            self._own_s += self._left_s * self._pace_now
            self._real_s += self._left_s
            self._left_s = self._numbers.exponential(self._pace.stretch_s)
            drawn = exp(self._pace.spread * self._numbers.normal() - self._pace.spread**2 / 2)
            self._pace_now = min(max(drawn, PACE_LEAST), PACE_MOST)
        passed_s = (own_s - self._own_s) / self._pace_now
        self._own_s, self._real_s, self._left_s = own_s, self._real_s + passed_s, self._left_s - passed_s
        return self._real_s
