"""The shell of the risk monitor: its core and its memory on file. It has no socket but its links."""

from __future__ import annotations

from types import UnionType
from typing import Any

from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.memory import RiskMemory
from actors.risk_monitor.spool import LevelJournal, MemoryDamaged, MemorySpool
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
        self._levels = LevelJournal(state_dir.risk_levels)
        self._damaged = ""
        self._started = False
        memory: RiskMemory | None = None
        try:
            memory = self._spool.read()
        except MemoryDamaged as error:
            self._damaged = str(error)
        self.core = RiskMonitorCore(spec, settings, memory, damaged=self._damaged or None)

    async def start(self, host: Host) -> None:
        """Keep a damaged memory for whoever looks into it."""
        if self._damaged:
            host.log.error("{}", self._damaged)
            self._spool.set_aside()
        self._started = True

    def call(self, request: Message) -> None:
        """The risk monitor asks the venue nothing."""
        raise AssertionError(f"the risk monitor has no socket for {type(request).__name__}")

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
        """Writes of the memory, and what was wrong with the one that was found."""
        return {"memory_writes": self._spool.writes, "memory_damaged": self._damaged}

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """Nothing: the risk monitor publishes no ordered messages."""
        return []

    async def stop(self) -> None:
        """Nothing is open."""
