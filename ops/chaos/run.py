"""`python -m ops.chaos.run ROW FOLDER SEED`: play one row on a system of its own and print what was seen as one line of JSON.

A process joins one Ray in its life, so every row has a process of its own (ops/chaos/suite.py starts it).
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.runtime.state_dir import StateDir
from configs.schema import Settings
from ops.chaos import faults
from ops.chaos.measuring import RaisedAlert, quotes_now, quoting_again_t, read_alerts
from ops.chaos.observing import Scene, check_alerted, check_quoting_again, observe, shut_s
from ops.chaos.rows import Injection, Row, rows
from ops.chaos.stage import Stage, StageFailed, chaos_settings
from ops.chaos.verdicts import RowRun
from ops.invariants.all import check_all
from ops.invariants.history import Findings, Verdict
from ops.launch import Ending, LaunchFailed, SupervisorClient, launch, shut_down, status_of, wait_until_quoting
from ops.preparation import prepare
from ops.report import live_order_ids
from ops.run_files import read_history
from protocols.client_order_id import parse_client_order_id
from protocols.messages.control import SystemStatus

QUOTES_S_MAX = 30.0
STEADY_S = 3.0
"""Quoting undisturbed before the fault."""

WATCH_S_MAX = 25.0
SETTLE_S = 2.0
"""Watching goes on for so long after everything was seen."""

LOOK_S = 0.1
FILE_LOOK_S = 0.002
VENUE_DOWN_S = 2.0
STOPPED_S = 3.0
"""How long an emergency stop is held before it is lifted: longer than recvWindow and the clock's error."""

COMMAND_S_MAX = 60.0
LIMITS: dict[str, object] = {"order_manager": {"price_tolerance_bps": 0.0}}
"""Settings that follow every move of the market: the order budget of the venue's default limits is used up."""


class Told(msgspec.Struct, kw_only=True):
    """What the player of a row knows besides the files."""

    scene: Scene
    detected_s: float | None = None
    checks: list[Verdict] = []
    notes: list[str] = []


def play(row: Row, folder: Path, seed: int) -> RowRun:
    """Play a row on a fresh folder.

    Raises:
        StageFailed, LaunchFailed: there was nothing to play on.
    """
    with Stage(folder, seed) as stage:
        stage.start_venue()
        settings = stage.settings(LIMITS if row.injection is Injection.STOP else {})
        if row.injection is Injection.INTERRUPT:
            told, ending = _interrupted(row, stage, settings)
        else:
            told, ending = _hurt(row, stage, prepare(settings, stage.state))
    return _run_of(row, stage, settings, told, ending)


def _hurt(row: Row, stage: Stage, settings: Settings) -> tuple[Told, Ending]:
    client = launch(settings, stage.state, _silent)
    try:
        wait_until_quoting(client, settings, _silent, lambda: False)
        _await_quotes(stage, settings)
        before = status_of(client)
        told = _inject(row, stage, settings, before)
        told.scene = _watch(row, stage, settings, told.scene)
        _compare(row, before, client, told)
    finally:
        ending = shut_down(client, stage.state, settings, _silent)
    return told, ending


def _inject(row: Row, stage: Stage, settings: Settings, status: SystemStatus) -> Told:
    victims = [actor for actor in status.actors if actor.role in row.victims and actor.pid]
    scene = _scene(row, settings, tuple(actor.name for actor in victims))
    told = Told(scene=scene, checks=[], notes=[])
    match row.injection:
        case Injection.KILL:
            faults.kill([actor.pid for actor in victims])
        case Injection.FREEZE:
            frozen = faults.freeze(victims[0].pid)
            time.sleep(faults.FROZEN_S)
            awake = faults.wake(frozen)
            told.notes.append(
                "the frozen process lived on and was woken" if awake else "the frozen process was gone before SIGCONT"
            )
        case Injection.BLOCK:
            began_ns = faults.block(victims[0].name, stage.state.path / "blocked")
            told.scene = _later(scene, began_ns - scene.fault_ns)
        case Injection.STOP:
            _stop_and_resume(stage, told)
        case Injection.SECOND_START:
            _start_again(stage, told)
        case Injection.VENUE:
            stage.kill_venue()
            time.sleep(VENUE_DOWN_S)
            stage.start_venue()
            told.scene = msgspec.structs.replace(scene, back_t=time.time_ns())
        case Injection.INTERRUPT:
            raise AssertionError("played by its own function")
    return told


def _stop_and_resume(stage: Stage, told: Told) -> None:
    """The stop begins when the file is there: its time is the kernel's, read before the supervisor writes it again."""
    command = stage.raymaker("emergency-stop", "--state", str(stage.state.path))
    while not stage.state.stop_file.exists() and command.poll() is None:
        time.sleep(FILE_LOOK_S)
    written_t = stage.state.stop_file.stat().st_mtime_ns
    late_ns = written_t - told.scene.fault_t
    told.scene = _later(told.scene, late_ns)
    output, code = _ended(command)
    told.checks.append(_verdict("the command", code == 0 and "CLEAR" in output, output))
    told.notes.append(
        f"the command wrote the file after {late_ns / 1e9:.2f} s and ended {_after(told.scene):.1f} s later"
    )
    time.sleep(STOPPED_S)
    resumed_t = time.time_ns()
    output, code = _ended(stage.raymaker("resume", "--state", str(stage.state.path)))
    told.scene = msgspec.structs.replace(told.scene, back_t=resumed_t)
    told.checks.append(_verdict("the resume", code == 0, output))


def _start_again(stage: Stage, told: Told) -> None:
    arguments = ("--config", str(stage.config), "--state", str(stage.state.path))
    output, code = _ended(stage.raymaker("up", "--detach", *arguments))
    told.detected_s = round(_after(told.scene), 3)
    told.checks.append(_verdict("the refusal", code == 2 and "running on" in output, f"exit code {code}: {output}"))
    told.notes.append(output.strip().splitlines()[-1] if output.strip() else "it said nothing")


def _interrupted(row: Row, stage: Stage, settings: Settings) -> tuple[Told, Ending]:
    """A system in the foreground of a command that gets Ctrl-C."""
    up = stage.raymaker("up", "--config", str(stage.config), "--state", str(stage.state.path))
    try:
        _await_quotes(stage, settings)
        told = Told(scene=_scene(row, settings, ()), checks=[], notes=[])
        up.send_signal(signal.SIGINT)
        output, _ = up.communicate(timeout=COMMAND_S_MAX)
    finally:
        if up.poll() is None:
            up.kill()
            up.wait()
    told.notes.append(f"exit code {up.returncode} after {_after(told.scene):.1f} s")
    told.scene = msgspec.structs.replace(told.scene, end_t=time.time_ns())
    told.checks.append(_verdict("the exit", up.returncode == 0, output))
    return told, Ending(confirmed=up.returncode == 0, text=output)


def _await_quotes(stage: Stage, settings: Settings) -> None:
    """Return when every symbol has rested on both sides, STEADY_S more are over, and they do so now.

    Raises:
        StageFailed: that did not happen within QUOTES_S_MAX.
    """
    is_ours = _is_ours(settings)
    deadline = time.monotonic() + QUOTES_S_MAX
    first_s: float | None = None
    while (
        first_s is None
        or time.monotonic() < first_s + STEADY_S
        or not quotes_now(stage.tail.read(), is_ours, settings.symbols)
    ):
        if time.monotonic() > deadline:
            raise StageFailed(f"no steady quotes on both sides of every symbol within {QUOTES_S_MAX:.0f} s")
        time.sleep(LOOK_S if first_s is None else FILE_LOOK_S)
        if first_s is None and quoting_again_t(stage.tail.read(), is_ours, settings.symbols, 0) is not None:
            first_s = time.monotonic()


def _watch(row: Row, stage: Stage, settings: Settings, scene: Scene) -> Scene:
    """Look at the files until everything was seen and SETTLE_S more are over, at most WATCH_S_MAX; returns the scene with its end."""
    is_ours = _is_ours(settings)
    deadline = time.monotonic() + WATCH_S_MAX
    settled = False
    while not settled and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        scene = msgspec.structs.replace(scene, end_t=time.time_ns())
        figures = observe(row, scene, stage.tail.read(), _alerts(stage.state), is_ours)
        wanted = [figures.quoting_s] + ([figures.safe_s] if row.bounds.safe_s is not None else [])
        wanted += [figures.detected_s] if row.alerts else []
        settled = all(figure is not None for figure in wanted)
    time.sleep(SETTLE_S)
    return msgspec.structs.replace(scene, end_t=time.time_ns())


def _compare(row: Row, before: SystemStatus, client: SupervisorClient, told: Told) -> None:
    """Only who was hurt may have been replaced."""
    spared = {actor.role for actor in before.actors} - set(row.victims)
    after = {actor.name: actor.pid for actor in status_of(client).actors}
    findings = Findings("nobody else replaced")
    for actor in before.actors:
        if actor.role in spared:
            findings.check(after.get(actor.name) == actor.pid, f"{actor.name} was replaced")
    if spared:
        told.checks.append(findings.verdict())


def _run_of(row: Row, stage: Stage, settings: Settings, told: Told, ending: Ending) -> RowRun:
    history = read_history(stage.state, stage.ledger)
    alerts = _alerts(stage.state)
    scene = told.scene
    figures = observe(row, scene, history.ledger, alerts, history.is_ours)
    checks = [*check_all(history), *told.checks]
    detected_s = figures.detected_s if told.detected_s is None else told.detected_s
    if row.alerts:
        checks.append(check_alerted(row, scene, alerts))
    if row.quotes_again:
        checks.append(check_quoting_again(row, scene, history.ledger, alerts, history.is_ours))
    if row.injection is Injection.STOP:
        detected_s = round(shut_s(scene, history), 3)
    live = len(live_order_ids(history.ledger))
    checks.append(_verdict("no order at the end", live == 0 and ending.confirmed, f"{live} live: {ending.text}"))
    return RowRun(
        number=row.number,
        detected_s=detected_s,
        safe_s=figures.safe_s,
        quoting_s=figures.quoting_s,
        gap_s=figures.gap_s,
        orders_per_second=figures.orders_per_second,
        checks=tuple(checks),
        notes=tuple(told.notes),
    )


def _scene(row: Row, settings: Settings, names: tuple[str, ...]) -> Scene:
    """Begins now: the fault is put in right after."""
    fault_ns, fault_t = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns()
    restarted = next((name for name in names if row.restarted and name.startswith(row.restarted)), "")
    return Scene(
        symbols=settings.symbols,
        names=names,
        restarted=restarted,
        lease_ns=settings.risk.lease_ms * 1_000_000,
        fault_ns=fault_ns,
        fault_t=fault_t,
        end_t=fault_t,
    )


def _later(scene: Scene, by_ns: int) -> Scene:
    """The same scene with a fault that came later than was thought, on both clocks."""
    return msgspec.structs.replace(scene, fault_ns=scene.fault_ns + by_ns, fault_t=scene.fault_t + by_ns)


def _ended(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Output and exit code of a command."""
    try:
        output, _ = process.communicate(timeout=COMMAND_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    return output, process.returncode


def _alerts(state: StateDir) -> list[RaisedAlert]:
    with contextlib.suppress(FileNotFoundError):
        return read_alerts(state.log("alerts").read_bytes().splitlines())
    return []


def _is_ours(settings: Settings) -> Callable[[str], bool]:
    def is_ours(client_order_id: str) -> bool:
        parsed = parse_client_order_id(client_order_id)
        return parsed is not None and parsed.install == settings.install

    return is_ours


def _verdict(name: str, held: bool, text: str) -> Verdict:
    return Verdict(name=name, held=held, checked=1, violations=() if held else (text.strip()[-500:],))


def _after(scene: Scene) -> float:
    """Seconds since the fault."""
    return (time.time_ns() - scene.fault_t) / 1_000_000_000


def _silent(text: str) -> None:
    """Progress of a row is not told."""


def main(arguments: list[str]) -> int:
    """Play the row named; 0 when it could be played, whatever was seen."""
    number, folder, seed = int(arguments[0]), Path(arguments[1]), int(arguments[2])
    row = rows(chaos_settings())[number]
    try:
        run = play(row, folder, seed)
    except (StageFailed, LaunchFailed) as error:
        run = RowRun(number=number, failures=(str(error),))
    print(msgspec.json.encode(run).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
