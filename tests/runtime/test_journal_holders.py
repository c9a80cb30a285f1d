"""Ending order managers by the pids in the locks of their journals, and nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from actors.runtime.journal_holders import Kills, kill_order_managers
from actors.runtime.state_dir import StateDir

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from actors.runtime.journal import Journal
journal = Journal(Path(sys.argv[1]))
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "state").create()


@pytest.fixture
def holder(state: StateDir) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the journal of shard 0, as an order manager does."""
    command = [sys.executable, "-c", HOLD, str(state.journal(0))]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"holds\n"
    yield process
    process.kill()
    process.communicate()


def test_the_process_that_holds_the_journal_is_killed(state: StateDir, holder: subprocess.Popen[bytes]) -> None:
    assert kill_order_managers(state) == Kills(ended={"order_manager-0": holder.pid}, survived={})
    assert holder.wait(5) == -signal.SIGKILL


def test_a_frozen_process_is_killed_too(state: StateDir, holder: subprocess.Popen[bytes]) -> None:
    os.kill(holder.pid, signal.SIGSTOP)
    assert kill_order_managers(state).ended == {"order_manager-0": holder.pid}


def test_a_pid_that_is_not_the_holder_is_let_be(state: StateDir) -> None:
    state.journal(0).with_suffix(".lock").write_text(str(os.getpid()))
    assert kill_order_managers(state) == Kills(ended={}, survived={})
    assert psutil.pid_exists(os.getpid())


def test_inventory_and_risk_are_let_be(state: StateDir) -> None:
    command = [sys.executable, "-c", HOLD, str(state.inventory_journal)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"holds\n"
        assert kill_order_managers(state) == Kills(ended={}, survived={})
        assert process.poll() is None


@pytest.mark.parametrize("written", ["", "not a pid", "-1", "0", "99999999"])
def test_a_lock_that_says_nothing_ends_nobody(state: StateDir, written: str) -> None:
    state.journal(0).with_suffix(".lock").write_text(written)
    assert kill_order_managers(state).text == "no order manager runs here"
