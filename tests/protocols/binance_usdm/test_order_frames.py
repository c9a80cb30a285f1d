"""Orders as WebSocket API frames."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import ETH, TIME_NS, amend, cancel, id_of, place, wires

from protocols import venue
from protocols.binance_usdm.order_frames import OrderFrames
from protocols.binance_usdm.signing import HmacSigner, ws_api_payload
from protocols.values import Side, TimeInForce

SIGNER = HmacSigner("secret")
FRAMES = OrderFrames(wires(), "testkey", SIGNER)
CLOCK = {"apiKey": "testkey", "recvWindow": 2_000, "timestamp": 1_700_000_000_000}


def opened(frame: bytes) -> tuple[int, str, dict[str, Any]]:
    """Id, method and parameters of a frame whose signature is right."""
    body = json.loads(frame)
    parameters = body["params"]
    assert parameters.pop("signature") == SIGNER.sign(ws_api_payload(parameters))
    return body["id"], body["method"], parameters


def test_a_post_only_order() -> None:
    assert opened(FRAMES.build(place())) == (
        1,
        "order.place",
        {
            **CLOCK,
            "newClientOrderId": "mm-1",
            "price": "2500.10",
            "quantity": "0.012",
            "side": "SELL",
            "symbol": "ETHUSDC",
            "timeInForce": "GTX",
            "type": "LIMIT",
        },
    )


def test_an_amendment_names_symbol_side_price_and_total_quantity() -> None:
    assert opened(FRAMES.build(amend())) == (
        1,
        "order.modify",
        {
            **CLOCK,
            "origClientOrderId": "mm-1",
            "price": "2500.20",
            "quantity": "0.012",
            "side": "SELL",
            "symbol": "ETHUSDC",
        },
    )


def test_a_cancel_by_our_id_and_by_the_venues() -> None:
    assert opened(FRAMES.build(cancel())) == (
        1,
        "order.cancel",
        {**CLOCK, "origClientOrderId": "mm-1", "symbol": "ETHUSDC"},
    )
    assert opened(FRAMES.build(cancel("", 77))) == (1, "order.cancel", {**CLOCK, "orderId": 77, "symbol": "ETHUSDC"})


def test_a_query_of_one_order() -> None:
    request = venue.QueryOrder(request_id=5, instrument_id=ETH, client_order_id="mm-1", venue_time_ns=TIME_NS)
    assert opened(FRAMES.build(request)) == (
        5,
        "order.status",
        {**CLOCK, "recvWindow": 5_000, "origClientOrderId": "mm-1", "symbol": "ETHUSDC"},
    )


@given(
    side=st.sampled_from(Side),
    time_in_force=st.sampled_from(TimeInForce),
    reduce_only=st.booleans(),
    price_ticks=st.integers(1, 10**9),
    quantity_lots=st.integers(1, 10**9),
    client_order_id=st.from_regex(r"[.A-Z:/a-z0-9_-]{1,36}", fullmatch=True),
    request_id=st.integers(1, 2**53),
)
def test_every_order_is_sound_json_with_a_right_signature(
    side: Side,
    time_in_force: TimeInForce,
    reduce_only: bool,
    price_ticks: int,
    quantity_lots: int,
    client_order_id: str,
    request_id: int,
) -> None:
    request = place(
        side=side,
        time_in_force=time_in_force,
        reduce_only=reduce_only,
        price_ticks=price_ticks,
        quantity_lots=quantity_lots,
        client_order_id=client_order_id,
        request_id=request_id,
    )
    answered_id, method, parameters = opened(FRAMES.place(request))
    assert (answered_id, method) == (request_id, "order.place")
    assert parameters["newClientOrderId"] == client_order_id
    assert float(parameters["price"]) == pytest.approx(price_ticks / 100)
    assert parameters.get("reduceOnly", "false") == str(reduce_only).lower()
    assert ("newOrderRespType" in parameters) is (time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL)


def test_an_unknown_instrument_is_our_own_fault() -> None:
    with pytest.raises(KeyError):
        FRAMES.place(place(instrument_id=id_of("XRPUSDC")))


def test_the_builder_does_not_show_its_key() -> None:
    assert "testkey" not in repr(FRAMES)
