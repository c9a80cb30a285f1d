"""The arm of the emergency stop that needs neither Ray nor any actor."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_venue import ScriptedVenue

from actors.runtime.shut import write_stop_file
from configs.loading import load_settings
from configs.schema import Settings
from ops.emergency_stop import Cleared, cancel_everything

ROOT = Path(__file__).resolve().parents[2]


class Run:
    """One clearing: what was said and how long it slept, by a clock that stands still but for the sleeping."""

    def __init__(self, venue: ScriptedVenue, settings: Settings, shut_ns: int | None = None) -> None:
        self.said: list[str] = []
        self.slept_s: list[float] = []
        with venue.client() as client:
            self.cleared = cancel_everything(
                client,
                settings.symbols,
                settings.order_manager,
                self.said.append,
                self.slept_s.append,
                lambda: round(sum(self.slept_s) * 1e9),
                shut_ns,
            )


@pytest.fixture
def settings() -> Settings:
    return load_settings(ROOT / "configs" / "demo.yaml", {})


def test_the_venue_is_clear_when_two_questions_found_nothing(settings: Settings) -> None:
    venue = ScriptedVenue({"BTCUSDC": 3, "ETHUSDC": 2})
    assert Run(venue, settings).cleared == Cleared(
        clear=True, looks=2, remaining={"BTCUSDC": 0, "ETHUSDC": 0}, failures=()
    )
    assert [asked for asked in venue.asked if asked[0] == "GET /fapi/v1/openOrders"] == [
        ("GET /fapi/v1/openOrders", "BTCUSDC"),
        ("GET /fapi/v1/openOrders", "ETHUSDC"),
    ] * 2


def test_the_second_question_comes_past_the_deadline_of_the_last_write(settings: Settings) -> None:
    manager = settings.order_manager
    run = Run(ScriptedVenue(), settings)
    assert run.slept_s == [(manager.window_ms + manager.clock_error_ms_max) / 1_000]
    assert sum(run.slept_s) < 2.0


def test_where_an_answer_was_missing_the_slack_of_the_presumed_dead_is_waited_out_too(settings: Settings) -> None:
    manager, venue = settings.order_manager, ScriptedVenue()
    venue.errors["/fapi/v1/openOrders"] = (503, {"code": -1001, "msg": "Internal error."})
    venue.heals_after = 1
    run = Run(venue, settings)
    assert run.cleared.clear
    assert sum(run.slept_s) >= (manager.window_ms + manager.dead_slack_ms) / 1_000


def test_the_time_since_the_gates_were_shut_counts(settings: Settings) -> None:
    assert Run(ScriptedVenue(), settings, shut_ns=-1_000_000_000).slept_s == [0.75]
    assert Run(ScriptedVenue(), settings, shut_ns=-60_000_000_000).slept_s == [0.3]


def test_nothing_is_asked_inside_the_time_for_which_the_venue_wants_to_be_left_alone(settings: Settings) -> None:
    venue = ScriptedVenue()
    venue.errors["/fapi/v1/allOpenOrders"] = (429, {"code": -1003, "msg": "Too many requests."})
    run = Run(venue, settings)
    assert [what for what, _ in venue.asked].count("DELETE /fapi/v1/allOpenOrders") == 1
    assert "wants to be left alone" in run.cleared.failures[-1]


def test_an_order_of_ours_that_came_after_the_stop_tells_that_somebody_still_trades(settings: Settings) -> None:
    venue = ScriptedVenue()
    young = {"clientOrderId": "rm1-9-000-4", "time": 1_700_000_000_000 + 60_000}
    venue.rows["ETHUSDC"] = [young, {"clientOrderId": "web_7", "time": 1_700_000_000_000 + 60_000}]
    cleared = Run(venue, settings).cleared
    assert cleared.strangers == ("rm1-9-000-4",)
    assert "trades on another machine; stop it there, or revoke its key at the venue" in cleared.text


def test_orders_that_survive_are_cancelled_again(settings: Settings) -> None:
    run = Run(ScriptedVenue({"BTCUSDC": 1}, stubborn=3), settings)
    assert (run.cleared.clear, run.cleared.looks) == (True, 4)
    assert sum(run.slept_s) < 2.0, "an order that was on its way costs no time beyond the deadline"


def test_orders_that_never_go_are_reported_with_their_number(settings: Settings) -> None:
    run = Run(ScriptedVenue({"ETHUSDC": 2}, stubborn=100), settings)
    assert run.cleared == Cleared(clear=False, looks=10, remaining={"BTCUSDC": 0, "ETHUSDC": 2}, failures=())


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


def test_on_a_full_disk_the_stop_file_shuts_all_the_same_and_says_what_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    assert write_stop_file(tmp_path / "STOP", "now") == "it could not be synced: No space left on device"
    assert (tmp_path / "STOP").exists()


def test_the_direct_command_loads_no_ray_and_no_actor() -> None:
    code = (
        "import sys, ops.cli.app, ops.cli.stopping, ops.emergency_stop, ops.flatten, ops.other_nodes, actors.runtime.journal_holders\n"
        "import ops.direct_venue, ops.saved_plan, configs.keys\n"
        "print([m for m in sys.modules if m.split('.')[0] == 'ray' or m.startswith('actors.') "
        "and not m.startswith('actors.runtime')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_stop_file_is_written_with_the_standard_library_alone(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from actors.runtime.shut import write_stop_file\n"
        f"write_stop_file(Path({str(tmp_path / 'STOP')!r}), 'now')\n"
        "print([m for m in ('ray', 'httpx', 'pydantic', 'msgspec', 'typer') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout.strip(), (tmp_path / "STOP").exists()) == ("[]", True)
