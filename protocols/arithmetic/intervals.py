"""At most once in a while: for what would otherwise be said on every message."""

from __future__ import annotations

from collections.abc import Hashable

KEYS_MAX = 1_000
"""Keys remembered; beyond it the oldest is forgotten, and may be said again early."""


class Intervals:
    """Tells whether a key was last let through long enough ago.

    Args:
        interval_ns: least time between two of one key.
    """

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._passed_ns: dict[Hashable, int] = {}

    def is_due(self, key: Hashable, now_ns: int) -> bool:
        """Let the key through, or not; letting through starts its interval anew."""
        passed_ns = self._passed_ns.get(key)
        if passed_ns is not None and now_ns - passed_ns < self._interval_ns:
            return False
        self._passed_ns.pop(key, None)
        while len(self._passed_ns) >= KEYS_MAX:
            del self._passed_ns[next(iter(self._passed_ns))]
        self._passed_ns[key] = now_ns
        return True
