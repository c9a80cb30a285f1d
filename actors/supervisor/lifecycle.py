"""How children come to life and end: order of start and stop, epochs and their announcement, restarts, giving up.

Every step is taken from the state as it is (`advance`), not from memory of what was asked, so that a supervisor that was killed in
the middle goes on where it finds its children.
"""

from __future__ import annotations

import msgspec

from actors.supervisor.child import Child, Phase
from actors.supervisor.commands import (
    AllocateEpoch,
    ChildDied,
    ChildFailed,
    ChildGone,
    ChildrenFound,
    ChildStarted,
    ChildTold,
    EpochAllocated,
    EpochRefused,
    FoundChild,
    KillChild,
    StartChild,
    StopChild,
    WatchChild,
)
from actors.supervisor.halting import Halting
from actors.supervisor.system_state import SystemState
from protocols.effects import LogLevel
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import ActorSpec, ActorState, ChildSpec, Drain, EpochAnnounced, Resume

ANNOUNCE_WAIT_NS = 1_000_000_000
"""A new epoch is started when everybody who must know it does, or after this; who missed it is told again until it knows."""

EPOCH_RETRY_NS = 1_000_000_000


class Lifecycle:
    """Moves every child towards what is wanted."""

    def __init__(self, state: SystemState, halting: Halting) -> None:
        self._state = state
        self._halting = halting
        self._epoch_retry_ns = 0
        self._announce_due = False

    def advance(self) -> None:
        """Take every step that can be taken now."""
        if not self._state.found:
            return
        if self._state.desired.shutting_down:
            self._advance_shutdown()
        else:
            self._advance_boot()
            for child in self._state.children.values():
                self._advance_child(child)
        for child in self._state.children.values():
            if child.phase is Phase.DRAINING:
                self._advance_draining(child)
        self._announce()

    def end(self, child: Child) -> None:
        """Drain and stop a child, because somebody wants it."""
        state = self._state
        if child.phase in (Phase.ALLOCATING, Phase.ANNOUNCING):
            child.enter(Phase.ABSENT, state.now_ns)
        elif child.phase is Phase.UP:
            child.expected_end = True
            if child.role == "order_manager":
                child.enter(Phase.DRAINING, state.now_ns)
                state.tell(child, Drain())
            else:
                self._stop(child)

    def kill(self, child: Child, text: str) -> None:
        """End a child that does not obey, at once."""
        child.text = text
        child.enter(Phase.KILLING, self._state.now_ns)
        self._request_kill(child)

    def note_found(self, message: ChildrenFound) -> None:
        """Adopt what lives; end what never came to life; tell of what died while nobody watched."""
        state = self._state
        for found in message.found:
            child = state.children.get(found.name)
            if child is None or child.phase is not Phase.ABSENT:
                continue
            self._adopt(child, found)
        state.found = True
        if state.desired.booted and not state.desired.shutting_down:
            for child in state.children.values():
                if child.phase is Phase.ABSENT and child.wanted and child.epoch and not child.given_up:
                    self._note_unexpected_end(child, "not alive when the supervisor came back")

    def note_epoch(self, message: EpochAllocated) -> None:
        """A child may use a new epoch: everybody concerned is told first."""
        child = self._state.children.get(message.name)
        if child is None or child.phase is not Phase.ALLOCATING:
            return
        child.epoch = message.epoch
        child.restarts += child.tried
        desired = self._state.desired
        self._state.change_desired(
            epochs={**desired.epochs, child.name: child.epoch},
            restarts={**desired.restarts, child.name: child.restarts},
        )
        child.enter(Phase.ANNOUNCING, self._state.now_ns)
        self._announce_due = True

    def note_epoch_refused(self, message: EpochRefused) -> None:
        """Nothing starts without an epoch; it is asked for again."""
        state = self._state
        child = state.children.get(message.name)
        if child is None or child.phase is not Phase.ALLOCATING:
            return
        child.enter(Phase.ABSENT, state.now_ns)
        if child.text != message.text:
            child.text = message.text
            state.alert(AlertCode.RECOVERY_FAILED, Severity.CRITICAL, child.name, message.text)
        self._epoch_retry_ns = state.now_ns + EPOCH_RETRY_NS

    def note_told(self, message: ChildTold) -> None:
        """A control message was taken, or not; announcements that were missed are repeated."""
        child = self._state.current(message.name, message.epoch)
        if child is not None and isinstance(message.message, Resume) and not message.reached:
            self._halting.note_missed(child)
        if child is None or not isinstance(message.message, EpochAnnounced):
            return
        announced = message.message
        if child.telling.get(announced.name) == announced.epoch:
            if message.reached:
                del child.telling[announced.name]
                child.told[announced.name] = announced.epoch
            else:
                child.telling[announced.name] = -announced.epoch

    def note_started(self, message: ChildStarted) -> None:
        """The child is up: watch it, and tell it what holds."""
        state = self._state
        child = state.current(message.name, message.epoch)
        if child is None or child.phase is not Phase.STARTING:
            return
        child.pid = message.pid
        child.text = ""
        child.drained = False
        child.enter(Phase.UP, state.now_ns)
        self._announce_due = True
        state.request(WatchChild(name=child.name, epoch=child.epoch))
        self._halting.tell_newcomer(child)
        if child.restarts:
            text = f"restarted under epoch {child.epoch} (restart {child.restarts})"
            state.alert(AlertCode.ACTOR_RESTARTED, Severity.INFO, child.name, text)

    def note_failed(self, message: ChildFailed) -> None:
        """The start failed; what is left of it is ended before the next attempt."""
        child = self._state.current(message.name, message.epoch)
        if child is None or child.phase is not Phase.STARTING:
            return
        self._note_unexpected_end(child, f"did not start: {message.text}")
        self.kill(child, message.text)

    def note_died(self, message: ChildDied) -> None:
        """A process ended; it is verified that nothing of it is left before another starts."""
        child = self._state.current(message.name, message.epoch)
        if child is None or child.phase not in (Phase.STARTING, Phase.UP, Phase.DRAINING):
            return
        if not child.expected_end:
            self._note_unexpected_end(child, message.text)
        self.kill(child, message.text)

    def note_gone(self, message: ChildGone) -> None:
        """No process is left, or one could not be ended yet: then it is tried again."""
        state = self._state
        child = state.current(message.name, message.epoch)
        if child is None or child.phase not in (Phase.KILLING, Phase.STOPPING):
            return
        if not message.gone:
            text = message.text or f"pid {child.pid} is not verified gone"
            state.alert(AlertCode.ACTOR_HUNG, Severity.CRITICAL, child.name, text)
            child.enter(Phase.KILLING, state.now_ns)
            child.survived = True
            return
        child.forget_process()
        child.stopped, child.expected_end = child.expected_end, False
        child.enter(Phase.ABSENT, state.now_ns)

    def note_unexpected_hang(self, child: Child, text: str) -> None:
        """A child that hangs counts as one that died."""
        self._note_unexpected_end(child, text, AlertCode.ACTOR_HUNG)
        self.kill(child, text)

    def note_memory_exceeded(self, child: Child, text: str) -> None:
        """A child takes more memory than it may: ended in order (its orders are cancelled first), it counts as one that died."""
        self._note_unexpected_end(child, text, AlertCode.MEMORY_EXCEEDED)
        child.text = text
        self.end(child)

    def note_node_lost(self, node: str) -> None:
        """A node is lost: nothing that runs there counts any more."""
        for child in self._state.on_node(node):
            if child.phase in (Phase.ALLOCATING, Phase.ANNOUNCING):
                child.enter(Phase.ABSENT, self._state.now_ns)
            elif child.phase in (Phase.STARTING, Phase.UP, Phase.DRAINING):
                self.note_died(ChildDied(name=child.name, epoch=child.epoch, text=f"its node {node} is lost"))
            elif child.phase in (Phase.KILLING, Phase.STOPPING):
                self._request_kill(child)  # the agent that was asked to verify it is lost as well

    def _adopt(self, child: Child, found: FoundChild) -> None:
        state = self._state
        child.tried = True
        child.pid = found.pid
        if found.answered and not found.started:
            self.kill(child, "left behind before it came to life")
            return
        if found.answered:
            child.epoch = found.epoch
        child.enter(Phase.UP, state.now_ns)
        self._announce_due = True
        state.request(WatchChild(name=child.name, epoch=child.epoch))
        state.log(LogLevel.INFO, f"{child.name}: adopted under epoch {child.epoch}, pid {child.pid}")
        self._halting.tell_newcomer(child)

    def _advance_boot(self) -> None:
        """The first start goes level by level; after it everything is restarted for itself."""
        state = self._state
        if state.desired.booted:
            return
        pending = [child for child in state.children.values() if child.wanted and not self._has_had_its_turn(child)]
        if not pending:
            state.change_desired(booted=True)

    def _has_had_its_turn(self, child: Child) -> bool:
        return child.phase is Phase.UP or child.history.has_ended

    def _may_boot(self, child: Child) -> bool:
        return self._state.desired.booted or all(
            self._has_had_its_turn(other)
            for other in self._state.children.values()
            if other.wanted and other.plan.start_order < child.plan.start_order
        )

    def _advance_child(self, child: Child) -> None:
        state = self._state
        if child.phase is Phase.ABSENT:
            replaceable = child.plan.replaceable or not child.tried
            due = state.now_ns >= max(child.history.next_start_ns(), self._epoch_retry_ns)
            wanted = child.wanted and not child.given_up and replaceable and due and self._may_boot(child)
            if wanted and self._is_placed(child):
                child.enter(Phase.ALLOCATING, state.now_ns)
                state.request(AllocateEpoch(name=child.name, floor=state.plan.epoch_floor))
            elif child.given_up and child.role == "alerting" and state.now_ns >= child.history.window_over_ns():
                child.given_up = False  # alerting is never given up for good: nobody's orders depend on it
        elif child.phase is Phase.UP and not child.wanted:
            self.end(child)
        elif child.phase is Phase.ANNOUNCING:
            missing = [
                other
                for other in state.reachable()
                if other.hears_of(child) and other.told.get(child.name) != child.epoch
            ]
            if not missing or state.now_ns - child.since_ns >= ANNOUNCE_WAIT_NS:
                self._start(child)

    def _is_placed(self, child: Child) -> bool:
        """Whether its node is alive; a shard whose node is lost gets another one, if there is any."""
        state = self._state
        if state.placement.is_reachable(child.name) or child.shard is None:
            return state.placement.is_reachable(child.name)
        if any(other.phase is not Phase.ABSENT for other in state.children.values() if other.shard == child.shard):
            return False  # it moves as a whole, when the last of it has ended
        chosen = state.placement.choose(state.shards() if not state.placement.assigned else [child.shard])
        if chosen != state.placement.assigned:
            state.placement.assigned = chosen
            state.change_desired(assigned=chosen)
            state.log(LogLevel.WARNING, f"shard {child.shard} is placed on node {chosen.get(child.shard)}")
        return state.placement.is_reachable(child.name)

    def _advance_draining(self, child: Child) -> None:
        state = self._state
        if child.vitals is not None and child.vitals.state is ActorState.STOPPED:
            child.drained = True
            self._stop(child)
        elif state.now_ns - child.since_ns >= state.settings.drain_timeout_ms * 1_000_000:
            text = f"orders not confirmed gone within {state.settings.drain_timeout_ms} ms"
            child.text = text
            state.alert(AlertCode.RECOVERY_FAILED, Severity.CRITICAL, child.name, text)
            self._stop(child)

    def _advance_shutdown(self) -> None:
        """Stop the highest level that has processes left; the one below waits until it is gone."""
        alive = [child for child in self._state.children.values() if child.phase is not Phase.ABSENT]
        if alive:
            level = max(child.plan.start_order for child in alive)
            for child in alive:
                if child.plan.start_order == level or child.phase in (Phase.ALLOCATING, Phase.ANNOUNCING):
                    self.end(child)

    def _announce(self) -> None:
        if not self._announce_due:
            return
        self._announce_due = False
        state = self._state
        for subject in state.children.values():
            if subject.phase in (Phase.ABSENT, Phase.ALLOCATING) or not subject.epoch:
                continue
            for reader in state.reachable():
                known = subject.epoch in (reader.told.get(subject.name), reader.telling.get(subject.name))
                missed = reader.telling.get(subject.name) == -subject.epoch
                if known or missed or not reader.hears_of(subject):
                    continue
                reader.telling[subject.name] = subject.epoch
                state.tell(reader, self._announcement(subject, reader))

    def tick(self) -> None:
        """Repeat what did not succeed: announcements that were missed, ends that were not verified."""
        for child in self._state.children.values():
            child.telling = {name: epoch for name, epoch in child.telling.items() if epoch > 0}
            if child.phase is Phase.KILLING and child.survived:
                child.survived = False
                self._request_kill(child)
        self._announce_due = True

    def _announcement(self, subject: Child, reader: Child) -> EpochAnnounced:
        spec, state = subject.plan.spec, self._state
        address = state.placement.address(subject.name, reader.name)
        return EpochAnnounced(
            name=spec.name, shard=spec.shard, epoch=subject.epoch, announced_ns=state.now_ns, address=address
        )

    def _start(self, child: Child) -> None:
        state = self._state
        child.tried = True
        child.enter(Phase.STARTING, state.now_ns)
        spec = state.placement.spec(child, child.epoch, state.now_ns)
        if state.desired.settings_json:
            spec = msgspec.structs.replace(spec, config_json=state.desired.settings_json)
        if child.role == "order_manager":
            spec = self._with_journal(child, spec)
        plan: ChildSpec = msgspec.structs.replace(child.plan, spec=spec)
        state.request(StartChild(child=plan, wait_ms=state.settings.start_timeout_ms))

    def _with_journal(self, child: Child, spec: ActorSpec) -> ActorSpec:
        """Tell an order manager when the journal of its node is not the newest, and note that from now on it is."""
        nodes = self._state.desired.journal_nodes
        kept = nodes.get(spec.shard, "")
        if spec.node:
            self._state.change_desired(journal_nodes={**nodes, spec.shard: spec.node})
        return msgspec.structs.replace(spec, journal_is_behind=kept not in ("", spec.node))

    def _stop(self, child: Child) -> None:
        state = self._state
        child.enter(Phase.STOPPING, state.now_ns)
        wait_ms = state.settings.stop_timeout_ms
        node = state.placement.node_of(child.name)
        state.request(
            StopChild(
                name=child.name,
                epoch=child.epoch,
                pid=child.pid,
                wait_ms=wait_ms,
                node=node,
                frees_name=not state.desired.shutting_down,
            )
        )

    def _request_kill(self, child: Child) -> None:
        state = self._state
        state.request(
            KillChild(
                name=child.name,
                epoch=child.epoch,
                pid=child.pid,
                wait_ms=state.settings.stop_timeout_ms,
                node=state.placement.node_of(child.name),
                verify=state.placement.is_reachable(child.name),
                frees_name=not state.desired.shutting_down,
            )
        )

    def _note_unexpected_end(self, child: Child, text: str, code: AlertCode = AlertCode.ACTOR_DIED) -> None:
        state = self._state
        child.history.note_end(state.now_ns)
        severity = Severity.WARNING if child.plan.replaceable else Severity.CRITICAL
        state.alert(code, severity, child.name, text)
        if child.history.exceeded() and not state.desired.shutting_down:
            child.given_up = True
            seconds = state.settings.restart_window_ms / 1_000
            reason = f"{child.name} ended more than {state.settings.restarts_max} times in {seconds:g} s: {text}"
            self._halting.give_up(child, reason)
