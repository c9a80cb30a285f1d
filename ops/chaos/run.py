"""`python -m ops.chaos.run ROW FOLDER SEED`: play one row on a system of its own and print what was seen as one line of JSON.

A process joins one Ray in its life, so every row has a process of its own (ops/chaos/suite.py starts it).
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import msgspec

from actors.runtime.ray_cluster import running_cluster
from actors.runtime.ray_host import detach
from actors.runtime.ray_nodes import part_processes
from configs.schema import Settings
from ops.chaos import faults
from ops.chaos.flights import check_flights
from ops.chaos.injections import PROXIED, inject
from ops.chaos.live import COMMAND_S_MAX, Live, Told, alerts_of, ended, seconds_after, verdict
from ops.chaos.matrix import rows
from ops.chaos.measuring import empty_t
from ops.chaos.observing import check_alerted, check_quoting_again, observe, shut_s
from ops.chaos.proxy.handle import ProxyFailed
from ops.chaos.rows import DEAD_HEAD, NO_HEAD, Injection, Row
from ops.chaos.stage import Stage, StageFailed, chaos_settings
from ops.chaos.stranger import is_strangers
from ops.chaos.timeline import timeline_of
from ops.chaos.verdicts import RowRun
from ops.chaos.want_rows import LEAK_MB_MAX
from ops.invariants.all import check_all
from ops.invariants.history import Findings
from ops.launch import Ending, LaunchFailed, clear_away, launch, shut_down, status_of, wait_until_quoting
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

CLEARED_LOOK_S = 0.1
HEADLESS_FOR_S = 4.0


def play(row: Row, folder: Path, seed: int) -> RowRun:
    """Play a row on a fresh folder.

    Raises:
        StageFailed, LaunchFailed, ProxyFailed: there was nothing to play on.
    """
    with Stage(folder, seed) as stage:
        stage.start_venue()
        if row.injection in PROXIED:
            stage.start_proxy()
        changes = LIMITS if row.injection is Injection.STOP else {}
        if row.injection is Injection.LEAK:
            changes = {"supervision": {"memory_mb_max": LEAK_MB_MAX}}
        if row.injection is Injection.WEBHOOK:
            changes = changes | stage.start_webhook()
        if row.needs_two_nodes:
            changes = changes | stage.two_nodes()
        settings = stage.settings(changes)
        if row.needs_two_nodes:
            stage.start_node()
        if row.injection is Injection.INTERRUPT:
            told, ending = _interrupted(row, stage, settings)
        elif row.injection is Injection.TOTAL_DEATH:
            told, ending = _died_out(row, stage, prepare(settings, stage.state))
        else:
            told, ending = _hurt(row, stage, prepare(settings, stage.state))
    return _run_of(row, stage, told, ending)


def _hurt(row: Row, stage: Stage, settings: Settings) -> tuple[Told, Ending]:
    client = launch(settings, stage.state, _silent)
    live = Live(stage, settings, client)
    try:
        wait_until_quoting(client, settings, _silent, lambda: False)
        live.await_quotes()
        before = status_of(client)
        told = inject(row, live, before)
        told.scene = live.watch(row, told.scene)
        _compare(row, before, live, told)
    finally:
        if stage.proxy is not None:
            stage.proxy.rules()
        ending = shut_down(client, stage.state, settings, _silent)
    return told, ending


def _interrupted(row: Row, stage: Stage, settings: Settings) -> tuple[Told, Ending]:
    """A system in the foreground of a command that gets Ctrl-C, or whose Ray dies under it."""
    live = Live(stage, settings)
    up = stage.raymaker("up", "--config", str(stage.config), "--state", str(stage.state.path))
    try:
        live.await_quotes()
        if row.variant == NO_HEAD:
            _take_the_head(stage)
        told = Told(scene=live.scene(row, ()), checks=[], notes=[])
        if row.variant == DEAD_HEAD:
            faults.kill_store(running_cluster(stage.state).head_pid)
        else:
            up.send_signal(signal.SIGINT)
        output, _ = up.communicate(timeout=COMMAND_S_MAX)
    finally:
        if up.poll() is None:
            up.kill()
            up.wait()
    told.notes.append(f"exit code {up.returncode} after {seconds_after(told.scene):.1f} s")
    told.scene = msgspec.structs.replace(told.scene, end_t=time.time_ns())
    died = row.variant == DEAD_HEAD
    is_clear = up.returncode == 4 and "twice showed no open order" in output if died else up.returncode == 0
    told.checks.append(verdict("the exit", is_clear, output))
    return told, Ending(confirmed=is_clear, text=output)


def _take_the_head(stage: Stage) -> None:
    """For good: its keeper is frozen, so that no new one comes."""
    head = part_processes(stage.state)["head"]
    faults.freeze(head.keeper)
    faults.kill([head.gcs_server])
    time.sleep(HEADLESS_FOR_S)


def _died_out(row: Row, stage: Stage, settings: Settings) -> tuple[Told, Ending]:
    """Everything of ours is killed, Ray with it; when the venue's countdown has cleared the book, a command starts it all again."""
    live = Live(stage, settings, launch(settings, stage.state, _silent))
    told = Told(scene=live.scene(row, ()), checks=[], notes=[])
    arguments = ("--state", str(stage.state.path))
    try:
        wait_until_quoting(live.client, settings, _silent, lambda: False)
        live.await_quotes()
        cluster = running_cluster(stage.state)
        live.client.close()
        detach()
        told.scene = live.scene(row, ())
        if row.variant == "gcs":
            faults.kill_store(cluster.head_pid)
        else:
            faults.kill_marked(cluster.marker)
        told.notes.append(f"every process was gone {seconds_after(told.scene):.2f} s after the first SIGKILL")
        deadline = time.monotonic() + row.watch_s
        while empty_t(live.ledger(), live.is_ours, settings.symbols, told.scene.fault_t) is None:
            if time.monotonic() > deadline:
                raise StageFailed(f"orders still rest {row.watch_s:.0f} s after everything was killed")
            time.sleep(CLEARED_LOOK_S)
        told.scene = msgspec.structs.replace(told.scene, back_t=time.time_ns())
        output, code = ended(stage.raymaker("up", "--detach", "--config", str(stage.config), *arguments))
        told.checks.append(verdict("the new start", code == 0, output))
        told.scene = live.watch(row, told.scene)
    finally:
        output, code = ended(stage.raymaker("down", *arguments))
        clear_away(stage.state)
    return told, Ending(confirmed=code == 0, text=output)


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


def _run_of(row: Row, stage: Stage, told: Told, ending: Ending) -> RowRun:
    history = read_history(stage.state, stage.ledger, other_nodes=(stage.other_state,))
    alerts = alerts_of(stage.state)
    scene = told.scene
    figures = observe(row, scene, history.ledger, alerts, history.is_ours)
    checks = [*check_all(history), check_flights(stage.state), *told.checks]
    detected_s = figures.detected_s if told.detected_s is None else told.detected_s
    if row.alerts:
        checks.append(check_alerted(row, scene, alerts))
    if row.quotes_again:
        checks.append(check_quoting_again(row, scene, history.ledger, alerts, history.is_ours))
    if row.injection is Injection.STOP:
        detected_s = round(shut_s(scene, history), 3)
        rate = figures.orders_per_second
        checks.append(verdict("at the limits", rate >= LIMIT_PER_S * AT_LIMIT_SHARE, f"{rate:.1f} orders a second"))
    live = len(live_order_ids(record for record in history.ledger if not is_strangers(record)))
    checks.append(verdict("no order at the end", live == 0 and ending.confirmed, f"{live} live: {ending.text}"))
    return RowRun(
        key=row.key,
        detected_s=detected_s,
        safe_s=figures.safe_s,
        quoting_s=figures.quoting_s,
        gap_s=figures.gap_s,
        orders_per_second=figures.orders_per_second,
        checks=tuple(checks),
        notes=tuple(told.notes),
        timeline=timeline_of(scene, history, alerts),
    )


def _silent(text: str) -> None:
    """Progress of a row is not told."""


def main(arguments: list[str]) -> int:
    """Play the row named; 0 when it could be played, whatever was seen."""
    key, folder, seed = arguments[0], Path(arguments[1]), int(arguments[2])
    row = rows(chaos_settings())[key]
    try:
        run = play(row, folder, seed)
    except (StageFailed, LaunchFailed, ProxyFailed) as error:
        run = RowRun(key=key, failures=(str(error),))
    print(msgspec.json.encode(run).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
