"""A blocking client of Binance's REST for commands: no Ray, no actor, no cores, and nothing is ever written twice.

It serves what a person starts and waits for: the checks before a start, and the emergency stop that must work when all else is gone.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import httpx
import msgspec

from configs.keys import ApiKeys
from protocols import venue
from protocols.binance_usdm import costs
from protocols.binance_usdm.costs import Call, Security
from protocols.binance_usdm.requests import API_KEY_HEADER
from protocols.binance_usdm.signing import encoded_query, signed_query

BODY_BYTES_MAX = 67_108_864
TEXT_SHOWN_MAX = 200
ALL_ORDERS = Call("GET", "/fapi/v1/allOrders", Security.SIGNED, costs.Cost(5))


class VenueFailure(Exception):
    """The venue did not do what was asked; the text says which call and why. `code` is the venue's, 0 when it gave none."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class DirectVenue:
    """The calls of a command, one connection pool, each with a timeout. Use as a context manager."""

    def __init__(
        self, rest_url: str, keys: ApiKeys | None, timeout_ms: int, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Args: keys: None for public calls only. transport: httpx's own unless told."""
        self._keys = keys
        self._offset_ms: int | None = None
        self._client = httpx.Client(base_url=rest_url, timeout=timeout_ms / 1_000, trust_env=False, transport=transport)

    def __enter__(self) -> DirectVenue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def now_ms(self) -> int:
        """The venue's clock, from one reading of it and this machine's monotonic clock since.

        Raises:
            VenueFailure: the venue could not be asked.
        """
        if self._offset_ms is None:
            before = time.monotonic_ns()
            answer = self._call(costs.CALLS[venue.QueryTime], [])
            middle_ms = (before + time.monotonic_ns()) // 2_000_000
            self._offset_ms = int(_field(answer, "serverTime")) - middle_ms
        return time.monotonic_ns() // 1_000_000 + self._offset_ms

    def exchange_info(self) -> bytes:
        """The raw body of exchangeInfo."""
        return self._body(costs.EXCHANGE_INFO, [])

    def account_config(self) -> dict[str, Any]:
        """Position mode and asset mode."""
        answer = self._call(costs.ACCOUNT_CONFIG, self._clock())
        if not isinstance(answer, dict):
            raise VenueFailure(f"{costs.ACCOUNT_CONFIG.path} answered something else than an object")
        return answer

    def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Every open order of a symbol, in the venue's words."""
        return self._rows(costs.CALLS[venue.QueryOpenOrders], [("symbol", symbol), *self._clock()])

    def recent_orders(self, symbol: str) -> list[dict[str, Any]]:
        """The latest orders of a symbol, open or not, in the venue's words."""
        return self._rows(ALL_ORDERS, [("symbol", symbol), ("limit", "100"), *self._clock()])

    def cancel_all(self, symbol: str, window_ms: int) -> None:
        """Cancel every open order of a symbol, whoever placed it."""
        self._call(costs.CALLS[venue.CancelAll], [("symbol", symbol), ("recvWindow", str(window_ms)), *self._clock()])

    def _clock(self) -> list[tuple[str, str]]:
        return [("timestamp", str(self.now_ms()))]

    def _rows(self, call: Call, pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
        answer = self._call(call, pairs)
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise VenueFailure(f"{call.path} answered something else than a list of orders")
        return answer

    def _call(self, call: Call, pairs: list[tuple[str, str]]) -> Any:
        body = self._body(call, pairs)
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise VenueFailure(f"{call.path} answered what is not JSON: {error}") from error

    def _body(self, call: Call, pairs: list[tuple[str, str]]) -> bytes:
        if call.security is Security.NONE:
            query, headers = encoded_query(pairs), {}
        elif self._keys is None:
            raise VenueFailure(f"{call.path} needs an API key")
        else:
            query, headers = signed_query(pairs, self._keys.signer), {API_KEY_HEADER: self._keys.api_key}
        target = f"{call.path}?{query}" if query else call.path
        try:
            response = self._client.request(call.method, target, headers=headers)
        except httpx.HTTPError as error:
            raise VenueFailure(f"{self._client.base_url}: {_reason(error)}") from None
        if response.status_code != httpx.codes.OK:
            raise _refusal(call, response)
        if len(response.content) > BODY_BYTES_MAX:
            raise VenueFailure(f"{call.path} answered more than {BODY_BYTES_MAX} bytes")
        return response.content


def _field(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict) or not isinstance(answer.get(name), int):
        raise VenueFailure(f"the venue's answer has no whole number {name}")
    return answer[name]


def _reason(error: httpx.HTTPError) -> str:
    match error:
        case httpx.TimeoutException():
            return "no answer in time"
        case httpx.ConnectError():
            return "cannot be reached"
        case _:
            return str(error) or type(error).__name__


def _refusal(call: Call, response: httpx.Response) -> VenueFailure:
    code, text = 0, response.text[:TEXT_SHOWN_MAX]
    try:
        answer = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, RecursionError):
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("code"), int):
        code, text = answer["code"], str(answer.get("msg", ""))[:TEXT_SHOWN_MAX]
    return VenueFailure(f"{call.method} {call.path} was refused ({response.status_code}, {code}): {text}", code)
