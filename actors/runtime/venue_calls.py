"""Calls of an actor that asks the venue beside the order path: each has an outcome, and only so many are under way at a time."""

from __future__ import annotations

import asyncio

from actors.runtime.address_ledger import OTHERS_SHARE, join_address
from actors.runtime.rest_client import RestClient
from actors.runtime.shell import Host
from configs.keys import ApiKeys
from configs.schema import Settings
from protocols.messages.control import ActorSpec
from protocols.venue import NotSent, QueryKeyPermissions, Usage, VenueRequest


class VenueCalls:
    """Sends requests by REST with one key and delivers their outcomes to the core.

    The wallet, which knows what a key may do, has an address of its own; where it is the venue's, limits and silences are shared.
    """

    def __init__(self, spec: ActorSpec, settings: Settings, host: Host, keys: ApiKeys, calls_max: int) -> None:
        venue = settings.venue
        self._host = host
        self._calls_max = calls_max
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
        self._wallet = self._rest
        if venue.wallet_url is not None and venue.wallet_url != venue.rest_url:
            self._wallet = RestClient(
                venue.wallet_url,
                api_key=keys.api_key,
                signer=keys.signer,
                instruments=(),
                clock=host.clock,
                timeout_ms=venue.request_timeout_ms,
            )

    @property
    def under_way(self) -> int:
        """Calls on their way."""
        return len(self._calls)

    def call(self, request: VenueRequest) -> None:
        """Send a request; its outcome is delivered to the core."""
        loop = asyncio.get_running_loop()
        if len(self._calls) >= self._calls_max:
            reason = f"{self._calls_max} calls are already on their way"
            received_ns = self._host.clock.now_ns()
            outcome = NotSent(request_id=request.request_id, received_ns=received_ns, usage=Usage(), reason=reason)
            loop.call_soon(self._host.deliver, outcome)
            return
        task = loop.create_task(self._ask(request), name=type(request).__name__)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def close(self) -> None:
        """Drop what is on its way and close the connections."""
        for task in self._calls:
            task.cancel()
        if self._calls:
            await asyncio.wait(self._calls)
        await self._rest.close()
        await self._wallet.close()

    async def _ask(self, request: VenueRequest) -> None:
        client = self._wallet if isinstance(request, QueryKeyPermissions) else self._rest
        self._host.deliver(await client.send(request))
