"""A house under observation: whether it quotes, when it quotes again, and whether it can be drained."""

from __future__ import annotations

from actors.order_manager.core import OrderManagerCore
from actors.order_manager.snapshot import SymbolView
from ops.invariants.money import check_wallets_agree
from ops.invariants.telling import check_incidents_are_told
from ops.simulation.held_back import WorkingOff, is_halted, waits_for_a_person
from ops.simulation.house import House
from protocols.messages.control import ActorState, Drain

STEADY_S = 3.0
"""Everything quotes only when it has done so at each look for this long."""

DRAIN_S = 15.0
"""A drained order manager has stopped within this and the time that its drain may take, once no fault is left."""

LAST_WORDS_S = 3.0
"""What is on its way after the drain arrives within this."""

REST_S = 17.0
"""Inventory asks for positions and balances every 10 s, gives a difference 2 s, and looks at it every 2 s; an answer may be late."""

LOOK_S = 1.0


def replayed_twice(house: House) -> list[str]:
    """I4: an order manager made from its journal is the same when every record is read once more."""
    violations = []
    for name in house.order_managers:
        once, twice = house.read_twice(name)
        if once != twice:
            violations.append(f"I4: {name} made from its journal read twice differs from one made from it read once")
    return violations


class Observation:
    """Looks at the order managers of a house, and notes what takes too long."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._working_off = WorkingOff(house)
        self.violations: list[str] = []
        self.checked = {"I9": 0}

    def until_resumed(self) -> None:
        """Run until everybody has heard what a person ordered; nobody quotes before that, and rightly."""
        while self._house.person.is_waiting:
            self._house.run_s(LOOK_S)
        if self._house.person.gave_up:
            self.violations.append("I9: a person resumed again and again, and was not heard")

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
        self._rest(max(faults_s - took_s, 0.0) + REST_S)

    def _rest(self, bound_s: float) -> None:
        """Wait until nothing is on its way any more: what is judged then is all that there is."""
        while bound_s > 0 and not self._is_at_rest():
            self._house.run_s(LOOK_S)
            bound_s -= LOOK_S

    def _is_at_rest(self) -> bool:
        """Whether every alert has arrived, and inventory lives and has found what it has to find in positions and wallets."""
        house = self._house
        claimed = house.claimed_positions()
        if not claimed or any(lots != house.venue.position_lots(symbol) for symbol, lots in claimed.items()):
            return False
        history = house.history()
        return check_wallets_agree(history).held and check_incidents_are_told(history).held

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
                resting = self._house.venue.resting(symbol)
                self._working_off.look(symbol, view)
                if not (view.gate_open and resting) and not self._is_held(symbol, view):
                    idle[symbol] = ", ".join(view.gate_reasons) or f"gate open, {resting} orders rest at the venue"
        return idle

    def _is_held(self, symbol: str, view: SymbolView) -> bool:
        return (
            is_halted(self._house, symbol, view)
            or waits_for_a_person(self._house, symbol, view)
            or self._working_off.excuses(symbol, view)
        )
