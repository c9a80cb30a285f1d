"""Neutral requests to REST calls: method, path and finished query string (facts sections 1.6 and 2).

Everything goes in the query, with an empty body: what was signed is byte for byte what is sent. Give the target to the HTTP
client as it is; a client that encodes it again breaks the signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, assert_never

import msgspec

from protocols.binance_usdm import costs
from protocols.binance_usdm.costs import Call, Cost, Security
from protocols.binance_usdm.signing import Signer, encoded_query, signed_query
from protocols.binance_usdm.wire_numbers import WireInstrument, WireInstruments
from protocols.values import InstrumentId, TimeInForce
from protocols.venue import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    KeepUserStream,
    OpenUserStream,
    PlaceOrder,
    QueryAccount,
    QueryAccountConfig,
    QueryAdlQuantiles,
    QueryAllOpenOrders,
    QueryAmendments,
    QueryAssetRates,
    QueryBalances,
    QueryBook,
    QueryBrackets,
    QueryFeeBurn,
    QueryFeeRates,
    QueryFills,
    QueryIncome,
    QueryKeyPermissions,
    QueryListing,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySymbolConfigs,
    QueryTime,
    QueryTradingStatus,
    SetCountdown,
    VenueRequest,
)

API_KEY_HEADER = "X-MBX-APIKEY"

TIME_IN_FORCE: dict[TimeInForce, str] = {
    TimeInForce.POST_ONLY: "GTX",
    TimeInForce.GOOD_TILL_CANCEL: "GTC",
    TimeInForce.IMMEDIATE_OR_CANCEL: "IOC",
}

AnyVenueRequest = (
    PlaceOrder
    | AmendOrder
    | CancelOrder
    | CancelAll
    | SetCountdown
    | QueryOrder
    | QueryAmendments
    | QueryOpenOrders
    | QueryFills
    | QueryPositions
    | QueryBalances
    | QueryIncome
    | QueryBook
    | QueryAccount
    | QueryAllOpenOrders
    | QuerySymbolConfigs
    | QueryAdlQuantiles
    | QueryTradingStatus
    | QueryAssetRates
    | QueryAccountConfig
    | QueryKeyPermissions
    | QueryFeeBurn
    | QueryFeeRates
    | QueryBrackets
    | QueryListing
    | QueryTime
    | OpenUserStream
    | KeepUserStream
)

_Request = TypeVar("_Request", bound=VenueRequest)
Pairs = list[tuple[str, str]]
_Number = TypeVar("_Number", str, int)


class RestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A call ready to be sent. `needs_key`: the key goes into the header `API_KEY_HEADER`."""

    method: str
    path: str
    query: str
    needs_key: bool
    cost: Cost

    @property
    def target(self) -> str:
        """Path and query as they go on the wire."""
        return f"{self.path}?{self.query}" if self.query else self.path


class RestRequests:
    """Builds the REST calls of one account."""

    def __init__(self, instruments: WireInstruments, signer: Signer) -> None:
        self._by_id = instruments.by_id
        self._signer = signer

    def build(self, request: VenueRequest) -> RestRequest:
        """The call of a neutral request.

        Raises:
            KeyError: the instrument is not one of this builder's.
        """
        pairs = self._pairs(request)  # type: ignore[arg-type]
        return self._finished(costs.CALLS[type(request)], pairs)

    def unsigned(self, request: VenueRequest) -> tuple[Call, dict[str, str | int]]:
        """The call and the parameters of a neutral request for a venue in the same process, neither encoded nor signed.

        Orders come in whole numbers: `price` in ticks, `quantity` in lots, `timestamp` and `recvWindow` in milliseconds.
        """
        match request:
            case PlaceOrder():
                pairs = self._place_pairs(request, request.quantity_lots, request.price_ticks)
            case AmendOrder():
                pairs = self._amend_pairs(request, request.quantity_lots, request.price_ticks)
            case CancelOrder():
                pairs = [("symbol", self._wire(request.instrument_id).symbol), _which(request)]
            case _:
                return costs.CALLS[type(request)], dict(self._pairs(request))  # type: ignore[arg-type]
        params = dict[str, str | int](pairs)
        params["timestamp"] = request.venue_time_ns // 1_000_000
        if request.window_ms:
            params["recvWindow"] = request.window_ms
        return costs.CALLS[type(request)], params

    def place_batch(self, requests: Sequence[PlaceOrder]) -> RestRequest:
        """One to five new orders of one timestamp and window in one call; they run concurrently at the venue."""
        first = _batch_head(requests, costs.BATCH_ORDERS_MAX)
        orders = [dict(self._placed(request)) for request in requests]
        pairs = [("batchOrders", _json(orders)), *_clock(first.venue_time_ns, first.window_ms)]
        return self._finished(_batch_call(costs.PLACE_BATCH, len(requests)), pairs)

    def amend_batch(self, requests: Sequence[AmendOrder]) -> RestRequest:
        """One to five amendments in one call."""
        first = _batch_head(requests, costs.BATCH_ORDERS_MAX)
        orders = [dict(self._amended(request)) for request in requests]
        pairs = [("batchOrders", _json(orders)), *_clock(first.venue_time_ns, first.window_ms)]
        return self._finished(_batch_call(costs.AMEND_BATCH, len(requests)), pairs)

    def cancel_batch(self, requests: Sequence[CancelOrder]) -> RestRequest:
        """One to ten cancels of one symbol in one call, all by our id or all by the venue's."""
        first = _batch_head(requests, costs.BATCH_CANCELS_MAX)
        if any(request.instrument_id != first.instrument_id for request in requests):
            raise ValueError("a batch of cancels is for one symbol")
        ours = [request.client_order_id for request in requests if request.client_order_id]
        if ours and len(ours) != len(requests):
            raise ValueError("a batch of cancels is by our ids or by the venue's, not both")
        named = (
            ("origClientOrderIdList", _json(ours))
            if ours
            else ("orderIdList", _json([request.venue_order_id for request in requests]))
        )
        pairs = [("symbol", self._wire(first.instrument_id).symbol), named]
        return self._finished(costs.CANCEL_BATCH, [*pairs, *_clock(first.venue_time_ns, first.window_ms)])

    def account(self, venue_time_ns: int) -> RestRequest:
        """Assets and positions of the account."""
        return self._finished(costs.ACCOUNT, _clock(venue_time_ns))

    def account_config(self, venue_time_ns: int) -> RestRequest:
        """Position mode and asset mode, to be compared with the configuration at start."""
        return self._finished(costs.ACCOUNT_CONFIG, _clock(venue_time_ns))

    def _finished(self, call: Call, pairs: Pairs) -> RestRequest:
        signed = call.security is Security.SIGNED
        return RestRequest(
            method=call.method,
            path=call.path,
            query=signed_query(pairs, self._signer) if signed else encoded_query(pairs),
            needs_key=call.security is not Security.NONE,
            cost=call.cost,
        )

    def _wire(self, instrument_id: InstrumentId) -> WireInstrument:
        return self._by_id[instrument_id]

    def _placed(self, request: PlaceOrder) -> Pairs:
        return self._place_pairs(request, *self._texts(request))

    def _amended(self, request: AmendOrder) -> Pairs:
        return self._amend_pairs(request, *self._texts(request))

    def _texts(self, request: PlaceOrder | AmendOrder) -> tuple[str, str]:
        """Quantity and price."""
        wire = self._wire(request.instrument_id)
        return wire.quantities.text(request.quantity_lots), wire.prices.text(request.price_ticks)

    def _place_pairs(self, request: PlaceOrder, quantity: _Number, price: _Number) -> list[tuple[str, str | _Number]]:
        wire = self._wire(request.instrument_id)
        pairs: list[tuple[str, str | _Number]] = [
            ("symbol", wire.symbol),
            ("side", request.side.value),
            ("type", "LIMIT"),
            ("timeInForce", TIME_IN_FORCE[request.time_in_force]),
            ("quantity", quantity),
            ("price", price),
            ("newClientOrderId", request.client_order_id),
        ]
        if request.reduce_only:
            pairs.append(("reduceOnly", "true"))
        if request.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
            pairs.append(("newOrderRespType", "RESULT"))
        return pairs

    def _amend_pairs(self, request: AmendOrder, quantity: _Number, price: _Number) -> list[tuple[str, str | _Number]]:
        wire = self._wire(request.instrument_id)
        return [
            ("symbol", wire.symbol),
            ("side", request.side.value),
            ("quantity", quantity),
            ("price", price),
            ("origClientOrderId", request.client_order_id),
        ]

    def _pairs(self, request: AnyVenueRequest) -> Pairs:
        match request:
            case PlaceOrder():
                return [*self._placed(request), *_clock(request.venue_time_ns, request.window_ms)]
            case AmendOrder():
                return [*self._amended(request), *_clock(request.venue_time_ns, request.window_ms)]
            case CancelOrder():
                symbol = ("symbol", self._wire(request.instrument_id).symbol)
                return [symbol, _which(request), *_clock(request.venue_time_ns, request.window_ms)]
            case CancelAll():
                symbol = ("symbol", self._wire(request.instrument_id).symbol)
                return [symbol, *_clock(request.venue_time_ns, request.window_ms)]
            case SetCountdown():
                symbol = ("symbol", self._wire(request.instrument_id).symbol)
                countdown = ("countdownTime", str(request.countdown_ms))
                return [symbol, countdown, *_clock(request.venue_time_ns, request.window_ms)]
            case _:
                return self._query_pairs(request)

    def _query_pairs(
        self,
        request: QueryOrder
        | QueryAmendments
        | QueryOpenOrders
        | QueryFills
        | QueryPositions
        | QueryBalances
        | QueryIncome
        | QueryBook
        | QueryAccount
        | QueryAllOpenOrders
        | QuerySymbolConfigs
        | QueryAdlQuantiles
        | QueryTradingStatus
        | QueryAssetRates
        | QueryAccountConfig
        | QueryKeyPermissions
        | QueryFeeBurn
        | QueryFeeRates
        | QueryBrackets
        | QueryListing
        | QueryTime
        | OpenUserStream
        | KeepUserStream,
    ) -> Pairs:
        match request:
            case QueryOrder():
                symbol = ("symbol", self._wire(request.instrument_id).symbol)
                return [symbol, _which(request), *_clock(request.venue_time_ns)]
            case QueryAmendments():
                symbol = ("symbol", self._wire(request.instrument_id).symbol)
                which = ("origClientOrderId", request.client_order_id)
                start = ("startTime", str(request.venue_time_from_ms))
                limit = ("limit", str(costs.AMENDMENT_ROWS_MAX))
                return [symbol, which, start, limit, *_clock(request.venue_time_ns)]
            case QueryOpenOrders():
                return [("symbol", self._wire(request.instrument_id).symbol), *_clock(request.venue_time_ns)]
            case QueryFills():
                start = (
                    ("fromId", str(request.trade_id_from))
                    if request.trade_id_from
                    else ("startTime", str(request.venue_time_from_ms))
                )
                symbol = ("symbol", self._wire(request.instrument_id).symbol)
                return [symbol, start, ("limit", str(costs.PAGE_ROWS_MAX)), *_clock(request.venue_time_ns)]
            case QueryIncome():
                start = ("startTime", str(request.venue_time_from_ms))
                return [start, ("limit", str(costs.PAGE_ROWS_MAX)), *_clock(request.venue_time_ns)]
            case (
                QueryPositions()
                | QueryBalances()
                | QueryAccount()
                | QueryAllOpenOrders()
                | QuerySymbolConfigs()
                | QueryAdlQuantiles()
                | QueryTradingStatus()
                | QueryAccountConfig()
                | QueryKeyPermissions()
                | QueryFeeBurn()
                | QueryBrackets()
            ):
                return _clock(request.venue_time_ns)
            case QueryBook():
                return [("symbol", self._wire(request.instrument_id).symbol), ("limit", str(costs.BOOK_LEVELS))]
            case QueryFeeRates():
                return [("symbol", self._wire(request.instrument_id).symbol), *_clock(request.venue_time_ns)]
            case QueryAssetRates() | QueryListing() | QueryTime() | OpenUserStream() | KeepUserStream():
                return []
            case _:
                assert_never(request)


def exchange_info_request() -> RestRequest:
    """Every symbol, its filters and the limits; about 1 MB."""
    call = costs.EXCHANGE_INFO
    return RestRequest(method=call.method, path=call.path, query="", needs_key=False, cost=call.cost)


def _clock(venue_time_ns: int, window_ms: int = 0) -> Pairs:
    """Timestamp, and recvWindow where the request names one (queries live by the venue's default of 5 s)."""
    timestamp = ("timestamp", str(venue_time_ns // 1_000_000))
    return [("recvWindow", str(window_ms)), timestamp] if window_ms else [timestamp]


def _which(request: CancelOrder | QueryOrder) -> tuple[str, str]:
    """Our id, or the venue's where we have none."""
    if request.client_order_id:
        return "origClientOrderId", request.client_order_id
    return "orderId", str(request.venue_order_id)


def _batch_call(call: Call, orders: int) -> Call:
    return call._replace(cost=call.cost._replace(orders_10s=orders))


def _batch_head(requests: Sequence[_Request], at_most: int) -> _Request:
    if not 0 < len(requests) <= at_most:
        raise ValueError(f"{len(requests)} orders in one batch; 1 to {at_most} are allowed")
    return requests[0]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
