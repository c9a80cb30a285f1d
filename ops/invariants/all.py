"""Every check that a finished run is put through."""

from __future__ import annotations

from ops.invariants import orders, positions
from ops.invariants.history import History, Verdict

CHECKS = (
    orders.check_one_intent_one_order,
    positions.check_positions_agree,
    orders.check_no_older_epoch_after_a_newer,
    positions.check_limits_held,
    orders.check_every_quote_had_a_reason,
    orders.check_no_orphan,
    positions.check_counted_once,
)


def check_all(history: History) -> tuple[Verdict, ...]:
    """Run every check."""
    return tuple(check(history) for check in CHECKS)
