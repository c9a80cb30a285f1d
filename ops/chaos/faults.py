"""Putting a fault into processes: signals and limits by pid, and functions that misbehave inside a living actor."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import functools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from actors.runtime.hosted_actor import HostedActor
from actors.runtime.ray_cluster import MARKER
from actors.runtime.ray_host import ActorGone, find
from protocols.messages.journal import OrderIntended

FROZEN_S = 10.0
BLOCKED_S = 30.0
LEAKED_S = 600.0
END_S_MAX = 10.0
SNAPSHOT_S_MAX = 1.0
BEGIN_S_MAX = 10.0
FILE_BYTES_MAX = 4_096
"""A journal is longer than this from its beginning: no file of the process may grow past it any more."""

BURN = "while True: pass"
ENDLESS = "a" * 64 + "b"


def kill(pids: Sequence[int]) -> None:
    """SIGKILL them, one right after the other; who is gone already is let be."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def snapshot(name: str) -> dict[str, Any]:
    """What a living actor's core shows, asked without the supervisor.

    Raises:
        RayHostError: it does not answer.
    """
    actor = find(name)
    if actor is None:
        raise ActorGone(f"there is no {name}")
    return asyncio.run(actor.snapshot(SNAPSHOT_S_MAX)).snapshot


def kill_marked(marker: str) -> None:
    """SIGKILL every process of one Ray until none is left."""
    while found := [process for process in psutil.process_iter() if _is_marked(process, marker)]:
        kill([process.pid for process in found])
        psutil.wait_procs(found, timeout=1.0)


def kill_store(head_pid: int) -> None:
    """SIGKILL the GCS of a head, and return when the head has ended everything else."""
    head = psutil.Process(head_pid)
    store = next(child for child in head.children() if child.name() == "gcs_server")
    kill([store.pid])
    psutil.wait_procs([head], timeout=END_S_MAX)


def _is_marked(process: psutil.Process, marker: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARKER) == marker
    return False


def freeze(pid: int) -> psutil.Process:
    """SIGSTOP; the process is returned for `wake`."""
    process = psutil.Process(pid)
    process.suspend()
    return process


def wake(process: psutil.Process) -> bool:
    """SIGCONT; false when it is gone (another process that has its pid now is let be)."""
    try:
        process.resume()
    except psutil.NoSuchProcess:
        return False
    return True


def fill_disk(pid: int) -> None:
    """No file of the process can grow past FILE_BYTES_MAX: its writes fail as on a full disk (EFBIG)."""
    psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (FILE_BYTES_MAX, psutil.RLIM_INFINITY))


def overwrite_middle(file: Path) -> int:
    """The middle half of a file is zeros, as after a bad disk; how many bytes."""
    size = file.stat().st_size
    with file.open("r+b") as sink:
        sink.seek(size // 4)
        sink.write(bytes(size // 2))
    return size // 2


def cut_in_half(folder: Path) -> int:
    """Every file of a folder loses its second half, as on a damaged disk; how many there are."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    for file in files:
        os.truncate(file, file.stat().st_size // 2)
    return len(files)


@contextlib.contextmanager
def no_more_files(pid: int) -> Iterator[None]:
    """The process can open nothing more while this lasts (EMFILE)."""
    process = psutil.Process(pid)
    before = process.rlimit(psutil.RLIMIT_NOFILE)
    assert before is not None
    process.rlimit(psutil.RLIMIT_NOFILE, (1, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def busy_cores(per_core: int) -> Iterator[None]:
    """Processes that do nothing but compute, so many for each core, while this lasts."""
    count = per_core * (os.cpu_count() or 1)
    burning = [subprocess.Popen([sys.executable, "-c", BURN], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """A file is locked by us while this lasts; waits for whoever has it now.

    Raises:
        LookupError: whoever has it does not let go.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + BEGIN_S_MAX
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LookupError(f"{path} stays locked") from None
                time.sleep(0.0002)
        yield
    finally:
        os.close(descriptor)


def block(name: str, note: Path) -> int:
    """Block the main loop of an actor for BLOCKED_S, as a bug would; returns the boot time at which it began to.

    Args:
        note: a file to be written by the actor when it begins, for the call takes its time to get there.

    Raises:
        LookupError: no actor of that name lives, or it did not begin.
    """
    return _inside(name, functools.partial(_on_the_loop, does=functools.partial(_sleep_noted, note=str(note))), note)


def hog(name: str, note: Path) -> int:
    """Have an actor's loop run C code that never lets go of the interpreter: no thread of the process runs any more.

    Raises:
        LookupError: as `block`.
    """
    return _inside(name, functools.partial(_on_the_loop, does=functools.partial(_spin_noted, note=str(note))), note)


def die_at(name: str, point: str, note: Path) -> int:
    """Have an order manager kill itself with its next order: `before` its intent is journaled, `after` that, or when it is `sent`.

    Returns the boot time of the death.

    Raises:
        LookupError: as `block`.
    """
    return _inside(name, functools.partial(_arm, point=point, note=str(note)), note)


def leak(name: str, note: Path, bytes_per_s: int, bytes_max: int) -> int:
    """Have an actor's memory grow.

    Raises:
        LookupError: as `block`.
    """
    grow = functools.partial(_grow, note=str(note), bytes_per_s=bytes_per_s, bytes_max=bytes_max)
    return _inside(name, functools.partial(_on_the_loop, does=grow), note)


def _inside(name: str, function: Callable[[HostedActor], None], note: Path) -> int:
    actor = find(name)
    if actor is None:
        raise LookupError(f"no actor is named {name}")
    actor.run_inside(function)
    deadline = time.monotonic() + BEGIN_S_MAX
    while not note.exists():
        if time.monotonic() > deadline:
            raise LookupError(f"the fault did not begin in {name} within {BEGIN_S_MAX:.0f} s")
        time.sleep(0.002)
    return int(note.read_text("ascii"))


def _on_the_loop(actor: HostedActor, does: Callable[[], None]) -> None:
    """Runs in one of Ray's own threads, beside the actor's loop."""
    loop = actor._loop
    assert loop is not None
    loop.call_soon_threadsafe(does)


def _noted(note: str) -> None:
    draft = Path(note + ".new")
    draft.write_text(str(time.clock_gettime_ns(time.CLOCK_BOOTTIME)), "ascii")
    draft.rename(note)


def _sleep_noted(note: str) -> None:
    _noted(note)
    time.sleep(BLOCKED_S)


def _spin_noted(note: str) -> None:
    _noted(note)
    re.match(r"(a+)+$", ENDLESS)


def _grow(note: str, bytes_per_s: int, bytes_max: int, kept: list[Any] | None = None) -> None:
    import asyncio

    if kept is None:
        kept = []
        _noted(note)
    piece = ctypes.create_string_buffer(bytes_per_s // 10)
    ctypes.memset(piece, 1, len(piece))
    kept.append(piece)
    if len(kept) * len(piece) < bytes_max:
        asyncio.get_running_loop().call_later(0.1, _grow, note, bytes_per_s, bytes_max, kept)
    else:
        asyncio.get_running_loop().call_later(LEAKED_S, kept.clear)  # what has leaked is not given back


def _arm(actor: HostedActor, point: str, note: str) -> None:
    """Puts the death where the next intent is journaled, or behind the write that follows it."""
    journal, gateway = actor._shell._journal, actor._shell._gateway
    flush = gateway.flush
    journaled = False

    def die() -> None:
        _noted(note)
        os.kill(os.getpid(), signal.SIGKILL)

    def dying(append: Callable[[Sequence[object]], object]) -> Callable[[Sequence[object]], None]:
        def appending(records: Sequence[object]) -> None:
            nonlocal journaled
            has_intent = any(isinstance(record, OrderIntended) for record in records)
            if has_intent and point == "before":
                die()
            append(records)
            journaled = journaled or has_intent
            if has_intent and point == "after":
                die()

        return appending

    def flushing() -> None:
        flush()
        if journaled and point == "sent":
            die()

    journal.append_all, journal.append_ahead = dying(journal.append_all), dying(journal.append_ahead)
    gateway.flush = flushing
