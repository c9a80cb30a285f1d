"""The shell of strategy: it has no I/O of its own, only links."""

from __future__ import annotations

from types import UnionType
from typing import Any

from actors.runtime.shell import Host
from actors.strategy.core import StrategyCore
from configs.schema import Settings
from protocols.envelope import Message
from protocols.mailboxes import StrategyMailbox
from protocols.messages.control import ActorSpec, ActorState


class StrategyActor:
    """strategy of one shard."""

    mailbox: UnionType = StrategyMailbox

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self.core = StrategyCore(spec, settings)
        self._started = False
        self._stopped = False

    async def start(self, host: Host) -> None:
        """Nothing to open."""
        self._started = True

    def call(self, request: Message) -> None:
        """strategy speaks to no venue."""
        raise AssertionError(f"strategy does not call the venue: {type(request).__name__}")

    def append(self, record: Message) -> None:
        """strategy keeps no journal: what it knows is told to it again."""
        raise AssertionError(f"strategy has no journal for {type(record).__name__}")

    def state(self) -> ActorState:
        """RUNNING once started; whether it quotes is a state of its symbols."""
        if self._stopped or self.core.drained:
            return ActorState.STOPPED
        return ActorState.RUNNING if self._started else ActorState.STARTING

    def extra_snapshot(self) -> dict[str, Any]:
        """No I/O, nothing to show."""
        return {}

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """Nothing: every message of strategy is replaced by a newer one."""
        return []

    async def stop(self) -> None:
        """Nothing to close."""
        self._stopped = True
