"""Orders as WebSocket API frames (facts section 7): the hot path, built and signed from templates.

Everything of a frame and of its signed text that does not change is joined once per symbol, side, time in force and reduce-only;
an order then costs two f-strings and one signature. The signed text has every parameter sorted by name, apiKey among them.
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


class _Template(NamedTuple):
    """Constant parts of a place: of the signed text after the quantity and after the window, and the same of the frame."""

    signed_after_window: str
    framed_before_id: str
    framed_after_window: str


class OrderFrames:
    """Builds the frames of one account. The frame's `id` is the request's.

    Client order ids are put in as they are: they must be of the venue's alphabet `[.A-Z:/a-z0-9_-]`, as ours are.
    """

    def __init__(self, instruments: WireInstruments, api_key: str, signer: Signer) -> None:
        self._by_id = instruments.by_id
        self._key_signed = f"apiKey={api_key}"
        self._key_framed = f'"apiKey":"{api_key}"'
        self._sign = signer.sign
        self._templates: dict[tuple[InstrumentId, Side, TimeInForce, bool], _Template] = {
            (wire.instrument_id, side, time_in_force, reduce_only): _place_template(
                wire, side, time_in_force, reduce_only
            )
            for wire in instruments.by_id.values()
            for side in Side
            for time_in_force in TimeInForce
            for reduce_only in (False, True)
        }

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
        wire = self._by_id[request.instrument_id]
        template = self._templates[request.instrument_id, request.side, request.time_in_force, request.reduce_only]
        client_order_id = request.client_order_id
        price = wire.prices.text(request.price_ticks)
        quantity = wire.quantities.text(request.quantity_lots)
        window = request.window_ms
        timestamp = request.venue_time_ns // _NS_PER_MS
        result = "&newOrderRespType=RESULT" if request.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL else ""
        signature = self._sign(
            f"{self._key_signed}&newClientOrderId={client_order_id}{result}&price={price}&quantity={quantity}"
            f"&recvWindow={window}{template.signed_after_window}{timestamp}&type=LIMIT"
        )
        return (
            f'{{"id":{request.request_id},"method":"order.place","params":{{{self._key_framed}{template.framed_before_id}'
            f'"newClientOrderId":"{client_order_id}","price":"{price}","quantity":"{quantity}","recvWindow":{window}'
            f'{template.framed_after_window}{timestamp},"type":"LIMIT","signature":"{signature}"}}}}'
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
        if request.client_order_id:
            return self._by_name(
                "order.cancel",
                request.request_id,
                request.instrument_id,
                f"origClientOrderId={request.client_order_id}",
                f'"origClientOrderId":"{request.client_order_id}"',
                request.window_ms,
                request.venue_time_ns,
            )
        return self._by_name(
            "order.cancel",
            request.request_id,
            request.instrument_id,
            f"orderId={request.venue_order_id}",
            f'"orderId":{request.venue_order_id}',
            request.window_ms,
            request.venue_time_ns,
        )

    def status(self, request: QueryOrder) -> bytes:
        """order.status, by our id."""
        return self._by_name(
            "order.status",
            request.request_id,
            request.instrument_id,
            f"origClientOrderId={request.client_order_id}",
            f'"origClientOrderId":"{request.client_order_id}"',
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


def _place_template(wire: WireInstrument, side: Side, time_in_force: TimeInForce, reduce_only: bool) -> _Template:
    """An immediate order asks for its result (RESULT); a resting one is told by the user stream (ACK, the default)."""
    rule = TIME_IN_FORCE[time_in_force]
    immediate = time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL
    return _Template(
        signed_after_window=(
            f"{'&reduceOnly=true' if reduce_only else ''}&side={side.value}&symbol={wire.symbol}"
            f"&timeInForce={rule}&timestamp="
        ),
        framed_before_id=',"newOrderRespType":"RESULT",' if immediate else ",",
        framed_after_window=(
            (',"reduceOnly":"true"' if reduce_only else "")
            + f',"side":"{side.value}","symbol":"{wire.symbol}","timeInForce":"{rule}","timestamp":'
        ),
    )
