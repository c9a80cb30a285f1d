"""Which rows share a living system: each row is dealt once, in a fixed order, and none that would spoil it for those after it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ops.chaos import suite
from ops.chaos.matrix import rows
from ops.chaos.rows import Injection, Row
from ops.chaos.stage import chaos_settings
from ops.chaos.systems import TOGETHER, dealt
from ops.chaos.verdicts import Outcome, RowRun, checked_in_all, judge
from ops.invariants.history import Verdict

ROWS = rows(chaos_settings())
ENDING = {Injection.INTERRUPT, Injection.TOTAL_DEATH, Injection.STOP}


def test_every_row_is_dealt_to_one_system() -> None:
    systems = dealt(list(ROWS))
    assert sorted(key for system in systems for key in system) == sorted(ROWS)


def test_rows_keep_the_order_of_their_system_whatever_was_asked_first() -> None:
    assert dealt(["27", "25", "2", "1"]) == [("1", "2", "27"), ("25",)]


def test_shared_systems_hold_rows_of_one_setting_that_leave_a_system_behind() -> None:
    for system in TOGETHER:
        shared = [ROWS[key] for key in system]
        assert not any(row.injection in ENDING for row in shared)
        assert len({row.needs_two_nodes for row in shared}) == 1
        assert all(len({row.injection is kind for row in shared}) == 1 for kind in (Injection.LEAK, Injection.OUTLAST))
        assert all(row.quotes_again for row in shared[:-1])


def test_what_rows_on_one_system_share_is_counted_once_and_fails_them_all() -> None:
    broken = Verdict(name="I3", held=False, checked=4, violations=("positions differ",))
    own = Verdict(name="I9", held=True, checked=2, violations=())
    seen = {"detected_s": 0.1, "safe_s": 0.1, "quoting_s": 1.0, "checks": (own,), "whole": (broken,)}
    first = judge(ROWS["1"], RowRun(key="1", **seen))  # type: ignore[arg-type]
    second = judge(ROWS["2"], RowRun(key="2", after=("1",), **seen))  # type: ignore[arg-type]
    assert checked_in_all([first, second]) == {"I3": 4, "I9": 4}
    assert [each.reasons for each in (first, second)] == [("I3 broken: positions differ",)] * 2


def test_rows_behind_one_that_broke_its_system_are_played_on_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    systems: list[list[str]] = []

    def played(group: Sequence[Row], folder: Path, say: object) -> list[RowRun]:
        systems.append([row.key for row in group])
        reached = 2 if len(systems) == 1 else len(group)
        return [RowRun(key=row.key, failures=("broken",)) for row in group[:reached]]

    monkeypatch.setattr(suite, "_in_a_process", played)
    judged = list(suite.run_rows(["1", "2", "5", "6"], keep=False, say=lambda text: None))
    assert systems == [["1", "2", "5", "6"], ["5", "6"]]
    assert [each.key for each in judged] == ["1", "2", "5", "6"]
    assert {each.outcome for each in judged} == {Outcome.FAILED}


def test_a_process_that_ends_without_a_word_fails_the_row_that_it_was_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = """print('{"type": "Began", "key": "2"}', flush=True); import sys; sys.exit("it fell")"""
    real = subprocess.Popen

    def instead(command: list[str], **rest: Any) -> Any:
        return real([sys.executable, "-c", code], **rest)

    monkeypatch.setattr(suite.subprocess, "Popen", instead)
    said: list[str] = []
    runs = suite._in_a_process([ROWS["1"], ROWS["2"], ROWS["5"]], tmp_path, said.append)
    assert said == ["row 2: SIGKILL order manager"]
    assert runs == [RowRun(key="2", failures=("its process ended with 1: it fell",))]
