"""The whole venue without sockets: a time-ordered queue around the core gives requests, answers and frames their latency.

The host calls `receive_rest`, `receive_ws` and `apply`, then `advance(now)`, then `drain`. It writes the drained records to the ledger
before it sends anything else of that drain. `next_due_ns` says when to come back. The same object runs in the deterministic world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from actors.exchange import ledger, market_endpoints, restore
from actors.exchange.accounts import Account
from actors.exchange.agenda import Agenda
from actors.exchange.answers import WIRE_ANSWERS, Answers
from actors.exchange.api import Answer, Api, DirectRequest, RestRequest, WsSession
from actors.exchange.authentication import Credential, KeyRing
from actors.exchange.contracts import Contract
from actors.exchange.errands import Errands, RestCall, RestReply, WsCall, WsReply
from actors.exchange.errors import VenueRefusal
from actors.exchange.fault_acts import FaultActs
from actors.exchange.fault_plan import ActiveFault, FaultPlan
from actors.exchange.fault_script import FaultScript
from actors.exchange.faults import Fault, FaultKind, SocketGroup
from actors.exchange.frames import Frame
from actors.exchange.latencies import latencies
from actors.exchange.read_replica import ReadReplica
from actors.exchange.streams import StreamFrame
from actors.exchange.user_stream import UserEvent, listen_key_expired
from actors.exchange.venue import Venue
from actors.exchange.voice import WIRE, WireVoice
from configs.schema import ExchangeSettings

NS_PER_MS = 1_000_000
SESSIONS_MAX = 10_000


class UserFrame(NamedTuple):
    """An event for one user stream session."""

    session: int
    listen_key: str
    payload: Any


@dataclass(slots=True)
class Output:
    """What leaves the venue: records first, then everything else in order of its kind."""

    records: list[ledger.LedgerRecord] = field(default_factory=list)
    answers: list[tuple[int, Answer]] = field(default_factory=list)
    ws_answers: list[tuple[int, bytes]] = field(default_factory=list)
    ws_cuts: list[int] = field(default_factory=list)
    socket_faults: list[tuple[FaultKind, SocketGroup]] = field(default_factory=list)
    logons: list[tuple[int, WsSession]] = field(default_factory=list)
    user_frames: list[UserFrame] = field(default_factory=list)
    stream_frames: list[StreamFrame] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _UserSession:
    listen_key: str
    account: str
    kinds: frozenset[str] | None
    opened_ns: int


class Exchange:
    """One venue behind its wire."""

    def __init__(
        self,
        settings: ExchangeSettings,
        contracts: Iterable[Contract],
        credentials: list[Credential],
        now_ns: int,
        *,
        source: str = "synthetic",
        listen_key_salt: str = "",
        earlier: Iterable[ledger.LedgerRecord] = (),
        voice: WireVoice = WIRE,
        answers: Answers = WIRE_ANSWERS,
    ) -> None:
        """Build a venue; `earlier` are the records of a ledger to go on from.

        Raises:
            ledger.LedgerDamagedError: a record before the last one cannot be read.
        """
        self.venue = Venue(settings, contracts, now_ns, voice)
        restored = restore.load(self.venue, earlier)
        self.venue.announce(source, restart=restored > 0)
        self.api = Api(self.venue, KeyRing(credentials), listen_key_salt or str(settings.seed), answers)
        self._way_in, self._way_out = latencies(settings)
        self.faults = FaultPlan(settings.seed)
        self._acts = FaultActs(self.venue)
        self._replica: ReadReplica | None = None
        self._script = FaultScript(settings.fault_seed) if settings.fault_seed is not None else None
        self._agenda: Agenda[tuple[Callable[[Any], None], Any]] = Agenda()
        self._output = Output()
        self._sessions: dict[int, _UserSession] = {}
        self._market_out_ns = 0
        self._user_out_ns = 0
        self._ticket = 0
        self._session_count = 0
        self._errands = Errands(self.venue, self.api, self.faults, self._send_in, self._send_out)
        self._errands.lagging = self._accounts_at
        self._plan_script()

    @property
    def next_due_ns(self) -> int | None:
        """When `advance` has something to do next."""
        timer_ns, item_ns = self.venue.next_due_ns, self._agenda.next_ns
        if timer_ns is None or item_ns is None:
            return item_ns if timer_ns is None else timer_ns
        return min(timer_ns, item_ns)

    @property
    def has_output(self) -> bool:
        """Whether `drain` would bring anything."""
        out = self._output
        return bool(
            out.records
            or out.answers
            or out.user_frames
            or out.stream_frames
            or out.ws_answers
            or out.ws_cuts
            or out.socket_faults
            or out.logons
            or self.venue.outcome.records
        )

    def receive_rest(self, request: RestRequest | DirectRequest, now_ns: int) -> int:
        """Take in a request; its answer comes out of `drain` under the returned ticket."""
        self.advance(now_ns)
        self._ticket += 1
        self._errands.receive_rest(self._ticket, request)
        return self._ticket

    def receive_ws(self, connection: int, session: WsSession, frame: bytes | str, now_ns: int) -> None:
        """Take in a WebSocket API frame; answers come out of `drain` under `connection`."""
        self.advance(now_ns)
        request_id: Any = None
        params: Any = {}
        try:
            request = _decode_request(frame)
            request_id = request.get("id")
            method, params = request.get("method"), request.get("params") or {}
            if not isinstance(method, str) or not isinstance(params, dict):
                params = {}
                raise VenueRefusal(-1102, "Mandatory parameter 'method' was not sent, was empty/null, or malformed.")
            if method.startswith("session."):
                self._session_request(connection, session, request_id, method, params)
                return
            self._errands.receive_ws(connection, session, request_id, method, params)
        except VenueRefusal as refusal:
            self.api.note_throttle(refusal, session.address, params)
            self._send_out(0, WsReply(connection, self._errands.ws_error(session, request_id, refusal)))

    def apply(self, frame: Frame) -> None:
        """Apply a frame of the market source at its time."""
        self.advance(frame.at_ns)
        self.venue.apply(frame)
        self._collect()

    def inject(self, fault: Fault) -> ActiveFault:
        """Begin a fault now.

        Raises:
            FaultError: too many are in force.
        """
        now_ns = self.venue.now_ns
        active = self.faults.add(fault, now_ns)
        detail = msgspec.json.encode(fault).decode()
        self.venue.record(ledger.FaultInjected(t=now_ns, number=active.number, fault=fault.kind, detail=detail))
        match fault.kind:
            case FaultKind.DISCONNECT | FaultKind.HALF_OPEN:
                self._output.socket_faults.append((fault.kind, fault.sockets))
            case FaultKind.LISTEN_KEY_EXPIRED:
                self._expire_keys_of(fault.account)
            case FaultKind.FILTERS_CHANGED | FaultKind.HALTED | FaultKind.ORDERS_WIPED:
                self._collect()
                self._acts.begin(fault)
            case FaultKind.OLD_SNAPSHOT:
                self._errands.old_books = {
                    symbol: market_endpoints.depth_body(market, market_endpoints.DEPTH_LIMIT_MAX, now_ns // NS_PER_MS)
                    for symbol, market in self.venue.markets.items()
                }
            case FaultKind.READ_LAG:
                self._collect()
                self._replica = ReadReplica(self.venue.accounts, self.venue.markets)
            case _:
                pass
        self.venue.skew_ms = self.faults.skew_ms(now_ns)
        self._collect()
        return active

    def subscribe(self, stream: str) -> None:
        """A subscriber of a market stream came."""
        self.venue.publisher.subscribe(stream)
        self._follow(stream)

    def unsubscribe(self, stream: str) -> None:
        """A subscriber of a market stream went."""
        self.venue.publisher.unsubscribe(stream)
        self._follow(stream)

    def open_user_session(self, listen_key: str, kinds: frozenset[str] | None) -> int | None:
        """Begin to send an account's events to a session; None for a key that is not alive. `kinds` of None means all."""
        account = self.api.listen_keys.account_of(listen_key)
        if account is None or len(self._sessions) >= SESSIONS_MAX:
            return None
        self._session_count += 1
        self._sessions[self._session_count] = _UserSession(listen_key, account, kinds, self.venue.now_ns)
        return self._session_count

    def close_user_session(self, session: int) -> None:
        """Stop sending to a session."""
        self._sessions.pop(session, None)

    def advance(self, now_ns: int) -> None:
        """Do everything that is due by `now_ns`, in order of time."""
        agenda, venue = self._agenda, self.venue
        while (due_ns := min(venue.timers.due_ns, agenda.due_ns)) <= now_ns:
            venue.advance(due_ns)
            self._collect()
            while (item := agenda.pop_due(due_ns)) is not None:
                action, argument = item[1]
                action(argument)
                self._collect()
        if venue.now_ns < now_ns:
            venue.advance(now_ns)
        venue.skew_ms = self.faults.skew_ms(now_ns)
        if self._acts.any_halt:
            self._acts.look(halt_in_force=self.faults.has(FaultKind.HALTED, now_ns))
        if venue.now_ms >= self.api.listen_keys.look_ms:
            self._expire_listen_keys()

    def collect(self) -> None:
        """Put on its way what a host did to the core directly."""
        self._collect()

    def drain(self) -> Output:
        """Take what leaves the venue."""
        output, self._output = self._output, Output()
        output.records.extend(self._take_records())
        return output

    def close(self) -> Output:
        """Flush counters into records before the venue ends."""
        self.venue.flush_refusals()
        return self.drain()

    def _reply(self, reply: RestReply | WsReply) -> None:
        if isinstance(reply, RestReply):
            self._output.answers.append((reply.ticket, reply.answer))
        elif reply.cut:
            self._output.ws_cuts.append(reply.connection)
        else:
            self._output.ws_answers.append((reply.connection, reply.payload))

    def _strike(self, fault: Fault) -> None:
        self.inject(fault)
        self._plan_script()

    def _send_frames(self, frames: list[StreamFrame]) -> None:
        self._output.stream_frames.extend(frames)

    def _send_user_frame(self, frame: UserFrame) -> None:
        self._output.user_frames.append(frame)

    def _plan(self, due_ns: int, action: Callable[[Any], None], argument: Any) -> None:
        """Do something at its time: at once when that is now and nothing else comes before it."""
        if due_ns <= self.venue.now_ns and self._agenda.due_ns > due_ns:
            action(argument)
        else:
            self._agenda.add(due_ns, (action, argument))

    def _collect(self) -> None:
        """Put what the core produced on its way out; what belongs together stays in order."""
        outcome, publisher = self.venue.outcome, self.venue.publisher
        if outcome.records:
            self._output.records.extend(self._take_records())
        if publisher.frames and self.faults.any_in_force:
            self._spoil_frames()
        if publisher.frames:
            due_ns = max(self._market_out_ns, self.venue.now_ns + self._way_out_ns())
            self._market_out_ns = due_ns
            if due_ns <= self.venue.now_ns:
                self._output.stream_frames.extend(publisher.frames)
            else:
                self._agenda.add(due_ns, (self._send_frames, list(publisher.frames)))
            publisher.frames.clear()
        if outcome.events:
            due_ns = max(self._user_out_ns, self.venue.now_ns + self._way_out_ns())
            self._user_out_ns = due_ns
            events, outcome.events = outcome.events, []
            self._agenda.add(due_ns, (self._tell_users, events))

    def _tell_users(self, events: list[UserEvent]) -> None:
        for event in events:
            self._tell_sessions(event)

    def _tell_sessions(self, event: UserEvent) -> None:
        for number, session in self._sessions.items():
            if session.account != event.account or (session.kinds is not None and event.kind not in session.kinds):
                continue
            if self.api.listen_keys.account_of(session.listen_key) is None and event.kind != "listenKeyExpired":
                continue
            frame = UserFrame(number, session.listen_key, event.payload)
            if not self.faults.any_in_force:
                self._output.user_frames.append(frame)
                continue
            for delay_ns in self.faults.event_delays_ns(session.account, session.opened_ns, self.venue.now_ns):
                if delay_ns:
                    self._agenda.add(self.venue.now_ns + delay_ns, (self._send_user_frame, frame))
                else:
                    self._output.user_frames.append(frame)

    def _take_records(self) -> list[ledger.LedgerRecord]:
        """What is new for the ledger; queries that lag will see it later."""
        records = self.venue.outcome.records.copy()
        self.venue.outcome.records.clear()
        if self._replica is not None:
            if self.faults.has(FaultKind.READ_LAG, self.venue.now_ns):
                self._replica.note(records)
            else:
                self._replica = None
        return records

    def _accounts_at(self, until_ns: int) -> Mapping[str, Account]:
        self._collect()
        return self._replica.accounts(until_ns) if self._replica is not None else self.venue.accounts

    def _spoil_frames(self) -> None:
        frames = self.venue.publisher.frames
        now_ns = self.venue.now_ns
        spoiled = [(frame.stream, self.faults.frame(frame.stream, frame.payload, now_ns)) for frame in frames]
        frames[:] = [StreamFrame(stream, payload) for stream, payload in spoiled if payload is not None]

    def _plan_script(self) -> None:
        if self._script is not None:
            wait_ns, fault = self._script.next()
            self._agenda.add(self.venue.now_ns + wait_ns, (self._strike, fault))

    def _expire_keys_of(self, account: str) -> None:
        for name in [account] if account else list(self.venue.accounts):
            key = self.api.listen_keys.close(name)
            if key is not None:
                self.venue.tell(listen_key_expired(name, key, self.venue.now_ms))

    def _expire_listen_keys(self) -> None:
        for dead in self.api.listen_keys.expire(self.venue.now_ms):
            self.venue.outcome.events.append(listen_key_expired(dead.account, dead.key, self.venue.now_ms))
            self._collect()

    def _follow(self, stream: str) -> None:
        symbol, _, kind = stream.partition("@")
        market = self.venue.markets.get(symbol.upper())
        if market is not None:
            market.follow(kind)

    def _session_request(
        self, connection: int, session: WsSession, request_id: Any, method: str, params: dict[str, Any]
    ) -> None:
        now_ms = self.venue.now_ms
        if method == "session.logon":
            credential = self.api.ws_logon(session, params)
            session = WsSession(
                address=session.address,
                connected_ms=session.connected_ms,
                credential=credential,
                authorized_ms=now_ms,
                return_rate_limits=session.return_rate_limits,
            )
            self._output.logons.append((connection, session))
        elif method == "session.logout":
            session = WsSession(
                address=session.address,
                connected_ms=session.connected_ms,
                return_rate_limits=session.return_rate_limits,
            )
            self._output.logons.append((connection, session))
        elif method != "session.status":
            raise VenueRefusal(-5000, f"Method {method} is invalid", 404)
        result = {
            "apiKey": session.credential.api_key if session.credential else None,
            "authorizedSince": session.authorized_ms or None,
            "connectedSince": session.connected_ms,
            "returnRateLimits": session.return_rate_limits,
            "serverTime": now_ms,
        }
        limits = session.return_rate_limits
        payload = self._errands.ws_result(session, request_id, result, limits, session.credential)
        self._send_out(0, WsReply(connection, payload))

    def _send_in(self, extra_ns: int, call: RestCall | WsCall) -> None:
        self._plan(self.venue.now_ns + self._way_in_ns() + extra_ns, self._execute, call)

    def _execute(self, call: RestCall | WsCall) -> None:
        self._errands.carry_out(call)
        self._collect()

    def _send_out(self, extra_ns: int, reply: RestReply | WsReply) -> None:
        self._plan(self.venue.now_ns + self._way_out_ns() + extra_ns, self._reply, reply)

    def _way_in_ns(self) -> int:
        return self._way_in.draw_ns(self.venue.now_ns)

    def _way_out_ns(self) -> int:
        return self._way_out.draw_ns(self.venue.now_ns)


def _decode_request(frame: bytes | str) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise VenueRefusal(-1100, "Illegal characters found in request: it is no JSON.") from None
    if not isinstance(request, dict):
        raise VenueRefusal(-1100, "Illegal characters found in request: it is no JSON object.")
    return request
