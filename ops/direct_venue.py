"""A blocking client of Binance's REST for commands: no Ray, no actor, no cores, and nothing is ever written twice.

It serves what a person starts and waits for: the checks before a start, and the emergency stop that must work when all else is gone.
Inside a Retry-After window nothing is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Any

import httpx
import msgspec

from configs.keys import ApiKeys
from protocols import venue
from protocols.binance_usdm import costs
from protocols.binance_usdm.answers import decode_key_permissions
from protocols.binance_usdm.costs import Call, Security
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.errors import ErrorClass, RequestKind, classify
from protocols.binance_usdm.requests import API_KEY_HEADER
from protocols.binance_usdm.signing import encoded_query, signed_query
from protocols.key_permissions import KeyPermissions

BODY_BYTES_MAX = 67_108_864
TEXT_SHOWN_MAX = 200
ALL_ORDERS = Call("GET", "/fapi/v1/allOrders", Security.SIGNED, costs.Cost(5))
BOOK_TICKER = Call("GET", "/fapi/v1/ticker/bookTicker", Security.NONE, costs.Cost(2))
PREMIUM_INDEX = Call("GET", "/fapi/v1/premiumIndex", Security.NONE, costs.Cost(1))
SYMBOL_CONFIG = Call("GET", "/fapi/v1/symbolConfig", Security.SIGNED, costs.Cost(5))
ADL_QUANTILE = costs.CALLS[venue.QueryAdlQuantiles]
KEY_PERMISSIONS = costs.CALLS[venue.QueryKeyPermissions]
FEE_BURN = Call("GET", "/fapi/v1/feeBurn", Security.SIGNED, costs.Cost(30))
COMMISSION_RATE = Call("GET", "/fapi/v1/commissionRate", Security.SIGNED, costs.Cost(20))
OUTSIDE_WINDOW = -1021
THROTTLED_STATUSES = (429, 418)
RETRY_AFTER_S = 5
"""How long nothing is sent after a throttle that named no time."""
RETRY_AFTER_S_MAX = 259_200
"""Three days: the longest ban that the venue gives."""


class VenueFailure(Exception):
    """The venue did not do what was asked; the text says which call and why. `code` is the venue's, 0 when it gave none.

    `unknown`: it may have been done all the same.
    """

    def __init__(self, text: str, code: int = 0, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.unknown = unknown


class DirectVenue:
    """The calls of a command, one connection pool, each with a timeout. Use as a context manager."""

    def __init__(
        self,
        rest_url: str,
        keys: ApiKeys | None,
        timeout_ms: int,
        transport: httpx.BaseTransport | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Args: keys: None for public calls only. transport: httpx's own unless told."""
        self._keys = keys
        self._clock_ns = clock_ns
        self._offset_ms: int | None = None
        self._shut_until_ns = 0
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
            before = self._clock_ns()
            answer = self._call(costs.CALLS[venue.QueryTime], [])
            middle_ms = (before + self._clock_ns()) // 2_000_000
            self._offset_ms = int(_field(answer, "serverTime")) - middle_ms
        return self._clock_ns() // 1_000_000 + self._offset_ms

    @property
    def wait_s(self) -> float:
        """How long the venue wants to be left alone; 0.0 when it may be asked."""
        return max(0, self._shut_until_ns - self._clock_ns()) / 1e9

    def exchange_info(self) -> bytes:
        """The raw body of exchangeInfo."""
        return self._body(costs.EXCHANGE_INFO, [])

    def account_config(self) -> dict[str, Any]:
        """Position mode and asset mode."""
        answer = self._call(costs.ACCOUNT_CONFIG, self._clock())
        if not isinstance(answer, dict):
            raise VenueFailure(f"{costs.ACCOUNT_CONFIG.path} answered something else than an object")
        return answer

    def symbol_configs(self) -> list[dict[str, Any]]:
        """Leverage and margin type of every symbol."""
        return self._rows(SYMBOL_CONFIG, self._clock())

    def fee_burn(self) -> bool:
        """Whether fees are paid in BNB while there is some."""
        return _field(self._call(FEE_BURN, self._clock()), "feeBurn") is True

    def fee_rates(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Maker and taker rate of a symbol."""
        answer = self._call(COMMISSION_RATE, [("symbol", symbol), *self._clock()])
        return _number(answer, "makerCommissionRate"), _number(answer, "takerCommissionRate")

    def key_permissions(self, wallet_url: str) -> KeyPermissions:
        """What the key may do, asked at the venue's wallet."""
        body = self._body(KEY_PERMISSIONS, self._clock(), base=wallet_url)
        try:
            return decode_key_permissions(body)
        except DamagedPayload as damage:
            raise VenueFailure(f"{KEY_PERMISSIONS.path} answered something else: {damage}") from damage

    def adl_quantiles(self) -> dict[str, int]:
        """Place of each position in the queue of auto-deleveraging, 0 to 4; 4 goes first."""
        found: dict[str, int] = {}
        for row in self._rows(ADL_QUANTILE, self._clock()):
            places = row.get("adlQuantile")
            known = [place for place in places.values() if isinstance(place, int)] if isinstance(places, dict) else []
            found[str(row.get("symbol"))] = max(known, default=0)
        return found

    def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Every open order of a symbol, in the venue's words."""
        return self._rows(costs.CALLS[venue.QueryOpenOrders], [("symbol", symbol), *self._clock()])

    def recent_orders(self, symbol: str) -> list[dict[str, Any]]:
        """The latest orders of a symbol, open or not, in the venue's words."""
        return self._rows(ALL_ORDERS, [("symbol", symbol), ("limit", "100"), *self._clock()])

    def cancel_all(self, symbol: str, window_ms: int) -> None:
        """Cancel every open order of a symbol, whoever placed it."""
        self._call(costs.CALLS[venue.CancelAll], [("symbol", symbol), ("recvWindow", str(window_ms)), *self._clock()])

    def cancel(self, symbol: str, client_order_id: str, window_ms: int) -> None:
        """Cancel one order by its client's id."""
        which = [("symbol", symbol), ("origClientOrderId", client_order_id), ("recvWindow", str(window_ms))]
        self._call(costs.CALLS[venue.CancelOrder], [*which, *self._clock()])

    def countdown(self, symbol: str, countdown_ms: int) -> None:
        """Arm or renew the venue's own cancellation of a symbol; 0 disarms it."""
        countdown = ("countdownTime", str(countdown_ms))
        self._call(costs.CALLS[venue.SetCountdown], [("symbol", symbol), countdown, *self._clock()])

    def place(self, parameters: list[tuple[str, str]], window_ms: int) -> dict[str, Any]:
        """Send a new order, once; the venue's word on it.

        Raises:
            VenueFailure: `unknown` unless the venue refused it for certain.
        """
        pairs = [*parameters, ("recvWindow", str(window_ms)), *self._clock()]
        answer = self._call(costs.CALLS[venue.PlaceOrder], pairs)
        if not isinstance(answer, dict):
            raise VenueFailure("a new order was answered by something else than an object", unknown=True)
        return answer

    def positions(self) -> dict[str, Decimal]:
        """Signed quantity of every symbol that has a position or an open order.

        Raises:
            VenueFailure: the venue could not be asked, or the account is in hedge mode.
        """
        found: dict[str, Decimal] = {}
        for row in self._rows(costs.CALLS[venue.QueryPositions], self._clock()):
            if row.get("positionSide", "BOTH") != "BOTH":
                raise VenueFailure("the account is in hedge mode: close its positions at the venue's own page")
            found[str(row.get("symbol"))] = _number(row, "positionAmt")
        return found

    def touch(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Best bid and best ask; 0 where a side is empty."""
        answer = self._call(BOOK_TICKER, [("symbol", symbol)])
        return _number(answer, "bidPrice"), _number(answer, "askPrice")

    def mark_price(self, symbol: str) -> Decimal:
        """The venue's mark price."""
        return self.mark(symbol)[0]

    def mark(self, symbol: str) -> tuple[Decimal, int]:
        """The venue's mark price, and how many milliseconds ago it was made."""
        answer = self._call(PREMIUM_INDEX, [("symbol", symbol)])
        return _number(answer, "markPrice"), max(self.now_ms() - int(_field(answer, "time")), 0)

    def _clock(self) -> list[tuple[str, str]]:
        return [("timestamp", str(self.now_ms()))]

    def _rows(self, call: Call, pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
        answer = self._call(call, pairs)
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise VenueFailure(f"{call.path} answered something else than a list of objects")
        return answer

    def _call(self, call: Call, pairs: list[tuple[str, str]]) -> Any:
        body = self._body(call, pairs)
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise VenueFailure(f"{call.path} answered what is not JSON: {error}") from error

    def _body(self, call: Call, pairs: list[tuple[str, str]], base: str = "") -> bytes:
        if call.security is Security.NONE:
            query, headers = encoded_query(pairs), {}
        elif self._keys is None:
            raise VenueFailure(f"{call.path} needs an API key")
        else:
            query, headers = signed_query(pairs, self._keys.signer), {API_KEY_HEADER: self._keys.api_key}
        if self.wait_s:
            raise VenueFailure(f"not asked: the venue wants to be left alone for {self.wait_s:.0f} s more")
        target = f"{call.path}?{query}" if query else call.path
        try:
            response = self._client.request(call.method, base + target, headers=headers)
        except httpx.HTTPError as error:
            unknown = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise VenueFailure(f"{self._client.base_url}: {_reason(error)}", unknown=unknown) from None
        if response.status_code != httpx.codes.OK:
            raise self._refused(call, response)
        if len(response.content) > BODY_BYTES_MAX:
            raise VenueFailure(f"{call.path} answered more than {BODY_BYTES_MAX} bytes")
        return response.content

    def _refused(self, call: Call, response: httpx.Response) -> VenueFailure:
        failure = _refusal(call, response)
        if response.status_code in THROTTLED_STATUSES:
            told = response.headers.get("Retry-After", "")
            wait_s = min(int(told), RETRY_AFTER_S_MAX) if told.isdecimal() else RETRY_AFTER_S
            self._shut_until_ns = max(self._shut_until_ns, self._clock_ns() + wait_s * 1_000_000_000)
        if failure.code == OUTSIDE_WINDOW:
            self._offset_ms = None
        return failure


def _number(row: Any, name: str) -> Decimal:
    try:
        number = Decimal(str(row[name]))
    except (KeyError, TypeError, InvalidOperation):
        raise VenueFailure(f"the venue's answer has no number {name}") from None
    if not number.is_finite():
        raise VenueFailure(f"the venue's {name} is no number: {number}")
    return number


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
    verdict = classify(_KINDS.get(call, RequestKind.READ), response.status_code, code, text)
    sentence = f"{call.method} {call.path} was refused ({response.status_code}, {code}): {text}"
    return VenueFailure(sentence, code, unknown=verdict.error_class is ErrorClass.UNKNOWN)


_KINDS = {
    costs.CALLS[venue.PlaceOrder]: RequestKind.PLACE,
    costs.CALLS[venue.CancelOrder]: RequestKind.CANCEL,
    costs.CALLS[venue.CancelAll]: RequestKind.CONTROL,
    costs.CALLS[venue.SetCountdown]: RequestKind.CONTROL,
}
