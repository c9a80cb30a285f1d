"""A time-ordered list of what is due: the venue's timers, requests on their way, frames on their way."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Agenda(Generic[Item]):
    """Items by due time; equal times keep the order of adding."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Item]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due_ns: int, item: Item) -> None:
        """Plan an item."""
        self._count += 1
        heapq.heappush(self._heap, (due_ns, self._count, item))

    @property
    def next_ns(self) -> int | None:
        """When the earliest item is due."""
        return self._heap[0][0] if self._heap else None

    def is_due(self, now_ns: int) -> bool:
        """Whether something is due at `now_ns`."""
        return bool(self._heap) and self._heap[0][0] <= now_ns

    def pop_due(self, now_ns: int) -> tuple[int, Item] | None:
        """The earliest item that is due at `now_ns`, with its time, or None."""
        if not self._heap or self._heap[0][0] > now_ns:
            return None
        due_ns, _, item = heapq.heappop(self._heap)
        return due_ns, item
