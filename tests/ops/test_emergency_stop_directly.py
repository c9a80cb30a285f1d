"""The arm of the emergency stop that needs neither Ray nor any actor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scripted_venue import ScriptedVenue

from configs.loading import load_settings
from configs.schema import Settings
from ops.emergency_stop import Cleared, cancel_everything
from ops.stop_file import write_stop_file

ROOT = Path(__file__).resolve().parents[2]


class Run:
    """One clearing: what was said and how long it would have slept."""

    def __init__(self, venue: ScriptedVenue, settings: Settings) -> None:
        self.said: list[str] = []
        self.slept_s: list[float] = []
        with venue.client() as client:
            self.cleared = cancel_everything(
                client, settings.symbols, settings.order_manager, self.said.append, self.slept_s.append
            )


@pytest.fixture
def settings() -> Settings:
    return load_settings(ROOT / "configs" / "demo.yaml", {})


def test_the_venue_is_clear_when_two_questions_found_nothing(settings: Settings) -> None:
    venue = ScriptedVenue({"BTCUSDC": 3, "ETHUSDC": 2})
    assert Run(venue, settings).cleared == Cleared(
        clear=True, rounds=1, remaining={"BTCUSDC": 0, "ETHUSDC": 0}, failures=()
    )
    assert [asked for asked in venue.asked if asked[0] == "GET /fapi/v1/openOrders"] == [
        ("GET /fapi/v1/openOrders", "BTCUSDC"),
        ("GET /fapi/v1/openOrders", "ETHUSDC"),
    ] * 2


def test_the_second_question_comes_after_the_last_write_of_any_process_is_dead(settings: Settings) -> None:
    manager = settings.order_manager
    run = Run(ScriptedVenue(), settings)
    assert run.slept_s == [(manager.window_ms + manager.dead_slack_ms) / 1_000]


def test_orders_that_survive_are_cancelled_again(settings: Settings) -> None:
    run = Run(ScriptedVenue({"BTCUSDC": 1}, stubborn=3), settings)
    assert (run.cleared.clear, run.cleared.rounds) == (True, 3)


def test_orders_that_never_go_are_reported_with_their_number(settings: Settings) -> None:
    run = Run(ScriptedVenue({"ETHUSDC": 2}, stubborn=100), settings)
    assert run.cleared == Cleared(clear=False, rounds=5, remaining={"BTCUSDC": 0, "ETHUSDC": 2}, failures=())


def test_a_symbol_that_cannot_be_asked_is_never_clear(settings: Settings) -> None:
    venue = ScriptedVenue()
    venue.errors["/fapi/v1/openOrders"] = (503, {"code": -1001, "msg": "Internal error."})
    cleared = Run(venue, settings).cleared
    assert cleared.clear is False
    assert cleared.failures[0] == "BTCUSDC: GET /fapi/v1/openOrders was refused (503, -1001): Internal error."


def test_a_refused_cancel_is_told_although_nothing_is_open(settings: Settings) -> None:
    venue = ScriptedVenue()
    venue.errors["/fapi/v1/allOpenOrders"] = (401, {"code": -2014, "msg": "API-key format invalid."})
    cleared = Run(venue, settings).cleared
    assert cleared.clear is False
    assert cleared.failures == (
        "BTCUSDC: DELETE /fapi/v1/allOpenOrders was refused (401, -2014): API-key format invalid.",
        "ETHUSDC: DELETE /fapi/v1/allOpenOrders was refused (401, -2014): API-key format invalid.",
    )


def test_the_stop_file_is_private_and_says_why(tmp_path: Path) -> None:
    write_stop_file(tmp_path / "STOP", "the desk burns")
    assert (tmp_path / "STOP").read_text() == "the desk burns\n"
    assert (tmp_path / "STOP").stat().st_mode & 0o777 == 0o600


def test_the_direct_command_loads_no_ray_and_no_actor() -> None:
    code = (
        "import sys, ops.cli.main, ops.cli.stopping, ops.emergency_stop, ops.direct_venue, ops.saved_plan, configs.keys\n"
        "print([m for m in sys.modules if m.split('.')[0] == 'ray' or m.startswith('actors.') "
        "and not m.startswith('actors.runtime')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_stop_file_is_written_with_the_standard_library_alone(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ops.stop_file import write_stop_file\n"
        f"write_stop_file(Path({str(tmp_path / 'STOP')!r}), 'now')\n"
        "print([m for m in ('ray', 'httpx', 'pydantic', 'msgspec', 'typer') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout.strip(), (tmp_path / "STOP").exists()) == ("[]", True)
