"""Faults of nodes and of the head of a system on two local nodes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import psutil

from actors.runtime.node_keeper import TABLES, KeptPart
from actors.runtime.ray_cluster import is_alive
from actors.runtime.ray_host import RayHostError, alive_nodes, alive_nodes_now
from actors.runtime.ray_nodes import PartProcesses, part_processes
from ops.chaos import faults
from ops.chaos.live import Live, Told, seconds_after, verdict
from ops.chaos.measuring import empty_t
from ops.chaos.rows import Row
from protocols.messages.control import ActorStatus

FROZEN_S = 20.0
GONE_S = 5.0
"""How long after waking up the old processes of a node may still be there."""

EMPTY_S_MAX = 20.0
BROKEN_S = 10.0
AGENT_TITLE = "ray::NodeAgent"


def node(row: Row, live: Live, victims: list[ActorStatus], told: Told) -> None:
    """Hurt the shard's node, the first node, or the head, as the variant says."""
    _VARIANTS[row.variant](live, victims, told)


def _kill_raylet(live: Live, victims: list[ActorStatus], told: Told) -> None:
    faults.kill([_shard_node(live).raylet])
    _await_gone(live, victims, told)


def _zombie_raylet(live: Live, victims: list[ActorStatus], told: Told) -> None:
    there = _shard_node(live)
    faults.freeze(there.start)
    faults.kill([there.raylet])
    _await_gone(live, victims, told)


def _end_node(live: Live, victims: list[ActorStatus], told: Told) -> None:
    code = live.stage.end_node()
    told.notes.append(f"the node's command ended with {code} after {seconds_after(told.scene):.1f} s")
    told.checks.append(verdict("the node's exit", code == 0, f"exit code {code}"))


def _freeze_raylet(live: Live, victims: list[ActorStatus], told: Told) -> None:
    """With the node's agent, so that nobody can end the actors from outside: as if the node were cut off from Ray alone."""
    there = _shard_node(live)
    agents = [pid for pid in there.others if _title(pid).startswith(AGENT_TITLE)]
    _freeze_and_wake(live, [there.raylet, *agents], victims, told)


def _freeze_node(live: Live, victims: list[ActorStatus], told: Told) -> None:
    there = _shard_node(live)
    _freeze_and_wake(live, [there.raylet, *there.others], victims, told)


def _kill_gcs(live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The control plane is back when Ray tells its nodes again."""
    faults.kill([part_processes(live.state)["head"].gcs_server])
    alive_nodes()
    told.detected_s = round(seconds_after(told.scene), 3)


def _broken_tables(live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The head dies and its tables are damaged before its keeper can start it anew; a person has to begin with new ones."""
    head = part_processes(live.state)["head"]
    keeper = faults.freeze(head.keeper)
    faults.kill([head.gcs_server])
    kept = msgspec.json.decode(keeper.cmdline()[-1], type=KeptPart)
    cut = faults.cut_in_half(Path(kept.temp_dir, TABLES))
    faults.wake(keeper)
    told.notes.append(f"{cut} files of its tables are cut in half")
    live.wait(BROKEN_S)
    try:
        alive_nodes_now()
        told.checks.append(verdict("the head", False, "it came back on damaged tables"))
    except RayHostError as error:
        told.notes.append(f"{BROKEN_S:.0f} s later: {error}")
    told.checks.append(verdict("the fault", cut > 0, "it has no tables"))


def _no_head(live: Live, victims: list[ActorStatus], told: Told) -> None:
    """Its keeper is frozen, so that no new head comes until the venue's countdown has cleared what the dead order manager left."""
    head = part_processes(live.state)["head"]
    keeper = faults.freeze(head.keeper)
    try:
        faults.kill([head.gcs_server, victims[0].pid])
        live.wait(
            EMPTY_S_MAX,
            lambda: empty_t(live.ledger(), live.is_ours, live.settings.symbols, told.scene.fault_t) is not None,
        )
    finally:
        faults.wake(keeper)
    told.scene = msgspec.structs.replace(told.scene, back_t=time.time_ns())


def _kill_home(live: Live, victims: list[ActorStatus], told: Told) -> None:
    faults.kill([part_processes(live.state)["node"].raylet])


_VARIANTS: dict[str, Callable[[Live, list[ActorStatus], Told], None]] = {
    "kill raylet": _kill_raylet,
    "zombie raylet": _zombie_raylet,
    "end node": _end_node,
    "freeze raylet": _freeze_raylet,
    "freeze node": _freeze_node,
    "kill gcs": _kill_gcs,
    "no head": _no_head,
    "broken tables": _broken_tables,
    "kill home": _kill_home,
}


def _shard_node(live: Live) -> PartProcesses:
    return part_processes(live.stage.other_state)["node"]


def _freeze_and_wake(live: Live, pids: Iterable[int], victims: list[ActorStatus], told: Told) -> None:
    frozen = [faults.freeze(pid) for pid in pids]
    live.wait(FROZEN_S)
    lived_on = [actor.name for actor in victims if is_alive(actor.pid)]
    for process in frozen:
        faults.wake(process)
    told.notes.append(f"alive beside their replacements until they were woken: {', '.join(lived_on) or 'none'}")
    _await_gone(live, victims, told)


def _await_gone(live: Live, victims: list[ActorStatus], told: Told) -> None:
    """The old processes must end by themselves or by the keeper."""
    began_s = time.monotonic()
    gone = live.wait(GONE_S, lambda: not any(is_alive(actor.pid) for actor in victims))
    told.notes.append(
        f"old processes gone after {time.monotonic() - began_s:.2f} s" if gone else "old processes live on"
    )
    told.checks.append(verdict("old processes end", gone, f"alive {GONE_S:.0f} s later"))


def _title(pid: int) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(psutil.Process(pid).cmdline())
    return ""
