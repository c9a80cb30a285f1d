"""`raymaker set`: what it asks of the supervisor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.cli import asking
from ops.cli.app import app
from protocols.messages.control import Answer, ChangeSetting


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_key_is_set(monkeypatch: pytest.MonkeyPatch, confirmed: bool) -> None:
    heard: list[Any] = []

    def agree(state: Path, command: Any, timeout_s: float) -> Answer:
        heard.append(command)
        return Answer(done=True, confirmed=True, text="so it is")

    monkeypatch.setattr(asking, "ask", agree)
    words = ["set", "risk.daily_loss_max", "0.5%", *(["--confirm"] if confirmed else [])]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.output) == (0, "so it is\n")
    assert heard == [ChangeSetting(key="risk.daily_loss_max", value="0.5%", confirmed=confirmed)]


def test_what_the_supervisor_refuses_is_bad_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ask", lambda *_: Answer(done=False, confirmed=False, text="needs a restart"))
    done = CliRunner().invoke(app, ["set", "shards", "2"])
    assert (done.exit_code, "needs a restart" in done.output) == (2, True)
