"""Rows of `raymaker risk`, read from the one status: levels, limits in all three units, and every indicator."""

from __future__ import annotations

from typing import Any, NamedTuple

from protocols.messages.control import SystemStatus

ACCOUNT = "account"
DIFFERING_SHOWN_MAX = 5


class LevelRow(NamedTuple):
    """The level of one subject and why."""

    subject: str
    level: str
    state: str
    reason: str


class LimitRow(NamedTuple):
    """One limit in quote currency, base units, and as a share of equity."""

    subject: str
    limit: str
    quote: str
    base: str
    equity: str


class IndicatorRow(NamedTuple):
    """One indicator of one subject."""

    subject: str
    indicator: str
    value: str
    unit: str
    warning: str
    limit: str
    beyond: str


class RemarkRow(NamedTuple):
    """What else holds a subject back: a breaker, a latch, the behaviour guard, orders that differ."""

    subject: str
    remark: str
    text: str


class RiskRows(NamedTuple):
    """Everything that `raymaker risk` shows."""

    levels: list[LevelRow]
    remarks: list[RemarkRow]
    limits: list[LimitRow]
    indicators: list[IndicatorRow]


def risk_document(status: SystemStatus) -> dict[str, Any]:
    """The risk monitor's own view, as it is; empty while it is away."""
    return next((dict(actor.snapshot) for actor in status.actors if actor.role == "risk_monitor"), {})


def risk_rows(document: dict[str, Any]) -> RiskRows:
    """Rows of the account, then of each symbol."""
    rows = RiskRows([], [], [], [])
    for remark, found in (("breaker", document.get("breakers")), ("latched or held", document.get("latches"))):
        for name, text in (found if isinstance(found, dict) else {}).items():
            rows.remarks.append(RemarkRow(str(name), remark, str(text)))
    symbols = document.get("symbols")
    subjects = {ACCOUNT: document, **(symbols if isinstance(symbols, dict) else {})}
    for subject, view in subjects.items():
        if not isinstance(view, dict) or not view:
            continue
        rows.levels.append(
            LevelRow(subject, str(view.get("level", "")), str(view.get("state", "")), str(view.get("reason", "")))
        )
        if guard := view.get("guard"):
            rows.remarks.append(RemarkRow(subject, "behaviour guard", str(guard)))
        if isinstance(differing := view.get("differing_orders"), list | tuple) and differing:
            shown = ", ".join(map(str, differing[:DIFFERING_SHOWN_MAX]))
            rows.remarks.append(RemarkRow(subject, "orders that differ", f"{len(differing)}: {shown}"))
        for name, limit in _maps(view.get("limits")):
            rows.limits.append(
                LimitRow(
                    subject,
                    name,
                    str(limit.get("quote") or "-"),
                    str(limit.get("base") or "-"),
                    str(limit.get("equity_share") or "-"),
                )
            )
        for name, seen in _maps(view.get("indicators")):
            rows.indicators.append(
                IndicatorRow(
                    subject,
                    name,
                    _number(seen.get("value")),
                    str(seen.get("unit", "")),
                    _number(seen.get("warning")),
                    _number(seen.get("limit")),
                    str(seen.get("beyond", "")),
                )
            )
    return rows


def _maps(found: object) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(found, dict):
        return []
    return [(str(name), value) for name, value in found.items() if isinstance(value, dict)]


def _number(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, int | float) else "-"
