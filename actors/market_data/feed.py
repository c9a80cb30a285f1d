"""The two sockets of the venue's market streams (facts section 1.2), kept open and decoded on the way in.

Every frame is decoded and handed to the core in the turn of the loop that received it. A frame that cannot be understood becomes a
`BadFrame`; the socket stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from actors.market_data.core import MARKET, PUBLIC
from actors.runtime.shell import Host
from actors.runtime.web_socket import ReconnectingWebSocket
from configs.schema import Settings
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.urls import VenueUrls, market_streams, market_url, public_streams, public_url
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.values import Instrument
from protocols.venue import BadFrame, StreamChanged, StreamHeard

PING_PERIOD_MS = 200
"""A quiet socket is made to speak this often: below every bound on a book's age, within the venue's ten messages a second."""
HEARD_PERIOD_S = 0.1
REASON_CHARACTERS_MAX = 200


class Feed:
    """Public and market sockets of one shard's symbols."""

    def __init__(self, settings: Settings, instruments: Iterable[Instrument], host: Host) -> None:
        instruments = tuple(instruments)
        symbols = [instrument.symbol for instrument in instruments]
        wires = WireInstruments(instruments)
        venue = settings.venue
        urls = VenueUrls(rest=venue.rest_url, streams=venue.stream_url, ws_api=venue.ws_api_url)
        public = public_url(urls, public_streams(symbols, venue.book_stream))
        market = market_url(urls, market_streams(symbols))
        self._host = host
        self._sockets = {
            PUBLIC: _Socket(PUBLIC, public, wires, settings, host),
            MARKET: _Socket(MARKET, market, wires, settings, host),
        }
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect; returns at once."""
        for socket in self._sockets.values():
            socket.connection.start()
        self._listening = asyncio.get_running_loop().create_task(self._pass_on_life(), name="signs of life")

    async def stop(self) -> None:
        """Close both sockets."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        for socket in self._sockets.values():
            socket.closing = True
            await socket.connection.stop()

    def snapshot(self) -> dict[str, Any]:
        """State of the sockets, builtins only."""
        return {name: socket.snapshot() for name, socket in self._sockets.items()}

    async def _pass_on_life(self) -> None:
        while True:
            await asyncio.sleep(HEARD_PERIOD_S)
            for name, socket in self._sockets.items():
                heard_ns = socket.connection.heard_ns
                if socket.connection.is_open and heard_ns > socket.told_ns:
                    socket.told_ns = heard_ns
                    self._host.deliver(StreamHeard(stream=name, heard_ns=heard_ns))


class _Socket:
    """One connection with its decoder and counters."""

    def __init__(self, name: str, url: str, wires: WireInstruments, settings: Settings, host: Host) -> None:
        self.told_ns = 0
        self.closing = False
        """We end it ourselves: its loss is no news."""
        self._name = name
        self._host = host
        self._decoder = MarketStreamDecoder(wires)
        self._frames = self._bytes = self._bad_frames = self._connections = 0
        market_data = settings.market_data
        self.connection = ReconnectingWebSocket(
            url,
            self._on_frame(),
            self._on_change,
            linger_off=False,
            frame_bytes_max=market_data.frame_bytes_max,
            clock=host.clock,
            delay_ms=market_data.reconnect_delay_ms,
            delay_ms_max=market_data.reconnect_delay_ms_max,
            ping_period_ms=PING_PERIOD_MS,
            silence_ms_max=2 * market_data.stale_after_ms,
        )

    def snapshot(self) -> dict[str, Any]:
        return {
            "open": self.connection.is_open,
            "connections": self._connections,
            "failures_in_a_row": self.connection.failures,
            "last_error": self.connection.error,
            "frames": self._frames,
            "bytes": self._bytes,
            "bad_frames": self._bad_frames,
            "unmodelled": dict(self._decoder.unmodelled),
        }

    def _on_frame(self) -> Callable[[bytes, int], None]:
        decode = self._decoder.decode
        deliver = self._host.deliver

        def on_frame(payload: bytes, received_ns: int) -> None:
            self._frames += 1
            self._bytes += len(payload)
            try:
                event = decode(payload, received_ns)
            except DamagedPayload as damage:
                self._bad_frames += 1
                deliver(
                    BadFrame(
                        stream=self._name,
                        reason=damage.reason[:REASON_CHARACTERS_MAX],
                        field=damage.field,
                        received_ns=received_ns,
                    )
                )
                return
            if event is not None:
                deliver(event, received_ns)

        return on_frame

    def _on_change(self, up: bool, reason: str) -> None:
        if self.closing:
            return
        self._connections += up
        now_ns = self._host.clock.now_ns()
        self._host.deliver(StreamChanged(stream=self._name, up=up, changed_ns=now_ns, reason=reason))
