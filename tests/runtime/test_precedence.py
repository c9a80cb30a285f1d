"""Who gets the processor first: what a person waits for in an emergency, where the system permits it."""

from __future__ import annotations

import os
import sys

import pytest

from actors.runtime.precedence import REAL_TIME_PRIORITY, go_first
from ops.cli import main as command


def test_what_goes_first_is_in_real_time_and_what_it_starts_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda pid, how, how_much: asked.append((pid, how, how_much)))
    monkeypatch.setattr(os, "sched_param", int)
    go_first()
    assert asked == [(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, REAL_TIME_PRIORITY)]


def test_where_that_is_not_permitted_it_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse(pid: int, *_: object) -> None:
        asked.append(pid)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    go_first()
    assert asked == [0]


@pytest.mark.parametrize(("arguments", "first"), [(["emergency-stop", "--help"], 1), (["status", "--help"], 0)])
def test_of_the_commands_an_emergency_stop_goes_first(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], first: int
) -> None:
    went: list[int] = []
    monkeypatch.setattr(command, "go_first", lambda: went.append(1))
    monkeypatch.setattr(sys, "argv", ["raymaker", *arguments])
    with pytest.raises(SystemExit):
        command.main()
    assert len(went) == first
