"""The WebSocket API and the user stream, without sockets."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from venue_rig import ACCOUNT, KEY, MS, SYMBOL, WireRig, body, limit_order, sign

from actors.exchange.api import RestRequest, WsSession
from actors.exchange.authentication import Credential, KeyRing


def session(**changes: Any) -> WsSession:
    return WsSession(**({"address": "127.0.0.1", "connected_ms": 0} | changes))


def ask(rig: WireRig, method: str, params: dict[str, Any], who: WsSession | None = None) -> dict[str, Any]:
    frame = msgspec.json.encode({"id": "r1", "method": method, "params": params})
    rig.exchange.receive_ws(1, who or session(), frame, rig.now_ns)
    rig.wait(0)
    answer: dict[str, Any] = msgspec.json.decode(rig.output.ws_answers.pop()[1])
    return answer


def signed(rig: WireRig, params: dict[str, Any]) -> dict[str, Any]:
    named = params | {"apiKey": KEY, "timestamp": rig.now_ns // MS}
    return named | {"signature": sign("&".join(f"{name}={named[name]}" for name in sorted(named)))}


def test_an_order_is_placed_with_a_signature_in_the_request() -> None:
    rig = WireRig()
    answer = ask(rig, "order.place", signed(rig, limit_order(newClientOrderId="w1")))
    assert (answer["id"], answer["status"], answer["result"]["clientOrderId"]) == ("r1", 200, "w1")
    assert answer["rateLimits"] == [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300, "count": 1},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200, "count": 1},
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400, "count": 0},
    ]


def test_modify_status_and_cancel() -> None:
    rig = WireRig()
    ask(rig, "order.place", signed(rig, limit_order(newClientOrderId="w1")))
    named = {"symbol": SYMBOL, "origClientOrderId": "w1"}
    modified = ask(rig, "order.modify", signed(rig, named | {"side": "BUY", "quantity": "0.010", "price": "63999.0"}))
    assert modified["result"]["price"] == "63999.0"
    assert ask(rig, "order.status", signed(rig, named))["result"]["status"] == "NEW"
    assert ask(rig, "order.cancel", signed(rig, named))["result"]["status"] == "CANCELED"
    again = ask(rig, "order.cancel", signed(rig, named))
    assert (again["status"], again["error"]) == (400, {"code": -2011, "msg": "Unknown order sent."})


def test_a_wrong_signature_an_unknown_method_and_no_json_are_answered() -> None:
    rig = WireRig()
    wrong = ask(rig, "order.place", signed(rig, limit_order()) | {"signature": "00"})
    assert wrong["error"]["code"] == -1022
    unknown = ask(rig, "order.cancelAll", {})
    assert (unknown["status"], unknown["error"]["code"]) == (404, -5000)
    rig.exchange.receive_ws(1, session(), b"{", rig.now_ns)
    rig.wait(0)
    assert msgspec.json.decode(rig.output.ws_answers.pop()[1])["status"] == 400


def test_rate_limits_may_be_hidden() -> None:
    rig = WireRig()
    answer = ask(rig, "depth", {"symbol": SYMBOL, "limit": 5}, session(return_rate_limits=False))
    assert set(answer) == {"id", "status", "result"}


def test_after_a_session_logon_requests_need_no_signature() -> None:
    rig = WireRig()
    private = Ed25519PrivateKey.generate()

    def accepts(message: bytes, signature: str) -> bool:
        return base64.b64encode(private.sign(message)).decode() == signature

    key = Credential(api_key="ed-key", account=ACCOUNT, accepts=accepts, is_ed25519=True)
    object.__setattr__(rig.exchange.api._desk, "keys", KeyRing([key]))
    params = {"apiKey": "ed-key", "timestamp": rig.now_ns // MS}
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    logon = ask(rig, "session.logon", params | {"signature": base64.b64encode(private.sign(text.encode())).decode()})
    assert (logon["status"], logon["result"]["apiKey"]) == (200, "ed-key")
    who = rig.output.logons.pop()[1]
    placed = ask(rig, "order.place", limit_order() | {"timestamp": rig.now_ns // MS}, who)
    assert placed["status"] == 200
    assert ask(rig, "session.status", {}, who)["result"]["apiKey"] == "ed-key"


def test_an_hmac_key_cannot_log_on() -> None:
    rig = WireRig()
    assert ask(rig, "session.logon", signed(rig, {}))["error"]["code"] == -4056


def listen(rig: WireRig, kinds: frozenset[str] | None = None) -> int:
    key = body(rig.send_raw(RestRequest(method="POST", path="/fapi/v1/listenKey", api_key=KEY)))["listenKey"]
    found = rig.exchange.open_user_session(key, kinds)
    assert found is not None
    return found


def events(rig: WireRig) -> list[dict[str, Any]]:
    return [msgspec.json.decode(frame.payload) for frame in rig.output.user_frames]


def test_order_events_go_to_every_session_of_the_account() -> None:
    rig = WireRig()
    first, second = listen(rig), listen(rig)
    rig.send("POST", "/fapi/v1/order", limit_order(newClientOrderId="u1"))
    assert [frame.session for frame in rig.output.user_frames] == [first, second]
    event = events(rig)[0]
    assert (event["e"], event["o"]["x"], event["o"]["X"], event["o"]["c"]) == ("ORDER_TRADE_UPDATE", "NEW", "NEW", "u1")


def test_a_session_gets_only_the_events_it_asked_for() -> None:
    rig = WireRig()
    listen(rig, frozenset({"ACCOUNT_UPDATE"}))
    rig.send("POST", "/fapi/v1/order", limit_order(timeInForce="IOC", price="64000.1"))
    assert [event["e"] for event in events(rig)] == ["ACCOUNT_UPDATE"]


def test_a_fill_carries_fee_and_realized_pnl_and_the_account_its_wallet() -> None:
    rig = WireRig()
    listen(rig)
    rig.send("POST", "/fapi/v1/order", limit_order(timeInForce="IOC", price="64000.1"))
    _, lite, account, order = events(rig)
    assert (lite["e"], lite["L"], lite["l"], lite["m"]) == ("TRADE_LITE", "64000.1", "0.010", False)
    assert account["a"]["B"] == [{"a": "USDC", "wb": "99999.74399960", "cw": "99999.74399960", "bc": "0"}]
    assert account["a"]["P"][0]["pa"] == "0.01"
    filled = order["o"]
    assert (filled["x"], filled["X"], filled["n"], filled["N"], filled["rp"], filled["t"]) == (
        "TRADE",
        "FILLED",
        "0.2560004",
        "USDC",
        "0",
        lite["t"],
    )


def test_an_expired_listen_key_is_announced_and_then_silent() -> None:
    rig = WireRig()
    listen(rig)
    rig.wait(3_600_001)
    rig.send("POST", "/fapi/v1/order", limit_order())
    assert [event["e"] for event in events(rig)] == ["listenKeyExpired"]


def test_an_unknown_listen_key_opens_nothing() -> None:
    assert WireRig().exchange.open_user_session("nobody", None) is None
