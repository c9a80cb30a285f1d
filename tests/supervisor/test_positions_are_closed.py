"""Closing positions on an emergency, where the configuration says so."""

from __future__ import annotations

import msgspec
from supervised_world import SupervisedWorld, system_plan

from actors.supervisor import commands as c
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import EmergencyStop, Resume, ShardHalted, StopFileSeen

CLOSES = msgspec.structs.replace(system_plan(), flatten_arm=("arm",))
STOP = EmergencyStop(reason="told to")


def closing(world: SupervisedWorld) -> int:
    return world.history.count("flatten")


def told(world: SupervisedWorld) -> list[tuple[AlertCode, Severity, str]]:
    return [(a.code, a.severity, a.text) for a in world.alerts if isinstance(a, Alert) and a.subject == "flatten"]


def test_the_arm_runs_once_after_the_stop_is_on_file_and_told() -> None:
    world = SupervisedWorld(CLOSES)
    world.history.clear()
    world.ask(STOP)
    world.ask(STOP, ask_id=2)
    assert closing(world) == 1
    assert world.history.index("stop file present") < world.history.index("flatten")
    assert world.desired.flatten_owed


def test_a_stop_file_that_somebody_else_wrote_closes_positions_too() -> None:
    world = SupervisedWorld(CLOSES)
    world.give(StopFileSeen(present=True, text="risk: margin"))
    assert closing(world) == 1


def test_without_the_configuration_positions_are_left_alone() -> None:
    world = SupervisedWorld()
    world.ask(STOP)
    assert (closing(world), world.desired.flatten_owed) == (0, False)


def test_a_shard_that_is_given_up_closes_nothing() -> None:
    world = SupervisedWorld(CLOSES)
    world.give(ShardHalted(shard=0, reason="deaths"))
    assert closing(world) == 0


def test_the_end_is_told_and_nothing_is_owed_any_more() -> None:
    world = SupervisedWorld(CLOSES)
    world.ask(STOP)
    world.give(c.VenueFlattened(flat=False, text="0.010 is left"))
    assert told(world) == [(AlertCode.EMERGENCY_STOP, Severity.CRITICAL, "0.010 is left")]
    assert not world.desired.flatten_owed


def test_a_refused_slice_is_an_alert_and_the_arm_goes_on() -> None:
    world = SupervisedWorld(CLOSES)
    world.ask(STOP)
    world.give(c.FlattenRefused(text="a slice was refused (-1015): too many"))
    assert told(world) == [(AlertCode.EMERGENCY_STOP, Severity.WARNING, "a slice was refused (-1015): too many")]
    assert world.desired.flatten_owed


def test_a_supervisor_that_died_meanwhile_begins_again() -> None:
    world = SupervisedWorld(CLOSES)
    world.ask(STOP)
    heir = SupervisedWorld(CLOSES, desired=world.desired, processes=world.processes)
    assert closing(heir) == 1


def test_after_resume_nothing_is_owed() -> None:
    world = SupervisedWorld(CLOSES)
    world.ask(STOP)
    world.ask(Resume(reason="looked"), ask_id=2)
    heir = SupervisedWorld(CLOSES, desired=world.desired, processes=world.processes)
    assert closing(heir) == 0
