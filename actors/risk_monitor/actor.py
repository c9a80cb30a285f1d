"""The shell of the risk monitor: its core, its files, and its own way to the venue."""

from __future__ import annotations

from types import UnionType
from typing import Any

from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.gateway import Gateway, Look
from actors.risk_monitor.memory import RiskMemory
from actors.risk_monitor.spool import MemoryDamaged, MemorySpool
from actors.runtime.line_journal import LineJournal
from actors.runtime.shell import Host
from actors.runtime.state_dir import StateDir
from configs.schema import Settings
from protocols.envelope import Message
from protocols.mailboxes import RiskMonitorMailbox
from protocols.messages.control import ActorSpec, ActorState
from protocols.messages.risk import LevelChanged


class RiskMonitorActor:
    """The risk monitor of the account."""

    mailbox: UnionType = RiskMonitorMailbox

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        state_dir = StateDir(spec.state_dir)
        self._spool = MemorySpool(state_dir.risk_memory)
        self._levels = LineJournal(state_dir.risk_levels, "a change of level")
        self._spec, self._settings = spec, settings
        self._gateway: Gateway | None = None
        self._damaged = ""
        self._started = False
        memory: RiskMemory | None = None
        try:
            memory = self._spool.read()
        except MemoryDamaged as error:
            self._damaged = str(error)
        self.core = RiskMonitorCore(spec, settings, memory, damaged=self._damaged or None)

    async def start(self, host: Host) -> None:
        """Keep a damaged memory for whoever looks into it, and begin to look at the venue.

        Raises:
            ApiKeyError: there is no key to look with.
        """
        if self._damaged:
            host.log.error("{}", self._damaged)
            self._spool.set_aside()
        self._gateway = Gateway(self._spec, self._settings, host, lambda: self.core.listen_key)
        self._gateway.start()
        self._started = True

    def call(self, request: Message) -> None:
        """Look at the venue."""
        assert self._gateway is not None and isinstance(request, Look), (
            f"the risk monitor asks no {type(request).__name__}"
        )
        self._gateway.call(request)

    def append(self, record: Message) -> None:
        """Put the memory, or a change of a level, on file, synced.

        Raises:
            JournalFailed: the disk did not take it.
        """
        if isinstance(record, LevelChanged):
            self._levels.write(record)
            return
        assert isinstance(record, RiskMemory), f"the risk monitor keeps no {type(record).__name__}"
        self._spool.write(record)

    def state(self) -> ActorState:
        """Where the actor is in its life."""
        return self.core.state() if self._started else ActorState.STARTING

    def extra_snapshot(self) -> dict[str, Any]:
        """State of the connections, writes of the memory, and what was wrong with the one that was found."""
        shown: dict[str, Any] = self._gateway.snapshot() if self._gateway is not None else {}
        return {**shown, "memory_writes": self._spool.writes, "memory_damaged": self._damaged}

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """Nothing: the risk monitor publishes no ordered messages."""
        return []

    async def stop(self) -> None:
        """Close the connections."""
        if self._gateway is not None:
            await self._gateway.close()
