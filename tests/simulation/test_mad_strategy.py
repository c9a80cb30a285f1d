"""A strategy that goes mad: random, huge, crossing and far quotes, without end. The account stays inside its limits."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from configs.loading import load_settings
from configs.schema import Settings
from configs.schema.limits import quote
from ops.invariants.all import check_all
from ops.simulation.house import House

POSITION_MAX = 3_000
WARM_S, MAD_S, DRAIN_S = 4, 24, 8


@pytest.mark.parametrize("seed", range(1, 5))
def test_whatever_a_mad_strategy_wants_the_account_stays_inside_its_limits(seed: int) -> None:
    house = House(demo_settings(), seed)
    house.start()
    house.run_s(WARM_S)
    house.drive_mad("strategy-0", 2 * MAD_S)
    house.run_s(MAD_S)
    house.drain()
    house.run_s(DRAIN_S)
    verdicts = {verdict.name: verdict for verdict in check_all(house.history())}
    assert {name: verdict.violations for name, verdict in verdicts.items() if verdict.violations} == {}
    assert verdicts["I6"].checked > 20, "the mad orders that are harmless are placed"
    views = house.world.core_of("risk_monitor").snapshot().symbols  # type: ignore[union-attr]
    assert all(float(view.notional) <= POSITION_MAX for view in views.values())


def demo_settings() -> Settings:
    settings = load_settings(Path(str(files("configs").joinpath("demo.yaml"))), {})
    risk = settings.risk.model_copy(
        update={"position_notional_max": quote(POSITION_MAX), "account_notional_max": quote(2 * POSITION_MAX)}
    )
    return settings.model_copy(update={"risk": risk})
