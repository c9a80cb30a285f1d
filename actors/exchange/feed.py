"""The public side of another venue, read without a key: its contracts, its two sockets of market streams, its book snapshots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx

from actors.exchange.contracts import Contract
from actors.exchange.errors import SourceError
from actors.exchange.followed_contracts import followed_contracts
from actors.exchange.followed_listing import CONTRACT_INFO_HEAD, CONTRACT_INFO_STREAM, FollowedListing
from actors.exchange.following import Follower, Stream
from actors.exchange.frames import Frame
from actors.runtime.clock import BootClock
from actors.runtime.rest_client import RestClient
from actors.runtime.web_socket import ReconnectingWebSocket
from configs.schema import ExchangeSettings, FollowSettings
from protocols.binance_usdm.damage import DamagedPayload, SymbolUnavailable
from protocols.binance_usdm.exchange_info import BODY_BYTES_MAX, decode_exchange_info
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.urls import VenueUrls, market_streams, market_url, public_streams, public_url
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.values import InstrumentId
from protocols.venue import BookSnapshot, QueryBook, Throttled

FOLLOWED_ACCOUNT = "followed"
EXCHANGE_INFO = "/fapi/v1/exchangeInfo"
REQUEST_TIMEOUT_MS = 5_000
FRAME_BYTES_MAX = 4_194_304
RECONNECT_DELAY_MS = 250
RECONNECT_DELAY_MS_MAX = 30_000
PING_PERIOD_MS = 200
SILENCE_MS_MAX = 2_000
"""A socket on which not even a pong arrived for so long is given up."""
LOOK_PERIOD_S = 0.05
SNAPSHOTS_AT_ONCE_MAX = 4
LISTING_PERIOD_S = 60.0
SHUT_S_MAX = 86_400.0


TakeFrames = Callable[[list[Frame]], None]
Say = Callable[[str], None]


class _Refused(SourceError):
    """The followed venue wants silence for so long."""

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class VenueFeed:
    """Reads the followed venue. Made with its contracts; `start` connects, and hands over frames from then on."""

    def __init__(self, settings: ExchangeSettings) -> None:
        """
        Raises:
            SourceError: the venue cannot be reached, or does not trade a wanted symbol.
        """
        follow = settings.follow
        assert follow is not None
        self._follow = follow
        self.name = f"paper {urlsplit(follow.rest_url).netloc}"
        body = _exchange_info(follow)
        try:
            listed = decode_exchange_info(body, FOLLOWED_ACCOUNT, settings.symbols)
            self.contracts: list[Contract] = followed_contracts(body, listed.instruments)
        except SymbolUnavailable as error:
            raise SourceError(f"{follow.rest_url}: {error}") from None
        except DamagedPayload as error:
            raise SourceError(f"{follow.rest_url}: its exchangeInfo cannot be understood: {error}") from None
        self._instruments = listed.instruments
        self._listing = FollowedListing(self.contracts, FOLLOWED_ACCOUNT)
        self._clock = BootClock()
        self._follower = Follower(listed.instruments)
        self._wires = WireInstruments(listed.instruments)
        self._sockets: list[ReconnectingWebSocket] = []
        self._rest: RestClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._in_sync = asyncio.Event()
        self._asked = 0
        self.damaged_frames = 0

    async def start(self, now_ns: Callable[[], int], take: TakeFrames, say: Say) -> None:
        """Connect, and return when every symbol is in sync. `now_ns` is the venue's time that frames are given.

        Raises:
            SourceError: it did not come to that in time.
        """
        self._now_ns, self._take, self._say = now_ns, take, say
        urls = VenueUrls(rest=self._follow.rest_url, streams=self._follow.stream_url, ws_api="")
        symbols = [instrument.symbol for instrument in self._instruments]
        self._rest = RestClient(urls.rest, "", None, self._instruments, self._clock, timeout_ms=REQUEST_TIMEOUT_MS)
        for stream, url in (
            (Stream.PUBLIC, public_url(urls, public_streams(symbols))),
            (Stream.MARKET, market_url(urls, [*market_streams(symbols), CONTRACT_INFO_STREAM])),
        ):
            socket = ReconnectingWebSocket(
                url,
                partial(self._on_frame, stream, MarketStreamDecoder(self._wires)),
                partial(self._on_change, stream),
                linger_off=False,
                frame_bytes_max=FRAME_BYTES_MAX,
                clock=self._clock,
                delay_ms=RECONNECT_DELAY_MS,
                delay_ms_max=RECONNECT_DELAY_MS_MAX,
                ping_period_ms=PING_PERIOD_MS,
                silence_ms_max=SILENCE_MS_MAX,
            )
            socket.start()
            self._sockets.append(socket)
        self._keep(self._look())
        try:
            async with asyncio.timeout(self._follow.start_timeout_ms / 1_000):
                await self._in_sync.wait()
        except TimeoutError:
            lacks = "; ".join(f"{symbol}: {lack}" for symbol, lack in self._follower.waiting_for.items())
            errors = ", ".join(sorted({socket.error for socket in self._sockets if socket.error}))
            await self.stop()
            raise SourceError(
                f"{self._follow.stream_url} did not come into sync within {self._follow.start_timeout_ms} ms ({lacks}"
                + (f"; {errors})" if errors else ")")
            ) from None

        self._keep(self._watch_listing())

    async def stop(self) -> None:
        """Close everything."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for socket in self._sockets:
            await socket.stop()
        if self._rest is not None:
            await self._rest.close()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="followed venue")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self) -> None:
        """Ask for the snapshots that are due."""
        at_once = asyncio.Semaphore(SNAPSHOTS_AT_ONCE_MAX)
        while True:
            for instrument_id in self._follower.snapshots_due(self._clock.now_ns()):
                self._keep(self._snapshot(instrument_id, at_once))
            await asyncio.sleep(LOOK_PERIOD_S)

    async def _watch_listing(self) -> None:
        """Once a minute: status and bounds of the contracts. An answer that cannot be had or used changes nothing."""
        wait_s = LISTING_PERIOD_S
        while True:
            await asyncio.sleep(wait_s)
            wait_s = LISTING_PERIOD_S
            try:
                body = await asyncio.to_thread(_exchange_info, self._follow)
                self._listed(self._listing.take_info(body, self._now_ns()))
            except _Refused as refused:
                wait_s = max(LISTING_PERIOD_S, refused.retry_after_s)
                self._follower.silence(self._clock.now_ns() + int(refused.retry_after_s * 1e9))
            except (SourceError, DamagedPayload) as error:
                self._say(f"source {self.name}: its contracts were not looked at: {error}")

    def _listed(self, frames: list[Frame]) -> None:
        for note in self._listing.notes:
            self._say(f"source {self.name}: {note}")
        self._listing.notes.clear()
        self._hand_over(frames)

    async def _snapshot(self, instrument_id: InstrumentId, at_once: asyncio.Semaphore) -> None:
        assert self._rest is not None
        async with at_once:
            self._asked += 1
            outcome = await self._rest.send(QueryBook(request_id=self._asked, instrument_id=instrument_id))
        match outcome:
            case BookSnapshot():
                self._hand_over(self._follower.take_snapshot(outcome, self._now_ns()))
            case Throttled():
                self._follower.snapshot_failed(instrument_id, outcome.retry_at_ns)
            case _:
                self._follower.snapshot_failed(instrument_id)

    def _on_frame(self, stream: Stream, decoder: MarketStreamDecoder, payload: bytes, received_ns: int) -> None:
        try:
            if payload.startswith(CONTRACT_INFO_HEAD):
                self._listed(self._listing.take_stream(payload, self._now_ns()))
                return
            event = decoder.decode(payload, received_ns)
        except DamagedPayload as damage:
            self.damaged_frames += 1
            if self.damaged_frames == 1:
                self._say(f"source {self.name}: a frame cannot be understood: {damage}")
            self._hand_over(self._follower.damaged(stream, self._now_ns()))
            return
        if event is not None:
            self._hand_over(self._follower.take(event, self._now_ns()))

    def _on_change(self, stream: Stream, up: bool, reason: str) -> None:
        if self._closing:
            return
        self._say(f"source {self.name}: {stream.value} streams {'connected' if up else 'lost'}: {reason}")
        self._hand_over(self._follower.stream_changed(stream, self._now_ns(), up=up))

    def _hand_over(self, frames: list[Frame]) -> None:
        if frames and not self._closing:
            self._take(frames)
            if not self._in_sync.is_set() and not self._follower.waiting_for:
                self._in_sync.set()


def _exchange_info(follow: FollowSettings) -> bytes:
    """The followed venue's contracts, asked once before anything is started.

    Raises:
        SourceError: there is no answer that could be one.
    """
    where = follow.rest_url + EXCHANGE_INFO
    deadline_s = time.monotonic() + follow.start_timeout_ms / 1_000
    try:
        with (
            httpx.Client(trust_env=False, follow_redirects=False, timeout=REQUEST_TIMEOUT_MS / 1_000) as client,
            client.stream("GET", where, headers={"User-Agent": "raymaker"}) as answer,
        ):
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > BODY_BYTES_MAX or time.monotonic() > deadline_s:
                    raise SourceError(f"{where}: its answer is too long or too slow")
    except httpx.HTTPError as error:
        raise SourceError(
            f"{follow.rest_url} cannot be reached ({error or type(error).__name__}): paper trading needs the followed venue; "
            "check exchange.follow and the network"
        ) from None
    if answer.status_code != 200:
        if answer.status_code in (418, 429):
            text = answer.headers.get("Retry-After", "")
            retry_after_s = min(float(text), SHUT_S_MAX) if text.isdecimal() else LISTING_PERIOD_S
            wait = "too many questions from this address; wait some minutes"
            raise _Refused(
                f"{where} answered {answer.status_code} ({wait}): it cannot be followed from here now", retry_after_s
            )
        raise SourceError(f"{where} answered {answer.status_code}: it cannot be followed from here now")
    return bytes(body)
