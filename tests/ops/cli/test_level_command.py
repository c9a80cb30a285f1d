"""`raymaker level`: what it asks of the supervisor, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.cli import asking
from ops.cli.app import app
from protocols.messages.control import Answer, HoldLevel
from protocols.messages.risk import RiskLevel


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the supervisor was asked; it agrees to everything."""
    heard: list[Any] = []

    def agree(state: Path, command: Any, timeout_s: float) -> Answer:
        heard.append(command)
        return Answer(done=True, confirmed=True, text="so it is")

    monkeypatch.setattr(asking, "ask", agree)
    return heard


@pytest.mark.parametrize(
    ("words", "hold"),
    [
        (["caution"], HoldLevel(subject="account", level=RiskLevel.CAUTION, reason="level command")),
        (
            ["HALTED", "btcusdc", "--reason", "news"],
            HoldLevel(subject="BTCUSDC", level=RiskLevel.HALTED, reason="news"),
        ),
        (["release", "BTCUSDC"], HoldLevel(subject="BTCUSDC", level=None, reason="level command")),
    ],
)
def test_a_level_is_held_or_released(asked: list[Any], words: list[str], hold: HoldLevel) -> None:
    done = CliRunner().invoke(app, ["level", *words])
    assert (done.exit_code, done.output, asked) == (0, "so it is\n", [hold])


@pytest.mark.parametrize(
    ("word", "hint"), [("NORMAL", "release"), ("EMERGENCY", "use emergency-stop"), ("high", "CAUTION")]
)
def test_a_level_that_cannot_be_held_is_refused(asked: list[Any], word: str, hint: str) -> None:
    done = CliRunner().invoke(app, ["level", word])
    assert (done.exit_code, asked) == (2, [])
    assert hint in done.output
