"""While the source does not know the market the venue says and matches nothing; afterwards its streams go on without a break."""

from __future__ import annotations

from typing import Any

import msgspec
from venue_rig import MS, START_NS, SYMBOL, VenueRig, WireRig, body, limit_order

from actors.exchange.frames import StaleFrame

STREAMS = (
    "btcusdc@depth@0ms",
    "btcusdc@depth@100ms",
    "btcusdc@bookTicker",
    "btcusdc@depth5@100ms",
    "btcusdc@markPrice@1s",
)


def stale(rig: WireRig) -> None:
    rig.apply(StaleFrame(SYMBOL, rig.now_ns, disconnected=False))
    rig.output.stream_frames.clear()


def events(rig: WireRig, stream: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(frame.payload) for frame in rig.output.stream_frames if frame.stream == stream]


def test_the_streams_are_silent_until_the_next_book_and_then_lead_from_what_was_known() -> None:
    rig = WireRig()
    for stream in STREAMS:
        rig.exchange.subscribe(stream)
    rig.apply(rig.market.depth(bids=[(640_000, 11)]))
    before = events(rig, "btcusdc@depth@0ms")[-1]
    stale(rig)
    rig.wait(3_000)
    assert rig.output.stream_frames == []
    rig.apply(rig.market.book([(639_000, 5)], [(639_001, 6)]))
    after = events(rig, "btcusdc@depth@0ms")
    assert [event["pu"] for event in after] == [before["u"]]
    assert ["640000", "0"] not in after[0]["b"]
    assert {tuple(level) for level in after[0]["b"]} >= {("64000.0", "0.000"), ("63900.0", "0.005")}
    rig.wait(1_100)
    assert {frame.stream for frame in rig.output.stream_frames} == set(STREAMS)


def test_an_order_canceled_meanwhile_is_gone_from_the_first_diff_after() -> None:
    rig = WireRig()
    assert rig.send("POST", "/fapi/v1/order", limit_order(newClientOrderId="mine")).status == 200
    rig.exchange.subscribe("btcusdc@depth@0ms")
    stale(rig)
    assert rig.send("DELETE", "/fapi/v1/order", {"symbol": SYMBOL, "origClientOrderId": "mine"}).status == 200
    assert rig.output.stream_frames == []
    rig.apply(rig.market.book())
    changed = sorted(events(rig, "btcusdc@depth@0ms")[0]["b"])
    assert changed == [["63999.0", "0.050"], ["63999.9", "0.020"], ["64000.0", "0.010"]]


def test_orders_amends_and_questions_about_the_book_are_refused_and_cancels_go_through() -> None:
    rig = WireRig()
    placed = body(rig.send("POST", "/fapi/v1/order", limit_order()))
    stale(rig)
    refused = rig.send("POST", "/fapi/v1/order", limit_order())
    assert (refused.status, body(refused)["code"]) == (400, -4140)
    moved = {"symbol": SYMBOL, "side": "BUY", "orderId": placed["orderId"], "quantity": "0.010", "price": "63999.0"}
    refused = rig.send("PUT", "/fapi/v1/order", moved)
    assert (refused.status, body(refused)["code"]) == (400, -5024)
    for path in ("/fapi/v1/depth", "/fapi/v1/premiumIndex", "/fapi/v1/ticker/bookTicker"):
        answer = rig.public(path, f"symbol={SYMBOL}")
        assert (path, answer.status, body(answer)["code"]) == (path, 503, -1001)
    assert body(rig.public("/fapi/v1/premiumIndex")) == []
    assert body(rig.public("/fapi/v1/ticker/bookTicker")) == []
    assert rig.send("DELETE", "/fapi/v1/order", {"symbol": SYMBOL, "orderId": placed["orderId"]}).status == 200


def test_an_order_that_the_market_went_through_meanwhile_fills_at_its_own_price() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 639_990, 10)
    rig.apply(StaleFrame(SYMBOL, rig.market.now_ns, disconnected=True))
    rig.apply(rig.market.book([(639_000, 5)], [(639_001, 6)]))
    assert [(fill.order_id, str(fill.price)) for fill in rig.fills()] == [(order.order_id, "63999.0")]


def test_nobody_is_liquidated_on_a_mark_that_may_no_longer_be_true() -> None:
    rig = VenueRig(balances={"USDC": "40"})
    rig.market_order("BUY", 10)
    rig.apply(rig.market.book([(580_000, 50)], [(580_001, 50)]))
    rig.apply(StaleFrame(SYMBOL, rig.market.now_ns, disconnected=False))
    rig.venue.advance(START_NS + 5_000 * MS)
    assert rig.account.position(SYMBOL).amount != 0
    rig.apply(rig.market.book([(580_000, 50)], [(580_001, 50)])._replace(at_ns=START_NS + 5_001 * MS))
    rig.venue.advance(START_NS + 10_000 * MS)
    assert rig.account.position(SYMBOL).amount == 0
