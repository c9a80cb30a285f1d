"""The runbook of risk names every level, indicator and denial code; that of alerts every code."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.schema.indicators import Indicator
from protocols.messages.alerts import AlertCode
from protocols.messages.orders import DenialCode
from protocols.messages.risk import RiskLevel

RUNBOOKS = Path(__file__).resolve().parents[2] / "ops" / "runbooks"


def first_cells(page: str) -> set[str]:
    rows = [line for line in (RUNBOOKS / page).read_text("utf-8").splitlines() if line.startswith("| ")]
    return {name.strip() for row in rows for name in row.split("|")[1].split(",")}


@pytest.mark.parametrize("kind", [RiskLevel, Indicator, DenialCode])
def test_every_level_indicator_and_denial_has_a_row(kind: type[RiskLevel] | type[Indicator] | type[DenialCode]) -> None:
    assert {one.value for one in kind} <= first_cells("risk.md")


def test_every_alert_has_a_row() -> None:
    assert {code.value for code in AlertCode} <= first_cells("alerts.md")
