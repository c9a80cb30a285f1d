"""The runbook of risk names every level, indicator and denial code; that of alerts every code."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.risk_monitor.breaker_board import BreakerBoard
from configs.schema import BreakerSettings
from configs.schema.indicators import KINDS, Indicator
from protocols.messages.alerts import AlertCode
from protocols.messages.orders import DenialCode
from protocols.messages.risk import RiskLevel
from protocols.values import InstrumentId

RUNBOOKS = Path(__file__).resolve().parents[2] / "ops" / "runbooks"


def rows(page: str) -> list[list[str]]:
    lines = [line for line in (RUNBOOKS / page).read_text("utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def first_cells(page: str) -> set[str]:
    return {name.strip() for cells in rows(page) for name in cells[0].split(",")}


@pytest.mark.parametrize("kind", [RiskLevel, Indicator, DenialCode])
def test_every_level_indicator_and_denial_has_a_row(kind: type[RiskLevel] | type[Indicator] | type[DenialCode]) -> None:
    assert {one.value for one in kind} <= first_cells("risk.md")


def written(threshold: float | None, level: RiskLevel, by_guard: bool) -> str:
    return "" if threshold is None else f"{threshold:g}: {'guard' if by_guard else level}"


@pytest.mark.parametrize("indicator", list(Indicator))
def test_an_indicator_has_a_warning_and_a_limit_and_its_row_says_the_thresholds_that_hold(indicator: Indicator) -> None:
    kind, threshold = KINDS[indicator], KINDS[indicator].default
    assert threshold.warning is not None and threshold.limit is not None
    (row,) = [cells for cells in rows("risk.md") if cells[0] == indicator.value and len(cells) == 7]
    unit = f"{kind.unit} (below)" if kind.less_is_worse else kind.unit
    assert row[2:5] == [
        unit,
        written(threshold.warning, threshold.at_warning, kind.by_guard),
        written(threshold.limit, threshold.at_limit, kind.by_guard),
    ]
    assert all(row[5:]), "what it is, and what to do"


def test_every_breaker_has_a_row_with_what_is_on_file() -> None:
    on_file = {cells[0].removesuffix(" (of a symbol)"): cells[1] for cells in rows("risk.md")}
    instrument_id = InstrumentId("binance_usdm:main:BTCUSDC")
    for name, number in BreakerBoard([instrument_id], BreakerSettings()).numbers().items():
        assert on_file[name] == number


def test_every_alert_has_a_row() -> None:
    assert {code.value for code in AlertCode} <= first_cells("alerts.md")
