"""`raymaker reconcile`: it waits until everybody has compared, says what differed, and exits 4 when somebody has not."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.cli import asking, reconcile
from ops.cli.app import app
from protocols.messages.control import ActorState, ActorStatus, Answer, Reconcile, SystemStatus


def actor(name: str, role: str, snapshot: dict[str, Any]) -> ActorStatus:
    return ActorStatus(
        name=name,
        role=role,
        shard=0,
        state=ActorState.RUNNING,
        pid=1,
        epoch=1,
        restarts=0,
        wanted=True,
        vitals=None,
        snapshot=snapshot,
        io={},
    )


class Venue:
    """A system whose parts answer after some looks; `slow` never does."""

    def __init__(self, looks: int = 2, slow: bool = False, refused: bool = False) -> None:
        self.looks, self.slow, self.refused = looks, slow, refused
        self.token = 0

    def __call__(self, state: Any) -> Venue:
        return self

    def __enter__(self) -> Venue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def ask(self, command: Any) -> Any:
        if isinstance(command, Reconcile):
            self.token = command.token
            return Answer(done=not self.refused, confirmed=not self.refused, text="order_manager-0: away")
        self.looks -= 1
        token = self.token if self.looks <= 0 else 0
        row = {"reconcile_token": token, "reconcile_took_ms": 41, "reconcile_differences": ["rm1 is not open"]}
        late = row | {"reconcile_token": 0 if self.slow else token, "reconcile_differences": []}
        return SystemStatus(
            actors=(
                actor("order_manager-0", "order_manager", {"symbols": {"ETHUSDC": late, "BTCUSDC": row}}),
                actor("inventory", "inventory", {"reconciled": {"token": token, "took_ms": 3, "differences": []}}),
            ),
            stopped=False,
            stop_reason="",
            halted_shards={},
            metrics_url="",
            now_ns=0,
        )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "POLL_S", 0.0)
    monkeypatch.setattr(reconcile, "RECONCILE_TIMEOUT_S", 0.2)


def test_it_says_what_differed_and_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "Asking", Venue())
    done = CliRunner().invoke(app, ["reconcile"])
    assert (done.exit_code, done.output.splitlines()) == (
        0,
        ["BTCUSDC: rm1 is not open (41 ms)", "ETHUSDC: no difference (41 ms)", "account: no difference (3 ms)"],
    )


def test_it_says_so_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "Asking", Venue())
    done = CliRunner().invoke(app, ["reconcile", "--json"])
    shown = json.loads(done.output)
    assert shown["missing"] == []
    assert shown["compared"]["BTCUSDC"] == {"took_ms": 41, "differences": ["rm1 is not open"]}


def test_who_did_not_compare_in_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "Asking", Venue(slow=True))
    done = CliRunner().invoke(app, ["reconcile"])
    assert done.exit_code == 4
    assert "BTCUSDC: rm1 is not open (41 ms)" in done.output
    assert "no result from ETHUSDC" in done.output


def test_a_refusal_is_not_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "Asking", Venue(refused=True))
    done = CliRunner().invoke(app, ["reconcile"])
    assert (done.exit_code, "away" in done.output) == (4, True)
