"""`raymaker resume`: it is given again while somebody has not heard it, and exits 4 when somebody still holds the system back."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.cli import asking, stopping
from ops.cli.app import app
from ops.cli.outcome import unconfirmed
from protocols.messages.control import ActorState, ActorStatus, Answer, Resume, SystemStatus

RUNNING, DEAD = ActorState.RUNNING, ActorState.DEAD


def actor(name: str, state: ActorState = RUNNING, **snapshot: Any) -> ActorStatus:
    return ActorStatus(
        name=name,
        role=name.partition("-")[0],
        shard=0,
        state=state,
        pid=1,
        epoch=1,
        restarts=0,
        wanted=True,
        vitals=None,
        snapshot=snapshot,
        io={},
    )


class System:
    """Each resume brings it to the next of the risk monitor's states; the last one stays."""

    def __init__(self, *risk_monitors: ActorStatus) -> None:
        self.left = list(risk_monitors)
        self.resumed = 0

    def __call__(self, state: Any) -> System:
        return self

    def __enter__(self) -> System:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def ask(self, command: Any, timeout_s: float) -> Any:
        if isinstance(command, Resume):
            if not self.left:
                raise unconfirmed("supervisor: the actor is dead.")
            self.resumed += 1
            return Answer(done=True, confirmed=True, text="resumed")
        risk_monitor = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return SystemStatus(
            actors=(actor("order_manager-0", stopped=""), risk_monitor),
            stopped=False,
            stop_reason="",
            halted_shards={},
            metrics_url="",
            now_ns=0,
        )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "RESUME_PAUSE_S", 0.0)


def resume(monkeypatch: pytest.MonkeyPatch, system: System) -> tuple[int, str]:
    monkeypatch.setattr(asking, "Asking", system)
    done = CliRunner().invoke(app, ["resume"])
    return done.exit_code, done.output


def test_a_resume_that_everybody_heard_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(actor("risk_monitor", latches={}))
    assert resume(monkeypatch, system) == (0, "resumed: the order managers recover and quote again\n")
    assert system.resumed == 1


def test_it_is_given_again_when_the_risk_monitor_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(actor("risk_monitor", DEAD), actor("risk_monitor", latches={}))
    assert resume(monkeypatch, system)[0] == 0
    assert system.resumed == 2


def test_a_risk_monitor_that_stays_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = resume(monkeypatch, System(actor("risk_monitor", DEAD)))
    assert code == 4
    assert "risk_monitor: is DEAD: what it hears of when it is back may restrict again" in output


def test_what_the_risk_monitor_latched_since_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = resume(monkeypatch, System(actor("risk_monitor", latches={"account": "a margin call: BTCUSDC"})))
    assert code == 4
    assert "risk_monitor: restricts account: a margin call: BTCUSDC" in output


def test_a_level_that_a_person_holds_is_no_matter_of_a_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    held = actor("risk_monitor", latches={"BTCUSDC": "held by a person: news"})
    assert resume(monkeypatch, System(held))[0] == 0


def test_without_a_supervisor_it_could_not_be_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = resume(monkeypatch, System())
    assert (code, "the actor is dead" in output) == (4, True)
