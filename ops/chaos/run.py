"""`python -m ops.chaos.run ROWS FOLDER SEED`: play rows one after another on one system and print what was seen.

A process joins one Ray in its life, so every system has a process of its own (ops/chaos/suite.py starts it). It prints lines of JSON: a
`Began` for each row that begins, and at the end a `RowRun` for each that was played. Rows that follow one after which the system is not
whole again are not played.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil

from actors.exchange.ledger import LedgerRecord
from configs.schema import Settings
from ops.chaos.endings import died_out, interrupted
from ops.chaos.flights import check_flights
from ops.chaos.injections import PROXIED, inject
from ops.chaos.live import AGAIN_S, STEADY_S, Live, Told, alerts_of, verdict
from ops.chaos.matrix import rows
from ops.chaos.measuring import RaisedAlert
from ops.chaos.network_rows import IMPATIENT
from ops.chaos.observing import Figures, check_alerted, check_quoting_again, observe, shut_s
from ops.chaos.proxy.handle import ProxyFailed
from ops.chaos.rows import Injection, Row
from ops.chaos.stage import Stage, StageFailed, chaos_settings
from ops.chaos.stranger import is_strangers
from ops.chaos.timeline import timeline_of
from ops.chaos.verdicts import Began, RowRun
from ops.chaos.want_rows import LEAK_MB_MAX
from ops.invariants.all import check_all
from ops.invariants.history import Findings, History, Verdict
from ops.launch import Ending, LaunchFailed, RayHostError, launch, shut_down, status_of, wait_until_quoting
from ops.preparation import prepare
from ops.report import live_order_ids
from ops.run_files import read_history
from protocols.messages.control import SystemStatus

LIMITS: dict[str, object] = {
    "order_manager": {"price_tolerance_bps": 0.0, "order_age_ms_min": 0},
    "strategy": {"levels": 8, "level_spacing_bps": 0.1, "order_notional": 250},
}
"""Settings that follow every move of the market at once: the order budget of the venue's default limits is used up."""

LIMIT_PER_S, AT_LIMIT_SHARE = 30.0, 0.6
"""The venue allows 300 orders and amendments in ten seconds, of which `orders_budget_share` is used; at its limits means this share."""

THROTTLE_MS = 1_000
"""Equal alerts are told this often, not every half minute: the death of an actor in one row is not that of the row before."""


class _Played(msgspec.Struct, kw_only=True):
    """A row that was played, with what was seen of it right after it."""

    row: Row
    told: Told
    figures: Figures | None = None
    failures: tuple[str, ...] = ()


def play(wanted: Sequence[Row], folder: Path, seed: int) -> list[RowRun]:
    """Play rows on one system, on a fresh folder.

    Raises:
        StageFailed, LaunchFailed, ProxyFailed: there was nothing to play on.
    """
    first = wanted[0]
    with Stage(folder, seed) as stage:
        stage.start_venue()
        if any(row.injection in PROXIED for row in wanted):
            stage.start_proxy()
        settings = stage.settings(_changes(wanted, stage))
        if first.needs_two_nodes:
            stage.start_node()
        if first.injection in (Injection.INTERRUPT, Injection.TOTAL_DEATH):
            _say(first)
            ends = interrupted if first.injection is Injection.INTERRUPT else died_out
            told, ending = ends(first, stage, prepare(settings, stage.state))
            played = [_Played(row=first, told=told)]
        else:
            played, ending = _hurt(wanted, stage, prepare(settings, stage.state))
    return _runs_of(played, stage, ending)


def _changes(wanted: Sequence[Row], stage: Stage) -> dict[str, object]:
    alerting: dict[str, object] = {"throttle_ms": THROTTLE_MS}
    changes: dict[str, object] = {"alerting": alerting}
    kinds = {row.injection for row in wanted}
    if Injection.STOP in kinds:
        changes |= LIMITS
    if Injection.OUTLAST in kinds:
        changes |= IMPATIENT
    if Injection.LEAK in kinds:
        changes |= {"supervision": {"memory_mb_max": LEAK_MB_MAX}}
    if Injection.WEBHOOK in kinds:
        alerting |= stage.start_webhook()
    if any(row.needs_two_nodes for row in wanted):
        changes |= stage.two_nodes()
    return changes


def _hurt(wanted: Sequence[Row], stage: Stage, settings: Settings) -> tuple[list[_Played], Ending]:
    client = launch(settings, stage.state, _silent, config_file=str(stage.config))
    live = Live(stage, settings, client)
    played: list[_Played] = []
    try:
        wait_until_quoting(client, settings, _silent, lambda: False)
        for row in wanted:
            try:
                live.await_quotes(AGAIN_S if played else STEADY_S)
            except StageFailed as error:
                if not played:
                    raise
                played[-1].failures += (f"afterwards: {error}",)
                break
            _say(row)
            played.append(_hit(row, live))
            if stage.proxy is not None:
                stage.proxy.rules()
            if played[-1].failures:
                break
    finally:
        if stage.proxy is not None:
            stage.proxy.rules()
        ending = shut_down(client, stage.state, settings, _silent)
    return played, ending


def _hit(row: Row, live: Live) -> _Played:
    """Play one row on a system that quotes. A failure of the playing itself is told of the row: what was done before it counts."""
    told = Told(scene=live.scene(row, ()), checks=[], notes=[])
    try:
        before = status_of(live.client)
        told = inject(row, live, before)
        told.scene = live.watch(row, told.scene)
        _compare(row, before, live, told)
    except (StageFailed, RayHostError, LookupError, psutil.Error) as error:
        return _Played(row=row, told=told, failures=(f"{type(error).__name__}: {error}",))
    return _judged_now(row, live, told)


def _judged_now(row: Row, live: Live, told: Told) -> _Played:
    """Figures and checks of one row, before a later one gives them other alerts and other orders."""
    ledger, alerts = live.ledger(), live.alerts()
    figures = observe(row, told.scene, ledger, alerts, live.is_ours)
    told.checks += _own_checks(row, told, ledger, alerts, live.is_ours)
    return _Played(row=row, told=told, figures=figures)


def _own_checks(
    row: Row, told: Told, ledger: Sequence[LedgerRecord], alerts: Sequence[RaisedAlert], is_ours: Callable[[str], bool]
) -> list[Verdict]:
    checks = []
    if row.alerts:
        checks.append(check_alerted(row, told.scene, alerts))
    if row.quotes_again:
        checks.append(check_quoting_again(row, told.scene, ledger, alerts, is_ours))
    return checks


def _compare(row: Row, before: SystemStatus, live: Live, told: Told) -> None:
    """Only who was hurt may have been replaced."""
    spared = {actor.role for actor in before.actors} - set(row.victims)
    after = {actor.name: actor.pid for actor in status_of(live.client).actors}
    findings = Findings("nobody else replaced")
    for actor in before.actors:
        if actor.role in spared:
            findings.check(after.get(actor.name) == actor.pid, f"{actor.name} was replaced")
    if spared:
        told.checks.append(findings.verdict())


def _runs_of(played: Sequence[_Played], stage: Stage, ending: Ending) -> list[RowRun]:
    history = read_history(stage.state, stage.ledger, other_nodes=(stage.other_state,))
    live = len(live_order_ids(record for record in history.ledger if not is_strangers(record)))
    whole = (
        *check_all(history),
        check_flights(stage.state),
        verdict("no order at the end", live == 0 and ending.confirmed, f"{live} live: {ending.text}"),
    )
    runs: list[RowRun] = []
    for each in played:
        run = _run_of(each, history, alerts_of(stage.state))
        runs.append(msgspec.structs.replace(run, whole=whole, after=tuple(run.key for run in runs)))
    return runs


def _run_of(played: _Played, history: History, alerts: Sequence[RaisedAlert]) -> RowRun:
    row, told = played.row, played.told
    figures = played.figures
    if figures is None:
        figures = observe(row, told.scene, history.ledger, alerts, history.is_ours)
        if not played.failures:
            told.checks += _own_checks(row, told, history.ledger, alerts, history.is_ours)
    detected_s = figures.detected_s if told.detected_s is None else told.detected_s
    if row.injection is Injection.STOP and told.scene.back_t is not None:
        detected_s = round(shut_s(told.scene, history), 3)
        rate = figures.orders_per_second
        told.checks.append(
            verdict("at the limits", rate >= LIMIT_PER_S * AT_LIMIT_SHARE, f"{rate:.1f} orders a second")
        )
    return RowRun(
        key=row.key,
        detected_s=detected_s,
        safe_s=figures.safe_s,
        quoting_s=figures.quoting_s,
        gap_s=figures.gap_s,
        orders_per_second=figures.orders_per_second,
        checks=tuple(told.checks),
        failures=played.failures,
        notes=tuple(told.notes),
        timeline=timeline_of(told.scene, history, alerts),
    )


def _silent(text: str) -> None:
    """Progress of a row is not told."""


def _say(row: Row) -> None:
    print(msgspec.json.encode(Began(key=row.key)).decode(), flush=True)


def main(arguments: list[str]) -> int:
    """Play the rows named; 0 when they could be played, whatever was seen."""
    keys, folder, seed = arguments[0].split(","), Path(arguments[1]), int(arguments[2])
    known = rows(chaos_settings())
    try:
        runs = play([known[key] for key in keys], folder, seed)
    except (StageFailed, LaunchFailed, ProxyFailed) as error:
        runs = [RowRun(key=keys[0], failures=(str(error),))]
    for run in runs:
        print(msgspec.json.encode(run).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
