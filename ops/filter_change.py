"""Filters that changed between two runs on one state directory.

Each change gives an instrument its next version. Journals name the units that they count in, so that a run in other ticks or lots goes on
from them: every actor converts what it loads (actors/order_manager/units.py), exactly or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from protocols.messages.control import SystemPlan
from protocols.values import Instrument, InstrumentId


def versioned(found: Mapping[str, Instrument], earlier: SystemPlan | None) -> dict[str, Instrument]:
    """The instruments that the venue lists now, by symbol, each with the version that follows from the earlier run's."""
    before = _instruments(earlier)
    return {symbol: _versioned(now, before.get(now.instrument_id)) for symbol, now in found.items()}


def changed_units(found: Mapping[str, Instrument], earlier: SystemPlan | None) -> list[str]:
    """A sentence for each symbol that counted in other ticks or lots in the earlier run."""
    before = _instruments(earlier)
    return [
        f"the venue changed the units of {symbol}: a tick of {was.tick_size:f} and a lot of {was.lot_size:f} became "
        f"{now.tick_size:f} and {now.lot_size:f}; what the journals hold is converted"
        for symbol, now in found.items()
        if (was := before.get(now.instrument_id)) is not None and not was.counts_as(now)
    ]


def _instruments(plan: SystemPlan | None) -> dict[InstrumentId, Instrument]:
    if plan is None:
        return {}
    return {one.instrument_id: one for child in plan.children for one in child.spec.instruments}


def _versioned(now: Instrument, was: Instrument | None) -> Instrument:
    if was is None:
        return now
    same = msgspec.structs.replace(now, version=was.version)
    return same if same == was else msgspec.structs.replace(now, version=was.version + 1)
