"""Memory of the actors' processes: told early, and bounded by an orderly restart."""

from __future__ import annotations

from supervised_world import SupervisedWorld, system_plan

from actors.supervisor.commands import NodeBeaten
from configs.schema import SupervisionSettings
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import ActorState, Drain, Shutdown

BOUND_MB, WARNING_MB = 1_000, 700


def memory_world() -> SupervisedWorld:
    world = SupervisedWorld()
    world.memory_mb = dict.fromkeys(world.processes, 130)
    world.run(1_000)
    return world


def codes(world: SupervisedWorld) -> list[tuple[AlertCode, str]]:
    return [(alert.code, alert.subject) for alert in world.alerts]


def test_what_is_measured_is_in_the_status_with_its_bound() -> None:
    world = memory_world()
    world.memory_mb["supervisor"] = 110
    world.run(500)
    shown = {actor.name: (actor.memory_bytes, actor.memory_bytes_max) for actor in world.core.status().actors}
    assert shown["strategy-0"] == (130_000_000, 1_000_000_000)
    assert shown["supervisor"] == (110_000_000, 1_000_000_000)
    assert world.alerts == []


def test_above_the_warning_it_is_told_once_and_nobody_is_restarted() -> None:
    world = memory_world()
    world.memory_mb["strategy-0"] = WARNING_MB + 1
    world.run(5_000)
    assert [(alert.severity, alert.text) for alert in world.alerts] == [
        (Severity.WARNING, "701 MB of memory, the bound is 1000: above it the actor is restarted")
    ]
    assert "stop strategy-0" not in world.history


def test_it_is_told_again_when_it_has_fallen_well_below_in_between() -> None:
    world = memory_world()
    for memory_mb in (WARNING_MB + 1, WARNING_MB - 20, WARNING_MB + 1, WARNING_MB // 2, WARNING_MB + 1):
        world.memory_mb["strategy-0"] = memory_mb
        world.run(500)
    assert codes(world) == [(AlertCode.MEMORY_HIGH, "strategy-0")] * 2


def test_above_the_bound_an_order_manager_is_drained_and_started_anew_under_a_new_epoch() -> None:
    world = memory_world()
    before = world.processes["order_manager-0"]
    world.memory_mb["order_manager-0"] = BOUND_MB + 1
    world.run(250)
    world.memory_mb["order_manager-0"] = 130
    world.run(2_000)
    after = world.processes["order_manager-0"]
    assert [type(message) for message in before.told][-1] is Drain
    assert "stop order_manager-0" in world.history
    assert "kill order_manager-0" not in world.history
    assert after.epoch > before.epoch
    assert codes(world) == [
        (AlertCode.MEMORY_HIGH, "order_manager-0"),
        (AlertCode.MEMORY_EXCEEDED, "order_manager-0"),
        (AlertCode.ACTOR_RESTARTED, "order_manager-0"),
    ]


def test_one_that_does_not_drain_is_ended_all_the_same_and_fenced_by_its_epoch() -> None:
    world = memory_world()
    world.drains = False
    before = world.processes["order_manager-0"].epoch
    world.memory_mb["order_manager-0"] = BOUND_MB + 1
    world.run(500)
    world.memory_mb["order_manager-0"] = 130
    world.run(world.settings.drain_timeout_ms + 2_000)
    assert world.processes["order_manager-0"].epoch > before
    assert (AlertCode.RECOVERY_FAILED, "order_manager-0") in codes(world)


def test_one_that_grows_on_while_it_drains_is_killed_at_once() -> None:
    world = memory_world()
    world.drains = False
    world.memory_mb["order_manager-0"] = BOUND_MB + 1
    world.run(250)
    world.memory_mb["order_manager-0"] = BOUND_MB * 3 // 2 + 1
    world.run(250)
    assert world.history.count("kill order_manager-0") == 1


def test_restarts_for_memory_count_in_the_intensity() -> None:
    world = memory_world()
    for _ in range(world.settings.restarts_max + 1):
        world.memory_mb["market_data-0"] = BOUND_MB + 1
        world.run(250)
        world.memory_mb["market_data-0"] = 130
        world.run(3_000)
    assert world.state_of("market_data-0") is ActorState.HALTED
    assert (AlertCode.RESTART_INTENSITY, "market_data-0") in codes(world)


def test_a_bound_of_an_actor_goes_before_its_roles_and_that_before_everybodys() -> None:
    settings = SupervisionSettings(memory_mb_max=900, memory_mb_max_of={"strategy": 500, "strategy-1": 300})
    bounds = {
        name: settings.memory_bytes_max(name, role) // 1_000_000
        for name, role in (("strategy-0", "strategy"), ("strategy-1", "strategy"), ("inventory", "inventory"))
    }
    assert bounds == {"strategy-0": 500, "strategy-1": 300, "inventory": 900}


def test_the_simulated_venue_is_told_of_but_never_restarted() -> None:
    world = SupervisedWorld(system_plan(with_exchange=True))
    world.memory_mb["exchange"] = 2 * BOUND_MB
    world.run(2_000)
    assert codes(world) == [(AlertCode.MEMORY_HIGH, "exchange")]
    assert "stop exchange" not in world.history


def test_a_supervisor_above_its_bound_ends_itself_after_it_has_said_so() -> None:
    world = memory_world()
    world.memory_mb["supervisor"] = BOUND_MB + 1
    world.run(250)
    assert "end self" in world.history
    assert (AlertCode.MEMORY_EXCEEDED, "supervisor") in codes(world)


def test_nobody_is_restarted_for_memory_during_a_shutdown() -> None:
    world = memory_world()
    world.drains = False
    world.ask(Shutdown())
    world.memory_mb["order_manager-0"] = BOUND_MB + 1
    world.run(1_000)
    assert (AlertCode.MEMORY_EXCEEDED, "order_manager-0") not in codes(world)


def test_what_the_agent_of_another_node_says_of_a_name_is_not_believed() -> None:
    world = memory_world()
    world.give(NodeBeaten(node="elsewhere", stop_file=False, memory_bytes={"strategy-0": 5_000_000_000}))
    assert world.alerts == []
