"""Which rows are played one after another on one living system, and which on one of their own. Pure."""

from __future__ import annotations

from collections.abc import Sequence

TOGETHER: tuple[tuple[str, ...], ...] = (
    ("1", "2", "5", "6", "7", "8", "9", "9b", "10", "11", "27", "59", "61"),
    ("3", "3b", "4", "4b", "4c", "58", "12", "12b", "55"),
    ("13", "13b", "14", "14b", "14c", "15", "15b", "26", "26b", "54"),
    ("28", "30", "36", "36b", "36c", "37", "37b", "38", "39", "39b", "44c"),
    ("29", "60", "31", "34", "32", "60b", "33", "57", "30b", "44", "44b"),
    ("41", "43", "41c", "43b", "47", "50", "48", "42", "45", "41b", "65"),
    ("40", "35", "45b", "46", "49", "43c"),
    ("56", "56b"),
    ("30c", "47b"),
    ("19", "20", "51b", "17"),
)
"""Rows that leave a whole system behind, in the order in which none disturbs the measuring of the next: what an actor tells once in a
while is not looked for twice in a row, and what leaves a mark (a stranger's order, a shard that has moved to another node) comes last.

A row that is in none has a system of its own: other settings, or one that ends with it.
"""


def dealt(keys: Sequence[str]) -> list[tuple[str, ...]]:
    """The rows by system, in the order of their first; within a system in that of TOGETHER."""
    found: dict[tuple[str, ...], None] = {}
    for key in keys:
        group = next((group for group in TOGETHER if key in group), (key,))
        found.setdefault(tuple(member for member in group if member in keys), None)
    return list(found)
