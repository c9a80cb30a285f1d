"""The behaviour guard: what is done before the venue locks a symbol for its rules. A cancel is never refused.

First remedy: a least life of quotes (unless their price is wrong) and a wider tolerance of the ladder. Only when that has been in force
for a whole window of the venue and the ratio is still near its trigger: fewer levels.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from actors.risk_monitor.board import Board
from actors.risk_monitor.derived import Derived
from configs.schema import BehaviourSettings, Indicator
from protocols.messages.risk import FACTOR_ONE_BPS
from protocols.venue import RuleReport

_RULES = {Indicator.CANCEL_RATIO: "GCR", Indicator.UNFILLED_RATIO: "UFR", Indicator.DUST_RATIO: "DR"}
"""The venue's names of its ratios."""

_MS = 1_000_000


class Remedy(NamedTuple):
    """What the guard asks of the order manager: see `SymbolLimits`."""

    quote_life_ms_min: int
    tolerance_factor_bps: int
    levels_max: int


NOTHING = Remedy(0, FACTOR_ONE_BPS, 0)


class BehaviourGuard:
    """Remedies of one symbol."""

    def __init__(self, symbol: str, settings: BehaviourSettings) -> None:
        self._symbol = symbol
        self._settings = settings
        self._told = Derived[dict[Indicator, int]]()
        self._since_ns = 0
        self._quiet_ns = 0

    def judge(self, board: Board, rules: Collection[RuleReport], now_ns: int) -> Remedy:
        """What is asked for now. What the venue says of a ratio replaces our own count of it."""
        if board.is_within and not rules and not self._since_ns:
            return NOTHING
        told = self._told.of(self._bands, rules)
        worst = max(told[i] if i in told else board.band(i) for i in _RULES)
        if worst:
            self._since_ns, self._quiet_ns = self._since_ns or now_ns, now_ns
        elif self._since_ns and now_ns - self._quiet_ns >= self._settings.window_ms * _MS:
            self._since_ns = 0
        if not self._since_ns:
            return NOTHING
        settings = self._settings
        lasted = now_ns - self._since_ns >= settings.window_ms * _MS
        levels_max = settings.levels_max if worst >= 2 and lasted else 0
        tolerance_bps = round(settings.tolerance_factor * FACTOR_ONE_BPS)
        return Remedy(settings.life_ms, tolerance_bps, levels_max)

    def _bands(self, rules: Collection[RuleReport]) -> dict[Indicator, int]:
        """How near the venue says that each ratio of the symbol is to its trigger, where it says anything."""
        told = {rule.rule: rule for rule in rules if rule.symbol == self._symbol}
        return {indicator: self._band(told[name]) for indicator, name in _RULES.items() if name in told}

    def _band(self, told: RuleReport) -> int:
        """0 well within, 1 near (80 % of the trigger), 2 nearly there."""
        value, trigger = float(told.value), float(told.trigger)
        if value >= 1.0 - (1.0 - trigger) / self._settings.trigger_share:
            return 2
        return 1 if value >= trigger * self._settings.trigger_share else 0
