"""`raymaker up` in one terminal, `raymaker down` in another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.runtime.state_dir import StateDir
from configs.loading import load_settings
from ops.cli import session
from ops.cli.session import Session
from ops.launch import Ending, LaunchFailed, RayHostError

DEMO = Path(__file__).parents[3] / "configs" / "demo.yaml"
STOPPED = Ending(confirmed=True, text="stopped by this command")


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Session]:
    """A session whose supervisor has just stopped answering."""

    def unreachable(client: object) -> Any:
        raise RayHostError("supervisor cannot be reached")

    monkeypatch.setattr(session, "launch", lambda *_, **__: object())
    monkeypatch.setattr(session, "wait_until_quoting", lambda *_: None)
    monkeypatch.setattr(session, "status_of", unreachable)
    monkeypatch.setattr(session, "shut_down", lambda *_: STOPPED)
    monkeypatch.setattr(session, "HEADLESS_S_MAX", 0.0)
    state = StateDir(tmp_path).create()
    return lambda: Session(load_settings(DEMO, {}), state, lambda text: None)


def test_the_watch_ends_and_nothing_is_stopped_again(watched: Callable[[], Session]) -> None:
    with watched() as one:
        one.start()
        one.watch(duration_s=None)
    assert (one.ended_elsewhere, one.ending) == (True, None)


def test_a_ray_that_died_by_itself_is_no_such_end(watched: Callable[[], Session]) -> None:
    one = watched()
    one.state.ray_file.write_text("what a living or a dead Ray leaves", "utf-8")
    with pytest.raises(LaunchFailed, match="Ray ended by itself"), one:
        one.start()
        one.watch(duration_s=None)
    assert (one.ended_elsewhere, one.ending) == (False, STOPPED)
