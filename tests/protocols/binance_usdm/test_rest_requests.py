"""Neutral requests as REST calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import pytest
from shared_data import shared_path
from wire_samples import ETH, TIME_NS, amend, cancel, id_of, instrument, place, wires

from protocols import venue
from protocols.binance_usdm import costs
from protocols.binance_usdm.costs import Cost, Security, cost_of
from protocols.binance_usdm.requests import RestRequest, RestRequests, exchange_info_request
from protocols.binance_usdm.signing import HmacSigner
from protocols.values import Side, TimeInForce

SIGNER = HmacSigner("secret")
REQUESTS = RestRequests(wires(), SIGNER)
CLOCK = "recvWindow=2000&timestamp=1700000000000"


def signed(method: str, path: str, query: str, cost: Cost) -> RestRequest:
    return RestRequest(
        method=method, path=path, query=f"{query}&signature={SIGNER.sign(query)}", needs_key=True, cost=cost
    )


def test_the_order_of_the_facts_gets_the_signature_of_the_facts() -> None:
    assert REQUESTS.build(place()).target == (
        "/fapi/v1/order?symbol=ETHUSDC&side=SELL&type=LIMIT&timeInForce=GTX&quantity=0.012&price=2500.10"
        "&newClientOrderId=mm-1&recvWindow=2000&timestamp=1700000000000"
        "&signature=362a9582c347976788a7a029fce5a152c42a2629796516d8e3dc8ac5e9477131"
    )


def test_a_reduce_only_close_at_once_asks_for_its_result() -> None:
    request = place(time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, reduce_only=True)
    pairs = dict(parse_qsl(REQUESTS.build(request).query))
    assert (pairs["timeInForce"], pairs["reduceOnly"], pairs["newOrderRespType"]) == ("IOC", "true", "RESULT")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            amend(),
            signed(
                "PUT",
                "/fapi/v1/order",
                f"symbol=ETHUSDC&side=SELL&quantity=0.012&price=2500.20&origClientOrderId=mm-1&{CLOCK}",
                Cost(0, 1, 1),
            ),
        ),
        (cancel(), signed("DELETE", "/fapi/v1/order", f"symbol=ETHUSDC&origClientOrderId=mm-1&{CLOCK}", Cost(1))),
        (cancel("", 77), signed("DELETE", "/fapi/v1/order", f"symbol=ETHUSDC&orderId=77&{CLOCK}", Cost(1))),
        (
            venue.CancelAll(request_id=1, instrument_id=ETH, venue_time_ns=TIME_NS, window_ms=2_000),
            signed("DELETE", "/fapi/v1/allOpenOrders", f"symbol=ETHUSDC&{CLOCK}", Cost(1)),
        ),
        (
            venue.SetCountdown(
                request_id=1, instrument_id=ETH, countdown_ms=120_000, venue_time_ns=TIME_NS, window_ms=2_000
            ),
            signed("POST", "/fapi/v1/countdownCancelAll", f"symbol=ETHUSDC&countdownTime=120000&{CLOCK}", Cost(10)),
        ),
        (
            venue.QueryOrder(request_id=1, instrument_id=ETH, client_order_id="mm-1", venue_time_ns=TIME_NS),
            signed("GET", "/fapi/v1/order", "symbol=ETHUSDC&origClientOrderId=mm-1&timestamp=1700000000000", Cost(1)),
        ),
        (
            venue.QueryOpenOrders(request_id=1, instrument_id=ETH, venue_time_ns=TIME_NS),
            signed("GET", "/fapi/v1/openOrders", "symbol=ETHUSDC&timestamp=1700000000000", Cost(1)),
        ),
        (
            venue.QueryFills(
                request_id=1, instrument_id=ETH, trade_id_from=9, venue_time_from_ms=5, venue_time_ns=TIME_NS
            ),
            signed("GET", "/fapi/v1/userTrades", "symbol=ETHUSDC&fromId=9&limit=1000&timestamp=1700000000000", Cost(5)),
        ),
        (
            venue.QueryFills(
                request_id=1, instrument_id=ETH, trade_id_from=0, venue_time_from_ms=5, venue_time_ns=TIME_NS
            ),
            signed(
                "GET", "/fapi/v1/userTrades", "symbol=ETHUSDC&startTime=5&limit=1000&timestamp=1700000000000", Cost(5)
            ),
        ),
        (
            venue.QueryAmendments(
                request_id=1, instrument_id=ETH, client_order_id="c1", venue_time_from_ms=5, venue_time_ns=TIME_NS
            ),
            signed(
                "GET",
                "/fapi/v1/orderAmendment",
                "symbol=ETHUSDC&origClientOrderId=c1&startTime=5&limit=100&timestamp=1700000000000",
                Cost(1),
            ),
        ),
        (
            venue.QueryOrder(
                request_id=1, instrument_id=ETH, client_order_id="", venue_time_ns=TIME_NS, venue_order_id=77
            ),
            signed("GET", "/fapi/v1/order", "symbol=ETHUSDC&orderId=77&timestamp=1700000000000", Cost(1)),
        ),
        (
            venue.QueryPositions(request_id=1, venue_time_ns=TIME_NS),
            signed("GET", "/fapi/v3/positionRisk", "timestamp=1700000000000", Cost(5)),
        ),
        (
            venue.QueryBalances(request_id=1, venue_time_ns=TIME_NS),
            signed("GET", "/fapi/v3/balance", "timestamp=1700000000000", Cost(5)),
        ),
        (
            venue.QueryIncome(request_id=1, venue_time_from_ms=5, venue_time_ns=TIME_NS),
            signed("GET", "/fapi/v1/income", "startTime=5&limit=1000&timestamp=1700000000000", Cost(30)),
        ),
        (
            venue.QueryBook(request_id=1, instrument_id=ETH),
            RestRequest(
                method="GET", path="/fapi/v1/depth", query="symbol=ETHUSDC&limit=1000", needs_key=False, cost=Cost(20)
            ),
        ),
        (
            venue.QueryTime(request_id=1),
            RestRequest(method="GET", path="/fapi/v1/time", query="", needs_key=False, cost=Cost(1)),
        ),
        (
            venue.OpenUserStream(request_id=1),
            RestRequest(method="POST", path="/fapi/v1/listenKey", query="", needs_key=True, cost=Cost(1)),
        ),
        (
            venue.KeepUserStream(request_id=1),
            RestRequest(method="PUT", path="/fapi/v1/listenKey", query="", needs_key=True, cost=Cost(1)),
        ),
    ],
)
def test_every_request_has_its_call(request_: venue.VenueRequest, expected: RestRequest) -> None:
    assert REQUESTS.build(request_) == expected
    assert cost_of(request_) == expected.cost


@pytest.mark.parametrize(
    "request_",
    [
        place(),
        place(time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, reduce_only=True),
        amend(),
        cancel(),
        cancel("", 77),
        venue.CancelAll(request_id=1, venue_time_ns=TIME_NS, window_ms=2_000, instrument_id=ETH),
        venue.QueryPositions(request_id=1, venue_time_ns=TIME_NS),
    ],
)
def test_an_unsigned_request_says_what_the_signed_one_says_with_orders_in_whole_numbers(
    request_: venue.VenueRequest,
) -> None:
    call, params = REQUESTS.unsigned(request_)
    built = REQUESTS.build(request_)
    wire = wires().by_id[ETH]
    written = {
        name: wire.prices.text(value)
        if name == "price" and isinstance(value, int)
        else wire.quantities.text(value)
        if name == "quantity" and isinstance(value, int)
        else str(value)
        for name, value in params.items()
    }
    said = dict(parse_qsl(built.query))
    del said["signature"]
    assert (call.method, call.path, written) == (built.method, built.path, said)
    assert all(isinstance(params[name], int) for name in ("price", "quantity") if name in params)


def test_account_calls_are_signed_and_exchange_info_is_not() -> None:
    clock = "timestamp=1700000000000"
    assert REQUESTS.account(TIME_NS) == signed("GET", "/fapi/v3/account", clock, Cost(5))
    assert REQUESTS.account_config(TIME_NS) == signed("GET", "/fapi/v1/accountConfig", clock, Cost(5))
    assert exchange_info_request().target == "/fapi/v1/exchangeInfo"


def test_every_request_type_has_a_row_in_the_table() -> None:
    kinds = {kind for kind in vars(venue).values() if isinstance(kind, type) and issubclass(kind, venue.VenueRequest)}
    assert kinds - {venue.VenueRequest} == set(costs.CALLS)
    assert all(call.security is Security.SIGNED for call in costs.CALLS.values() if call.cost.orders_10s)


def test_a_batch_is_encoded_once_and_costs_one_order_a_minute() -> None:
    call = REQUESTS.place_batch([place(), place(client_order_id="mm-2")])
    query, _, signature = call.query.rpartition("&signature=")
    assert signature == SIGNER.sign(query)
    orders = json.loads(dict(parse_qsl(query))["batchOrders"])
    assert [order["newClientOrderId"] for order in orders] == ["mm-1", "mm-2"]
    assert "[" not in call.query
    assert call.cost == Cost(5, 2, 1)


def test_a_batch_of_amends_and_one_of_cancels() -> None:
    amends = REQUESTS.amend_batch([amend(), amend("mm-2")])
    assert (amends.method, amends.path) == ("PUT", "/fapi/v1/batchOrders")
    cancels = dict(parse_qsl(REQUESTS.cancel_batch([cancel(), cancel("mm-2")]).query))
    assert cancels["origClientOrderIdList"] == '["mm-1","mm-2"]'
    assert dict(parse_qsl(REQUESTS.cancel_batch([cancel("", 7), cancel("", 8)]).query))["orderIdList"] == "[7,8]"


def test_batches_keep_the_limits_of_the_venue() -> None:
    with pytest.raises(ValueError, match="6 orders in one batch"):
        REQUESTS.place_batch([place()] * 6)
    with pytest.raises(ValueError, match="0 orders in one batch"):
        REQUESTS.amend_batch([])
    with pytest.raises(ValueError, match="11 orders in one batch"):
        REQUESTS.cancel_batch([cancel()] * 11)
    with pytest.raises(ValueError, match="not both"):
        REQUESTS.cancel_batch([cancel(), cancel("", 7)])
    with pytest.raises(ValueError, match="one symbol"):
        REQUESTS.cancel_batch([cancel(), msgspec.structs.replace(cancel(), instrument_id=id_of("BTCUSDT"))])


SKIPPED = {
    "signature",
    "timestamp",
    "recvWindow",
    "newClientOrderId",
    "newOrderRespType",
    "limit",
    "fromId",
    "startTime",
}
TIMES_IN_FORCE = {
    "GTX": TimeInForce.POST_ONLY,
    "GTC": TimeInForce.GOOD_TILL_CANCEL,
    "IOC": TimeInForce.IMMEDIATE_OR_CANCEL,
}


def ccxt_cases() -> Iterator[tuple[str, str, dict[str, str]]]:
    for case in json.loads(shared_path("data/ccxt-cases/binance_usdm_requests.json").read_bytes())["cases"]:
        url = urlsplit(case["url"])
        if url.path.startswith("/fapi/"):
            raw = case["body"] if case.get("body") else url.query
            yield case["http_verb_inferred"], url.path, dict(parse_qsl(raw, keep_blank_values=False))


def as_request(method: str, path: str, pairs: dict[str, str]) -> venue.VenueRequest | None:
    """The neutral request that says the same; None where ours never says it (market, stop, price match, hedge, by their id)."""
    symbol = pairs.get("symbol", "")
    base = {"request_id": 1, "instrument_id": id_of(symbol), "venue_time_ns": TIME_NS}
    by_id = {"client_order_id": pairs.get("origClientOrderId", ""), "venue_order_id": int(pairs.get("orderId") or 0)}
    if path == "/fapi/v1/order" and method == "POST":
        if pairs["type"] != "LIMIT" or "price" not in pairs or "positionSide" in pairs:
            return None
        wire = WIRES.by_symbol[symbol]
        return venue.PlaceOrder(
            **base,
            client_order_id="c",
            side=Side(pairs["side"]),
            price_ticks=wire.prices[pairs["price"]],
            quantity_lots=wire.quantities[pairs["quantity"]],
            time_in_force=TIMES_IN_FORCE[pairs["timeInForce"]],
            reduce_only=pairs.get("reduceOnly") == "true",
            window_ms=10_000,
        )
    if path == "/fapi/v1/order" and method == "DELETE":
        return venue.CancelOrder(**base, **by_id, window_ms=10_000)
    if path == "/fapi/v1/order" and method == "GET" and by_id["client_order_id"]:
        return venue.QueryOrder(**base, client_order_id=by_id["client_order_id"])
    if path == "/fapi/v1/allOpenOrders":
        return venue.CancelAll(**base, window_ms=10_000)
    if path == "/fapi/v1/openOrders":
        return venue.QueryOpenOrders(**base)
    if path == "/fapi/v1/userTrades":
        return venue.QueryFills(**base, trade_id_from=0, venue_time_from_ms=0)
    return None


WIRES = wires(
    instrument("LTCUSDT", "0.01", "0.001"),
    instrument("BTCUSDT", "0.10", "0.001"),
    instrument("USDBRLUSDT", "0.001", "1"),
)


def test_our_calls_say_what_ccxt_says() -> None:
    ours = RestRequests(WIRES, SIGNER)
    compared = 0
    for method, path, pairs in ccxt_cases():
        request = as_request(method, path, pairs)
        if request is None:
            continue
        call = ours.build(request)
        said = {name: value for name, value in parse_qsl(call.query) if name not in SKIPPED}
        wanted = {name: value for name, value in pairs.items() if name not in SKIPPED}
        for name in ("price", "quantity"):
            if name in wanted:
                assert float(said.pop(name)) == float(wanted.pop(name))
        assert (call.method, call.path, said) == (method, path, wanted)
        compared += 1
    assert compared >= 14


def test_our_batches_say_what_ccxt_says() -> None:
    compared = 0
    for method, path, pairs in ccxt_cases():
        if path != "/fapi/v1/batchOrders":
            continue
        if method == "DELETE":
            name = "orderidlist" if "orderidlist" in pairs else "origclientorderidlist"
            ids = json.loads(pairs[name])
            requests = [cancel("", one) if isinstance(one, int) else cancel(one) for one in ids]
            said = dict(parse_qsl(REQUESTS.cancel_batch(requests).query))
            assert json.loads({key.lower(): value for key, value in said.items()}[name]) == ids
        elif method == "POST":
            orders = json.loads(unquote(pairs["batchOrders"]))
            requests = [as_request("POST", "/fapi/v1/order", order) for order in orders]
            said = dict(parse_qsl(RestRequests(WIRES, SIGNER).place_batch(requests).query))
            assert [order.keys() - SKIPPED for order in json.loads(said["batchOrders"])] == [
                order.keys() - SKIPPED for order in orders
            ]
        else:
            continue
        compared += 1
    assert compared == 3
