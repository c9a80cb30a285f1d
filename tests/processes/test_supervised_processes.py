"""A supervised system of tiny actors on a real Ray: started once, hurt in several ways, stopped in order."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Iterator

import msgspec
import psutil
import pytest
from tiny_system import CHILDREN, FOLDER, MEMORY_MB, SETTINGS, System, all_run, spec_of

from actors.runtime import ray_cluster, ray_host
from actors.runtime.state_dir import StateDir
from actors.runtime.supervisor_client import connect
from ops.chaos.faults import leak
from protocols.messages.control import (
    Answer,
    ChildSpec,
    EmergencyStop,
    RestartActor,
    Resume,
    Shutdown,
    SystemPlan,
)

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    state = StateDir(tmp_path_factory.mktemp("system")).create()
    children = tuple(
        ChildSpec(spec=spec_of(state, role, name), shell="tiny_actor:TinyActor", start_order=order)
        for order, (role, name) in enumerate(CHILDREN)
    )
    plan = SystemPlan(
        children=children, settings_json=SETTINGS.model_dump_json(), epoch_floor=40, state_dir=str(state.path)
    )
    ray_cluster.write_durably(state.plan_file, msgspec.msgpack.encode(plan))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(FOLDER), prepend=os.pathsep)
        patch.setenv("RAY_ADDRESS", "192.0.2.1:6379")
        ray_cluster.start_cluster(state)
        try:
            ray_host.attach(state)
            ray_host.start_supervisor(
                "actors.supervisor.actor:SupervisorActor", spec_of(state, "supervisor", "supervisor")
            )
            running = System(state)
            running.until(all_run)
            yield running
            running.client.close()
        finally:
            ray_host.detach()
            ray_cluster.stop_cluster(state)


def test_ray_is_our_own_and_connects_to_loopback_only(system: System) -> None:
    cluster = ray_cluster.running_cluster(system.state)
    assert cluster.address.startswith("127.")
    head = psutil.Process(cluster.head_pid)
    remotes = {
        connection.raddr.ip.removeprefix("::ffff:")
        for process in [head, *head.children(recursive=True)]
        for connection in process.net_connections()
        if connection.raddr
    }
    assert remotes
    assert all(remote.startswith("127.") or remote == "::1" for remote in remotes)


def test_epochs_are_distinct_and_above_the_floor(system: System) -> None:
    epochs = [actor.epoch for actor in system.actors().values()]
    assert len(set(epochs)) == len(epochs)
    assert min(epochs) > 0
    assert min(epochs[1:]) > 40


def test_an_actor_that_leaks_is_replaced_at_its_bound(system: System) -> None:
    before = system.until(lambda now: now["strategy-0"].memory_bytes > 0)["strategy-0"]
    assert before.memory_bytes < before.memory_bytes_max == MEMORY_MB * 1_000_000
    leak("strategy-0", system.state.path / "leaking", bytes_per_s=1_000_000_000, bytes_max=MEMORY_MB * 1_000_000)
    after = system.until_replaced("strategy-0", before.pid)
    assert (after.restarts, after.memory_bytes < after.memory_bytes_max) == (before.restarts + 1, True)


def test_a_second_start_on_the_same_state_directory_is_refused(system: System) -> None:
    with pytest.raises(ray_cluster.AlreadyRunning, match=r"is running on .* already"):
        ray_cluster.start_cluster(system.state)


@pytest.mark.parametrize("name", ["order_manager-0", "strategy-0", "risk_monitor", "alerting"])
def test_a_killed_actor_comes_back_under_a_greater_epoch(system: System, name: str) -> None:
    before = system.actors()
    os.kill(before[name].pid, signal.SIGKILL)
    after = system.until_replaced(name, before[name].pid)
    assert after.epoch > max(actor.epoch for actor in before.values())
    assert after.restarts == before[name].restarts + 1
    others = {other.name: other.pid for other in system.actors().values() if other.name != name}
    assert others == {other.name: other.pid for other in before.values() if other.name != name}


def test_a_frozen_actor_is_killed_and_replaced(system: System) -> None:
    before = system.actors()["strategy-0"]
    os.kill(before.pid, signal.SIGSTOP)
    assert system.until_replaced("strategy-0", before.pid).restarts == before.restarts + 1


def test_a_killed_supervisor_comes_back_and_touches_no_child(system: System) -> None:
    before = system.actors()
    os.kill(before["supervisor"].pid, signal.SIGKILL)
    after = system.until(lambda now: all_run(now) and now["supervisor"].pid != before["supervisor"].pid)
    assert after["supervisor"].epoch > before["supervisor"].epoch
    for name, _ in ((name, role) for role, name in CHILDREN):
        assert (after[name].pid, after[name].epoch) == (before[name].pid, before[name].epoch)


def test_an_actor_killed_together_with_the_supervisor_comes_back(system: System) -> None:
    before, killed = system.actors(), ("order_manager-0", "supervisor")
    pids = {before[name].pid for name in killed}
    for name in killed:
        os.kill(before[name].pid, signal.SIGKILL)
    after = system.until(lambda now: all_run(now) and not {now[name].pid for name in killed} & pids)
    assert all(after[name].epoch > before[name].epoch for name in killed)


def test_an_emergency_stop_is_confirmed_filed_and_lifted_by_resume_only(system: System) -> None:
    assert system.client.ask(EmergencyStop(reason="test")) == Answer(
        done=True, confirmed=True, text="no further order leaves"
    )
    assert system.state.stop_file.exists()
    assert system.status().stopped
    assert system.client.ask(Resume(reason="test is over")) == Answer(done=True, confirmed=True, text="resumed")
    assert not system.state.stop_file.exists()


def test_a_restart_by_a_person_is_answered_when_the_actor_runs(system: System) -> None:
    before = system.actors()["order_manager-0"]
    answer = system.client.ask(RestartActor(name="order_manager"))
    after = system.actors()["order_manager-0"]
    assert answer == Answer(done=True, confirmed=True, text="order_manager is running anew")
    assert after.epoch > before.epoch
    assert not ray_cluster.is_alive(before.pid)


def test_metrics_are_served_from_the_one_status(system: System) -> None:
    system.until(lambda actors: bool(actors["order_manager-0"].io))
    page = urllib.request.urlopen(system.status().metrics_url, timeout=5).read().decode()
    assert 'raymaker_actor_up{actor="order_manager-0",role="order_manager",shard="0"} 1.0' in page
    assert 'raymaker_tick_to_order_microseconds_bucket{actor="order_manager-0",le="200"} 3.0' in page


def test_an_actor_that_cannot_start_says_why(system: System) -> None:
    broken = spec_of(system.state, "strategy", "broken", account="broken")
    with pytest.raises(ray_host.CallRefused, match="broken did not start: ValueError: no key for this account"):
        ray_host.start_actor("tiny_actor:TinyActor", broken)


def test_shutdown_ends_every_actor_in_reverse_order_and_leaves_no_process(system: System) -> None:
    pids = [actor.pid for actor in system.actors().values()]
    answer = system.client.ask(Shutdown())
    assert answer == Answer(done=True, confirmed=True, text="everything is stopped, no order is left")
    stopped = (system.state.path / "stopped").read_text().split()[-len(CHILDREN) :]
    assert stopped == [name for _, name in reversed(CHILDREN)]
    system.client.close()
    ray_cluster.stop_cluster(system.state)
    assert not any(ray_cluster.is_alive(pid) for pid in pids)
    with pytest.raises(ray_cluster.NotRunning, match="nothing is running on"):
        connect(system.state.path)
