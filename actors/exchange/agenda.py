"""A time-ordered list of what is due: the venue's timers, requests on their way, frames on their way."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

Item = TypeVar("Item")

NEVER_NS = 1 << 80
"""Later than any time that an order may name."""


class Agenda(Generic[Item]):
    """Items by due time; equal times keep the order of adding.

    `due_ns` is when the earliest item is due, NEVER_NS without any.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Item]] = []
        self._count = 0
        self.due_ns = NEVER_NS

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due_ns: int, item: Item) -> None:
        """Plan an item."""
        self._count += 1
        heapq.heappush(self._heap, (due_ns, self._count, item))
        if due_ns < self.due_ns:
            self.due_ns = due_ns

    @property
    def next_ns(self) -> int | None:
        """When the earliest item is due."""
        return self.due_ns if self._heap else None

    def pop_due(self, now_ns: int) -> tuple[int, Item] | None:
        """The earliest item that is due at `now_ns`, with its time, or None."""
        if self.due_ns > now_ns:
            return None
        due_ns, _, item = heapq.heappop(self._heap)
        self.due_ns = self._heap[0][0] if self._heap else NEVER_NS
        return due_ns, item
