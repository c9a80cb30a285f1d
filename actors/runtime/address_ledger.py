"""What the processes of one node know of their common address at the venue: the weight it has used, and until when it must be silent.

The venue limits weight by address, and tells each process only what follows from its own questions. A small file in the state directory,
mapped into each of them, passes on what any was told: a place for each process, written by it alone, so that nothing waits for a lock.
Times are CLOCK_BOOTTIME, one clock for the node; a file of an earlier boot begins anew.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

from actors.runtime.state_dir import StateDir

PLACES = 64
"""Processes that can take part; one more goes on alone."""

OTHERS_SHARE = 0.7
"""Part of the address's weight beyond which only order managers still ask: the rest is for orders and what is unclear about them."""

FRESH_NS = 20_000_000_000
"""Weight that was told longer ago than this says nothing."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_HEAD = 64
_NAME = 32
_PLACE = _NAME + 32
_NUMBERS = struct.Struct("<qqqq")
_SIZE = _HEAD + PLACES * _PLACE


class Told(NamedTuple):
    """Weight of this minute as the venue told it, and when it did."""

    weight_1m: int
    told_ns: int


class AddressLedger:
    """One process's place among all, and a view of all of them."""

    def __init__(self, path: Path, name: str) -> None:
        """Open or make the file and take the place of `name`; a successor of the same name goes on with it.

        Raises:
            OSError: the file cannot be opened or mapped.
        """
        self._name = name.encode()[:_NAME]
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.ftruncate(descriptor, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
            self._begin_anew_after_a_boot()
            self._place = self._take_place()
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # the mapping keeps a copy of the descriptor, and with it the lock
            os.close(descriptor)

    def close(self) -> None:
        """Give the mapping back; what was told stays for the others."""
        self._map.close()

    def tell(self, weight_1m: int, now_ns: int) -> None:
        """The venue told this process what the address has used."""
        if self._place is not None:
            _, _, until_ns, banned = self._numbers(self._place)
            self._write(weight_1m, now_ns, until_ns, banned)

    def shut(self, until_ns: int, *, banned: bool) -> None:
        """The venue told this process that nothing may be sent before an instant."""
        if self._place is not None:
            weight, told_ns, before_ns, _ = self._numbers(self._place)
            self._write(weight, told_ns, max(until_ns, before_ns), int(banned))

    def shut_until_ns(self) -> int:
        """Until when no process of this address may send, by the latest word that any was told; 0 for never told."""
        return max(self._numbers(place)[2] for place in range(PLACES))

    def newest(self, now_ns: int) -> Told | None:
        """The newest word on the weight used, whoever was told it; None when there is none that still says something."""
        told = max((Told(weight, told_ns) for weight, told_ns, _, _ in map(self._numbers, range(PLACES))), key=_told_ns)
        return told if told.told_ns and now_ns - told.told_ns <= FRESH_NS else None

    def _begin_anew_after_a_boot(self) -> None:
        boot = _BOOT_ID.read_bytes()[:_HEAD] if _BOOT_ID.exists() else b"no boot id"
        boot = boot.ljust(_HEAD, b"\0")
        if self._map[:_HEAD] != boot:
            self._map[:] = boot + bytes(_SIZE - _HEAD)

    def _take_place(self) -> int | None:
        wanted = self._name.ljust(_NAME, b"\0")
        free: int | None = None
        for place in range(PLACES):
            start = _HEAD + place * _PLACE
            found = self._map[start : start + _NAME]
            if found == wanted:
                return place
            if free is None and not found.strip(b"\0"):
                free = place
        if free is not None:
            start = _HEAD + free * _PLACE
            self._map[start : start + _NAME] = wanted
        return free

    def _numbers(self, place: int) -> tuple[int, int, int, int]:
        return _NUMBERS.unpack_from(self._map, _HEAD + place * _PLACE + _NAME)

    def _write(self, weight: int, told_ns: int, until_ns: int, banned: int) -> None:
        assert self._place is not None
        _NUMBERS.pack_into(self._map, _HEAD + self._place * _PLACE + _NAME, weight, told_ns, until_ns, banned)


def join_address(state_dir: str, name: str) -> AddressLedger | None:
    """The ledger of a node's state directory; None where there is no such directory, so that the process is alone.

    Raises:
        OSError: the file cannot be opened or mapped.
    """
    return AddressLedger(StateDir(state_dir).address_ledger, name) if state_dir else None


def _told_ns(told: Told) -> int:
    return told.told_ns
