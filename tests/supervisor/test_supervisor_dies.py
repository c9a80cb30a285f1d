"""The supervisor's own death: its children go on, and its successor goes on from what it finds."""

from __future__ import annotations

from supervised_world import Process, SupervisedWorld

from actors.supervisor.commands import Desired, NodeBeaten, desired_of
from protocols.messages.alerts import AlertCode
from protocols.messages.control import ActorState, Drain, EmergencyStop, EpochAnnounced, Shutdown, StopActor


def successor(world: SupervisedWorld, later_ms: int = 700) -> SupervisedWorld:
    """The next incarnation, with the same processes and what is on file."""
    desired = desired_of("run", world.desired)
    now_ns = world.now_ns + later_ms * 1_000_000
    return SupervisedWorld(world.plan, desired, world.processes, world.settings, world.epoch + 1, now_ns)


def test_living_children_are_adopted_and_none_is_restarted() -> None:
    first = SupervisedWorld()
    before = {name: (process.pid, process.epoch) for name, process in first.processes.items()}
    second = successor(first)
    second.run(1_000)
    assert second.starts() == []
    assert {name: (process.pid, process.epoch) for name, process in second.processes.items()} == before
    assert {name: second.state_of(name) for name in before} == dict.fromkeys(before, ActorState.RUNNING)


def test_a_child_that_died_meanwhile_is_restarted_alone() -> None:
    first = SupervisedWorld()
    del first.processes["order_manager-0"]
    second = successor(first)
    assert second.starts() == ["order_manager-0"]
    assert second.processes["order_manager-0"].epoch > first.epoch


def test_the_death_of_a_supervisor_is_told_by_its_successor() -> None:
    first = SupervisedWorld()
    assert first.alerts == []
    second = successor(first)
    assert [(alert.code, alert.subject, alert.text) for alert in second.alerts] == [
        (
            AlertCode.ACTOR_DIED,
            "supervisor",
            "the supervisor before this one ended; its successor goes on under epoch 17",
        )
    ]


def test_what_died_while_nobody_watched_is_told_before_it_is_told_restarted() -> None:
    first = SupervisedWorld()
    del first.processes["order_manager-0"]
    second = successor(first)
    assert [(alert.code, alert.subject) for alert in second.alerts] == [
        (AlertCode.ACTOR_DIED, "supervisor"),
        (AlertCode.ACTOR_DIED, "order_manager-0"),
        (AlertCode.ACTOR_RESTARTED, "order_manager-0"),
    ]


def test_restarts_are_counted_over_incarnations() -> None:
    first = SupervisedWorld()
    first.die("strategy-0")
    second = successor(first)
    second.die("strategy-0")
    counts = {actor.name: actor.restarts for actor in second.core.status().actors}
    assert counts["strategy-0"] == 2
    assert counts["supervisor"] == 1
    assert counts["alerting"] == 0


def test_a_process_that_never_came_to_life_is_ended_and_started_anew() -> None:
    first = SupervisedWorld()
    first.processes["strategy-0"].started = False
    second = successor(first)
    assert second.history.index("kill strategy-0") < second.history.index("start strategy-0")
    assert second.processes["strategy-0"].started


def test_a_child_that_hangs_is_adopted_and_then_killed() -> None:
    first = SupervisedWorld()
    first.processes["market_data-0"].hung = True
    second = successor(first)
    assert second.starts() == []
    second.run(2_000)
    assert second.starts() == ["market_data-0"]


def test_adopted_children_are_told_the_epochs_again() -> None:
    second = successor(SupervisedWorld())
    announced = {message.name for message in second.told("risk_monitor", EpochAnnounced)}
    assert announced == {"alerting", "inventory", "order_manager-0", "market_data-0", "strategy-0"}


def test_an_actor_that_a_person_stopped_stays_stopped() -> None:
    first = SupervisedWorld()
    first.ask(StopActor(name="strategy"))
    second = successor(first)
    second.run(2_000)
    assert second.starts() == []
    assert second.state_of("strategy-0") is ActorState.STOPPED


def test_a_shutdown_goes_on_where_it_was() -> None:
    first = SupervisedWorld()
    first.drains = False
    first.ask(Shutdown())
    assert set(first.processes) == {"alerting", "inventory", "risk_monitor", "order_manager-0"}
    second = successor(first)
    second.run(500)
    assert second.told("order_manager-0", Drain) if "order_manager-0" in second.processes else True
    second.run(1_000)
    assert second.processes == {}
    assert second.starts() == []


def test_an_emergency_stop_outlives_its_supervisor() -> None:
    first = SupervisedWorld()
    first.ask(EmergencyStop(reason="told to"))
    second = successor(first)
    assert second.stop_file == "told to"
    assert second.core.status().stopped
    assert second.told("order_manager-0", EmergencyStop)[-1] == EmergencyStop(reason="told to")


def test_a_start_that_was_interrupted_goes_on_in_order() -> None:
    processes = {"alerting": Process(pid=5, epoch=3)}
    world = SupervisedWorld(desired=Desired(system="run"), processes=processes)
    assert world.starts() == ["inventory", "risk_monitor", "order_manager-0", "market_data-0", "strategy-0"]


def test_of_an_earlier_run_only_the_emergency_stop_still_holds() -> None:
    kept = Desired(
        system="yesterday",
        booted=True,
        shutting_down=True,
        stopped=True,
        stop_reason="told to",
        halted_shards={0: "too many deaths"},
        unwanted=("strategy-0",),
        epochs={"alerting": 3},
        incarnations=4,
    )
    assert desired_of("today", kept) == Desired(system="today", stopped=True, stop_reason="told to")
    assert desired_of("yesterday", kept) == kept
    assert desired_of("today", None) == Desired(system="today")


def test_a_supervisor_that_hung_is_told_of_once_by_its_successor() -> None:
    world = SupervisedWorld()
    for _ in range(3):
        world.give(NodeBeaten(node="", stop_file=False, predecessor_hung=True))
    assert [(alert.code, alert.subject) for alert in world.alerts] == [(AlertCode.ACTOR_HUNG, "supervisor")]
