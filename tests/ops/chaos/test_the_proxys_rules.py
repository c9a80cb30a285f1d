"""Which unit a rule treats, what it becomes, and what is written down of it."""

from __future__ import annotations

import json

import pytest

from ops.chaos.proxy.notes import Labels, note_of, read_notes
from ops.chaos.proxy.rules import Effect, Rule, Rules, Toward, Way, answer_frame, damaged, held, shifted, way_of

PLACE = b'{"id":7,"method":"order.place","params":{"newClientOrderId":"rm1-1","apiKey":"k","signature":"s"}}'
ANSWER = b'{"id":7,"status":200,"result":{"clientOrderId":"rm1-1","status":"NEW"}}'
FILL = b'{"e":"ORDER_TRADE_UPDATE","o":{"s":"BTCUSDC","c":"rm1-1","x":"TRADE","X":"FILLED","t":42}}'
NEW_ORDER = "order.place\n"


def in_force(*rules: Rule, connections: int = 5) -> Rules:
    found = Rules()
    found.set(rules, connections)
    return found


def decided(rules: Rules, text: bytes = b"order.place\nx", connection: int = 1, toward: Toward = Toward.US) -> str:
    rule = rules.decide(Way.ORDERS, toward, connection, text)
    return "pass" if rule is None else rule.effect.value


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("/ws-fapi/v1", Way.ORDERS),
        ("/private/ws?listenKey=x", Way.PRIVATE),
        ("/public/stream?streams=a", Way.MARKET),
        ("/market/stream?streams=a", Way.MARKET),
        ("/fapi/v1/order", Way.REST),
    ],
)
def test_a_connection_is_known_by_its_first_path(path: str, way: Way) -> None:
    assert way_of(path) is way


def test_a_rule_treats_its_way_its_direction_and_what_it_matches() -> None:
    rules = in_force(Rule(way=Way.ORDERS, effect=Effect.DROP, match=NEW_ORDER))
    assert decided(rules) == "drop"
    assert decided(rules, b"order.cancel\nx") == "pass"
    assert decided(rules, toward=Toward.VENUE) == "pass"
    assert rules.decide(Way.REST, Toward.US, 1, b"order.place\nx") is None


def test_some_are_skipped_and_then_so_many_are_treated() -> None:
    rules = in_force(Rule(way=Way.ORDERS, effect=Effect.DROP, skip=1, times=2))
    assert [decided(rules) for _ in range(5)] == ["pass", "drop", "drop", "pass", "pass"]
    assert rules.touched == 2


def test_alike_means_the_same_event_on_every_socket() -> None:
    rules = in_force(Rule(way=Way.ORDERS, effect=Effect.DROP, alike=True))
    assert [decided(rules, text) for text in (b"a", b"b", b"a")] == ["drop", "pass", "drop"]


def test_connections_made_later_are_spared_by_a_half_open_one() -> None:
    rules = in_force(*held(Way.ORDERS, old_only=True), connections=5)
    assert (decided(rules, connection=5), decided(rules, connection=6)) == ("hold", "pass")
    assert decided(rules, connection=5, toward=Toward.VENUE) == "hold"


def test_other_rules_end_those_before_them() -> None:
    rule = Rule(way=Way.ORDERS, effect=Effect.HOLD)
    rules = in_force(rule)
    assert rules.in_force(rule)
    rules.set((), 9)
    assert not rules.in_force(rule)
    assert decided(rules) == "pass"


def test_the_first_rule_that_fits_decides() -> None:
    first, second = (Rule(way=Way.ORDERS, effect=effect) for effect in (Effect.DELAY, Effect.DROP))
    assert decided(in_force(first, second)) == "delay"


def test_a_damaged_text_is_no_json_any_more() -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(damaged(ANSWER))


def test_the_venues_clock_is_shifted_in_its_own_words() -> None:
    assert shifted(b'{"serverTime": 1000}', -5_000) == b'{"serverTime": -4000}'


def test_a_request_is_answered_under_its_own_id() -> None:
    rule = Rule(way=Way.ORDERS, effect=Effect.ANSWER, status=429, body='{"code":-1015}')
    assert json.loads(answer_frame(rule, PLACE)) == {"id": 7, "status": 429, "error": {"code": -1015}}


def test_an_answer_is_named_after_what_was_asked() -> None:
    labels = Labels(Way.ORDERS)
    assert labels.of(Toward.VENUE, PLACE) == "order.place"
    assert labels.of(Toward.US, ANSWER) == "order.place"
    assert labels.of(Toward.US, ANSWER) == ""
    rest = Labels(Way.REST)
    asked = b"DELETE /fapi/v1/order?symbol=A&signature=s HTTP/1.1\r\n\r\n"
    assert (rest.of(Toward.VENUE, asked), rest.of(Toward.US, b"HTTP/1.1 200 OK\r\n\r\n")) == (
        "DELETE /fapi/v1/order",
        "DELETE /fapi/v1/order",
    )


def test_what_is_written_down_names_order_fill_and_status_but_no_key() -> None:
    place = note_of(1, Way.ORDERS, Toward.VENUE, Effect.DROP, "order.place", PLACE)
    answer = note_of(2, Way.ORDERS, Toward.US, Effect.PASS, "order.place", ANSWER)
    fill = note_of(3, Way.PRIVATE, Toward.US, Effect.DROP, "ORDER_TRADE_UPDATE", FILL)
    assert (place.order, answer.order, answer.status) == ("rm1-1", "rm1-1", 200)
    assert (fill.order, fill.trade_id, fill.symbol) == ("rm1-1", 42, "BTCUSDC")
    assert "apiKey" not in str(place) and "signature" not in str(place)


def test_a_torn_last_note_is_left_out() -> None:
    line = b'{"t":1,"way":"rest","toward":"us","effect":"pass","label":"GET /x"}'
    assert [note.label for note in read_notes([line, line[:9]])] == ["GET /x"]
