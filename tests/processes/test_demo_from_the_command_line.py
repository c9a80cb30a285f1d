"""`raymaker demo` as a user starts it: a Ray of its own, real processes, a report, and an end that leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from shared_data import shared_path

from actors.runtime.ray_cluster import stop_cluster
from actors.runtime.state_dir import StateDir

ROOT = Path(__file__).resolve().parents[2]
RUN = "import sys; sys.argv[0] = 'raymaker'; from ops.cli.main import main; main()"
OBLIGATORY = ("I1", "I3", "I5", "I6", "I7", "I8", "I13")
TIMEOUT_S = 100.0

pytestmark = pytest.mark.processes


def start(*arguments: str, command: str = "demo") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, command, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def processes_on(state: Path) -> list[int]:
    """Processes that hold a file below `state` open, or were told of it."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if process.pid != os.getpid() and any(str(state) in part for part in process.info["cmdline"] or ()):
            found.append(process.pid)
    return found


def test_a_short_demo_quotes_reports_and_exits_with_0(tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "out.json"
    demo = start("--duration", "8", "--state", str(state), "--report", str(out))
    stdout, stderr = demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 0, stderr
    for line in ("starting Ray", "starting actors", "stopping: cancelling orders"):
        assert line in stderr
    assert "BTCUSDC" in stdout and "ETHUSDC" in stdout
    report = json.loads(out.read_text())
    assert sorted(report["symbols"]) == ["BTCUSDC", "ETHUSDC"]
    assert all(run["orders"]["accepted"] > 0 for run in report["symbols"].values())
    assert report["latency_us"]["tick_to_order"]["count"] > 0
    assert report["live_orders_at_end"] == 0
    assert [name for name in OBLIGATORY if not report["invariants"][name]["held"]] == []
    assert processes_on(state) == []


def test_a_paper_demo_follows_a_second_venue_that_it_starts_and_sends_it_nothing(tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "out.json"
    demo = start("--follow", "simulated", "--duration", "8", "--state", str(state), "--report", str(out))
    stdout, stderr = demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 0, stderr
    assert "source paper 127.0.0.1:" in stdout
    report = json.loads(out.read_text())
    assert all(run["orders"]["accepted"] > 0 for run in report["symbols"].values())
    assert report["live_orders_at_end"] == 0
    assert [name for name in OBLIGATORY if not report["invariants"][name]["held"]] == []
    kinds = {json.loads(line)["kind"] for line in (state / "followed.jsonl").read_text().splitlines()}
    assert kinds == {"VenueStarted", "SymbolListed", "TopSampled"}
    assert processes_on(state) == []


def test_an_interrupted_demo_on_a_recording_takes_changed_settings_cancels_its_orders_and_exits_with_0(
    tmp_path: Path,
) -> None:
    source = shared_path("data/usdm-btc-eth-20240718")
    state, out, config = tmp_path / "state", tmp_path / "out.json", tmp_path / "own.yaml"
    config.write_text((ROOT / "configs" / "replay.yaml").read_text())
    files = ("--config", str(config), "--state", str(state), "--report", str(out))
    arguments = ("--shards", "2", "--source", str(source), *files)
    demo = start("--duration", "600", *arguments)
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("ETHUSDT") and "orders 0" not in line:
            break
    config.write_text(config.read_text().replace("order_notional_max: 2%", "order_notional_max: 1%"))
    asked = start("strategy.half_spread_bps_min", "0.1", "--state", str(state), command="set")
    said, _ = asked.communicate(timeout=TIMEOUT_S)
    assert (asked.returncode, "strategy.half_spread_bps_min from 0.0 to 0.1" in said) == (0, True)
    for _ in demo.stdout:
        if "risk.order_notional_max from 2% to 1%" in (state / "settings.jsonl").read_text():
            break
    demo.send_signal(signal.SIGINT)
    _, stderr = demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 0, stderr
    report = json.loads(out.read_text())
    assert sorted(report["symbols"]) == ["BTCUSDT", "ETHUSDT"]
    assert report["live_orders_at_end"] == 0
    assert processes_on(state) == []


def test_a_killed_demo_leaves_no_process(tmp_path: Path) -> None:
    state = tmp_path / "state"
    demo = start("--duration", "600", "--state", str(state))
    assert demo.stdout is not None and demo.stderr is not None
    for line in demo.stdout:
        if line.startswith("ETHUSDC") and "orders 0" not in line:
            break
    marker = json.loads((state / "ray.json").read_text())["marker"]
    system = marked(marker)
    assert len(system) > 8
    demo.kill()
    demo.wait(TIMEOUT_S)
    demo.stdout.close()
    demo.stderr.close()
    psutil.wait_procs(system, timeout=TIMEOUT_S)
    assert marked(marker) == []
    stop_cluster(StateDir(state))  # its files in the machine's temporary folder


def marked(marker: str) -> list[psutil.Process]:
    """Processes of one Ray."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("RAYMAKER_CLUSTER") == marker:
                found.append(process)
    return found
