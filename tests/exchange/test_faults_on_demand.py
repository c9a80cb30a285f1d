"""Faults on demand, without sockets: what each does to a request, a user event or a stream, and that the ledger stays honest."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from venue_rig import ACCOUNT, MS, SYMBOL, WireRig, body, limit_order

from actors.exchange import admin
from actors.exchange.api import Answer, WsSession
from actors.exchange.fault_script import LEFT_OUT, FaultScript
from actors.exchange.faults import Fault, FaultError, FaultKind, decode_fault
from actors.exchange.ledger import FaultInjected, OrderAccepted, OrderExpired, OrderFilled, RequestThrottled

ORDER = "/fapi/v1/order"


def injected(kind: str, **fields: Any) -> WireRig:
    rig = WireRig()
    rig.exchange.inject(decode_fault(msgspec.json.encode({"kind": kind} | fields)))
    return rig


def place(rig: WireRig, name: str = "a", **changes: Any) -> Answer:
    return rig.send("POST", ORDER, limit_order(newClientOrderId=name, timeInForce="GTC") | changes)


def accepted(rig: WireRig) -> list[str]:
    return [record.client_order_id for record in rig.output.records if isinstance(record, OrderAccepted)]


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("unknown_outcome", 503, -1000), ("unexpected_response", 400, -1006), ("backend_timeout", 408, -1007)],
)
def test_an_unclear_answer_hides_an_order_that_was_accepted_or_not(
    kind: str, status: int, code: int, executed: bool
) -> None:
    rig = injected(kind, executed=executed)
    answer = place(rig)
    assert (answer.status, body(answer)["code"]) == (status, code)
    assert accepted(rig) == (["a"] if executed else [])
    assert place(rig, "b").status == 200


@pytest.mark.parametrize("kind", ["no_answer", "connection_cut"])
def test_a_connection_ends_in_place_of_an_answer(kind: str) -> None:
    rig = injected(kind, delay_ms=3_000)
    sent_ns = rig.now_ns
    answer = place(rig)
    assert (answer.cut, accepted(rig)) == (True, ["a"])
    assert (rig.now_ns - sent_ns >= 3_000 * MS) == (kind == "no_answer")


@pytest.mark.parametrize(
    ("kind", "status", "code", "retry_after"),
    [
        ("service_unavailable", 503, None, None),
        ("internal_error", 503, -1001, None),
        ("overloaded", 503, -1008, None),
        ("window_refused", 400, -1021, None),
        ("throttled", 429, -1003, "5"),
        ("throttled_bare", 429, -1003, None),
        ("orders_throttled", 429, -1015, None),
        ("banned", 418, -1003, "5"),
        ("key_rejected", 401, -2015, None),
    ],
)
def test_a_refusal_that_was_asked_for_changes_nothing(
    kind: str, status: int, code: int | None, retry_after: str | None
) -> None:
    rig = injected(kind)
    answer = place(rig)
    assert (answer.status, body(answer).get("code"), answer.headers.get("Retry-After")) == (status, code, retry_after)
    assert accepted(rig) == []


def test_a_firewall_answers_with_a_page() -> None:
    rig = injected("forbidden")
    answer = place(rig)
    assert (answer.status, answer.content_type, answer.body[:6]) == (403, "text/html", b"<HTML>")


def test_a_throttle_holds_for_every_call_until_it_is_over_and_is_in_the_ledger() -> None:
    rig = injected("throttled", retry_after_s=2)
    assert place(rig).status == 429
    assert rig.send("GET", "/fapi/v1/openOrders", {"symbol": SYMBOL}).status == 429
    rig.wait(2_001)
    assert place(rig).status == 200
    rig.wait(2_000)
    (throttled,) = [record for record in rig.output.records if isinstance(record, RequestThrottled)]
    assert (throttled.status, throttled.count) == (429, 2)


def test_overload_spares_reduce_only_orders_and_cancels() -> None:
    rig = WireRig()
    place(rig, "first")
    rig.send("POST", ORDER, {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.010"})
    rig.exchange.inject(Fault(kind=FaultKind.OVERLOADED, duration_ms=10_000))
    assert place(rig, "b").status == 503
    assert place(rig, "c", side="SELL", price="64100.0", reduceOnly="true").status == 200
    assert rig.send("DELETE", ORDER, {"symbol": SYMBOL, "origClientOrderId": "first"}).status == 200


def test_a_clock_that_is_off_refuses_what_is_signed_by_the_true_time_and_says_so_in_time() -> None:
    rig = injected("clock_skew", skew_ms=8_000, duration_ms=60_000)
    rig.wait(1)
    assert body(place(rig))["code"] == -1021
    shown_ms = body(rig.public("/fapi/v1/time"))["serverTime"]
    assert shown_ms - rig.now_ns // MS == 8_000
    assert place(rig, "b", timestamp=shown_ms).status == 200
    rig.wait(60_000)
    assert place(rig, "c").status == 200


@pytest.mark.parametrize(("beyond", "names"), [(False, []), (True, ["a"])])
def test_an_order_without_an_answer_is_accepted_late_even_beyond_its_window(beyond: bool, names: list[str]) -> None:
    rig = injected("late_accept", delay_ms=3_000, beyond_window=beyond)
    answer = place(rig, recvWindow="1000")
    assert (answer.status, accepted(rig)) == (503, [])
    query = rig.send("GET", ORDER, {"symbol": SYMBOL, "origClientOrderId": "a"})
    assert body(query)["code"] == -2013
    rig.wait(3_001)
    assert accepted(rig) == names


def test_an_order_accepted_late_within_its_window_is_found() -> None:
    rig = injected("late_accept", delay_ms=800)
    place(rig, recvWindow="1000")
    rig.wait(801)
    assert body(rig.send("GET", ORDER, {"symbol": SYMBOL, "origClientOrderId": "a"}))["status"] == "NEW"


def test_a_cancel_meets_an_order_that_has_just_been_filled() -> None:
    rig = WireRig()
    place(rig)
    rig.exchange.inject(Fault(kind=FaultKind.CANCEL_FILL_RACE))
    answer = rig.send("DELETE", ORDER, {"symbol": SYMBOL, "origClientOrderId": "a"})
    assert body(answer)["code"] == -2011
    (fill,) = [record for record in rig.output.records if isinstance(record, OrderFilled)]
    assert (fill.client_order_id, str(fill.quantity), fill.maker) == ("a", "0.010", True)


def test_a_cancel_meets_an_order_that_has_been_filled_in_part() -> None:
    rig = WireRig()
    place(rig)
    rig.exchange.inject(Fault(kind=FaultKind.CANCEL_FILL_RACE, part=0.4))
    answer = body(rig.send("DELETE", ORDER, {"symbol": SYMBOL, "origClientOrderId": "a"}))
    assert (answer["status"], answer["executedQty"]) == ("CANCELED", "0.004")


def session(rig: WireRig) -> int:
    key = body(rig.send("POST", "/fapi/v1/listenKey"))["listenKey"]
    found = rig.exchange.open_user_session(key, None)
    assert found is not None
    return found


def events(rig: WireRig) -> list[str]:
    seen = []
    for frame in rig.output.user_frames:
        event = msgspec.json.decode(frame.payload)
        seen.append(event["o"]["x"] if event["e"] == "ORDER_TRADE_UPDATE" else event["e"])
    rig.output.user_frames.clear()
    return seen


def test_the_acknowledgement_comes_after_the_fill() -> None:
    rig = WireRig()
    session(rig)
    rig.exchange.inject(Fault(kind=FaultKind.ACK_AFTER_FILL, delay_ms=300))
    sent_ns = rig.now_ns
    answer = place(rig)
    assert rig.now_ns - sent_ns >= 300 * MS
    assert body(answer)["status"] == "NEW"
    assert events(rig) == ["NEW", "TRADE_LITE", "ACCOUNT_UPDATE", "TRADE"]


def test_events_come_late_twice_or_never() -> None:
    rig = WireRig()
    session(rig)
    rig.exchange.inject(Fault(kind=FaultKind.EVENTS_DELAYED, delay_ms=500))
    place(rig, "a")
    assert events(rig) == []
    rig.wait(500)
    assert events(rig) == ["NEW"]
    rig.exchange.inject(Fault(kind=FaultKind.EVENTS_REPEATED, delay_ms=100))
    place(rig, "b")
    rig.wait(100)
    assert events(rig) == ["NEW", "NEW"]
    rig.exchange.inject(Fault(kind=FaultKind.EVENTS_DROPPED))
    place(rig, "c")
    rig.wait(1_000)
    assert events(rig) == []
    place(rig, "d")
    assert events(rig) == ["NEW"]


def test_events_overtake_each_other() -> None:
    rig = WireRig()
    session(rig)
    rig.exchange.inject(Fault(kind=FaultKind.EVENTS_REORDERED, duration_ms=5_000, delay_ms=1_000))
    for name in "abcdefgh":
        place(rig, name)
    rig.wait(1_001)
    order = [msgspec.json.decode(frame.payload)["o"]["c"] for frame in rig.output.user_frames]
    assert sorted(order) == list("abcdefgh")
    assert order != list("abcdefgh")


def test_a_mute_user_stream_is_cured_by_opening_another() -> None:
    rig = WireRig()
    session(rig)
    rig.exchange.inject(Fault(kind=FaultKind.EVENTS_SILENT))
    place(rig, "a")
    assert events(rig) == []
    rig.wait(1)
    second = session(rig)
    place(rig, "b")
    assert [frame.session for frame in rig.output.user_frames] == [second]


def test_listen_keys_die_and_the_stream_says_so() -> None:
    rig = WireRig()
    session(rig)
    place(rig, "a")
    events(rig)
    rig.exchange.inject(Fault(kind=FaultKind.LISTEN_KEY_EXPIRED))
    rig.wait(1)
    assert events(rig) == ["listenKeyExpired"]
    place(rig, "b")
    assert events(rig) == []
    assert body(rig.send("PUT", "/fapi/v1/listenKey"))["code"] == -1125


def test_queries_lag_behind_the_engine_and_catch_up() -> None:
    rig = WireRig()
    place(rig, "old")
    rig.exchange.inject(Fault(kind=FaultKind.READ_LAG, lag_ms=2_000, duration_ms=60_000))
    place(rig, "young")
    open_orders = "/fapi/v1/openOrders"
    assert [row["clientOrderId"] for row in body(rig.send("GET", open_orders, {"symbol": SYMBOL}))] == ["old"]
    young = {"symbol": SYMBOL, "origClientOrderId": "young"}
    assert body(rig.send("GET", ORDER, young))["code"] == -2013
    rig.send("DELETE", ORDER, young)
    rig.wait(1_990)
    assert body(rig.send("GET", ORDER, young))["code"] == -2013
    rig.wait(20)
    assert body(rig.send("GET", ORDER, young))["status"] == "CANCELED"
    rig.exchange.faults.clear()
    assert [row["clientOrderId"] for row in body(rig.send("GET", open_orders, {"symbol": SYMBOL}))] == ["old"]


def test_positions_balances_and_trades_lag_too() -> None:
    rig = WireRig()
    place(rig, "first", side="SELL", price="63999.0")
    rig.exchange.inject(Fault(kind=FaultKind.READ_LAG, lag_ms=1_000))
    place(rig, "second", side="SELL", price="63999.0")
    position, trades = "/fapi/v3/positionRisk", "/fapi/v1/userTrades"
    named = {"symbol": SYMBOL}
    assert body(rig.send("GET", position, named))[0]["positionAmt"] == "-0.010"
    assert len(body(rig.send("GET", trades, named))) == 1
    balance_before = body(rig.send("GET", "/fapi/v3/balance"))[0]["balance"]
    rig.wait(1_001)
    assert body(rig.send("GET", position, named))[0]["positionAmt"] == "-0.020"
    assert len(body(rig.send("GET", trades, named))) == 2
    assert body(rig.send("GET", "/fapi/v3/balance"))[0]["balance"] != balance_before


def test_a_diff_stream_has_a_gap_and_the_snapshot_is_older_than_it() -> None:
    rig = WireRig()
    rig.exchange.subscribe("btcusdc@depth@0ms")
    rig.apply(rig.market.depth(bids=[(639_999, 21)]))
    rig.exchange.inject(Fault(kind=FaultKind.DEPTH_GAP))
    rig.exchange.inject(Fault(kind=FaultKind.OLD_SNAPSHOT))
    for lots in (22, 23, 24):
        rig.apply(rig.market.depth(bids=[(639_999, lots)]))
    first, second, third = (msgspec.json.decode(frame.payload) for frame in rig.output.stream_frames)
    assert second["pu"] != first["u"]
    assert third["pu"] == second["u"]
    old = body(rig.public("/fapi/v1/depth", f"symbol={SYMBOL}&limit=5"))
    assert old["lastUpdateId"] < second["U"]
    rig.exchange.faults.clear()
    fresh = body(rig.public("/fapi/v1/depth", f"symbol={SYMBOL}&limit=5"))
    assert fresh["lastUpdateId"] == third["u"]


def test_streams_fall_silent_or_are_cut_in_half() -> None:
    rig = WireRig()
    rig.exchange.subscribe("btcusdc@bookTicker")
    rig.exchange.inject(Fault(kind=FaultKind.MARKET_SILENT, duration_ms=50))
    rig.apply(rig.market.ticker((640_000, 11), (640_001, 10)))
    assert rig.output.stream_frames == []
    rig.wait(60)
    rig.exchange.inject(Fault(kind=FaultKind.MALFORMED_FRAME))
    rig.apply(rig.market.ticker((640_000, 12), (640_001, 10)))
    rig.apply(rig.market.ticker((640_000, 13), (640_001, 10)))
    broken, whole = rig.output.stream_frames
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(broken.payload)
    assert msgspec.json.decode(whole.payload)["B"] == "0.013"


def test_the_websocket_api_is_struck_in_its_own_words() -> None:
    rig = WireRig()
    rig.exchange.inject(Fault(kind=FaultKind.UNKNOWN_OUTCOME, calls=(), executed=True))
    assert place(rig).status == 503
    rig.exchange.inject(decode_fault(b'{"kind":"throttled","transport":"ws"}'))
    frame = msgspec.json.encode({"id": 1, "method": "depth", "params": {"symbol": SYMBOL}})
    rig.exchange.receive_ws(1, WsSession(address="127.0.0.1", connected_ms=0), frame, rig.now_ns)
    rig.wait(0)
    answer = msgspec.json.decode(rig.output.ws_answers.pop()[1])
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (1, 429, -1003)
    assert answer["error"]["data"]["retryAfter"] > rig.now_ns // MS
    assert rig.public("/fapi/v1/ping").status == 200


def test_an_unknown_kind_and_a_value_out_of_bounds_are_told_where_and_why() -> None:
    for text, reason in (
        (b'{"kind":"gremlins"}', "Invalid enum value 'gremlins' - at `$.kind`"),
        (b'{"kind":"read_lag","lag_ms":60001}', "at `$.lag_ms`"),
        (b'{"kind":"read_lag","lagms":1}', "unknown field `lagms`"),
        (b"{", "Input data was truncated"),
    ):
        with pytest.raises(FaultError, match=re.escape(reason)):
            decode_fault(text)


def call(rig: WireRig, method: str, path: str, text: bytes = b"", *, allowed: bool = True) -> tuple[int, Any]:
    answer = admin.answer(rig.exchange, method, path, text, faults_allowed=allowed)
    return answer.status, body(answer)


def test_faults_are_begun_listed_and_ended_by_the_admin_call() -> None:
    rig = WireRig()
    status, begun = call(rig, "POST", "/raymaker/faults", b'{"kind":"backend_timeout","duration_ms":9000}')
    assert (status, begun["number"], begun["struck"], begun["left_ms"]) == (200, 1, 0, 9_000)
    place(rig)
    _, listed = call(rig, "GET", "/raymaker/faults")
    assert [(row["number"], row["fault"]["kind"], row["struck"]) for row in listed["faults"]] == [
        (1, "backend_timeout", 1)
    ]
    assert call(rig, "DELETE", "/raymaker/faults/1") == (200, {"ended": 1})
    assert call(rig, "GET", "/raymaker/faults") == (200, {"faults": []})
    rig.wait(0)
    assert [(r.number, r.fault) for r in rig.output.records if isinstance(r, FaultInjected)] == [(1, "backend_timeout")]


def test_the_admin_call_refuses_what_it_cannot_do() -> None:
    rig = WireRig()
    assert call(rig, "POST", "/raymaker/faults", b'{"kind":"throttled"}', allowed=False)[0] == 404
    assert call(rig, "POST", "/raymaker/faults", b'{"kind":"nothing"}')[0] == 400
    assert call(rig, "PATCH", "/raymaker/faults")[0] == 405
    assert call(rig, "GET", "/raymaker/secrets")[0] == 404
    for _ in range(64):
        assert call(rig, "POST", "/raymaker/faults", b'{"kind":"clock_skew"}')[0] == 200
    assert call(rig, "POST", "/raymaker/faults", b'{"kind":"clock_skew"}')[0] == 400


def test_a_seed_draws_the_same_schedule_again_and_shuts_nobody_out() -> None:
    first, second, other = (list(drawn(seed)) for seed in (7, 7, 8))
    assert first == second != other
    assert {fault.kind for _, fault in first} == set(FaultKind) - LEFT_OUT


def drawn(seed: int) -> list[tuple[int, Fault]]:
    script = FaultScript(seed)
    return [script.next() for _ in range(400)]


def test_a_venue_with_a_fault_seed_carries_its_schedule_out() -> None:
    rig = WireRig(faults=True, fault_seed=3)
    for _ in range(120):
        rig.wait(1_000)
    begun = [record for record in rig.output.records if isinstance(record, FaultInjected)]
    assert len(begun) > 5
    assert ACCOUNT not in rig.exchange.venue.accounts


def least_notional(rig: WireRig) -> str:
    listed = body(rig.send("GET", "/fapi/v1/exchangeInfo"))["symbols"][0]["filters"]
    return next(one["notional"] for one in listed if one["filterType"] == "MIN_NOTIONAL")


def test_a_filter_changes_while_running_is_listed_and_held_and_changes_back() -> None:
    rig = WireRig()
    before = least_notional(rig)
    rig.exchange.inject(Fault(kind=FaultKind.FILTERS_CHANGED))
    assert Decimal(least_notional(rig)) == 2 * Decimal(before)
    rig.exchange.inject(Fault(kind=FaultKind.FILTERS_CHANGED, symbol="NONE"))
    assert Decimal(least_notional(rig)) == 2 * Decimal(before)
    rig.exchange.inject(Fault(kind=FaultKind.FILTERS_CHANGED))
    assert least_notional(rig) == before


def test_a_halt_refuses_orders_until_it_is_over_and_lets_cancels_through() -> None:
    rig = WireRig()
    place(rig, "before")
    rig.exchange.inject(Fault(kind=FaultKind.HALTED, duration_ms=2_000))
    assert body(place(rig))["code"] == -4140
    assert rig.send("DELETE", ORDER, {"symbol": SYMBOL, "origClientOrderId": "before"}).status == 200
    assert body(rig.public("/fapi/v1/exchangeInfo"))["symbols"][0]["status"] == "PENDING_TRADING"
    rig.wait(2_000)
    assert place(rig).status == 200


def test_orders_are_gone_as_after_a_restart_that_lost_them_and_only_the_ledger_says_so() -> None:
    rig = WireRig()
    key = body(rig.send("POST", "/fapi/v1/listenKey"))["listenKey"]
    rig.exchange.open_user_session(key, None)
    place(rig)
    told = len(rig.output.user_frames)
    rig.exchange.inject(Fault(kind=FaultKind.ORDERS_WIPED))
    rig.wait(1_000)
    assert len(rig.output.user_frames) == told
    assert body(rig.send("GET", "/fapi/v1/openOrders", {"symbol": SYMBOL})) == []
    (expired,) = [record for record in rig.output.records if isinstance(record, OrderExpired)]
    assert (expired.client_order_id, expired.reason) == ("a", "wiped")


def test_absurd_prices_cross_the_book_and_are_half_as_high_again() -> None:
    rig = WireRig()
    for stream in ("bookTicker", "depth@100ms", "aggTrade", "markPrice@1s"):
        rig.exchange.subscribe(f"btcusdc@{stream}")
    rig.exchange.inject(Fault(kind=FaultKind.ABSURD_PRICES, duration_ms=5_000))
    rig.apply(rig.market.depth(bids=[(640_000, 7)]), rig.market.bought(640_001, 1))
    rig.wait(1_100)
    events = {event["e"]: event for event in (msgspec.json.decode(f.payload) for f in rig.output.stream_frames)}
    assert (events["bookTicker"]["b"], events["bookTicker"]["a"]) == ("64000.1", "64000.0")
    assert events["depthUpdate"]["b"] == [["64000.0", "0.007"], ["96000.0", "1"]]
    assert Decimal(events["aggTrade"]["p"]) == Decimal("96000.2")
    assert Decimal(events["markPriceUpdate"]["p"]) == Decimal("64000.05") * 3 / 2
