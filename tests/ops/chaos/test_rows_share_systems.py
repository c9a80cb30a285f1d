"""Which rows share a living system: each row is dealt once, in a fixed order, and none that would spoil it for those after it."""

from __future__ import annotations

from ops.chaos.matrix import rows
from ops.chaos.rows import Injection
from ops.chaos.stage import chaos_settings
from ops.chaos.systems import TOGETHER, dealt
from ops.chaos.verdicts import RowRun, checked_in_all, judge
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
