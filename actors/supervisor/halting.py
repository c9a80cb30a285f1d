"""Stops that outlive everything: the emergency stop, halted shards, and the one way back, `resume`."""

from __future__ import annotations

from actors.supervisor.child import Child
from actors.supervisor.commands import ClearVenue, FlattenVenue, LatchNode, StopLatch, VenueFlattened
from actors.supervisor.system_state import SystemState
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import EmergencyStop, Resume, ShardHalted

CLEAR_WAIT_MS = 20_000
FLATTEN_WAIT_MS = 600_000
HARMLESS_ROLES = frozenset({"alerting", "exchange"})
"""Without these nothing unsafe is sent: giving one up halts no shard."""


class Halting:
    """Latches a stop on file first, then tells everybody."""

    def __init__(self, state: SystemState) -> None:
        self._state = state
        self._resumed = Resume(reason="resumed")

    def stop(self, reason: str) -> set[str]:
        """Emergency stop; returns the names of the children told. Repeating it tells them again."""
        state = self._state
        state.record(StopLatch(present=True, reason=reason))
        first = not state.desired.stopped
        closes = first and bool(state.plan.flatten_arm)
        owed = closes or state.desired.flatten_owed
        state.change_desired(stopped=True, stop_reason=reason, resume_owed=(), lift_owed=(), flatten_owed=owed)
        told = state.tell_all(EmergencyStop(reason=reason))
        self.latch_nodes()
        if closes:
            self.flatten_owed()
        if first:
            state.alert(AlertCode.EMERGENCY_STOP, Severity.CRITICAL, "system", f"emergency stop: {reason}")
        return told

    def note_stop_file(self, present: bool, text: str) -> None:
        """The stop file appeared (somebody else wrote it, or it cannot be read): it counts. It vanished: only `resume` lifts it."""
        state = self._state
        if present and not state.desired.stopped:
            self.stop(text or "the stop file exists")
        elif not present and state.desired.stopped:
            state.record(StopLatch(present=True, reason=state.desired.stop_reason))

    def resume(self, reason: str) -> set[str]:
        """Lift the emergency stop and every halt; returns the names of the children told. Who is away hears of it when it is back."""
        state = self._state
        away = tuple(child.name for child in state.children.values() if not child.is_reachable)
        others = tuple(node for node in state.placement.nodes if node != state.placement.home)
        state.change_desired(
            stopped=False, stop_reason="", halted_shards={}, resume_owed=away, lift_owed=others, flatten_owed=False
        )
        state.record(StopLatch(present=False, reason=reason))
        state.latched.clear()
        self._resumed = Resume(reason=reason)
        self.latch_nodes()
        for child in state.children.values():
            child.given_up = False
            child.history.forget()
        state.alert(AlertCode.RESUMED, Severity.INFO, "system", f"resumed: {reason}")
        here = [child for child in state.children.values() if state.placement.node_of(child.name) not in others]
        state.tell_all(self._resumed, here)  # those on other nodes are told when their stop file is gone
        return {child.name for child in state.reachable()}

    def latch_nodes(self) -> None:
        """Have the stop file written on every other node while a stop holds, and removed from each after a resume."""
        state = self._state
        home, desired = state.placement.home, state.desired
        for node in sorted(state.placement.alive - {home}):
            if desired.stopped and node not in state.latched:
                state.request(LatchNode(node=node, present=True, reason=desired.stop_reason))
            elif not desired.stopped and node in desired.lift_owed:
                state.request(LatchNode(node=node, present=False, reason=self._resumed.reason))

    def note_lifted(self, node: str) -> None:
        """The stop file of a node is gone after a resume: its actors may be told."""
        state = self._state
        if state.desired.stopped or node not in state.desired.lift_owed:
            return
        state.change_desired(lift_owed=tuple(other for other in state.desired.lift_owed if other != node))
        state.tell_all(self._resumed, state.on_node(node))

    def flatten_owed(self) -> None:
        """Have positions closed where that is owed: a supervisor that died meanwhile begins again, which is harmless."""
        if self._state.desired.stopped and self._state.desired.flatten_owed:
            self._state.request(FlattenVenue(wait_ms=FLATTEN_WAIT_MS))

    def note_refused(self, text: str) -> None:
        """A slice was refused; the arm goes on."""
        self._state.alert(AlertCode.EMERGENCY_STOP, Severity.WARNING, "flatten", text)

    def note_flattened(self, message: VenueFlattened) -> None:
        """The arm has ended. It is not run again: a person reads what is left."""
        state = self._state
        state.change_desired(flatten_owed=False)
        severity = Severity.WARNING if message.flat else Severity.CRITICAL
        state.alert(AlertCode.EMERGENCY_STOP, severity, "flatten", message.text)

    def note_missed(self, child: Child) -> None:
        """A resume did not reach a child: its next incarnation hears of it."""
        state = self._state
        if not state.desired.stopped and child.name not in state.desired.resume_owed:
            state.change_desired(resume_owed=(*state.desired.resume_owed, child.name))

    def give_up(self, child: Child, reason: str) -> None:
        """A child ends too often: its shard halts; every shard when it served all of them."""
        state = self._state
        state.alert(AlertCode.RESTART_INTENSITY, Severity.CRITICAL, child.name, reason)
        if child.role in HARMLESS_ROLES:
            return
        shards = state.shards() if child.shard is None else [child.shard]
        halted = {shard: reason for shard in shards if shard not in state.desired.halted_shards}
        state.change_desired(halted_shards={**state.desired.halted_shards, **halted})
        for shard in halted:
            state.tell_all(ShardHalted(shard=shard, reason=reason), state.of_shard(shard))
            if not self._order_manager_lives(shard, child):
                state.request(ClearVenue(shard=shard, symbols=state.symbols(shard), wait_ms=CLEAR_WAIT_MS))

    def tell_newcomer(self, child: Child) -> None:
        """What holds while a child was away."""
        state = self._state
        if state.desired.stopped:
            state.tell(child, EmergencyStop(reason=state.desired.stop_reason))
        elif child.name in state.desired.resume_owed:
            owed = tuple(name for name in state.desired.resume_owed if name != child.name)
            state.change_desired(resume_owed=owed)
            state.tell(child, Resume(reason="resumed while it was away"))
        for shard, reason in state.desired.halted_shards.items():
            if child.shard in (shard, None):
                state.tell(child, ShardHalted(shard=shard, reason=reason))

    def _order_manager_lives(self, shard: int, given_up: Child) -> bool:
        managers = [child for child in self._state.order_managers() if child.plan.spec.shard == shard]
        return all(child.is_reachable and child is not given_up for child in managers)
