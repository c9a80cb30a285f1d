"""Small cores and shells for the tests of the host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from actors.runtime.shell import Host
from configs.schema import Settings, VenueSettings
from protocols.effects import Effect
from protocols.envelope import Message
from protocols.messages.control import ActorSpec, ActorState


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Snapshot of a ScriptedCore."""

    messages: int


class ScriptedCore:
    """Keeps what it is told and answers with what `react` says."""

    def __init__(self, react: Callable[[Any], list[Effect]] = lambda message: []) -> None:
        self.react = react
        self.heard: list[Any] = []
        self.begin: list[Effect] = []

    def start(self, now_ns: int) -> list[Effect]:
        return self.begin

    def handle(self, message: Any, now_ns: int) -> list[Effect]:
        self.heard.append(message)
        return self.react(message)

    def snapshot(self) -> Seen:
        return Seen(messages=len(self.heard))


class ScriptedShell:
    """A shell whose journal is a list and whose venue is silent."""

    def __init__(self, mailbox: Any, core: ScriptedCore | None = None) -> None:
        self.core = core or ScriptedCore()
        self.mailbox = mailbox
        self.records: list[Message] = []
        self.calls: list[Message] = []
        self.on_call: Callable[[Message], None] = self.calls.append
        self.host: Host | None = None
        self.stopped = False

    async def start(self, host: Host) -> None:
        self.host = host

    def call(self, request: Message) -> None:
        self.on_call(request)

    def append(self, record: Message) -> None:
        self.records.append(record)

    def state(self) -> ActorState:
        return ActorState.STOPPED if self.stopped else ActorState.RUNNING

    def extra_snapshot(self) -> dict[str, Any]:
        return {"records": len(self.records)}

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        found = [(record.event_seq, record) for record in self.records if hasattr(record, "event_seq")]
        return [pair for pair in found if pair[0] >= from_seq][:limit]

    async def stop(self) -> None:
        self.stopped = True


class ResumingShell(ScriptedShell):
    """A shell that wants ordered events from the one after `booked`."""

    booked = 0

    def resume_number(self, peer: str) -> int:
        return self.booked


def settings_of(**links: int) -> Settings:
    """Settings with the given bounds of links."""
    venue = VenueSettings(
        rest_url="http://127.0.0.1:1", stream_url="ws://127.0.0.1:1", ws_api_url="ws://127.0.0.1:1/ws-fapi/v1"
    )
    fast = {"reconnect_delay_ms": 1, "reconnect_delay_ms_max": 2, "acknowledge_delay_ms": 1, **links}
    return Settings.model_validate({"symbols": ["BTCUSDC"], "venue": venue, "links": fast})


def spec_of(folder: Path, name: str, peers: tuple[str, ...] = (), epoch: int = 1) -> ActorSpec:
    """A spec whose sockets are in `folder`."""
    role, _, shard = name.partition("-")
    return ActorSpec(
        name=name,
        role=role,  # type: ignore[arg-type]
        shard=int(shard or 0),
        epoch=epoch,
        install="1",
        account="main",
        address=f"unix:{folder}/{name}.sock",
        peers={peer: f"unix:{folder}/{peer}.sock" for peer in peers},
        instruments=(),
        symbol_codes={},
        shards=(),
        state_dir=str(folder),
        config_json=json.dumps({}),
    )
