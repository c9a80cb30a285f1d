"""Closing positions at the simulated venue's own core: CLEAR, slices, CLEAR again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from venue_by_http import VenueByHttp
from venue_rig import SYMBOL, WireRig, body, limit_order

from actors.exchange.ledger import OrderAccepted, OrderFilled
from configs.loading import load_settings, with_changes
from configs.schema import Settings
from ops.flatten import Flattened, flatten

ROOT = Path(__file__).resolve().parents[2]


def settings(**changes: Any) -> Settings:
    own = {"urgency": "crossing", "slice_notional_max": 1_000, "passive_ms": 3_000}
    loaded = load_settings(ROOT / "configs" / "demo.yaml", {})
    return with_changes(loaded, {"symbols": [SYMBOL], "flatten": own | changes}, source="test")


@pytest.fixture
def venue() -> VenueByHttp:
    return VenueByHttp(WireRig())


def hold(venue: VenueByHttp, side: str, quantity: str) -> None:
    order = {"symbol": SYMBOL, "side": side, "type": "MARKET", "quantity": quantity}
    assert venue.rig.send("POST", "/fapi/v1/order", order).status == 200
    venue.rig.apply(venue.rig.market.book())


def position(venue: VenueByHttp) -> Decimal:
    rows = body(venue.rig.send("GET", "/fapi/v3/positionRisk"))
    return next((Decimal(row["positionAmt"]) for row in rows if row["symbol"] == SYMBOL), Decimal(0))


def run(venue: VenueByHttp, said: list[str] | None = None, **changes: Any) -> Flattened:
    say = (said if said is not None else []).append
    with venue.client() as client:
        return flatten(client, (SYMBOL,), settings(**changes), say, venue.sleep, venue.clock_ns)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_position_is_closed_by_reduce_only_slices(venue: VenueByHttp, side: str) -> None:
    hold(venue, side, "0.040")
    done = run(venue)
    assert (done.flat, position(venue)) == (True, 0)
    assert done.symbols == {SYMBOL: "BTCUSDC: flat"}
    assert [order["quantity"] for order in venue.orders()] == ["0.015", "0.015", "0.010"]
    assert len(venue.orders(reduceOnly="true", timeInForce="IOC")) == 3


def test_a_rest_below_the_least_notional_is_closed(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.016")
    assert run(venue).flat
    assert [order["quantity"] for order in venue.orders()] == ["0.015", "0.001"]


def test_nothing_is_sent_where_nothing_is_held(venue: VenueByHttp) -> None:
    assert run(venue).flat
    assert venue.orders() == []


def test_passive_rests_under_a_renewed_countdown_then_crosses(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.010")
    assert run(venue, urgency="passive", passive_ms=12_000).flat
    first, *others = venue.orders()
    assert (first["timeInForce"], first["price"], first["reduceOnly"]) == ("GTX", "64000.1", "true")
    assert [order["timeInForce"] for order in others] == ["IOC"]
    asked = [what for what, _ in venue.asked]
    assert asked.count("POST /fapi/v1/countdownCancelAll") >= 3
    assert asked.index("POST /fapi/v1/countdownCancelAll") < asked.index("POST /fapi/v1/order")


def test_a_passive_order_that_fills_needs_no_crossing(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.010")

    def buyers_come(request: httpx.Request) -> None:
        if request.url.path == "/fapi/v1/openOrders":
            venue.rig.apply(venue.rig.market.bought(640_001, 1_000), venue.rig.market.bought(640_001, 1_000))

    venue.after = buyers_come
    assert run(venue, urgency="passive").flat
    assert [order["timeInForce"] for order in venue.orders()] == ["GTX"]
    fills = [record for record in venue.rig.output.records if isinstance(record, OrderFilled)]
    assert fills[-1].maker


def test_a_foreign_trade_in_between_changes_the_size_of_the_next_slice(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.040")
    somebody = [0]

    def somebody_sells(request: httpx.Request) -> None:
        if request.method == "POST" and not somebody[0]:
            somebody[0] = 1
            hold(venue, "SELL", "0.030")

    venue.after = somebody_sells
    assert run(venue).flat
    assert [(order["side"], order["quantity"]) for order in venue.orders()] == [("SELL", "0.015"), ("BUY", "0.005")]


def test_an_answer_that_never_came_is_not_sent_again_and_the_position_tells(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.010")
    lost = [0]

    def loses_the_first_answer(request: httpx.Request) -> None:
        if request.method == "POST" and not lost[0]:
            lost[0] = 1
            raise httpx.ReadTimeout("lost")

    venue.after = loses_the_first_answer
    said: list[str] = []
    assert run(venue, said).flat
    assert len(venue.orders()) == 1
    assert any("no certain answer" in text for text in said)


def test_reduce_only_orders_that_cover_the_position_are_cleared_and_it_goes_on(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.010")
    covering = limit_order(side="SELL", price="64100.0", quantity="0.010", reduceOnly="true", timeInForce="GTC")
    assert venue.rig.send("POST", "/fapi/v1/order", covering).status == 200
    assert run(venue).flat
    assert ("DELETE /fapi/v1/allOpenOrders") in [what for what, _ in venue.asked]


def test_refusals_are_told_as_alerts_and_tried_again(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.010")
    refusals = [2]

    def refuses(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and request.url.path == "/fapi/v1/order" and refusals[0]:
            refusals[0] -= 1
            return httpx.Response(400, json={"code": -4131, "msg": "PERCENT_PRICE"})
        return None

    venue.before = refuses
    said: list[str] = []
    assert run(venue, said).flat
    assert len([text for text in said if text.startswith("ALERT BTCUSDC: a slice was refused (-4131)")]) == 2


def test_nothing_is_sent_inside_the_time_that_the_venue_asked_for(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.010")
    throttled_ns: list[int] = []

    def throttles_once(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and not throttled_ns:
            throttled_ns.append(venue.rig.now_ns)
            body = {"code": -1003, "msg": "Too many requests"}
            return httpx.Response(429, json=body, headers={"Retry-After": "7"})
        assert not throttled_ns or venue.rig.now_ns >= throttled_ns[0] + 7_000_000_000
        return None

    venue.before = throttles_once
    assert run(venue).flat


def test_a_venue_that_liquidates_is_left_alone(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.040")

    def liquidates(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            return httpx.Response(400, json={"code": -2023, "msg": "User in liquidation mode now."})
        return None

    venue.before = liquidates
    done = run(venue)
    assert done.flat is False
    assert done.symbols == {SYMBOL: "BTCUSDC: the venue is liquidating the account: left to it"}
    assert len(venue.orders()) == 1


def test_a_venue_that_is_away_is_reported_after_a_bounded_number_of_looks(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.010")
    venue.before = lambda request: (
        httpx.Response(503, json={"code": -1008, "msg": "overloaded"}) if "positionRisk" in request.url.path else None
    )
    done = run(venue)
    assert (done.flat, position(venue)) == (False, Decimal("0.010"))
    assert "its position is not known" in done.text
    assert venue.orders() == []


def test_hedge_mode_is_refused_with_what_to_do(venue: VenueByHttp) -> None:
    venue.before = lambda request: (
        httpx.Response(200, json=[{"symbol": SYMBOL, "positionSide": "LONG", "positionAmt": "1"}])
        if "positionRisk" in request.url.path
        else None
    )
    said: list[str] = []
    assert run(venue, said).flat is False
    assert any("hedge mode: close its positions at the venue's own page" in text for text in said)


def test_the_ids_of_the_slices_are_nobody_elses(venue: VenueByHttp) -> None:
    hold(venue, "BUY", "0.040")
    run(venue)
    accepted = [r.client_order_id for r in venue.rig.output.records if isinstance(r, OrderAccepted)]
    ids = accepted[1:]
    assert len(set(ids)) == 3
    assert all(order_id.startswith("flatten-") for order_id in ids)
