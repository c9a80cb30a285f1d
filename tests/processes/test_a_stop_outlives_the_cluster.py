"""An emergency stop of a running system: confirmed, latched over its end and its next start, lifted by resume alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.processes, pytest.mark.timeout(280)]

ROOT = Path(__file__).resolve().parents[2]


class System:
    """A system on a state directory of its own, by the command line alone."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def raymaker(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        code = f"import sys; sys.argv = {['raymaker', *arguments, '--state', str(self.state)]!r}"
        command = [sys.executable, "-c", f"{code}; from ops.cli.main import main; main()"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)

    def done(self, *arguments: str) -> str:
        ran = self.raymaker(*arguments)
        assert ran.returncode == 0, (arguments, ran.stdout, ran.stderr)
        return ran.stdout

    def shown(self, command: str) -> Any:
        return json.loads(self.done(command, "--json"))

    def up(self) -> None:
        self.done("up", "--config", str(ROOT / "configs" / "demo.yaml"), "--detach")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    running = System(tmp_path / "state")
    running.up()
    yield running
    running.raymaker("down")


def test_a_stop_is_confirmed_outlives_the_whole_cluster_and_ends_by_resume_alone(system: System) -> None:
    said = system.done("emergency-stop", "--reason", "the desk burns")
    assert [line.split()[0] for line in said.splitlines()] == ["SHUT:", "look", "CLEAR", "told"]
    assert "told the supervisor: no further order leaves" in said
    assert "everything is stopped, no order is left" in system.done("down")
    system.up()
    status = system.shown("status")
    assert (status["stopped"], status["stop_reason"]) == (True, "the desk burns")
    assert (system.state / "STOP").exists()
    assert system.shown("orders") == []
    assert "FLAT after" in system.done("flatten", "--urgency", "crossing")
    assert all(float(position["position"]) == 0 for position in system.shown("positions"))
    assert "resumed" in system.done("resume")
    assert not (system.state / "STOP").exists()
