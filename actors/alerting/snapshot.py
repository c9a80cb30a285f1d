"""What alerting shows."""

from __future__ import annotations

import msgspec

from protocols.messages.alerts import Alert


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as told, newest last. `raised_ns` is the clock of the node that raised it."""

    code: str
    severity: str
    subject: str
    text: str
    source: str
    raised_ns: int
    repeats: int


class AlertingSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start, and the last alerts."""

    received: int
    told: int
    by_severity: dict[str, int]
    webhook: bool
    waiting: int
    delivered: int
    dropped: int
    failures: int
    problem: str
    alerts: tuple[AlertView, ...]


def view(alert: Alert) -> AlertView:
    """An alert as it is shown."""
    return AlertView(
        code=alert.code.value,
        severity=alert.severity.value,
        subject=alert.subject,
        text=alert.text,
        source=alert.source,
        raised_ns=alert.raised_ns,
        repeats=alert.repeats,
    )
