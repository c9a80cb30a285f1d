"""What subscribers of the market streams are sent: chains, our orders in the book, prints, mark price."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from venue_rig import SYMBOL, WireRig, body, limit_order

DEPTH, TOP, TRADE = "btcusdc@depth@0ms", "btcusdc@bookTicker", "btcusdc@trade"


def frames(rig: WireRig, stream: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(frame.payload) for frame in rig.output.stream_frames if frame.stream == stream]


class Book:
    """A client's book, kept by the rules of facts section 5.3."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        self.snapshot_id = snapshot["lastUpdateId"]
        self.last: int | None = None

    def apply(self, event: dict[str, Any]) -> None:
        if self.last is None:
            if event["u"] < self.snapshot_id:
                return
            assert event["U"] <= self.snapshot_id <= event["u"] or event["pu"] == self.snapshot_id
        else:
            assert event["pu"] == self.last
        self.last = event["u"]
        for name, side in self.sides.items():
            for price, quantity in event[name]:
                if Decimal(quantity) == 0:
                    side.pop(price, None)
                else:
                    side[price] = quantity


def snapshot(rig: WireRig) -> dict[str, Any]:
    found: dict[str, Any] = body(rig.public("/fapi/v1/depth", "symbol=BTCUSDC&limit=1000"))
    return found


def test_our_order_stands_in_the_diff_and_in_the_best_prices() -> None:
    rig = WireRig()
    for stream in (DEPTH, TOP):
        rig.exchange.subscribe(stream)
    rig.send("POST", "/fapi/v1/order", limit_order())
    rig.wait(20)
    (top,) = frames(rig, TOP)
    (diff,) = frames(rig, DEPTH)
    assert (top["b"], top["B"], top["a"], top["A"]) == ("64000.0", "0.020", "64000.1", "0.010")
    assert (diff["b"], diff["a"]) == ([["64000.0", "0.020"]], [])
    assert diff["u"] == top["u"]


def test_an_order_that_takes_stands_in_no_diff_of_its_own_side() -> None:
    """A market order has no price: a level at 0 would be refused by every careful client."""
    rig = WireRig()
    rig.exchange.subscribe(DEPTH)
    taken = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.002"}
    assert body(rig.send("POST", "/fapi/v1/order", taken))["status"]
    rig.wait(20)
    assert [diff["b"] for diff in frames(rig, DEPTH)] in ([], [[]])


def test_an_improving_order_becomes_the_best_price_and_leaves_it_again() -> None:
    rig = WireRig()
    rig.apply(rig.market.ticker((640_000, 10), (640_010, 50)))
    rig.exchange.subscribe(TOP)
    placed = body(rig.send("POST", "/fapi/v1/order", limit_order(price="64000.5")))
    rig.send("DELETE", "/fapi/v1/order", {"symbol": SYMBOL, "orderId": placed["orderId"]})
    assert [top["b"] for top in frames(rig, TOP)] == ["64000.5", "64000.0"]


def test_each_diff_stream_has_a_chain_of_its_own() -> None:
    rig = WireRig()
    slow = "btcusdc@depth@100ms"
    rig.exchange.subscribe(DEPTH)
    rig.exchange.subscribe(slow)
    for lots in (11, 12, 13):
        rig.apply(rig.market.depth(bids=[(640_000, lots)]))
        rig.wait(40)
    rig.wait(100)
    fast, slow_frames = frames(rig, DEPTH), frames(rig, slow)
    assert [diff["b"] for diff in fast] == [[["64000.0", f"0.0{lots}"]] for lots in (11, 12, 13)]
    assert all(later["pu"] == earlier["u"] for earlier, later in itertools.pairwise(fast))
    assert len(slow_frames) < len(fast)
    assert all(later["pu"] == earlier["u"] for earlier, later in itertools.pairwise(slow_frames))
    assert slow_frames[-1]["b"] == [["64000.0", "0.013"]]


def test_partial_depth_holds_the_complete_top() -> None:
    rig = WireRig()
    rig.exchange.subscribe("btcusdc@depth5@100ms")
    rig.wait(150)
    assert frames(rig, "btcusdc@depth5@100ms")[-1]["b"] == [
        ["64000.0", "0.010"],
        ["63999.9", "0.020"],
        ["63999.0", "0.050"],
    ]


def test_our_fill_is_a_public_trade_with_the_same_id_and_the_print_is_published_less_it() -> None:
    rig = WireRig()
    rig.exchange.subscribe(TRADE)
    rig.send("POST", "/fapi/v1/order", limit_order())
    rig.apply(rig.market.sold(640_000, 15))
    rig.wait(1)
    trades = frames(rig, TRADE)
    assert [(t["p"], t["q"], t["m"]) for t in trades] == [("64000.0", "0.005", True), ("64000.0", "0.010", True)]
    (fill,) = body(rig.send("GET", "/fapi/v1/userTrades", {"symbol": SYMBOL}))
    assert (fill["id"], fill["qty"]) == (trades[0]["t"], "0.005")


def test_mark_price_is_the_mid_when_the_source_has_none() -> None:
    rig = WireRig()
    rig.exchange.subscribe("btcusdc@markPrice@1s")
    rig.wait(1_000)
    mark = frames(rig, "btcusdc@markPrice@1s")[0]
    assert (mark["p"], mark["r"]) == ("64000.05000000", "0.00010000")
    assert mark["T"] % (8 * 3_600_000) == 0


def test_nothing_is_built_for_streams_that_nobody_wants() -> None:
    rig = WireRig()
    rig.apply(rig.market.ticker((640_000, 7), (640_001, 7)), rig.market.sold(640_000, 1))
    rig.exchange.subscribe(TOP)
    rig.exchange.unsubscribe(TOP)
    rig.apply(rig.market.ticker((640_000, 8), (640_001, 7)))
    assert rig.output.stream_frames == []


def test_the_feed_latency_delays_frames_and_keeps_their_order() -> None:
    rig = WireRig(feed_latency_ms=10, latency_jitter_ms=5)
    rig.exchange.subscribe(TOP)
    for lots in range(1, 20):
        rig.apply(rig.market.ticker((640_000, 10 + lots), (640_001, 7)))
    assert len(frames(rig, TOP)) < 19
    rig.wait(50)
    assert [top["B"] for top in frames(rig, TOP)] == [f"0.0{10 + lots}" for lots in range(1, 20)]


steps = st.lists(
    st.tuples(
        st.sampled_from(["depth", "ticker", "print", "place", "cancel", "take", "wait", "snapshot"]),
        st.integers(-5, 5),
        st.integers(0, 30),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(steps=steps)
def test_a_client_that_follows_the_rules_always_has_the_venues_book(steps: list[tuple[str, int, int]]) -> None:
    rig = WireRig()
    rig.exchange.subscribe(DEPTH)
    book: Book | None = Book(snapshot(rig))
    placed = 0
    for kind, offset, lots in steps:
        price = 640_000 + offset
        match kind:
            case "depth":
                rig.apply(rig.market.depth(bids=[(639_995 + offset, lots)], asks=[(640_006 + offset, lots)]))
            case "ticker":
                rig.apply(rig.market.ticker((price, lots + 1), (price + 1, lots + 1)))
            case "print":
                rig.apply(rig.market.sold(price, lots + 1))
            case "place":
                placed += 1
                order = limit_order(price=f"{price / 10:.1f}", newClientOrderId=f"o{placed}")
                rig.send("POST", "/fapi/v1/order", order)
            case "cancel":
                rig.send("DELETE", "/fapi/v1/allOpenOrders", {"symbol": SYMBOL})
            case "take":
                rig.send("POST", "/fapi/v1/order", limit_order(timeInForce="IOC", price="64001.0"))
            case "wait":
                rig.wait(lots)
            case "snapshot":
                for event in frames(rig, DEPTH):
                    if book is not None:
                        book.apply(event)
                rig.output.stream_frames.clear()
                book = Book(snapshot(rig))
    rig.apply(rig.market.depth(bids=[(600_000, 1 + len(steps))]))
    rig.wait(50)
    assert book is not None
    for event in frames(rig, DEPTH):
        book.apply(event)
    truth = snapshot(rig)
    assert book.sides == {"b": dict(truth["bids"]), "a": dict(truth["asks"])}
