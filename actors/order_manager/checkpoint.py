"""A checkpoint of everything that the journal must give back, so that a start reads little and old segments may go."""

from __future__ import annotations

import msgspec

from actors.order_manager.orders import Amendment, Order, OrderState
from actors.order_manager.shard import Shard
from actors.order_manager.units import count_in
from protocols.messages.orders import OrderFilled
from protocols.values import Instrument, InstrumentId, Side, TimeInForce


class OrderSaved(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One live order. `amendment` is price, lots, time and deadline of what was asked for and not answered."""

    client_order_id: str
    epoch: int
    side: Side
    price_ticks: int
    lots: int
    time_in_force: TimeInForce
    reduce_only: bool
    deadline_venue_ns: int
    state: OrderState
    accepted: bool
    venue_order_id: int
    venue_time_ns: int
    booked_lots: int
    reported_lots: int
    terms_venue_ns: int = 0
    amendment: tuple[int, int, int, int] | None = None
    intent_id: str = ""


class SymbolSaved(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One symbol. `booked` are executions above `booked_upto`, as (trade id, venue order id); `tombstones` orders presumed dead.

    Everything in ticks and lots counts in those of `instrument`.
    """

    instrument_id: InstrumentId
    has_opening: bool
    position_lots: int
    booked_upto: int
    trade_id_last: int
    booked: tuple[tuple[int, int], ...]
    adopted_venue_ns: int
    newest_id: tuple[int, int]
    orders: tuple[OrderSaved, ...]
    tombstones: tuple[OrderSaved, ...] = ()
    instrument: Instrument | None = None


class ShardSaved(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The shard after the event `event_seq`. `fills` are the newest executions, for people to look at; `intents` the requests that were
    decided, with the venue's time of it.
    """

    event_seq: int
    older_deadline_venue_ns: int
    symbols: tuple[SymbolSaved, ...]
    fills: tuple[OrderFilled, ...] = ()
    intents: tuple[tuple[str, int], ...] = ()


def save(shard: Shard) -> bytes:
    """Everything worth keeping, encoded."""
    own_deadline = shard.desk.last_write_deadline_venue_ns
    saved = ShardSaved(
        event_seq=shard.outbox.event_seq,
        older_deadline_venue_ns=max(shard.older_deadline_venue_ns, own_deadline),
        symbols=tuple(
            SymbolSaved(
                instrument_id=symbol.instrument_id,
                has_opening=shard.syncs[symbol.instrument_id].has_opening,
                position_lots=symbol.table.position_lots,
                booked_upto=symbol.table.booked_upto,
                trade_id_last=symbol.table.trade_id_last,
                booked=symbol.table.booked_keys(),
                adopted_venue_ns=symbol.adopted_venue_ns,
                newest_id=(shard.spec.epoch, symbol.seq) if symbol.seq else symbol.newest_id,
                orders=tuple(_saved(order) for order in symbol.table.live.values()),
                tombstones=tuple(_saved(tombstone.order) for tombstone in symbol.table.tombstones.values()),
                instrument=symbol.instrument,
            )
            for symbol in shard.symbols.values()
        ),
        fills=tuple(shard.outbox.recent_fills),
        intents=shard.intents.decided(),
    )
    return msgspec.msgpack.encode(saved)


def load(shard: Shard, checkpoint: bytes) -> None:
    """Put a checkpoint into a shard that has not started; symbols of other shards are left out.

    Raises:
        msgspec.DecodeError: the bytes are no checkpoint.
    """
    saved = msgspec.msgpack.decode(checkpoint, type=ShardSaved)
    shard.outbox.event_seq = saved.event_seq
    shard.older_deadline_venue_ns = saved.older_deadline_venue_ns
    for intent_id, venue_time_ns in saved.intents:
        shard.intents.note(intent_id, venue_time_ns)
    for each in saved.symbols:
        symbol = shard.symbols.get(each.instrument_id)
        if symbol is None:
            continue
        if each.instrument is not None:
            count_in(symbol, each.instrument, shard.outbox)
        symbol.adopted_venue_ns = each.adopted_venue_ns
        symbol.newest_id = each.newest_id
        shard.syncs[each.instrument_id].has_opening = each.has_opening
        symbol.table.adopt(each.position_lots)
        symbol.table.restore_booked(each.booked_upto, each.trade_id_last, each.booked)
        for order in each.orders:
            symbol.table.restore(_loaded(order))
        for buried in each.tombstones:
            symbol.table.entomb(_loaded(buried))
    shard.outbox.recent_fills.extend(fill for fill in saved.fills if fill.instrument_id in shard.symbols)


def _saved(order: Order) -> OrderSaved:
    return OrderSaved(
        client_order_id=order.client_order_id,
        epoch=order.epoch,
        side=order.side,
        price_ticks=order.price_ticks,
        lots=order.lots,
        time_in_force=order.time_in_force,
        reduce_only=order.reduce_only,
        deadline_venue_ns=order.deadline_venue_ns,
        state=order.state,
        accepted=order.accepted,
        venue_order_id=order.venue_order_id,
        venue_time_ns=order.venue_time_ns,
        booked_lots=order.booked_lots,
        reported_lots=order.reported_lots,
        terms_venue_ns=order.terms_venue_ns,
        amendment=_terms(order.amendment),
        intent_id=order.intent_id,
    )


def _terms(amendment: Amendment | None) -> tuple[int, int, int, int] | None:
    if amendment is None:
        return None
    return amendment.price_ticks, amendment.lots, amendment.venue_time_ns, amendment.deadline_venue_ns


def _loaded(saved: OrderSaved) -> Order:
    order = Order(
        client_order_id=saved.client_order_id,
        epoch=saved.epoch,
        side=saved.side,
        price_ticks=saved.price_ticks,
        lots=saved.lots,
        time_in_force=saved.time_in_force,
        reduce_only=saved.reduce_only,
        created_ns=0,
        deadline_venue_ns=saved.deadline_venue_ns,
        intent_id=saved.intent_id,
    )
    order.move(saved.state)
    order.accepted = saved.accepted
    order.venue_time_ns = saved.venue_time_ns
    order.booked_lots = saved.booked_lots
    order.reported_lots = saved.reported_lots
    order.venue_order_id = saved.venue_order_id
    order.terms_venue_ns = saved.terms_venue_ns
    if saved.amendment is not None:
        ticks, lots, venue_ns, deadline_ns = saved.amendment
        order.amendment = Amendment(price_ticks=ticks, lots=lots, venue_time_ns=venue_ns, deadline_venue_ns=deadline_ns)
    return order
