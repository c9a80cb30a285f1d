"""A start after the venue changed filters: new bounds are a new version, other units are refused with what to do."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from order_manager_rig import BTC, ETH, instrument, spec

from ops.filter_change import UnitsChanged, versioned
from protocols.messages.control import ChildSpec, SystemPlan
from protocols.values import Instrument


def plan(*instruments: Instrument) -> SystemPlan:
    child = ChildSpec(
        spec=msgspec.structs.replace(spec(), instruments=instruments),
        shell="actors.x:Y",
        start_order=1,
        replaceable=True,
    )
    return SystemPlan(children=(child, child), settings_json="{}", epoch_floor=0, state_dir="/state")


def test_the_first_start_takes_the_instruments_as_they_are() -> None:
    assert versioned({"BTCUSDC": instrument()}, None) == {"BTCUSDC": instrument()}


def test_filters_that_stayed_keep_the_version_of_the_earlier_run() -> None:
    earlier = plan(instrument(version=4))
    assert versioned({"BTCUSDC": instrument()}, earlier) == {"BTCUSDC": instrument(version=4)}


def test_another_bound_is_the_next_version() -> None:
    earlier = plan(instrument(version=4))
    now = instrument(notional_min=Decimal(50))
    assert versioned({"BTCUSDC": now}, earlier) == {"BTCUSDC": instrument(version=5, notional_min=Decimal(50))}


def test_a_symbol_that_is_new_begins_at_its_first_version() -> None:
    earlier = plan(instrument(version=4))
    assert versioned({"ETHUSDC": instrument(ETH)}, earlier) == {"ETHUSDC": instrument(ETH)}


@pytest.mark.parametrize("changes", [{"tick_size": Decimal("0.01")}, {"lot_size": Decimal("0.0001")}])
def test_another_tick_or_lot_is_refused_for_the_journals_count_in_the_old_one(changes: dict[str, Decimal]) -> None:
    now = instrument(**changes)
    with pytest.raises(UnitsChanged) as caught:
        versioned({"BTCUSDC": now, "ETHUSDC": instrument(ETH)}, plan(instrument(BTC), instrument(ETH)))
    assert str(caught.value) == (
        "the venue changed its units: BTCUSDC had a tick of 0.1 and a lot of 0.001, "
        f"now {now.tick_size:f} and {now.lot_size:f}. The journals in /state count in the old ones: start with another --state; "
        "orders and positions are then read from the venue, and the trading day begins anew"
    )


def test_the_same_units_written_otherwise_are_the_same() -> None:
    now = instrument(tick_size=Decimal("0.10"), lot_size=Decimal("0.00100"))
    assert versioned({"BTCUSDC": now}, plan(instrument(version=4)))["BTCUSDC"].version == 4
