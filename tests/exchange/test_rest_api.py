"""The REST API: who is let in, what is answered, and in which shape."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from venue_rig import KEY, MS, SYMBOL, WireRig, body, limit_order, sign

from actors.exchange.api import RestRequest
from actors.exchange.ledger import RequestRefused, RequestThrottled

ORDER = "/fapi/v1/order"


def code(answer: Any) -> tuple[int, int]:
    return answer.status, body(answer)["code"]


def test_ping_time_and_unknown_paths() -> None:
    rig = WireRig()
    assert rig.public("/fapi/v1/ping").body == b"{}"
    assert body(rig.public("/fapi/v1/time")) == {"serverTime": rig.now_ns // MS}
    assert rig.public("/fapi/v1/nothing").status == 404


def test_a_placed_order_is_answered_as_the_venue_does() -> None:
    rig = WireRig()
    answer = rig.send("POST", ORDER, limit_order(newClientOrderId="mm-1"))
    now_ms = rig.now_ns // MS
    assert (answer.status, body(answer)) == (
        200,
        {
            "orderId": body(answer)["orderId"],
            "symbol": SYMBOL,
            "status": "NEW",
            "clientOrderId": "mm-1",
            "price": "64000.0",
            "avgPrice": "0.00",
            "origQty": "0.010",
            "executedQty": "0.000",
            "cumQty": "0.000",
            "cumQuote": "0.00000",
            "timeInForce": "GTX",
            "type": "LIMIT",
            "reduceOnly": False,
            "closePosition": False,
            "side": "BUY",
            "positionSide": "BOTH",
            "stopPrice": "0.00",
            "workingType": "CONTRACT_PRICE",
            "priceProtect": False,
            "origType": "LIMIT",
            "priceMatch": "NONE",
            "selfTradePreventionMode": "EXPIRE_MAKER",
            "goodTillDate": 0,
            "updateTime": now_ms,
        },
    )
    assert answer.headers == {
        "X-MBX-USED-WEIGHT-1M": "0",
        "X-MBX-ORDER-COUNT-10S": "1",
        "X-MBX-ORDER-COUNT-1M": "1",
    }


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"symbol": None}, -1102),
        ({"symbol": "NOPE"}, -1121),
        ({"side": "UP"}, -1117),
        ({"type": "STOP_MARKET"}, -4120),
        ({"type": "ICEBERG"}, -1116),
        ({"timeInForce": None}, -1102),
        ({"timeInForce": "RPI"}, -1115),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": "abc"}, -1100),
        ({"quantity": "1001"}, -4005),
        ({"price": "64000.05"}, -1111),
        ({"price": "-1"}, -4001),
        ({"price": "-0"}, -4001),
        ({"price": "-0.01"}, -1111),
        ({"price": "1000000.1"}, -4002),
        ({"price": "64000.000"}, None),
        ({"quantity": "-0.015"}, -4003),
        ({"quantity": "0.0150000"}, None),
        ({"quantity": "1000.001"}, -4005),
        ({"price": "67300.0"}, -4016),
        ({"side": "SELL", "price": "60000.0"}, -4024),
        ({"quantity": "0.000"}, -4003),
        ({"price": "40000.0", "quantity": "0.001"}, -4164),
        ({"price": "64000.1"}, -5022),
        ({"positionSide": "LONG"}, -4061),
        ({"reduceOnly": "true"}, -2022),
        ({"newClientOrderId": "a" * 37}, -4015),
        ({"newClientOrderId": "a b"}, -4015),
        ({"type": "MARKET"}, -1106),
        ({"timeInForce": "GTD"}, -1102),
        ({"timeInForce": "GTD", "goodTillDate": "1"}, -5040),
        ({"selfTradePreventionMode": "MAYBE"}, -5039),
        ({"priceMatch": "QUEUE"}, -5037),
        ({"quantity": "10"}, None),
        ({"quantity": "40"}, -2019),
    ],
)
def test_an_unsound_order_is_refused_with_the_venues_code(changes: dict[str, Any], refusal: int | None) -> None:
    rig = WireRig()
    answer = rig.send("POST", ORDER, limit_order(**changes))
    if refusal is None:
        assert answer.status == 200
    else:
        assert code(answer) == (400, refusal)


def test_a_price_off_the_tick_is_refused_where_the_shown_decimals_are_finer() -> None:
    rig = WireRig(symbol="BTCUSDT")
    assert code(rig.send("POST", ORDER, limit_order(symbol="BTCUSDT", price="63999.95"))) == (400, -4014)


def test_price_match_takes_its_price_from_the_book() -> None:
    rig = WireRig()
    answer = rig.send("POST", ORDER, limit_order(price=None, priceMatch="QUEUE", timeInForce="GTC"))
    assert body(answer)["price"] == "64000.0"


def test_keys_and_signatures() -> None:
    rig = WireRig()
    assert code(rig.send("GET", "/fapi/v3/balance", api_key=None)) == (401, -2014)
    assert code(rig.send("GET", "/fapi/v3/balance", api_key="other")) == (401, -2015)
    now = rig.now_ns // MS
    unsigned = RestRequest(method="GET", path="/fapi/v3/balance", raw_query=f"timestamp={now}", api_key=KEY)
    assert code(rig.send_raw(unsigned)) == (400, -1102)
    wrong = RestRequest(method="GET", path="/fapi/v3/balance", raw_query=f"timestamp={now}&signature=00", api_key=KEY)
    assert code(rig.send_raw(wrong)) == (400, -1022)


def test_the_signature_covers_query_and_body_without_a_separator() -> None:
    rig = WireRig()
    query = "symbol=BTCUSDC&side=BUY&type=LIMIT&timeInForce=GTX"
    form = f"quantity=0.010&price=64000.0&timestamp={rig.now_ns // MS}"
    signature = sign(query + form)
    mixed = RestRequest(
        method="POST", path=ORDER, raw_query=query, raw_body=f"{form}&signature={signature}", api_key=KEY
    )
    assert rig.send_raw(mixed).status == 200


def test_a_signature_over_the_percent_decoded_text_is_accepted_too_unless_that_is_switched_off() -> None:
    rig = WireRig()
    fields = limit_order(newClientOrderId="a:b", timestamp=rig.now_ns // MS)
    text = "&".join(f"{name}={value}" for name, value in fields.items())
    form = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in fields.items())
    request = RestRequest(method="POST", path=ORDER, raw_body=f"{form}&signature={sign(text)}", api_key=KEY)
    assert body(rig.send_raw(request))["clientOrderId"] == "a:b"
    strict = WireRig(decoded_signatures=False)
    assert code(strict.send_raw(request)) == (400, -1022)
    as_sent = RestRequest(method="POST", path=ORDER, raw_body=f"{form}&signature={sign(form)}", api_key=KEY)
    assert body(strict.send_raw(as_sent))["clientOrderId"] == "a:b"


def test_clock_errors_are_refused_at_arrival() -> None:
    rig = WireRig()
    now = rig.now_ns // MS
    early = rig.send("GET", "/fapi/v3/balance", {"timestamp": now + 1_000})
    late = rig.send("GET", "/fapi/v3/balance", {"timestamp": now - 1_501, "recvWindow": 1_500})
    assert (body(early)["code"], body(late)["code"]) == (-1021, -1021)
    assert body(late)["msg"] == "Timestamp for this request is outside of the recvWindow."
    assert rig.send("GET", "/fapi/v3/balance", {"timestamp": now - 1_500, "recvWindow": 1_500}).status == 200


def test_an_order_that_reaches_the_engine_too_late_is_refused_there() -> None:
    rig = WireRig(order_latency_ms=800)
    answer = rig.send("POST", ORDER, limit_order(recvWindow=500))
    assert code(answer) == (400, -5028)


def test_latency_delays_acceptance_and_answer() -> None:
    rig = WireRig(order_latency_ms=30, feed_latency_ms=20)
    sent = rig.now_ns
    answer = rig.send("POST", ORDER, limit_order())
    assert (body(answer)["updateTime"] - sent // MS, (rig.now_ns - sent) // MS) == (30, 50)


def test_too_much_weight_is_429_with_retry_after_and_persistence_is_418() -> None:
    rig = WireRig(weight_per_minute=10)
    for _ in range(10):
        assert rig.public("/fapi/v1/time").status == 200
    refused = rig.public("/fapi/v1/time")
    assert (refused.status, body(refused)["code"]) == (429, -1003)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["X-MBX-USED-WEIGHT-1M"] == "10"
    for _ in range(100):
        banned = rig.public("/fapi/v1/time")
    assert banned.status == 418
    assert re.fullmatch(r"Way too many requests; IP\(127.0.0.1\) banned until \d{13}\. Please .*", body(banned)["msg"])
    rig.wait(121_000)
    assert rig.public("/fapi/v1/time").status == 200


def test_windows_are_aligned_to_the_clock() -> None:
    rig = WireRig(weight_per_minute=10)
    for _ in range(10):
        rig.public("/fapi/v1/time")
    rig.wait(60_000 - (rig.now_ns // MS) % 60_000)
    assert rig.public("/fapi/v1/time").headers == {"X-MBX-USED-WEIGHT-1M": "1"}


def test_too_many_orders_of_an_account_are_refused_and_cancels_are_not() -> None:
    rig = WireRig(orders_per_10s=2)
    first = rig.send("POST", ORDER, limit_order(newClientOrderId="a"))
    rig.send("POST", ORDER, limit_order(newClientOrderId="b"))
    refused = rig.send("POST", ORDER, limit_order(newClientOrderId="c"))
    assert (refused.status, body(refused)) == (
        429,
        {"code": -1015, "msg": "Too many new orders; current limit is 2 orders per TEN_SECONDS."},
    )
    cancel = rig.send("DELETE", ORDER, {"symbol": SYMBOL, "orderId": body(first)["orderId"]})
    assert body(cancel)["status"] == "CANCELED"


def test_a_refused_post_only_order_still_costs_an_order_count() -> None:
    rig = WireRig()
    rig.send("POST", ORDER, limit_order(price="64000.1"))
    assert rig.send("POST", ORDER, limit_order()).headers["X-MBX-ORDER-COUNT-10S"] == "2"


def test_refusals_are_counted_in_the_ledger() -> None:
    rig = WireRig()
    for number in range(3):
        rig.send("POST", ORDER, limit_order(price="64000.1", newClientOrderId=f"x{number}"))
    rig.wait(2_000)
    refused = [record for record in rig.output.records if isinstance(record, RequestRefused)]
    assert [(r.symbol, r.method, r.code, r.count, r.client_order_id) for r in refused] == [
        (SYMBOL, "place", -5022, 3, "x0")
    ]


def test_throttles_are_told_in_the_ledger_with_the_end_of_their_window() -> None:
    rig = WireRig(weight_per_minute=10)
    for _ in range(3):
        rig.send("GET", "/fapi/v2/account", {})
    rig.wait(2_000)
    (told,) = [record for record in rig.output.records if isinstance(record, RequestThrottled)]
    assert (told.address, told.status, told.code, told.count) == ("127.0.0.1", 429, -1003, 1)
    assert told.t < told.until_ns <= told.t + 60_000_000_000
    assert 0 < told.sent_ms * 1_000_000 <= told.t


def test_queries_and_cancel_of_an_order() -> None:
    rig = WireRig()
    placed = body(rig.send("POST", ORDER, limit_order(newClientOrderId="q")))
    by_name = {"symbol": SYMBOL, "origClientOrderId": "q"}
    queried = body(rig.send("GET", ORDER, by_name))
    assert queried == {k: v for k, v in placed.items() if k != "cumQty"} | {"time": placed["updateTime"]}
    assert body(rig.send("GET", "/fapi/v1/openOrders", {"symbol": SYMBOL})) == [queried]
    assert body(rig.send("GET", "/fapi/v1/openOrder", by_name)) == queried
    assert body(rig.send("DELETE", ORDER, by_name))["status"] == "CANCELED"
    assert code(rig.send("DELETE", ORDER, by_name)) == (400, -2011)
    assert code(rig.send("GET", "/fapi/v1/openOrder", by_name)) == (400, -2013)
    assert code(rig.send("GET", ORDER, {"symbol": SYMBOL, "orderId": 1})) == (400, -2013)
    assert body(rig.send("GET", ORDER, by_name))["status"] == "CANCELED"
    assert [row["clientOrderId"] for row in body(rig.send("GET", "/fapi/v1/allOrders", {"symbol": SYMBOL}))] == ["q"]


def test_amend_changes_price_and_quantity() -> None:
    rig = WireRig()
    rig.send("POST", ORDER, limit_order(newClientOrderId="m"))
    change = {"symbol": SYMBOL, "origClientOrderId": "m", "side": "BUY", "quantity": "0.020", "price": "63999.9"}
    amended = body(rig.send("PUT", ORDER, change | {"modifyId": 7}))
    assert (amended["price"], amended["origQty"], amended["status"], amended["modifyId"]) == (
        "63999.9",
        "0.020",
        "NEW",
        7,
    )
    assert code(rig.send("PUT", ORDER, change)) == (400, -5027)
    assert code(rig.send("PUT", ORDER, change | {"price": "67300.0"})) == (400, -4016)


def test_a_batch_answers_each_item_in_order() -> None:
    rig = WireRig()
    items = [limit_order(newClientOrderId="b1"), limit_order(price="64000.1"), limit_order(newClientOrderId="b3")]
    answer = rig.send("POST", "/fapi/v1/batchOrders", {"batchOrders": msgspec.json.encode(items).decode()})
    rows = body(answer)
    assert answer.status == 200
    assert [row.get("clientOrderId") or row["code"] for row in rows] == ["b1", -5022, "b3"]
    assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "5"
    assert answer.headers["X-MBX-ORDER-COUNT-1M"] == "1"
    canceled = rig.send("DELETE", "/fapi/v1/batchOrders", {"symbol": SYMBOL, "origClientOrderIdList": '["b1","none"]'})
    assert [row.get("status") or row["code"] for row in body(canceled)] == ["CANCELED", -2011]


def test_a_batch_beyond_five_is_refused() -> None:
    rig = WireRig()
    text = msgspec.json.encode([limit_order()] * 6).decode()
    assert code(rig.send("POST", "/fapi/v1/batchOrders", {"batchOrders": text})) == (400, -4082)


def test_cancel_all_and_countdown() -> None:
    rig = WireRig()
    rig.send("POST", ORDER, limit_order())
    countdown = rig.send("POST", "/fapi/v1/countdownCancelAll", {"symbol": SYMBOL, "countdownTime": 120_000})
    assert body(countdown) == {"symbol": SYMBOL, "countdownTime": "120000"}
    answer = rig.send("DELETE", "/fapi/v1/allOpenOrders", {"symbol": SYMBOL})
    assert body(answer) == {"code": 200, "msg": "The operation of cancel all open order is done."}
    assert body(rig.send("GET", "/fapi/v1/openOrders")) == []


def test_fills_positions_balances_and_income_agree() -> None:
    rig = WireRig()
    result = body(rig.send("POST", ORDER, limit_order(timeInForce="IOC", price="64000.1", newOrderRespType="RESULT")))
    assert (result["status"], result["executedQty"], result["avgPrice"]) == ("FILLED", "0.010", "64000.1")
    (trade,) = body(rig.send("GET", "/fapi/v1/userTrades", {"symbol": SYMBOL}))
    assert (trade["price"], trade["qty"], trade["commission"], trade["maker"], trade["buyer"]) == (
        "64000.1",
        "0.01",
        "0.25600040",
        False,
        True,
    )
    (position,) = body(rig.send("GET", "/fapi/v3/positionRisk", {"symbol": SYMBOL}))
    assert (position["positionAmt"], position["entryPrice"]) == ("0.010", "64000.1")
    balances = {row["asset"]: row["balance"] for row in body(rig.send("GET", "/fapi/v3/balance"))}
    assert balances == {"USDC": "99999.74399960", "USDT": "100000.00000000"}
    income = body(rig.send("GET", "/fapi/v1/income", {"symbol": SYMBOL}))
    assert [(row["incomeType"], row["income"], row["tradeId"]) for row in income] == [
        ("COMMISSION", "-0.25600040", str(trade["id"]))
    ]
    account = body(rig.send("GET", "/fapi/v3/account"))
    assert account["totalWalletBalance"] == "199999.74399960"


def test_an_acknowledgement_says_new_even_when_the_order_has_filled() -> None:
    rig = WireRig()
    answer = body(rig.send("POST", ORDER, limit_order(timeInForce="IOC", price="64000.1")))
    assert (answer["status"], answer["executedQty"]) == ("NEW", "0.000")


def test_modes_that_are_not_modelled_are_refused_clearly() -> None:
    rig = WireRig()
    hedge = rig.send("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "true"})
    assert body(hedge) == {
        "code": -1020,
        "msg": "This operation is not supported by this venue: hedge mode; positions are one-way.",
    }
    multi = rig.send("POST", "/fapi/v1/multiAssetsMargin", {"multiAssetsMargin": "true"})
    assert body(multi)["code"] == -1020
    assert code(rig.send("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "false"})) == (400, -4059)
    assert code(rig.send("POST", "/fapi/v1/marginType", {"symbol": SYMBOL, "marginType": "CROSSED"})) == (400, -4046)
    assert body(rig.send("POST", "/fapi/v1/leverage", {"symbol": SYMBOL, "leverage": 5}))["leverage"] == 5
    assert body(rig.send("GET", "/fapi/v1/symbolConfig", {"symbol": SYMBOL}))[0]["leverage"] == 5


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/fapi/v1/algoOrder", "conditional (algo) orders"),
        ("/fapi/v1/openAlgoOrders", "conditional (algo) orders"),
        ("/fapi/v1/positionMargin", "isolated margin"),
        ("/futures/data/openInterestHist", "statistics"),
        ("/fapi/v1/income/asyn", "downloads"),
        ("/fapi/v1/convert/getQuote", "convert"),
        ("/dapi/v1/time", "COIN-margined"),
    ],
)
def test_what_binance_has_and_this_venue_has_not_is_named(path: str, what: str) -> None:
    answer = WireRig().send("POST", path)
    assert (answer.status, body(answer)["code"]) == (404, -1020)
    assert what in body(answer)["msg"]


def test_exchange_info_tells_filters_and_limits() -> None:
    rig = WireRig(weight_per_minute=6_000)
    info = body(rig.public("/fapi/v1/exchangeInfo"))
    (symbol,) = info["symbols"]
    filters = {row["filterType"]: row for row in symbol["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.1"
    assert filters["LOT_SIZE"]["stepSize"] == "0.001"
    assert filters["MIN_NOTIONAL"]["notional"] == "50"
    assert info["rateLimits"][0] == {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 6_000,
    }


def test_the_listen_key_lives_an_hour_after_its_last_renewal() -> None:
    rig = WireRig()
    path = "/fapi/v1/listenKey"
    key = body(rig.send_raw(RestRequest(method="POST", path=path, api_key=KEY)))["listenKey"]
    again = body(rig.send_raw(RestRequest(method="POST", path=path, api_key=KEY)))["listenKey"]
    assert key == again
    rig.wait(3_599_000)
    assert body(rig.send_raw(RestRequest(method="PUT", path=path, api_key=KEY))) == {"listenKey": key}
    rig.wait(3_601_000)
    assert code(rig.send_raw(RestRequest(method="PUT", path=path, api_key=KEY))) == (400, -1125)


GETS = [
    "account:v2/account",
    "account:v3/account",
    "v2/balance",
    "v3/balance",
    "v2/positionRisk",
    "v3/positionRisk",
    "v1/accountConfig",
    "v1/symbolConfig",
    "v1/leverageBracket",
    "v1/positionSide/dual",
    "v1/multiAssetsMargin",
    "v1/feeBurn",
    "v1/income",
    "v1/rateLimit/order",
    "v1/adlQuantile",
    "v1/forceOrders",
    "v1/apiTradingStatus",
    "v1/allOrders",
    "v1/openOrders",
]


@pytest.mark.parametrize("path", GETS)
def test_every_query_is_answered(path: str) -> None:
    assert WireRig().send("GET", "/fapi/" + path.removeprefix("account:")).status == 200


PUBLIC = [
    "v1/depth?symbol=BTCUSDC&limit=5",
    "v1/trades?symbol=BTCUSDC",
    "v1/aggTrades?symbol=BTCUSDC",
    "v1/premiumIndex?symbol=BTCUSDC",
    "v1/premiumIndex",
    "v1/fundingRate?symbol=BTCUSDC",
    "v1/fundingInfo",
    "v1/ticker/bookTicker?symbol=BTCUSDC",
    "v2/ticker/price",
    "v1/ticker/24hr?symbol=BTCUSDC",
]


@pytest.mark.parametrize("target", PUBLIC)
def test_every_public_query_is_answered(target: str) -> None:
    rig = WireRig()
    rig.apply(rig.market.sold(640_000, 3))
    path, _, query = target.partition("?")
    assert rig.public(f"/fapi/{path}", query).status == 200


def test_depth_shows_our_orders_and_knows_only_its_limits() -> None:
    rig = WireRig()
    rig.send("POST", ORDER, limit_order())
    depth = body(rig.public("/fapi/v1/depth", "symbol=BTCUSDC&limit=5"))
    assert depth["bids"][0] == ["64000.0", "0.020"]
    assert code(rig.public("/fapi/v1/depth", "symbol=BTCUSDC&limit=7")) == (400, -4021)


def test_amendments_are_on_record_oldest_first() -> None:
    rig = WireRig()
    rig.send("POST", ORDER, limit_order(newClientOrderId="a1"))
    change = {"symbol": "BTCUSDC", "side": "BUY", "origClientOrderId": "a1", "quantity": "0.020"}
    for price in ("63900.0", "63800.0"):
        assert rig.send("PUT", ORDER, change | {"price": price}).status == 200
    rows = body(rig.send("GET", "/fapi/v1/orderAmendment", {"symbol": "BTCUSDC", "origClientOrderId": "a1"}))
    assert [row["amendment"]["price"]["after"] for row in rows] == ["63900", "63800"]
    assert [(row["amendment"]["count"], row["clientOrderId"]) for row in rows] == [(1, "a1"), (2, "a1")]
    assert rows[1]["amendment"]["origQty"] == {"before": "0.02", "after": "0.02"}
    newest = body(
        rig.send("GET", "/fapi/v1/orderAmendment", {"symbol": "BTCUSDC", "origClientOrderId": "a1", "limit": 1})
    )
    assert newest == rows[1:]
    assert code(rig.send("GET", "/fapi/v1/orderAmendment", {"symbol": "BTCUSDC", "orderId": 9})) == (400, -2013)


def test_batches_amend_each_item() -> None:
    rig = WireRig()
    rig.send("POST", ORDER, limit_order(newClientOrderId="b1"))
    change = {"symbol": SYMBOL, "side": "BUY", "quantity": "0.010", "price": "63999.0"}
    items = [change | {"origClientOrderId": "b1"}, change | {"origClientOrderId": "none"}]
    rows = body(rig.send("PUT", "/fapi/v1/batchOrders", {"batchOrders": msgspec.json.encode(items).decode()}))
    assert [row.get("price") or row["code"] for row in rows] == ["63999.0", -2013]


@pytest.mark.parametrize(
    ("method", "path", "params", "refusal"),
    [
        ("POST", "batchOrders", {}, -1102),
        ("POST", "batchOrders", {"batchOrders": "{"}, -1130),
        ("POST", "batchOrders", {"batchOrders": "{}"}, -1130),
        ("POST", "batchOrders", {"batchOrders": "[1]"}, -4082),
        ("DELETE", "batchOrders", {"symbol": SYMBOL}, -1102),
        ("DELETE", "batchOrders", {"symbol": SYMBOL, "orderIdList": str(list(range(11)))}, -4032),
        ("POST", "countdownCancelAll", {"symbol": SYMBOL}, -1102),
        ("POST", "countdownCancelAll", {"symbol": SYMBOL, "countdownTime": "-1"}, -1130),
        ("GET", "order", {"symbol": SYMBOL}, -1102),
        ("GET", "userTrades", {"symbol": SYMBOL, "fromId": 1, "startTime": 1}, -1128),
        ("GET", "allOrders", {"symbol": SYMBOL, "startTime": 2, "endTime": 1}, -1023),
        ("GET", "allOrders", {"symbol": SYMBOL, "startTime": 1, "endTime": 700_000_000}, -4165),
        ("GET", "allOrders", {"symbol": SYMBOL, "limit": 1_001}, -1130),
        ("GET", "income", {"limit": 1_001}, -1130),
        ("POST", "leverage", {"symbol": SYMBOL}, -1102),
        ("POST", "leverage", {"symbol": SYMBOL, "leverage": 126}, -4028),
        ("POST", "marginType", {"symbol": SYMBOL, "marginType": "ISOLATED"}, -1020),
        ("POST", "marginType", {"symbol": SYMBOL, "marginType": "OTHER"}, -1130),
        ("POST", "multiAssetsMargin", {"multiAssetsMargin": "false"}, -4171),
        ("POST", "order", limit_order(newOrderRespType="ALL"), -1136),
    ],
)
def test_unsound_parameters_are_refused(method: str, path: str, params: dict[str, Any], refusal: int) -> None:
    rig = WireRig()
    answer = rig.send(method, f"/fapi/v1/{path}", params)
    assert code(answer) == (400, refusal)
    assert body(rig.send("GET", "/fapi/v1/openOrders")) == []


def test_an_order_test_checks_and_places_nothing() -> None:
    rig = WireRig()
    assert rig.send("POST", "/fapi/v1/order/test", limit_order()).body == b"{}"
    assert code(rig.send("POST", "/fapi/v1/order/test", limit_order(price="1"))) == (400, -4164)
    assert body(rig.send("GET", "/fapi/v1/openOrders")) == []


def test_the_commission_rate_is_the_configured_one() -> None:
    assert body(WireRig().send("GET", "/fapi/v1/commissionRate", {"symbol": SYMBOL})) == {
        "symbol": SYMBOL,
        "makerCommissionRate": "0.00000000",
        "takerCommissionRate": "0.00040000",
        "rpiCommissionRate": "0.00000000",
    }


def test_a_closed_listen_key_is_gone() -> None:
    rig = WireRig()
    path = "/fapi/v1/listenKey"
    rig.send_raw(RestRequest(method="POST", path=path, api_key=KEY))
    assert rig.send_raw(RestRequest(method="DELETE", path=path, api_key=KEY)).body == b"{}"
    assert code(rig.send_raw(RestRequest(method="PUT", path=path, api_key=KEY))) == (400, -1125)
