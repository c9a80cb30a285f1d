"""The whole venue without sockets: a time-ordered queue around the core gives requests, answers and frames their latency.

The host calls `receive_rest`, `receive_ws` and `apply`, then `advance(now)`, then `drain`. It writes the drained records to the ledger
before it sends anything else of that drain. `next_due_ns` says when to come back. The same object runs in the deterministic world.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from actors.exchange import ledger, restore
from actors.exchange.agenda import Agenda
from actors.exchange.api import Admitted, Answer, Api, RestRequest, WsSession
from actors.exchange.authentication import Credential, KeyRing
from actors.exchange.contracts import Contract
from actors.exchange.errors import VenueRefusal
from actors.exchange.frames import Frame
from actors.exchange.seeded import SeededNumbers
from actors.exchange.streams import StreamFrame
from actors.exchange.user_stream import UserEvent, listen_key_expired
from actors.exchange.venue import Venue
from configs.schema import ExchangeSettings

NS_PER_MS = 1_000_000
SESSIONS_MAX = 10_000


class UserFrame(NamedTuple):
    """An event for one user stream session."""

    session: int
    listen_key: str
    payload: bytes


@dataclass(slots=True)
class Output:
    """What leaves the venue: records first, then everything else in order of its kind."""

    records: list[ledger.LedgerRecord] = field(default_factory=list)
    answers: list[tuple[int, Answer]] = field(default_factory=list)
    ws_answers: list[tuple[int, bytes]] = field(default_factory=list)
    logons: list[tuple[int, WsSession]] = field(default_factory=list)
    user_frames: list[UserFrame] = field(default_factory=list)
    stream_frames: list[StreamFrame] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _UserSession:
    listen_key: str
    account: str
    kinds: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _WsCall:
    connection: int
    session: WsSession
    request_id: Any
    admitted: Admitted
    return_rate_limits: bool


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
    ) -> None:
        """Build a venue; `earlier` are the records of a ledger to go on from.

        Raises:
            ledger.LedgerDamagedError: a record before the last one cannot be read.
        """
        self.venue = Venue(settings, contracts, now_ns)
        restored = restore.load(self.venue, earlier)
        self.venue.announce(source, restart=restored > 0)
        self.api = Api(self.venue, KeyRing(credentials), listen_key_salt or str(settings.seed))
        self._order_latency_ns = int(settings.order_latency_ms * NS_PER_MS)
        self._feed_latency_ns = int(settings.feed_latency_ms * NS_PER_MS)
        self._jitter_ns = int(settings.latency_jitter_ms * NS_PER_MS)
        self._numbers = SeededNumbers(settings.seed)
        self._agenda: Agenda[Any] = Agenda()
        self._output = Output()
        self._sessions: dict[int, _UserSession] = {}
        self._market_out_ns = 0
        self._user_out_ns = 0
        self._ticket = 0
        self._session_count = 0

    @property
    def next_due_ns(self) -> int | None:
        """When `advance` has something to do next."""
        times = [due for due in (self.venue.next_due_ns, self._agenda.next_ns) if due is not None]
        return min(times, default=None)

    def receive_rest(self, request: RestRequest, now_ns: int) -> int:
        """Take in an HTTP request; its answer comes out of `drain` under the returned ticket."""
        self.advance(now_ns)
        self._ticket += 1
        admitted = self.api.admit(request)
        if isinstance(admitted, Answer):
            self._agenda.add(now_ns + self._way_out_ns(), ("answer", self._ticket, admitted))
        else:
            self._agenda.add(now_ns + self._way_in_ns(), ("rest", self._ticket, admitted))
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
            admitted = self.api.ws_admit(session, method, params)
        except VenueRefusal as refusal:
            self.api.note_throttle(refusal, session.address, params)
            payload = self._ws_error(session, request_id, refusal)
            self._agenda.add(now_ns + self._way_out_ns(), ("ws_answer", connection, payload))
            return
        wanted = session.return_rate_limits and params.get("returnRateLimits") is not False
        self._agenda.add(now_ns + self._way_in_ns(), ("ws", _WsCall(connection, session, request_id, admitted, wanted)))

    def apply(self, frame: Frame) -> None:
        """Apply a frame of the market source at its time."""
        self.advance(frame.at_ns)
        self.venue.apply(frame)
        self._collect()

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
        self._sessions[self._session_count] = _UserSession(listen_key, account, kinds)
        return self._session_count

    def close_user_session(self, session: int) -> None:
        """Stop sending to a session."""
        self._sessions.pop(session, None)

    def advance(self, now_ns: int) -> None:
        """Do everything that is due by `now_ns`, in order of time."""
        while (due_ns := self.next_due_ns) is not None and due_ns <= now_ns:
            self.venue.advance(due_ns)
            self._collect()
            while (item := self._agenda.pop_due(due_ns)) is not None:
                self._do(item[1])
                self._collect()
        self.venue.advance(now_ns)
        self._expire_listen_keys()

    def drain(self) -> Output:
        """Take what leaves the venue."""
        output, self._output = self._output, Output()
        outcome = self.venue.outcome
        if outcome.records:
            output.records.extend(outcome.records)
            outcome.records.clear()
        return output

    def close(self) -> Output:
        """Flush counters into records before the venue ends."""
        self.venue.flush_refusals()
        return self.drain()

    def _do(self, item: Any) -> None:
        match item:
            case ("rest", int(ticket), Admitted() as admitted):
                answer = self.api.execute(admitted)
                self._agenda.add(self.venue.now_ns + self._way_out_ns(), ("answer", ticket, answer))
            case ("ws", _WsCall() as call):
                payload = self._execute_ws(call)
                self._agenda.add(self.venue.now_ns + self._way_out_ns(), ("ws_answer", call.connection, payload))
            case ("answer", int(ticket), Answer() as answer):
                self._output.answers.append((ticket, answer))
            case ("ws_answer", int(connection), bytes(payload)):
                self._output.ws_answers.append((connection, payload))
            case ("streams", list(frames)):
                self._output.stream_frames.extend(frames)
            case ("users", list(events)):
                for event in events:
                    self._deliver(event)

    def _collect(self) -> None:
        """Put what the core produced on its way out; what belongs together stays in order."""
        outcome, publisher = self.venue.outcome, self.venue.publisher
        if outcome.records:
            self._output.records.extend(outcome.records)
            outcome.records.clear()
        if publisher.frames:
            due_ns = max(self._market_out_ns, self.venue.now_ns + self._way_out_ns())
            self._market_out_ns = due_ns
            if due_ns <= self.venue.now_ns:
                self._output.stream_frames.extend(publisher.frames)
            else:
                self._agenda.add(due_ns, ("streams", list(publisher.frames)))
            publisher.frames.clear()
        if outcome.events:
            due_ns = max(self._user_out_ns, self.venue.now_ns + self._way_out_ns())
            self._user_out_ns = due_ns
            self._agenda.add(due_ns, ("users", list(outcome.events)))
            outcome.events.clear()

    def _deliver(self, event: UserEvent) -> None:
        for number, session in self._sessions.items():
            if session.account != event.account or (session.kinds is not None and event.kind not in session.kinds):
                continue
            if self.api.listen_keys.account_of(session.listen_key) is None and event.kind != "listenKeyExpired":
                continue
            self._output.user_frames.append(UserFrame(number, session.listen_key, event.payload))

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
        payload = self._ws_result(session, request_id, result, session.return_rate_limits, session.credential)
        self._agenda.add(self.venue.now_ns + self._way_out_ns(), ("ws_answer", connection, payload))

    def _execute_ws(self, call: _WsCall) -> bytes:
        try:
            result = self.api.ws_execute(call.admitted)
        except VenueRefusal as refusal:
            self.api.note_throttle(refusal, call.session.address, call.admitted.call.params)
            return self._ws_error(call.session, call.request_id, refusal, call.admitted.call.credential)
        credential = call.admitted.call.credential
        return self._ws_result(call.session, call.request_id, result, call.return_rate_limits, credential)

    def _ws_result(
        self, session: WsSession, request_id: Any, result: Any, with_limits: bool, credential: Credential | None
    ) -> bytes:
        body: dict[str, Any] = {"id": request_id, "status": 200, "result": result}
        if with_limits:
            body["rateLimits"] = self.api.usage(session, credential)
        return msgspec.json.encode(body)

    def _ws_error(
        self, session: WsSession, request_id: Any, refusal: VenueRefusal, credential: Credential | None = None
    ) -> bytes:
        error: dict[str, Any] = {"code": refusal.code, "msg": refusal.msg}
        if refusal.retry_after_s is not None:
            error["data"] = {"retryAfter": self.venue.now_ms + refusal.retry_after_s * 1_000}
        body: dict[str, Any] = {"id": request_id, "status": refusal.http_status, "error": error}
        if session.return_rate_limits:
            body["rateLimits"] = self.api.usage(session, credential or session.credential)
        return msgspec.json.encode(body)

    def _way_in_ns(self) -> int:
        return self._order_latency_ns + self._jitter()

    def _way_out_ns(self) -> int:
        return self._feed_latency_ns + self._jitter()

    def _jitter(self) -> int:
        return int(self._numbers.uniform() * self._jitter_ns) if self._jitter_ns else 0


def _decode_request(frame: bytes | str) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise VenueRefusal(-1100, "Illegal characters found in request: it is no JSON.") from None
    if not isinstance(request, dict):
        raise VenueRefusal(-1100, "Illegal characters found in request: it is no JSON object.")
    return request
