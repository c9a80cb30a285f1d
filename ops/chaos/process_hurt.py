"""Faults of single processes of a live system."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

import msgspec
import psutil

from actors.runtime.journal_reading import segments
from actors.runtime.ray_cluster import is_alive
from actors.runtime.ray_host import RayHostError
from actors.supervisor.memory import KILL_SHARE
from ops.chaos import faults
from ops.chaos.live import Live, Told, ended, later, seconds_after, verdict
from ops.chaos.measuring import first_alert
from ops.chaos.observing import tended
from ops.chaos.rows import DAMAGED, Row, Safe
from ops.chaos.want_rows import LEAK_MB_PER_S
from ops.launch import status_of
from protocols.messages.alerts import AlertCode
from protocols.messages.control import ActorStatus

STARVED_S = 8.0
PER_CORE = 2
STOPPED_S_MAX = 10.0
HALTED_S = 5.0
MB = 1_000_000
LEAK_S_MAX = 25.0
TENDED_S_MAX = 10.0
LOOP_S_MAX = 45.0
"""How long a restart loop may take until the shard is given up."""


def kill(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """SIGKILL. Where quotes go on a calm market brings no order that would show it: order managers are asked, past the supervisor."""
    faults.kill([actor.pid for actor in victims])
    if row.safe is Safe.TENDED:
        lease_ms = live.settings.risk.lease_ms
        names = [f"order_manager-{shard}" for shard in range(live.settings.shards)]
        if live.wait(TENDED_S_MAX, lambda: all(_is_tended(name, lease_ms, told) for name in names)):
            told.scene = msgspec.structs.replace(told.scene, tended_t=time.time_ns())


def _is_tended(name: str, lease_ms: int, told: Told) -> bool:
    """Whether an order manager's gates stand open on reasons that are all younger than the fault."""
    fault_ms = seconds_after(told.scene) * 1_000
    try:
        shown = faults.snapshot(name)
    except RayHostError:
        return False
    return tended(shown, lease_ms, fault_ms)


def freeze(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """SIGSTOP, and SIGCONT later."""
    frozen = faults.freeze(victims[0].pid)
    if live.wait(faults.FROZEN_S, lambda: not is_alive(victims[0].pid)) and victims[0].role == "supervisor":
        # By its node's agent, which ends it; nobody can tell before.
        told.detected_s = round(seconds_after(told.scene), 3)
    awake = faults.wake(frozen)
    told.notes.append(
        "the frozen process lived on and was woken" if awake else "the frozen process was gone before SIGCONT"
    )


def block(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The main loop sleeps."""
    _began(told, faults.block(victims[0].name, live.state.path / "blocked"))


def hog(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """No thread of the process runs any more."""
    _began(told, faults.hog(victims[0].name, live.state.path / "hogged"))


def die_at(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The process dies at a point of its journal."""
    _began(told, faults.die_at(victims[0].name, row.variant, live.state.path / "died"))


def leak(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The process grows until it is ended; what it took at most is held against the bound (I11)."""
    name, pid = victims[0].name, victims[0].pid
    bound_bytes = live.settings.supervision.memory_bytes_max(name, victims[0].role)
    _began(told, faults.leak(name, live.state.path / "leaking", LEAK_MB_PER_S * MB, 2 * bound_bytes))
    most_bytes = 0

    def ended() -> bool:
        nonlocal most_bytes
        with contextlib.suppress(psutil.Error):
            most_bytes = max(most_bytes, psutil.Process(pid).memory_info().rss)
        return not is_alive(pid)

    gone = live.wait(LEAK_S_MAX, ended)
    told.notes.append(f"{most_bytes // MB} MB at most, bound {bound_bytes // MB}")
    held = gone and most_bytes <= KILL_SHARE * bound_bytes
    told.checks.append(verdict("I11", held, f"{name} {'had' if gone else 'lives on with'} {most_bytes // MB} MB"))


def full_disk(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """Every file of the process is as long as it may be. A failed journal stops everything until a person resumes."""
    faults.fill_disk(victims[0].pid)
    stopped = live.wait(
        STOPPED_S_MAX,
        lambda: first_alert(live.alerts(), (AlertCode.EMERGENCY_STOP,), (), told.scene.fault_ns) is not None,
    )
    told.checks.append(verdict("the stop", stopped, f"no emergency stop within {STOPPED_S_MAX:.0f} s"))
    lift(live, told)
    told.checks.append(verdict("the process", not is_alive(victims[0].pid), f"{victims[0].name} lived on"))


def starve(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """Others compute at our priority."""
    with faults.busy_cores(PER_CORE):
        live.wait(STARVED_S)
    told.scene = msgspec.structs.replace(told.scene, back_t=None)
    lost = [alert for alert in live.alerts() if alert.raised_ns >= told.scene.fault_ns]
    told.notes.append("alerts: " + (", ".join(sorted({alert.code for alert in lost})) or "none"))


def kill_always(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """Each new process of the role is killed, until its shard is given up."""
    name, killed = victims[0].name, 0
    pid = victims[0].pid
    deadline = time.monotonic() + LOOP_S_MAX
    while not _given_up(live, told) and time.monotonic() < deadline:
        if pid:
            faults.kill([pid])
            killed += 1
        former, pid = pid, 0
        while not pid and not _given_up(live, told) and time.monotonic() < deadline:
            pid = next((a.pid for a in status_of(live.client).actors if a.name == name and a.pid != former), 0)
            live.wait(0.05)
    told.notes.append(f"killed {killed} times in {seconds_after(told.scene):.1f} s")
    told.checks.append(verdict("given up", _given_up(live, told), "the shard was not HALTED"))
    lift(live, told)


def no_start(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The order manager dies, and what replaces it cannot have the journal, or cannot read it."""
    journal = live.state.journal(0)
    faults.kill([victims[0].pid])
    with faults.locked(journal.with_suffix(".lock")):
        if row.variant == DAMAGED:
            put_by = journal.parent / f"aside-{journal.stem}-0"  # where the history of a run finds it
            _copy(journal, put_by)
            told.notes.append(
                f"{faults.overwrite_middle(segments(journal)[-1]):,} bytes of its journal are overwritten"
            )
        else:
            _await_given_up(live, told)
    if row.variant == DAMAGED:
        _await_given_up(live, told)
        damaged = journal.parent / "damaged"
        damaged.mkdir()
        for file in journal.parent.glob(f"{journal.stem}.*"):
            file.rename(damaged / file.name)
    lift(live, told)


def _copy(journal: Path, folder: Path) -> None:
    folder.mkdir()
    for file in journal.parent.glob(f"{journal.stem}.*"):
        shutil.copy2(file, folder)


def _await_given_up(live: Live, told: Told) -> None:
    given_up = live.wait(LOOP_S_MAX, lambda: _given_up(live, told))
    told.notes.append(f"given up after {seconds_after(told.scene):.1f} s" if given_up else "never given up")
    told.checks.append(verdict("given up", given_up, "the shard was not HALTED"))


def lift(live: Live, told: Told) -> None:
    """A person lifts the halt, some time after the book of quotes was seen empty."""
    live.wait(HALTED_S)
    resumed_t = time.time_ns()
    output, code = ended(live.stage.raymaker("resume", "--state", str(live.state.path)))
    told.scene = msgspec.structs.replace(told.scene, back_t=resumed_t)
    told.checks.append(verdict("the resume", code == 0, output))


def _given_up(live: Live, told: Told) -> bool:
    return first_alert(live.alerts(), (AlertCode.RESTART_INTENSITY,), (), told.scene.fault_ns) is not None


def _began(told: Told, began_ns: int) -> None:
    told.scene = later(told.scene, began_ns - told.scene.fault_ns)
