"""In which ticks and lots the records of our journals count, as the journals themselves name them."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.envelope import Message
from protocols.messages.orders import InstrumentTaken
from protocols.values import Instrument, InstrumentId, symbol_of


class Units:
    """The instrument in force at each place of the records that were shown so far; before any was named, the run's own."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._run = instruments
        self._named: dict[InstrumentId, Instrument] = {}

    def take(self, record: Message) -> None:
        """Show the next record."""
        if isinstance(record, InstrumentTaken):
            self._named[record.instrument_id] = record.instrument

    def of(self, instrument_id: InstrumentId) -> Instrument:
        """What a symbol counts in now."""
        return self._named.get(instrument_id) or self._run[symbol_of(instrument_id)]
