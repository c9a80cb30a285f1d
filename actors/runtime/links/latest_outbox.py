"""What waits for one reader of class LATEST: the newest frame of each key, and when each may go."""

from __future__ import annotations

from collections.abc import Hashable


class LatestOutbox:
    """Newest frame per key. Frames are opaque; times are those of any one clock.

    Its size is the number of distinct keys, not of messages.
    """

    def __init__(self) -> None:
        self.waiting: dict[Hashable, bytes] = {}
        """Newest frame of each key that waits, oldest key first."""
        self._intervals: dict[Hashable, int] = {}
        self._free_at: dict[Hashable, int] = {}
        self.replaced = 0
        """Frames that a newer one replaced before they were written."""

    def __len__(self) -> int:
        return len(self.waiting)

    def passes(self, key: Hashable) -> None:
        """A new frame of a key without an interval is written past the outbox: an older one that waits is forgotten."""
        if self.waiting.pop(key, None) is not None:
            self.replaced += 1

    def keep(self, key: Hashable, frame: bytes, interval_ns: int) -> int:
        """Keep a new frame until it is taken; returns when it may go at the earliest, 0 for at once.

        Args:
            key: a newer frame of the same key replaces one that waits.
            interval_ns: least time between two writes of the key; 0 for none.
        """
        if key in self.waiting:
            self.replaced += 1
        self.waiting[key] = frame
        self._intervals[key] = interval_ns
        return self._free_at.get(key, 0)

    def take(self, now_ns: int) -> bytes | None:
        """The next frame that may be written now, oldest key first; None when there is none."""
        for key, frame in self.waiting.items():
            if now_ns >= self._free_at.get(key, now_ns):
                del self.waiting[key]
                interval_ns = self._intervals.pop(key)
                if interval_ns:
                    self._free_at[key] = now_ns + interval_ns
                return frame
        return None

    def next_at_ns(self) -> int | None:
        """When the next waiting frame may go; None when nothing waits, 0 when one may go at once."""
        if not self.waiting:
            return None
        return min(self._free_at.get(key, 0) for key in self.waiting)
