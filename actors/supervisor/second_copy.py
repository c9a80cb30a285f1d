"""What inventory's copy of a shard's events says of its positions, for an order manager that is started on a node without its journal."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from protocols.envelope import Message
from protocols.messages.orders import InstrumentTaken, OrderFilled, VenuePosition
from protocols.values import InstrumentId


def newest_positions(copy: Iterable[Message]) -> tuple[InstrumentTaken | VenuePosition, ...]:
    """Of each symbol the last position on which we and the venue agreed, moved on by every execution after it, each once.

    The units that it counts in come first. A position that is no whole number of newer units is left out: the venue's word is left.

    Args:
        copy: events of one shard, oldest first.
    """
    agreed: dict[InstrumentId, VenuePosition] = {}
    booked: set[tuple[InstrumentId, int, int]] = set()
    units: dict[InstrumentId, InstrumentTaken] = {}
    for event in copy:
        match event:
            case InstrumentTaken(instrument_id=instrument_id):
                before, position = units.get(instrument_id), agreed.pop(instrument_id, None)
                units[instrument_id] = event
                quantity = before.instrument.quantity(position.position_lots) if before and position else None
                if position is not None and (quantity is None or event.instrument.is_whole(quantity)):
                    lots = position.position_lots if quantity is None else event.instrument.exact_lots(quantity)
                    agreed[instrument_id] = msgspec.structs.replace(position, position_lots=lots)
            case VenuePosition(agreed_trade_id=int()):
                agreed[event.instrument_id] = event
            case OrderFilled(instrument_id=instrument_id, trade_id=trade_id, venue_order_id=venue_order_id):
                known = agreed.get(instrument_id)
                execution = (instrument_id, trade_id, venue_order_id)
                is_news = known is not None and trade_id > (known.agreed_trade_id or 0) and execution not in booked
                if known is not None and is_news:
                    booked.add(execution)
                    agreed[instrument_id] = msgspec.structs.replace(
                        known, position_lots=known.position_lots + event.side.sign * event.quantity_lots
                    )
            case _:
                pass
    last: dict[InstrumentId, int] = {}
    for instrument_id, trade_id, _ in booked:
        last[instrument_id] = max(trade_id, last.get(instrument_id, 0))
    positions = [
        msgspec.structs.replace(
            position, agreed_trade_id=max(position.agreed_trade_id or 0, last.get(instrument_id, 0))
        )
        for instrument_id, position in sorted(agreed.items())
    ]
    return (*(units[instrument_id] for instrument_id in sorted(agreed) if instrument_id in units), *positions)
