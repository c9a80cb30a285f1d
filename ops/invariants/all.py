"""Every check that a finished run is put through."""

from __future__ import annotations

from collections.abc import Sequence

from ops.invariants import bounds, journals, money, orders, positions, telling
from ops.invariants.history import VIOLATIONS_SHOWN_MAX, History, Verdict
from ops.invariants.referee import Referee

NAMES = tuple(f"I{number}" for number in range(1, 16))
"""Every invariant of DESIGN.md section 7. I9 is checked by who watches a run, for its bounds are those of the fault."""


def check_all(history: History, referee: Referee | None = None) -> tuple[Verdict, ...]:
    """Run every check for which there is something to look at.

    Args:
        referee: has seen the whole run already, record by record; without one it is shown ledger and journals now.
    """
    if referee is None:
        referee = Referee(history.scene())
        _show(referee, history)
    verdicts = [*referee.verdicts(), positions.check_positions_agree(history)]
    if history.copied is not None:
        verdicts.append(journals.check_nothing_acknowledged_is_lost(history))
    if history.peaks is not None:
        verdicts.append(bounds.check_bounds_held(history))
    if history.raised is not None and history.told is not None:
        verdicts.append(telling.check_incidents_are_told(history))
    if history.untended is not None:
        verdicts.append(orders.check_every_order_is_tended(history))
    if history.claimed_wallets is not None:
        verdicts.append(money.check_wallets_agree(history))
    return tuple(_together(name, verdicts) for name in NAMES if any(verdict.name == name for verdict in verdicts))


def _together(name: str, verdicts: Sequence[Verdict]) -> Verdict:
    """All verdicts on one invariant as one."""
    own = [verdict for verdict in verdicts if verdict.name == name]
    return Verdict(
        name=name,
        held=all(verdict.held for verdict in own),
        checked=sum(verdict.checked for verdict in own),
        violations=tuple(text for verdict in own for text in verdict.violations)[:VIOLATIONS_SHOWN_MAX],
    )


def _show(referee: Referee, history: History) -> None:
    for shard, records in sorted(history.lost.items()):
        for record in records:
            referee.journal(shard, record)
        referee.journal_lost(shard)
    for shard, records in sorted(history.journals.items()):
        for record in records:
            referee.journal(shard, record)
    for entry in history.ledger:
        referee.ledger(entry)
