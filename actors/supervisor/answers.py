"""Commands of people: what each sets in motion, and when it is answered."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import assert_never

from actors.supervisor.child import Child, Phase
from actors.supervisor.commands import (
    ChangeConsidered,
    ChildTold,
    ClearVenue,
    CommandGiven,
    GiveAnswer,
    VenueCleared,
)
from actors.supervisor.halting import CLEAR_WAIT_MS, Halting
from actors.supervisor.lifecycle import Lifecycle
from actors.supervisor.reloading import Reloading
from actors.supervisor.system_state import SystemState
from protocols.effects import LogLevel
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import (
    Answer,
    ChangeSetting,
    EmergencyStop,
    GetStatus,
    HoldLevel,
    Reconcile,
    RestartActor,
    Resume,
    SettingsChanged,
    Shutdown,
    StartActor,
    StopActor,
    SystemStatus,
)

PENDING_MAX = 64
TOLD_WAIT_NS = 2_000_000_000


class Goal(enum.Enum):
    """What a command waits for."""

    UP = "up"
    GONE = "gone"
    TOLD = "told"
    SHUT_DOWN = "shut down"


@dataclass
class Pending:
    """A command whose effect is awaited. `epochs` are those that must be over for UP; `untold` who has not confirmed."""

    ask_id: int
    goal: Goal
    text: str
    deadline_ns: int
    children: list[Child]
    epochs: dict[str, int]
    untold: set[str]
    missed: set[str] = field(default_factory=set)
    message: EmergencyStop | Resume | HoldLevel | Reconcile | SettingsChanged | None = None


class Answers:
    """Starts what is asked for and answers when it is seen, or when it was waited for long enough."""

    def __init__(self, state: SystemState, lifecycle: Lifecycle, halting: Halting) -> None:
        self._state = state
        self._lifecycle = lifecycle
        self._halting = halting
        self._reloading = Reloading(state)
        self._pending: list[Pending] = []
        self._clearing = False
        self._cleared: VenueCleared | None = None

    def give(self, given: CommandGiven, status: SystemStatus) -> None:
        """Act on a command. GetStatus is answered at once."""
        command = given.command
        if len(self._pending) >= PENDING_MAX:
            self._answer(given.ask_id, False, False, f"{PENDING_MAX} commands are waiting already: try again")
            return
        match command:
            case GetStatus():
                self._state.request(GiveAnswer(ask_id=given.ask_id, answer=status))
            case StartActor(name=name):
                self._set_wanted(given.ask_id, name, wanted=True)
            case StopActor(name=name):
                self._set_wanted(given.ask_id, name, wanted=False)
            case RestartActor(name=name):
                self._restart(given.ask_id, name)
            case Shutdown():
                self._state.change_desired(shutting_down=True)
                self._await(given.ask_id, Goal.SHUT_DOWN, "everything is stopped", [], self._shutdown_wait_ns())
            case EmergencyStop(reason=reason):
                told = self._halting.stop(reason)
                self._await_told(given.ask_id, "no further order leaves", told, command)
            case Resume(reason=reason):
                told = self._halting.resume(reason)
                self._await_told(given.ask_id, "resumed", told, command)
            case HoldLevel():
                self._hold(given.ask_id, command)
            case Reconcile():
                self._reconcile(given.ask_id, command)
            case ChangeSetting():
                self._reloading.ask(given.ask_id, command)
            case _:
                assert_never(command)

    def note_told(self, message: ChildTold) -> None:
        """A child confirmed an emergency stop or a resume; one that missed it hears it again."""
        for pending in self._pending:
            if pending.message != message.message or message.name not in pending.untold:
                continue
            if message.reached:
                pending.untold.discard(message.name)
            else:
                pending.missed.add(message.name)

    def note_considered(self, considered: ChangeConsidered) -> None:
        """A change of settings was judged: carry it out, and answer who asked for it."""
        if considered.base_json != self._state.settings_json:
            if considered.ask_id:
                self._answer(considered.ask_id, False, False, "the settings changed at the same moment: try again")
            return
        carried = self._reloading.carry_out(considered)
        if carried is not None:
            message, told = carried
            note = "until the next start: write it into the configuration to keep it" if considered.ask_id else ""
            self._await_told(considered.ask_id, "; ".join(filter(None, (*considered.changes, note))), told, message)
        elif considered.ask_id:
            self._answer(considered.ask_id, False, False, considered.refused or "nothing changes by it")

    def tick(self) -> None:
        """Tell again who missed a stop or a resume."""
        for pending in self._pending:
            missed, pending.missed = pending.missed, set()
            if pending.message is not None:
                self._state.tell_all(pending.message, [self._state.children[name] for name in sorted(missed)])

    def note_cleared(self, message: VenueCleared) -> None:
        """The arm at the venue has ended."""
        if message.shard is None:
            self._clearing, self._cleared = False, message
        subject = "venue" if message.shard is None else f"shard {message.shard}"
        severity = Severity.WARNING if message.cleared else Severity.CRITICAL
        self._state.alert(AlertCode.EMERGENCY_STOP, severity, subject, message.text)

    def advance(self) -> None:
        """Answer every command whose effect is seen, or whose time is over."""
        for pending in list(self._pending):
            if self._is_reached(pending):
                self._finish(pending, confirmed=True, text=pending.text)
            elif self._state.now_ns >= pending.deadline_ns:
                self._finish(pending, confirmed=False, text=f"{pending.goal.value}: not seen in time")
        if self._is_shut_down():
            self._answer_shutdown()

    def _hold(self, ask_id: int, command: HoldLevel) -> None:
        """The risk monitor keeps the hold on file, so it must hear of it now."""
        state = self._state
        if command.subject != "account" and command.subject not in state.symbols(None):
            self._answer(ask_id, False, False, f"{command.subject} is neither a traded symbol nor the account")
            return
        monitors = [child for child in state.named("risk_monitor") if child.is_reachable]
        if not monitors:
            self._answer(ask_id, False, False, "the risk monitor is away: try again")
            return
        what = f"is at least {command.level}" if command.level is not None else "is held no more"
        told = state.tell_all(command, monitors)
        self._await_told(ask_id, f"{command.subject} {what}", told, command)

    def _reconcile(self, ask_id: int, command: Reconcile) -> None:
        """Who is asked shows in its own view what it found."""
        state = self._state
        asked = [*state.order_managers(), *state.named("inventory")]
        away = [child.name for child in asked if not child.is_reachable]
        if away:
            self._answer(ask_id, False, False, f"{', '.join(away)}: away; it compares by itself when it comes back")
            return
        self._await_told(ask_id, "comparing with the venue", state.tell_all(command, asked), command)

    def _set_wanted(self, ask_id: int, name: str, wanted: bool) -> None:
        state = self._state
        children = state.named(name)
        if not children:
            self._answer(ask_id, False, False, self._unknown(name))
            return
        for child in children:
            child.wanted = wanted
            if wanted:
                child.given_up = False
                child.history.forget()
        state.change_desired(unwanted=tuple(sorted(c.name for c in state.children.values() if not c.wanted)))
        if not wanted:
            for child in children:
                self._lifecycle.end(child)
        goal = Goal.UP if wanted else Goal.GONE
        text = f"{name} {'is running' if wanted else 'is stopped'}"
        self._await(ask_id, goal, text, children, self._change_wait_ns())

    def _restart(self, ask_id: int, name: str) -> None:
        children = [child for child in self._state.named(name) if child.wanted]
        if not children:
            self._answer(ask_id, False, False, self._unknown(name))
            return
        epochs = {child.name: child.epoch for child in children if child.phase is Phase.UP}
        for child in children:
            child.given_up = False
            child.history.forget()
            self._lifecycle.end(child)
        self._await(ask_id, Goal.UP, f"{name} is running anew", children, self._change_wait_ns(), epochs)

    def _await(
        self,
        ask_id: int,
        goal: Goal,
        text: str,
        children: list[Child],
        wait_ns: int,
        epochs: dict[str, int] | None = None,
    ) -> None:
        deadline_ns = self._state.now_ns + wait_ns
        self._pending.append(Pending(ask_id, goal, text, deadline_ns, children, epochs or {}, set()))

    def _await_told(
        self,
        ask_id: int,
        text: str,
        told: set[str],
        message: EmergencyStop | Resume | HoldLevel | Reconcile | SettingsChanged,
    ) -> None:
        deadline_ns = self._state.now_ns + TOLD_WAIT_NS
        self._pending.append(Pending(ask_id, Goal.TOLD, text, deadline_ns, [], {}, told, message=message))

    def _is_reached(self, pending: Pending) -> bool:
        match pending.goal:
            case Goal.UP:
                return all(
                    child.phase is Phase.UP
                    and child.vitals is not None
                    and child.epoch > pending.epochs.get(child.name, 0)
                    for child in pending.children
                )
            case Goal.GONE:
                return all(child.phase is Phase.ABSENT for child in pending.children)
            case Goal.TOLD:
                lost = {name for name in pending.untold if not self._state.children[name].is_reachable}
                pending.untold -= lost  # who died meanwhile is told when it comes back, before it may do anything
                return not pending.untold
            case Goal.SHUT_DOWN:
                return False
            case _:
                assert_never(pending.goal)

    def _finish(self, pending: Pending, confirmed: bool, text: str) -> None:
        self._pending.remove(pending)
        if pending.untold:
            text = f"{text}; no confirmation from {', '.join(sorted(pending.untold))}"
        self._answer(pending.ask_id, True, confirmed, text)

    def _is_shut_down(self) -> bool:
        waiting = any(pending.goal is Goal.SHUT_DOWN for pending in self._pending)
        return waiting and self._state.found and self._state.all_absent()

    def _answer_shutdown(self) -> None:
        """Orders that no order manager confirmed to be gone are cleared by the arm that needs none."""
        state = self._state
        doubtful = [child.name for child in state.order_managers() if child.tried and not child.drained]
        if doubtful and self._cleared is None:
            if not self._clearing:
                self._clearing = True
                state.log(LogLevel.WARNING, f"not drained: {', '.join(doubtful)}; clearing at the venue")
                state.request(ClearVenue(shard=None, symbols=state.symbols(None), wait_ms=CLEAR_WAIT_MS))
            return
        confirmed = not doubtful or (self._cleared is not None and self._cleared.cleared)
        text = "everything is stopped, no order is left" if confirmed else self._doubt(doubtful)
        for pending in [pending for pending in self._pending if pending.goal is Goal.SHUT_DOWN]:
            self._finish(pending, confirmed, text)

    def _doubt(self, doubtful: list[str]) -> str:
        reason = self._cleared.text if self._cleared else "not cleared"
        return f"stopped, but {', '.join(doubtful)} did not confirm that no order is left ({reason})"

    def _unknown(self, name: str) -> str:
        known = ", ".join(sorted(self._state.children))
        return f"no actor or role is named {name!r}: there are {known}"

    def _answer(self, ask_id: int, done: bool, confirmed: bool, text: str) -> None:
        self._state.request(GiveAnswer(ask_id=ask_id, answer=Answer(done=done, confirmed=confirmed, text=text)))

    def _change_wait_ns(self) -> int:
        settings = self._state.settings
        return (settings.drain_timeout_ms + settings.stop_timeout_ms + settings.start_timeout_ms) * 1_000_000

    def _shutdown_wait_ns(self) -> int:
        settings = self._state.settings
        levels = len({child.plan.start_order for child in self._state.children.values()})
        return (settings.drain_timeout_ms + levels * settings.stop_timeout_ms + CLEAR_WAIT_MS) * 1_000_000
