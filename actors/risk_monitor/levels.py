"""Levels: up at once, down one at a time after a quiet time, and what each of them allows."""

from __future__ import annotations

from typing import NamedTuple

from configs.schema import LevelSettings
from protocols.messages.alerts import AlertCode
from protocols.messages.risk import FACTOR_ONE_BPS, RiskLevel, TradingState


class Verdict(NamedTuple):
    """A level and its cause.

    `code` is set where a limit of the configuration was broken; `indicator`, `value` and `threshold` where a number is the cause. A
    `passing` verdict says that something is not known, or what a person decided: it ends with its cause, without a quiet time.
    """

    level: RiskLevel
    reason: str
    code: AlertCode | None = None
    indicator: str = ""
    value: str = ""
    threshold: str = ""
    passing: bool = False

    @property
    def state(self) -> TradingState:
        """What may be sent under it."""
        return self.level.state


NORMAL = Verdict(RiskLevel.NORMAL, "")


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of the highest level, the first of equals; NORMAL for none."""
    return max(verdicts, key=lambda verdict: verdict.level.rank, default=NORMAL)


class Permission(NamedTuple):
    """What a level allows: the state, and factors on the size and on the spread of quotes (10,000 = unchanged)."""

    state: TradingState
    size_factor_bps: int
    spread_factor_bps: int


class Permissions:
    """What each level allows under a configuration. A higher level never allows more."""

    def __init__(self, settings: LevelSettings) -> None:
        size = int(settings.caution_size_factor * FACTOR_ONE_BPS)
        spread = int(settings.caution_spread_factor * FACTOR_ONE_BPS)
        self._factors = {
            RiskLevel.NORMAL: (FACTOR_ONE_BPS, FACTOR_ONE_BPS),
            RiskLevel.CAUTION: (size, spread),
            RiskLevel.RESTRICTED: (size, spread),
            RiskLevel.HALTED: (0, spread),
            RiskLevel.EMERGENCY: (0, spread),
        }

    def of(self, level: RiskLevel) -> Permission:
        """What `level` allows."""
        return Permission(level.state, *self._factors[level])


class Standing:
    """The level of one subject over time."""

    def __init__(self, quiet_ns: int, first: Verdict) -> None:
        self._quiet_ns = quiet_ns
        self._earned = NORMAL
        self._earned_ns = 0
        self.verdict = first
        self.was_known = False
        """Whether it has ever been judged below HALTED: before that everything is merely not known yet."""

    @property
    def earned(self) -> Verdict:
        """What the causes so far have earned: it falls one level at a time. For the memory."""
        return self._earned

    def restore(self, earned: Verdict) -> None:
        """Go on from an earlier life; the quiet time begins anew."""
        self._earned = earned

    def judge(self, verdicts: list[Verdict], now_ns: int) -> Verdict:
        """Take every verdict that holds now; returns the one in force."""
        if not verdicts and self._earned is NORMAL:
            self._earned_ns, self.verdict = now_ns, NORMAL
            return NORMAL
        lasting = worst([verdict for verdict in verdicts if not verdict.passing])
        if lasting.level.rank >= self._earned.level.rank:
            self._earned_ns = now_ns
            if (lasting.level, lasting.indicator) != (self._earned.level, self._earned.indicator):
                self._earned = lasting
        elif self._earned_ns == 0:
            self._earned_ns = now_ns
        elif now_ns - self._earned_ns >= self._quiet_ns:
            below = self._earned.level.below
            self._earned = lasting if lasting.level is below else self._earned._replace(level=below)
            self._earned_ns = now_ns
        self.verdict = worst([*(verdict for verdict in verdicts if verdict.passing), self._earned])
        if self.verdict.level is RiskLevel.NORMAL:
            self.verdict = NORMAL
        return self.verdict

    def note_known(self) -> bool:
        """Whether the subject was known before this judgement; a level below HALTED makes it known."""
        before = self.was_known
        self.was_known = before or self.verdict.level.rank < RiskLevel.HALTED.rank
        return before

    def forgive(self) -> None:
        """A person looked at it: only what holds now counts."""
        self._earned, self._earned_ns = NORMAL, 0
