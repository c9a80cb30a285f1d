"""The shell of inventory: its journal and its way to the venue around one core."""

from __future__ import annotations

from types import UnionType
from typing import Any

from actors.inventory.core import InventoryCore
from actors.inventory.spool import BooksSpool
from actors.runtime.shell import Host
from actors.runtime.state_dir import StateDir
from actors.runtime.venue_calls import VenueCalls
from configs.keys import load_keys
from configs.schema import Settings
from protocols.envelope import Message
from protocols.mailboxes import InventoryMailbox
from protocols.messages.control import ActorSpec, ActorState
from protocols.venue import (
    KeepUserStream,
    OpenUserStream,
    QueryAssetRates,
    QueryBalances,
    QueryIncome,
    QueryKeyPermissions,
    QueryPositions,
)

CALLS_MAX = 8
"""Calls at one time; the core asks one question of a kind at a time."""

Question = (
    OpenUserStream
    | KeepUserStream
    | QueryAssetRates
    | QueryBalances
    | QueryIncome
    | QueryKeyPermissions
    | QueryPositions
)

FROM_NOW = -1
"""Peers whose messages are not numbered events: only what is new is wanted."""


class InventoryActor:
    """Inventory of the account.

    Raises:
        JournalError: its journal is in use or damaged.
    """

    mailbox: UnionType = InventoryMailbox

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self._spec = spec
        self._settings = settings
        self._spool = BooksSpool(StateDir(spec.state_dir).inventory_journal)
        self.core = InventoryCore(spec, settings, self._spool.read())
        self._calls: VenueCalls | None = None
        self._shard_of_peer = {f"order_manager-{shard}": shard for shard in range(len(spec.shards))}

    async def start(self, host: Host) -> None:
        """Read the account's key and be ready to ask.

        Raises:
            ApiKeyError: the key cannot be had.
        """
        keys = load_keys(self._settings.venue.keys)
        self._calls = VenueCalls(self._spec, self._settings, host, keys, CALLS_MAX)

    def resume_number(self, peer: str) -> int:
        """The newest event of a peer that is booked: 0 asks for all of them."""
        shard = self._shard_of_peer.get(peer)
        return FROM_NOW if shard is None else self.core.resume_from(shard)

    def call(self, request: Message) -> None:
        """Ask the venue."""
        assert self._calls is not None, "a call before start"
        assert isinstance(request, Question), f"inventory has no way to carry out {type(request).__name__}"
        self._calls.call(request)

    def append(self, record: Message) -> None:
        """Keep a record.

        Raises:
            JournalFailed: it could not be written.
        """
        self._spool.write(record)

    def state(self) -> ActorState:
        """Where the actor is in its life."""
        return self.core.state() if self._calls is not None else ActorState.STARTING

    def extra_snapshot(self) -> dict[str, Any]:
        """Records of the journal and calls on their way."""
        return {"journal_records": self._spool.last_seq, "calls": self._calls.under_way if self._calls else 0}

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """Nothing: inventory's own messages are replaced by newer ones."""
        return []

    async def stop(self) -> None:
        """Close the connections and the journal. The key of the private stream is left alive: other processes use it."""
        if self._calls is not None:
            await self._calls.close()
        self._spool.close()
