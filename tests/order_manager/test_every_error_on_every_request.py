"""Every error of the venue (facts section 8) as the answer to a place, an amendment, a cancel and a query: only evidence ends an order.

Each case is the venue's own bytes, through the decoder, into the core.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from order_manager_rig import MID, Rig, instrument, unknown

from protocols.binance_usdm.errors import CODES
from protocols.binance_usdm.responses import decode_rest
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.venue import (
    AmendOrder,
    AnyOutcome,
    CancelOrder,
    OutcomeUnknown,
    PlaceOrder,
    QueryAmendments,
    QueryOrder,
    Throttled,
    VenueRequest,
)

WIRES = WireInstruments((instrument(),))
BIDS = [(MID - 5, 10)]

UNKNOWN_503 = "Unknown error, please check your request or try again later."
CERTAIN_503 = "Service Unavailable."
OVERLOADED = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
)


class Failure(NamedTuple):
    """One row of facts section 8."""

    status: int
    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.text[:20]}"


STATUSES = (
    Failure(401, -2015, "Invalid API-key, IP, or permissions for action."),
    Failure(403, 0, "<html>Forbidden</html>"),
    Failure(404, 0, "<html>Not Found</html>"),
    Failure(408, 0, ""),
    Failure(408, -1007, "Timeout waiting for response from backend server."),
    Failure(418, -1003, "Way too many requests; IP(1.2.3.4) banned until 1700000300000."),
    Failure(429, -1003, "Too many requests."),
    Failure(429, -1015, "Too many new orders; current limit is 300 orders per TEN_SECONDS."),
    Failure(429, 0, ""),
    Failure(500, 0, "Request occur unknown error."),
    Failure(502, 0, "<html>Bad Gateway</html>"),
    Failure(503, 0, UNKNOWN_503),
    Failure(503, 0, CERTAIN_503),
    Failure(503, -1001, "Internal error; unable to process your request. Please try again."),
    Failure(503, -1008, OVERLOADED),
    Failure(504, 0, ""),
    Failure(200, 0, "no order at all"),
    Failure(400, -99_999, "a code of tomorrow"),
)
ROWS = [*STATUSES, *(Failure(400, code, "as the venue says it") for code in sorted(CODES))]

SURELY_NOT_DONE_BY_STATUS = {401, 403, 404, 418, 429}


def is_unclear(failure: Failure, request: type[VenueRequest]) -> bool:
    """Whether the order may have been accepted, told from the facts and not from the table under test."""
    if failure.code in (-1003, -1015) or failure.status in SURELY_NOT_DONE_BY_STATUS:
        return False
    if failure.text in (CERTAIN_503, OVERLOADED):
        return False
    if failure.status != 400 or failure.code in (-99_999, -1000, -1001, -1006, -1007, -4000, -4083, -4116, -4117):
        return True
    return request is PlaceOrder and failure.code in (-2011, -2013)


def outcome(failure: Failure, request: VenueRequest, now_ns: int) -> AnyOutcome:
    is_json = bool(failure.code)
    body = json.dumps({"code": failure.code, "msg": failure.text}) if is_json else failure.text
    return decode_rest(request, failure.status, {}, body.encode(), now_ns, WIRES, now_ns)


def failing(rig: Rig, failure: Failure, kind: type[VenueRequest]) -> Callable[[VenueRequest], AnyOutcome | None]:
    return lambda request: outcome(failure, request, rig.now_ns) if isinstance(request, kind) else None


@pytest.mark.parametrize("failure", ROWS, ids=str)
def test_on_a_place_what_is_certain_rejects_and_everything_else_is_asked_for(failure: Failure) -> None:
    rig = Rig().come_up()
    rig.venue.answer = failing(rig, failure, PlaceOrder)
    asked = len(rig.venue.of(QueryOrder))
    rig.want(BIDS, [])
    rig.targets.clear()
    placed = rig.venue.of(PlaceOrder)
    assert len(placed) == 1
    if is_unclear(failure, PlaceOrder):
        assert set(rig.states().values()) == {"UNKNOWN"}
        assert rig.shown().worst_long_lots == 10
        rig.run(500)
        queries = [query for query in rig.venue.of(QueryOrder)[asked:] if isinstance(query, QueryOrder)]
        assert {query.client_order_id for query in queries} == {placed[0].client_order_id}  # type: ignore[attr-defined]
    else:
        assert rig.states() == {}
        assert rig.shown().worst_long_lots == 0
        rig.run(500)
        assert len(rig.venue.of(QueryOrder)) == asked
    assert len(rig.venue.of(PlaceOrder)) == 1, "an intent is written once"


@pytest.mark.parametrize("failure", ROWS, ids=str)
def test_on_an_amendment_what_is_certain_leaves_the_old_terms_and_everything_else_is_asked_for(
    failure: Failure,
) -> None:
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want(BIDS, [])
    rig.venue.answer = failing(rig, failure, AmendOrder)
    rig.venue.tells = False
    rig.want([(MID - 50, 20)], [])
    asked = rig.venue.of(AmendOrder)
    rig.targets.clear()
    assert len(asked) == 1
    if is_unclear(failure, AmendOrder) or failure.code == -5043:
        assert rig.shown().worst_long_lots == 20
        rig.run(500)
        assert rig.venue.of(QueryAmendments)
        assert rig.shown().worst_long_lots == 20
    else:
        assert rig.shown().worst_long_lots in (0, 10), "the old terms, or none where the order was taken back"
        rig.run(500)
        assert not rig.venue.of(QueryAmendments)
    assert len(rig.venue.of(AmendOrder)) == 1, "an intent is written once"


@pytest.mark.parametrize("failure", ROWS, ids=str)
def test_on_a_cancel_no_error_ends_the_order_and_it_ends_when_the_venue_says_so(failure: Failure) -> None:
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want(BIDS, [])
    order = rig.venue.open()[0]
    rig.venue.answer = failing(rig, failure, CancelOrder)
    rig.want([], [])
    assert len(rig.venue.of(CancelOrder)) == 1
    assert set(rig.states().values()) <= {"NEW", "CANCELING"} and rig.states()
    assert rig.shown().worst_long_lots == 10
    rig.venue.answer = lambda request: None
    waits = isinstance(outcome(failure, rig.venue.of(CancelOrder)[0], rig.now_ns), Throttled)
    rig.run(1_000)
    if waits and failure.code != -1015:
        assert rig.states(), "inside the wait nothing is sent"
        for _ in range(330):
            if not rig.states():
                break
            rig.run(1_000)
    assert rig.states() == {}
    assert order.status.is_terminal


@pytest.mark.parametrize("failure", ROWS, ids=str)
def test_on_a_query_no_error_is_taken_for_the_end_of_an_unknown_order(failure: Failure) -> None:
    rig = Rig().come_up()

    def answer(request: VenueRequest) -> AnyOutcome | str | None:
        if isinstance(request, PlaceOrder):
            rig.venue.put(request)
            return unknown(request, rig.now_ns)
        if isinstance(request, CancelOrder):
            return "lost"
        return failing(rig, failure, QueryOrder)(request)

    rig.venue.answer = answer
    rig.venue.tells = False
    rig.want(BIDS, [])
    rig.targets.clear()
    rig.run(2_000)
    assert len(rig.venue.of(QueryOrder)) >= 1
    assert set(rig.states().values()) & {"UNKNOWN", "NEW", "CANCELING"}
    assert rig.shown().worst_long_lots == 10


def kinds_of_outcome() -> Iterator[type[AnyOutcome]]:
    rig = Rig()
    request = PlaceOrder(
        request_id=1,
        instrument_id=instrument().instrument_id,
        client_order_id="x",
        side="BUY",  # type: ignore[arg-type]
        price_ticks=1,
        quantity_lots=1,
        time_in_force="GTX",  # type: ignore[arg-type]
        reduce_only=False,
        venue_time_ns=1,
        window_ms=1,
    )
    for failure in ROWS:
        yield type(outcome(failure, request, rig.now_ns))


def test_the_rows_cover_every_class_of_error() -> None:
    kinds = set(kinds_of_outcome())
    assert {OutcomeUnknown, Throttled} < kinds and len(kinds) == 3
