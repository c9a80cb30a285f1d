"""Inventory's alerts: each at most once in a while."""

from __future__ import annotations

from protocols.arithmetic.intervals import Intervals
from protocols.effects import Effect, Publish
from protocols.messages.alerts import Alert, AlertCode, Severity

ALERT_INTERVAL_NS = 10_000_000_000


class Notices:
    """Makes the alerts of one actor. Args: source: its name."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._intervals = Intervals(ALERT_INTERVAL_NS)

    def alert(self, code: AlertCode, severity: Severity, subject: str, text: str, now_ns: int) -> list[Effect]:
        """One alert, or nothing where the same (code, subject) was raised a moment ago."""
        if not self._intervals.is_due((code, subject), now_ns):
            return []
        alert = Alert(code=code, severity=severity, subject=subject, text=text, raised_ns=now_ns, source=self._source)
        return [Publish(alert)]
