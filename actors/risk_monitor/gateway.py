"""The risk monitor's own way to the venue: REST that only reads, and a private stream of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.runtime.shell import Host
from actors.runtime.venue_calls import VenueCalls
from actors.runtime.web_socket import ReconnectingWebSocket
from configs.keys import load_keys
from configs.schema import Settings
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.urls import VenueUrls, private_url
from protocols.binance_usdm.user_stream import UserStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.messages.control import ActorSpec
from protocols.venue import (
    BadFrame,
    QueryAccount,
    QueryAccountConfig,
    QueryAdlQuantiles,
    QueryAllOpenOrders,
    QueryBrackets,
    QueryFeeBurn,
    QueryFeeRates,
    QueryKeyPermissions,
    QueryListing,
    QueryPositions,
    QuerySymbolConfigs,
    QueryTradingStatus,
    StreamChanged,
    StreamHeard,
    UserStreamExpired,
)

PRIVATE = "private"

CALLS_MAX = 16
"""Calls at one time; the core asks one question of a kind at a time."""

PERIOD_S = 0.25
"""Period of passing on signs of life and of looking for a newer key."""

REASON_CHARACTERS_MAX = 200

Look = (
    QueryPositions
    | QueryAccount
    | QueryAllOpenOrders
    | QuerySymbolConfigs
    | QueryAdlQuantiles
    | QueryTradingStatus
    | QueryAccountConfig
    | QueryBrackets
    | QueryFeeBurn
    | QueryFeeRates
    | QueryKeyPermissions
    | QueryListing
)


class Gateway:
    """Carries out looks and delivers their outcomes and the events of the private stream, all on one loop.

    Args:
        listen_key: the newest key of the private stream; "" means not yet known.

    Raises:
        ApiKeyError: the key cannot be had.
    """

    def __init__(self, spec: ActorSpec, settings: Settings, host: Host, listen_key: Callable[[], str]) -> None:
        venue, market_data = settings.venue, settings.market_data
        keys = load_keys(settings.risk.keys or venue.keys)
        if settings.risk.keys is None and venue.live:
            host.log.warning(
                "the risk monitor looks with the account's own key: name a key that may only read (risk.keys)"
            )
        self._host = host
        self._listen_key = listen_key
        self._urls = VenueUrls(rest=venue.rest_url, streams=venue.stream_url, ws_api=venue.ws_api_url)
        self._decoder = UserStreamDecoder(WireInstruments(spec.instruments))
        self._calls = VenueCalls(spec, settings, host, keys, CALLS_MAX)
        self._private = ReconnectingWebSocket(
            self._private_url,
            self._frame,
            self._changed,
            frame_bytes_max=market_data.frame_bytes_max,
            clock=host.clock,
            delay_ms=market_data.reconnect_delay_ms,
            delay_ms_max=market_data.reconnect_delay_ms_max,
        )
        self._watch: asyncio.Task[None] | None = None
        self._key_in_use = self._dead_key = ""
        self._heard_told_ns = 0
        self._bad_frames = 0

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._private.start()
        self._watch = asyncio.get_running_loop().create_task(self._look(), name="private stream")

    async def close(self) -> None:
        """Close everything. The key of the private stream is left alive: other processes use it."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await self._private.stop()
        await self._calls.close()

    def call(self, request: Look) -> None:
        """Ask the venue; the outcome is delivered to the core."""
        self._calls.call(request)

    def snapshot(self) -> dict[str, Any]:
        """State of the connections, builtins only."""
        return {
            "private_open": self._private.is_open,
            "private_failures_in_a_row": self._private.failures,
            "calls": self._calls.under_way,
            "bad_frames": self._bad_frames,
        }

    def _private_url(self) -> str | None:
        newest = self._listen_key()
        self._key_in_use = newest if newest != self._dead_key else ""
        return private_url(self._urls, self._key_in_use) if self._key_in_use else None

    def _frame(self, payload: bytes, received_ns: int) -> None:
        try:
            events = self._decoder.decode(payload, received_ns)
        except DamagedPayload as damage:
            self._bad_frames += 1
            reason = damage.reason[:REASON_CHARACTERS_MAX]
            self._host.deliver(BadFrame(stream=PRIVATE, reason=reason, field=damage.field, received_ns=received_ns))
            return
        for event in events:
            self._host.deliver(event)
            if isinstance(event, UserStreamExpired):
                self._dead_key, self._key_in_use = self._key_in_use, ""
                self._private.reconnect("the key has expired")

    def _changed(self, up: bool, reason: str) -> None:
        now_ns = self._host.clock.now_ns()
        self._host.deliver(
            StreamChanged(stream=PRIVATE, up=up, changed_ns=now_ns, reason=reason[:REASON_CHARACTERS_MAX])
        )

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            newest = self._listen_key()
            if self._private.is_open and newest and newest != self._key_in_use:
                self._private.reconnect("the key has changed")
                continue
            heard_ns = self._private.heard_ns
            if self._private.is_open and heard_ns > self._heard_told_ns:
                self._heard_told_ns = heard_ns
                self._host.deliver(StreamHeard(stream=PRIVATE, heard_ns=heard_ns))
