"""I11: everything that can grow stayed under its bound."""

from __future__ import annotations

from ops.invariants.history import Findings, History, Verdict


def check_bounds_held(history: History) -> Verdict:
    """I11: the highest count seen of each queue and table is within its bound."""
    findings = Findings("I11")
    for name, (peak, bound) in sorted((history.peaks or {}).items()):
        findings.check(peak <= bound, f"{name} held {peak}, at most {bound}")
    return findings.verdict()
