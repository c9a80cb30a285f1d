"""One child in the supervisor's memory, and the rule of how often it may be restarted."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from configs.schema import SupervisionSettings
from protocols.mailboxes import READS
from protocols.messages.control import ActorSpec, ActorState, ActorStatus, ChildSpec, Vitals

SHARD_ROLES = frozenset({"market_data", "strategy", "order_manager"})
RETRY_DELAY_NS = 100_000_000
RETRY_DELAY_NS_MAX = 2_000_000_000
DOUBT_NS = 200_000_000
"""A probe that was not answered for so long makes its node's agent look."""


class Phase(enum.Enum):
    """Where a child is between nothing and running."""

    ABSENT = "absent"
    ALLOCATING = "allocating"
    ANNOUNCING = "announcing"
    STARTING = "starting"
    UP = "up"
    DRAINING = "draining"
    STOPPING = "stopping"
    KILLING = "killing"


class RestartHistory:
    """Unexpected ends of one child within the window of restart intensity."""

    def __init__(self, settings: SupervisionSettings) -> None:
        self._restarts_max = settings.restarts_max
        self._window_ns = settings.restart_window_ms * 1_000_000
        self._delay_ns = settings.restart_delay_ms * 1_000_000
        self._ends_ns: list[int] = []

    def note_end(self, now_ns: int) -> None:
        """The child ended without having been told to."""
        self._ends_ns = [end for end in self._ends_ns if now_ns - end < self._window_ns][-self._restarts_max :]
        self._ends_ns.append(now_ns)

    @property
    def has_ended(self) -> bool:
        """Whether the child ended by itself lately."""
        return bool(self._ends_ns)

    def exceeded(self) -> bool:
        """More ends within the window than restarts are allowed."""
        return len(self._ends_ns) > self._restarts_max

    def next_start_ns(self) -> int:
        """Not before this: at once after the first end, then ever later, so that a failing start does not spin."""
        if not self._ends_ns:
            return 0
        repeats = len(self._ends_ns) - 1
        backoff_ns = min(RETRY_DELAY_NS * 2 ** (repeats - 1), RETRY_DELAY_NS_MAX) if repeats else 0
        return self._ends_ns[-1] + self._delay_ns + backoff_ns

    def window_over_ns(self) -> int:
        """When the oldest end leaves the window."""
        return self._ends_ns[0] + self._window_ns if self._ends_ns else 0

    def forget(self) -> None:
        """Begin anew: a person resumed."""
        self._ends_ns.clear()


@dataclass
class Child:
    """State of one child.

    `tried`: a process of it was started once; `expected_end`: this one is being ended on purpose; `stopped`: the last one was;
    `drained`: it confirmed that no order of its is left; `survived`: the last attempt to end it failed. `starved_ns` is when its
    node's agent last found it starved, `starved_misses` how many probes were forgiven for it since it last answered. `told` holds the
    epochs of others that this incarnation knows; `telling` those on their way, negated when they did not arrive.
    """

    plan: ChildSpec
    history: RestartHistory
    wanted: bool = True
    phase: Phase = Phase.ABSENT
    since_ns: int = 0
    epoch: int = 0
    pid: int = 0
    restarts: int = 0
    given_up: bool = False
    tried: bool = False
    expected_end: bool = False
    stopped: bool = False
    survived: bool = False
    drained: bool = False
    memory_bytes: int = 0
    misses: int = 0
    probing: bool = False
    probed_ns: int = 0
    starved_ns: int = 0
    starved_misses: int = 0
    reading: bool = False
    told: dict[str, int] = field(default_factory=dict)
    telling: dict[str, int] = field(default_factory=dict)
    vitals: Vitals | None = None
    snapshot: dict[str, Any] = field(default_factory=dict)
    io: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    @property
    def name(self) -> str:
        return self.plan.spec.name

    @property
    def role(self) -> str:
        return self.plan.spec.role

    @property
    def shard(self) -> int | None:
        """The shard that it belongs to; None when it serves every shard."""
        return self.shard_of(self.plan.spec)

    @staticmethod
    def shard_of(spec: ActorSpec) -> int | None:
        """The shard of an actor; None when it serves every shard."""
        return spec.shard if spec.role in SHARD_ROLES else None

    @property
    def is_reachable(self) -> bool:
        """Whether control messages can be given to it."""
        return self.phase in (Phase.UP, Phase.DRAINING)

    def enter(self, phase: Phase, now_ns: int) -> None:
        """Change the phase."""
        self.phase = phase
        self.since_ns = now_ns

    def forget_process(self) -> None:
        """No process is left: forget what belonged to it. Its last snapshot goes with it, for it is true of nothing now."""
        self.pid = 0
        self.misses = self.starved_misses = self.starved_ns = 0
        self.memory_bytes = 0
        self.probing = self.reading = self.survived = False
        self.told, self.telling = {}, {}
        self.vitals = None
        self.snapshot, self.io = {}, {}

    def is_doubted(self, now_ns: int) -> bool:
        """Whether it has not answered for a while."""
        return self.is_reachable and (self.misses > 0 or (self.probing and now_ns - self.probed_ns > DOUBT_NS))

    def hears_of(self, other: Child) -> bool:
        """Whether it must know the epochs of `other`: the risk monitor of everybody, a reader of those whom it reads."""
        if other is self:
            return False
        if self.role == "risk_monitor":
            return True
        same_shard = self.shard is None or other.shard is None or self.shard == other.shard
        return same_shard and other.role in READS.get(self.role, ())

    def state(self) -> ActorState:
        """What to show people."""
        match self.phase:
            case Phase.ABSENT:
                if self.given_up:
                    return ActorState.HALTED
                return ActorState.STOPPED if self.stopped or not self.tried else ActorState.DEAD
            case Phase.ALLOCATING | Phase.ANNOUNCING | Phase.STARTING:
                return ActorState.STARTING
            case Phase.UP:
                return self.vitals.state if self.vitals else ActorState.STARTING
            case Phase.DRAINING | Phase.STOPPING:
                return ActorState.DRAINING
            case Phase.KILLING:
                return ActorState.DEAD

    def status(self) -> ActorStatus:
        """Its line in the one view of the system."""
        text = self.text or (self.vitals.text if self.vitals else "")
        if self.misses:
            text = f"no sign of life in {self.misses} probes; {text}".rstrip("; ")
        return ActorStatus(
            name=self.name,
            role=self.role,
            shard=self.plan.spec.shard,
            state=self.state(),
            pid=self.pid,
            epoch=self.epoch,
            restarts=self.restarts,
            wanted=self.wanted,
            vitals=self.vitals,
            snapshot=self.snapshot,
            io=self.io,
            text=text,
            memory_bytes=self.memory_bytes,
        )
