"""Throttling: equal alerts (code, subject) are told once in a while, with the count of those between folded into the next."""

from __future__ import annotations

import msgspec

from protocols.messages.alerts import Alert, Severity

RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class _Window:
    """One key: when it was told last, at which severity, and what has been folded since."""

    __slots__ = ("folded", "repeats", "severity", "until_ns")

    def __init__(self, severity: Severity, until_ns: int) -> None:
        self.severity = severity
        self.until_ns = until_ns
        self.repeats = 0
        self.folded: Alert | None = None


class Folding:
    """Windows of the keys that were told lately.

    Args:
        throttle_ns: length of a window.
        keys_max: windows kept; beyond it the oldest one is closed early.
    """

    def __init__(self, throttle_ns: int, keys_max: int) -> None:
        self._throttle_ns = throttle_ns
        self._keys_max = keys_max
        self._windows: dict[tuple[str, str], _Window] = {}

    def take(self, alert: Alert, now_ns: int) -> list[Alert]:
        """The alerts to tell now: this one if its key is new or it is graver than what was told, and one of a window closed early."""
        key = (alert.code.value, alert.subject)
        window = self._windows.get(key)
        if window is not None and RANK[alert.severity] <= RANK[window.severity] and now_ns < window.until_ns:
            window.repeats += alert.repeats
            window.folded = alert
            return []
        told = [self._summed(window, alert)] if window is not None else [alert]
        self._windows.pop(key, None)
        if len(self._windows) >= self._keys_max:
            oldest = self._windows.pop(next(iter(self._windows)))
            told = [*_closing(oldest), *told]
        self._windows[key] = _Window(alert.severity, now_ns + self._throttle_ns)
        return told

    def due(self, now_ns: int) -> list[Alert]:
        """Close the windows that are over; what was folded is told with its count, and begins a new window."""
        told = []
        for key, window in list(self._windows.items()):
            if window.until_ns > now_ns:
                continue
            del self._windows[key]
            if window.folded is not None:
                told += _closing(window)
                self._windows[key] = _Window(window.folded.severity, now_ns + self._throttle_ns)
        return told

    def next_ns(self) -> int:
        """When the next window is over; 0 when there is none."""
        return min((window.until_ns for window in self._windows.values()), default=0)

    def _summed(self, window: _Window, alert: Alert) -> Alert:
        return msgspec.structs.replace(alert, repeats=alert.repeats + window.repeats)


def _closing(window: _Window) -> list[Alert]:
    if window.folded is None:
        return []
    return [msgspec.structs.replace(window.folded, repeats=window.repeats)]
