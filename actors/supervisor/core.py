"""The supervisor's core: keeps the actors of a plan alive, each incarnation under an epoch of its own, and stops them in order.

It decides only; the shell (actor.py) carries out what `commands.py` names. What it wants is on file before it acts, and it acts from
what it finds, so its own death changes nothing for its children.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from actors.supervisor.answers import Answers
from actors.supervisor.child import Child
from actors.supervisor.commands import (
    ChangeConsidered,
    ChildDied,
    ChildFailed,
    ChildGone,
    ChildProbed,
    ChildRead,
    ChildrenFound,
    ChildStarted,
    ChildTold,
    CommandGiven,
    Desired,
    EpochAllocated,
    EpochRefused,
    FindChildren,
    FlattenRefused,
    HeadSilent,
    NodeBeaten,
    NodeLatched,
    NodesSeen,
    StopLatch,
    SupervisorMailbox,
    VenueCleared,
    VenueFlattened,
)
from actors.supervisor.halting import Halting
from actors.supervisor.health import Health
from actors.supervisor.lifecycle import Lifecycle
from actors.supervisor.memory import Memory
from actors.supervisor.nodes import Nodes
from actors.supervisor.system_state import SystemState
from configs.schema import SupervisionSettings
from protocols.effects import Effect, LinkChanged, OutboxFull, SetTimer, TimerFired
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import (
    ActorState,
    ActorStatus,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    Resume,
    ShardHalted,
    StopFileSeen,
    SystemPlan,
    SystemStatus,
)

TICK = "tick"
FIND_WAIT_MS = 1_000


class Self(msgspec.Struct, frozen=True, kw_only=True):
    """Who this supervisor is."""

    name: str
    pid: int
    epoch: int


class SupervisorSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor about itself."""

    booted: bool
    shutting_down: bool
    stopped: bool
    starved: bool
    halted_shards: dict[int, str]
    phases: dict[str, str]


class SupervisorCore:
    """Decides on starts, restarts, stops and halts."""

    def __init__(self, plan: SystemPlan, settings: SupervisionSettings, desired: Desired, identity: Self) -> None:
        """Args: desired: what the last incarnation had on file, or a new one."""
        self._state = SystemState(plan, settings, desired)
        self._halting = Halting(self._state)
        self._lifecycle = Lifecycle(self._state, self._halting)
        self._health = Health(self._state, self._lifecycle)
        self._memory = Memory(self._state, self._lifecycle)
        self._nodes = Nodes(self._state, self._lifecycle, self._halting)
        self._answers = Answers(self._state, self._lifecycle, self._halting)
        self._identity = identity
        self._tick_ns = settings.health_period_ms * 1_000_000
        self._tick_due_ns = 0
        self.metrics_url = ""

    def start(self, now_ns: int) -> list[Effect]:
        """Note the new incarnation and look for living children."""
        state = self._state
        state.now_ns = now_ns
        state.change_desired(incarnations=state.desired.incarnations + 1)
        if state.desired.incarnations > 1:
            text = f"the supervisor before this one ended; its successor goes on under epoch {self._identity.epoch}"
            state.alert(AlertCode.ACTOR_DIED, Severity.WARNING, self._identity.name, text)
        if state.desired.stopped:
            state.record(StopLatch(present=True, reason=state.desired.stop_reason))
            self._halting.flatten_owed()
        state.request(FindChildren(names=tuple(state.children), wait_ms=FIND_WAIT_MS))
        return [*state.take_effects(), self._next_tick(now_ns)]

    def handle(self, message: SupervisorMailbox, now_ns: int) -> list[Effect]:
        """Take one message, then every step that has become possible."""
        self._state.now_ns = now_ns
        timers = self._take(message, now_ns)
        self._lifecycle.advance()
        self._answers.advance()
        return [*self._state.take_effects(), *timers]

    def snapshot(self) -> SupervisorSnapshot:
        """The supervisor about itself; `status` is its view of the system."""
        desired = self._state.desired
        return SupervisorSnapshot(
            booted=desired.booted,
            shutting_down=desired.shutting_down,
            stopped=desired.stopped,
            starved=bool(self._state.starved),
            halted_shards=desired.halted_shards,
            phases={child.name: child.phase.value for child in self._state.children.values()},
        )

    @property
    def settings_json(self) -> str:
        """The settings that hold now."""
        return self._state.settings_json

    @property
    def file_json(self) -> str:
        """What the configuration's file held when it was read last; empty before."""
        return self._state.desired.file_json

    def status(self) -> SystemStatus:
        """The one view of the system: the supervisor first, then the plan's actors in their order."""
        state = self._state
        return SystemStatus(
            actors=(self._own_status(), *(self._status_of(child) for child in state.children.values())),
            stopped=state.desired.stopped,
            stop_reason=state.desired.stop_reason,
            halted_shards=state.desired.halted_shards,
            metrics_url=self.metrics_url,
            now_ns=state.now_ns,
            nodes={name: name in state.placement.alive for name in state.placement.nodes},
        )

    def _status_of(self, child: Child) -> ActorStatus:
        node = self._state.placement.node_of(child.name)
        return msgspec.structs.replace(child.status(), node=node, memory_bytes_max=self._memory.bytes_max(child))

    def _take(self, message: SupervisorMailbox, now_ns: int) -> list[Effect]:
        match message:
            case TimerFired():
                return self._tick(now_ns)
            case ChildrenFound():
                self._lifecycle.note_found(message)
            case EpochAllocated():
                self._lifecycle.note_epoch(message)
            case EpochRefused():
                self._lifecycle.note_epoch_refused(message)
            case ChildTold():
                self._lifecycle.note_told(message)
                self._answers.note_told(message)
            case ChildStarted():
                self._lifecycle.note_started(message)
            case ChildFailed():
                self._lifecycle.note_failed(message)
            case ChildDied():
                self._lifecycle.note_died(message)
            case ChildGone():
                self._lifecycle.note_gone(message)
            case ChildProbed():
                self._health.note_probed(message)
            case ChildRead():
                self._health.note_read(message)
            case NodeBeaten():
                self._nodes.note_beaten(message)
                self._memory.note_beaten(message)
                self._health.note_beaten(message)
            case NodeLatched():
                self._nodes.note_latched(message)
            case NodesSeen():
                self._nodes.note_seen(message)
            case HeadSilent():
                self._nodes.note_silent(message)
            case FlattenRefused(text=text):
                self._halting.note_refused(text)
            case VenueFlattened():
                self._halting.note_flattened(message)
            case VenueCleared():
                self._answers.note_cleared(message)
            case ChangeConsidered():
                self._answers.note_considered(message)
            case CommandGiven():
                self._answers.give(message, self.status())
            case StopFileSeen(present=present, text=text):
                self._halting.note_stop_file(present, text)
            case EmergencyStop(reason=reason):
                self._halting.stop(reason)
            case Resume(reason=reason):
                self._halting.resume(reason)
            case Drain() | EpochAnnounced() | ShardHalted() | LinkChanged() | OutboxFull():
                pass  # said to others; the supervisor reads no links, and its alerts wait in the spool
            case _:
                assert_never(message)
        return []

    def _tick(self, now_ns: int) -> list[Effect]:
        late_ns = now_ns - self._tick_due_ns
        self._lifecycle.tick()
        self._nodes.tick()
        self._answers.tick()
        self._health.tick(late_ns)
        return [self._next_tick(now_ns)]

    def _next_tick(self, now_ns: int) -> SetTimer:
        self._tick_due_ns = now_ns + self._tick_ns
        return SetTimer(TICK, self._tick_due_ns)

    def _own_status(self) -> ActorStatus:
        return ActorStatus(
            name=self._identity.name,
            role="supervisor",
            shard=0,
            state=ActorState.DRAINING if self._state.desired.shutting_down else ActorState.RUNNING,
            pid=self._identity.pid,
            epoch=self._identity.epoch,
            restarts=max(0, self._state.desired.incarnations - 1),
            wanted=True,
            vitals=None,
            snapshot=msgspec.to_builtins(self.snapshot(), str_keys=True),
            io={},
            node=self._state.placement.home,
            memory_bytes=self._memory.own_bytes,
            memory_bytes_max=self._memory.own_bytes_max,
        )
