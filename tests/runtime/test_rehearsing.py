"""Rehearsals keep to their share of a core, stay out of the way of what is real, and can fail without harm."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventually import until
from loguru import logger
from runtime.fake_actor import ScriptedShell, settings_of, spec_of

from actors.runtime.links.stage import Stage
from actors.runtime.precedence import REAL_TIME_PRIORITY, take_place
from actors.runtime.process import ActorProcess
from actors.runtime.rehearsing import WAKING_NS, Pace
from actors.runtime.state_dir import StateDir
from protocols.mailboxes import OrderManagerMailbox
from protocols.messages.control import Drain

MS = 1_000_000


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
    await rehearsed(folder, RehearsingShell(), times=5)


async def test_a_rehearsal_that_fails_is_the_last_and_the_actor_goes_on(folder: Path) -> None:
    shell = RehearsingShell(fails_at=3)
    await rehearsed(folder, shell, times=3)
    assert shell.rehearsals == 3


def test_what_a_stage_says_it_hears_itself() -> None:
    stage = Stage(OrderManagerMailbox)
    try:
        assert stage.hear(Drain(), 7) == Drain()
    finally:
        stage.close()


class Scheduler:
    """Stands for the kernel's, and keeps what it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: OSError | None = None) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self._refusal = refusal
        monkeypatch.setattr(os, "sched_setscheduler", self._set)

    def _set(self, thread: int, policy: int, param: os.sched_param) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.asked.append((thread, policy, param.sched_priority))


def test_the_loop_of_the_order_path_comes_before_ordinary_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Scheduler(monkeypatch)
    assert take_place("strategy", real_time=True) == "real time"
    policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    assert kernel.asked == [(os.getpid(), policy, REAL_TIME_PRIORITY), (0, policy, REAL_TIME_PRIORITY)]


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
