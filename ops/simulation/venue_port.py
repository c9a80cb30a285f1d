"""The simulated venue inside the deterministic world: the wire's bytes, without sockets.

Every request passes through protocols.binance_usdm into the venue's REST interface and every answer, market frame and user event back
through its decoders, so that a run exercises the codec of the live system.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from actors.exchange.api import RestRequest
from actors.exchange.authentication import hmac_credential
from actors.exchange.contracts import Contract
from actors.exchange.exchange import Exchange, Output
from actors.exchange.frames import Frame
from actors.exchange.ledger import LedgerRecord
from actors.exchange.synthetic import SyntheticMarket
from actors.runtime.world import World
from configs.schema import ExchangeSettings
from protocols.binance_usdm.exchange_info import decode_exchange_info
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.requests import RestRequests
from protocols.binance_usdm.responses import decode_rest
from protocols.binance_usdm.signing import HmacSigner
from protocols.binance_usdm.urls import market_streams, public_streams
from protocols.binance_usdm.user_stream import UserStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.envelope import Message
from protocols.values import Instrument, RateLimits
from protocols.venue import AnyOutcome, StreamChanged, StreamHeard, VenueRequest

API_KEY = "simulated"
SECRET = "simulated-secret"
ADDRESS = "127.0.0.1"
HEARD_PERIOD_NS = 100_000_000
WIRE_DELAY_NS = 200_000


@dataclass(slots=True)
class _Feed:
    actor: str
    streams: frozenset[str]
    decoder: MarketStreamDecoder


@dataclass(slots=True)
class _Private:
    actor: str
    symbols: frozenset[str]
    listen_key: str = ""
    session: int = 0


@dataclass(slots=True)
class VenuePort:
    """Joins one `Exchange` to the actors of a `World`."""

    world: World
    settings: ExchangeSettings
    contracts: list[Contract]
    venue_offset_ns: int
    ledger: list[LedgerRecord] = field(default_factory=list)
    exchange: Exchange = field(init=False)
    instruments: tuple[Instrument, ...] = field(init=False)
    rate_limits: RateLimits = field(init=False)
    _requests: RestRequests = field(init=False)
    _wires: WireInstruments = field(init=False)
    _frames: Iterator[Frame] = field(init=False)
    _next: Frame = field(init=False)
    _asked: dict[int, tuple[str, VenueRequest, int]] = field(default_factory=dict)
    _feeds: list[_Feed] = field(default_factory=list)
    _private: dict[str, _Private] = field(default_factory=dict)
    _users: UserStreamDecoder = field(init=False)
    _scheduled_ns: int = 0

    def __post_init__(self) -> None:
        now_ns = self._venue_ns()
        credential = hmac_credential(API_KEY, SECRET, "main")
        self.exchange = Exchange(self.settings, self.contracts, [credential], now_ns)
        info = self.exchange.api.dispatch(RestRequest(method="GET", path="/fapi/v1/exchangeInfo"))
        symbols = tuple(contract.symbol for contract in self.contracts)
        listed = decode_exchange_info(info.body, "main", symbols)
        self.instruments, self.rate_limits = listed.instruments, listed.rate_limits
        self._wires = WireInstruments(self.instruments)
        self._requests = RestRequests(self._wires, HmacSigner(SECRET))
        self._users = UserStreamDecoder(self._wires)
        self._frames = SyntheticMarket(self.contracts, self.settings.seed).frames(now_ns)
        self._next = next(self._frames)
        self._schedule()

    def _venue_ns(self) -> int:
        return self.world.now_ns + self.venue_offset_ns

    def connect_market_data(self, actor: str, symbols: list[str], book_stream: str) -> None:
        """Open the public and market sockets of an actor; it is told by StreamChanged."""
        self._feeds = [feed for feed in self._feeds if feed.actor != actor]
        streams = [*public_streams(symbols, book_stream), *market_streams(symbols)]
        for stream in streams:
            self.exchange.subscribe(stream)
        self._feeds.append(_Feed(actor, frozenset(streams), MarketStreamDecoder(self._wires)))
        for socket in ("public", "market"):
            self._tell_stream(actor, socket, up=True)
            self._keep_alive(actor, socket)

    def connect_orders(self, actor: str, symbols: list[str]) -> None:
        """Open the order socket of an actor; its private stream follows when it learns the key."""
        self._private[actor] = _Private(actor, frozenset(symbols))
        self._tell_stream(actor, "orders", up=True)
        self._keep_alive(actor, "orders")

    def user_stream_key(self, actor: str, listen_key: str) -> None:
        """An order manager learned the key of the private stream: open it when it is new."""
        private = self._private.get(actor)
        if private is None or private.listen_key == listen_key:
            return
        private.listen_key = listen_key
        private.session = self.exchange.open_user_session(listen_key, None) or 0
        if private.session:
            self._tell_stream(actor, "private", up=True)
            self._keep_alive(actor, "private")

    def drop_connections(self, actor: str) -> None:
        """The actor died: its sockets are gone."""
        self._feeds = [feed for feed in self._feeds if feed.actor != actor]
        private = self._private.pop(actor, None)
        if private is not None and private.session:
            self.exchange.close_user_session(private.session)

    def call(self, actor: str, now_ns: int, request: Message) -> None:
        """Carry out a venue request of a core."""
        assert isinstance(request, VenueRequest)
        self.world.at(now_ns + WIRE_DELAY_NS, lambda: self._arrive(actor, request, now_ns))

    def _arrive(self, actor: str, request: VenueRequest, sent_ns: int) -> None:
        built = self._requests.build(request)
        ticket = self.exchange.receive_rest(
            RestRequest(
                method=built.method,
                path=built.path,
                raw_query=built.query,
                api_key=API_KEY if built.needs_key else None,
                address=ADDRESS,
            ),
            self._venue_ns(),
        )
        self._asked[ticket] = (actor, request, sent_ns)
        self._deliver(self.exchange.drain())
        self._schedule()

    def _schedule(self) -> None:
        """Come back when the market or the venue has something to do."""
        due = [self._next.at_ns]
        if self.exchange.next_due_ns is not None:
            due.append(self.exchange.next_due_ns)
        due_ns = min(due) - self.venue_offset_ns
        if self._scheduled_ns <= self.world.now_ns or due_ns < self._scheduled_ns:
            self._scheduled_ns = max(due_ns, self.world.now_ns + 1)
            self.world.at(self._scheduled_ns, self._turn)

    def _turn(self) -> None:
        now_ns = self._venue_ns()
        while self._next.at_ns <= now_ns:
            self.exchange.apply(self._next)
            self._next = next(self._frames)
        self.exchange.advance(now_ns)
        self._deliver(self.exchange.drain())
        self._schedule()

    def _deliver(self, output: Output) -> None:
        self.ledger.extend(output.records)
        received_ns = self.world.now_ns + WIRE_DELAY_NS
        for ticket, answer in output.answers:
            asked = self._asked.pop(ticket, None)
            if asked is not None:
                actor, request, sent_ns = asked
                outcome: AnyOutcome = decode_rest(
                    request, answer.status, answer.headers, answer.body, received_ns, self._wires, sent_ns
                )
                self.world.tell(actor, outcome, WIRE_DELAY_NS)
        for frame in output.user_frames:
            for private in self._private.values():
                if private.session == frame.session:
                    self._tell_user(private, frame.payload, received_ns)
        for stream, payload in output.stream_frames:
            for feed in self._feeds:
                if stream in feed.streams:
                    event = feed.decoder.decode(payload, received_ns)
                    if event is not None:
                        self.world.tell(feed.actor, event, WIRE_DELAY_NS)

    def _tell_user(self, private: _Private, payload: bytes, received_ns: int) -> None:
        for event in self._users.decode(payload, received_ns):
            order = getattr(event, "order", None)
            instrument_id = getattr(event, "instrument_id", None) or (order.instrument_id if order else None)
            if instrument_id is None or str(instrument_id).rsplit(":", 1)[1] in private.symbols:
                self.world.tell(private.actor, event, WIRE_DELAY_NS)

    def _tell_stream(self, actor: str, stream: str, *, up: bool) -> None:
        changed = StreamChanged(stream=stream, up=up, changed_ns=self.world.now_ns)
        self.world.tell(actor, changed, WIRE_DELAY_NS)

    def _keep_alive(self, actor: str, stream: str) -> None:
        """Pass on signs of life for as long as the socket stands."""
        if not self._is_connected(actor, stream):
            return
        self.world.tell(actor, StreamHeard(stream=stream, heard_ns=self.world.now_ns))
        self.world.at(self.world.now_ns + HEARD_PERIOD_NS, lambda: self._keep_alive(actor, stream))

    def _is_connected(self, actor: str, stream: str) -> bool:
        if stream in ("public", "market"):
            return any(feed.actor == actor for feed in self._feeds)
        private = self._private.get(actor)
        return private is not None and (stream == "orders" or bool(private.session))
