"""Ordered messages of one sender, kept once for all its readers; and the place of one reader in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from actors.runtime.links.frames import FROM_NOW
from protocols.arithmetic.sequences import begins_era


class Entry(NamedTuple):
    """One numbered frame and who reads it: roles, or one name."""

    number: int
    frame: bytes
    readers: tuple[str, ...]


History = Callable[[int, int], list[Entry]]
"""`history(from_number, limit)`: older entries from the journal, oldest first; empty when it holds none from there on."""


class OrderedLog:
    """The newest frames of one stream, numbered upwards. What is no longer held is read from the history."""

    def __init__(self, held_max: int, history: History | None = None) -> None:
        self._held: deque[Entry] = deque(maxlen=held_max)
        self.history = history
        self.last = 0
        """Number of the newest frame."""
        self.last_for: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    @property
    def first_held(self) -> int:
        """Number of the oldest frame in memory; one above the newest when there is none."""
        return self._held[0].number if self._held else self.last + 1

    def add(self, entry: Entry) -> bool:
        """Keep a new frame; False when its number is not above the last (it is a repeat, and already here)."""
        if entry.number <= self.last:
            return False
        self._held.append(entry)
        self.last = entry.number
        for reader in entry.readers:
            self.last_for[reader] = entry.number
        return True

    def after(self, number: int, limit: int) -> list[Entry]:
        """At most `limit` frames in memory with numbers above `number`, oldest first."""
        found: list[Entry] = []
        for entry in reversed(self._held):
            if entry.number <= number:
                break
            found.append(entry)
        found.reverse()
        return found[:limit]


class Cursor:
    """Where one reader stands in an OrderedLog: what has been written to it and what it has acknowledged."""

    def __init__(self, log: OrderedLog, readers: tuple[str, ...], resume: int) -> None:
        """Make a place in `log`.

        Args:
            readers: the reader's role and name: what entries call it.
            resume: the last number that it has handled, or FROM_NOW.
        """
        self._log = log
        self._readers = readers
        self._wants_history = resume != FROM_NOW and log.history is not None
        self.resumed = 0 if resume == FROM_NOW else resume
        self.written = log.last if resume == FROM_NOW else resume
        self._fresh = resume == FROM_NOW and log.last == 0
        self.acknowledged = self.written
        self.missing = 0
        """Numbers that the reader asked for and that neither memory nor history holds; at least, where a journal was lost."""

    @property
    def outstanding(self) -> int:
        """Upper bound of the frames for this reader that it has not acknowledged."""
        last = max(self._log.last_for.get(reader, 0) for reader in self._readers)
        return max(0, last - self.acknowledged)

    @property
    def position(self) -> int:
        """Where the same reader goes on after a lost connection."""
        if not self._fresh:
            return self.acknowledged
        return self._log.first_held - 1 if len(self._log) else FROM_NOW

    def wrote_all_before(self, previous: int) -> bool:
        """Whether nothing up to `previous`, the newest number before a new one, is still to be written; a new log's first is not."""
        return self.written == previous > 0

    def acknowledge(self, number: int) -> None:
        """The reader has handled everything up to `number`."""
        self.acknowledged = max(self.acknowledged, min(number, self.written))

    def next(self, limit: int) -> list[Entry]:
        """The next at most `limit` entries to look at, from history where memory no longer holds them; empty at the head.

        The caller writes those that name the reader and calls `wrote` for each, written or passed over.
        """
        log = self._log
        if self._fresh and len(log):
            self._fresh = False
            self.written = self.acknowledged = log.first_held - 1
        behind_memory = self.written + 1 < log.first_held
        if behind_memory or (self._wants_history and not len(log)):
            older = self._older(limit)
            if older:
                return older
            self._wants_history = False
            if behind_memory:
                self._skip(log.first_held - 1)
        return log.after(self.written, limit)

    def wrote(self, number: int) -> None:
        """An entry of `next` has been written, or is not for this reader."""
        self.written = max(self.written, number)

    def _older(self, limit: int) -> list[Entry]:
        history = self._log.history
        older = [] if history is None else history(self.written + 1, limit)
        if older:
            self._skip(older[0].number - 1)
        return older

    def _skip(self, number: int) -> None:
        """Nobody holds the numbers up to this one: they are neither written nor waited for."""
        if number <= self.written:
            return
        if not begins_era(number + 1):
            self.missing += number - self.written
        elif self.written:
            self.missing += 1  # how many came after the last one before the journal was lost, nobody knows
        if self.acknowledged == self.written:
            self.acknowledged = number
        self.written = number
