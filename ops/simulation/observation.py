"""A house under observation: whether it quotes, when it quotes again, and whether it can be drained."""

from __future__ import annotations

from actors.order_manager.core import OrderManagerCore
from actors.risk_monitor.core import RiskMonitorCore
from configs.schema import Indicator
from ops.simulation.house import House
from protocols.messages.alerts import AlertCode
from protocols.messages.control import ActorState, Drain

STEADY_S = 3.0
"""Everything quotes only when it has done so at each look for this long."""

DRAIN_S = 15.0
"""A drained order manager has stopped within this and the time that its drain may take, once no fault is left."""

LAST_WORDS_S = 3.0
"""What is on its way after the drain arrives within this."""

LOOK_S = 1.0

_HALT_ALERTS = frozenset(
    {
        AlertCode.ORDER_ZOMBIE,
        AlertCode.BAD_DATA,
        AlertCode.LIMIT_BREACHED,
        AlertCode.DAILY_LOSS,
        AlertCode.KEY_REFUSED,
        AlertCode.MARGIN_CALL,
    }
)

_LASTING = (
    Indicator.HOURLY_PNL.value,
    Indicator.DAILY_LOSS.value,
    Indicator.DRAWDOWN.value,
    Indicator.INVALID_RATIO.value,
    "the day's loss",
    "the drawdown",
    "the breaker of losses is open",
)
"""How the reasons of levels begin that rightly last longer than a run: losses, and windows of ten minutes."""

_ACCEPT = "then resume to accept it"
"""How they end where a person has to look at a difference of the account."""


def replayed_twice(house: House) -> list[str]:
    """I4: an order manager made from its journal is the same when every record is read once more."""
    violations = []
    for name in house.order_managers:
        once, twice = (house.from_journal(name, times) for times in (1, 2))
        if once != twice:
            violations.append(f"I4: {name} made from its journal read twice differs from one made from it read once")
    return violations


class Observation:
    """Looks at the order managers of a house, and notes what takes too long."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.violations: list[str] = []
        self.checked = {"I9": 0}

    def until_quoting(self, bound_s: float, since: str) -> float:
        """Run until every symbol quotes steadily or is halted with an alert; the seconds that it took. Too late is a violation."""
        house = self._house
        took_s = steady_since_s = 0.0
        self.checked["I9"] += 1
        while took_s < bound_s + STEADY_S:
            house.run_s(LOOK_S)
            took_s += LOOK_S
            if self._idle():
                steady_since_s = took_s
            elif took_s - steady_since_s >= STEADY_S:
                return steady_since_s
        for symbol, why in (self._idle() or {"everything": "its quotes come and go"}).items():
            self.violations.append(f"I9: {symbol} does not quote {bound_s:g} s after {since}: {why}")
        return took_s

    def drain(self, faults_s: float) -> None:
        """Drain every order manager and wait until it has stopped; a successor that comes meanwhile is drained too.

        Args:
            faults_s: seconds until the last fault, and what it makes others wait for, is over: the bound counts from there.
        """
        house = self._house
        bound_s = max(faults_s, 0.0) + DRAIN_S + house.settings.supervision.drain_timeout_ms / 1_000
        took_s = 0.0
        left: list[str] = []
        drained: dict[str, int] = {}
        while took_s < bound_s:
            for name in house.order_managers:
                if house.world.core_of(name) is not None and drained.get(name) != house.world.epoch_of(name):
                    drained[name] = house.world.epoch_of(name)
                    house.tell(name, Drain())
            house.run_s(LOOK_S)
            took_s += LOOK_S
            left = self._not_stopped()
            if not left:
                break
        else:
            self.violations.append(f"END: not drained after {took_s:g} s: {', '.join(left)}")
        house.run_s(LAST_WORDS_S)

    def _not_stopped(self) -> list[str]:
        found = []
        for name in self._house.order_managers:
            core = self._house.world.core_of(name)
            if not isinstance(core, OrderManagerCore) or core.state is not ActorState.STOPPED:
                found.append(name)
        return found

    def _idle(self) -> dict[str, str]:
        """Symbols that neither quote nor are halted with an alert, and why."""
        idle: dict[str, str] = {}
        for name in self._house.order_managers:
            core = self._house.world.core_of(name)
            if not isinstance(core, OrderManagerCore):
                idle[name] = "it is dead"
                continue
            for symbol, view in core.snapshot().symbols.items():
                is_halted = bool(view.halted) and bool(_HALT_ALERTS & self._house.alerts.keys())
                resting = self._house.venue.resting(symbol)
                if not is_halted and not (view.gate_open and resting) and not self._waits_for_a_person(symbol):
                    idle[symbol] = ", ".join(view.gate_reasons) or f"gate open, {resting} orders rest at the venue"
        return idle

    def _waits_for_a_person(self, symbol: str) -> bool:
        """Whether the risk monitor holds the symbol back, and has said so, for what rightly lasts or for what a person has to accept."""
        core = self._house.world.core_of("risk_monitor")
        if not isinstance(core, RiskMonitorCore) or AlertCode.LEVEL_CHANGED not in self._house.alerts:
            return False
        seen = core.snapshot()
        reasons = (seen.reason, seen.symbols[symbol].reason)
        return any(reason.startswith(_LASTING) or reason.endswith(_ACCEPT) for reason in reasons)
