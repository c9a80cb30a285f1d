"""Books are exact decimals: events count in the units that their stream names, positions are said in those of this life."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from account_samples import BTC, START_NS, VENUE_OFFSET_NS, S, fill, settings, spec, venue_position

from actors.inventory.core import InventoryCore
from protocols.effects import Append
from protocols.messages.orders import InstrumentTaken, VenuePosition
from protocols.values import Instrument, Side

OLD = next(one for one in spec("inventory").instruments if one.instrument_id == BTC)
FINER = msgspec.structs.replace(OLD, version=2, lot_size=OLD.lot_size / 10, tick_size=OLD.tick_size / 10)
COARSER = msgspec.structs.replace(OLD, version=2, lot_size=OLD.lot_size * 2)


def taken(event_seq: int, instrument: Instrument, lots: int) -> InstrumentTaken:
    return InstrumentTaken(
        shard=0,
        event_seq=event_seq,
        instrument_id=BTC,
        instrument=instrument,
        position_lots=lots,
        venue_time_ns=START_NS + VENUE_OFFSET_NS,
    )


class Life:
    """One life of inventory, which lists BTC as `instrument`."""

    def __init__(self, instrument: Instrument = OLD, journal: list[Any] | None = None) -> None:
        mine = spec("inventory")
        others = tuple(one for one in mine.instruments if one.instrument_id != BTC)
        self.core = InventoryCore(
            msgspec.structs.replace(mine, instruments=(instrument, *others)), settings(), journal or []
        )
        self.journal = list(journal or [])
        self._note(self.core.start(START_NS))

    def tell(self, *events: Any) -> Life:
        for event in events:
            self._note(self.core.handle(event, START_NS + 10 * S))
        return self

    def _note(self, effects: list[Any]) -> None:
        self.journal += [effect.record for effect in effects if isinstance(effect, Append)]

    def position(self) -> tuple[str, int, bool]:
        view = self.core.snapshot().symbols["BTCUSDC"]
        return view.position, view.position_lots, view.known


def opened(lots: int) -> Life:
    """A life whose position the venue has confirmed before it grew."""
    life = Life().tell(taken(1, OLD, 0), venue_position(2, 0))
    return life.tell(fill(3, Side.BUY, lots, 500_000))


def test_a_position_is_the_same_quantity_in_the_lots_of_the_next_life() -> None:
    life = Life(FINER, opened(12).journal)
    quantity = OLD.quantity(12)
    assert life.position() == (f"{quantity:f}", 120, True)
    assert life.core.snapshot().symbols["BTCUSDC"].average_price == "50000"


def test_events_of_the_old_units_that_come_late_are_booked_in_them() -> None:
    life = Life(FINER, opened(12).journal)
    life.tell(fill(4, Side.BUY, 1, 500_000), taken(5, FINER, 130), fill(6, Side.BUY, 5, 5_000_000))
    assert life.position()[1] == 135


def test_a_restart_after_the_change_reads_each_event_in_its_units() -> None:
    life = Life(FINER, opened(12).journal).tell(taken(4, FINER, 120), fill(5, Side.SELL, 20, 5_000_000))
    assert Life(FINER, life.journal).position()[1] == 100
    assert Life(FINER, life.journal[-2:]).core.snapshot().symbols["BTCUSDC"].position_lots == -20


def test_the_venues_word_in_old_units_is_understood_in_ours() -> None:
    life = Life(FINER, opened(12).journal)
    late: VenuePosition = msgspec.structs.replace(
        venue_position(4, 12), venue_time_ns=START_NS + VENUE_OFFSET_NS + 20 * S
    )
    assert life.tell(late).position()[1:] == (120, True)


def test_a_position_that_is_no_whole_number_of_the_new_lots_is_not_known() -> None:
    life = Life(COARSER, opened(13).journal)
    assert life.position() == (f"{OLD.quantity(13):f}", 6, False)
    assert Decimal(life.core.snapshot().symbols["BTCUSDC"].position) == OLD.quantity(13)
