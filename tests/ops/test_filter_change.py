"""A start after the venue changed filters: every change is a new version, and other units are told."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from order_manager_rig import BTC, ETH, instrument, spec

from ops.filter_change import changed_units, versioned
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
def test_another_tick_or_lot_is_the_next_version_too_and_is_told(changes: dict[str, Decimal]) -> None:
    now = instrument(**changes)
    found, earlier = {"BTCUSDC": now, "ETHUSDC": instrument(ETH)}, plan(instrument(BTC), instrument(ETH))
    assert versioned(found, earlier)["BTCUSDC"] == instrument(version=2, **changes)
    assert changed_units(found, earlier) == [
        "the venue changed the units of BTCUSDC: a tick of 0.1 and a lot of 0.001 became "
        f"{now.tick_size:f} and {now.lot_size:f}; what the journals hold is converted"
    ]


def test_what_did_not_change_is_not_told() -> None:
    assert changed_units({"BTCUSDC": instrument(notional_min=Decimal(50))}, plan(instrument(BTC))) == []
    assert changed_units({"BTCUSDC": instrument()}, None) == []


def test_the_same_units_written_otherwise_are_the_same() -> None:
    now = instrument(tick_size=Decimal("0.10"), lot_size=Decimal("0.00100"))
    assert versioned({"BTCUSDC": now}, plan(instrument(version=4)))["BTCUSDC"].version == 4
