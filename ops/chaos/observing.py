"""One row's figures and checks out of the ledger, the journals and the alert log. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from actors.exchange.ledger import LedgerRecord, OrderAccepted, OrderAmended
from ops.chaos.following import Touched, resolved_t
from ops.chaos.measuring import (
    RaisedAlert,
    empty_t,
    first_accepted_t,
    first_alert,
    gone_t,
    last_accepted_t,
    longest_gap_s,
    quoting_again_t,
    seconds,
)
from ops.chaos.rows import Injection, Row, Safe
from ops.invariants.history import Findings, History, Verdict
from protocols.messages.alerts import AlertCode
from protocols.messages.journal import OrderWritten

_SECOND_NS = 1_000_000_000
RATE_OVER_S = 5


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What the row was played on, and its instants.

    `fault_ns` and `fault_t` are one instant on both clocks. `back_t` is when what was taken away was given back (the venue listens
    again, the stop is lifted); `over_t` when the fault itself was over; `end_t` the end of watching, before anything is drained. `names`
    are the actors of the row's victims, `hurt` the symbols that the fault stops. `touched` is what the proxy treated and the journal
    must show in the end. `tended_t` is when every order manager showed that each reason of its quotes had been renewed since the fault.
    """

    symbols: tuple[str, ...]
    hurt: tuple[str, ...]
    names: tuple[str, ...]
    restarted: str
    lease_ns: int
    fault_ns: int
    fault_t: int
    end_t: int
    back_t: int | None = None
    over_t: int = 0
    touched: tuple[Touched, ...] = ()
    tended_t: int | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds after the fault, or after `back_t` where there is one; None was not seen."""

    detected_s: float | None
    safe_s: float | None
    quoting_s: float | None
    gap_s: float
    orders_per_second: float


def observe(
    row: Row,
    scene: Scene,
    ledger: Sequence[LedgerRecord],
    alerts: Sequence[RaisedAlert],
    is_ours: Callable[[str], bool],
) -> Figures:
    """The figures of a row from what has happened so far."""
    replaced_t = _replaced_t(row, scene, alerts)
    from_t = scene.fault_t if scene.back_t is None else scene.back_t
    safe_from_t = from_t if row.injection is Injection.VENUE else scene.fault_t
    quoting_t = None
    if row.quotes_again:
        since_t = _quotes_since_t(row, scene, ledger, is_ours, replaced_t)
        quoting_t = None if since_t is None else quoting_again_t(ledger, is_ours, scene.symbols, since_t)
    rate_from_t = scene.fault_t - RATE_OVER_S * _SECOND_NS
    accepted = sum(
        isinstance(record, OrderAccepted | OrderAmended) and rate_from_t <= record.t < scene.fault_t
        for record in ledger
    )
    return Figures(
        detected_s=_detected_s(row, scene, alerts),
        safe_s=seconds(safe_from_t, _safe_t(row, scene, ledger, is_ours, replaced_t)),
        quoting_s=seconds(from_t, quoting_t),
        gap_s=max(longest_gap_s(ledger, is_ours, symbol, scene.fault_t, scene.end_t) for symbol in scene.symbols),
        orders_per_second=accepted / RATE_OVER_S,
    )


def tended(shown: Mapping[str, Any], lease_ms: int, fault_ms_ago: float) -> bool:
    """Whether an order manager's snapshot shows every gate open, and book, targets and lease renewed within so many milliseconds."""
    lease_age_ms = lease_ms - shown["lease_left_ms"]
    symbols = shown["symbols"].values()
    return (
        bool(symbols)
        and shown["lease_state"] == "ACTIVE"
        and lease_age_ms < fault_ms_ago
        and all(
            each["gate_open"] and 0 <= each["target_age_ms"] < fault_ms_ago and 0 <= each["quote_age_ms"] < fault_ms_ago
            for each in symbols
        )
    )


def shut_s(scene: Scene, history: History) -> float:
    """SHUT: how long after the stop file the last byte of an order was written or the last order accepted; 0 when none was."""
    assert scene.back_t is not None
    accepted_t = last_accepted_t(history.ledger, history.is_ours, scene.fault_t, scene.back_t)
    resumed_ns = scene.fault_ns + scene.back_t - scene.fault_t
    written = [
        record.written_ns
        for _, record in history.journaled()
        if isinstance(record, OrderWritten) and scene.fault_ns <= record.written_ns < resumed_ns
    ]
    after_ns = max(max(written, default=scene.fault_ns) - scene.fault_ns, (accepted_t or scene.fault_t) - scene.fault_t)
    return after_ns / _SECOND_NS


def check_alerted(row: Row, scene: Scene, alerts: Sequence[RaisedAlert]) -> Verdict:
    """I12: the incident raised an alert, for each victim one, and it is in the alert log."""
    findings = Findings("I12")
    for name in scene.names or ("",):
        found = first_alert(alerts, row.alerts, (name,) if name else (), scene.fault_ns)
        findings.check(found is not None, f"no alert {' or '.join(row.alerts)} about {name or 'it'}")
    return findings.verdict()


def check_quoting_again(
    row: Row,
    scene: Scene,
    ledger: Sequence[LedgerRecord],
    alerts: Sequence[RaisedAlert],
    is_ours: Callable[[str], bool],
) -> Verdict:
    """I9: every symbol quotes again."""
    findings = Findings("I9")
    since_t = _quotes_since_t(row, scene, ledger, is_ours, _replaced_t(row, scene, alerts))
    for symbol in scene.symbols:
        again_t = None if since_t is None else quoting_again_t(ledger, is_ours, (symbol,), since_t)
        findings.check(again_t is not None, f"{symbol} did not quote again")
    return findings.verdict()


def _detected_s(row: Row, scene: Scene, alerts: Sequence[RaisedAlert]) -> float | None:
    found = [first_alert(alerts, row.alerts, (name,), scene.fault_ns) for name in scene.names]
    if not scene.names and row.alerts:
        found = [first_alert(alerts, row.alerts, (), scene.fault_ns)]
    if not found or any(alert is None for alert in found):
        return None
    return round(max(alert.raised_ns - scene.fault_ns for alert in found if alert is not None) / _SECOND_NS, 3)


def _replaced_t(row: Row, scene: Scene, alerts: Sequence[RaisedAlert]) -> int | None:
    """When what gives quotes a new reason was there again, in the venue's time."""
    if scene.restarted:
        alert = first_alert(alerts, (AlertCode.ACTOR_RESTARTED,), (scene.restarted,), scene.fault_ns)
        return None if alert is None else scene.fault_t + alert.raised_ns - scene.fault_ns
    return scene.back_t


def _quotes_since_t(
    row: Row,
    scene: Scene,
    ledger: Sequence[LedgerRecord],
    is_ours: Callable[[str], bool],
    replaced_t: int | None,
) -> int | None:
    match row.safe:
        case Safe.GONE:
            return replaced_t
        case Safe.EMPTY:
            gone_since_t = empty_t(ledger, is_ours, scene.hurt, scene.fault_t)
            return None if gone_since_t is None else max(gone_since_t, scene.back_t or 0)
        case Safe.LEASED:
            return scene.fault_t + scene.lease_ns
        case Safe.TENDED | Safe.RESOLVED | Safe.NONE:
            return scene.back_t or scene.fault_t


def _safe_t(
    row: Row,
    scene: Scene,
    ledger: Sequence[LedgerRecord],
    is_ours: Callable[[str], bool],
    replaced_t: int | None,
) -> int | None:
    match row.safe:
        case Safe.GONE:
            from_t = scene.fault_t
            if scene.back_t is not None and row.injection is Injection.VENUE:
                from_t = scene.back_t
            return gone_t(ledger, is_ours, scene.symbols, from_t, replaced_t, scene.end_t)
        case Safe.EMPTY:
            return empty_t(ledger, is_ours, scene.hurt, scene.fault_t)
        case Safe.LEASED | Safe.TENDED:
            since_t = scene.fault_t + (scene.lease_ns if row.safe is Safe.LEASED else 0)
            ends = (
                gone_t(ledger, is_ours, scene.symbols, scene.fault_t, since_t, scene.end_t),
                first_accepted_t(ledger, is_ours, scene.symbols, since_t),
                scene.tended_t if row.safe is Safe.TENDED else None,
            )
            return min((end for end in ends if end is not None), default=None)
        case Safe.RESOLVED:
            return resolved_t(scene.touched)
        case Safe.NONE:
            return None
