"""I12: what happened was told, and what was told has arrived."""

from __future__ import annotations

from actors.exchange.ledger import OrderFilled, RequestThrottled
from ops.invariants.history import Findings, History, Verdict
from protocols.messages.alerts import AlertCode

INCIDENTS: dict[AlertCode, str] = {
    AlertCode.FOREIGN_FILL: "a stranger's trade",
    AlertCode.RATE_LIMITED: "a request refused for its rate",
}
"""What the ledger shows of incidents, and the alert that each must have raised."""


def check_incidents_are_told(history: History) -> Verdict:
    """I12: an incident that the ledger shows has raised its alert, and every alert that was raised is in alerting's records."""
    findings = Findings("I12")
    raised = {alert.code for alert in history.raised or ()}
    told = {(alert.code, alert.subject) for alert in history.told or ()}
    for alert in history.raised or ():
        findings.check(
            (alert.code, alert.subject) in told, f"{alert.source}: {alert.code} of {alert.subject} never arrived"
        )
    for code in _incidents(history):
        findings.check(code in raised, f"{INCIDENTS[code]} raised no {code}")
    return findings.verdict()


def _incidents(history: History) -> set[AlertCode]:
    found = set()
    for record in history.ledger:
        if isinstance(record, OrderFilled) and not history.is_ours(record.client_order_id):
            found.add(AlertCode.FOREIGN_FILL)
        elif isinstance(record, RequestThrottled):
            found.add(AlertCode.RATE_LIMITED)
    return found
