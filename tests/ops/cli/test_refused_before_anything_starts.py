"""Bad input to the commands that start something: one sentence, exit code 2, and no process of ours is left behind."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from capture_lines import CAPTURE
from typer.testing import CliRunner

from actors.runtime.ray_cluster import RayCluster
from actors.runtime.state_dir import StateDir
from ops.cli.app import app

DEMO = str(Path(__file__).resolve().parents[3] / "configs" / "demo.yaml")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def refusal(*arguments: str, **environment: str) -> str:
    """The sentence on stderr of a command that exits with 2 and says nothing about a start."""
    result = CliRunner().invoke(app, list(arguments), env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2
    assert "starting" not in result.stdout
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("raymaker: ")
    return result.stderr.removeprefix("raymaker: ").rstrip("\n")


def test_a_port_of_the_venue_that_is_in_use(tmp_path: Path, taken_port: int) -> None:
    arguments = ("up", "--config", DEMO, "--state", str(tmp_path / "state"))
    assert refusal(*arguments, RAYMAKER__EXCHANGE__PORT=str(taken_port)) == (
        f"port {taken_port} of 127.0.0.1 cannot be used: Address already in use."
    )


def test_a_port_of_the_metrics_that_is_in_use(tmp_path: Path, taken_port: int) -> None:
    arguments = ("up", "--config", DEMO, "--state", str(tmp_path / "state"))
    assert refusal(*arguments, RAYMAKER__SUPERVISION__METRICS_PORT=str(taken_port)) == (
        f"port {taken_port} of 127.0.0.1 cannot be used: Address already in use."
    )


def test_a_port_of_the_venue_alone_that_is_in_use(tmp_path: Path, taken_port: int) -> None:
    sentence = refusal("exchange", "--port", str(taken_port), "--ledger", str(tmp_path / "ledger"))
    assert sentence.startswith(f"port {taken_port} of 127.0.0.1 cannot be used: ")


@pytest.mark.parametrize("command", [("up", "--config", DEMO), ("demo", "--duration", "1")])
def test_a_second_start_on_the_same_state_directory(tmp_path: Path, command: tuple[str, ...]) -> None:
    state = StateDir(tmp_path / "state").create()
    running = RayCluster(
        address="127.0.0.2:1",
        marker="",
        head_pid=os.getpid(),
        head_started_s=psutil.Process().create_time(),
        temp_dir="",
        token_file="",
    )
    state.ray_file.write_bytes(msgspec.json.encode(running))
    assert refusal(*command, "--state", str(state.path)) == (
        f"a system is running on {state.path} already: stop it with `raymaker down`, or choose another --state."
    )


def test_a_symbol_that_the_synthetic_market_does_not_know(tmp_path: Path) -> None:
    assert refusal("demo", "--symbols", "FOOUSDC", "--state", str(tmp_path / "state")) == (
        "FOOUSDC: the synthetic market knows BTCUSDC, ETHUSDC, BTCUSDT, ETHUSDT; name one of them, or a capture as source."
    )


@pytest.mark.parametrize("command", [("demo", "--duration", "1"), ("exchange", "--port", "0", "--ledger", "ledger")])
def test_a_source_that_is_none(tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    missing, empty, foreign = tmp_path / "missing", tmp_path / "empty", tmp_path / "foreign.csv"
    empty.mkdir()
    foreign.write_text("time,open,high,low,close\n1721347020000,1,2,3,4\n")
    unrecognised = (
        "no recorded market stream recognised; expected a CSV dump of Binance or Tardis, "
        "or lines of '<receive time> <combined-stream frame>'."
    )
    assert refusal(*command, "--source", str(missing)) == f"{missing}: there is no such file or folder."
    assert refusal(*command, "--source", str(empty)) == f"{empty}: {unrecognised}"
    assert refusal(*command, "--source", str(foreign)) == (
        "foreign.csv: no recorded market stream recognised: its columns (time, open, high, low, ...) are none of a known dump "
        "of Binance or Tardis."
    )


def test_a_symbol_that_the_source_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "recorded.txt"
    path.write_bytes(b"".join(CAPTURE))
    sentence = refusal("demo", "--source", str(path), "--symbols", "ETHUSDT", "--state", str(tmp_path / "state"))
    assert "ETHUSDT" in sentence


def test_a_ledger_that_is_none_damaged_or_in_use(tmp_path: Path) -> None:
    notes, taken = tmp_path / "notes", tmp_path / "taken"
    notes.write_text("remember the milk\n")
    command = ("exchange", "--port", "0", "--ledger")
    assert refusal(*command, str(tmp_path)) == f"the ledger {tmp_path} cannot be opened: Is a directory."
    assert refusal(*command, str(notes)).startswith(f"{notes}: ledger line 1 cannot be read: ")
    assert notes.read_text() == "remember the milk\n"
    with taken.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert refusal(*command, str(taken)) == f"the ledger {taken} is in use by another venue."


def test_a_configuration_with_errors_lists_each_with_its_path(tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text(
        Path(DEMO).read_text().replace("risk:\n", "risk:\n  daily_loss_max: .nan\n  symbol_notional_max: -1\n")
        + "colour: red\nmarket_data: {stale_ms: 1e300}\n"
    )
    first, *errors = refusal("up", "--config", str(config), "--state", str(tmp_path / "state")).splitlines()
    assert first == f"{config}: 4 errors in the configuration"
    assert [error.split(":")[0].strip() for error in errors] == [
        "market_data.stale_ms",
        "risk.daily_loss_max",
        "risk.symbol_notional_max",
        "colour",
    ]


def test_keys_in_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    config = Path(DEMO).with_name("binance_demo.yaml")
    arguments = ("up", "--config", str(config), "--state", str(tmp_path / "state"))
    assert str(tmp_path) in refusal(*arguments, RAYMAKER__VENUE__KEYS__FILE=str(tmp_path))
    assert str(tmp_path / "none") in refusal(*arguments, RAYMAKER__VENUE__KEYS__FILE=str(tmp_path / "none"))


@pytest.mark.parametrize(
    "command",
    [("demo", "--duration", "1"), ("exchange", "--port", "0", "--ledger", "unwritten.jsonl")],
    ids=["demo", "exchange"],
)
def test_a_followed_venue_that_cannot_be_reached(command: tuple[str, ...]) -> None:
    assert refusal(*command, "--follow", "http://127.0.0.1:1") == (
        "http://127.0.0.1:1 cannot be reached ([Errno 111] Connection refused): paper trading needs the followed venue; "
        "check exchange.follow and the network."
    )


def test_paper_trading_whose_followed_venue_cannot_be_reached(tmp_path: Path) -> None:
    paper = str(Path(DEMO).with_name("paper.yaml"))
    away = {
        "RAYMAKER__EXCHANGE__FOLLOW__REST_URL": "http://127.0.0.1:1",
        "RAYMAKER__EXCHANGE__FOLLOW__STREAM_URL": "ws://127.0.0.1:1",
    }
    assert refusal("up", "--config", paper, "--state", str(tmp_path / "state"), **away) == (
        "http://127.0.0.1:1 cannot be reached ([Errno 111] Connection refused): paper trading needs the followed venue; "
        "check exchange.follow and the network."
    )


def test_an_address_to_follow_that_is_none() -> None:
    sentence = refusal("exchange", "--port", "0", "--ledger", "unwritten.jsonl", "--follow", "fapi.binance.com")
    assert "must be http://HOST[:PORT] or https://HOST[:PORT], and no more" in sentence
