"""I12: what happened was told, and what was told has arrived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from actors.exchange.ledger import OrderFilled, RequestThrottled
from ops.invariants.history import Findings, History, Verdict
from protocols.messages.alerts import Alert, AlertCode

REPEAT_NS = 10_000_000_000
"""Who raises an alert raises it again at most once in so long: what happens meanwhile is told by the one before."""


class Incident(NamedTuple):
    """What the ledger shows of an incident. `about` is what its alert has to name: a symbol, or the actor that raises it; "" for any."""

    code: AlertCode
    about: str
    t: int
    what: str


def check_incidents_are_told(history: History) -> Verdict:
    """I12: an incident that the ledger shows has raised its alert, about the same symbol or by the actor that it happened to, after it
    and within the time of `told_ns_max`; and every alert that was raised is in alerting's records.
    """
    findings = Findings("I12")
    told = {(alert.code, alert.subject) for alert in history.told or ()}
    for alert in history.raised or ():
        findings.check(
            (alert.code, alert.subject) in told, f"{alert.source}: {alert.code} of {alert.subject} never arrived"
        )
    raised = _raised_by_key(history)
    for (code, about), incidents in _by_key(history).items():
        covered_t = 0
        for incident in incidents:
            if incident.t <= covered_t:
                continue
            t = next((t for t in raised[code, about] if t >= incident.t), None)
            in_time = t is not None and t - incident.t <= history.told_ns_max
            late = "no" if t is None else f"after {(t - incident.t) / 1e9:.1f} s its"
            findings.check(in_time, f"{incident.what} raised {late} {code} of {about or 'anybody'}")
            covered_t = incident.t if t is None else t + REPEAT_NS
    return findings.verdict()


def _by_key(history: History) -> dict[tuple[AlertCode, str], list[Incident]]:
    found: dict[tuple[AlertCode, str], list[Incident]] = defaultdict(list)
    for incident in _incidents(history):
        found[incident.code, incident.about].append(incident)
    return found


def _incidents(history: History) -> Iterator[Incident]:
    for record in history.ledger:
        if isinstance(record, OrderFilled) and not history.is_ours(record.client_order_id):
            yield Incident(AlertCode.FOREIGN_FILL, record.symbol, record.t, "a stranger's trade")
        elif isinstance(record, RequestThrottled) and (record.address, record.t) not in history.untold:
            actor = record.address.partition(" ")[2]
            yield Incident(AlertCode.RATE_LIMITED, actor, record.t, "a request refused for its rate")


def _raised_by_key(history: History) -> dict[tuple[AlertCode, str], list[int]]:
    """When alerts were raised in the venue's time, in order: by what they are about, by who raised them, and all of a code."""
    found: dict[tuple[AlertCode, str], list[int]] = defaultdict(list)
    for alert, t in zip(history.raised or (), history.raised_t, strict=True):
        for about in _names(alert):
            found[alert.code, about].append(t)
    return found


def _names(alert: Alert) -> set[str]:
    return {"", alert.subject, alert.source}
