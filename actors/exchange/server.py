"""Binance's wire on loopback around the venue: HTTP, stream sockets, the WebSocket API, the clock, and the ledger file.

One turn of the loop applies the market frames that are due, advances the venue, writes the ledger, and only then hands out answers and
frames. Nothing is decided here.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from aiohttp import WSMsgType, web

from actors.exchange import admin, ledger
from actors.exchange.api import Answer, RestRequest, WsSession
from actors.exchange.authentication import Credential, hmac_credential
from actors.exchange.channels import Subscriber
from actors.exchange.errors import ExchangeError, SourceError
from actors.exchange.exchange import Exchange, Output
from actors.exchange.faults import FaultKind, SocketGroup
from actors.exchange.frames import Frame, StaleFrame
from actors.exchange.market_endpoints import DEPTH_LIMIT_MAX, depth_body
from actors.exchange.sources import FollowedSource, MarketSource, open_source
from actors.exchange.spool import CaptureFolder, LedgerFile, LedgerFileError
from actors.exchange.subscriptions import (
    StreamAddress,
    control,
    is_served,
    read_address,
)
from configs.schema import ExchangeSettings

DEMO_KEY = "raymaker-demo-key"
DEMO_SECRET = "raymaker-demo-secret"
DEMO_ACCOUNT = "main"
BODY_BYTES_MAX = 1_048_576
MESSAGE_BYTES_MAX = 1_048_576
PING_S = 180.0
FRAMES_PER_TURN_MAX = 500
TURN_S_MIN = 0.0005
TURN_S_MAX = 0.05
SOCKETS_MAX = 1_000

Say = Callable[[str], None]


class ServerError(ExchangeError):
    """The venue cannot be served; the text is one sentence that says what and why."""


def demo_credentials(accounts: int = 1) -> list[Credential]:
    """The key pairs that a venue without configured keys knows: the first account's, and those of `-2`, `-3` and so on."""
    more = [f"-{number}" for number in range(2, accounts + 1)]
    return [hmac_credential(DEMO_KEY + end, DEMO_SECRET + end, DEMO_ACCOUNT + end) for end in ("", *more)]


class VenueServer:
    """The venue on a port of loopback."""

    def __init__(
        self, settings: ExchangeSettings, credentials: list[Credential], say: Say, *, source: MarketSource | None = None
    ) -> None:
        """`source` stands for the one that the settings name.

        Raises:
            ServerError: the source or the ledger cannot be used.
        """
        self._settings = settings
        self._say = say
        try:
            self._source: MarketSource = source if source is not None else open_source(settings)
        except SourceError as error:
            raise ServerError(str(error)) from error
        try:
            self._ledger = LedgerFile(Path(settings.ledger)) if settings.ledger else None
        except LedgerFileError as error:
            raise ServerError(str(error)) from error
        try:
            symbols = [contract.symbol for contract in self._source.contracts]
            self._recording = CaptureFolder(Path(settings.record), symbols) if settings.record else None
        except LedgerFileError as error:
            raise ServerError(str(error)) from error
        self._wall_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        try:
            self.exchange = Exchange(
                settings,
                self._source.contracts,
                credentials,
                self.now_ns(),
                source=self._source.name,
                listen_key_salt=secrets.token_hex(32),
                earlier=self._ledger.read() if self._ledger else (),
            )
        except ledger.LedgerDamagedError as error:
            raise ServerError(f"{settings.ledger}: {error}") from error
        self.failed: asyncio.Future[None] | None = None
        self.port = 0
        self._frames: Iterator[Frame] | None = None
        self._next_frame: Frame | None = None
        self._next_turn: asyncio.Handle | None = None
        self._turning = False
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._by_stream: dict[str, set[Subscriber]] = {}
        self._by_session: dict[int, Subscriber] = {}
        self._api_sockets: dict[int, Subscriber] = {}
        self._api_sessions: dict[int, WsSession] = {}
        self._subscribers: set[Subscriber] = set()
        self._connections = 0
        self._runner: web.AppRunner | None = None

    @property
    def source_name(self) -> str:
        """Where the market comes from."""
        return self._settings.source or self._source.name

    def now_ns(self) -> int:
        """The venue's time: the wall clock at the start, and boot time since."""
        return self._wall_ns + time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    async def start(self) -> None:
        """Publish the first books and listen.

        Raises:
            ServerError: the port is in use, or the followed venue does not come into sync.
        """
        self.failed = asyncio.get_running_loop().create_future()
        if self._recording is not None:
            for stream in self._recording.streams:
                self.exchange.subscribe(stream)
        for frame in self._source.opening(self.now_ns()):
            self.exchange.apply(frame)
        if isinstance(self._source, FollowedSource):
            try:
                await self._source.feed.start(self.now_ns, self._take_live, self._say)
            except SourceError as error:
                raise ServerError(str(error)) from error
        if self._recording is not None:
            for symbol, market in self.exchange.venue.markets.items():
                body = depth_body(market, DEPTH_LIMIT_MAX, self.now_ns() // 1_000_000)
                self._recording.snapshot(symbol, self.now_ns(), msgspec.json.encode(body))
        for note in self._source.report.notes:
            self._say(f"source {self._source.name}: {note}")
        if self._settings.source is None or not self._settings.wait_for_subscriber:
            self._begin_market()
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if isinstance(self._source, FollowedSource):
                await self._source.feed.stop()
            raise ServerError(
                f"port {self._settings.port} of {self._settings.host} cannot be used: {error.strerror}"
            ) from error
        self.port = self._runner.addresses[0][1]
        self._turn()

    async def stop(self) -> None:
        """Close every connection, write the last records, release the ledger."""
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        if isinstance(self._source, FollowedSource):
            await self._source.feed.stop()
        for subscriber in list(self._subscribers):
            await subscriber.socket.close(code=1001, message=b"Venue stops")
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        for reason, count in self._source.report.counts.items():
            self._say(f"source {self._source.name}: {count} x {reason}")
        if self._recording is not None:
            self._recording.close()
        if self._ledger is not None:
            self._ledger.append(self.exchange.close().records)
            self._ledger.close()
            self._ledger = None

    def connections(self) -> dict[str, int]:
        """How many of what is connected, and the port."""
        return {
            "port": self.port,
            "sockets": len(self._subscribers),
            "api_sockets": len(self._api_sockets),
            "user_sessions": len(self._by_session),
            "market_streams": len(self._by_stream),
        }

    def _begin_market(self) -> None:
        if self._frames is None:
            self._frames = self._source.frames(self.now_ns())
            self._next_frame = next(self._frames, None)

    def _take_live(self, frames: list[Frame]) -> None:
        """Frames of a followed venue, now. When it is away, so are we: our market sockets are closed as its were."""
        for frame in frames:
            self.exchange.apply(frame)
        if any(isinstance(frame, StaleFrame) and frame.disconnected for frame in frames):
            for subscriber in list(self._subscribers):
                if subscriber.serves(SocketGroup.PUBLIC) or subscriber.serves(SocketGroup.MARKET):
                    subscriber.close(1001, "The followed venue is away")
        if self._runner is not None:
            self._turn()

    def _turn(self) -> None:
        """Do everything that is due, write the ledger, hand out the rest, and plan the next turn."""
        if self._turning:
            return
        self._turning = True
        try:
            now_ns = self.now_ns()
            frames = FRAMES_PER_TURN_MAX
            while self._next_frame is not None and self._next_frame.at_ns <= now_ns and frames:
                self.exchange.apply(self._next_frame)
                assert self._frames is not None
                self._next_frame = next(self._frames, None)
                frames -= 1
            if frames:
                self.exchange.advance(now_ns)
            self._hand_out(self.exchange.drain())
        except OSError as error:
            if self.failed is not None and not self.failed.done():
                self.failed.set_exception(ServerError(f"the ledger cannot be written: {error.strerror}"))
            return
        finally:
            self._turning = False
        if frames:
            self._plan_next_turn()
        else:  # behind the market: sockets are looked at between two turns, and nothing is waited for
            self._plan(asyncio.get_running_loop().call_soon(self._turn))

    def _plan_next_turn(self) -> None:
        due_ns = self.exchange.next_due_ns
        if self._next_frame is not None:
            due_ns = self._next_frame.at_ns if due_ns is None else min(due_ns, self._next_frame.at_ns)
        wait_s = TURN_S_MAX if due_ns is None else (due_ns - self.now_ns()) / 1e9
        loop = asyncio.get_running_loop()
        self._plan(loop.call_later(min(max(wait_s, TURN_S_MIN), TURN_S_MAX), self._turn))

    def _plan(self, turn: asyncio.Handle) -> None:
        if self._next_turn is not None:
            self._next_turn.cancel()
        self._next_turn = turn

    def _hand_out(self, output: Output) -> None:
        if output.records and self._ledger is not None:
            self._ledger.append(output.records)
        for ticket, answer in output.answers:
            future = self._answers.pop(ticket, None)
            if future is not None and not future.done():
                future.set_result(answer)
        for connection, session in output.logons:
            if connection in self._api_sessions:
                self._api_sessions[connection] = session
        for connection, payload in output.ws_answers:
            subscriber = self._api_sockets.get(connection)
            if subscriber is not None:
                subscriber.send(payload)
        for connection in output.ws_cuts:
            if (subscriber := self._api_sockets.get(connection)) is not None:
                subscriber.abort()
        for kind, group in output.socket_faults:
            self._strike_sockets(kind, group)
        for frame in output.user_frames:
            subscriber = self._by_session.get(frame.session)
            if subscriber is not None:
                subscriber.send(_framed(frame.listen_key, frame.payload) if subscriber.combined else frame.payload)
        for stream, payload in output.stream_frames:
            if self._recording is not None:
                self._recording.frame(stream, self.now_ns(), payload)
            combined: bytes | None = None
            for subscriber in self._by_stream.get(stream, ()):
                if subscriber.combined:
                    combined = combined or _framed(stream, payload)
                    subscriber.send(combined)
                else:
                    subscriber.send(payload)

    def _strike_sockets(self, kind: FaultKind, group: SocketGroup) -> None:
        """Close sockets as the venue does after a day, or leave them half open."""
        for subscriber in list(self._subscribers):
            if group is not SocketGroup.ALL and not subscriber.serves(group):
                continue
            if kind is FaultKind.HALF_OPEN:
                subscriber.freeze()
            else:
                subscriber.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path, _, raw_query = request.raw_path.partition("?")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if len(self._subscribers) >= SOCKETS_MAX:
                return web.Response(status=503, text="too many connections")
            if path == "/ws-fapi/v1":
                self.exchange.advance(self.now_ns())
                if (refused := self.exchange.api.ws_connect(request.remote or "")) is not None:
                    return _response(refused)
                return await self._serve_api(request, raw_query)
            address = read_address(path, raw_query)
            if address is not None:
                return await self._serve_streams(request, address)
        return await self._serve_rest(request, path, raw_query)

    async def _serve_rest(self, request: web.Request, path: str, raw_query: str) -> web.Response:
        body = await request.read()
        if path.startswith(admin.PREFIX):
            self.exchange.advance(self.now_ns())
            answer = admin.answer(
                self.exchange,
                request.method,
                path,
                body,
                faults_allowed=self._settings.faults,
                connections=self.connections(),
            )
            self._turn()
            return _response(answer)
        rest = RestRequest(
            method=request.method,
            path=path,
            raw_query=raw_query,
            raw_body=body.decode("utf-8", "replace"),
            api_key=request.headers.get("X-MBX-APIKEY"),
            address=request.remote or "",
        )
        ticket = self.exchange.receive_rest(rest, self.now_ns())
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[ticket] = future
        self._turn()
        try:
            answer = await future
        finally:
            self._answers.pop(ticket, None)
        if answer.cut and request.transport is not None:
            request.transport.abort()
        return _response(answer)

    async def _serve_api(self, request: web.Request, raw_query: str) -> web.WebSocketResponse:
        socket = await self._accept(request)
        self._connections += 1
        connection = self._connections
        subscriber = Subscriber(socket, request.transport, self._settings.subscriber_bytes_max, group="api")
        self._api_sockets[connection] = subscriber
        self._api_sessions[connection] = WsSession(
            address=request.remote or "",
            connected_ms=self.now_ns() // 1_000_000,
            return_rate_limits="returnRateLimits=false" not in raw_query,
        )
        self._subscribers.add(subscriber)
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self.exchange.receive_ws(connection, self._api_sessions[connection], message.data, self.now_ns())
                    self._turn()
        finally:
            self._subscribers.discard(subscriber)
            del self._api_sockets[connection], self._api_sessions[connection]
        return socket

    async def _serve_streams(self, request: web.Request, address: StreamAddress) -> web.WebSocketResponse:
        socket = await self._accept(request)
        subscriber = Subscriber(
            socket,
            request.transport,
            self._settings.subscriber_bytes_max,
            group=address.group,
            combined=address.combined,
        )
        self._subscribers.add(subscriber)
        for wanted in address.wanted:
            self._attach(subscriber, wanted.name, wanted.kinds)
        try:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    continue
                if not subscriber.allows_message(time.monotonic()):
                    await socket.close(code=1008, message=b"Too many requests")
                    break
                if not self._control(subscriber, message.data):
                    await socket.close(code=1008, message=b"Invalid JSON")
                    break
        finally:
            for stream in list(subscriber.streams):
                self._detach(subscriber, stream)
            self._subscribers.discard(subscriber)
        return socket

    async def _accept(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=PING_S, compress=False, max_msg_size=MESSAGE_BYTES_MAX)
        await socket.prepare(request)
        return socket

    def _control(self, subscriber: Subscriber, frame: str | bytes) -> bool:
        reply = control(frame, list(subscriber.streams), combined=subscriber.combined)
        if reply.combined is not None:
            subscriber.combined = reply.combined
        subscriber.send(reply.payload)
        for stream in reply.subscribe:
            self._attach(subscriber, stream, None)
        for stream in reply.unsubscribe:
            self._detach(subscriber, stream)
        return not reply.close

    def _attach(self, subscriber: Subscriber, stream: str, kinds: frozenset[str] | None) -> None:
        if stream in subscriber.streams:
            return
        subscriber.streams[stream] = None
        if subscriber.group in ("", "private"):
            session = self.exchange.open_user_session(stream, kinds)
            if session is not None:
                subscriber.streams[stream] = session
                self._by_session[session] = subscriber
                return
        if is_served(subscriber.group, stream):
            self._by_stream.setdefault(stream, set()).add(subscriber)
            self.exchange.subscribe(stream)
            if self._frames is None and "@" in stream:
                self._begin_market()
                self._turn()

    def _detach(self, subscriber: Subscriber, stream: str) -> None:
        session = subscriber.streams.pop(stream, None)
        if session is not None:
            self.exchange.close_user_session(session)
            self._by_session.pop(session, None)
            return
        group = self._by_stream.get(stream)
        if group is not None and subscriber in group:
            group.discard(subscriber)
            self.exchange.unsubscribe(stream)
            if not group:
                del self._by_stream[stream]


async def run_exchange(
    settings: ExchangeSettings, credentials: list[Credential], say: Say, until: asyncio.Event
) -> None:
    """Serve the venue until `until` is set.

    Raises:
        ServerError: it cannot be served, or its ledger cannot be written any more.
    """
    server = VenueServer(settings, credentials, say)
    await server.start()
    say(f"the simulated venue listens on http://{settings.host}:{server.port} (source: {server.source_name})")
    assert server.failed is not None
    waiting = asyncio.ensure_future(until.wait())
    try:
        ended: set[asyncio.Future[Any]] = {waiting, server.failed}
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        if server.failed.done():
            server.failed.result()
    finally:
        waiting.cancel()
        await server.stop()


def serve_forever(settings: ExchangeSettings, say: Say, *, accounts: int = 1) -> None:
    """Serve the venue until SIGINT or SIGTERM with the demo key pairs of so many accounts, and say them.

    Raises:
        ServerError: it cannot be served.
    """

    async def serve() -> None:
        until = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, until.set)
        say(f"API key {DEMO_KEY}, secret {DEMO_SECRET}")
        if accounts == 2:
            say("and one account more, with -2 at the end of both")
        elif accounts > 2:
            say(f"and {accounts - 1} accounts more, with -2 to -{accounts} at the end of both")
        await run_exchange(settings, demo_credentials(accounts), say, until)

    uvloop.run(serve())


def _response(answer: Answer) -> web.Response:
    return web.Response(
        body=answer.body, status=answer.status or 500, headers=answer.headers, content_type=answer.content_type
    )


def _framed(stream: str, payload: bytes) -> bytes:
    return b'{"stream":"%b","data":%b}' % (stream.encode(), payload)
