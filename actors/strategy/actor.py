"""The shell of strategy: it has no I/O of its own, only links."""

from __future__ import annotations

from types import UnionType
from typing import Any

from actors.runtime.links.stage import Stage
from actors.runtime.shell import Host
from actors.strategy.core import StrategyCore
from actors.strategy.rehearsal import Rehearsal
from configs.schema import Settings
from protocols.effects import Publish
from protocols.envelope import Message
from protocols.mailboxes import StrategyMailbox
from protocols.messages.control import ActorSpec, ActorState
from protocols.messages.market import BookTop


class StrategyActor:
    """strategy of one shard."""

    mailbox: UnionType = StrategyMailbox

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self.core = StrategyCore(spec, settings)
        self._spec = spec
        self._settings = settings
        self._host: Host | None = None
        self._rehearsal: Rehearsal | None = None
        self._stage: Stage | None = None
        self._started = False
        self._stopped = False

    async def start(self, host: Host) -> None:
        """Nothing to open."""
        self._host = host
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

    def rehearse(self, now_ns: int) -> None:
        """Hear an imagined book, price it, and say its ladder to nobody."""
        host = self._host
        assert host is not None, "a rehearsal before start"
        if self._stage is None or self._rehearsal is None:
            self._rehearsal = Rehearsal(self._spec, self._settings, now_ns)
            self._stage = Stage(self.mailbox, "order_manager", self._settings.links, host.clock, host.log)
        rehearsal, stage = self._rehearsal, self._stage
        book = stage.hear(rehearsal.next_book(now_ns), now_ns)
        assert isinstance(book, BookTop)
        for effect in rehearsal.play(book, now_ns):
            if isinstance(effect, Publish):
                stage.say(effect.body, now_ns)

    async def stop(self) -> None:
        """Close the stage."""
        self._stopped = True
        if self._stage is not None:
            self._stage.close()
            self._stage = None
