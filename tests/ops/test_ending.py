"""The end of a system whose supervisor confirms nothing: the venue is cleared without it, and its word is what counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.runtime.ray_host import CallFailed
from actors.runtime.state_dir import StateDir
from configs.keys import write_key_file
from configs.loading import load_settings, with_changes
from configs.schema import ClusterSettings, NodeSettings, Settings
from ops import launch
from ops.emergency_stop import Cleared
from ops.launch import Ending, LaunchFailed, ended
from protocols.messages.control import Answer

DEMO = Path(__file__).parents[2] / "configs" / "demo.yaml"
SILENT = Ending(confirmed=False, text="the supervisor did not answer in time")


class Ends:
    """What was done, in order."""

    def __init__(self, clear: bool = True) -> None:
        self.steps: list[str] = []
        self.said: list[str] = []
        self.shut_ns: list[int] = []
        self._clear = clear

    def cancel(self, venue: object, symbols: tuple[str, ...], manager: object, say: object, *, shut_ns: int) -> Cleared:
        self.steps.append(f"cancel {', '.join(symbols)}")
        self.shut_ns.append(shut_ns)
        remaining = dict.fromkeys(symbols, 0 if self._clear else 2)
        return Cleared(clear=self._clear, looks=2, remaining=remaining, failures=())


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Ends:
    done = Ends(getattr(request, "param", True))
    monkeypatch.setattr(launch, "clear_away", lambda *_: done.steps.append("clear away"))
    monkeypatch.setattr(launch, "cancel_everything", done.cancel)
    monkeypatch.setattr(launch.time, "monotonic_ns", lambda: 1_000)
    return done


def settings(folder: Path, **changes: Any) -> Settings:
    keys = folder / "keys"
    write_key_file(keys, "key", "secret")
    venue = {
        "rest_url": "http://127.0.0.1:1",
        "stream_url": "ws://127.0.0.1:1",
        "ws_api_url": "ws://127.0.0.1:1",
        "keys": {"file": str(keys)},
    }
    return with_changes(load_settings(DEMO, {}), {"exchange": None, "venue": venue, **changes}, "test")


def test_what_the_supervisor_confirmed_needs_no_second_word(ends: Ends, tmp_path: Path) -> None:
    confirmed = Ending(confirmed=True, text="no order is left")
    assert ended(StateDir(tmp_path), "mark", settings(tmp_path), ends.said.append, confirmed) == confirmed
    assert ends.steps == ["clear away"]


def test_a_silent_supervisor_has_the_venue_cleared_when_every_process_has_ended(ends: Ends, tmp_path: Path) -> None:
    ending = ended(StateDir(tmp_path), "mark", settings(tmp_path), ends.said.append, SILENT)
    assert ends.steps == ["clear away", "cancel BTCUSDC, ETHUSDC"]
    assert ending == Ending(confirmed=True, text="the venue twice showed no open order of BTCUSDC, ETHUSDC")
    assert ends.said[-1] == f"not confirmed by the supervisor ({SILENT.text}): cancelling at the venue itself"


@pytest.mark.parametrize("ends", [False], indirect=True)
def test_a_venue_that_does_not_confirm_leaves_it_unconfirmed_with_both_reasons(ends: Ends, tmp_path: Path) -> None:
    ending = ended(StateDir(tmp_path), "mark", settings(tmp_path), ends.said.append, SILENT)
    assert not ending.confirmed
    assert ending.text.startswith(SILENT.text)
    assert "open orders: BTCUSDC 2, ETHUSDC 2" in ending.text


def test_order_managers_of_other_nodes_may_write_until_their_lease_is_over(ends: Ends, tmp_path: Path) -> None:
    cluster = {
        "nodes": [{"name": "first", "host": "127.1.1.1"}, {"name": "second", "host": "127.1.1.2"}],
        "ray_port": 6_500,
    }
    both = settings(tmp_path, cluster=cluster)
    ended(StateDir(tmp_path), "mark", both, ends.said.append, SILENT)
    assert ends.shut_ns == [1_000 + both.risk.lease_ms * 1_000_000]


def test_the_simulated_venue_of_the_system_itself_ends_with_it(ends: Ends, tmp_path: Path) -> None:
    assert ended(StateDir(tmp_path), "mark", load_settings(DEMO, {}), ends.said.append, SILENT) == SILENT
    assert ends.steps == ["clear away"]


def test_a_shutdown_that_is_answered_by_nobody_ends_like_that(ends: Ends, tmp_path: Path) -> None:
    class Away:
        marker = "mark"

        def ask(self, *_: object) -> Answer:
            raise CallFailed("supervisor did not answer in time")

        def close(self) -> None:
            ends.steps.append("leave")

    ending = launch.shut_down(Away(), StateDir(tmp_path), settings(tmp_path), ends.said.append)  # type: ignore[arg-type]
    assert ending.confirmed
    assert ends.steps == ["leave", "clear away", "cancel BTCUSDC, ETHUSDC"]


def test_a_head_that_goes_away_while_nodes_are_awaited_is_named_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = (NodeSettings(name="first", host="127.1.1.1"), NodeSettings(name="second", host="127.1.1.2"))
    cluster = ClusterSettings(ray_port=6_500, nodes=nodes, join_timeout_ms=1)

    def away() -> tuple[str, ...]:
        raise CallFailed("Ray's head has not answered for 5 s")

    monkeypatch.setattr(launch, "alive_nodes_now", away)
    with pytest.raises(LaunchFailed, match="still waiting for Ray's head, which was there and is away"):
        launch._await_nodes(cluster, lambda text: None, lambda: True)
