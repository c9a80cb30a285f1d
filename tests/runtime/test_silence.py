"""A silent process that hangs is told apart from one that waits for a processor or a disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from actors.runtime.silence import BLIND_S, HUNG_S, LOOK_S, STARVED_S, Doubts, Silence, Thread, threads_of

LOOKED_S = 100.0
S = 1_000_000_000
BEFORE = {1: Thread(5 * S, 2 * S, "S"), 2: Thread(S, S, "S")}


def judged(silent_s: float, after: dict[int, Thread]) -> bool:
    """The judgement at `silent_s`, after a first look when it had been silent for LOOK_S."""
    silence = Silence()
    assert not silence.hangs(LOOKED_S, LOOK_S, BEFORE)
    return silence.hangs(LOOKED_S + silent_s - LOOK_S, silent_s, after)


@pytest.mark.parametrize(
    ("why", "after"),
    [
        ("its loop sleeps", BEFORE),
        ("it is stopped", {1: Thread(5 * S, 2 * S, "T"), 2: Thread(S, S, "T")}),
        ("it computes and has a core", {1: Thread(5 * S + S // 2, 2 * S, "R"), 2: Thread(S, S, "S")}),
        ("it computes and shares a core", {1: Thread(5 * S + S // 2, 2 * S + S // 2, "R"), 2: Thread(S, S, "S")}),
    ],
)
def test_a_process_that_could_beat_and_does_not_hangs(why: str, after: dict[int, Thread]) -> None:
    assert not judged(HUNG_S - 0.01, after), why
    assert judged(HUNG_S + 0.01, after), why


@pytest.mark.parametrize(
    ("why", "after"),
    [
        ("one thread waits for a core", {1: Thread(5 * S + S // 10, 2 * S + 2 * S, "R"), 2: Thread(S, S, "S")}),
        ("it waits for the disk", {1: Thread(5 * S, 2 * S, "D"), 2: Thread(S, S, "S")}),
    ],
)
def test_a_starved_process_has_longer_but_not_for_ever(why: str, after: dict[int, Thread]) -> None:
    assert not judged(HUNG_S + 0.01, after), why
    assert not judged(STARVED_S - 0.01, after), why
    assert judged(STARVED_S + 10.0, after), why


def test_without_the_kernels_word_it_has_a_little_longer() -> None:
    assert not judged(HUNG_S + 0.01, {})
    assert judged(BLIND_S + 0.01, {})


def test_after_a_sign_of_life_it_is_looked_at_anew() -> None:
    silence = Silence()
    assert silence.wants_a_look(LOOK_S + 0.01)
    silence.hangs(LOOKED_S, LOOK_S + 0.01, BEFORE)
    assert not silence.wants_a_look(LOOK_S + 0.1)
    silence.heard()
    assert silence.wants_a_look(LOOK_S + 0.01)
    assert not silence.wants_a_look(LOOK_S - 0.01)


def test_the_kernel_tells_of_a_stopped_process_and_of_one_that_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        os.kill(process.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 10.0
        while {thread.state for thread in threads_of(process.pid).values()} != {"T"}:
            assert time.monotonic() < deadline
        assert threads_of(process.pid).keys() == {process.pid}
    finally:
        process.kill()
        process.wait()
    assert threads_of(process.pid) == {}


def test_a_doubted_process_is_starved_when_it_waited_since_it_is_doubted() -> None:
    doubts = Doubts()
    waiting = {1: Thread(5 * S, 2 * S + S // 2, "R"), 2: Thread(S, S, "S")}
    assert doubts.starved(LOOKED_S, {"strategy-0": BEFORE}) == ()
    assert doubts.starved(LOOKED_S + 0.1, {"strategy-0": waiting}) == ()
    assert doubts.starved(LOOKED_S + 0.5, {"strategy-0": waiting, "inventory": waiting}) == ("strategy-0",)
    assert doubts.starved(LOOKED_S + 1.0, {}) == ()
    assert doubts.starved(LOOKED_S + 1.5, {"strategy-0": waiting}) == ()
