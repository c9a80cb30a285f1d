"""One alert per code and subject in a while; what was held back is counted in the next one."""

from __future__ import annotations

from protocols.messages.alerts import Alert, AlertCode, Severity

INTERVAL_NS = 10_000_000_000
SUBJECTS_MAX = 1_024
"""Pairs of code and subject remembered; beyond it the one told longest ago is forgotten."""


class AlertThrottle:
    """Makes alerts, at most one per (code, subject) and interval."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._told: dict[tuple[AlertCode, str], tuple[int, int]] = {}

    def alert(self, code: AlertCode, severity: Severity, subject: str, text: str, now_ns: int) -> Alert | None:
        """The alert to send now, or None while an equal one is fresh."""
        key = (code, subject)
        told_ns, held_back = self._told.get(key, (0, 0))
        if told_ns and now_ns - told_ns < INTERVAL_NS:
            self._told[key] = (told_ns, held_back + 1)
            return None
        self._told.pop(key, None)
        if len(self._told) >= SUBJECTS_MAX:
            del self._told[next(iter(self._told))]
        self._told[key] = (now_ns, 0)
        return Alert(
            code=code,
            severity=severity,
            subject=subject,
            text=text,
            raised_ns=now_ns,
            source=self._source,
            repeats=1 + held_back,
        )
