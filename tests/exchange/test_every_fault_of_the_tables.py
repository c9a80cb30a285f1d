"""The tables of what may go wrong at a venue are complete: each row has kinds of faults, and each kind changes what clients see."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from shared_data import shared_path
from venue_rig import SYMBOL, WireRig, body, limit_order

from actors.exchange.faults import FaultKind, decode_fault

ORDER = "/fapi/v1/order"

HOOKS: dict[str, set[FaultKind]] = {
    "503 unknown (executed and not executed variants)": {FaultKind.UNKNOWN_OUTCOME},
    "-1008": {FaultKind.OVERLOADED},
    "-1021 skew": {FaultKind.WINDOW_REFUSED, FaultKind.CLOCK_SKEW},
    "delayed/duplicated/reordered user events": {
        FaultKind.EVENTS_DELAYED,
        FaultKind.EVENTS_REPEATED,
        FaultKind.EVENTS_REORDERED,
    },
    "silent user stream": {FaultKind.EVENTS_SILENT},
    "depth gap (`pu` break)": {FaultKind.DEPTH_GAP},
    "snapshot older than the buffer": {FaultKind.OLD_SNAPSHOT},
    "429/418": {FaultKind.THROTTLED, FaultKind.BANNED},
    "24 h disconnect": {FaultKind.DISCONNECT},
    "listenKeyExpired": {FaultKind.LISTEN_KEY_EXPIRED},
    "half-open TCP": {FaultKind.HALF_OPEN},
    "ACK after fill": {FaultKind.ACK_AFTER_FILL},
    "cancel/fill race": {FaultKind.CANCEL_FILL_RACE},
}
"""The hooks of the facts on Binance, section 11.5, in their words."""

ROWS: dict[int, set[FaultKind]] = {
    28: {FaultKind.DISCONNECT},
    29: {FaultKind.HALF_OPEN, FaultKind.MARKET_SILENT},
    30: {FaultKind.DISCONNECT, FaultKind.HALF_OPEN, FaultKind.EVENTS_SILENT},
    31: {FaultKind.EVENTS_REPEATED},
    32: {FaultKind.EVENTS_REORDERED, FaultKind.EVENTS_DELAYED},
    33: {FaultKind.EVENTS_DROPPED},
    34: {FaultKind.DEPTH_GAP},
    35: {FaultKind.ABSURD_PRICES},
    36: {FaultKind.NO_ANSWER, FaultKind.BACKEND_TIMEOUT, FaultKind.ANSWER_DELAYED},
    37: {FaultKind.NO_ANSWER, FaultKind.CONNECTION_CUT},
    38: {FaultKind.LATE_ACCEPT},
    39: {FaultKind.UNKNOWN_OUTCOME, FaultKind.READ_LAG},
    40: {FaultKind.CANCEL_FILL_RACE},
    41: {FaultKind.THROTTLED, FaultKind.THROTTLED_BARE, FaultKind.ORDERS_THROTTLED},
    42: {FaultKind.BANNED},
    43: {
        FaultKind.UNKNOWN_OUTCOME,
        FaultKind.UNEXPECTED_RESPONSE,
        FaultKind.SERVICE_UNAVAILABLE,
        FaultKind.INTERNAL_ERROR,
        FaultKind.FORBIDDEN,
    },
    44: {FaultKind.MALFORMED_ANSWER, FaultKind.MALFORMED_FRAME},
    45: {FaultKind.DISCONNECT, FaultKind.ORDERS_WIPED},
    46: {FaultKind.HALTED, FaultKind.FILTERS_CHANGED},
    47: {FaultKind.CLOCK_SKEW},
    48: {FaultKind.LISTEN_KEY_EXPIRED, FaultKind.DISCONNECT},
    49: {FaultKind.KEY_REJECTED},
    50: {FaultKind.HALF_OPEN, FaultKind.NO_ANSWER},
}
"""Rows of the fault matrix whose fault lies at the venue or on the way to it. 65 is another client with a key of the account."""


def test_every_kind_is_of_a_hook_or_a_row() -> None:
    assert set().union(*HOOKS.values(), *ROWS.values()) == set(FaultKind)


def test_every_hook_of_the_facts_is_there() -> None:
    facts = shared_path("facts/binance_usdm.md").read_text()
    (hooks,) = re.findall(r"fault injection hooks for: (.*)\.\n", facts)
    assert re.sub(r"\s+", " ", hooks).split(", ") == [part for hook in HOOKS for part in hook.split(", ")]


def test_every_row_of_the_venue_is_there() -> None:
    matrix = shared_path("facts/fault_matrix.md").read_text()
    rows = {int(number): text for number, text in re.findall(r"^\| (\d+) \| (.*)$", matrix, re.MULTILINE)}
    assert set(ROWS) <= set(rows)
    assert {number for number, text in rows.items() if 28 <= number <= 50 and text} == set(ROWS)


def outside_view(kind: FaultKind | None) -> list[Any]:
    """All that leaves the venue in some seconds of an ordinary client's life, with a fault in them or without."""
    rig = WireRig()
    for stream in ("bookTicker", "depth@100ms", "aggTrade", "markPrice@1s"):
        rig.exchange.subscribe(f"{SYMBOL.lower()}@{stream}")
    key = body(rig.send("POST", "/fapi/v1/listenKey"))["listenKey"]
    rig.exchange.open_user_session(key, None)
    rig.send("POST", ORDER, limit_order(newClientOrderId="earlier", price="63900.0"))
    rig.wait(500)
    seen: list[Any] = []
    if kind is not None:
        rig.exchange.inject(decode_fault(msgspec.json.encode({"kind": kind, "duration_ms": 4_000})))
        seen += rig.drain().socket_faults
    rig.apply(rig.market.depth(bids=[(639_990, 7)]), rig.market.bought(640_001, 1))
    answers = [
        rig.send("POST", ORDER, limit_order(newClientOrderId="new", timeInForce="GTC")),
        rig.send("DELETE", ORDER, {"symbol": SYMBOL, "origClientOrderId": "earlier"}),
        rig.send("GET", "/fapi/v1/openOrders", {"symbol": SYMBOL}),
        rig.public("/fapi/v1/depth", f"symbol={SYMBOL}&limit=5"),
        rig.public("/fapi/v1/exchangeInfo"),
        rig.public("/fapi/v1/time"),
    ]
    rig.apply(rig.market.depth(bids=[(639_990, 9)]))
    for _ in range(30):
        rig.wait(100)
        seen.append(len(rig.output.user_frames))
    seen += [(answer.status, answer.body, answer.cut, dict(answer.headers)) for answer in answers]
    seen += [(frame.stream, frame.payload) for frame in rig.output.stream_frames]
    return seen + [frame.payload for frame in rig.output.user_frames]


UNFAULTED = outside_view(None)


def test_without_a_fault_the_view_is_the_same_each_time() -> None:
    assert outside_view(None) == UNFAULTED


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_changes_what_clients_see(kind: FaultKind) -> None:
    assert outside_view(kind) != UNFAULTED
