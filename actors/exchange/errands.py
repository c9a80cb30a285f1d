"""Requests on their way through the venue: in at the door, through the engine, and out as answers, with what faults make of them.

Time lies between the steps: `receive_*` lets a request in and plans its execution, `carry_out` executes it and plans its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actors.exchange import market_endpoints
from actors.exchange.accounts import Account
from actors.exchange.api import Admitted, Answer, Api, DirectRequest, RestRequest, WsSession, error_body
from actors.exchange.authentication import Credential, Timing
from actors.exchange.endpoint import Security
from actors.exchange.errors import VenueRefusal
from actors.exchange.fault_plan import Asked, Fate, FaultPlan, unclear_error
from actors.exchange.faults import CallKind, FaultKind, Transport
from actors.exchange.venue import Venue

NO_WINDOW_MS = 86_400_000
HTML_403 = (
    b"<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY><H1>403 ERROR</H1></BODY></HTML>"
)


class RestCall(msgspec.Struct, frozen=True):
    """An HTTP request that was let in; its answer goes out under `ticket`."""

    ticket: int
    admitted: Admitted
    fate: Fate


class WsCall(msgspec.Struct, frozen=True):
    """A WebSocket API request that was let in."""

    connection: int
    session: WsSession
    request_id: Any
    admitted: Admitted
    return_rate_limits: bool
    fate: Fate


ErrandCall = RestCall | WsCall
PlanIn = Callable[[int, ErrandCall], None]


class WsReply(msgspec.Struct, frozen=True):
    """A frame for a WebSocket API connection; one that is `cut` closes it instead."""

    connection: int
    payload: bytes
    cut: bool = False


class RestReply(msgspec.Struct, frozen=True):
    """An answer to an HTTP request."""

    ticket: int
    answer: Answer


PlanOut = Callable[[int, RestReply | WsReply], None]


class Errands:
    """Carries requests. `plan_in` and `plan_out` put something on its way, after the latency of that way and an extra time."""

    def __init__(self, venue: Venue, api: Api, faults: FaultPlan, plan_in: PlanIn, plan_out: PlanOut) -> None:
        self._venue = venue
        self._api = api
        self._faults = faults
        self._plan_in = plan_in
        self._plan_out = plan_out
        self.lagging: Callable[[int], Mapping[str, Account]] | None = None
        self.old_books: dict[str, dict[str, Any]] = {}

    def receive_rest(self, ticket: int, request: RestRequest | DirectRequest) -> None:
        """Let an HTTP request in, or answer it at the door."""
        admitted = self._api.admit(request)
        if isinstance(admitted, Answer):
            self._plan_out(0, RestReply(ticket, admitted))
            return
        self._enter(RestCall(ticket, admitted, self._fate(admitted, Transport.REST)))

    def receive_ws(
        self, connection: int, session: WsSession, request_id: Any, method: str, params: dict[str, Any]
    ) -> None:
        """Let a WebSocket API request in.

        Raises:
            VenueRefusal: it is refused at the door.
        """
        admitted = self._api.ws_admit(session, method, params)
        wanted = session.return_rate_limits and params.get("returnRateLimits") is not False
        fate = self._fate(admitted, Transport.WS)
        self._enter(WsCall(connection, session, request_id, admitted, wanted, fate))

    def carry_out(self, call: ErrandCall) -> None:
        """Execute a request and send its answer out."""
        fate, admitted = call.fate, call.admitted
        if fate.fill_before_cancel:
            self._race(admitted, fate.fill_before_cancel)
        if fate.lag_ns and self.lagging is not None:
            admitted.call.as_it_was = self.lagging(self._venue.now_ns - fate.lag_ns)
        old = self._old_depth(admitted) if fate.old_snapshot else None
        reply = self._execute(call) if old is None else self._success(call, old)
        if fate.fill_at_once:
            self._fill_new(admitted)
        if fate.late_ns:
            return
        if fate.mask is not None:
            self._answer_unclear(call, fate.mask, fate.mute_ns)
        else:
            self._plan_out(fate.answer_delay_ns, reply)

    def ws_error(
        self, session: WsSession, request_id: Any, refusal: VenueRefusal, credential: Credential | None = None
    ) -> bytes:
        """A refusal as a frame of the WebSocket API."""
        error: dict[str, Any] = error_body(refusal)
        if refusal.retry_after_s is not None:
            error["data"] = {"retryAfter": self._venue.now_ms + refusal.retry_after_s * 1_000}
        body: dict[str, Any] = {"id": request_id, "status": refusal.http_status, "error": error}
        if session.return_rate_limits:
            body["rateLimits"] = self._api.usage(session, credential or session.credential)
        return msgspec.json.encode(body)

    def ws_result(
        self, session: WsSession, request_id: Any, result: Any, with_limits: bool, credential: Credential | None
    ) -> bytes:
        """A result as a frame of the WebSocket API."""
        body: dict[str, Any] = {"id": request_id, "status": 200, "result": result}
        if with_limits:
            body["rateLimits"] = self._api.usage(session, credential)
        return msgspec.json.encode(body)

    def _enter(self, call: ErrandCall) -> None:
        fate = call.fate
        if fate.refusal is not None:
            self._plan_out(fate.answer_delay_ns, self._refusal(call, fate.refusal))
        elif fate.lost:
            assert fate.mask is not None
            self._answer_unclear(call, fate.mask, fate.mute_ns)
        elif fate.late_ns:
            timing = call.admitted.call.timing
            if fate.beyond_window and timing is not None:
                call.admitted.call.timing = Timing(timing.timestamp_ms, NO_WINDOW_MS)
            self._answer_unclear(call, FaultKind.UNKNOWN_OUTCOME, 0)
            self._plan_in(fate.late_ns, call)
        else:
            self._plan_in(0, call)

    def _fate(self, admitted: Admitted, transport: Transport) -> Fate:
        if not self._faults.any_in_force:
            return Fate()
        params, credential = admitted.call.params, admitted.call.credential
        asked = Asked(
            kind=_call_kind(admitted),
            transport=transport,
            account=credential.account if credential is not None else "",
            symbol=params.get("symbol", ""),
            address=admitted.address,
            reduces=params.get("reduceOnly", "").lower() == "true",
        )
        return self._faults.fate(asked, self._venue.now_ns)

    def _execute(self, call: ErrandCall) -> RestReply | WsReply:
        if isinstance(call, RestCall):
            return RestReply(call.ticket, self._api.execute(call.admitted))
        try:
            result = self._api.ws_execute(call.admitted)
        except VenueRefusal as refusal:
            self._api.note_throttle(refusal, call.session.address, call.admitted.call.params)
            payload = self.ws_error(call.session, call.request_id, refusal, call.admitted.call.credential)
            return WsReply(call.connection, payload)
        return self._success(call, result)

    def _success(self, call: ErrandCall, result: Any) -> RestReply | WsReply:
        if isinstance(call, RestCall):
            return RestReply(call.ticket, self._api.answered(call.admitted, result))
        credential = call.admitted.call.credential
        payload = self.ws_result(call.session, call.request_id, result, call.return_rate_limits, credential)
        return WsReply(call.connection, payload)

    def _refusal(self, call: ErrandCall, refusal: VenueRefusal) -> RestReply | WsReply:
        if isinstance(call, RestCall):
            if call.fate.html:
                return RestReply(call.ticket, Answer(403, HTML_403, content_type="text/html"))
            return RestReply(call.ticket, self._api.refused(refusal, call.admitted.address, call.admitted.call.params))
        self._api.note_throttle(refusal, call.session.address, call.admitted.call.params)
        return WsReply(call.connection, self.ws_error(call.session, call.request_id, refusal))

    def _answer_unclear(self, call: ErrandCall, mask: FaultKind, mute_ns: int) -> None:
        wait_ns = 0
        if mask is FaultKind.NO_ANSWER:
            wait_ns = mute_ns
        cut = mask in (FaultKind.NO_ANSWER, FaultKind.CONNECTION_CUT)
        if isinstance(call, WsCall):
            if cut:
                self._plan_out(wait_ns, WsReply(call.connection, b"", cut=True))
            elif mask is FaultKind.MALFORMED_ANSWER:
                self._plan_out(0, WsReply(call.connection, b'{"id":'))
            else:
                payload = self.ws_error(call.session, call.request_id, unclear_error(mask))
                self._plan_out(0, WsReply(call.connection, payload))
            return
        if cut:
            answer = Answer(0, b"", cut=True)
        elif mask is FaultKind.MALFORMED_ANSWER:
            answer = Answer(200, b'{"orderId":')
        else:
            answer = self._api.refused(unclear_error(mask), call.admitted.address, call.admitted.call.params)
        self._plan_out(wait_ns, RestReply(call.ticket, answer))

    def _race(self, admitted: Admitted, part: float) -> None:
        """Fill the order that a cancel is about, before it arrives."""
        params, account = admitted.call.params, self._account(admitted)
        if account is None:
            return
        number = params.get("orderId", "")
        order = account.find_order(
            params.get("symbol", ""), int(number) if number.isdecimal() else None, params.get("origClientOrderId")
        )
        if order is not None and order.is_live:
            self._venue.fill_now(order, max(1, int(order.remaining_lots * part)))

    def _fill_new(self, admitted: Admitted) -> None:
        params, account = admitted.call.params, self._account(admitted)
        if account is None:
            return
        order = account.find_order(params.get("symbol", ""), None, params.get("newClientOrderId"))
        if order is None and account.live:
            order = next(reversed(account.live.values()))
        if order is not None and order.is_live:
            self._venue.fill_now(order, order.remaining_lots)

    def _account(self, admitted: Admitted) -> Account | None:
        credential = admitted.call.credential
        return self._venue.accounts.get(credential.account) if credential is not None else None

    def _old_depth(self, admitted: Admitted) -> dict[str, Any] | None:
        book = self.old_books.get(admitted.call.params.get("symbol", ""))
        if book is None:
            return None
        limit = admitted.call.params.get("limit", "")
        levels = int(limit) if limit.isdecimal() else market_endpoints.DEPTH_LIMIT
        return book | {"bids": book["bids"][:levels], "asks": book["asks"][:levels]}


def _call_kind(admitted: Admitted) -> CallKind:
    route = admitted.route
    if route.trades:
        return CallKind(route.trades)
    if route.security is Security.NONE or route.path == "/fapi/v1/historicalTrades":
        return CallKind.SNAPSHOT if route.path == "/fapi/v1/depth" else CallKind.PUBLIC
    if route.security is Security.KEY:
        return CallKind.LISTEN_KEY
    return CallKind.QUERY if route.method == "GET" else CallKind.SETTING
