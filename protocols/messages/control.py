"""The control plane: what the supervisor tells an actor, and what an actor is made of."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

from protocols.envelope import Message
from protocols.values import Instrument, InstrumentId

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

    `name` is `role` or `role-shard`. `peers` are the actors whose messages it reads: name -> address (`unix:/path`).
    `instruments` are those of the actor's shard (all of the account's where it serves every shard).
    `config_json` is the resolved configuration (configs.schema.Settings).
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
    """What the host knows of its process: identity, age of links, depth of queues, lag of the loop."""

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


class Drain(Message, frozen=True, kw_only=True):
    """Stop adding risk, withdraw what rests, and confirm that it is gone; then the actor reports STOPPED."""


class EmergencyStop(Message, frozen=True, kw_only=True):
    """Shut the gate at once and cancel everything. Latched until `Resume`."""

    reason: str


class Resume(Message, frozen=True, kw_only=True):
    """Lift an emergency stop or a halt. Given by a person only."""

    reason: str


class EpochAnnounced(Message, frozen=True, kw_only=True):
    """The supervisor's word on the newest epoch of an actor, before the actor of that epoch starts."""

    name: str
    shard: int
    epoch: int
    announced_ns: int


class ShardHalted(Message, frozen=True, kw_only=True):
    """The supervisor gave a shard up: restart intensity exceeded, or recovery failed."""

    shard: int
    reason: str


class StopFileSeen(Message, frozen=True, kw_only=True):
    """The node's stop file exists (or cannot be read, which means the same)."""

    present: bool
    text: str = ""
