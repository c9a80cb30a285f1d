"""The judgement of a row: a bound may be missed threefold, a check never."""

from __future__ import annotations

import msgspec
import pytest

from ops.chaos.matrix import MINIMUM, NOT_RUN, rows
from ops.chaos.rows import Bounds, Injection, Row, Safe, fence_s, order_of
from ops.chaos.stage import chaos_settings
from ops.chaos.suite import UnknownRow, chosen
from ops.chaos.verdicts import Outcome, RowRun, checked_in_all, judge, not_run, passed
from ops.invariants.history import Verdict

ROW = Row(
    key="2",
    fault="SIGKILL order manager",
    injection=Injection.KILL,
    safe=Safe.GONE,
    bounds=Bounds(detected_s=0.5, safe_s=2.5, quoting_s=5.0),
)
HELD = Verdict(name="I1", held=True, checked=7, violations=())
BROKEN = Verdict(name="I1", held=False, checked=7, violations=("rm1 was accepted twice",))
RUN = RowRun(key="2", detected_s=0.1, safe_s=1.0, quoting_s=4.0, checks=(HELD,))


def changed(**changes: object) -> RowRun:
    return msgspec.structs.replace(RUN, **changes)


def test_within_its_bounds_a_row_passes() -> None:
    judged = judge(ROW, RUN)
    assert (judged.outcome, judged.reasons) == (Outcome.PASSED, ())


def test_a_bound_missed_by_less_than_threefold_is_late_and_does_not_fail() -> None:
    judged = judge(ROW, changed(safe_s=7.5))
    assert (judged.outcome, judged.reasons) == (Outcome.LATE, ("safe: 7.50 s, bound 2.5 s",))
    assert passed([judged])


def test_a_bound_missed_more_than_threefold_fails() -> None:
    judged = judge(ROW, changed(safe_s=7.6))
    assert (judged.outcome, judged.reasons) == (Outcome.FAILED, ("safe: 7.60 s, more than 3 times 2.5 s",))


def test_what_was_promised_and_not_seen_fails() -> None:
    assert judge(ROW, changed(quoting_s=None)).reasons == ("quoting again: not seen",)


def test_a_system_that_has_to_quote_again_and_does_not_fails_also_without_a_bound() -> None:
    row = msgspec.structs.replace(ROW, bounds=Bounds())
    assert judge(row, changed(quoting_s=None)).outcome is Outcome.FAILED
    ended = msgspec.structs.replace(row, quotes_again=False)
    assert judge(ended, changed(quoting_s=None)).outcome is Outcome.PASSED


def test_a_broken_invariant_fails_whatever_the_bounds_say() -> None:
    judged = judge(ROW, changed(checks=(HELD, BROKEN)))
    assert (judged.outcome, judged.reasons) == (Outcome.FAILED, ("I1 broken: rm1 was accepted twice",))


def test_a_row_without_any_check_proves_nothing() -> None:
    assert judge(ROW, changed(checks=())).reasons == ("no invariant was checked",)


def test_a_row_that_could_not_be_played_fails_with_its_reason() -> None:
    assert judge(ROW, changed(failures=("the venue did not listen",))).reasons == ("the venue did not listen",)


def test_a_row_that_cannot_run_is_not_passed() -> None:
    absent = not_run("16", "node death", "needs a second Ray node")
    assert absent.outcome is Outcome.NOT_RUN
    assert not passed([absent])
    assert passed([absent, judge(ROW, RUN)])


def test_a_check_that_looked_at_nothing_in_every_row_fails_the_suite() -> None:
    blind = Verdict(name="I13", held=True, checked=0, violations=())
    first, second = judge(ROW, changed(checks=(HELD, blind))), judge(ROW, RUN)
    assert checked_in_all([first, second]) == {"I1": 14, "I13": 0}
    assert not passed([first, second])


def test_the_order_managers_bounds_contain_the_fence() -> None:
    settings = chaos_settings()
    known = rows(settings)
    assert fence_s(settings) == 4.25
    assert known["2"].bounds == Bounds(detected_s=0.5, safe_s=2.5, quoting_s=9.25)
    assert known["14"].bounds == Bounds(detected_s=1.5, safe_s=4.0, quoting_s=10.75)
    assert known["1"].bounds == Bounds(detected_s=0.5, safe_s=0.6, quoting_s=5.0)


def test_no_row_is_both_run_and_not_run() -> None:
    assert not rows(chaos_settings()).keys() & NOT_RUN.keys()


def test_the_minimum_set_is_all_known() -> None:
    known = {order_of(key)[0] for key in rows(chaos_settings()).keys() | NOT_RUN.keys()}
    assert set(MINIMUM) <= known


def test_rows_are_chosen_by_key_and_a_number_means_its_variants() -> None:
    assert chosen(["16", "2", "16"]) == ["16", "2"]
    assert chosen(["30b", "36"]) == ["30b", "36", "36b", "36c"]
    everything = chosen(None)
    assert set(everything) == rows(chaos_settings()).keys() | NOT_RUN.keys()
    assert everything == sorted(everything, key=order_of)
    assert everything.index("9") < everything.index("30") < everything.index("30b") < everything.index("31")
    with pytest.raises(UnknownRow, match=r"row 99 is none of 1, 2, 3"):
        chosen(["99"])
