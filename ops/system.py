"""The composition: the only file that names all actors, their order, and who is wired to whom."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import msgspec

from actors.runtime.state_dir import StateDir
from configs.schema import Settings
from protocols.mailboxes import READS
from protocols.messages.control import ActorSpec, ChildSpec, NodePlan, Role, SystemPlan
from protocols.values import Instrument, InstrumentId, RateLimits

SHELLS: dict[Role, str] = {
    "supervisor": "actors.supervisor.actor:SupervisorActor",
    "alerting": "actors.alerting.actor:AlertingActor",
    "inventory": "actors.inventory.actor:InventoryActor",
    "risk_monitor": "actors.risk_monitor.actor:RiskMonitorActor",
    "order_manager": "actors.order_manager.actor:OrderManagerActor",
    "market_data": "actors.market_data.actor:MarketDataActor",
    "strategy": "actors.strategy.actor:StrategyActor",
    "exchange": "actors.exchange.actor:ExchangeActor",
}
"""The class that hosts each role, as `package.module:Class`; processes import it by name."""

START_ORDER: tuple[Role, ...] = ("alerting", "inventory", "risk_monitor", "order_manager", "market_data", "strategy")
"""Stopping goes the other way, so that orders are gone before the order manager is."""

SHARDED: frozenset[Role] = frozenset(("market_data", "strategy", "order_manager"))
"""Roles of which every shard has its own; the others serve all shards of the account."""


def actor_name(role: Role, shard: int) -> str:
    """`role-shard` for a sharded role, else the role."""
    return f"{role}-{shard}" if role in SHARDED else role


def deal(symbols: Sequence[str], shards: int) -> tuple[tuple[str, ...], ...]:
    """Deal symbols into shards, in turn, so that each shard has as many as any other or one fewer."""
    return tuple(tuple(symbols[shard::shards]) for shard in range(shards))


def build_plan(
    settings: Settings,
    instruments: Mapping[str, Instrument],
    epoch_floor: int,
    state_dir: StateDir,
    rate_limits: RateLimits,
) -> SystemPlan:
    """Everything that the supervisor keeps alive.

    Args:
        settings: the resolved configuration, with the venue's actual addresses.
        instruments: by symbol; every symbol of the settings is in it.
        epoch_floor: the highest epoch seen at the venue; every epoch to come is above it.
        state_dir: created.
        rate_limits: what the venue said that the account may ask of it.
    """
    shards = deal(settings.symbols, settings.shards)
    closes = settings.flatten.on_emergency and not settings.dry_run
    children = [
        ChildSpec(
            spec=_spec(role, shard, shards, settings, instruments, state_dir, rate_limits),
            shell=SHELLS[role],
            start_order=order,
        )
        for order, role in enumerate(START_ORDER, start=1)
        for shard in (range(settings.shards) if role in SHARDED else (0,))
    ]
    if settings.exchange is not None:
        venue = exchange_spec(settings, state_dir)
        children.insert(0, ChildSpec(spec=venue, shell=SHELLS["exchange"], start_order=0, replaceable=False))
    return SystemPlan(
        children=tuple(_with_ports(children, settings)),
        settings_json=settings.model_dump_json(),
        epoch_floor=epoch_floor,
        state_dir=str(state_dir.path),
        stop_arm=(sys.executable, "-m", "ops.stop_arm", str(state_dir.path)),
        nodes=_nodes(settings),
        flatten_arm=(sys.executable, "-m", "ops.stop_arm", "--flatten", str(state_dir.path)) if closes else (),
    )


def _nodes(settings: Settings) -> tuple[NodePlan, ...]:
    if settings.cluster is None:
        return ()
    return tuple(
        NodePlan(name=node.name, host=node.host, shards=node.shards, trades=node.trades)
        for node in settings.cluster.nodes
    )


def _with_ports(children: Sequence[ChildSpec], settings: Settings) -> list[ChildSpec]:
    """In a cluster every actor has a port for its readers on other nodes, the same wherever it runs."""
    if settings.cluster is None:
        return list(children)
    first = settings.cluster.links_port
    return [msgspec.structs.replace(child, links_port=first + index) for index, child in enumerate(children)]


def exchange_spec(settings: Settings, state_dir: StateDir) -> ActorSpec:
    """The simulated venue as an actor. It is started before the plan, for the plan needs what it lists."""
    return _alone("exchange", 0, settings, state_dir)


def supervisor_spec(settings: Settings, epoch_floor: int, state_dir: StateDir) -> ActorSpec:
    """The supervisor itself; its epoch will be above the floor. What it keeps alive it reads from the plan on file."""
    return _alone("supervisor", epoch_floor, settings, state_dir)


def _alone(role: Role, epoch: int, settings: Settings, state_dir: StateDir) -> ActorSpec:
    """An actor that reads nobody and serves no symbol."""
    return ActorSpec(
        name=role,
        role=role,
        shard=0,
        epoch=epoch,
        install=settings.install,
        account=settings.venue.account_alias,
        address=state_dir.socket(role),
        peers={},
        instruments=(),
        symbol_codes={},
        shards=(),
        state_dir=str(state_dir.path),
        config_json=settings.model_dump_json(),
        node=settings.cluster.nodes[0].name if settings.cluster is not None else "",
    )


def _spec(
    role: Role,
    shard: int,
    shards: tuple[tuple[str, ...], ...],
    settings: Settings,
    instruments: Mapping[str, Instrument],
    state_dir: StateDir,
    rate_limits: RateLimits,
) -> ActorSpec:
    name = actor_name(role, shard)
    served = shards[shard] if role in SHARDED else settings.symbols
    return ActorSpec(
        name=name,
        role=role,
        shard=shard,
        epoch=0,
        install=settings.install,
        account=settings.venue.account_alias,
        address=state_dir.socket(name),
        peers={peer: state_dir.socket(peer) for peer in _peers(role, shard, len(shards))},
        instruments=tuple(instruments[symbol] for symbol in served),
        symbol_codes=_symbol_codes(instruments, settings.symbols),
        shards=tuple(tuple(instruments[symbol].instrument_id for symbol in dealt) for dealt in shards),
        state_dir=str(state_dir.path),
        config_json=settings.model_dump_json(),
        rate_limits=rate_limits,
    )


def _peers(role: Role, shard: int, shards: int) -> list[str]:
    """Names of the actors that `role` reads: its own shard's if it has one, every shard's if it serves all."""
    peers: list[str] = []
    for read in READS[role]:
        peer: Role = read  # type: ignore[assignment]
        if peer in SHARDED and role not in SHARDED:
            peers += [actor_name(peer, number) for number in range(shards)]
        else:
            peers.append(actor_name(peer, shard))
    return peers


def _symbol_codes(instruments: Mapping[str, Instrument], symbols: Sequence[str]) -> dict[InstrumentId, int]:
    return {instruments[symbol].instrument_id: code for code, symbol in enumerate(sorted(symbols))}
