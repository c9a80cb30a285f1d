"""One reader of an actor's messages, as its writer sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from actors.runtime.links.alert_spool import AlertSpool
from actors.runtime.links.connection import Connection
from actors.runtime.links.frames import FROM_NOW, Hello
from actors.runtime.links.latest_outbox import LatestOutbox
from actors.runtime.links.ordered_log import Cursor, Entry, OrderedLog
from actors.runtime.shell import Clock
from protocols.messages.alerts import Alert

BATCH_MAX = 256
"""Ordered messages written, or read from the journal, in one turn of the loop."""

ALERT_READER = "alerting"

ASIDE_NS = 1_000_000
"""A reader that need not see each value gets none in the turn that made it: the path from a book to an order comes first."""


class ReaderSession:
    """Writes to one connection of one reader, and knows what waits for it. Outlives the connection until the reader dials again."""

    def __init__(
        self,
        connection: Connection,
        hello: Hello,
        logs: dict[str, OrderedLog],
        spool: AlertSpool,
        alert_frame: Callable[[int, Alert], bytes],
        clock: Clock,
        on_gap: Callable[[str, str], None],
    ) -> None:
        self.name = hello.name
        self.role = hello.role
        self.epoch = hello.epoch
        self.connected = True
        self.full = False
        self.outbox = LatestOutbox()
        self.ahead = 0
        """Messages whose numbers the reader claims to have handled before they were written."""
        self._connection = connection
        self.wanted: frozenset[str | None] = frozenset((*hello.instruments, None)) if hello.instruments else frozenset()
        """Instruments that it hears of, and what belongs to none; empty means all."""
        self._cursors = {
            stream: Cursor(ordered, (self.role, self.name), hello.resume.get(stream, FROM_NOW))
            for stream, ordered in logs.items()
        }
        self._spool = spool
        self._alerts_written = hello.resume.get("alerts", 0)
        self._alert_frame = alert_frame
        self._clock = clock
        self._on_gap = on_gap
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_ns = 0
        self._gap_told = False
        self._goes_on = False

    @property
    def outstanding(self) -> int:
        """Upper bound of ordered messages that the reader has not acknowledged."""
        return max(cursor.outstanding for cursor in self._cursors.values())

    @property
    def missing(self) -> int:
        """Ordered messages that the reader asked for and nobody holds any more."""
        return sum(cursor.missing for cursor in self._cursors.values())

    @property
    def depth(self) -> int:
        """What waits for this reader."""
        return len(self.outbox) + sum(cursor.outstanding for cursor in self._cursors.values())

    def give_latest(self, key: Hashable, frame: bytes, interval_ns: int, now_ns: int) -> None:
        """Write the newest value of a key, or keep it until the connection and its interval allow."""
        connection = self._connection
        if interval_ns == 0 and connection.writable:
            if self.outbox.waiting:
                self.outbox.passes(key)
            connection.write(frame)
            return
        free_at_ns = self.outbox.keep(key, frame, interval_ns)
        if connection.writable:
            self._arm(free_at_ns, now_ns)

    def reads(self, entry: Entry) -> bool:
        """Whether an ordered message is for this reader, by role or by name."""
        return self.role in entry.readers or self.name in entry.readers

    def added(self, stream: str, entry: Entry, previous: int) -> None:
        """A new ordered message exists, `previous` the number before it: write it, and first what still waits before it."""
        cursor = self._cursors[stream]
        if cursor.wrote_all_before(previous) and self.connected and self._connection.writable:
            if self.reads(entry):
                self._connection.write(entry.frame)
            cursor.wrote(entry.number)
            return
        if entry.number <= cursor.resumed:
            self.ahead += 1
            if self.ahead == 1:
                self._tell_gap(
                    f"{self.name} has handled number {cursor.resumed} of {stream}, but {entry.number} is new: "
                    "the numbers of this actor have gone back, and the reader will not take them"
                )
        self.pump()

    def pump(self) -> None:
        """Write what waits, ordered messages first, while the connection takes it."""
        if not self.connected:
            return
        more = self._pump_ordered()
        more = self._pump_alerts() or more
        if not more:
            self._pump_latest()
        elif self._connection.writable and not self._goes_on:
            self._goes_on = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._goes_on = False
        self.pump()

    def acknowledge(self, numbers: dict[str, int]) -> None:
        """The reader has handled everything up to these numbers.

        Raises:
            OSError: the alert spool cannot be written.
        """
        for stream, number in numbers.items():
            if stream == "alerts" and self.role == ALERT_READER:
                self._spool.acknowledge(min(number, self._alerts_written))
            elif stream in self._cursors:
                self._cursors[stream].acknowledge(number)

    def answer(self, frame: bytes) -> None:
        """Write a frame of the link itself (a beat, an echo), if it need not wait: late it would be worth nothing."""
        if self.connected and self._connection.writable:
            self._connection.write(frame)

    def drop(self, reason: str) -> None:
        """End the connection."""
        if self.connected:
            self.lost()
            self._connection.close(reason)

    def positions(self) -> dict[str, int]:
        """Where a reader that knows no number of its own goes on after a lost connection."""
        return {stream: cursor.position for stream, cursor in self._cursors.items()}

    @property
    def sent_oversized(self) -> bool:
        """Whether the connection was dropped for the length of a frame."""
        return self._connection.oversized

    def lost(self) -> None:
        """The connection has ended; ordered messages wait for the reader's next hello."""
        self.connected = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pump_ordered(self) -> bool:
        """Whether something is left to write."""
        connection = self._connection
        more = False
        for cursor in self._cursors.values():
            entries = cursor.next(BATCH_MAX) if connection.writable else []
            for entry in entries:
                if not connection.writable:
                    return True
                if self.reads(entry):
                    connection.write(entry.frame)
                cursor.wrote(entry.number)
            more = more or len(entries) == BATCH_MAX
            if cursor.missing and not self._gap_told:
                self._gap_told = True
                self._tell_gap(
                    f"{self.name} lacks at least {cursor.missing} ordered messages, which nobody holds any more"
                )
        return more

    def _tell_gap(self, text: str) -> None:
        """Not in the same turn: the alert goes out through this very session."""
        asyncio.get_running_loop().call_soon(self._on_gap, self.name, text)

    def _pump_alerts(self) -> bool:
        if self.role != ALERT_READER:
            return False
        waiting = self._spool.queue.after(self._alerts_written, BATCH_MAX) if self._connection.writable else []
        for number, alert in waiting:
            if not self._connection.writable:
                return True
            self._connection.write(self._alert_frame(number, alert))
            self._alerts_written = number
        return len(waiting) == BATCH_MAX

    def _pump_latest(self) -> None:
        now_ns = self._clock.now_ns()
        while self._connection.writable:
            frame = self.outbox.take(now_ns)
            if frame is None:
                at_ns = self.outbox.next_at_ns()
                if at_ns is not None:
                    self._arm(at_ns, now_ns)
                return
            self._connection.write(frame)

    def _arm(self, at_ns: int, now_ns: int) -> None:
        """Wake at `at_ns` or soon after `now_ns`, whichever is later, unless that is already to come."""
        at_ns = max(at_ns, now_ns + ASIDE_NS)
        if self._timer is not None:
            if self._timer_at_ns <= at_ns:
                return
            self._timer.cancel()
        self._timer_at_ns = at_ns
        self._timer = asyncio.get_running_loop().call_later((at_ns - now_ns) / 1e9, self._due)

    def _due(self) -> None:
        self._timer = None
        if self.connected:
            self._pump_latest()
