"""Every check that a finished run is put through."""

from __future__ import annotations

from ops.invariants import bounds, journals, orders, positions, stops, telling
from ops.invariants.history import History, Verdict

NAMES = tuple(f"I{number}" for number in range(1, 16))
"""Every invariant of DESIGN.md section 7. I9 is checked by who watches a run, for its bounds are those of the fault."""

CHECKS = (
    orders.check_one_intent_one_order,
    stops.check_nothing_after_shut,
    positions.check_positions_agree,
    orders.check_no_older_epoch_after_a_newer,
    positions.check_limits_held,
    orders.check_every_quote_had_a_reason,
    orders.check_no_orphan,
    stops.check_retry_after_obeyed,
    positions.check_counted_once,
    stops.check_countdown_guards,
    journals.check_units_hold,
)
"""What ledger and journals alone can show."""


def check_all(history: History) -> tuple[Verdict, ...]:
    """Run every check for which there is something to look at."""
    verdicts = [check(history) for check in CHECKS]
    if history.copied is not None:
        verdicts.append(journals.check_nothing_acknowledged_is_lost(history))
    if history.peaks is not None:
        verdicts.append(bounds.check_bounds_held(history))
    if history.raised is not None and history.told is not None:
        verdicts.append(telling.check_incidents_are_told(history))
    return tuple(sorted(verdicts, key=lambda verdict: NAMES.index(verdict.name)))
