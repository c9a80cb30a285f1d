"""The open-ended form: a seed draws the same strokes, only of what a live system survives, and what they cost is counted."""

from __future__ import annotations

from ops.chaos.matrix import rows
from ops.chaos.nemesis import (
    PAUSE_S_MAX,
    SECOND_AFTER_S_MAX,
    Nemesis,
    Stroke,
    Struck,
    check_came_back,
    is_survived,
)
from ops.chaos.rows import Injection
from ops.chaos.stage import chaos_settings

ROWS = rows(chaos_settings())


def strokes(seed: int, count: int = 300) -> list[Stroke]:
    nemesis = Nemesis(ROWS, seed)
    return [nemesis.draw() for _ in range(count)]


def test_the_same_seed_draws_the_same_strokes_and_another_draws_others() -> None:
    assert strokes(7) == strokes(7)
    assert strokes(7) != strokes(8)


def test_every_row_that_a_live_system_survives_comes_and_no_other() -> None:
    keys = {stroke.key for stroke in strokes(1, 3_000)}
    assert keys == {key for key, row in ROWS.items() if is_survived(row)}
    assert not keys & {"11b", "16", "23", "26c", "27", "43c", "60", "65"}


def test_some_strokes_are_followed_by_a_death_before_the_system_has_recovered() -> None:
    drawn = strokes(1)
    seconds = [stroke for stroke in drawn if stroke.second]
    assert 0 < len(seconds) < len(drawn)
    assert {ROWS[stroke.second].injection for stroke in seconds} == {Injection.KILL}
    assert all(0 <= stroke.second_after_s <= SECOND_AFTER_S_MAX for stroke in seconds)
    assert all(0 <= stroke.pause_s <= PAUSE_S_MAX for stroke in drawn)


def test_a_stroke_after_which_a_symbol_stays_silent_breaks_i9() -> None:
    back = Struck(stroke=Stroke(key="2", pause_s=0), at_s=3, fault="x", back_s=4.0)
    gone = Struck(stroke=Stroke(key="6", pause_s=0), at_s=9, fault="y", back_s=None)
    assert check_came_back([back]).held
    assert check_came_back([back, gone]).violations == ("row 6 at 9 s: not quoting within 90 s",)
