"""Named timers of one core: setting a name again moves it, and costs no timer of the loop."""

from __future__ import annotations

import heapq

TIMERS_MAX = 10_000
"""Names that may be set at once; more is a leak in the core."""


class TimerTable:
    """Which name is due when. Pure: the host asks for the next instant and for what is due."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, name: str, at_ns: int) -> None:
        """Move or make a timer; `at_ns=0` removes it.

        Raises:
            ValueError: too many names.
        """
        if at_ns == 0:
            self._at.pop(name, None)
            return
        self._at[name] = at_ns
        if len(self._at) > TIMERS_MAX:
            raise ValueError(f"more than {TIMERS_MAX} timers, the last named {name!r}")
        heapq.heappush(self._heap, (at_ns, name))
        if len(self._heap) > 4 * len(self._at) + 64:
            self._heap = [(at, timer) for timer, at in self._at.items()]
            heapq.heapify(self._heap)

    def next_ns(self) -> int | None:
        """When the next timer is due; None when there is none."""
        heap = self._heap
        while heap and self._at.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now_ns: int) -> str | None:
        """Remove and return one timer that is due, earliest first; None when none is."""
        at_ns = self.next_ns()
        if at_ns is None or at_ns > now_ns:
            return None
        name = heapq.heappop(self._heap)[1]
        del self._at[name]
        return name
