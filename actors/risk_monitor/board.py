"""The board of one subject: every indicator's value, how bad it is, and the level that follows."""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

from actors.risk_monitor.levels import Verdict
from configs.schema import KINDS, Indicator, IndicatorThresholds
from protocols.messages.risk import RiskLevel


class _Rule(NamedTuple):
    """Thresholds as numbers of which more is worse; infinite where there is none."""

    sign: float
    warning: float
    limit: float
    at_warning: RiskLevel
    at_limit: RiskLevel
    sight: bool
    by_guard: bool
    exact: bool


_INFINITE = float("inf")
_rank = attrgetter("rank")


class Board:
    """Values of one subject.

    A value that is no number, or infinite on the bad side, is beyond its limit: the unknown is dangerous. `put` is cheap while nothing
    crosses a threshold.
    """

    def __init__(self, thresholds: IndicatorThresholds) -> None:
        self._rules = {indicator: _rule(thresholds, indicator) for indicator in Indicator}
        self._bounds = {indicator: (rule.sign, rule.warning, rule.limit) for indicator, rule in self._rules.items()}
        self._bands: dict[Indicator, int] = {}
        self._verdicts: list[Verdict] = []
        self.has_crossed = False
        """Whether a threshold was crossed, either way, since `verdicts` was last asked."""
        self.values: dict[Indicator, float] = {}
        """The newest value of each indicator that has one."""

    def put(self, indicator: Indicator, value: float, judged: bool = True) -> None:
        """Take a value. One that is not `judged` is only shown: too little is known for it to mean anything."""
        self.values[indicator] = value
        band = 0
        if judged:
            sign, warning, limit = self._bounds[indicator]
            badness = value * sign
            if badness > warning:
                band = 2 if badness > limit else 1
            elif badness != badness:
                band = 3
        if band or indicator in self._bands:
            self._note(indicator, band)

    def clear(self, indicator: Indicator) -> None:
        """There is no value any more."""
        self.values.pop(indicator, None)
        if self._bands.pop(indicator, 0):
            self.has_crossed = True

    @property
    def is_within(self) -> bool:
        """Whether every value that is judged is within its thresholds."""
        return not self._bands

    def verdicts(self) -> list[Verdict]:
        """What speaks against the subject, with the present values."""
        if self._bands or self.has_crossed:
            self.has_crossed = False
            self._verdicts = [
                self._verdict(indicator, band)
                for indicator, band in self._bands.items()
                if self._speaks(self._rules[indicator], band)
            ]
        return self._verdicts

    def band(self, indicator: Indicator) -> int:
        """0 within its thresholds, 1 beyond the warning, 2 beyond the limit, 3 no number."""
        return self._bands.get(indicator, 0)

    def at_limit(self, indicator: Indicator) -> RiskLevel:
        """The level that an indicator asks for beyond its limit."""
        return self._rules[indicator].at_limit

    @staticmethod
    def _speaks(rule: _Rule, band: int) -> bool:
        """Whether a level follows from here: not where the guard acts, nor beyond a limit that is judged in exact decimals elsewhere."""
        return not rule.by_guard and not (rule.exact and band == 2)

    def _note(self, indicator: Indicator, band: int) -> None:
        if band != self._bands.get(indicator, 0):
            self.has_crossed = True
            if band:
                self._bands[indicator] = band
            else:
                del self._bands[indicator]

    def _level(self, indicator: Indicator, band: int) -> RiskLevel:
        rule = self._rules[indicator]
        if band == 1:
            return rule.at_warning
        return max(rule.at_limit, RiskLevel.RESTRICTED, key=_rank) if band == 3 else rule.at_limit

    def _verdict(self, indicator: Indicator, band: int) -> Verdict:
        rule, value = self._rules[indicator], self.values[indicator]
        bound = rule.warning if band == 1 else rule.limit
        reached = "no number" if band == 3 else "beyond its warning" if band == 1 else "beyond its limit"
        threshold = "" if abs(bound) == _INFINITE else f"{bound * rule.sign:g}"
        return Verdict(
            self._level(indicator, band),
            f"{indicator} is {reached}: {value:.6g} {KINDS[indicator].unit}",
            None,
            indicator.value,
            f"{value:.6g}",
            threshold,
            rule.sight,
        )


def _rule(thresholds: IndicatorThresholds, indicator: Indicator) -> _Rule:
    kind, threshold = KINDS[indicator], thresholds.of(indicator)
    sign = -1.0 if kind.less_is_worse else 1.0
    limit = _INFINITE if threshold.limit is None else threshold.limit * sign
    warning = limit if threshold.warning is None else threshold.warning * sign
    return _Rule(sign, warning, limit, threshold.at_warning, threshold.at_limit, kind.sight, kind.by_guard, kind.exact)
