"""Orders as WebSocket API frames (facts section 7): the hot path, built and signed from templates.

Everything of a place or cancel and of its signed text that does not change is joined once per symbol (of a place: and per side,
time in force and reduce-only); each then costs two f-strings and one signature. The signed text has every parameter sorted by
name, apiKey among them.
"""

from __future__ import annotations

from typing import NamedTuple

from protocols.binance_usdm.requests import TIME_IN_FORCE
from protocols.binance_usdm.signing import Signer
from protocols.binance_usdm.wire_numbers import WireInstrument, WireInstruments
from protocols.values import InstrumentId, Side, TimeInForce
from protocols.venue import AmendOrder, CancelOrder, PlaceOrder, QueryOrder

WsOrderRequest = PlaceOrder | AmendOrder | CancelOrder | QueryOrder

QUERY_WINDOW_MS = 5_000
"""recvWindow of order.status: the venue's default, said aloud."""

_NS_PER_MS = 1_000_000


class _Place(NamedTuple):
    """Constant parts of a place, in the order in which they are used: three of the signed text, two of the frame."""

    wire: WireInstrument
    signed_before_id: str
    signed_before_price: str
    signed_before_time: str
    framed_before_id: str
    framed_before_time: str


class _Cancel(NamedTuple):
    """Constant parts of a cancel by our id: two of the signed text, two of the frame."""

    signed_before_id: str
    signed_before_time: str
    framed_before_id: str
    framed_before_time: str


class OrderFrames:
    """Builds the frames of one account. The frame's `id` is the request's.

    Client order ids are put in as they are: they must be of the venue's alphabet `[.A-Z:/a-z0-9_-]`, as ours are.
    """

    def __init__(self, instruments: WireInstruments, api_key: str, signer: Signer) -> None:
        self._by_id = instruments.by_id
        self._key_signed = f"apiKey={api_key}"
        self._key_framed = f'"apiKey":"{api_key}"'
        self._sign = signer.sign
        self._places = {
            (wire.instrument_id, side, time_in_force, reduce_only): self._place_parts(
                wire, side, time_in_force, reduce_only
            )
            for wire in instruments.by_id.values()
            for side in Side
            for time_in_force in TimeInForce
            for reduce_only in (False, True)
        }
        self._cancels = {wire.instrument_id: self._cancel_parts(wire) for wire in instruments.by_id.values()}

    def __repr__(self) -> str:
        return "OrderFrames(<hidden>)"

    def build(self, request: WsOrderRequest) -> bytes:
        """The frame of an order request.

        Raises:
            KeyError: the instrument is not one of this builder's.
        """
        if isinstance(request, PlaceOrder):
            return self.place(request)
        if isinstance(request, AmendOrder):
            return self.amend(request)
        if isinstance(request, CancelOrder):
            return self.cancel(request)
        return self.status(request)

    def place(self, request: PlaceOrder) -> bytes:
        """order.place"""
        wire, signed_before_id, signed_before_price, signed_before_time, framed_before_id, framed_before_time = (
            self._places[request.instrument_id, request.side, request.time_in_force, request.reduce_only]
        )
        client_order_id = request.client_order_id
        price = wire.prices.text(request.price_ticks)
        quantity = wire.quantities.text(request.quantity_lots)
        window = request.window_ms
        timestamp = request.venue_time_ns // _NS_PER_MS
        signature = self._sign(
            f"{signed_before_id}{client_order_id}{signed_before_price}{price}&quantity={quantity}"
            f"&recvWindow={window}{signed_before_time}{timestamp}&type=LIMIT"
        )
        return (
            f'{{"id":{request.request_id}{framed_before_id}{client_order_id}","price":"{price}","quantity":"{quantity}",'
            f'"recvWindow":{window}{framed_before_time}{timestamp},"type":"LIMIT","signature":"{signature}"}}}}'
        ).encode()

    def amend(self, request: AmendOrder) -> bytes:
        """order.modify: price and total quantity of an order by our id."""
        wire = self._by_id[request.instrument_id]
        client_order_id = request.client_order_id
        price = wire.prices.text(request.price_ticks)
        quantity = wire.quantities.text(request.quantity_lots)
        window = request.window_ms
        timestamp = request.venue_time_ns // _NS_PER_MS
        side = request.side.value
        signature = self._sign(
            f"{self._key_signed}&origClientOrderId={client_order_id}&price={price}&quantity={quantity}"
            f"&recvWindow={window}&side={side}&symbol={wire.symbol}&timestamp={timestamp}"
        )
        return (
            f'{{"id":{request.request_id},"method":"order.modify","params":{{{self._key_framed},'
            f'"origClientOrderId":"{client_order_id}","price":"{price}","quantity":"{quantity}","recvWindow":{window},'
            f'"side":"{side}","symbol":"{wire.symbol}","timestamp":{timestamp},"signature":"{signature}"}}}}'
        ).encode()

    def cancel(self, request: CancelOrder) -> bytes:
        """order.cancel, by our id or by the venue's."""
        client_order_id = request.client_order_id
        if not client_order_id:
            return self._by_name(
                "order.cancel",
                request.request_id,
                request.instrument_id,
                f"orderId={request.venue_order_id}",
                f'"orderId":{request.venue_order_id}',
                request.window_ms,
                request.venue_time_ns,
            )
        signed_before_id, signed_before_time, framed_before_id, framed_before_time = self._cancels[
            request.instrument_id
        ]
        window = request.window_ms
        timestamp = request.venue_time_ns // _NS_PER_MS
        signature = self._sign(
            f"{signed_before_id}{client_order_id}&recvWindow={window}{signed_before_time}{timestamp}"
        )
        return (
            f'{{"id":{request.request_id}{framed_before_id}{client_order_id}","recvWindow":{window}'
            f'{framed_before_time}{timestamp},"signature":"{signature}"}}}}'
        ).encode()

    def status(self, request: QueryOrder) -> bytes:
        """order.status, by our id or by the venue's."""
        ours = bool(request.client_order_id)
        return self._by_name(
            "order.status",
            request.request_id,
            request.instrument_id,
            f"origClientOrderId={request.client_order_id}" if ours else f"orderId={request.venue_order_id}",
            f'"origClientOrderId":"{request.client_order_id}"' if ours else f'"orderId":{request.venue_order_id}',
            QUERY_WINDOW_MS,
            request.venue_time_ns,
        )

    def _by_name(
        self,
        method: str,
        request_id: int,
        instrument_id: InstrumentId,
        which_signed: str,
        which_framed: str,
        window_ms: int,
        venue_time_ns: int,
    ) -> bytes:
        symbol = self._by_id[instrument_id].symbol
        timestamp = venue_time_ns // _NS_PER_MS
        signature = self._sign(
            f"{self._key_signed}&{which_signed}&recvWindow={window_ms}&symbol={symbol}&timestamp={timestamp}"
        )
        return (
            f'{{"id":{request_id},"method":"{method}","params":{{{self._key_framed},{which_framed},'
            f'"recvWindow":{window_ms},"symbol":"{symbol}","timestamp":{timestamp},"signature":"{signature}"}}}}'
        ).encode()

    def _place_parts(self, wire: WireInstrument, side: Side, time_in_force: TimeInForce, reduce_only: bool) -> _Place:
        """An immediate order asks for its result (RESULT); a resting one is told by the user stream (ACK, the default)."""
        rule = TIME_IN_FORCE[time_in_force]
        immediate = time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL
        return _Place(
            wire=wire,
            signed_before_id=f"{self._key_signed}&newClientOrderId=",
            signed_before_price=f"{'&newOrderRespType=RESULT' if immediate else ''}&price=",
            signed_before_time=(
                f"{'&reduceOnly=true' if reduce_only else ''}&side={side.value}&symbol={wire.symbol}"
                f"&timeInForce={rule}&timestamp="
            ),
            framed_before_id=(
                f',"method":"order.place","params":{{{self._key_framed},'
                + ('"newOrderRespType":"RESULT",' if immediate else "")
                + '"newClientOrderId":"'
            ),
            framed_before_time=(
                (',"reduceOnly":"true"' if reduce_only else "")
                + f',"side":"{side.value}","symbol":"{wire.symbol}","timeInForce":"{rule}","timestamp":'
            ),
        )

    def _cancel_parts(self, wire: WireInstrument) -> _Cancel:
        return _Cancel(
            signed_before_id=f"{self._key_signed}&origClientOrderId=",
            signed_before_time=f"&symbol={wire.symbol}&timestamp=",
            framed_before_id=f',"method":"order.cancel","params":{{{self._key_framed},"origClientOrderId":"',
            framed_before_time=f',"symbol":"{wire.symbol}","timestamp":',
        )
