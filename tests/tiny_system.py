"""A system of tiny actors (tests/processes/tiny_actor.py) on a real Ray, seen through its supervisor."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from actors.runtime import ray_cluster
from actors.runtime.state_dir import StateDir
from actors.runtime.supervisor_client import SupervisorClient
from configs.schema import Settings, SupervisionSettings, VenueSettings
from protocols.messages.control import ActorSpec, ActorState, ActorStatus, GetStatus, Role, SystemStatus

FOLDER = Path(__file__).parent / "processes"
"""Where the processes of Ray find the tiny actor."""

CHILDREN: tuple[tuple[Role, str], ...] = (
    ("alerting", "alerting"),
    ("risk_monitor", "risk_monitor"),
    ("order_manager", "order_manager-0"),
    ("strategy", "strategy-0"),
)
PATIENCE_S = 20.0
MEMORY_MB = 256
"""Bound of the strategy."""

SETTINGS = Settings(
    symbols=("BTCUSDC",),
    venue=VenueSettings(
        rest_url="http://127.0.0.1:9", stream_url="ws://127.0.0.1:9", ws_api_url="ws://127.0.0.1:9/ws-fapi/v1"
    ),
    supervision=SupervisionSettings(memory_mb_max_of={"strategy": MEMORY_MB}),
)


def spec_of(state: StateDir, role: Role, name: str, account: str = "main") -> ActorSpec:
    return ActorSpec(
        name=name,
        role=role,
        shard=0,
        epoch=0,
        install="1",
        account=account,
        address=state.socket(name),
        peers={},
        instruments=(),
        symbol_codes={},
        shards=(),
        state_dir=str(state.path),
        config_json=SETTINGS.model_dump_json(),
    )


class System:
    """One running system, seen through the supervisor as the command line sees it."""

    def __init__(self, state: StateDir) -> None:
        self.state = state
        self.client = SupervisorClient("supervisor", state, "")

    def status(self) -> SystemStatus:
        status = self.client.ask(GetStatus())
        assert isinstance(status, SystemStatus)
        return status

    def actors(self) -> dict[str, ActorStatus]:
        return {actor.name: actor for actor in self.status().actors}

    def until(self, holds: Callable[[dict[str, ActorStatus]], bool]) -> dict[str, ActorStatus]:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            actors = self.actors()
            if holds(actors):
                return actors
            time.sleep(0.02)
        raise AssertionError(f"not seen within {PATIENCE_S} s: {self.status()}")

    def until_replaced(self, name: str, pid: int) -> ActorStatus:
        actors = self.until(lambda now: now[name].pid not in (0, pid) and now[name].state is ActorState.RUNNING)
        assert not ray_cluster.is_alive(pid)
        return actors[name]


def all_run(actors: dict[str, ActorStatus]) -> bool:
    return all(actor.state is ActorState.RUNNING for actor in actors.values())
