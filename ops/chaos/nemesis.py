"""The open-ended form: which fault strikes next, drawn from a seed. The same seed draws the same strokes, on whatever machine. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import msgspec

from ops.chaos.rows import TRADES, Injection, Row
from ops.invariants.history import Findings, Verdict

PAUSE_S_MAX = 6.0
SECOND_SHARE = 0.25
"""Share of strokes that a death follows before the system has recovered."""

SECOND_AFTER_S_MAX = 3.0
RETURN_S_MAX = 90.0
"""A system that does not quote on every symbol so long after a stroke has not come back."""

SURVIVED = frozenset(
    (
        Injection.KILL,
        Injection.FREEZE,
        Injection.BLOCK,
        Injection.HOG,
        Injection.DIE_AT,
        Injection.FULL_DISK,
        Injection.STARVE,
        Injection.STOP,
        Injection.STOP_HURT,
        Injection.VENUE,
        Injection.NETWORK,
        Injection.KILL_IN_FLIGHT,
        Injection.NO_FILES,
        Injection.ASKED,
        Injection.STRANGER,
    )
)
"""Injections that leave a system to go on with, on one stage for all, and some of its restarts."""


def is_survived(row: Row) -> bool:
    """Whether a row can be one of many on the same system, which has one node and is left alone by everybody afterwards."""
    leaves_a_mark = row.injection is Injection.STRANGER and row.variant == TRADES
    return row.injection in SURVIVED and row.quotes_again and not row.needs_two_nodes and not leaves_a_mark


class Stroke(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. `second` is the row of a death that follows `second_after_s` later, if any."""

    key: str
    pause_s: float
    second: str = ""
    second_after_s: float = 0.0


class Struck(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a stroke that began `at_s` after the first quotes.

    `back_s` is when every symbol quoted again; None: it did not. `halted`: a shard had died too often, and was resumed.
    """

    stroke: Stroke
    at_s: float
    fault: str
    back_s: float | None
    halted: bool = False


class Nemesis:
    """Draws strokes."""

    def __init__(self, rows: Mapping[str, Row], seed: int) -> None:
        """Args: rows: of the matrix; those that a live system survives are drawn from."""
        self._keys = tuple(key for key, row in rows.items() if is_survived(row))
        self._deaths = tuple(
            key for key, row in rows.items() if row.injection is Injection.KILL and len(row.victims) == 1
        )
        self._rows = rows
        self._random = random.Random(seed)

    def draw(self) -> Stroke:
        """The next one."""
        key = self._random.choice(self._keys)
        pause_s = round(self._random.uniform(0.0, PAUSE_S_MAX), 2)
        has_second = self._random.random() < SECOND_SHARE
        second = self._random.choice(self._deaths)
        after_s = round(self._random.uniform(0.0, SECOND_AFTER_S_MAX), 2)
        if not has_second:
            return Stroke(key=key, pause_s=pause_s)
        return Stroke(key=key, pause_s=pause_s, second=second, second_after_s=after_s)


def check_came_back(struck: Sequence[Struck]) -> Verdict:
    """I9: after every stroke each symbol quoted again."""
    findings = Findings("I9")
    for each in struck:
        findings.check(
            each.back_s is not None,
            f"row {each.stroke.key} at {each.at_s:.0f} s: not quoting within {RETURN_S_MAX:.0f} s",
        )
    return findings.verdict()
