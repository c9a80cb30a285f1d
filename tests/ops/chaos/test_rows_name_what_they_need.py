"""Every row of the matrix as data: what it needs is there, and what it says can be said."""

from __future__ import annotations

import re

import msgspec
import pytest

from actors.exchange.faults import decode_fault
from ops.chaos.injections import _INJECTIONS
from ops.chaos.matrix import NOT_RUN, rows
from ops.chaos.rows import Injection, Row, Safe, order_of
from ops.chaos.stage import ROOT, chaos_settings

ROWS = rows(chaos_settings())
OWN_PLAYERS = {Injection.INTERRUPT, Injection.TOTAL_DEATH}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_can_be_played_and_judged(row: Row) -> None:
    assert row.injection in _INJECTIONS or row.injection in OWN_PLAYERS
    assert (row.network is None) == (row.injection not in (Injection.NETWORK, Injection.ASKED, Injection.OUTLAST))
    assert row.restarted is None or row.restarted in row.victims
    if row.safe is Safe.NONE:
        assert row.bounds.safe_s is None
    if not row.quotes_again:
        assert row.bounds.quoting_s is None
    if row.bounds.detected_s is not None and row.injection is Injection.NETWORK:
        assert row.alerts


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.injection is Injection.ASKED], ids=lambda r: r.key)
def test_what_the_venue_is_asked_for_it_understands(row: Row) -> None:
    assert decode_fault(msgspec.json.encode(row.asked)).kind


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.network is not None], ids=lambda r: r.key)
def test_the_patterns_of_rules_are_patterns(row: Row) -> None:
    assert row.network is not None
    for rule in row.network.rules:
        re.compile(rule.match)


def test_the_runbook_has_a_line_for_every_row() -> None:
    text = (ROOT / "ops" / "runbooks" / "faults.md").read_text("utf-8")
    named = set()
    for line in text.splitlines():
        if line.startswith("| ") and line[2].isdigit():
            cell = line.split("|")[1]
            for part in cell.split(","):
                first, _, last = part.strip().partition(" to ")
                low = order_of(first)[0]
                named |= {(number, "") for number in range(low, order_of(last)[0] + 1)} if last else {order_of(first)}
    numbers = {number for number, _ in named}
    assert {order_of(key)[0] for key in ROWS} <= numbers
    unplayed = text.partition("## Not played")[2]
    assert all(f"{key} (" in unplayed for key in NOT_RUN)
