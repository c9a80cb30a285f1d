"""`python -m actors.runtime`: one actor in a process of its own, without Ray."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
from runtime.fake_actor import settings_of, spec_of

from actors.runtime.exit_codes import ExitCode
from actors.runtime.state_dir import StateDir

ROOT = Path(__file__).parents[2]


def run(tmp_path: Path, shell: str) -> subprocess.Popen[str]:
    StateDir(tmp_path).create()
    spec = msgspec.structs.replace(
        spec_of(tmp_path, "market_data-0"),
        address=StateDir(tmp_path).socket("market_data-0"),
        config_json=settings_of().model_dump_json(),
    )
    (tmp_path / "spec").write_bytes(msgspec.msgpack.encode(spec))
    return subprocess.Popen(
        [sys.executable, "-m", "actors.runtime", str(tmp_path / "spec"), shell],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_serves_until_a_signal_and_logs_json(tmp_path: Path) -> None:
    process = run(tmp_path, "runtime.own_process_actor:SelfEnding")
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (ExitCode.DONE, "")
    lines = [json.loads(line) for line in StateDir(tmp_path).log("market_data-0").read_text().splitlines()]
    texts = [line["record"]["message"] for line in lines]
    assert texts[0].startswith("market_data-0 starts, epoch 1") and texts[-1] == "market_data-0 stopped"
    assert "hello from the core {braces}" in texts


def test_a_core_that_fails_ends_its_process_with_a_code_of_its_own(tmp_path: Path) -> None:
    process = run(tmp_path, "runtime.own_process_actor:Failing")
    _, error = process.communicate(timeout=60)
    assert process.returncode == ExitCode.CORE_FAILED
    assert "AssertionError: torn" in error


def test_an_actor_that_cannot_start_says_why(tmp_path: Path) -> None:
    process = run(tmp_path, "runtime.own_process_actor:Absent")
    _, error = process.communicate(timeout=60)
    assert process.returncode == ExitCode.START_FAILED
    assert "did not start" in error and "Absent" in error


def test_wrong_arguments_are_bad_usage(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "actors.runtime"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "usage" in done.stderr
