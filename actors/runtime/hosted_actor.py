"""The body of every Ray actor: it builds one shell in its own process and answers the supervisor about it.

Ray runs these methods as coroutines of the process's one event loop, except `health`, which runs in a thread of its own and
asks the loop for a sign of life: a loop that is blocked is told apart from a process that is dead.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import Any

import msgspec

from actors.runtime.precedence import take_place
from actors.runtime.process import ActorProcess
from actors.runtime.ray_cluster import NODE_STATE
from configs.schema import Settings
from protocols.mailboxes import AnyControl
from protocols.messages.control import ActorSpec, Vitals

WATCH_S_MAX = 60.0
"""Bound of a watch call, whatever its caller asks for: an endless call would keep Ray from ending the process gracefully."""


class HostError(Exception):
    """The actor could not be built or asked; the text says why."""


class ProbeReply(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `health`. `vitals` is None before `start` has returned, and when the main loop did not answer in time."""

    pid: int
    started: bool
    vitals: Vitals | None


class SnapshotReply(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `snapshot`: the core's view and its shell's, as builtins."""

    snapshot: dict[str, Any]
    io: dict[str, Any]


class HostedActor:
    """One actor in its process. Arguments and results are small bytes (MessagePack), so that nothing depends on pickled classes."""

    def __init__(self, shell: str, spec: bytes) -> None:
        """Args: shell: `package.module:Class`; spec: an encoded ActorSpec."""
        self._shell_path = shell
        self._spec = _on_this_node(msgspec.msgpack.decode(spec, type=ActorSpec))
        self._process: ActorProcess | None = None
        self._shell: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    async def start(self) -> int:
        """Build the shell and bring it to life; returns the pid.

        Raises:
            HostError: the shell cannot be imported, built or started.
        """
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        try:
            settings = Settings.model_validate_json(self._spec.config_json)
            place = take_place(self._spec.role, settings.order_path.real_time)
            self._shell = _load(self._shell_path)(self._spec, settings)
            process = ActorProcess(self._spec, self._shell, settings, place=place)
            await process.start()
        except Exception as error:
            raise HostError(f"{self._spec.name} did not start: {type(error).__name__}: {error}") from error
        self._process = process
        return os.getpid()

    async def deliver(self, message: bytes) -> None:
        """Hand one control message to the core.

        Raises:
            HostError: the bytes are no control message, or the actor has not started.
        """
        try:
            decoded = _control_decoder.decode(message)
        except msgspec.DecodeError as error:
            raise HostError(f"{self._spec.name}: not a control message: {error}") from error
        self._running().deliver(decoded)

    async def ask(self, command: bytes) -> bytes:
        """Answer a command of the command line; only shells that have `ask` (the supervisor) do.

        Raises:
            HostError: this actor answers no commands.
        """
        self._running()
        if not hasattr(self._shell, "ask"):
            raise HostError(f"{self._spec.name} answers no commands: ask the supervisor")
        reply: bytes = await self._shell.ask(command)
        return reply

    async def snapshot(self) -> bytes:
        """The core's snapshot and what only the shell knows, as an encoded SnapshotReply."""
        return self._running().snapshot_bytes()

    async def watch(self, wait_s: float) -> None:
        """Return after `wait_s` or when the actor ends by itself; whoever waits learns of a killed process by the broken call."""
        if self._ending is None:
            raise HostError(f"{self._spec.name} has not started")
        try:
            async with asyncio.timeout(min(wait_s, WATCH_S_MAX)):
                await self._ending.wait()
        except TimeoutError:
            return

    async def health(self, wait_s: float) -> bytes:
        """An encoded ProbeReply; runs beside the main loop and waits for it at most `wait_s`."""
        if self._loop is None or self._process is None:
            return msgspec.msgpack.encode(ProbeReply(pid=os.getpid(), started=False, vitals=None))
        answer = asyncio.run_coroutine_threadsafe(self._vitals(), self._loop)
        try:
            vitals = await asyncio.wait_for(asyncio.wrap_future(answer), wait_s)
        except TimeoutError:
            vitals = None
        return msgspec.msgpack.encode(ProbeReply(pid=os.getpid(), started=True, vitals=vitals))

    async def stop(self) -> None:
        """Close the shell and let the waiting watch call go, so that the process can be ended."""
        if self._ending is not None:
            self._ending.set()
        if self._process is not None:
            await self._process.stop()

    async def _vitals(self) -> Vitals:
        return self._running().vitals()

    def _running(self) -> ActorProcess:
        if self._process is None:
            raise HostError(f"{self._spec.name} has not started")
        return self._process


def _on_this_node(spec: ActorSpec) -> ActorSpec:
    """In a cluster every node has a state directory of its own, which the node's keeper names in the environment."""
    state = os.environ.get(NODE_STATE)
    return msgspec.structs.replace(spec, state_dir=state) if state and spec.node else spec


_control_decoder = msgspec.msgpack.Decoder(AnyControl)


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
