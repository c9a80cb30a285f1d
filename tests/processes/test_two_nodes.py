"""A supervised system of tiny actors on two nodes of a real Ray on this machine: a node dies, and the head."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tiny_system import CHILDREN, FOLDER, SETTINGS, System, all_run, spec_of

from actors.runtime import ray_cluster, ray_host
from actors.runtime.links.proof import ClusterSecret
from actors.runtime.ray_nodes import part_processes, start_head_and_home
from actors.runtime.state_dir import StateDir
from actors.runtime.stop_door import StopAsked, knock
from configs.cluster_secret import VARIABLE, keep_cluster_secret
from configs.schema import ClusterSettings, NodeSettings
from protocols.messages.control import (
    Answer,
    ChildSpec,
    GetStatus,
    NodePlan,
    Resume,
    Shutdown,
    SystemPlan,
    SystemStatus,
)

pytestmark = pytest.mark.processes

SECRET = "for everything of it is on loopback"
KEEP_NODE = """
import sys
from actors.runtime.ray_nodes import keep_node
from actors.runtime.state_dir import StateDir
from configs.schema import ClusterSettings
sys.exit(keep_node(StateDir(sys.argv[1]), ClusterSettings.model_validate_json(sys.argv[2]), "second", print))
"""


def status_of(system: System) -> SystemStatus:
    status = system.client.ask(GetStatus())
    assert isinstance(status, SystemStatus)
    return status


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def free_ray_port() -> int:
    """Ray's head listens on every address of the machine, and not where it expects ports of workers (above 10,000)."""
    while True:
        port = random.randint(6_400, 9_900)
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port


class TwoNodes(System):
    """The system, and the process that keeps its second node."""

    def __init__(
        self, state: StateDir, other: StateDir, keeper: subprocess.Popen[bytes], cluster: ClusterSettings
    ) -> None:
        super().__init__(state)
        self.other_host = cluster.nodes[1].host
        self.stop_port = cluster.stop_port
        self.other = other
        self.keeper = keeper


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    state = StateDir(tmp_path_factory.mktemp("first")).create()
    other = StateDir(tmp_path_factory.mktemp("second")).create()
    for directory in (state, other):
        keep_cluster_secret(directory.cluster_secret, make=True, environ={VARIABLE: SECRET})
    net = f"127.{random.randint(1, 250)}.{random.randint(0, 250)}"
    cluster = ClusterSettings(
        ray_port=free_ray_port(),
        nodes=(NodeSettings(name="first", host=f"{net}.2"), NodeSettings(name="second", host=f"{net}.3", shards=(0,))),
    )
    plan = SystemPlan(
        children=tuple(
            ChildSpec(
                spec=spec_of(state, role, name),
                shell="tiny_actor:TinyActor",
                start_order=order,
                links_port=7_100 + order,
            )
            for order, (role, name) in enumerate(CHILDREN)
        ),
        settings_json=SETTINGS.model_dump_json(),
        epoch_floor=40,
        state_dir=str(state.path),
        nodes=tuple(NodePlan(name=node.name, host=node.host, shards=node.shards) for node in cluster.nodes),
    )
    ray_cluster.write_durably(state.plan_file, msgspec.msgpack.encode(plan))
    supervisor = msgspec.structs.replace(spec_of(state, "supervisor", "supervisor"), node="first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(FOLDER), prepend=os.pathsep)
        command = [sys.executable, "-c", KEEP_NODE, str(other.path), cluster.model_dump_json()]
        keeper = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
        try:
            start_head_and_home(state, cluster)
            ray_host.attach(state)
            wait_until(lambda: ray_host.alive_nodes() == ("first", "second"), "the second node did not join")
            ray_host.start_supervisor("actors.supervisor.actor:SupervisorActor", supervisor)
            running = TwoNodes(state, other, keeper, cluster)
            running.until(all_run)
            yield running
            running.client.close()
        finally:
            ray_host.detach()
            ray_cluster.stop_cluster(state)
            keeper.terminate()
            keeper.wait(20)
            ray_cluster.stop_cluster(other)


def test_the_shard_is_on_the_second_node_and_the_rest_on_the_first(system: TwoNodes) -> None:
    where = {name: actor.node for name, actor in system.actors().items()}
    assert where == {
        "supervisor": "first",
        "alerting": "first",
        "risk_monitor": "first",
        "order_manager-0": "second",
        "strategy-0": "second",
    }


def test_each_node_writes_in_its_own_state_directory(system: TwoNodes) -> None:
    assert system.other.log("order_manager-0").exists()
    assert not system.state.log("order_manager-0").exists()
    assert system.state.log("risk_monitor").exists()


def test_the_secret_is_in_no_plan_no_log_and_no_command_line(system: TwoNodes) -> None:
    files = [file for folder in (system.state.path, system.other.path) for file in folder.rglob("*") if file.is_file()]
    assert [file.name for file in files if SECRET.encode() in file.read_bytes()] == ["cluster.secret"] * 2


def test_a_stop_asked_for_at_the_door_of_one_node_stops_the_system(system: TwoNodes) -> None:
    assert knock(system.other_host, system.stop_port, ClusterSecret(SECRET.encode()), StopAsked("a knock", False)).shut
    wait_until(lambda: status_of(system).stopped, "the supervisor did not see it")
    assert status_of(system).stop_reason == "the stop file of node second exists"
    assert isinstance(answer := system.client.ask(Resume(reason="seen")), Answer) and answer.done
    wait_until(lambda: not system.other.stop_file.exists(), "the stop file was not lifted")


def test_a_killed_head_comes_back_on_its_tables_and_nobody_is_replaced(system: TwoNodes) -> None:
    before = {name: actor.pid for name, actor in system.actors().items()}
    head = part_processes(system.state)["head"]
    os.kill(head.gcs_server, signal.SIGKILL)
    wait_until(lambda: not ray_cluster.is_alive(head.start), "the old head is still there")
    assert ray_host.alive_nodes() == ("first", "second")
    assert {name: actor.pid for name, actor in system.actors().items()} == before
    os.kill(before["strategy-0"], signal.SIGKILL)
    system.until_replaced("strategy-0", before["strategy-0"])


def test_a_shard_whose_node_dies_comes_up_on_the_other_one(system: TwoNodes) -> None:
    before = system.actors()
    os.kill(part_processes(system.other)["node"].raylet, signal.SIGKILL)
    after = system.until(lambda now: all_run(now) and now["order_manager-0"].pid != before["order_manager-0"].pid)
    assert {after[name].node for name in ("order_manager-0", "strategy-0")} == {"first"}
    assert after["order_manager-0"].epoch > before["order_manager-0"].epoch
    assert after["risk_monitor"].pid == before["risk_monitor"].pid
    assert not any(ray_cluster.is_alive(before[name].pid) for name in ("order_manager-0", "strategy-0"))


def test_everything_ends(system: TwoNodes) -> None:
    assert system.client.ask(Shutdown()) == Answer(
        done=True, confirmed=True, text="everything is stopped, no order is left"
    )
    started = [
        process
        for state in (system.state, system.other)
        for process in ray_cluster.marked(ray_cluster.running_cluster(state).marker)
    ]
    assert len(started) > 10
    system.client.close()
    ray_cluster.stop_cluster(system.state)
    system.keeper.terminate()
    assert system.keeper.wait(20) == 0
    assert [str(process) for process in started if ray_cluster.runs(process)] == []
