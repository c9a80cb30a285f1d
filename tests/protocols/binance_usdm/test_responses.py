"""Answers of REST and of the WebSocket API as neutral outcomes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from wire_samples import BTC, ETH, TIME_NS, amend, cancel, place, wires

from protocols import venue
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.responses import (
    BODY_BYTES_MAX,
    WAIT_S_MAX,
    decode_rest,
    decode_rest_batch,
    decode_ws_api,
    usage_of_headers,
    ws_outcome,
)
from protocols.values import Side
from protocols.venue import OrderStatus, RefusalKind, Usage

WIRES = wires()
NOTHING = Usage()
SECOND = 1_000_000_000
ORDER: dict[str, Any] = {
    "orderId": 8_886_774,
    "symbol": "ETHUSDC",
    "status": "NEW",
    "clientOrderId": "mm-1",
    "price": "2610.50",
    "origQty": "0.010",
    "executedQty": "0.004",
    "side": "BUY",
    "reduceOnly": False,
    "updateTime": 1_790_770_782_300,
    "a field of tomorrow": {"x": [1]},
}
REPORT = venue.OrderReport(
    instrument_id=ETH,
    client_order_id="mm-1",
    venue_order_id=8_886_774,
    side=Side.BUY,
    status=OrderStatus.NEW,
    price_ticks=261_050,
    quantity_lots=10,
    filled_lots=4,
    reduce_only=False,
    venue_time_ns=1_790_770_782_300_000_000,
)
QUERY_BOOK = venue.QueryBook(request_id=1, instrument_id=ETH)
QUERY_FILLS = venue.QueryFills(
    request_id=1, instrument_id=ETH, trade_id_from=1, venue_time_from_ms=0, venue_time_ns=TIME_NS
)
QUERY_OPEN = venue.QueryOpenOrders(request_id=1, instrument_id=ETH, venue_time_ns=TIME_NS)
QUERY_POSITIONS = venue.QueryPositions(request_id=1, venue_time_ns=TIME_NS)


def answer(
    request: venue.VenueRequest,
    body: Any,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> venue.AnyOutcome:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_rest(request, status, headers or {}, raw, 7, WIRES, sent_ns=5)


@pytest.mark.parametrize("request_", [place(), amend(), cancel()])
def test_an_order_in_the_answer_is_the_order_as_it_now_is(request_: venue.VenueRequest) -> None:
    assert answer(request_, ORDER) == venue.OrderAnswered(request_id=1, received_ns=7, usage=NOTHING, order=REPORT)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("PARTIALLY_FILLED", OrderStatus.PARTIALLY_FILLED),
        ("FILLED", OrderStatus.FILLED),
        ("CANCELED", OrderStatus.CANCELED),
        ("EXPIRED", OrderStatus.EXPIRED),
        ("EXPIRED_IN_MATCH", OrderStatus.EXPIRED),
        ("REJECTED", OrderStatus.REJECTED),
    ],
)
def test_every_status_has_a_neutral_word(told: str, status: OrderStatus) -> None:
    outcome = answer(place(), {**ORDER, "status": told})
    assert isinstance(outcome, venue.OrderAnswered)
    assert outcome.order.status is status


def test_open_orders_fills_positions_balances_and_income() -> None:
    fill = {
        "symbol": "ETHUSDC",
        "id": 770_001,
        "orderId": 8_886_774,
        "side": "BUY",
        "price": "2610.50",
        "qty": "0.010",
        "realizedPnl": "0.5",
        "commission": "-0.00010000",
        "commissionAsset": "USDC",
        "time": 1_790_770_785_000,
        "maker": True,
    }
    assert answer(QUERY_OPEN, [ORDER]) == venue.OpenOrdersAnswered(
        request_id=1, received_ns=7, usage=NOTHING, instrument_id=ETH, orders=(REPORT,)
    )
    assert answer(QUERY_FILLS, [fill]) == venue.FillsAnswered(
        request_id=1,
        received_ns=7,
        usage=NOTHING,
        instrument_id=ETH,
        complete=True,
        fills=(
            venue.FillReport(
                instrument_id=ETH,
                trade_id=770_001,
                venue_order_id=8_886_774,
                side=Side.BUY,
                price_ticks=261_050,
                quantity_lots=10,
                fee=Decimal("-0.00010000"),
                fee_asset="USDC",
                realised=Decimal("0.5"),
                maker=True,
                venue_time_ns=1_790_770_785_000_000_000,
            ),
        ),
    )
    balances = venue.QueryBalances(request_id=1, venue_time_ns=TIME_NS)
    assert answer(balances, [{"asset": "USDC", "balance": "1000.5"}]) == venue.BalancesAnswered(
        request_id=1,
        received_ns=7,
        usage=NOTHING,
        balances=(venue.BalanceReport(asset="USDC", wallet_balance=Decimal("1000.5")),),
    )
    income = venue.QueryIncome(request_id=1, venue_time_from_ms=0, venue_time_ns=TIME_NS)
    row = {"symbol": "ETHUSDC", "incomeType": "FUNDING_FEE", "income": "-0.01", "asset": "USDC", "time": 5, "tranId": 9}
    assert answer(income, [row]) == venue.IncomeAnswered(
        request_id=1,
        received_ns=7,
        usage=NOTHING,
        complete=True,
        records=(
            venue.IncomeReport(
                symbol="ETHUSDC",
                kind="FUNDING_FEE",
                asset="USDC",
                amount=Decimal("-0.01"),
                transaction_id="9",
                trade_id="",
                venue_time_ns=5_000_000,
            ),
        ),
    )


def test_amendments_tell_the_terms_after_each() -> None:
    request = venue.QueryAmendments(
        request_id=1, instrument_id=ETH, client_order_id="c1", venue_time_from_ms=0, venue_time_ns=TIME_NS
    )
    row = {
        "amendmentId": 5363,
        "symbol": "ETHUSDC",
        "pair": "ETHUSDC",
        "orderId": 20072994037,
        "clientOrderId": "c1",
        "time": 1629184560899,
        "amendment": {
            "price": {"before": "30004.00", "after": "3003.20"},
            "origQty": {"before": "1.000", "after": "0.500"},
            "count": 3,
        },
    }
    assert answer(request, [row]) == venue.AmendmentsAnswered(
        request_id=1,
        received_ns=7,
        usage=NOTHING,
        instrument_id=ETH,
        amendments=(
            venue.AmendmentReport(
                instrument_id=ETH,
                client_order_id="c1",
                venue_order_id=20072994037,
                price_ticks=300_320,
                quantity_lots=500,
                venue_time_ns=1_629_184_560_899_000_000,
            ),
        ),
    )


def test_a_full_page_says_that_more_may_follow() -> None:
    row = {"symbol": "ETHUSDC", "incomeType": "COMMISSION", "income": "0", "asset": "USDC", "time": 5, "tranId": 9}
    income = venue.QueryIncome(request_id=1, venue_time_from_ms=0, venue_time_ns=TIME_NS)
    outcome = answer(income, [row] * 1_000)
    assert isinstance(outcome, venue.IncomeAnswered)
    assert not outcome.complete


def position(symbol: str, amount: str, side: str = "BOTH", entry: str = "2600.5") -> dict[str, Any]:
    return {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": amount,
        "entryPrice": entry,
        "markPrice": "2610.66465506",
        "updateTime": 5,
    }


def test_positions_of_our_symbols_and_no_others() -> None:
    assert answer(
        QUERY_POSITIONS, [position("ETHUSDC", "-0.010"), position("DOGEUSDT", "5")]
    ) == venue.PositionsAnswered(
        request_id=1,
        received_ns=7,
        usage=NOTHING,
        positions=(
            venue.PositionReport(
                instrument_id=ETH,
                position_lots=-10,
                entry_price=Decimal("2600.5"),
                mark_price=Decimal("2610.66465506"),
                venue_time_ns=5_000_000,
            ),
        ),
    )


def test_the_two_rows_of_hedge_mode_are_netted() -> None:
    rows = [position("ETHUSDC", "0.030", "LONG", "2500"), position("ETHUSDC", "-0.010", "SHORT", "2700")]
    outcome = answer(QUERY_POSITIONS, rows)
    assert isinstance(outcome, venue.PositionsAnswered)
    assert [(one.position_lots, one.entry_price) for one in outcome.positions] == [(20, 2_500)]


def test_book_time_and_stream_key() -> None:
    depth = {"lastUpdateId": 9, "E": 6, "T": 5, "bids": [["2610.58", "1"]], "asks": [["2610.59", "2"]]}
    assert answer(QUERY_BOOK, depth) == venue.BookSnapshot(
        request_id=1,
        received_ns=7,
        usage=NOTHING,
        instrument_id=ETH,
        last_update_id=9,
        venue_time_ns=5_000_000,
        bids=((261_058, 1_000),),
        asks=((261_059, 2_000),),
    )
    assert answer(venue.QueryTime(request_id=1), {"serverTime": 3}) == venue.TimeAnswered(
        request_id=1, received_ns=7, usage=NOTHING, venue_time_ns=3_000_000, sent_ns=5
    )
    opened = answer(venue.OpenUserStream(request_id=1), {"listenKey": "KEY"})
    assert opened == venue.UserStreamOpened(request_id=1, received_ns=7, usage=NOTHING, listen_key="KEY")
    assert "KEY" not in repr(opened)


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (venue.KeepUserStream(request_id=1), {}),
        (venue.KeepUserStream(request_id=1), {"listenKey": "KEY"}),
        (
            venue.CancelAll(request_id=1, instrument_id=ETH, venue_time_ns=TIME_NS, window_ms=1),
            {"code": 200, "msg": "The operation of cancel all open order is done."},
        ),
        (
            venue.CancelAll(request_id=1, instrument_id=ETH, venue_time_ns=TIME_NS, window_ms=1),
            {"code": "200", "msg": "success"},
        ),
        (
            venue.SetCountdown(request_id=1, instrument_id=ETH, countdown_ms=1, venue_time_ns=TIME_NS, window_ms=1),
            {"symbol": "ETHUSDC", "countdownTime": "120000"},
        ),
    ],
)
def test_answers_without_content(request_: venue.VenueRequest, body: Any) -> None:
    assert answer(request_, body) == venue.Done(request_id=1, received_ns=7, usage=NOTHING)


def test_a_refusal_carries_code_text_and_meaning() -> None:
    assert answer(place(), {"code": -5022, "msg": "Post Only"}, 400) == venue.Refused(
        request_id=1, received_ns=7, usage=NOTHING, kind=RefusalKind.POST_ONLY, venue_code=-5022, text="Post Only"
    )


def test_an_error_in_a_body_of_success_is_an_error() -> None:
    for request in (place(), QUERY_OPEN, venue.KeepUserStream(request_id=1)):
        outcome = answer(request, {"code": -1121, "msg": "Invalid symbol."})
        assert isinstance(outcome, venue.Refused)
        assert outcome.kind is RefusalKind.STOP_SYMBOL


@pytest.mark.parametrize(
    ("request_", "body", "field"),
    [
        (place(), {key: value for key, value in ORDER.items() if key != "orderId"}, "orderId"),
        (place(), {**ORDER, "price": "x"}, "price"),
        (place(), {**ORDER, "origQty": "0.0105"}, "origQty"),
        (place(), {**ORDER, "executedQty": "-1"}, "executedQty"),
        (place(), {**ORDER, "symbol": "DOGEUSDT"}, "symbol"),
        (place(), {**ORDER, "status": "DREAMING"}, "status"),
        (place(), {**ORDER, "side": "UP"}, "side"),
        (place(), b"<html>", "byte 0"),
        (place(), b"", "frame"),
        (QUERY_OPEN, [ORDER, {**ORDER, "price": "x"}], "[1].price"),
        (QUERY_POSITIONS, [position("ETHUSDC", "0.0101")], "[0].positionAmt"),
        (QUERY_POSITIONS, [position("ETHUSDC", "0.01", entry="NaN")], "[0].entryPrice"),
        (QUERY_BOOK, {"lastUpdateId": 9, "bids": [["2610.585", "1"]], "asks": []}, "bids[0][0]"),
        (QUERY_BOOK, {"lastUpdateId": 9, "bids": [], "asks": [["1", "1"], ["2", "-1"]]}, "asks[1][1]"),
    ],
)
def test_a_success_that_cannot_be_read_is_unknown_and_names_the_field(
    request_: venue.VenueRequest, body: Any, field: str
) -> None:
    outcome = answer(request_, body)
    assert isinstance(outcome, venue.OutcomeUnknown)
    assert outcome.reason.startswith(f"the answer cannot be read: {field}: ")


def test_a_level_older_than_the_tick_behind_the_best_is_left_out() -> None:
    depth = {"lastUpdateId": 9, "bids": [["2610.58", "1"], ["2000.005", "3"]], "asks": []}
    outcome = answer(QUERY_BOOK, depth)
    assert isinstance(outcome, venue.BookSnapshot)
    assert outcome.bids == ((261_058, 1_000),)


def test_a_huge_body_is_refused_unread() -> None:
    outcome = answer(QUERY_BOOK, b" " * (BODY_BYTES_MAX + 1))
    assert isinstance(outcome, venue.OutcomeUnknown)
    assert "more than" in outcome.reason


@pytest.mark.parametrize("style", [str.lower, str.upper, str.title])
def test_usage_is_read_from_headers_in_any_case(style: Any) -> None:
    headers = {"x-mbx-used-weight-1m": "17", "x-mbx-order-count-10s": "2", "x-mbx-order-count-1m": "3", "date": "x"}
    assert usage_of_headers({style(name): value for name, value in headers.items()}) == Usage(
        weight_1m=17, orders_10s=2, orders_1m=3
    )


def test_a_weight_of_minus_one_or_nonsense_is_unknown() -> None:
    headers = {"x-mbx-used-weight-1m": "-1", "x-mbx-order-count-10s": "many", "x-mbx-used-weight-1d": "5"}
    assert usage_of_headers(headers) == Usage()


UNTIL = TIME_NS // 1_000_000 + 90_000


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait_s", "banned", "orders_only"),
    [
        (429, {"Retry-After": "12"}, {"code": -1003, "msg": "Too many requests"}, 12, False, False),
        (429, {}, {"code": -1003, "msg": "Too many requests"}, 60, False, False),
        (429, {}, {"code": -1015, "msg": "Too many new orders; 300 orders per TEN_SECONDS."}, 10, False, True),
        (429, {}, {"code": -1015, "msg": "Too many new orders; 1200 orders per MINUTE."}, 60, False, True),
        (418, {"retry-after": "300"}, {"code": -1003, "msg": "banned"}, 300, True, False),
        (418, {}, {"code": -1003, "msg": "banned"}, 120, True, False),
        (418, {"retry-after": "5"}, {"code": -1003, "msg": f"IP banned until {UNTIL}."}, 90, True, False),
        (418, {"retry-after": "99999999999999"}, {"code": -1003, "msg": ""}, WAIT_S_MAX, True, False),
        (418, {"retry-after": "-3"}, {"code": -1003, "msg": ""}, 120, True, False),
        (403, {}, b"<html>", 300, True, False),
    ],
)
def test_a_limit_says_how_long_to_wait(
    status: int, headers: dict[str, str], body: Any, wait_s: int, banned: bool, orders_only: bool
) -> None:
    outcome = answer(place(), body, status, headers)
    assert isinstance(outcome, venue.Throttled)
    assert outcome.retry_at_ns - 7 == pytest.approx(wait_s * SECOND, rel=0.001)
    assert (outcome.banned, outcome.orders_only) == (banned, orders_only)


def test_a_ban_told_to_a_request_without_a_timestamp_takes_the_default() -> None:
    outcome = answer(QUERY_BOOK, {"code": -1003, "msg": f"banned until {UNTIL}."}, 418)
    assert isinstance(outcome, venue.Throttled)
    assert outcome.retry_at_ns == 7 + 120 * SECOND


def test_each_item_of_a_batch_is_judged_alone() -> None:
    items = [ORDER, {"code": -2022, "msg": "ReduceOnly Order is rejected."}, {"code": -1007, "msg": "Timeout"}, {}]
    outcomes = decode_rest_batch([place()] * 4, 200, {}, json.dumps(items).encode(), 7, WIRES)
    assert [type(one) for one in outcomes] == [
        venue.OrderAnswered,
        venue.Refused,
        venue.OutcomeUnknown,
        venue.OutcomeUnknown,
    ]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"<html>", b"[{}]"])
def test_a_batch_that_cannot_be_matched_is_unknown_as_a_whole(body: bytes) -> None:
    outcomes = decode_rest_batch([place(), place()], 200, {}, body, 7, WIRES)
    assert [type(one) for one in outcomes] == [venue.OutcomeUnknown] * 2


def test_a_batch_refused_as_a_whole_is_refused_for_each() -> None:
    outcomes = decode_rest_batch([cancel()] * 2, 400, {}, b'{"code":-4082,"msg":"Invalid number"}', 7, WIRES)
    assert [one.kind for one in outcomes if isinstance(one, venue.Refused)] == [RefusalKind.OUR_FAULT] * 2


WS_LIMITS = [
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300, "count": 1},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1_200, "count": 2},
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2_400, "count": 7},
    {"rateLimitType": "TOMORROW", "interval": "DAY", "intervalNum": 1, "limit": 1},
]


def test_a_websocket_answer_is_found_by_id_and_carries_usage() -> None:
    frame = json.dumps({"id": 1, "status": 200, "result": ORDER, "rateLimits": WS_LIMITS})
    answered = decode_ws_api(frame)
    assert answered.request_id == 1
    assert ws_outcome(answered, place(), 7, WIRES) == venue.OrderAnswered(
        request_id=1, received_ns=7, usage=Usage(weight_1m=7, orders_10s=1, orders_1m=2), order=REPORT
    )


def test_a_websocket_error_is_classified_as_a_rest_error_is() -> None:
    answered = decode_ws_api('{"id":1,"status":400,"error":{"code":-5022,"msg":"Post Only"}}')
    assert ws_outcome(answered, place(), 7, WIRES) == venue.Refused(
        request_id=1, received_ns=7, usage=NOTHING, kind=RefusalKind.POST_ONLY, venue_code=-5022, text="Post Only"
    )


def test_a_session_refused_names_no_request() -> None:
    answered = decode_ws_api('{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key"}}')
    assert (answered.request_id, answered.status, answered.venue_code) == (None, 401, -2015)


def test_a_websocket_success_without_a_result_is_unknown() -> None:
    outcome = ws_outcome(decode_ws_api('{"id":1,"status":200}'), place(), 7, WIRES)
    assert isinstance(outcome, venue.OutcomeUnknown)


@pytest.mark.parametrize(
    ("frame", "field"),
    [("{", "frame"), ('{"id":1}', "status"), ('{"id":1,"status":"x"}', "status"), ("[]", "frame"), (b"\xff", "byte 0")],
)
def test_a_damaged_websocket_frame_names_the_field(frame: bytes | str, field: str) -> None:
    with pytest.raises(DamagedPayload) as caught:
        decode_ws_api(frame)
    assert caught.value.field == field


def test_a_book_is_read_in_the_units_of_its_own_symbol() -> None:
    outcome = answer(
        venue.QueryBook(request_id=1, instrument_id=BTC), {"lastUpdateId": 1, "bids": [["0.1", "1"]], "asks": []}
    )
    assert isinstance(outcome, venue.BookSnapshot)
    assert outcome.bids == ((1, 1_000),)
