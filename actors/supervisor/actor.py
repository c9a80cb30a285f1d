"""The supervisor's shell: files, the Ray host, the command line's questions, and the metrics page around the core."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec

from actors.runtime.line_journal import LineJournal
from actors.runtime.ray_cluster import MARKER, write_durably
from actors.runtime.shell import Host
from actors.runtime.state_dir import StateDir
from actors.supervisor.commands import (
    CommandGiven,
    Desired,
    SettingsJournaled,
    StopLatch,
    SupervisorMailbox,
    SupervisorOutcome,
    desired_of,
)
from actors.supervisor.core import Self, SupervisorCore
from actors.supervisor.gateway import ChildGateway
from actors.supervisor.server import MetricsServer
from actors.supervisor.sources import SettingsWatch
from configs.schema import Settings
from protocols.envelope import Message
from protocols.messages.control import ActorSpec, ActorState, Answer, AnyAnswer, AnyCommand, SystemPlan

ASK_TIMEOUT_S = 300.0
"""Longer than any command may take; every command has a shorter bound of its own in the core."""


class SupervisorError(Exception):
    """The supervisor cannot begin; the text says what is wrong with which file."""


class SupervisorActor:
    """Shell of the supervisor."""

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        """Read the plan and the wishes on file.

        Raises:
            SupervisorError: one of them is missing or damaged.
        """
        self._state = StateDir(spec.state_dir)
        self._desired_file = self._state.path / "desired.msgpack"
        self._settings = settings
        self._settings_journal = LineJournal(self._state.path / "settings.jsonl", "a change of settings")
        self._home = spec.node
        self._plan = _read(self._state.plan_file, SystemPlan)
        if self._plan is None:
            raise SupervisorError(f"{self._state.plan_file} is missing: a system is started with `raymaker up`")
        desired = desired_of(os.environ.get(MARKER, ""), _read(self._desired_file, Desired))
        identity = Self(name=spec.name, pid=os.getpid(), epoch=spec.epoch)
        self.core = SupervisorCore(self._plan, settings.supervision, desired, identity)
        self.mailbox = SupervisorMailbox
        self._host: Host
        self._gateway: ChildGateway
        self._metrics = MetricsServer(self.core.status)
        self._asked: dict[int, asyncio.Future[AnyAnswer]] = {}
        self._ask_id = 0

    async def start(self, host: Host) -> None:
        """Serve metrics; the core then looks for its children."""
        self._host = host
        assert self._plan is not None
        watch_s = self._settings.supervision.watch_ms / 1_000
        self._gateway = ChildGateway(
            self._state, self._home, self._plan.stop_arm, self._plan.flatten_arm, watch_s, self._deliver, self._resolve
        )
        self._file_watch = SettingsWatch(self._plan.config_file, self.core, self._deliver)
        self._file_watch.start()
        self.core.metrics_url = self._metrics.start(self._settings.supervision.metrics_port)
        if self._metrics.warning:
            host.log.warning(self._metrics.warning)

    async def ask(self, command: bytes) -> bytes:
        """Answer one command (AnyCommand as MessagePack) with AnyAnswer."""
        try:
            decoded = msgspec.msgpack.decode(command, type=AnyCommand)
        except msgspec.DecodeError as error:
            return msgspec.msgpack.encode(Answer(done=False, confirmed=False, text=f"not a command: {error}"))
        self._ask_id += 1
        ask_id = self._ask_id
        self._asked[ask_id] = asyncio.get_running_loop().create_future()
        try:
            self._host.deliver(CommandGiven(ask_id=ask_id, command=decoded))
            return msgspec.msgpack.encode(await asyncio.wait_for(self._asked[ask_id], ASK_TIMEOUT_S))
        finally:
            del self._asked[ask_id]

    def call(self, request: Message) -> None:
        """Carry out a request of the core."""
        self._gateway.carry_out(request)  # type: ignore[arg-type]  # the core makes no others

    def append(self, record: Message) -> None:
        """Put a record on the disk; when this returns it is there."""
        match record:
            case Desired():
                write_durably(self._desired_file, msgspec.msgpack.encode(record))
            case StopLatch(present=True):
                write_durably(self._state.stop_file, record.reason.encode())
            case SettingsJournaled():
                self._settings_journal.write(record)
            case StopLatch():
                self._state.stop_file.unlink(missing_ok=True)

    def state(self) -> ActorState:
        """Running from the first moment: it supervises while its children start."""
        return ActorState.RUNNING

    def extra_snapshot(self) -> dict[str, Any]:
        """Nothing besides the core's."""
        return {}

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """It sends no ordered messages."""
        return []

    async def stop(self) -> None:
        """Close the metrics page and drop what is under way; the children go on."""
        self._metrics.stop()
        await self._file_watch.stop()
        await self._gateway.close()

    def _deliver(self, outcome: SupervisorOutcome) -> None:
        self._host.deliver(outcome)

    def _resolve(self, ask_id: int, answer: AnyAnswer) -> None:
        waiting = self._asked.get(ask_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


def _read(path: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError) as error:
        raise SupervisorError(
            f"{path} cannot be read ({error}): stop the system, delete the file and start it"
        ) from error
