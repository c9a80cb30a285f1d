"""The last step of a new order, whoever wanted it: journal its intent, then send it."""

from __future__ import annotations

from actors.order_manager.gate import Limits
from actors.order_manager.orders import Order
from actors.order_manager.shard import Shard
from actors.order_manager.symbol import Symbol
from protocols.messages.journal import OrderIntended


def place(
    shard: Shard, symbol: Symbol, order: Order, limits: Limits, book_update_id: int, book_age_ns: int, now_ns: int
) -> None:
    """Count, journal and send an order that has passed every check.

    Args:
        book_update_id, book_age_ns: of the book that priced it.
    """
    table, instrument, top = symbol.table, symbol.instrument, symbol.top
    assert top is not None
    table.add(order)
    shard.outbox.append(
        OrderIntended(
            instrument_id=symbol.instrument_id,
            instrument_version=instrument.version,
            client_order_id=order.client_order_id,
            side=order.side,
            price=symbol.exact_price(order.price_ticks),
            quantity=instrument.quantity(order.lots),
            price_ticks=order.price_ticks,
            quantity_lots=order.lots,
            time_in_force=order.time_in_force,
            reduce_only=order.reduce_only,
            venue_time_ns=order.venue_time_ns,
            deadline_venue_ns=order.deadline_venue_ns,
            decided_ns=now_ns,
            book_update_id=book_update_id,
            book_age_ns=book_age_ns,
            book_age_ns_max=shard.gate.book_age_ns_max,
            best_bid_ticks=top.bids[0][0],
            best_ask_ticks=top.asks[0][0],
            worst_case_lots=table.worst_case_lots(order.side),
            limit_lots=limits.position_lots_max,
            lease_nonce=shard.lease.nonce,
            intent_id=order.intent_id,
        )
    )
    shard.desk.place(symbol.instrument_id, order, now_ns)
