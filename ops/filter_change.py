"""Filters that changed between two runs on one state directory.

Journals hold prices and quantities in ticks and lots. With new bounds an instrument gets its next version and the run goes on; with
another tick or lot the old integers would mean something else, so such a start is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from protocols.messages.control import SystemPlan
from protocols.values import Instrument


class UnitsChanged(Exception):
    """A tick or a lot is not what the journals of this state directory were written in; the text says what to do."""


def versioned(found: Mapping[str, Instrument], earlier: SystemPlan | None) -> dict[str, Instrument]:
    """The instruments that the venue lists now, by symbol, each with the version that follows from the earlier run's.

    Raises:
        UnitsChanged: the earlier run counted in other ticks or lots.
    """
    if earlier is None:
        return dict(found)
    before = {one.instrument_id: one for child in earlier.children for one in child.spec.instruments}
    changed = [
        f"{symbol} had a tick of {was.tick_size:f} and a lot of {was.lot_size:f}, now {now.tick_size:f} and {now.lot_size:f}"
        for symbol, now in found.items()
        if (was := before.get(now.instrument_id)) is not None
        and (was.tick_size, was.lot_size) != (now.tick_size, now.lot_size)
    ]
    if changed:
        raise UnitsChanged(
            f"the venue changed its units: {'; '.join(changed)}. The journals in {earlier.state_dir} count in the old ones: start with "
            "another --state; orders and positions are then read from the venue, and the trading day begins anew"
        )
    return {symbol: _versioned(now, before.get(now.instrument_id)) for symbol, now in found.items()}


def _versioned(now: Instrument, was: Instrument | None) -> Instrument:
    if was is None:
        return now
    same = msgspec.structs.replace(now, version=was.version)
    return same if same == was else msgspec.structs.replace(now, version=was.version + 1)
