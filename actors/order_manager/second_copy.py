"""Without a journal: what inventory's copy of our events gives back, as records of a journal.

It knows executions and positions, no intents. What was sent and never heard of again is covered by the fence of every start, and found
among the venue's open orders and executions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from protocols.envelope import Message
from protocols.messages.journal import PositionAdopted
from protocols.messages.orders import InstrumentTaken, OrderFilled, VenuePosition


def records_of(copy: Iterable[Message]) -> Iterator[PositionAdopted | OrderFilled | InstrumentTaken]:
    """Positions on which we and the venue had agreed, and the executions since, with their units.

    Args:
        copy: events of this shard, oldest first.
    """
    for event in copy:
        match event:
            case VenuePosition() if event.agreed_trade_id is not None:
                yield PositionAdopted(
                    instrument_id=event.instrument_id,
                    position_lots=event.position_lots,
                    entry_price=event.entry_price,
                    trade_id_last=event.agreed_trade_id,
                    venue_time_ns=event.venue_time_ns,
                )
            case OrderFilled() | InstrumentTaken():
                yield event
            case _:
                pass
