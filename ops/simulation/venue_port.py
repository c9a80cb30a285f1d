"""The simulated venue inside the deterministic world, without sockets.

By wire every request passes through protocols.binance_usdm into the venue's REST interface and every answer, market frame and user event
back through its decoders, so that a run exercises the codec of the live system. Otherwise requests come as their bare parameters, and
what the venue says most often comes in a plain voice, with the same history. What the gateways of the live system do (time-outs, sockets
that are lost and opened again, the watch on a mute private stream, the look at the stop file before each order) is done here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from actors.exchange.api import Answer, DirectRequest, RestRequest
from actors.exchange.authentication import hmac_credential
from actors.exchange.contracts import Contract
from actors.exchange.exchange import Exchange, UserFrame
from actors.exchange.frames import Frame
from actors.exchange.ledger import FaultInjected, LedgerRecord, RequestThrottled
from actors.exchange.orders import Order
from actors.exchange.scenarios import SCENARIOS, Phase
from actors.exchange.synthetic import Flow
from actors.exchange.synthetic_market import SyntheticMarket
from actors.exchange.user_stream import listen_key_expired
from actors.order_manager.event_watch import EventWatch
from actors.runtime.world import World
from configs.schema import ExchangeSettings
from ops.simulation.plain_voice import PlainVoice, outcome_of
from ops.simulation.read_lag import ReadLag
from ops.simulation.silences import Silences
from ops.simulation.sockets import MARKET, ORDERS, PRIVATE, PUBLIC, RECONNECT_NS, WIRE_DELAY_NS, Sockets
from ops.simulation.strangers import Stranger
from ops.simulation.venue_acts import VenueActs
from ops.simulation.wire_faults import Fate, WireFaults
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.exchange_info import VENUE, decode_exchange_info
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.requests import RestRequests
from protocols.binance_usdm.responses import decode_rest, usage_of_headers
from protocols.binance_usdm.signing import HmacSigner
from protocols.binance_usdm.urls import market_streams, public_streams
from protocols.binance_usdm.user_stream import UserStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.envelope import Message
from protocols.values import Instrument, RateLimits, make_instrument_id, symbol_of
from protocols.venue import (
    AmendOrder,
    AnyOutcome,
    BadFrame,
    CancelOrder,
    NotSent,
    OrderUpdate,
    OutcomeUnknown,
    PlaceOrder,
    Throttled,
    Usage,
    UserStreamExpired,
    VenueRequest,
)

API_KEY = "simulated"
SECRET = "simulated-secret"
ADDRESS = "127.0.0.1"
ACCOUNT = "main"

HURRIED_STEP_MS = 500
"""Step of the market while something is imposed on it."""

LEDGER_NS = 1_000_000
"""After so long a process has read what its address was told before it began."""

JITTER_NS_MAX = 1_000_000
"""A request and its answer take up to so much longer than the wire's delay: requests may overtake each other."""


@lru_cache(maxsize=16)
def _wires_of(instruments: tuple[Instrument, ...]) -> WireInstruments:
    """What many runs with the same instruments share: texts of numbers that were read once."""
    return WireInstruments(instruments)


@dataclass(slots=True)
class _Feed:
    public: frozenset[str]
    market: frozenset[str]
    decoder: MarketStreamDecoder


@dataclass(slots=True)
class _Private:
    symbols: frozenset[str]
    session: int = 0
    listen_key: str = ""
    events: EventWatch = field(default_factory=EventWatch)


class _Asked(msgspec.Struct):
    actor: str
    epoch: int
    request: VenueRequest
    sent_ns: int
    fate: Fate
    by_socket: bool
    throttled_t: int = 0
    """When it was refused for its rate, in the venue's time; 0 when it was not."""


def _symbol_of(event: Message) -> str:
    """The symbol that an event is about; nothing where it is about the account."""
    about = event.order if isinstance(event, OrderUpdate) else event
    instrument_id = getattr(about, "instrument_id", None)
    return symbol_of(instrument_id) if instrument_id is not None else ""


@dataclass(slots=True)
class VenuePort:
    """Joins one `Exchange` to the actors of a `World`."""

    world: World
    settings: ExchangeSettings
    contracts: list[Contract]
    venue_offset_ns: int
    request_timeout_ns: int = 3_000_000_000
    silence_ns_max: int = 4_000_000_000
    flow: Flow | None = None
    by_wire: bool = True
    ledger: list[LedgerRecord] = field(default_factory=list)
    recorded: Callable[[LedgerRecord], None] = lambda record: None
    """Told of each record of the ledger as it comes."""
    faults: WireFaults = field(init=False)
    sockets: Sockets = field(init=False)
    stop_file: bool = False
    exchange: Exchange = field(init=False)
    instruments: tuple[Instrument, ...] = field(init=False)
    rate_limits: RateLimits = field(init=False)
    untold: set[tuple[str, int]] = field(default_factory=set)
    """Refusals for the rate, by address and instant, whose answer came to a process that was dead: nobody knows of them."""
    _silences: Silences = field(default_factory=Silences)
    _acts: VenueActs = field(init=False)
    _lag: ReadLag = field(init=False)
    _requests: RestRequests = field(init=False)
    _wires: WireInstruments = field(init=False)
    _market: SyntheticMarket = field(init=False)
    _frames: Iterator[Frame] = field(init=False)
    _next: Frame = field(init=False)
    _tickets: dict[int, _Asked] = field(default_factory=dict)
    _waiting: dict[tuple[str, int, int], _Asked] = field(default_factory=dict)
    _feeds: dict[str, _Feed] = field(default_factory=dict)
    _private: dict[str, _Private] = field(default_factory=dict)
    _users: UserStreamDecoder = field(init=False)
    _chance: Callable[[], float] = field(init=False)
    _scheduled_ns: int = 0
    _venue_now_ns: int = 0

    def __post_init__(self) -> None:
        self.faults = WireFaults(self.settings.seed)
        self._chance = random.Random(f"jitter {self.settings.seed}").random
        self.sockets = Sockets(self.world, self.silence_ns_max, self._is_mute)
        self.sockets.lost = self._lost
        now_ns = self._venue_ns()
        credential = hmac_credential(API_KEY, SECRET, ACCOUNT)
        symbols = tuple(contract.symbol for contract in self.contracts)
        if self.by_wire:
            self.exchange = Exchange(self.settings, self.contracts, [credential], now_ns)
        else:
            plain = PlainVoice({symbol: make_instrument_id(VENUE, ACCOUNT, symbol) for symbol in symbols})
            self.exchange = Exchange(self.settings, self.contracts, [credential], now_ns, voice=plain, answers=plain)
            faults = self.exchange.faults
            plain.frames_in_bytes = lambda: faults.any_in_force
        info = self.exchange.api.dispatch(RestRequest(method="GET", path="/fapi/v1/exchangeInfo"))
        listed = decode_exchange_info(info.body, ACCOUNT, symbols)
        self.instruments, self.rate_limits = listed.instruments, listed.rate_limits
        self._acts = VenueActs(self.exchange, ACCOUNT, self.contracts[0].symbol, self._deliver_and_schedule)
        self._lag = ReadLag(self.instruments)
        self._wires = _wires_of(self.instruments)
        self._requests = RestRequests(self._wires, HmacSigner(SECRET))
        self._users = UserStreamDecoder(self._wires)
        self._market = SyntheticMarket(self.contracts, self.settings.seed, self.flow, SCENARIOS[self.settings.scenario])
        self._frames = self._market.frames(now_ns)
        self._next = next(self._frames)
        self._schedule()

    @property
    def now_ns(self) -> int:
        """The venue's time."""
        return self._venue_ns()

    def step_clock(self, step_ns: int) -> None:
        """Move the venue's clock against ours. It never runs backwards: after a step back it stands until it is caught up."""
        self.venue_offset_ns += step_ns
        self._schedule()

    def connect_market_data(self, actor: str, symbols: list[str], book_stream: str) -> None:
        """Open the public and market sockets of an actor; it is told by StreamChanged."""
        public = public_streams(symbols, book_stream)
        market = [stream.replace("@1s", "") for stream in market_streams(symbols)]  # marks every third second
        for stream in (*public, *market):
            self.exchange.subscribe(stream)
        self._feeds[actor] = _Feed(frozenset(public), frozenset(market), MarketStreamDecoder(self._wires))
        for stream in (PUBLIC, MARKET):
            self.sockets.open(actor, stream)

    def connect_orders(self, actor: str, symbols: list[str]) -> None:
        """Open the order socket of an actor; its private stream follows when it learns the key."""
        self._private[actor] = _Private(frozenset(symbols))
        self.sockets.open(actor, ORDERS)

    def pass_on_silence(self, actor: str) -> None:
        """What the process of that name before this one was told is in the address ledger, and its gateway passes it on."""
        until_ns = self._silences.until_ns(actor)
        if until_ns > self.world.now_ns:
            told = Throttled(
                request_id=0,
                received_ns=self.world.now_ns,
                usage=Usage(),
                retry_at_ns=until_ns,
                banned=False,
                orders_only=False,
                venue_code=0,
                text="told to a process of this address",
            )
            self.world.tell(actor, told, LEDGER_NS)

    def connect_eyes(self, actor: str, symbols: list[str]) -> None:
        """An actor that only looks: its private stream follows when it learns the key."""
        self._private[actor] = _Private(frozenset(symbols))

    def user_stream_key(self, actor: str, listen_key: str) -> None:
        """The key that an actor knows now: the private stream is opened with it, or anew when it is another."""
        private = self._private.get(actor)
        if private is None:
            return
        if private.listen_key != listen_key:
            self.sockets.lose(actor, PRIVATE, RECONNECT_NS)
        if not self.sockets.may_open(actor, PRIVATE):
            return
        private.listen_key = listen_key
        private.session = self.exchange.open_user_session(listen_key, None) or 0
        if private.session:
            private.events.opened(self.world.now_ns)
            self.sockets.open(actor, PRIVATE)

    def expire_key(self) -> None:
        """The key of the account's private stream dies before its time."""
        key = self.exchange.api.listen_keys.close(ACCOUNT)
        if key is not None:
            self.exchange.venue.tell(listen_key_expired(ACCOUNT, key, self._venue_ns() // 1_000_000))

    def position_lots(self, symbol: str) -> int:
        """The account's position at the venue, in signed lots."""
        account = self.exchange.venue.accounts.get(ACCOUNT)
        if account is None:
            return 0
        return int(account.position(symbol).amount / self.exchange.venue.markets[symbol].contract.lot_size)

    def position_notional(self, symbol: str) -> Decimal:
        """What the account's position is worth at the venue's mid, never negative."""
        market = self.exchange.venue.markets[symbol]
        return abs(self.position_lots(symbol)) * market.contract.lot_size * market.mid_price

    def resting(self, symbol: str) -> int:
        """How many orders of a symbol rest at the venue."""
        account = self.exchange.venue.accounts.get(ACCOUNT)
        return len(account.live_orders(symbol)) if account is not None else 0

    def resting_ids(self, symbol: str) -> list[str]:
        """The client order ids of what rests at the venue on a symbol."""
        account = self.exchange.venue.accounts.get(ACCOUNT)
        return [order.client_order_id for order in account.live_orders(symbol)] if account is not None else []

    def clear_faults(self) -> None:
        """End everything that is wrong with the wire and with the venue."""
        self.faults.clear()
        self.exchange.faults.clear()

    def note_ban(self, actor: str) -> None:
        """A ban of our making goes into the ledger, so that nobody takes it for one that was earned."""
        self._record(FaultInjected(t=self._venue_ns(), number=0, fault="banned", detail=actor))

    def impose(self, phases: Sequence[Phase], symbols: int | None = None) -> None:
        """Let these phases come next in the market of the first so many symbols, or of all."""
        self._market.impose(phases, HURRIED_STEP_MS, symbols)

    @property
    def acts(self) -> VenueActs:
        """What the venue can do to our account at its own pleasure."""
        self.exchange.advance(self._venue_ns())
        return self._acts

    def trade_foreign(self, hundredths: int) -> None:
        """Somebody else takes some hundredths of a coin of the first symbol on our account: bought, or sold where it is negative."""
        self._stranger().trade(hundredths)

    def order_foreign(self, sign: int, lasts_ns: int) -> None:
        """Somebody else's order rests far from the touch of the first symbol for a while."""
        order = self._stranger().order(sign)
        if order is not None:
            self.world.at(self.world.now_ns + lasts_ns, self._withdraw, order)

    def _withdraw(self, order: Order) -> None:
        self._stranger().withdraw(order)

    def _stranger(self) -> Stranger:
        self.exchange.advance(self._venue_ns())
        return Stranger(self.exchange, ACCOUNT, self.contracts[0].symbol, self._deliver_and_schedule)

    def _deliver_and_schedule(self) -> None:
        self._deliver()
        self._schedule()

    def drop_connections(self, actor: str) -> None:
        """The actor died: its sockets are gone. What it wrote is on its way."""
        self.sockets.drop(actor)
        self._feeds.pop(actor, None)
        private = self._private.pop(actor, None)
        if private is not None and private.session:
            self.exchange.close_user_session(private.session)

    def call(self, actor: str, now_ns: int, request: Message) -> None:
        """Carry out a venue request of a core."""
        assert isinstance(request, VenueRequest)
        by_socket = isinstance(request, PlaceOrder | AmendOrder | CancelOrder) and self.sockets.is_up(actor, ORDERS)
        epoch = self.world.epoch_of(actor)
        is_silent = self._silences.stops(actor, epoch, now_ns)
        fate = self.faults.fate(actor, request, now_ns) if not is_silent else Fate()
        asked = _Asked(actor, epoch, request, now_ns, fate, by_socket)
        self._waiting[actor, asked.epoch, request.request_id] = asked
        if is_silent:
            self._answer(asked, NotSent(**self._head(request), reason="the venue wants silence from this address"))
            return
        if self.stop_file and isinstance(request, PlaceOrder | AmendOrder):
            self._answer(asked, NotSent(**self._head(request), reason="the stop file is there"))
            return
        if not by_socket:
            self.world.at(now_ns + self.request_timeout_ns, self._time_out, asked)
        if not fate.arrives:
            return
        self.world.at(now_ns + WIRE_DELAY_NS + self._jitter_ns() + fate.delay_ns, self._arrive, asked)

    def _arrive(self, asked: _Asked) -> None:
        if asked.fate.refusal is not None:
            self._note_throttle(asked, asked.fate.refusal)
            self._decode_answer(asked, asked.fate.refusal)
            return
        now_ns = self._venue_ns()
        self._tickets[self.exchange.receive_rest(self._as_sent(asked.request), now_ns)] = asked
        self.exchange.advance(now_ns)
        self._deliver()
        self._schedule()

    def _as_sent(self, request: VenueRequest) -> RestRequest | DirectRequest:
        """A request as the bytes of the wire, encoded and signed, or as its bare parameters."""
        if not self.by_wire:
            call, params = self._requests.unsigned(request)
            return DirectRequest(call.method, call.path, params, API_KEY, ADDRESS)
        built = self._requests.build(request)
        return RestRequest(
            method=built.method,
            path=built.path,
            raw_query=built.query,
            api_key=API_KEY if built.needs_key else None,
            address=ADDRESS,
        )

    def _record(self, record: LedgerRecord) -> None:
        self.ledger.append(record)
        self._lag.note(record)
        self.recorded(record)

    def _jitter_ns(self) -> int:
        return int(self._chance() * JITTER_NS_MAX)

    def _note_throttle(self, asked: _Asked, answer: Answer) -> None:
        """Keep a throttle of our making in the ledger; each actor counts as an address of its own."""
        wait_s = int(answer.headers.get("Retry-After", "0"))
        if not wait_s:
            return
        asked.fate.answer_delay_ns, asked.fate.answer_arrives = 0, True
        now_ns = asked.throttled_t = self._venue_ns()
        self._record(
            RequestThrottled(
                t=now_ns,
                address=f"{ADDRESS} {asked.actor}",
                status=answer.status,
                code=-1003,
                until_ns=now_ns + wait_s * 1_000_000_000,
                count=1,
                sent_ms=(asked.sent_ns + self.venue_offset_ns) // 1_000_000,
            )
        )

    def _venue_ns(self) -> int:
        self._venue_now_ns = max(self._venue_now_ns, self.world.now_ns + self.venue_offset_ns)
        return self._venue_now_ns

    def _schedule(self) -> None:
        """Come back when the market or the venue has something to do."""
        due_ns, exchange_ns = self._next.at_ns, self.exchange.next_due_ns
        if exchange_ns is not None and exchange_ns < due_ns:
            due_ns = exchange_ns
        due_ns -= self.venue_offset_ns
        if self._scheduled_ns <= self.world.now_ns or due_ns < self._scheduled_ns:
            self._scheduled_ns = max(due_ns, self.world.now_ns + 1)
            self.world.at(self._scheduled_ns, self._turn, self._scheduled_ns)

    def _turn(self, scheduled_ns: int) -> None:
        if scheduled_ns != self._scheduled_ns:
            return
        now_ns = self._venue_ns()
        while self._next.at_ns <= now_ns:
            self.exchange.apply(self._next)
            self._next = next(self._frames)
        self.exchange.advance(now_ns)
        self._deliver()
        self._schedule()

    def _deliver(self) -> None:
        if not self.exchange.has_output:
            return
        output = self.exchange.drain()
        for record in output.records:
            self._record(record)
        for ticket, answer in output.answers:
            asked = self._tickets.pop(ticket, None)
            if asked is not None and asked.fate.answer_arrives:
                self._decode_answer(asked, asked.fate.unclear_answer or answer)
        if output.user_frames:
            self._user_frames(output.user_frames)
        for stream, payload in output.stream_frames:
            for actor, feed in self._feeds.items():
                kind = PUBLIC if stream in feed.public else MARKET if stream in feed.market else ""
                if kind and self.sockets.gets_through(actor, kind):
                    event = self._read_frame(feed, kind, payload)
                    if event is not None:
                        self.world.tell(actor, event, WIRE_DELAY_NS)

    def _read_frame(self, feed: _Feed, kind: str, payload: Any) -> Message | None:
        received_ns = self.world.now_ns + WIRE_DELAY_NS
        if not isinstance(payload, bytes):
            plain: Message = payload(received_ns=received_ns)
            return plain
        try:
            return feed.decoder.decode(payload, received_ns)
        except DamagedPayload as damage:
            return BadFrame(stream=kind, reason=damage.reason, field=damage.field, received_ns=received_ns)

    def _decode_answer(self, asked: _Asked, answer: Answer) -> None:
        delay_ns = WIRE_DELAY_NS + self._jitter_ns() + asked.fate.answer_delay_ns
        answered_venue_ns = self._venue_ns()
        self.world.at(self.world.now_ns + delay_ns, self._answered, asked, answer, answered_venue_ns)

    def _answered(self, asked: _Asked, answer: Answer, venue_ns: int) -> None:
        lives = self.world.core_of(asked.actor) is not None and self.world.epoch_of(asked.actor) == asked.epoch
        if asked.throttled_t and not lives:
            self.untold.add((f"{ADDRESS} {asked.actor}", asked.throttled_t))
        if self._is_waiting(asked):
            outcome = self._outcome(asked, answer)
            if isinstance(outcome, Throttled) and not outcome.orders_only and lives:
                held_up = self.world.is_held_up(asked.actor)
                self._silences.tell(asked.actor, asked.epoch, outcome.retry_at_ns, is_unread=held_up)
            if asked.fate.lag_ns:
                outcome = self._lag.apply(asked.request, outcome, venue_ns, asked.fate.lag_ns)
            if self._is_answer(asked, outcome):
                self.world.hand(asked.actor, outcome)

    def _outcome(self, asked: _Asked, answer: Answer) -> AnyOutcome:
        now_ns = self.world.now_ns
        if answer.told is not None:
            return outcome_of(asked.request, answer.told, usage_of_headers(answer.headers), now_ns)
        return decode_rest(
            asked.request, answer.status, answer.headers, answer.body, now_ns, self._wires, asked.sent_ns
        )

    def _answer(self, asked: _Asked, outcome: AnyOutcome) -> None:
        """Give the one outcome of a request to the incarnation that asked, as soon as it listens."""
        if self._is_answer(asked, outcome):
            self.world.tell(asked.actor, outcome)

    def _is_answer(self, asked: _Asked, outcome: AnyOutcome) -> bool:
        """Whether this is the first outcome of a request whose asker still lives; it is noted."""
        if self._waiting.pop((asked.actor, asked.epoch, asked.request.request_id), None) is None:
            return False
        if self.world.epoch_of(asked.actor) != asked.epoch:
            return False
        private = self._private.get(asked.actor)
        if private is not None:
            private.events.acknowledged(asked.request, outcome, asked.sent_ns)
        return True

    def _is_waiting(self, asked: _Asked) -> bool:
        return (asked.actor, asked.epoch, asked.request.request_id) in self._waiting

    def _time_out(self, asked: _Asked) -> None:
        if self._is_waiting(asked):
            self._answer(asked, OutcomeUnknown(**self._head(asked.request), reason="no answer: timed out"))

    def _lost(self, actor: str, stream: str) -> None:
        """A socket is gone: the venue ends its session, requests without an answer stay without."""
        private = self._private.get(actor)
        if stream == PRIVATE and private is not None:
            self.exchange.close_user_session(private.session)
            private.session = 0
            private.events.closed()
        elif stream == ORDERS:
            self._give_up_socket_requests(actor)

    def _is_mute(self, actor: str) -> bool:
        """Whether what was acknowledged was not told for too long; the actor hears of which orders."""
        private = self._private.get(actor)
        missing = private.events.missing(self.world.now_ns) if private is not None else ()
        for each in missing:
            self.world.tell(actor, each)
        return bool(missing)

    def _give_up_socket_requests(self, actor: str) -> None:
        for asked in [one for one in self._waiting.values() if one.actor == actor and one.by_socket]:
            self._answer(asked, OutcomeUnknown(**self._head(asked.request), reason="the order socket was lost"))

    def _head(self, request: VenueRequest) -> dict[str, Any]:
        return {"request_id": request.request_id, "received_ns": self.world.now_ns, "usage": Usage()}

    def _user_frames(self, frames: list[UserFrame]) -> None:
        """Give each session its frames; what several sessions are told in the same bytes is read once."""
        received_ns = self.world.now_ns + WIRE_DELAY_NS
        actors = {private.session: (actor, private) for actor, private in self._private.items() if private.session}
        payload: Any = b""
        events: list[tuple[Message, str]] = []
        for frame in frames:
            if frame.session not in actors:
                continue
            actor, private = actors[frame.session]
            if not self.sockets.gets_through(actor, PRIVATE):
                continue
            if frame.payload != payload:
                payload, events = frame.payload, self._read_events(frame.payload, received_ns)
            self._user_events(actor, private, events)

    def _read_events(self, payload: Any, received_ns: int) -> list[tuple[Message, str]]:
        """Events with their symbols."""
        if isinstance(payload, bytes):
            return [(event, _symbol_of(event)) for event in self._users.decode(payload, received_ns)]
        event: Message = payload(received_ns=received_ns)
        return [(event, _symbol_of(event))]

    def _user_events(self, actor: str, private: _Private, events: list[tuple[Message, str]]) -> None:
        for event, symbol in events:
            if symbol and symbol not in private.symbols:
                continue
            for delay_ns in self.faults.event_delays(actor, self.world.now_ns):
                if isinstance(event, OrderUpdate):
                    private.events.told(event.order)
                self.world.tell(actor, event, WIRE_DELAY_NS + delay_ns)
            if isinstance(event, UserStreamExpired):
                self.sockets.lose(actor, PRIVATE, RECONNECT_NS)
