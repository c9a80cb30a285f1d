"""Rows that end the system themselves: a command that is interrupted, or the death of everything."""

from __future__ import annotations

import signal
import time

import msgspec

from actors.runtime.ray_cluster import running_cluster
from actors.runtime.ray_host import detach
from actors.runtime.ray_nodes import part_processes
from configs.schema import Settings
from ops.chaos import faults
from ops.chaos.live import COMMAND_S_MAX, Live, Told, ended, seconds_after, verdict
from ops.chaos.measuring import empty_t
from ops.chaos.rows import DEAD_HEAD, HOME, NO_HEAD, STORE, Row
from ops.chaos.stage import Stage, StageFailed
from ops.launch import Ending, clear_away, launch, wait_until_quoting

START_S_MAX = 120.0
"""From the command of a start to quotes, at most."""

CLEARED_LOOK_S = 0.1
HEADLESS_FOR_S = 4.0


def interrupted(row: Row, stage: Stage, settings: Settings) -> tuple[Told, Ending]:
    """A system in the foreground of a command that gets Ctrl-C, or whose Ray dies under it."""
    live = Live(stage, settings)
    up = stage.raymaker("up", "--config", str(stage.config), "--state", str(stage.state.path))
    try:
        live.await_quotes(patience_s=START_S_MAX)
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
    if died:
        return told, _begun_again_and_ended(stage, told)
    return told, Ending(confirmed=is_clear, text=output)


def died_out(row: Row, stage: Stage, settings: Settings) -> tuple[Told, Ending]:
    """Everything of ours (or of the first node) is killed; when no order rests any more, a command starts it again."""
    live = Live(stage, settings, launch(settings, stage.state, _silent))
    told = Told(scene=live.scene(row, ()), checks=[], notes=[])
    arguments = ("--state", str(stage.state.path))
    try:
        wait_until_quoting(live.client, settings, _silent, lambda: False)
        live.await_quotes()
        cluster = running_cluster(stage.state)
        keepers = [part.keeper for part in part_processes(stage.state).values()] if row.variant == HOME else []
        live.client.close()
        detach()
        told.scene = live.scene(row, ())
        if row.variant == STORE:
            faults.kill_store(cluster.head_pid)
        else:
            faults.kill(keepers)
            faults.kill_marked(cluster.marker)
        told.notes.append(f"every process was gone {seconds_after(told.scene):.2f} s after the first SIGKILL")
        deadline = time.monotonic() + row.watch_s
        while empty_t(live.ledger(), live.is_ours, settings.symbols, told.scene.fault_t) is None:
            if time.monotonic() > deadline:
                raise StageFailed(f"orders still rest {row.watch_s:.0f} s after everything was killed")
            time.sleep(CLEARED_LOOK_S)
        told.scene = msgspec.structs.replace(told.scene, back_t=time.time_ns())
        output, code = ended(stage.raymaker("up", "--detach", "--config", str(stage.config), *arguments), START_S_MAX)
        told.checks.append(verdict("the new start", code == 0, output))
        told.scene = live.watch(row, told.scene)
    finally:
        output, code = ended(stage.raymaker("down", *arguments))
        clear_away(stage.state)
    return told, Ending(confirmed=code == 0, text=output)


def _begun_again_and_ended(stage: Stage, told: Told) -> Ending:
    """What was filled after everybody had died is booked by the next start, which the books are judged after."""
    arguments = ("--state", str(stage.state.path))
    output, code = ended(stage.raymaker("up", "--detach", "--config", str(stage.config), *arguments), START_S_MAX)
    told.checks.append(verdict("the new start", code == 0, output))
    output, code = ended(stage.raymaker("down", *arguments))
    return Ending(confirmed=code == 0, text=output)


def _take_the_head(stage: Stage) -> None:
    """For good: its keeper is frozen, so that no new one comes."""
    head = part_processes(stage.state)["head"]
    faults.freeze(head.keeper)
    faults.kill([head.gcs_server])
    time.sleep(HEADLESS_FOR_S)


def _silent(text: str) -> None:
    """Progress of a row is not told."""
