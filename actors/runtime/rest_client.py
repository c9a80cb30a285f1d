"""REST calls to the venue over one pool of warm connections: each is sent at most once, and every failure is an outcome.

Nothing retries here. A call that failed before the first byte of its request left is `NotSent`; after that it is `OutcomeUnknown`.
Proxies of the environment and redirects are not followed, and nothing that is raised or returned holds a URL or a key.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import msgspec

from actors.runtime.address_ledger import AddressLedger
from actors.runtime.shell import Clock
from protocols.binance_usdm.requests import API_KEY_HEADER, RestRequest, RestRequests
from protocols.binance_usdm.responses import BODY_BYTES_MAX, decode_rest
from protocols.binance_usdm.signing import HmacSigner, Signer
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.values import Instrument
from protocols.venue import AnyOutcome, NotSent, OutcomeUnknown, Throttled, Usage, VenueRequest

READ_TURNS = 8
"""Turns of the loop after which an answer that lay in a socket is read to its end: one to read it, some for the HTTP client's layers."""

CONNECTIONS_MAX = 16
IDLE_CONNECTION_S = 60.0

LastCheck = Callable[[], str]
"""Asked in the moment before the first byte leaves: "" lets it go, a reason stops it (the order manager's stop file)."""


async def read_sockets() -> None:
    """Return when what lies in the process's sockets is read: after a time in which it was held up the venue may have forbidden what
    comes next."""
    for _ in range(READ_TURNS):
        await asyncio.sleep(0)


class RestError(Exception):
    """A call of `fetch` brought no answer; the text names host and path without the query."""


class RestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it came. `sent_ns` is our clock when its request left."""

    status: int
    headers: dict[str, str]
    body: bytes
    sent_ns: int
    received_ns: int


class RestClient:
    """The venue's REST interface for one account, or for none (public data)."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        signer: Signer | None,
        instruments: Iterable[Instrument],
        clock: Clock,
        timeout_ms: int = 3_000,
        user_timeout_ms: int | None = None,
        ledger: AddressLedger | None = None,
        weight_1m_max: int | None = None,
    ) -> None:
        """Describe the connection; the first call opens it. Must be used inside one running loop.

        Args:
            base_url: scheme, host and port.
            api_key: "" where only public data is asked for; `signer` is then None.
            timeout_ms: bound of a whole call, the wait for a connection included.
            user_timeout_ms: makes this a way of orders, whose bytes must not reach the venue late: a close or the end of the
                process discards what the kernel has not sent yet, and sent bytes may stay unacknowledged for no longer than this.
            ledger: what the node's processes know of their address: nothing is sent while any was told to be silent, and the others
                hear what this one is told.
            weight_1m_max: beyond this use of the address nothing is sent; None leaves that to the caller.
        """
        self._base = httpx.URL(base_url)
        self._api_key = api_key
        self._has_key = signer is not None
        self._wires = WireInstruments(instruments)
        self._requests = RestRequests(self._wires, signer or HmacSigner(""))
        self._clock = clock
        self._ledger = ledger
        self._weight_1m_max = weight_1m_max
        self._timeout_s = timeout_ms / 1_000
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(self._timeout_s),
            transport=httpx.AsyncHTTPTransport(
                trust_env=False,
                limits=httpx.Limits(
                    max_connections=CONNECTIONS_MAX,
                    max_keepalive_connections=CONNECTIONS_MAX,
                    keepalive_expiry=IDLE_CONNECTION_S,
                ),
                socket_options=_order_socket(user_timeout_ms) if user_timeout_ms is not None else None,
            ),
            headers={"Accept-Encoding": "identity", "User-Agent": "raymaker"},
            follow_redirects=False,
            trust_env=False,
        )

    async def send(
        self, request: VenueRequest, venue_time_ns: int = 0, last_check: LastCheck | None = None
    ) -> AnyOutcome:
        """Carry out a request once and return its outcome.

        Args:
            request: a request of protocols/venue.
            venue_time_ns: timestamp for a request that has the field and left it 0.
            last_check: see LastCheck.

        Raises:
            KeyError: the request names an instrument that is not this client's.
        """
        if venue_time_ns and getattr(request, "venue_time_ns", None) == 0:
            request = msgspec.structs.replace(request, venue_time_ns=venue_time_ns)
        call = self._requests.build(request)
        if call.needs_key and not self._has_key:
            return self._not_sent(request, "this process has no API key")
        await read_sockets()
        silence = self._must_be_silent(call.cost.weight)
        if silence:
            return self._not_sent(request, silence)
        attempt = _Attempt(self._clock, last_check)
        try:
            answer = await self._carry(call, attempt)
        except _Failed as failure:
            if attempt.sent_ns == 0:
                return self._not_sent(request, failure.reason)
            return OutcomeUnknown(
                request_id=request.request_id,
                received_ns=self._clock.now_ns(),
                usage=Usage(),
                reason=f"no answer: {failure.reason}",
            )
        outcome = decode_rest(
            request, answer.status, answer.headers, answer.body, answer.received_ns, self._wires, answer.sent_ns
        )
        self._pass_on(outcome)
        return outcome

    async def fetch(self, call: RestRequest) -> RestAnswer:
        """Carry out a call that has no neutral request (exchangeInfo) and return what came.

        Raises:
            RestError: there was no answer.
        """
        try:
            return await self._carry(call, _Attempt(self._clock, None))
        except _Failed as failure:
            raise RestError(f"{self._base.host}:{self._base.port} {call.path}: {failure.reason}") from failure

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    def _must_be_silent(self, weight: int) -> str:
        """Why nothing may be sent now; "" lets it go."""
        if self._ledger is None:
            return ""
        now_ns = self._clock.now_ns()
        wait_ns = self._ledger.shut_until_ns() - now_ns
        if wait_ns > 0:
            return f"the venue wants silence from this address for {wait_ns // 1_000_000} ms more"
        told = self._ledger.newest(now_ns)
        if self._weight_1m_max is not None and told is not None and told.weight_1m + weight > self._weight_1m_max:
            return f"the address has used {told.weight_1m} of the {self._weight_1m_max} that are not kept for orders"
        return ""

    def _pass_on(self, outcome: AnyOutcome) -> None:
        """Let the other processes of this address hear what the venue told."""
        if self._ledger is None:
            return
        if outcome.usage.weight_1m >= 0:
            self._ledger.tell(outcome.usage.weight_1m, outcome.received_ns)
        if isinstance(outcome, Throttled) and not outcome.orders_only:
            self._ledger.shut(outcome.retry_at_ns, banned=outcome.banned)

    async def _carry(self, call: RestRequest, attempt: _Attempt) -> RestAnswer:
        headers = {API_KEY_HEADER: self._api_key} if call.needs_key else {}
        url = self._base.copy_with(raw_path=call.target.encode())
        http_request = self._http.build_request(call.method, url, headers=headers)
        http_request.extensions["trace"] = attempt.trace
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._http.send(http_request, stream=True)
                try:
                    body = await _bounded_body(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise _Failed(f"timed out after {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise _Failed(type(error).__name__) from None
        return RestAnswer(
            status=response.status_code,
            headers=dict(response.headers),
            body=body,
            sent_ns=attempt.sent_ns,
            received_ns=self._clock.now_ns(),
        )

    def _not_sent(self, request: VenueRequest, reason: str) -> NotSent:
        return NotSent(
            request_id=request.request_id, received_ns=self._clock.now_ns(), usage=Usage(), reason=f"not sent: {reason}"
        )


class _Failed(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Attempt:
    """Notes when the first byte leaves, and can still stop it."""

    def __init__(self, clock: Clock, last_check: LastCheck | None) -> None:
        self._clock = clock
        self._last_check = last_check
        self.sent_ns = 0

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Called by the HTTP library at each step of a call."""
        if event != "http11.send_request_headers.started":
            return
        reason = self._last_check() if self._last_check is not None else ""
        if reason:
            raise _Failed(reason)
        self.sent_ns = self._clock.now_ns()


def _order_socket(user_timeout_ms: int) -> list[tuple[int, int, bytes] | tuple[int, int, int]]:
    return [
        (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout_ms),
    ]


async def _bounded_body(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    length = 0
    async for part in response.aiter_bytes():
        length += len(part)
        if length > BODY_BYTES_MAX:
            raise _Failed(f"the answer is longer than {BODY_BYTES_MAX} bytes")
        parts.append(part)
    return b"".join(parts)
