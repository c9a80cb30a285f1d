"""What was acknowledged has to be told by the private stream: places, amends and cancels; no false alarm."""

from __future__ import annotations

import msgspec
import pytest
from order_manager_rig import BTC, ETH

from actors.order_manager.event_watch import EVENT_NS_MAX, MISSING_TOLD_MAX, ORDERS_MAX, EventWatch
from protocols.values import Side, TimeInForce
from protocols.venue import (
    AmendOrder,
    CancelOrder,
    EventMissing,
    OrderAnswered,
    OrderReport,
    OrderStatus,
    OutcomeUnknown,
    PlaceOrder,
    QueryOrder,
    Usage,
    VenueRequest,
)

ID = "rm1-7-000-1"
OPENED_NS, SENT_NS, ANSWERED_NS = 1_000, 2_000, 3_000
LATE_NS = ANSWERED_NS + EVENT_NS_MAX + 1
HEAD = {"request_id": 1, "instrument_id": BTC, "venue_time_ns": SENT_NS}
ORDER = {"side": Side.BUY, "price_ticks": 600_000, "quantity_lots": 10, "window_ms": 1_500}
PLACE = PlaceOrder(**HEAD, **ORDER, client_order_id=ID, time_in_force=TimeInForce.POST_ONLY, reduce_only=False)
AMEND = AmendOrder(**HEAD, **ORDER, client_order_id=ID)
CANCEL = CancelOrder(**HEAD, client_order_id=ID, venue_order_id=0, window_ms=10_000)


def order(
    status: OrderStatus = OrderStatus.NEW,
    price_ticks: int = 600_000,
    venue_time_ns: int = 50,
    client_order_id: str = ID,
) -> OrderReport:
    return OrderReport(
        instrument_id=BTC,
        client_order_id=client_order_id,
        venue_order_id=77,
        side=Side.BUY,
        status=status,
        price_ticks=price_ticks,
        quantity_lots=10,
        filled_lots=0,
        reduce_only=False,
        venue_time_ns=venue_time_ns,
    )


def answered(report: OrderReport) -> OrderAnswered:
    return OrderAnswered(request_id=1, received_ns=ANSWERED_NS, usage=Usage(), order=report)


def missing(client_order_id: str = ID, noticed_ns: int = LATE_NS) -> EventMissing:
    return EventMissing(instrument_id=BTC, client_order_id=client_order_id, noticed_ns=noticed_ns)


@pytest.fixture
def watch() -> EventWatch:
    opened = EventWatch()
    opened.opened(OPENED_NS)
    return opened


CANCELED = order(OrderStatus.CANCELED, venue_time_ns=90)
AMENDED = order(price_ticks=600_010, venue_time_ns=90)
EACH = pytest.mark.parametrize(
    ("request_", "shown"), [(PLACE, order()), (AMEND, AMENDED), (CANCEL, CANCELED)], ids=["place", "amend", "cancel"]
)


@EACH
def test_a_stream_that_is_silent_after_an_acknowledgement_is_mute_when_the_time_is_over(
    watch: EventWatch, request_: VenueRequest, shown: OrderReport
) -> None:
    if request_ is not PLACE:
        watch.told(order())
    watch.acknowledged(request_, answered(shown), SENT_NS)
    assert watch.missing(LATE_NS - 1) == ()
    assert watch.missing(LATE_NS) == (missing(),)


@EACH
def test_an_event_after_its_acknowledgement_is_in_time(
    watch: EventWatch, request_: VenueRequest, shown: OrderReport
) -> None:
    watch.acknowledged(request_, answered(shown), SENT_NS)
    watch.told(shown)
    assert watch.missing(LATE_NS) == ()


@EACH
def test_an_event_that_came_before_its_acknowledgement_is_remembered(
    watch: EventWatch, request_: VenueRequest, shown: OrderReport
) -> None:
    watch.told(order())
    watch.told(shown)
    watch.acknowledged(request_, answered(shown), SENT_NS)
    assert watch.missing(LATE_NS) == ()


def test_an_older_event_that_comes_late_does_not_hide_what_was_told(watch: EventWatch) -> None:
    watch.told(CANCELED)
    watch.told(order())
    watch.acknowledged(CANCEL, answered(CANCELED), SENT_NS)
    assert watch.missing(LATE_NS) == ()


def test_a_fill_before_the_cancel_is_not_the_end_that_was_acknowledged(watch: EventWatch) -> None:
    watch.acknowledged(CANCEL, answered(CANCELED), SENT_NS)
    watch.told(order(OrderStatus.PARTIALLY_FILLED, venue_time_ns=80))
    assert watch.missing(LATE_NS) == (missing(),)


def test_an_execution_at_the_old_terms_is_not_the_amendment_that_was_acknowledged(watch: EventWatch) -> None:
    watch.acknowledged(AMEND, answered(AMENDED), SENT_NS)
    watch.told(order(OrderStatus.PARTIALLY_FILLED, venue_time_ns=80))
    assert watch.missing(LATE_NS) == (missing(),)


@pytest.mark.parametrize(
    "later",
    [order(OrderStatus.FILLED, venue_time_ns=95), order(price_ticks=600_020, venue_time_ns=95)],
    ids=["its end", "the next amendment"],
)
def test_what_came_after_an_amendment_confirms_it(watch: EventWatch, later: OrderReport) -> None:
    watch.acknowledged(AMEND, answered(AMENDED), SENT_NS)
    watch.told(later)
    assert watch.missing(LATE_NS) == ()


def test_a_cancel_is_awaited_beside_an_amendment_of_the_same_order(watch: EventWatch) -> None:
    watch.acknowledged(AMEND, answered(AMENDED), SENT_NS)
    watch.acknowledged(CANCEL, answered(CANCELED), SENT_NS)
    watch.told(AMENDED)
    assert watch.missing(LATE_NS) == (missing(),)
    watch.told(CANCELED)
    assert watch.missing(LATE_NS) == ()


def test_only_certain_answers_to_place_amend_and_cancel_owe_an_event(watch: EventWatch) -> None:
    query = QueryOrder(**HEAD, client_order_id=ID, venue_order_id=0)
    unknown = OutcomeUnknown(request_id=1, received_ns=ANSWERED_NS, usage=Usage(), reason="lost")
    watch.acknowledged(query, answered(CANCELED), SENT_NS)
    watch.acknowledged(CANCEL, unknown, SENT_NS)
    assert watch.missing(LATE_NS) == ()


def test_what_was_sent_before_the_stream_opened_owes_no_event(watch: EventWatch) -> None:
    watch.acknowledged(CANCEL, answered(CANCELED), OPENED_NS - 1)
    watch.closed()
    watch.acknowledged(CANCEL, answered(CANCELED), SENT_NS)
    assert watch.missing(LATE_NS) == ()


def test_a_stream_that_opens_anew_owes_nothing_of_the_old_one(watch: EventWatch) -> None:
    watch.acknowledged(CANCEL, answered(CANCELED), SENT_NS)
    watch.closed()
    assert watch.missing(LATE_NS) == ()
    watch.opened(LATE_NS)
    assert watch.missing(2 * LATE_NS) == ()


def test_memory_and_the_list_of_orders_are_bounded(watch: EventWatch) -> None:
    for number in range(ORDERS_MAX + 5):
        watch.told(order(client_order_id=f"told-{number}"))
        shown = order(OrderStatus.CANCELED, client_order_id=f"x{number}")
        watch.acknowledged(CANCEL, answered(shown), SENT_NS)
    assert watch.missing(LATE_NS) == tuple(missing(f"x{number}") for number in range(MISSING_TOLD_MAX))
    assert (len(watch._told), len(watch._untold)) == (ORDERS_MAX, ORDERS_MAX)


def test_an_event_missing_names_the_symbol_of_its_order(watch: EventWatch) -> None:
    watch.acknowledged(PLACE, answered(msgspec.structs.replace(order(), instrument_id=ETH)), SENT_NS)
    assert [each.instrument_id for each in watch.missing(LATE_NS)] == [ETH]
