"""What `raymaker risk` shows: levels, limits in all units, indicators with their thresholds."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from risk_monitor_rig import Driver

from ops.cli.risk import risk_tables
from ops.risk_view import IndicatorRow, LevelRow, LimitRow, risk_rows


def document() -> dict[str, Any]:
    risk = Driver().healthy()
    risk.refresh(btc_lots=100)
    risk.ask()
    shown: dict[str, Any] = msgspec.to_builtins(risk.core.snapshot())
    return shown


def test_every_limit_is_said_in_all_three_units() -> None:
    rows = risk_rows(document())
    assert LimitRow("BTCUSDC", "position", "10000.00", "0.200000", "10.000%") in rows.limits
    assert LimitRow("BTCUSDC", "order", "2000.00", "0.040000", "2.000%") in rows.limits
    assert LimitRow("account", "daily_loss", "1000.00", "-", "1.000%") in rows.limits


def test_an_indicator_is_shown_with_its_thresholds_and_what_it_is_beyond() -> None:
    rows = risk_rows(document())
    assert IndicatorRow("BTCUSDC", "position", "0.5", "of its limit", "0.95", "1", "") in rows.indicators
    assert (
        IndicatorRow("account", "gross_exposure", "0.1", "of the account's limit", "0.95", "1", "") in rows.indicators
    )


def test_levels_come_first_for_the_account_then_for_each_symbol() -> None:
    assert [row[:3] for row in risk_rows(document()).levels] == [
        ("account", "NORMAL", "ACTIVE"),
        ("BTCUSDC", "NORMAL", "ACTIVE"),
        ("ETHUSDC", "NORMAL", "ACTIVE"),
    ]


def test_without_a_risk_monitor_nothing_is_shown() -> None:
    assert risk_rows({}) == ([], [], [], [])


def test_what_holds_a_subject_back_beside_its_level_is_said() -> None:
    document = {
        "level": "HALTED",
        "breakers": {"losses": "OPEN: 0.35% of equity was lost within 60 s"},
        "latches": {"BTCUSDC": "held by a person: news"},
        "symbols": {"BTCUSDC": {"guard": "quotes live at least 2000 ms", "differing_orders": ["a", "b"]}},
    }
    assert risk_rows(document).remarks == [
        ("losses", "breaker", "OPEN: 0.35% of equity was lost within 60 s"),
        ("BTCUSDC", "latched or held", "held by a person: news"),
        ("BTCUSDC", "behaviour guard", "quotes live at least 2000 ms"),
        ("BTCUSDC", "orders that differ", "2: a, b"),
    ]


def test_the_tables_name_every_indicator() -> None:
    console = Console(width=200, record=True)
    console.print(risk_tables(document()))
    text = console.export_text()
    assert "correlated_exposure" in text and "of its limit" in text and LevelRow._fields[1] in text
