"""Every check that a finished run is put through."""

from __future__ import annotations

from ops.invariants import orders, positions, stops
from ops.invariants.history import History, Verdict

NAMES = ("I1", "I2", "I3", "I5", "I6", "I7", "I8", "I9", "I10", "I13", "I14")
"""Every invariant that has a check: here over a finished run, I9 by who watches it."""

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
)


def check_all(history: History) -> tuple[Verdict, ...]:
    """Run every check."""
    return tuple(check(history) for check in CHECKS)
