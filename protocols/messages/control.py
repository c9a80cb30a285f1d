"""The control plane: what the supervisor tells an actor, and what an actor is made of."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

from protocols.envelope import Message
from protocols.messages.orders import InstrumentTaken, VenuePosition
from protocols.messages.risk import RiskLevel
from protocols.values import Instrument, InstrumentId, RateLimits

Role = Literal[
    "supervisor",
    "market_data",
    "strategy",
    "risk_monitor",
    "order_manager",
    "inventory",
    "alerting",
    "exchange",
    "node_agent",
]


class ActorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an actor process is started with. No secret is in it: keys are read by the process that needs them.

    `name` is `role` or `role-shard`. `peers` are the actors whose messages it reads: name -> address (`unix:/path`, `tcp:host:port`, or
    `local:name` for the socket of that name in its own node's state directory). In a cluster `node` is where it runs, and
    `tcp_address` where readers on other nodes find it.
    `instruments` are those of the actor's shard (all of the account's where it serves every shard).
    `config_json` is the resolved configuration (configs.schema.Settings). `rate_limits` are the venue's, of the whole account.
    """

    name: str
    role: Role
    shard: int
    epoch: int
    install: str
    account: str
    address: str
    peers: dict[str, str]
    instruments: tuple[Instrument, ...]
    symbol_codes: dict[InstrumentId, int]
    shards: tuple[tuple[InstrumentId, ...], ...]
    state_dir: str
    config_json: str
    started_ns: int = 0
    rate_limits: RateLimits = RateLimits()
    node: str = ""
    tcp_address: str = ""
    journal_is_behind: bool = False
    """A later incarnation than those in this node's journal ran on another node: the journal is put aside."""
    second_copy: tuple[InstrumentTaken | VenuePosition, ...] = ()
    """For an order manager on another node than inventory: where its symbols stood by inventory's copy, should it find no journal."""


class ActorState(enum.StrEnum):
    """Where an actor is in its life."""

    STARTING = "STARTING"
    RECOVERING = "RECOVERING"
    RUNNING = "RUNNING"
    DRAINING = "DRAINING"
    STOPPED = "STOPPED"
    DEAD = "DEAD"
    HALTED = "HALTED"


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What the host knows of its process: identity, age of links, depth of queues, lag of the loop, place on the processor."""

    name: str
    pid: int
    epoch: int
    state: ActorState
    loop_lag_ns: int
    messages_in: int
    messages_out: int
    refused: int
    link_ages_ns: dict[str, int]
    queue_depths: dict[str, int]
    gc_pause_ns_max: int
    text: str = ""
    place: str = ""


class Drain(Message, frozen=True, kw_only=True):
    """Stop adding risk, withdraw what rests, and confirm that it is gone; then the actor reports STOPPED."""


class EmergencyStop(Message, frozen=True, kw_only=True):
    """Shut the gate at once and cancel everything. Latched until `Resume`."""

    reason: str


class Resume(Message, frozen=True, kw_only=True):
    """Lift an emergency stop or a halt. Given by a person only."""

    reason: str


class HoldLevel(Message, frozen=True, kw_only=True):
    """A person holds a level: the subject is at least at it until the hold is lifted (`level` None). Said to the risk monitor.

    `subject` is a symbol, or `account`. A resume lifts no hold.
    """

    subject: str
    level: RiskLevel | None
    reason: str


class SettingsChanged(Message, frozen=True, kw_only=True):
    """Settings that hold from now on, whole (configs.schema.Settings as JSON), and what changed in them, for people.

    Said to the risk monitor, order managers and strategies; only what configs/reloading.py names differs from before.
    """

    settings_json: str
    changes: tuple[str, ...]


class Reconcile(Message, frozen=True, kw_only=True):
    """Compare open orders, executions, positions and balances with the venue now. Said to order managers and inventory.

    `token` names this comparison in their views.
    """

    token: int


class EpochAnnounced(Message, frozen=True, kw_only=True):
    """The supervisor's word on the newest epoch of an actor, before the actor of that epoch starts.

    `address` is where the one who is told finds it from now on; empty means where it was. `announced_ns` is the supervisor's clock.
    """

    name: str
    shard: int
    epoch: int
    announced_ns: int
    address: str = ""


class ShardHalted(Message, frozen=True, kw_only=True):
    """The supervisor gave a shard up: restart intensity exceeded, or recovery failed."""

    shard: int
    reason: str


class StopFileSeen(Message, frozen=True, kw_only=True):
    """The node's stop file exists (or cannot be read, which means the same)."""

    present: bool
    text: str = ""


class PullQuotes(Message, frozen=True, kw_only=True):
    """Cancel every quote now and place none for `hold_ms` after receipt; then quoting goes on by itself. Said to order managers."""

    reason: str
    hold_ms: int


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One actor as the supervisor starts it. `shell` is `package.module:Class`; lower `start_order` starts first.

    The spec's `epoch` and `started_ns` are filled in at each start, and in a cluster its node and addresses; `links_port` is where it
    listens for readers on other nodes. `replaceable` is false for what a restart would falsify (the simulated venue).
    """

    spec: ActorSpec
    shell: str
    start_order: int
    replaceable: bool = True
    links_port: int = 0


class NodePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One node of a cluster: where others reach it, the shards that it takes first, and whether it takes any."""

    name: str
    host: str
    shards: tuple[int, ...] = ()
    trades: bool = True


class SystemPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Every actor that the supervisor keeps alive, written to the state directory before anything is started.

    `stop_arm` is the command line that cancels at the venue without any actor, for when no order manager can; the symbols to clear are
    appended, and exit code 0 means that no order of theirs is left. `nodes` is empty for a system on one machine; else the first is home to
    the supervisor and to what serves the whole account. `flatten_arm` clears and then closes every position; empty where an emergency
    stop leaves positions alone. `config_file` is watched for changes; empty where the settings came from no file.
    """

    children: tuple[ChildSpec, ...]
    settings_json: str
    epoch_floor: int
    state_dir: str
    stop_arm: tuple[str, ...] = ()
    nodes: tuple[NodePlan, ...] = ()
    flatten_arm: tuple[str, ...] = ()
    config_file: str = ""


class ChangeSetting(Message, frozen=True, kw_only=True):
    """Set one key of the configuration while the system runs; `value` as in the YAML. `confirmed` lets it loosen a limit."""

    key: str
    value: str
    confirmed: bool


class GetStatus(Message, frozen=True, kw_only=True):
    """Ask the supervisor for the state of everything."""


class StartActor(Message, frozen=True, kw_only=True):
    """Start an actor that was stopped. `name` is an actor's name, or a role for every actor of it."""

    name: str


class StopActor(Message, frozen=True, kw_only=True):
    """Drain and stop an actor until it is started again."""

    name: str


class RestartActor(Message, frozen=True, kw_only=True):
    """Drain, stop and start an actor under a new epoch."""

    name: str


class Shutdown(Message, frozen=True, kw_only=True):
    """Stop everything in order; orders are cancelled and confirmed gone first."""


class ActorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One actor in the supervisor's eyes. `snapshot` is its core's snapshot and `io` its shell's, as builtins.

    `memory_bytes` is what its process has resident by its node's agent, 0 before it was seen; `memory_bytes_max` its bound.
    """

    name: str
    role: str
    shard: int
    state: ActorState
    pid: int
    epoch: int
    restarts: int
    wanted: bool
    vitals: Vitals | None
    snapshot: dict[str, object]
    io: dict[str, object]
    text: str = ""
    node: str = ""
    memory_bytes: int = 0
    memory_bytes_max: int = 0


class SystemStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer to GetStatus: the one view that status, the table, reports and metrics read."""

    actors: tuple[ActorStatus, ...]
    stopped: bool
    stop_reason: str
    halted_shards: dict[int, str]
    metrics_url: str
    now_ns: int
    nodes: dict[str, bool] = {}
    """Every node of the plan, and whether Ray sees it alive."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer to a command. `confirmed` is false when the command was carried out but its effect could not be seen."""

    done: bool
    confirmed: bool
    text: str


AnyCommand = (
    GetStatus
    | StartActor
    | StopActor
    | RestartActor
    | Shutdown
    | EmergencyStop
    | Resume
    | HoldLevel
    | Reconcile
    | ChangeSetting
)
AnyAnswer = SystemStatus | Answer
