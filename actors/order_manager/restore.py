"""Loading what earlier incarnations journaled: orders, executions, positions, and the number of the last event."""

from __future__ import annotations

from actors.order_manager.orders import Amendment, Order, OrderState
from actors.order_manager.shard import Shard
from actors.order_manager.units import count_in
from protocols.client_order_id import parse_client_order_id
from protocols.envelope import Message
from protocols.messages.journal import AmendIntended, FilledAmidAmendment, OrderIntended, OrderNotSent, PositionAdopted
from protocols.messages.orders import (
    AnyAccountEvent,
    InstrumentTaken,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)


class Restorer:
    """Folds the journal's records, oldest first, into a shard that has not started. Loading twice changes nothing."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    def take(self, record: Message) -> None:
        """Take one record."""
        if isinstance(record, OrderEvent | AnyAccountEvent):
            if record.event_seq <= self._shard.outbox.event_seq:
                return
            self._shard.outbox.event_seq = record.event_seq
        if isinstance(record, OrderIntended | OrderEvent) and (intent_id := getattr(record, "intent_id", "")):
            self._shard.intents.note(intent_id, record.venue_time_ns)
        match record:
            case OrderIntended():
                self._intended(record)
            case AmendIntended():
                self._amend_intended(record)
            case OrderNotSent():
                self._not_sent(record)
            case FilledAmidAmendment():
                self._filled_amid_amendment(record)
            case PositionAdopted():
                self._adopted(record)
            case InstrumentTaken():
                symbol = self._shard.symbols.get(record.instrument_id)
                if symbol is not None:
                    count_in(symbol, record.instrument, self._shard.outbox)
            case OrderFilled():
                self._filled(record)
            case OrderEvent():
                self._changed(record)
            case _:
                pass

    def finish(self) -> None:
        """Orders without an end in the journal may live: they count, and their fate will be asked. All count in today's units now."""
        for symbol in self._shard.symbols.values():
            symbol.halted = count_in(symbol, self._shard.instruments[symbol.instrument_id], self._shard.outbox)
            for order in symbol.table.live.values():
                order.move(OrderState.UNKNOWN)
                self._shard.amend_doubts.add(symbol.instrument_id, order, 0)
            symbol.table.touch()

    def _intended(self, record: OrderIntended) -> None:
        shard = self._shard
        shard.older_deadline_venue_ns = max(shard.older_deadline_venue_ns, record.deadline_venue_ns)
        symbol = shard.symbols.get(record.instrument_id)
        parts = parse_client_order_id(record.client_order_id)
        if symbol is None or parts is None:
            return
        identity = (parts.epoch, parts.seq)
        if identity <= symbol.newest_id:
            return
        symbol.newest_id = identity
        order = Order(
            client_order_id=record.client_order_id,
            epoch=parts.epoch,
            side=record.side,
            price_ticks=record.price_ticks,
            lots=record.quantity_lots,
            time_in_force=record.time_in_force,
            reduce_only=record.reduce_only,
            created_ns=0,
            deadline_venue_ns=record.deadline_venue_ns,
            intent_id=record.intent_id,
        )
        order.venue_time_ns = record.venue_time_ns
        symbol.table.add(order)

    def _amend_intended(self, record: AmendIntended) -> None:
        """An amendment without an end in the journal may have been done: both terms count until the venue says."""
        shard = self._shard
        shard.older_deadline_venue_ns = max(shard.older_deadline_venue_ns, record.deadline_venue_ns)
        symbol = shard.symbols.get(record.instrument_id)
        order = symbol.table.live.get(record.client_order_id) if symbol is not None else None
        if symbol is None or order is None or record.venue_time_ns < order.terms_venue_ns:
            return
        order.amendment = Amendment(
            price_ticks=record.price_ticks,
            lots=record.quantity_lots,
            venue_time_ns=record.venue_time_ns,
            deadline_venue_ns=record.deadline_venue_ns,
        )
        symbol.table.touch()

    def _not_sent(self, record: OrderNotSent) -> None:
        for symbol in self._shard.symbols.values():
            order = symbol.table.live.get(record.client_order_id)
            if order is None:
                continue
            if record.amendment:
                order.amendment = None
                symbol.table.touch()
            else:
                symbol.table.refuse(order, OrderState.DENIED)

    def _filled_amid_amendment(self, record: FilledAmidAmendment) -> None:
        for symbol in self._shard.symbols.values():
            order = symbol.table.live.get(record.client_order_id)
            if order is not None:
                order.amendment, order.lots = None, order.booked_lots
                order.move(OrderState.FILLED)
                symbol.table.settle(order)

    def _adopted(self, record: PositionAdopted) -> None:
        symbol = self._shard.symbols.get(record.instrument_id)
        if symbol is None or record.venue_time_ns <= symbol.adopted_venue_ns:
            return
        symbol.adopted_venue_ns = record.venue_time_ns
        symbol.table.adopt(record.position_lots)
        symbol.table.trade_id_last = max(symbol.table.trade_id_last, record.trade_id_last)
        symbol.table.checkpoint(record.trade_id_last)
        self._shard.syncs[record.instrument_id].has_opening = True

    def _filled(self, record: OrderFilled) -> None:
        symbol = self._shard.symbols.get(record.instrument_id)
        if symbol is None:
            return
        table = symbol.table
        order = table.find(record.client_order_id, record.venue_order_id)
        is_news = table.restore_fill(
            record.trade_id, record.venue_order_id, record.side.sign * record.quantity_lots, order
        )
        if is_news:
            self._shard.outbox.recent_fills.append(record)
        if order is not None:
            table.restore_link(order, record.venue_order_id)
            order.move(OrderState.FILLED if order.booked_lots >= order.most_lots else OrderState.PARTIALLY_FILLED)
            table.settle(order)

    def _changed(self, record: OrderEvent) -> None:
        symbol = self._shard.symbols.get(record.instrument_id)
        order = symbol.table.find(record.client_order_id, record.venue_order_id) if symbol is not None else None
        if symbol is None or order is None:
            return
        table = symbol.table
        match record:
            case OrderAccepted():
                order.accepted = True
                order.terms_venue_ns = record.venue_time_ns
                table.restore_link(order, record.venue_order_id)
                order.move(OrderState.NEW)
                if record.filled_lots:
                    order.booked_lots = max(order.booked_lots, record.filled_lots)
                    order.reported_lots = max(order.reported_lots, order.booked_lots)
                    order.move(
                        OrderState.FILLED if order.booked_lots >= order.most_lots else OrderState.PARTIALLY_FILLED
                    )
            case OrderAmended():
                order.price_ticks, order.lots = record.price_ticks, record.quantity_lots
                order.terms_venue_ns = record.venue_time_ns
                order.amendment = None
                table.touch()
            case OrderCanceled():
                order.reported_lots = max(order.reported_lots, record.filled_lots)
                order.move(OrderState.CANCELED)
            case OrderExpired():
                order.reported_lots = max(order.reported_lots, record.filled_lots)
                order.move(OrderState.EXPIRED)
            case OrderRejected():
                order.move(OrderState.REJECTED)
                table.settle(order)
                if record.presumed_dead:
                    table.entomb(order)
            case _:
                pass
        table.settle(order)
