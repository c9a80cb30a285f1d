"""A Ray of several nodes: its head and first node on one state directory, every other node on one of its own, each kept by a keeper.

The head is a process of its own that hosts no actor, so that nothing that trades ends with it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from actors.runtime.links.proof import ClusterSecret
from actors.runtime.node_keeper import KeptPart, NodeKeeper
from actors.runtime.ray_cluster import (
    MARKER,
    NODE_STATE,
    PART,
    START_TIMEOUT_S,
    ClusterError,
    RayCluster,
    clear_leftovers,
    ending_with,
    last_lines,
    marked,
    running_cluster,
    short_temp_dir,
    take_lock,
    write_durably,
)
from actors.runtime.state_dir import StateDir
from configs.cluster_secret import ClusterSecretError, keep_cluster_secret, load_cluster_secret
from configs.schema import ClusterSettings, NodeSettings

KEEPER_MODULE = "actors.runtime.node_keeper"
TOKEN_PURPOSE = "the token of Ray"


class NodeRefused(ClusterError):
    """This machine cannot be the node that was asked for; nothing was started. The text says what to do."""


class PartProcesses(msgspec.Struct, frozen=True, kw_only=True):
    """Pids of one part of a cluster on this machine; 0 for what is not there. `others` are workers and Ray's own agents."""

    keeper: int
    start: int
    raylet: int
    gcs_server: int
    others: tuple[int, ...]


def start_head_and_home(
    state: StateDir,
    cluster: ClusterSettings,
    on_progress: Callable[[str], None] = lambda text: None,
    *,
    ends_with_us: bool = False,
) -> RayCluster:
    """Start the head and the first node for `state` (created already) and return when a client can join, after some 6 s.

    Raises:
        AlreadyRunning: a system runs on this directory.
        ClusterError: they did not come up, a port is taken, or there is no cluster secret.
    """
    home = cluster.nodes[0]
    lock = take_lock(state)
    try:
        clear_leftovers(state)
        _check_port(home.host, cluster.ray_port)
        _keep_secret(state, make=True)
        marker = secrets.token_hex(8)
        started: list[subprocess.Popen[bytes]] = []
        head = _kept("head", state, cluster, home, marker)
        node = _kept("node", state, cluster, home, marker)
        try:
            on_progress("starting Ray's head")
            started.append(_spawn_keeper(head, state, lock, ends_with_us))
            _await_file(started[0], Path(head.temp_dir, "ray_current_cluster"), state, "head")
            on_progress(f"starting node {home.name}")
            keeper = _spawn_keeper(node, state, lock, ends_with_us)
            started.append(keeper)
            running = _write_down(state, node, keeper.pid, (head.temp_dir,))
            _await_raylet(keeper, node, state)
            return running
        except BaseException:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()
            clear_leftovers(state)
            raise
    finally:
        os.close(lock)


def keep_node(state: StateDir, cluster: ClusterSettings, name: str, say: Callable[[str], None]) -> int:
    """Be the keeper of the node `name` on `state` until SIGTERM or SIGINT; returns the exit code.

    Raises:
        AlreadyRunning: a node runs on this directory.
        NodeRefused: there is no such node, or no cluster secret.
        ClusterError: what is left of it cannot be killed.
    """
    node = next((node for node in cluster.nodes if node.name == name), None)
    if node is None:
        raise NodeRefused(f"no node is named {name!r}: there are {', '.join(node.name for node in cluster.nodes)}")
    if node is cluster.nodes[0]:
        raise NodeRefused(f"{name} is the first node: it is started by `raymaker up`")
    lock = take_lock(state)
    try:
        clear_leftovers(state)
        _keep_secret(state, make=False)
        kept = _kept("node", state, cluster, node, secrets.token_hex(8))
        _write_down(state, kept, os.getpid(), ())
        try:
            return NodeKeeper(kept, say).run()
        finally:
            clear_leftovers(state)
    finally:
        os.close(lock)


def part_processes(state: StateDir) -> dict[str, PartProcesses]:
    """The pids behind a state directory, by part (`head`, `node`): for those who look at them, or hurt them.

    Raises:
        NotRunning: nothing runs there.
    """
    cluster = running_cluster(state)
    found: dict[str, dict[str, int]] = {}
    others: dict[str, list[int]] = {}
    for process in marked(cluster.marker):
        with contextlib.suppress(psutil.NoSuchProcess):
            part, what = _part_of(process)
            if what:
                found.setdefault(part, {})[what] = process.pid
            elif part:
                others.setdefault(part, []).append(process.pid)
    found.setdefault("node", {}).setdefault("keeper", cluster.head_pid)
    return {
        part: PartProcesses(
            keeper=pids.get("keeper", 0),
            start=pids.get("start", 0),
            raylet=pids.get("raylet", 0),
            gcs_server=pids.get("gcs_server", 0),
            others=tuple(sorted(others.get(part, []))),
        )
        for part, pids in found.items()
    }


def _part_of(process: psutil.Process) -> tuple[str, str]:
    """The part that a process belongs to, and what it is there; empty for what is not told apart."""
    arguments = process.cmdline()
    if KEEPER_MODULE in arguments:
        return msgspec.json.decode(arguments[-1], type=KeptPart).part, "keeper"
    part = process.environ().get(PART, "")
    if process.name() in ("raylet", "gcs_server"):
        return part, process.name()
    return part, "start" if "ray.scripts.scripts" in arguments else ""


def _kept(
    part: Literal["head", "node"], state: StateDir, cluster: ClusterSettings, node: NodeSettings, marker: str
) -> KeptPart:
    temp_dir = short_temp_dir()
    token_file = temp_dir / "token"
    token = ClusterSecret(load_cluster_secret(state.cluster_secret)).derived(TOKEN_PURPOSE)
    token_file.touch(mode=0o600)
    token_file.write_text(token, encoding="ascii")
    return KeptPart(
        part=part,
        node=node.name,
        host=node.host,
        head_host=cluster.nodes[0].host,
        head_port=cluster.ray_port,
        state=str(state.path),
        temp_dir=str(temp_dir),
        token_file=str(token_file),
        marker=marker,
        stop_port=cluster.stop_port,
    )


def _keep_secret(state: StateDir, make: bool) -> None:
    try:
        keep_cluster_secret(state.cluster_secret, make)
    except ClusterSecretError as error:
        raise NodeRefused(str(error)) from error


def _write_down(state: StateDir, kept: KeptPart, keeper_pid: int, temp_dirs: tuple[str, ...]) -> RayCluster:
    cluster = RayCluster(
        address=f"{kept.head_host}:{kept.head_port}",
        marker=kept.marker,
        head_pid=keeper_pid,
        head_started_s=psutil.Process(keeper_pid).create_time(),
        temp_dir=kept.temp_dir,
        token_file=kept.token_file,
        node=kept.node,
        host=kept.host,
        temp_dirs=temp_dirs,
    )
    write_durably(state.ray_file, msgspec.json.encode(cluster))
    return cluster


def _spawn_keeper(kept: KeptPart, state: StateDir, lock: int, ends_with_us: bool) -> subprocess.Popen[bytes]:
    with _keeper_log(state, kept.part).open("ab") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", KEEPER_MODULE, msgspec.json.encode(kept).decode()],
            env={**os.environ, MARKER: kept.marker, NODE_STATE: kept.state, "PYTHONPATH": _search_path()},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
            preexec_fn=ending_with(os.getpid()) if ends_with_us else None,
        )


def _search_path() -> str:
    code = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(part for part in (code, os.environ.get("PYTHONPATH", "")) if part)


def _keeper_log(state: StateDir, part: str) -> Path:
    return state.log(f"keeper-{part}").with_suffix(".log")


def _await_file(keeper: subprocess.Popen[bytes], file: Path, state: StateDir, part: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not file.exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise ClusterError(f"the {part} did not start: {last_lines(_keeper_log(state, part))}")
        time.sleep(0.02)


def _await_raylet(keeper: subprocess.Popen[bytes], kept: KeptPart, state: StateDir) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not any(Path(kept.temp_dir).glob("session_*/sockets/raylet*")):
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise ClusterError(f"node {kept.node} did not start: {last_lines(_keeper_log(state, 'node'))}")
        time.sleep(0.02)


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ClusterError(f"port {port} of {host} cannot be used: {error.strerror}") from error
