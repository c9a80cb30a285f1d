"""The rules that join depth diffs to a snapshot (facts section 5.3), as a state machine over update ids.

Update ids are one counter of the engine shared by many symbols: the only chain is `previous_update_id == last_update_id` of the
diff before. The machine holds the diffs that wait for a snapshot; the book itself is its caller's.
"""

from __future__ import annotations

import enum
from collections import deque

import msgspec

from protocols.venue import BookDiff


class SyncDecision(enum.Enum):
    """What the caller does with a diff, or after a snapshot."""

    BUFFER = "buffer"
    """Held; a snapshot is on its way."""
    DISCARD = "discard"
    """Older than the snapshot."""
    APPLY = "apply"
    """Apply it to the book."""
    NEED_SNAPSHOT = "need_snapshot"
    """Held; ask for a (newer) snapshot."""
    GAP = "gap"
    """The chain is broken: the book is invalid. The diff is held; ask for a snapshot."""


class Bridged(msgspec.Struct, frozen=True):
    """Answer to a snapshot. `apply` are held diffs that follow it, in order; empty unless `decision` is APPLY.

    APPLY: load the snapshot, then `apply`. NEED_SNAPSHOT: this one was too old. GAP: the held diffs have a hole.
    """

    decision: SyncDecision
    apply: tuple[BookDiff, ...] = ()


class BookSync:
    """Synchronisation of one symbol's book. `live` is true while the book is a snapshot plus an unbroken chain."""

    __slots__ = ("_buffer", "_buffered_max", "_snapshot_id", "dropped", "last_update_id", "live")

    def __init__(self, buffered_max: int) -> None:
        """Args: buffered_max: diffs held while a snapshot is awaited; beyond it the oldest is dropped, never the newest."""
        self._buffered_max = buffered_max
        self._buffer: deque[BookDiff] = deque(maxlen=buffered_max)
        self._snapshot_id: int | None = None
        self.last_update_id = 0
        """Id of the last diff applied (or of the snapshot before any)."""
        self.live = False
        self.dropped = 0

    @property
    def buffered(self) -> int:
        """Diffs held."""
        return len(self._buffer)

    def reset(self) -> None:
        """Start anew: after a reconnect, or when the caller found the book crossed or stale."""
        self._buffer.clear()
        self._snapshot_id = None
        self.last_update_id = 0
        self.live = False

    def offer(self, diff: BookDiff) -> SyncDecision:
        """Decide about the next diff of the stream."""
        if self.live:
            if diff.previous_update_id == self.last_update_id:
                self.last_update_id = diff.last_update_id
                return SyncDecision.APPLY
            self.reset()
            self._hold(diff)
            return SyncDecision.GAP
        if self._snapshot_id is None:
            first = not self._buffer
            self._hold(diff)
            return SyncDecision.NEED_SNAPSHOT if first else SyncDecision.BUFFER
        if diff.last_update_id < self._snapshot_id:
            return SyncDecision.DISCARD
        if _follows(diff, self._snapshot_id):
            self._go_live(diff.last_update_id)
            return SyncDecision.APPLY
        self.reset()
        self._hold(diff)
        return SyncDecision.NEED_SNAPSHOT

    def bridge(self, snapshot_id: int) -> Bridged:
        """Join a snapshot, whose `lastUpdateId` this is, to the diffs held."""
        self.live = False
        waiting = [diff for diff in self._buffer if diff.last_update_id >= snapshot_id]
        self._buffer.clear()
        self.last_update_id = snapshot_id
        if not waiting:
            self._snapshot_id = snapshot_id
            return Bridged(SyncDecision.APPLY)
        if not _follows(waiting[0], snapshot_id):
            self._snapshot_id = None
            self._buffer.extend(waiting)
            return Bridged(SyncDecision.NEED_SNAPSHOT)
        last = waiting[0].last_update_id
        for index, diff in enumerate(waiting[1:], start=1):
            if diff.previous_update_id != last:
                self._snapshot_id = None
                self._buffer.extend(waiting[index:])
                return Bridged(SyncDecision.GAP)
            last = diff.last_update_id
        self._go_live(last)
        return Bridged(SyncDecision.APPLY, tuple(waiting))

    def _go_live(self, last_update_id: int) -> None:
        self.last_update_id = last_update_id
        self._snapshot_id = None
        self.live = True

    def _hold(self, diff: BookDiff) -> None:
        if len(self._buffer) == self._buffered_max:
            self.dropped += 1
        self._buffer.append(diff)


def _follows(diff: BookDiff, snapshot_id: int) -> bool:
    """Whether this may be the first diff after the snapshot; real streams often end a diff exactly at the snapshot's id."""
    return diff.first_update_id <= snapshot_id <= diff.last_update_id or diff.previous_update_id == snapshot_id
