"""What an actor's shell must offer its host, and what the host offers the shell.

A shell is built in the actor's own process as `ShellClass(spec, settings)`; the host (actors/runtime/process.py) then feeds its core
and carries out the effects that every actor has (Publish, Send, SetTimer, Log), and hands the shell those that need its I/O.
"""

from __future__ import annotations

from types import UnionType
from typing import Any, Protocol

from protocols.effects import Core
from protocols.envelope import Message
from protocols.messages.control import ActorState


class Clock(Protocol):
    """CLOCK_BOOTTIME in nanoseconds; never the wall clock."""

    def now_ns(self) -> int: ...


class Host(Protocol):
    """What a shell may use of its host. Everything runs on one asyncio loop."""

    clock: Clock
    log: Any
    origin_ns: int
    """Receipt of the market frame behind the message being handled; 0 when none is."""

    def deliver(self, message: Message, origin_ns: int = 0) -> None:
        """Hand `message` to the core now and carry out its effects before returning."""
        ...


class Shell(Protocol):
    """One actor's I/O around one core."""

    core: Core
    mailbox: UnionType
    """The union of protocols/mailboxes.py that incoming messages are decoded against."""

    async def start(self, host: Host) -> None:
        """Open sockets, files and journals. The core's `start` effects follow after this returns."""
        ...

    def call(self, request: Message) -> None:
        """Carry out a `Call` effect without waiting; its outcome comes back through `host.deliver`."""
        ...

    def append(self, record: Message) -> None:
        """Carry out an `Append` effect: the record leaves the process before any later effect of the list does."""
        ...

    def state(self) -> ActorState:
        """Where the actor is in its life, for health and for the order of starting."""
        ...

    def extra_snapshot(self) -> dict[str, Any]:
        """What only the I/O parts know (sockets, histograms); builtins only, shown under `io` in status."""
        ...

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """Ordered messages of this actor from its journal, for a reader that asks from a number; empty where there is none."""
        ...

    async def stop(self) -> None:
        """Close everything; called after the core has drained."""
        ...
