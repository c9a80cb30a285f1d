"""Sockets of the order manager on loopback: written once, checked last, every request answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from eventually import until
from order_manager_rig import BTC, spec

from actors.order_manager.gateway import BAD_FRAMES_MAX, DECISION_AGE_NS_MAX, SILENCE, Gateway
from actors.order_manager.latency import Histogram
from actors.runtime.clock import BootClock
from actors.runtime.stop_file import StopFile
from configs.keys import ApiKeys
from configs.schema import MarketDataSettings, OrderManagerSettings, Settings, VenueSettings
from protocols.binance_usdm.signing import HmacSigner
from protocols.envelope import Message
from protocols.messages.journal import OrderWritten
from protocols.values import Side, TimeInForce
from protocols.venue import (
    BadFrame,
    CancelOrder,
    Done,
    EventMissing,
    NotSent,
    OpenOrdersAnswered,
    OrderAnswered,
    OrderUpdate,
    Outcome,
    OutcomeUnknown,
    PlaceOrder,
    QueryOpenOrders,
    RefusalKind,
    Refused,
    SetCountdown,
    StreamChanged,
    StreamHeard,
    Throttled,
    UserStreamExpired,
    VenueRequest,
)


class FakeVenue:
    """A venue on loopback that answers with what the test says."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.order_sockets: list[web.WebSocketResponse] = []
        self.private_sockets: list[web.WebSocketResponse] = []
        self.private_queries: list[str] = []
        self.mute = False
        self.refuse_orders = False
        self.error: dict[str, Any] | None = None

    async def orders(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_orders:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.order_sockets.append(socket)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            frame = json.loads(message.data)
            self.frames.append(frame)
            if not self.mute:
                await socket.send_str(json.dumps(self.answer(frame)))
        return socket

    def answer(self, frame: dict[str, Any]) -> dict[str, Any]:
        limits = [{"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300, "count": 4}]
        if self.error is not None:
            return {"id": frame["id"], "status": 400, "error": self.error, "rateLimits": limits}
        params = frame["params"]
        client_order_id = params.get("newClientOrderId") or params.get("origClientOrderId")
        status = "NEW" if frame["method"] == "order.place" else "CANCELED"
        return {"id": frame["id"], "status": 200, "result": order_row(client_order_id, status), "rateLimits": limits}

    async def private(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.private_queries.append(request.query_string)
        self.private_sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def rest(self, request: web.Request) -> web.Response:
        self.calls.append((request.method, request.path))
        if request.path.endswith("openOrders"):
            return web.json_response([order_row("rm1-7-000-1", "NEW")])
        if request.path.endswith("countdownCancelAll"):
            return web.json_response({"symbol": "BTCUSDC", "countdownTime": "10000"})
        return web.json_response(order_row(request.query.get("newClientOrderId", "rm1-7-000-1"), "NEW"))


def order_row(client_order_id: str | None, status: str) -> dict[str, Any]:
    return {
        "orderId": 77,
        "symbol": "BTCUSDC",
        "status": status,
        "clientOrderId": client_order_id,
        "price": "60000.0",
        "origQty": "0.010",
        "executedQty": "0.000",
        "cumQty": "0.000",
        "timeInForce": "GTX",
        "type": "LIMIT",
        "reduceOnly": False,
        "closePosition": False,
        "side": "BUY",
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": "LIMIT",
        "updateTime": 1_700_000_000_000,
    }


def order_event(client_order_id: str) -> str:
    body = {
        "s": "BTCUSDC", "c": client_order_id, "S": "BUY", "o": "LIMIT", "f": "GTX", "q": "0.010", "p": "60000.0", "ap": "0",
        "sp": "0", "x": "NEW", "X": "NEW", "i": 77, "l": "0", "z": "0", "L": "0", "T": 1_700_000_000_000, "t": 0, "b": "0",
        "a": "0", "m": False, "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0",
        "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0",
    }  # fmt: skip
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "T": 1_700_000_000_000, "E": 1_700_000_000_000, "o": body})


class FakeHost:
    """Collects what is delivered."""

    def __init__(self) -> None:
        self.clock = BootClock()
        self.log = None
        self.origin_ns = 0
        self.heard: list[Message] = []

    def deliver(self, message: Message, origin_ns: int = 0) -> None:
        self.heard.append(message)

    def of(self, kind: type[Message]) -> list[Any]:
        return [message for message in self.heard if isinstance(message, kind)]


class Setup:
    def __init__(self, venue: FakeVenue, port: int, stop_file: Path) -> None:
        self.venue = venue
        self.host = FakeHost()
        self.stop_file = stop_file
        self.listen_key = "key-1"
        self.written: list[OrderWritten] = []
        settings = Settings(
            symbols=("BTCUSDC",),
            venue=VenueSettings(
                rest_url=f"http://127.0.0.1:{port}",
                stream_url=f"ws://127.0.0.1:{port}",
                ws_api_url=f"ws://127.0.0.1:{port}/ws-fapi/v1",
            ),
            order_manager=OrderManagerSettings(),
            market_data=MarketDataSettings(reconnect_delay_ms=10, reconnect_delay_ms_max=20),
        )
        self.gateway = Gateway(
            spec(),
            settings,
            ApiKeys("api-key", HmacSigner("secret")),
            self.host,  # type: ignore[arg-type]
            StopFile(stop_file),
            venue_offset_ns=lambda: 1_000,
            listen_key=lambda: self.listen_key,
            written=self.written.append,
        )

    def call(self, *requests: VenueRequest) -> None:
        """What one message of the core caused: gathered, then let go."""
        for request in requests:
            self.gateway.call(request)
        self.gateway.flush()

    def place(self, request_id: int = 1, age_ns: int = 0, client_order_id: str = "rm1-7-000-1") -> PlaceOrder:
        return PlaceOrder(
            request_id=request_id,
            instrument_id=BTC,
            client_order_id=client_order_id,
            side=Side.BUY,
            price_ticks=600_000,
            quantity_lots=10,
            time_in_force=TimeInForce.POST_ONLY,
            reduce_only=False,
            venue_time_ns=self.host.clock.now_ns() + 1_000 - age_ns,
            window_ms=1_500,
        )

    def cancel(self, request_id: int = 2) -> CancelOrder:
        return CancelOrder(
            request_id=request_id,
            instrument_id=BTC,
            client_order_id="rm1-7-000-1",
            venue_order_id=0,
            venue_time_ns=self.host.clock.now_ns(),
            window_ms=10_000,
        )

    async def up(self) -> Setup:
        self.gateway.start()
        await until(lambda: len([m for m in self.host.of(StreamChanged) if m.up]) == 2)
        return self


@pytest.fixture
async def setup(tmp_path: Path) -> AsyncIterator[Setup]:
    venue = FakeVenue()
    app = web.Application()
    app.router.add_get("/ws-fapi/v1", venue.orders)
    app.router.add_get("/private/ws", venue.private)
    app.router.add_route("*", "/fapi/{tail:.*}", venue.rest)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made = Setup(venue, port, tmp_path / "STOP")
    yield made
    await made.gateway.stop()
    await runner.cleanup()


async def test_an_order_goes_by_websocket_is_answered_and_its_write_is_noted(setup: Setup) -> None:
    await setup.up()
    setup.host.origin_ns = setup.host.clock.now_ns()
    setup.call(setup.place())
    await until(lambda: setup.host.of(OrderAnswered))
    outcome = setup.host.of(OrderAnswered)[0]
    assert (outcome.request_id, outcome.order.client_order_id, outcome.usage.orders_10s) == (1, "rm1-7-000-1", 4)
    assert [frame["method"] for frame in setup.venue.frames] == ["order.place"]
    [record] = setup.written
    assert record.client_order_id == "rm1-7-000-1"
    assert record.origin_ns == setup.host.origin_ns <= record.written_ns
    assert setup.gateway.snapshot()["tick_to_order_us"]["count"] == 1
    assert setup.venue.calls == []


async def test_a_refusal_by_websocket_is_a_refusal(setup: Setup) -> None:
    await setup.up()
    setup.venue.error = {"code": -5022, "msg": "would take"}
    setup.call(setup.place())
    await until(lambda: setup.host.of(Refused))
    assert setup.host.of(Refused)[0].kind is RefusalKind.POST_ONLY


async def test_with_the_stop_file_there_no_order_is_written_but_cancels_are(setup: Setup) -> None:
    await setup.up()
    setup.stop_file.touch()
    setup.call(setup.place())
    assert [type(m) for m in setup.host.heard if isinstance(m, NotSent)] == [NotSent]
    setup.call(setup.cancel())
    await until(lambda: setup.host.of(OrderAnswered))
    assert [frame["method"] for frame in setup.venue.frames] == ["order.cancel"]


async def test_a_stop_file_that_cannot_be_looked_at_counts_as_there(setup: Setup) -> None:
    await setup.up()
    setup.stop_file.parent.joinpath("file").touch()
    setup.gateway._stop_file = StopFile(setup.stop_file.parent / "file" / "STOP")
    setup.call(setup.place())
    assert "stop file" in setup.host.of(NotSent)[0].reason


async def test_an_old_decision_is_not_written(setup: Setup) -> None:
    await setup.up()
    setup.call(setup.place(age_ns=DECISION_AGE_NS_MAX + 1_000_000))
    assert "decided" in setup.host.of(NotSent)[0].reason
    assert setup.venue.frames == []


async def test_a_gateway_that_is_shut_writes_no_order(setup: Setup) -> None:
    await setup.up()
    setup.gateway.shut = "the journal failed"
    setup.call(setup.place())
    assert setup.host.of(NotSent)[0].reason == "the journal failed"
    assert setup.gateway.cancel_now(setup.cancel())
    await until(lambda: setup.venue.frames)


async def test_a_lost_order_socket_makes_every_request_in_flight_unknown_and_none_is_written_again(
    setup: Setup,
) -> None:
    await setup.up()
    setup.venue.mute = True
    setup.call(setup.place(1))
    setup.call(setup.place(2, client_order_id="rm1-7-000-2"))
    await until(lambda: len(setup.venue.frames) == 2)
    await setup.venue.order_sockets[0].close()
    await until(lambda: len(setup.host.of(OutcomeUnknown)) == 2)
    await until(lambda: len(setup.venue.order_sockets) == 2)
    assert {outcome.request_id for outcome in setup.host.of(OutcomeUnknown)} == {1, 2}
    assert len(setup.venue.frames) == 2
    assert setup.venue.calls == []


async def test_without_the_order_socket_new_intents_and_cancels_go_by_rest(setup: Setup) -> None:
    setup.venue.refuse_orders = True
    setup.gateway.start()
    await until(lambda: setup.host.of(StreamChanged))
    setup.call(setup.place(5))
    setup.call(setup.cancel(6))
    await until(lambda: len(setup.host.of(OrderAnswered)) == 2)
    assert sorted(setup.venue.calls) == [("DELETE", "/fapi/v1/order"), ("POST", "/fapi/v1/order")]
    await until(lambda: setup.written)


async def test_by_rest_too_the_stop_file_has_the_last_word(setup: Setup) -> None:
    setup.venue.refuse_orders = True
    setup.gateway.start()
    setup.stop_file.touch()
    setup.call(setup.place(5))
    await until(lambda: setup.host.of(NotSent))
    assert setup.venue.calls == []


async def test_queries_and_the_countdown_go_by_rest(setup: Setup) -> None:
    await setup.up()
    setup.call(QueryOpenOrders(request_id=8, instrument_id=BTC, venue_time_ns=1_700_000_000_000_000_000))
    setup.call(
        SetCountdown(
            request_id=9,
            instrument_id=BTC,
            countdown_ms=10_000,
            venue_time_ns=1_700_000_000_000_000_000,
            window_ms=1_500,
        )
    )
    await until(lambda: setup.host.of(OpenOrdersAnswered) and setup.host.of(Done))
    assert setup.host.of(OpenOrdersAnswered)[0].orders[0].client_order_id == "rm1-7-000-1"


async def test_events_of_the_private_stream_are_delivered_and_its_life_is_passed_on(setup: Setup) -> None:
    await setup.up()
    assert "listenKey=key-1" in setup.venue.private_queries[0]
    await setup.venue.private_sockets[0].send_str(order_event("rm1-7-000-1"))
    await until(lambda: setup.host.of(OrderUpdate) and setup.host.of(StreamHeard))
    assert setup.host.of(OrderUpdate)[0].order.client_order_id == "rm1-7-000-1"


async def test_a_new_key_opens_the_private_stream_anew(setup: Setup) -> None:
    await setup.up()
    setup.listen_key = "key-2"
    await until(lambda: len(setup.venue.private_queries) == 2)
    assert "listenKey=key-2" in setup.venue.private_queries[1]
    assert [m.up for m in setup.host.of(StreamChanged) if m.stream == "private"][:2] == [True, False]


async def test_a_dead_key_is_not_used_again(setup: Setup) -> None:
    await setup.up()
    await setup.venue.private_sockets[0].send_str(
        json.dumps({"e": "listenKeyExpired", "E": 1_700_000_000_000, "listenKey": "key-1"})
    )
    await until(lambda: setup.host.of(UserStreamExpired))
    await until(lambda: not setup.gateway.snapshot()["private_open"])
    setup.listen_key = "key-2"
    await until(lambda: len(setup.venue.private_queries) == 2)
    assert "key-2" in setup.venue.private_queries[1]


async def test_damaged_frames_are_told_and_too_many_open_the_socket_anew(setup: Setup) -> None:
    await setup.up()
    for _ in range(BAD_FRAMES_MAX + 1):
        await setup.venue.private_sockets[0].send_str('{"e":"ORDER_TRADE_UPDATE","o":')
    await until(lambda: len(setup.host.of(BadFrame)) == BAD_FRAMES_MAX + 1)
    await until(lambda: len(setup.venue.private_sockets) == 2)
    await setup.venue.order_sockets[0].send_str("nonsense")
    await until(lambda: len(setup.host.of(BadFrame)) == BAD_FRAMES_MAX + 2)
    assert [bad.stream for bad in setup.host.of(BadFrame)] == ["private"] * (BAD_FRAMES_MAX + 1) + ["orders"]


async def test_an_answer_without_a_request_is_bad_data_and_ends_the_session(setup: Setup) -> None:
    await setup.up()
    await setup.venue.order_sockets[0].send_str(
        json.dumps({"id": None, "status": 401, "error": {"code": -2015, "msg": "Invalid API-key"}})
    )
    await until(lambda: len(setup.venue.order_sockets) == 2)
    assert [(bad.stream, bad.field) for bad in setup.host.of(BadFrame)] == [("orders", "id")]


async def test_an_answer_to_a_request_that_does_not_wait_any_more_is_let_be(setup: Setup) -> None:
    await setup.up()
    outcomes = setup.host.of(Outcome)
    await setup.venue.order_sockets[0].send_str(json.dumps({"id": 4_711, "status": 200, "result": {}}))
    await setup.venue.order_sockets[0].send_str("nonsense")  # what comes after it shows that it was read
    await until(lambda: setup.host.of(BadFrame))
    assert (len(setup.host.of(BadFrame)), len(setup.venue.order_sockets)) == (1, 1)
    assert setup.host.of(Outcome) == outcomes


async def test_an_acknowledged_order_that_the_private_stream_does_not_tell_is_named_and_the_stream_opened_anew(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.order_manager.event_watch.EVENT_NS_MAX", 50_000_000)
    await setup.up()
    await setup.venue.private_sockets[0].send_str(order_event("rm1-7-000-1"))
    await until(lambda: setup.host.of(OrderUpdate))
    setup.call(setup.place(1))
    await until(lambda: setup.host.of(OrderAnswered))
    setup.call(setup.place(2, client_order_id="rm1-7-000-2"))
    await until(lambda: len(setup.venue.private_sockets) == 2)
    assert [missing.client_order_id for missing in setup.host.of(EventMissing)] == ["rm1-7-000-2"]
    assert len(setup.venue.order_sockets) == 1


async def test_an_acknowledged_cancel_that_the_private_stream_does_not_tell_has_it_opened_anew(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.order_manager.event_watch.EVENT_NS_MAX", 50_000_000)
    await setup.up()
    await setup.venue.private_sockets[0].send_str(order_event("rm1-7-000-1"))
    await until(lambda: setup.host.of(OrderUpdate))
    setup.call(setup.cancel())
    await until(lambda: len(setup.venue.private_sockets) == 2)
    assert [missing.client_order_id for missing in setup.host.of(EventMissing)] == ["rm1-7-000-1"]


async def test_secrets_are_in_no_view(setup: Setup) -> None:
    await setup.up()
    shown = json.dumps(setup.gateway.snapshot()) + repr(setup.host.heard)
    assert "key-1" not in shown and "secret" not in shown and "api-key" not in shown


def test_the_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram()
    for latency_us in (40, 50, 51, 5_000_000):
        histogram.observe(latency_us)
    shown = histogram.view()
    assert shown["buckets"][:2] == [[50, 2], [100, 3]]
    assert shown["buckets"][-1][1] == 3
    assert (shown["count"], shown["sum"]) == (4, 5_000_141)


async def test_orders_and_cancels_of_one_message_are_written_in_their_order_with_one_write_time(setup: Setup) -> None:
    await setup.up()
    setup.call(setup.cancel(6), setup.place(7), setup.place(8, client_order_id="rm1-7-000-2"))
    await until(lambda: len(setup.venue.frames) == 3)
    assert [frame["method"] for frame in setup.venue.frames] == ["order.cancel", "order.place", "order.place"]
    assert len({record.written_ns for record in setup.written}) == 1


async def test_a_stop_file_holds_back_the_orders_of_a_message_and_lets_its_cancels_go(setup: Setup) -> None:
    await setup.up()
    setup.stop_file.touch()
    setup.call(setup.cancel(6), setup.place(7))
    await until(lambda: len(setup.venue.frames) == 1)
    assert [frame["method"] for frame in setup.venue.frames] == ["order.cancel"]
    assert [outcome.request_id for outcome in setup.host.of(NotSent)] == [7]


async def test_after_the_disk_held_the_process_up_an_answer_that_lies_in_a_socket_is_read_before_anything_leaves(
    setup: Setup,
) -> None:
    await setup.up()
    setup.venue.mute = True
    setup.call(setup.cancel(6))
    await until(lambda: len(setup.venue.frames) == 1)
    throttle = {"id": setup.venue.frames[0]["id"], "status": 429, "error": {"code": -1003, "msg": "Too many requests."}}
    await setup.venue.order_sockets[0].send_str(json.dumps(throttle))
    setup.gateway.read_first()
    setup.call(setup.cancel(7), setup.place(8))
    setup.gateway.call(QueryOpenOrders(request_id=9, instrument_id=BTC, venue_time_ns=10**18))
    assert setup.host.of(Throttled) == []
    await until(lambda: len(setup.host.of(NotSent)) == 3)
    assert [outcome.request_id for outcome in setup.host.of(Throttled)] == [6]
    assert {(one.request_id, one.reason) for one in setup.host.of(NotSent)} == {
        (number, SILENCE) for number in (7, 8, 9)
    }
    assert (len(setup.venue.frames), setup.venue.calls) == (1, [])


async def test_after_the_disk_held_the_process_up_requests_leave_where_nothing_was_said_meanwhile(setup: Setup) -> None:
    await setup.up()
    setup.gateway.read_first()
    setup.call(setup.cancel(7), setup.place(8))
    assert setup.venue.frames == []
    await until(lambda: len(setup.venue.frames) == 2)
    assert [frame["method"] for frame in setup.venue.frames] == ["order.cancel", "order.place"]


async def test_a_disk_that_holds_every_turn_up_does_not_hold_cancels_back_for_ever(setup: Setup) -> None:
    await setup.up()
    setup.call(setup.cancel(7))
    await until(lambda: len(setup.venue.frames) == 1)
    turns = 0
    setup.gateway.read_first()
    setup.call(setup.cancel(8))
    while len(setup.venue.frames) == 1:
        turns += 1
        setup.gateway.read_first()
        await asyncio.sleep(0)
        assert turns < 1_000


async def test_nothing_of_rehearsed_orders_reaches_the_venue_or_is_remembered(setup: Setup) -> None:
    await setup.up()
    before = setup.gateway.snapshot()
    for number in range(50):
        setup.gateway.rehearse([setup.place(number), setup.cancel(number)])
    assert setup.gateway.snapshot() == before
    setup.call(setup.place(99))
    await until(lambda: setup.host.of(OrderAnswered))
    assert [frame["id"] for frame in setup.venue.frames] == [99]
    assert [record.client_order_id for record in setup.written] == ["rm1-7-000-1"]
    assert setup.venue.calls == []
