"""Alerts of the risk monitor: a limit that stays broken is told again only after a while."""

from __future__ import annotations

from protocols.arithmetic.intervals import Intervals
from protocols.effects import Effect, Publish
from protocols.messages.alerts import Alert, AlertCode, Severity

ALERT_INTERVAL_NS = 10_000_000_000
"""A limit that stays broken is told again this often."""


class Notices:
    """Makes alerts in the name of one actor."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._due = Intervals(ALERT_INTERVAL_NS)
        self.bad_data = 0

    def once(self, code: AlertCode, severity: Severity, subject: str, text: str, now_ns: int) -> list[Effect]:
        """One alert, unless the same code was raised about the subject a moment ago."""
        if not self._due.is_due((code, subject), now_ns):
            return []
        return [self.now(code, severity, subject, text, now_ns)]

    def now(self, code: AlertCode, severity: Severity, subject: str, text: str, now_ns: int) -> Effect:
        """One alert."""
        return Publish(
            Alert(code=code, severity=severity, subject=subject, text=text, raised_ns=now_ns, source=self._source)
        )

    def refuse(self, subject: str, text: str, now_ns: int) -> list[Effect]:
        """Outside data that cannot be: counted and told."""
        self.bad_data += 1
        return self.once(AlertCode.BAD_DATA, Severity.WARNING, subject, text, now_ns)
