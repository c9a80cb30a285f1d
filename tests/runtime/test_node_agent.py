"""The agent of a node: kills are verified, a reused pid is let be, a silent supervisor is ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime import node_agent, silence
from actors.runtime.node_agent import NodeAgent
from actors.runtime.ray_cluster import NODE_STATE, is_alive, kill_and_verify


def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield started
    started.kill()
    started.wait()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    yield from sleeping()


@pytest.fixture
def successor() -> Iterator[subprocess.Popen[bytes]]:
    yield from sleeping()


async def test_a_killed_child_is_verified_gone(process: subprocess.Popen[bytes]) -> None:
    assert await NodeAgent().kill("strategy-0", process.pid, timeout_s=5.0)
    assert not is_alive(process.pid)


async def test_a_child_is_killed_by_the_pid_held_under_its_name(process: subprocess.Popen[bytes]) -> None:
    agent = NodeAgent()
    await agent.beat(0, {"strategy-0": process.pid})
    assert await agent.kill("strategy-0", 0, timeout_s=5.0)
    assert not is_alive(process.pid)


async def test_a_child_that_nobody_knows_counts_as_gone() -> None:
    assert await NodeAgent().kill("strategy-0", 0, timeout_s=0.1)


async def test_the_beat_tells_the_resident_memory_of_every_child_that_lives(process: subprocess.Popen[bytes]) -> None:
    agent = NodeAgent()
    _, _, memory, _ = await agent.beat(0, {"strategy-0": process.pid})
    assert memory.keys() == {"strategy-0"}
    assert 1_000_000 < memory["strategy-0"] < 200_000_000
    process.kill()
    process.wait()
    assert (await agent.beat(0, {"strategy-0": process.pid}))[2] == {}


async def test_a_child_that_is_gone_from_the_beat_is_forgotten(process: subprocess.Popen[bytes]) -> None:
    agent = NodeAgent()
    await agent.beat(0, {"strategy-0": process.pid})
    await agent.beat(0, {})
    assert await agent.kill("strategy-0", 0, timeout_s=0.1)
    assert is_alive(process.pid)


def test_a_pid_that_another_process_took_over_is_let_be(process: subprocess.Popen[bytes]) -> None:
    assert kill_and_verify(process.pid, started_s=1_000.0, timeout_s=0.1)
    assert is_alive(process.pid)


def test_a_zombie_counts_as_gone(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    assert kill_and_verify(process.pid, started_s=0.0, timeout_s=5.0)


async def test_a_supervisor_that_stopped_beating_is_killed_and_its_successor_is_told(
    process: subprocess.Popen[bytes], successor: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "HUNG_S", 0.0)
    monkeypatch.setattr(silence, "LOOK_S", 0.0)
    monkeypatch.setattr(node_agent, "WATCH_PERIOD_S", 0.01)
    agent = NodeAgent()
    assert await agent.beat(process.pid, {}) == (False, False, {}, ())
    await asyncio.to_thread(process.wait, 10)
    assert await agent.beat(successor.pid, {}) == (True, False, {}, ())


async def test_the_stop_file_of_a_node_is_written_seen_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NODE_STATE, str(tmp_path))
    agent = NodeAgent()
    assert await agent.beat(0, {}) == (False, False, {}, ())
    await agent.latch(True, "somebody said so")
    assert (tmp_path / "STOP").read_text() == "somebody said so"
    assert await agent.beat(0, {}) == (False, True, {}, ())
    await agent.latch(False, "")
    await agent.latch(False, "")
    assert await agent.beat(0, {}) == (False, False, {}, ())
