"""Addresses of stream sockets and their control messages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.exchange.subscriptions import StreamAddress, Wanted, control, is_served, read_address

ALL = frozenset({"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"})


@pytest.mark.parametrize(
    ("path", "query", "address"),
    [
        ("/public/ws/btcusdc@depth", "", StreamAddress("public", False, (Wanted("btcusdc@depth"),))),
        ("/ws/a/b", "", StreamAddress("", False, (Wanted("a"), Wanted("b")))),
        ("/market/stream", "streams=a/b", StreamAddress("market", True, (Wanted("a"), Wanted("b")))),
        ("/private/ws/K", "", StreamAddress("private", False, (Wanted("K"),))),
        ("/private/ws", "listenKey=K", StreamAddress("private", False, (Wanted("K"),))),
        (
            "/private/ws",
            "listenKey=K&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE",
            StreamAddress("private", False, (Wanted("K", ALL),)),
        ),
        (
            "/private/stream",
            "listenKey=K1&events=ORDER_TRADE_UPDATE%2FACCOUNT_UPDATE&listenKey=K2",
            StreamAddress("private", True, (Wanted("K1", ALL), Wanted("K2"))),
        ),
        ("/stream", "streams=K", StreamAddress("", True, (Wanted("K"),))),
        ("/public/ws", "", StreamAddress("public", False, ())),
        ("/fapi/v1/ping", "", None),
        ("/", "", None),
    ],
)
def test_addresses(path: str, query: str, address: StreamAddress | None) -> None:
    assert read_address(path, query) == address


@pytest.mark.parametrize(
    ("group", "stream", "served"),
    [
        ("public", "btcusdc@depth@100ms", True),
        ("public", "!bookTicker", True),
        ("public", "btcusdc@aggTrade", False),
        ("market", "btcusdc@aggTrade", True),
        ("market", "btcusdc@markPrice@1s", True),
        ("market", "btcusdc@depth", False),
        ("private", "btcusdc@depth", False),
        ("", "btcusdc@markPrice", True),
    ],
)
def test_which_path_serves_which_stream(group: str, stream: str, served: bool) -> None:
    assert is_served(group, stream) is served


def reply(message: Any, subscribed: list[str] | None = None) -> tuple[Any, list[str], list[str], bool]:
    frame = message if isinstance(message, bytes) else msgspec.json.encode(message)
    found = control(frame, subscribed or [], combined=False)
    return msgspec.json.decode(found.payload), found.subscribe, found.unsubscribe, found.close


def test_subscribing_listing_and_unsubscribing() -> None:
    assert reply({"method": "SUBSCRIBE", "params": ["a", "b"], "id": 1}) == (
        {"result": None, "id": 1},
        ["a", "b"],
        [],
        False,
    )
    assert reply({"method": "LIST_SUBSCRIPTIONS", "id": 3}, ["a"])[0] == {"result": ["a"], "id": 3}
    assert reply({"method": "UNSUBSCRIBE", "params": ["a"], "id": 2}, ["a"])[2] == ["a"]


def test_the_official_sdk_may_use_texts_as_ids() -> None:
    assert reply({"method": "SUBSCRIBE", "params": ["a"], "id": "737bf3bf-1d2e-4280"})[0] == {
        "result": None,
        "id": "737bf3bf-1d2e-4280",
    }


def test_properties() -> None:
    frame = msgspec.json.encode({"method": "SET_PROPERTY", "params": ["combined", True], "id": 4})
    assert control(frame, [], combined=False).combined is True
    assert reply({"method": "GET_PROPERTY", "params": ["combined"], "id": 5})[0] == {"result": False, "id": 5}
    assert reply({"method": "SET_PROPERTY", "params": ["colour", True], "id": 4})[0]["error"]["code"] == 0
    assert reply({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 4})[0]["error"]["code"] == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"method": "SUBSCRIBE", "params": ["a"], "id": ""}, 2),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": "x" * 37}, 2),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": True}, 2),
        ({"method": "SUBSCRIBE", "params": ["a"]}, 2),
        ({"params": ["a"], "id": 1}, 2),
        ({"method": "DANCE", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [1], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": "a", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [f"s{n}" for n in range(1_025)], "id": 1}, 2),
        ([], 2),
    ],
)
def test_invalid_requests_get_an_error_and_change_nothing(message: Any, code: int) -> None:
    answer, subscribe, unsubscribe, close = reply(message)
    assert (answer["error"]["code"], subscribe, unsubscribe, close) == (code, [], [], False)


def test_what_is_no_json_ends_the_connection() -> None:
    answer, _, _, close = reply(b"{nonsense")
    assert (answer["error"]["code"], close) == (3, True)
