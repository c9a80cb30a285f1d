"""REST and WebSocket API of the venue without sockets: requests in, answers out (facts sections 2, 4, 7 and 8).

A request passes in two steps, because time lies between them: `admit` at the venue's door (route, key, weight, time, signature) and
`execute` at the matching engine (window again, parameters, order counts, the engine's own judgement). `dispatch` is both at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from actors.exchange import account_endpoints, market_endpoints, order_endpoints
from actors.exchange.answers import WIRE_ANSWERS, Answers
from actors.exchange.authentication import (
    Credential,
    KeyRing,
    Timing,
    check_signature,
    check_ws_signature,
    timing,
)
from actors.exchange.endpoint import Call, Desk, Route, Security, Told
from actors.exchange.errors import VenueRefusal, mandatory
from actors.exchange.listen_keys import ListenKeys
from actors.exchange.order_endpoints import text
from actors.exchange.rate_limits import HANDSHAKE_WEIGHT, RateLimits
from actors.exchange.unserved import unknown_method, unknown_path
from actors.exchange.venue import Venue

PARAMETERS_MAX = 200
TIMESTAMP_DIGITS_MAX = 16


class RestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request as it arrived. `raw_query` and `raw_body` are undecoded, for the signature covers them so."""

    method: str
    path: str
    raw_query: str = ""
    raw_body: str = ""
    api_key: str | None = None
    address: str = "127.0.0.1"


class DirectRequest(msgspec.Struct, frozen=True):
    """A request of a host in the same process: its parameters were never a text, so there is nothing to decode or to have signed.

    `price` and `quantity` may come in ticks and lots, `timestamp` and `recvWindow` in milliseconds, as whole numbers.
    """

    method: str
    path: str
    params: dict[str, Any]
    api_key: str | None
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WsSession:
    """What a WebSocket API connection has proved: its address and, after session.logon, its key."""

    address: str
    connected_ms: int
    credential: Credential | None = None
    authorized_ms: int = 0
    return_rate_limits: bool = True


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer; `body` is JSON. One that is `cut` is none: the connection is reset instead."""

    status: int
    body: bytes
    headers: dict[str, str] = {}
    content_type: str = "application/json"
    cut: bool = False
    told: Any = None
    """What a success says that has no body (`endpoint.Told`)."""


class Admitted(msgspec.Struct):
    """A request that was let in, on its way to the engine."""

    route: Route
    call: Call
    address: str


class Api:
    """All endpoints of one venue."""

    def __init__(self, venue: Venue, keys: KeyRing, listen_key_salt: str, answers: Answers = WIRE_ANSWERS) -> None:
        self.limits = RateLimits(venue.settings)
        self.listen_keys = ListenKeys(listen_key_salt)
        self._venue = venue
        self._desk = Desk(venue, self.limits, keys, self.listen_keys, answers)
        self._routes = {
            (route.method, route.path): route
            for routes in (market_endpoints.ROUTES, account_endpoints.ROUTES, order_endpoints.ROUTES)
            for route in routes
        }

    def dispatch(self, request: RestRequest) -> Answer:
        """Answer a request now."""
        admitted = self.admit(request)
        return admitted if isinstance(admitted, Answer) else self.execute(admitted)

    def admit(self, request: RestRequest | DirectRequest) -> Admitted | Answer:
        """Let a request in, or refuse it at the door."""
        now_ms = self._venue.now_ms
        params: dict[str, Any] = {}
        try:
            route = self._routes.get((request.method, request.path))
            if route is None:
                raise unknown_path(request.method, request.path)
            credential = None if route.security is Security.NONE else self._desk.keys.identify(request.api_key)
            params = (
                request.params if isinstance(request, DirectRequest) else _parse(request.raw_query, request.raw_body)
            )
            self.limits.charge_weight(request.address, route.weigh(params), now_ms)
            if route.funding_pool:
                self.limits.charge_funding_call(request.address, now_ms)
            when: Timing | None = None
            if credential is not None and route.security is Security.SIGNED:
                when = timing(params)
                if isinstance(request, RestRequest) and not params.get("signature"):
                    raise mandatory("signature")
                when.check_arrival(self._venue.clock_ms)
                if isinstance(request, RestRequest):
                    check_signature(
                        credential,
                        request.raw_query,
                        request.raw_body,
                        params["signature"],
                        also_decoded=self._venue.settings.decoded_signatures,
                    )
        except VenueRefusal as refusal:
            return self.refused(refusal, request.address, params)
        return Admitted(route, Call(params, credential, when), request.address)

    def execute(self, admitted: Admitted) -> Answer:
        """Carry an admitted request out."""
        try:
            body = self._carry_out(admitted)
        except VenueRefusal as refusal:
            return self.refused(refusal, admitted.address, admitted.call.params)
        return self.answered(admitted, body)

    def answered(self, admitted: Admitted, body: Any) -> Answer:
        """A success as an HTTP answer, with the usage of limits in its headers."""
        headers = self._weight_header(admitted.address)
        counts = admitted.call.order_counts
        if counts is not None:
            headers["X-MBX-ORDER-COUNT-10S"] = str(counts[0])
            headers["X-MBX-ORDER-COUNT-1M"] = str(counts[1])
        if isinstance(body, Told):
            return Answer(200, b"", headers, told=body.what)
        return Answer(200, msgspec.json.encode(body), headers)

    def ws_admit(self, session: WsSession, method: str, params: Mapping[str, Any]) -> Admitted:
        """Let a WebSocket API request in.

        Raises:
            VenueRefusal: with the status that the answer must carry.
        """
        now_ms = self._venue.now_ms
        rest = _WS_METHODS.get(method)
        if rest is None:
            raise unknown_method(method)
        route = self._routes[rest]
        credential: Credential | None = None
        signed = "apiKey" in params or "signature" in params
        if route.security is not Security.NONE:
            if not signed and session.credential is not None:
                credential = session.credential
            else:
                credential = self._desk.keys.identify(text(params.get("apiKey")))
        plain = {name: text(value) for name, value in params.items()}
        self.limits.charge_weight(session.address, route.weigh(plain), now_ms)
        when: Timing | None = None
        if route.security is Security.SIGNED:
            when = timing(plain)
            when.check_arrival(self._venue.clock_ms)
            if credential is not None and (signed or session.credential is None):
                check_ws_signature(credential, params)
        return Admitted(route, Call(plain, credential, when), session.address)

    def ws_execute(self, admitted: Admitted) -> Any:
        """Carry out a WebSocket API request and return its result.

        Raises:
            VenueRefusal: the engine's refusal.
        """
        return self._carry_out(admitted)

    def ws_logon(self, session: WsSession, params: Mapping[str, Any]) -> Credential:
        """Check a session.logon, which wants an Ed25519 key."""
        now_ms = self._venue.now_ms
        self.limits.charge_weight(session.address, 2, now_ms)
        credential = self._desk.keys.identify(text(params.get("apiKey")))
        if not credential.is_ed25519:
            raise VenueRefusal(-4056, "HMAC_SHA256 API key is not supported.")
        timing({name: text(value) for name, value in params.items()}).check_arrival(self._venue.clock_ms)
        check_ws_signature(credential, params)
        return credential

    def ws_connect(self, address: str) -> Answer | None:
        """A WebSocket API connection comes in, which has its weight; the refusal, if it may not."""
        try:
            self.limits.charge_weight(address, HANDSHAKE_WEIGHT, self._venue.now_ms)
        except VenueRefusal as refusal:
            return self.refused(refusal, address, {})
        return None

    def usage(self, session: WsSession, credential: Credential | None) -> list[dict[str, Any]]:
        """`rateLimits` of a WebSocket API answer."""
        return self.limits.usage(session.address, credential.account if credential else None, self._venue.now_ms)

    def _carry_out(self, admitted: Admitted) -> Any:
        route, call = admitted.route, admitted.call
        try:
            if route.trades and call.timing is not None:
                call.timing.check_engine(self._venue.clock_ms)
            return route.handler(self._desk, call)
        except VenueRefusal as refusal:
            if route.trades and call.credential is not None:
                name = call.params.get("newClientOrderId") or call.params.get("origClientOrderId") or ""
                symbol = call.params.get("symbol", "")
                self._venue.refuse(call.credential.account, symbol, route.trades, refusal.code, name)
            raise

    def note_throttle(self, refusal: VenueRefusal, address: str, params: Mapping[str, Any]) -> None:
        """Keep a refusal for the ledger that broke a limit."""
        if refusal.http_status in (418, 429):
            self._venue.throttle(address, refusal, _sent_ms(params))

    def refused(self, refusal: VenueRefusal, address: str, params: Mapping[str, str]) -> Answer:
        """A refusal as an HTTP answer; one that broke a limit is kept for the ledger. A code of 0 is left out."""
        self.note_throttle(refusal, address, params)
        headers = self._weight_header(address)
        if refusal.retry_after_s is not None:
            headers["Retry-After"] = str(refusal.retry_after_s)
        body = msgspec.json.encode(error_body(refusal))
        return Answer(refusal.http_status, body, headers)

    def _weight_header(self, address: str) -> dict[str, str]:
        return {"X-MBX-USED-WEIGHT-1M": str(self.limits.used_weight(address, self._venue.now_ms))}


def error_body(refusal: VenueRefusal) -> dict[str, Any]:
    """`code` and `msg`; some answers of the venue have no code."""
    return {"code": refusal.code, "msg": refusal.msg} if refusal.code else {"msg": refusal.msg}


def _sent_ms(params: Mapping[str, Any]) -> int:
    """The request's own timestamp; 0 where it has none."""
    text = str(params.get("timestamp", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= TIMESTAMP_DIGITS_MAX else 0


def _parse(raw_query: str, raw_body: str) -> dict[str, str]:
    """Parameters of query and body; the query's value wins."""
    params: dict[str, str] = {}
    for raw in (raw_body, raw_query):
        try:
            params.update(parse_qsl(raw, keep_blank_values=True, max_num_fields=PARAMETERS_MAX))
        except ValueError:
            raise VenueRefusal(-1101, "Too many parameters; expected fewer.") from None
    return params


_ORDER = "/fapi/v1/order"
_LISTEN_KEY = "/fapi/v1/listenKey"
_WS_METHODS: dict[str, tuple[str, str]] = {
    "order.place": ("POST", _ORDER),
    "order.modify": ("PUT", _ORDER),
    "order.cancel": ("DELETE", _ORDER),
    "order.status": ("GET", _ORDER),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "userDataStream.start": ("POST", _LISTEN_KEY),
    "userDataStream.ping": ("PUT", _LISTEN_KEY),
    "userDataStream.stop": ("DELETE", _LISTEN_KEY),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.price": ("GET", "/fapi/v2/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
}
