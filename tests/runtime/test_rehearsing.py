"""Rehearsals keep to their share of a core, stay out of the way of what is real, and can fail without harm."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventually import until
from loguru import logger
from runtime.fake_actor import ScriptedShell, settings_of, spec_of

from actors.runtime.clock import BootClock
from actors.runtime.links.stage import Stage
from actors.runtime.precedence import REAL_TIME_PRIORITY, SWITCH_INTERVAL_S, take_place
from actors.runtime.process import ActorProcess
from actors.runtime.rehearsing import WAKING_NS, Pace
from actors.runtime.state_dir import StateDir
from actors.runtime.web_socket_stage import StageWebSocket
from protocols.mailboxes import OrderManagerMailbox
from protocols.messages.control import Drain
from protocols.messages.market import VenueClock

MS = 1_000_000
WAITS_MAX = 10_000


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rm-") as path:
        StateDir(path).create()
        yield Path(path)


@pytest.mark.parametrize(("share", "took_ns"), [(0.1, 200_000), (0.05, 400_000), (0.2, 900_000)])
def test_the_share_of_a_core_is_kept_once_the_pace_is_found(share: float, took_ns: int) -> None:
    pace = Pace(share, MS)
    for _ in range(100):
        wait_ns = pace.wait_ns(took_ns)
    assert (took_ns + WAKING_NS) / (took_ns + wait_ns) == pytest.approx(share, rel=0.01)


def test_a_cheap_rehearsal_comes_no_more_often_than_the_least_period() -> None:
    pace = Pace(0.5, MS)
    assert [pace.wait_ns(1_000) for _ in range(3)] == [MS, MS, MS]


def test_a_share_of_nothing_wants_no_rehearsal() -> None:
    assert not Pace(0, MS).is_wanted


class RehearsingShell(ScriptedShell):
    """Counts its rehearsals, and fails in the one that it is told to fail in."""

    def __init__(self, fails_at: int = 0) -> None:
        super().__init__(OrderManagerMailbox)
        self.rehearsals = 0
        self._fails_at = fails_at

    def rehearse(self, now_ns: int) -> None:
        self.rehearsals += 1
        if self.rehearsals == self._fails_at:
            raise ValueError("a line is forgotten")


async def rehearsed(folder: Path, shell: RehearsingShell, times: int) -> None:
    fatal: list[BaseException] = []
    process = ActorProcess(
        spec_of(folder, "order_manager-0", (), 1),
        shell,
        settings_of(),
        log=logger,
        on_fatal=lambda code, error: fatal.append(error),
    )
    await process.start()
    try:
        await until(lambda: shell.rehearsals >= times)
        process.deliver(Drain())
    finally:
        await process.stop()
    assert fatal == []
    assert shell.core.heard == [Drain()]


async def test_a_shell_that_can_is_rehearsed_again_and_again_and_its_core_hears_nothing_of_it(folder: Path) -> None:
    shell = RehearsingShell()
    await rehearsed(folder, shell, times=5)
    assert shell.rehearsals >= 5


async def test_a_rehearsal_that_fails_is_the_last_and_the_actor_goes_on(folder: Path) -> None:
    shell = RehearsingShell(fails_at=3)
    await rehearsed(folder, shell, times=3)
    assert shell.rehearsals == 3


async def test_what_goes_into_a_stage_comes_out_of_it_as_from_a_link_and_what_it_says_is_heard_by_nobody() -> None:
    stage = Stage(OrderManagerMailbox, "order_manager", settings_of().links, BootClock(), logger)
    try:
        for number in range(100):
            clock = VenueClock(offset_ns=number, error_ns=1, sampled_ns=2)
            stage.say(clock, 7)
            assert stage.hear(clock, 7) == clock
    finally:
        stage.close()


async def test_a_stage_of_a_web_socket_receives_and_sends_like_a_connection() -> None:
    received: list[bytes] = []
    stage = StageWebSocket(lambda payload, at_ns: received.append(payload), BootClock())
    frames = [b"%d" % number * 150 for number in range(100)]
    try:
        for frame in frames:
            stage.receive(frame)
            assert stage.write_all([frame, frame])
        for _ in range(WAITS_MAX):
            stage.receive(frames[0])
            if len(received) >= len(frames):
                break
    finally:
        stage.close()
    assert received[: len(frames)] == frames


class Scheduler:
    """Stands for the kernel's, and keeps what it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: OSError | None = None) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self._refusal = refusal
        self.switch_interval_s = 0.0
        monkeypatch.setattr(os, "sched_setscheduler", self._set)
        monkeypatch.setattr(sys, "setswitchinterval", self._switch)

    def _set(self, thread: int, policy: int, param: os.sched_param) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.asked.append((thread, policy, param.sched_priority))

    def _switch(self, interval_s: float) -> None:
        self.switch_interval_s = interval_s


def test_every_thread_of_the_order_path_comes_before_ordinary_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Scheduler(monkeypatch)
    assert take_place("strategy", real_time=True) == "real time"
    asked = {(policy, priority) for _, policy, priority in kernel.asked}
    assert asked == {(os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, REAL_TIME_PRIORITY)}
    assert threading.get_native_id() in {thread for thread, _, _ in kernel.asked}
    assert len(kernel.asked) >= threading.active_count()
    assert kernel.switch_interval_s == SWITCH_INTERVAL_S


def test_where_real_time_is_not_permitted_status_says_so_and_nothing_else_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Scheduler(monkeypatch, PermissionError(1, "Operation not permitted"))
    place = take_place("order_manager", real_time=True)
    assert place == "ordinary, real time is not permitted (Operation not permitted)"


def test_a_configuration_without_real_time_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Scheduler(monkeypatch)
    assert take_place("market_data", real_time=False) == "ordinary"
    assert kernel.asked == []
