"""Inventory's way to the venue: REST with the account's key, read only but for the key of the private stream."""

from __future__ import annotations

import asyncio

from actors.runtime.address_ledger import OTHERS_SHARE, join_address
from actors.runtime.rest_client import RestClient
from actors.runtime.shell import Host
from configs.keys import load_keys
from configs.schema import Settings
from protocols.messages.control import ActorSpec
from protocols.venue import (
    KeepUserStream,
    NotSent,
    OpenUserStream,
    QueryAssetRates,
    QueryBalances,
    QueryIncome,
    QueryPositions,
    Usage,
)

CALLS_MAX = 8
"""Calls at one time; the core asks one question of a kind at a time."""

Question = OpenUserStream | KeepUserStream | QueryAssetRates | QueryBalances | QueryIncome | QueryPositions


class Gateway:
    """Carries out questions and delivers their outcomes.

    Raises:
        ApiKeyError: the account's key cannot be had.
    """

    def __init__(self, spec: ActorSpec, settings: Settings, host: Host) -> None:
        venue = settings.venue
        keys = load_keys(venue.keys)
        self._host = host
        self._calls: set[asyncio.Task[None]] = set()
        self._rest = RestClient(
            venue.rest_url,
            api_key=keys.api_key,
            signer=keys.signer,
            instruments=spec.instruments,
            clock=host.clock,
            timeout_ms=venue.request_timeout_ms,
            ledger=join_address(spec.state_dir, spec.name),
            weight_1m_max=int(spec.rate_limits.weight_1m * OTHERS_SHARE),
        )

    @property
    def calls(self) -> int:
        """Calls on their way."""
        return len(self._calls)

    def call(self, request: Question) -> None:
        """Send a question; its outcome is delivered to the core."""
        loop = asyncio.get_running_loop()
        if len(self._calls) >= CALLS_MAX:
            reason = f"{CALLS_MAX} calls are already on their way"
            received_ns = self._host.clock.now_ns()
            outcome = NotSent(request_id=request.request_id, received_ns=received_ns, usage=Usage(), reason=reason)
            loop.call_soon(self._host.deliver, outcome)
            return
        task = loop.create_task(self._ask(request), name=type(request).__name__)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def close(self) -> None:
        """Drop what is on its way. The key of the private stream is left alive: other processes use it."""
        for task in self._calls:
            task.cancel()
        if self._calls:
            await asyncio.wait(self._calls)
        await self._rest.close()

    async def _ask(self, request: Question) -> None:
        self._host.deliver(await self._rest.send(request))
