"""An order that fills or goes while an amendment of it is on its way (-2013): whoever follows the events ends with what the venue has."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from order_manager_rig import MID, SECOND, Rig

from actors.risk_monitor.open_orders import OpenOrders
from actors.strategy.own_orders import OwnOrders
from protocols.messages.journal import FilledAmidAmendment
from protocols.messages.orders import OrderEvent
from protocols.values import Side
from protocols.venue import AmendOrder, ExecutionKind, OrderStatus, OrderUpdate, QueryOrder, RefusalKind, Refused, Usage

BID = MID - 5


def picture(rig: Rig) -> tuple[dict[str, int], dict[int, int]]:
    """Remaining lots of each order as the risk monitor sees them, and by price as strategy does."""
    theirs, own = OpenOrders(), OwnOrders()
    for event in rig.published:
        if isinstance(event, OrderEvent):
            theirs.apply(event)
            own.take(event)
    return {name: order.remaining_lots for name, order in theirs.open().items()}, dict(own.bids)


def at_the_venue(rig: Rig) -> tuple[dict[str, int], dict[int, int]]:
    remaining = {o.client_order_id: o.request.quantity_lots - o.filled_lots for o in rig.venue.open()}
    return remaining, dict(rig.venue.side(Side.BUY))


def refused(rig: Rig, request: AmendOrder) -> Refused:
    return Refused(
        request_id=request.request_id,
        received_ns=rig.now_ns,
        usage=Usage(),
        kind=RefusalKind.NOT_FOUND,
        venue_code=-2013,
        text="Order does not exist.",
    )


def filled(rig: Rig, name: str) -> OrderUpdate:
    fill = rig.venue.fill(name, 10, tell=False)
    return rig.venue.update(rig.venue.orders[name], ExecutionKind.TRADE, fill)


def part_filled_and_gone(rig: Rig, name: str) -> OrderUpdate:
    filled_part = rig.venue.fill(name, 4, tell=False)
    rig.venue.orders[name].status = OrderStatus.CANCELED
    return rig.venue.update(rig.venue.orders[name], ExecutionKind.CANCELED, filled_part)


def gone(rig: Rig, name: str) -> OrderUpdate:
    rig.venue.orders[name].status = OrderStatus.EXPIRED
    return rig.venue.update(rig.venue.orders[name], ExecutionKind.EXPIRED)


@pytest.mark.parametrize("told", ["before", "after", "late", "never"])
@pytest.mark.parametrize("lots", [6, 10, 20])
@pytest.mark.parametrize("end", [filled, part_filled_and_gone, gone])
def test_its_readers_agree_with_the_venue(end: Callable[[Rig, str], OrderUpdate], lots: int, told: str) -> None:
    rig = Rig(order_age_ms_min=0).come_up()
    rig.want([(BID, 10)], [])
    (order,) = rig.venue.open()
    events: list[OrderUpdate] = []

    def venue_ends_it_first(request):
        if not isinstance(request, AmendOrder):
            return None
        if not events:
            events.append(end(rig, order.client_order_id))
            if told == "before":
                rig.give(events[0])
        return refused(rig, request)

    rig.venue.answer = venue_ends_it_first
    rig.want([(MID - 50, lots)], [])
    assert len(rig.venue.of(AmendOrder)) == 1
    if told == "after":
        rig.give(events[0])
    rig.run(300)
    if told == "late":
        rig.give(events[0])
    rig.targets.clear()
    rig.run(4_000)
    assert picture(rig) == at_the_venue(rig) == ({}, {})
    assert rig.states() == {}
    assert rig.shown().position_lots == order.filled_lots


def test_one_that_filled_amid_an_amendment_is_asked_for_at_no_later_restart() -> None:
    old = Rig(order_age_ms_min=0).come_up()
    old.want([(BID, 10)], [])
    (order,) = old.venue.open()
    old.venue.answer = lambda request: "lost" if isinstance(request, AmendOrder) else None
    old.want([(MID - 50, 20)], [])
    old.give(filled(old, order.client_order_id))
    journal = list(old.journal)
    assert FilledAmidAmendment(client_order_id=order.client_order_id) in journal
    for epoch in (8, 9):
        old.venue.answer = lambda request: None
        new = Rig(journal=list(journal), venue=old.venue, epoch=epoch, now_ns=old.now_ns + epoch * SECOND)
        assert order.client_order_id not in new.states()
        new.come_up()
        assert order.client_order_id not in [request.client_order_id for request in old.venue.of(QueryOrder)]
        journal = list(new.journal)
    assert journal.count(FilledAmidAmendment(client_order_id=order.client_order_id)) == 1
