"""The smallest actor that can be supervised: it notes what it is told, and can be made to hang."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from actors.runtime.shell import Host
from configs.schema import Settings
from protocols.effects import Effect
from protocols.envelope import Message
from protocols.mailboxes import Control, Hosted
from protocols.messages.control import ActorSpec, ActorState, Drain, Resume

HANG = "hang"
"""A Resume for this reason blocks the actor's loop, as a bug would."""


class TinySnapshot(msgspec.Struct, frozen=True):
    told: list[str]


class TinyCore:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.drained = False

    def start(self, now_ns: int) -> list[Effect]:
        return []

    def handle(self, message: Any, now_ns: int) -> list[Effect]:
        self.told.append(type(message).__name__)
        self.drained = self.drained or isinstance(message, Drain)
        if isinstance(message, Resume) and message.reason == HANG:
            time.sleep(30)
        return []

    def snapshot(self) -> TinySnapshot:
        return TinySnapshot(self.told)


class TinyActor:
    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self._spec = spec
        self.core = TinyCore()
        self.mailbox = Control | Hosted

    async def start(self, host: Host) -> None:
        if self._spec.account == "broken":
            raise ValueError("no key for this account")

    def call(self, request: Message) -> None:
        raise AssertionError(request)

    def append(self, record: Message) -> None:
        raise AssertionError(record)

    def state(self) -> ActorState:
        return ActorState.STOPPED if self.core.drained else ActorState.RUNNING

    def extra_snapshot(self) -> dict[str, Any]:
        return {"tick_to_order_us": {"buckets": [[100, 1], [200, 3]], "sum": 420, "count": 4}}

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        return []

    async def stop(self) -> None:
        note_stop(Path(self._spec.state_dir, "stopped"), self._spec.name)


def note_stop(file: Path, name: str) -> None:
    with file.open("a") as notes:
        notes.write(f"{name}\n")
