"""Orders, executions and the position of one symbol; position and orders change in the same step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

import msgspec

from actors.order_manager.orders import STATE_OF, Amendment, Order, OrderState
from actors.order_manager.outbox import Outbox
from protocols.messages.journal import FilledAmidAmendment
from protocols.messages.orders import (
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from protocols.values import InstrumentId, Side
from protocols.venue import AmendmentReport, FillReport, OrderReport, OrderStatus

BOOKED_MAX = 20_000
"""Executions remembered one by one; older ones are known by the checkpoint that every audit moves."""


# Members of enumerations by a name of their own: looking them up in their class costs more than the comparison.
_BUY = Side.BUY


class Exposure(msgspec.Struct, gc=False):
    """Lots that our buys may still add and our sells still take, whatever their state; our highest bid and lowest ask that may rest."""

    buy_lots: int = 0
    sell_lots: int = 0
    buy_ticks_high: int | None = None
    sell_ticks_low: int | None = None

    def count(self, orders: Iterable[Order]) -> None:
        """Add orders, in one loop over plain attributes, for it stands before every order that leaves."""
        buys, sells, highest, lowest = self.buy_lots, self.sell_lots, self.buy_ticks_high, self.sell_ticks_low
        for order in orders:
            is_over, high, low = order.is_terminal, order.price_ticks, order.price_ticks
            lots = (order.reported_lots if is_over else order.lots) - order.booked_lots  # as Order.open_lots
            amendment = order.amendment
            if amendment is not None and not is_over:
                lots = order.most_lots - order.booked_lots
                high, low = max(high, amendment.price_ticks), min(low, amendment.price_ticks)
            if lots < 0:
                lots = 0
            if order.side is _BUY:
                buys += lots
                if not is_over and (highest is None or high > highest):
                    highest = high
            else:
                sells += lots
                if not is_over and (lowest is None or low < lowest):
                    lowest = low
        self.buy_lots, self.sell_lots, self.buy_ticks_high, self.sell_ticks_low = buys, sells, highest, lowest


class Stray(NamedTuple):
    """Executions of an order that is in no table of ours, by the venue's id; `named` once it is known whose it is."""

    lots: int
    named: bool = False


class Tombstone(NamedTuple):
    """An order presumed dead, kept until `until_ns` so that its return is noticed; 0 stands for "from the first look on"."""

    order: Order
    until_ns: int


class OrderTable:
    """What we know of our orders on one symbol.

    `live` holds every order that may still change the position: resting, in flight, unknown, or over with executions missing.
    `booked_upto` is the trade id up to which the venue's own list has been read: nothing at or below it is booked again.
    """

    def __init__(self, instrument_id: InstrumentId, outbox: Outbox, finished_max: int, tombstone_ns: int) -> None:
        self.instrument_id = instrument_id
        self.position_lots = 0
        self.live: dict[str, Order] = {}
        self.finished: dict[str, Order] = {}
        self.tombstones: dict[str, Tombstone] = {}
        self.booked_upto = 0
        self.trade_id_last = 0
        self.fills_total = 0
        self.foreign_fills_total = 0
        self._booked: dict[tuple[int, int], int] = {}
        self._by_venue_id: dict[int, Order] = {}
        self._strays: dict[int, Stray] = {}
        self._outbox = outbox
        self._finished_max = finished_max
        self._tombstone_ns = tombstone_ns
        self._stale = True
        self._exposure = Exposure()

    @property
    def exposure(self) -> Exposure:
        """What our orders may still do, summed up to now."""
        if self._stale:
            self._exposure = Exposure()
            self._exposure.count(self.live.values())
            self._stale = False
        return self._exposure

    def worst_case_lots(self, side: Side) -> int:
        """How far the position can go towards `side`, positive in that direction; sides are never netted."""
        exposure = self.exposure
        return self.position_lots + exposure.buy_lots if side is _BUY else exposure.sell_lots - self.position_lots

    def touch(self) -> None:
        """Say that an order changed, so that sums are made anew."""
        self._stale = True

    def add(self, order: Order) -> None:
        """Take a new intent; it counts from now on."""
        assert order.client_order_id not in self.live and order.client_order_id not in self.finished
        self.live[order.client_order_id] = order
        if not self._stale:
            self._exposure.count((order,))

    def find(self, client_order_id: str, venue_order_id: int = 0) -> Order | None:
        """An order by our id or the venue's, finished ones included while they are remembered."""
        order = self.live.get(client_order_id) or self.finished.get(client_order_id)
        if order is None and client_order_id in self.tombstones:
            return self.tombstones[client_order_id].order
        return order or (self._by_venue_id.get(venue_order_id) if venue_order_id else None)

    def report(self, order: Order, report: OrderReport) -> bool:
        """Apply what the venue says of an order. False when it told of executions that we have not booked."""
        self._link(order, report.venue_order_id)
        if report.status is OrderStatus.REJECTED:
            self.reject(order, 0, "rejected by the venue", report.venue_time_ns)
            return True
        self._accept(order, report.venue_time_ns)
        if not order.is_terminal:
            self._take_terms(order, report.price_ticks, report.quantity_lots, report.venue_time_ns)
        order.venue_time_ns = max(order.venue_time_ns, report.venue_time_ns)
        order.reported_lots = max(order.reported_lots, report.filled_lots)
        self._advance(order, STATE_OF[report.status], report)
        self.settle(order)
        return order.booked_lots >= order.reported_lots

    def amending(self, order: Order, amendment: Amendment) -> None:
        """New terms are about to be asked for: from now on both count."""
        assert order.amendment is None
        order.amendment = amendment
        order.moved_ns = amendment.sent_ns
        self._stale = True

    def amended(self, order: Order, report: AmendmentReport) -> None:
        """Apply the venue's record of an amendment."""
        if not order.is_terminal:
            self._take_terms(order, report.price_ticks, report.quantity_lots, report.venue_time_ns)

    def unamended(self, order: Order) -> None:
        """What was asked for has certainly not been done, or its effect is known: the terms that we know hold alone."""
        order.amendment = None
        self._stale = True
        self._advance_filled(order)
        self.settle(order)

    def refuse(self, order: Order, state: OrderState) -> None:
        """End an order that never reached the venue."""
        order.move(state)
        self.settle(order)

    def reject(
        self, order: Order, venue_code: int, text: str, venue_time_ns: int, *, presumed_dead: bool = False
    ) -> None:
        """End an order that the venue refused, or of which it was proven that it does not exist."""
        if order.move(OrderState.REJECTED):
            self._outbox.event(
                OrderRejected,
                instrument_id=self.instrument_id,
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                venue_time_ns=venue_time_ns,
                side=order.side,
                venue_code=venue_code,
                text=text,
                presumed_dead=presumed_dead,
                intent_id=order.intent_id,
            )
        self.settle(order)

    def doubt(self, order: Order, reason: str) -> bool:
        """A submit without an answer: its full size counts until evidence ends it. Whether this was news."""
        if not order.move(OrderState.UNKNOWN):
            return False
        order.in_doubt = True
        self._stale = True
        self._outbox.event(
            OrderUnknown,
            instrument_id=self.instrument_id,
            client_order_id=order.client_order_id,
            venue_order_id=0,
            venue_time_ns=order.venue_time_ns,
            side=order.side,
            price_ticks=order.price_ticks,
            quantity_lots=order.lots,
            reason=reason,
            intent_id=order.intent_id,
        )
        return True

    def bury(self, order: Order, venue_time_ns: int, now_ns: int) -> None:
        """Presume an order dead; its id stays in a tombstone so that a return is noticed."""
        text = "presumed dead: past its deadline, unknown to every list of the venue"
        self.reject(order, 0, text, venue_time_ns, presumed_dead=True)
        self.entomb(order, now_ns + self._tombstone_ns)

    def entomb(self, order: Order, until_ns: int = 0) -> None:
        """Remember an order that was presumed dead, however many others end after it."""
        self.finished.pop(order.client_order_id, None)
        self.tombstones[order.client_order_id] = Tombstone(order, until_ns)
        if len(self.tombstones) > self._finished_max:
            del self.tombstones[next(iter(self.tombstones))]

    def rise(self, order: Order, report: OrderReport) -> bool:
        """An order taken for dead was accepted after all: it counts again. False when executions of it are missing."""
        self.tombstones.pop(order.client_order_id, None)
        self.finished.pop(order.client_order_id, None)
        order.revive()
        self.live[order.client_order_id] = order
        return self.report(order, report)

    def forget_tombstones(self, now_ns: int) -> None:
        """Drop tombstones whose hour is over."""
        for client_order_id, (order, until_ns) in list(self.tombstones.items()):
            if until_ns == 0:
                self.tombstones[client_order_id] = Tombstone(order, now_ns + self._tombstone_ns)
            elif until_ns <= now_ns:
                del self.tombstones[client_order_id]

    def book(
        self, fill: FillReport, client_order_id: str, forced: bool = False, total_lots: int = 0, is_ours: bool = False
    ) -> bool:
        """Count an execution once, whoever caused it (`forced`: the venue's own order did). Whether it was news.

        `total_lots` is the order's quantity where the venue told it with the execution, else 0. `is_ours`: by its id the order is of an
        earlier life, even where no table holds it.
        """
        key = (fill.trade_id, fill.venue_order_id)
        if fill.trade_id <= self.booked_upto or key in self._booked:
            return False
        order = self.find(client_order_id, fill.venue_order_id)
        self._remember(key, fill)
        self.position_lots += fill.side.sign * fill.quantity_lots
        remaining_lots = 0
        if order is not None:
            self._link(order, fill.venue_order_id)
            self._accept(order, fill.venue_time_ns)
            order.booked_lots += fill.quantity_lots
            order.reported_lots = max(order.reported_lots, order.booked_lots)
            # Of the quantity that the venue has said: one that is merely asked for may never be.
            is_newer = total_lots > 0 and fill.venue_time_ns >= order.terms_venue_ns
            lots = total_lots if is_newer else order.lots
            remaining_lots = 0 if order.is_terminal else max(lots - order.booked_lots, 0)
        elif not is_ours:
            self.foreign_fills_total += 1
            stray = self._strays.get(fill.venue_order_id, Stray(0, bool(client_order_id)))
            self._strays[fill.venue_order_id] = stray._replace(lots=stray.lots + fill.quantity_lots)
            if len(self._strays) > self._finished_max:
                del self._strays[next(iter(self._strays))]
        self.fills_total += 1
        self._stale = True
        self._outbox.event(
            OrderFilled,
            instrument_id=self.instrument_id,
            client_order_id=order.client_order_id if order is not None else client_order_id if is_ours else "",
            venue_order_id=fill.venue_order_id,
            venue_time_ns=fill.venue_time_ns,
            side=fill.side,
            trade_id=fill.trade_id,
            price_ticks=fill.price_ticks,
            quantity_lots=fill.quantity_lots,
            remaining_lots=remaining_lots,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
            maker=fill.maker,
            ours=order is not None or is_ours,
            forced=forced,
            intent_id=order.intent_id if order is not None else "",
        )
        if order is not None:
            self._advance_filled(order)
            self.settle(order)
        return True

    @property
    def strays(self) -> list[int]:
        """Orders, by the venue's id, that were executed and may be ours."""
        return [venue_order_id for venue_order_id, stray in self._strays.items() if not stray.named]

    def name_stray(self, venue_order_id: int) -> int:
        """It is known now whose an executed order is; the lots of it that nobody could name before."""
        stray = self._strays.get(venue_order_id)
        if stray is None or stray.named:
            return 0
        self._strays[venue_order_id] = stray._replace(named=True)
        return stray.lots

    def skip(self, fill: FillReport) -> None:
        """Remember an execution that the adopted position contains already."""
        self._remember((fill.trade_id, fill.venue_order_id), fill)

    def orders(self) -> list[Order]:
        """Every order that is remembered, each once."""
        buried = [tombstone.order for tombstone in self.tombstones.values()]
        return list({id(order): order for order in (*self.live.values(), *self.finished.values(), *buried)}.values())

    def recount(self, position_lots: int, lots: Fraction) -> None:
        """A lot is worth `lots` new ones from now on; the caller has converted the orders and the position."""
        self.position_lots = position_lots
        self._strays = {key: stray._replace(lots=math.floor(stray.lots * lots)) for key, stray in self._strays.items()}
        self._stale = True

    def adopt(self, position_lots: int) -> None:
        """Take the venue's position over ours."""
        self.position_lots = position_lots
        self._stale = True

    def checkpoint(self, trade_id: int) -> None:
        """Executions up to `trade_id` were read from the venue's list: forget them one by one."""
        if trade_id > self.booked_upto:
            self.booked_upto = trade_id
            self._booked = {key: value for key, value in self._booked.items() if key[0] > trade_id}

    def restore_fill(self, trade_id: int, venue_order_id: int, signed_lots: int, order: Order | None) -> bool:
        """Count an execution of an earlier incarnation, from the journal; whether it was news."""
        if trade_id <= self.booked_upto or (trade_id, venue_order_id) in self._booked:
            return False
        self._booked[trade_id, venue_order_id] = 0
        self.trade_id_last = max(self.trade_id_last, trade_id)
        self.position_lots += signed_lots
        if order is not None:
            order.booked_lots += abs(signed_lots)
            order.reported_lots = max(order.reported_lots, order.booked_lots)
        self._stale = True
        return True

    def restore_booked(self, booked_upto: int, trade_id_last: int, booked: tuple[tuple[int, int], ...]) -> None:
        """Take over which executions are in the position."""
        self.booked_upto, self.trade_id_last = booked_upto, trade_id_last
        self._booked = dict.fromkeys(booked, 0)

    def booked_keys(self) -> tuple[tuple[int, int], ...]:
        """Executions known one by one, as (trade id, venue order id)."""
        return tuple(self._booked)

    def restore(self, order: Order) -> None:
        """Take a live order of a checkpoint."""
        self.add(order)
        if order.venue_order_id:
            self._by_venue_id[order.venue_order_id] = order

    def restore_link(self, order: Order, venue_order_id: int) -> None:
        """Join an order of an earlier incarnation with the venue's id."""
        self._link(order, venue_order_id)

    def _remember(self, key: tuple[int, int], fill: FillReport) -> None:
        self._booked[key] = fill.venue_time_ns
        self.trade_id_last = max(self.trade_id_last, fill.trade_id)
        if len(self._booked) > BOOKED_MAX:
            del self._booked[next(iter(self._booked))]

    def _link(self, order: Order, venue_order_id: int) -> None:
        if not venue_order_id or order.venue_order_id:
            return
        order.venue_order_id = venue_order_id
        self._by_venue_id[venue_order_id] = order
        order.booked_lots += self._strays.pop(venue_order_id, Stray(0)).lots
        order.reported_lots = max(order.reported_lots, order.booked_lots)
        self._stale = True

    def _accept(self, order: Order, venue_time_ns: int) -> None:
        if order.accepted:
            return
        order.accepted = True
        order.terms_venue_ns = venue_time_ns
        order.cancel_again_ns = 0
        order.move(OrderState.NEW)
        self._stale = True
        self._outbox.event(
            OrderAccepted,
            instrument_id=self.instrument_id,
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            venue_time_ns=venue_time_ns,
            side=order.side,
            price_ticks=order.price_ticks,
            quantity_lots=order.lots,
            intent_id=order.intent_id,
            filled_lots=order.booked_lots,
        )

    def _take_terms(self, order: Order, price_ticks: int, lots: int, venue_time_ns: int) -> None:
        """Take price and total quantity as the venue states them, unless we know newer ones."""
        amendment = order.amendment
        is_asked = amendment is not None and (price_ticks, lots) == (amendment.price_ticks, amendment.lots)
        is_older = venue_time_ns < order.terms_venue_ns
        if is_older or lots <= 0 or (venue_time_ns == order.terms_venue_ns and not is_asked):
            return
        if is_asked:
            order.amendment, self._stale = None, True
        if (price_ticks, lots) == (order.price_ticks, order.lots):
            order.terms_venue_ns = venue_time_ns
            return
        order.price_ticks, order.lots, order.terms_venue_ns = price_ticks, lots, venue_time_ns
        self._stale = True
        self._outbox.event(
            OrderAmended,
            instrument_id=self.instrument_id,
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            venue_time_ns=venue_time_ns,
            side=order.side,
            price_ticks=order.price_ticks,
            quantity_lots=order.lots,
            filled_lots=order.booked_lots,
            intent_id=order.intent_id,
        )

    def _advance(self, order: Order, state: OrderState, report: OrderReport) -> None:
        if not order.move(state):
            return
        self._stale = True
        if state is OrderState.CANCELED:
            self._outbox.event(
                OrderCanceled,
                instrument_id=self.instrument_id,
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                venue_time_ns=report.venue_time_ns,
                side=order.side,
                filled_lots=order.reported_lots,
                intent_id=order.intent_id,
            )
        elif state is OrderState.EXPIRED:
            self._outbox.event(
                OrderExpired,
                instrument_id=self.instrument_id,
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                venue_time_ns=report.venue_time_ns,
                side=order.side,
                filled_lots=order.reported_lots,
                reason="ended by the venue",
                intent_id=order.intent_id,
            )

    def _advance_filled(self, order: Order) -> None:
        if order.booked_lots:
            is_full = order.booked_lots >= order.most_lots
            order.move(OrderState.FILLED if is_full else OrderState.PARTIALLY_FILLED)

    def settle(self, order: Order) -> None:
        """Move an order that is over, with every execution booked, to the finished ones."""
        self._stale = True
        if not order.is_settled or order.client_order_id not in self.live:
            return
        order.in_doubt = False
        order.cancel_wanted = False
        order.cancel_request_id = 0
        if order.state is OrderState.FILLED and order.most_lots > order.booked_lots:
            self._outbox.append(FilledAmidAmendment(client_order_id=order.client_order_id))
        order.amendment = None
        del self.live[order.client_order_id]
        self.finished[order.client_order_id] = order
        while len(self.finished) > self._finished_max:
            oldest = self.finished.pop(next(iter(self.finished)))
            self._by_venue_id.pop(oldest.venue_order_id, None)
