"""How children come to life, die, and come back."""

from __future__ import annotations

import pytest
from supervised_world import Process, SupervisedWorld, system_plan

from actors.supervisor import commands as c
from protocols.messages.alerts import AlertCode
from protocols.messages.control import ActorState, EpochAnnounced, ShardHalted

ORDER = ["alerting", "inventory", "risk_monitor", "order_manager-0", "market_data-0", "strategy-0"]


def test_children_start_in_the_order_of_the_plan() -> None:
    world = SupervisedWorld()
    assert world.starts() == ORDER
    assert world.desired.booted


def test_a_level_waits_until_the_one_before_is_up() -> None:
    held: list[c.SupervisorRequest] = []

    def hold_inventory(request: c.SupervisorRequest) -> bool:
        if isinstance(request, c.StartChild) and request.child.spec.name == "inventory":
            held.append(request)
            return True
        return False

    world = SupervisedWorld(hook=hold_inventory)
    world.run(1_000)
    assert world.starts() == ["alerting"]
    assert len(held) == 1


def test_a_child_that_cannot_start_does_not_hold_up_the_others() -> None:
    world = SupervisedWorld(failing=frozenset({"alerting"}))
    assert [name for name in world.starts() if name != "alerting"] == ORDER[1:]


def test_every_start_has_an_epoch_of_its_own_above_the_floor_of_the_plan() -> None:
    world = SupervisedWorld(epoch=0)
    epochs = [world.processes[name].epoch for name in ORDER]
    assert epochs == [11, 12, 13, 14, 15, 16]


def test_the_wish_and_the_epoch_are_on_file_before_a_child_starts() -> None:
    world = SupervisedWorld()
    for index, line in enumerate(world.history):
        if line.startswith("start "):
            assert "desired" in world.history[:index]
    assert world.desired.epochs == {name: world.processes[name].epoch for name in ORDER}


def test_a_new_epoch_is_told_to_the_risk_monitor_before_the_actor_starts() -> None:
    world = SupervisedWorld()
    start = world.history.index("start order_manager-0")
    assert "tell risk_monitor EpochAnnounced of order_manager-0" in world.history[:start]


def test_readers_of_an_actor_learn_its_new_epoch_before_it_restarts() -> None:
    world = SupervisedWorld()
    world.die("market_data-0")
    start = len(world.history) - 1 - world.history[::-1].index("start market_data-0")
    before = world.history[world.history.index("kill market_data-0") : start]
    readers = {line.split()[1] for line in before if line.endswith("EpochAnnounced of market_data-0")}
    assert readers == {"strategy-0", "order_manager-0", "risk_monitor", "inventory", "alerting"}


def test_an_announcement_that_was_missed_is_repeated_and_does_not_hold_up_the_restart() -> None:
    world = SupervisedWorld()
    world.deaf = {"risk_monitor"}
    world.die("order_manager-0")
    assert "order_manager-0" not in world.processes
    world.run(1_300)
    assert world.processes["order_manager-0"].epoch == 17
    world.deaf = set()
    world.run(300)
    known = [
        message.epoch for message in world.told("risk_monitor", EpochAnnounced) if message.name == "order_manager-0"
    ]
    assert known[-1] == 17


def test_a_killed_child_comes_back_under_a_greater_epoch_and_nobody_else_is_touched() -> None:
    world = SupervisedWorld()
    before = {name: process.pid for name, process in world.processes.items()}
    world.die("order_manager-0")
    assert world.starts() == [*ORDER, "order_manager-0"]
    assert world.processes["order_manager-0"].epoch == 17
    assert {name for name in before if world.processes[name].pid != before[name]} == {"order_manager-0"}
    assert world.alert_codes() == [AlertCode.ACTOR_DIED, AlertCode.ACTOR_RESTARTED]


def test_a_restart_waits_until_the_old_process_is_verified_gone() -> None:
    world = SupervisedWorld()
    world.unkillable = {"strategy-0"}
    process = world.processes["strategy-0"]
    attempts = 0

    def give_in_after_three(request: c.SupervisorRequest) -> bool:
        nonlocal attempts
        if isinstance(request, c.KillChild):
            attempts += 1
            if attempts == 3:
                world.unkillable = set()
        return False

    world.hook = give_in_after_three
    world.give(c.ChildDied(name="strategy-0", epoch=process.epoch, text="lost"))
    assert (attempts, world.starts().count("strategy-0")) == (1, 1)
    world.run(600)
    assert attempts == 3
    assert world.processes["strategy-0"].epoch == 17


def test_news_of_an_older_incarnation_changes_nothing() -> None:
    world = SupervisedWorld()
    old = world.processes["strategy-0"].epoch
    world.die("strategy-0")
    started = world.starts()
    world.give(c.ChildDied(name="strategy-0", epoch=old, text="late news"))
    world.give(c.ChildProbed(name="strategy-0", epoch=old, vitals=None))
    world.give(c.ChildStarted(name="strategy-0", epoch=old, pid=7))
    world.give(c.ChildFailed(name="strategy-0", epoch=old, text="late"))
    assert world.starts() == started
    assert world.state_of("strategy-0") is ActorState.STARTING or world.processes["strategy-0"].epoch == 17


def test_repeated_deaths_are_answered_ever_later() -> None:
    world = SupervisedWorld()
    world.die("strategy-0")
    world.die("strategy-0")
    assert "strategy-0" not in world.processes
    world.run(250)
    assert "strategy-0" in world.processes


def die_often(world: SupervisedWorld, name: str, times: int, gap_ms: int = 2_000) -> None:
    for _ in range(times):
        world.run(gap_ms)
        world.die(name)
    world.run(gap_ms)


def test_five_deaths_in_thirty_seconds_are_survived() -> None:
    world = SupervisedWorld()
    die_often(world, "market_data-0", 5)
    assert world.state_of("market_data-0") is ActorState.RUNNING
    assert world.desired.halted_shards == {}


def test_deaths_that_leave_the_window_are_forgotten() -> None:
    world = SupervisedWorld()
    die_often(world, "market_data-0", 9, gap_ms=7_000)
    assert world.state_of("market_data-0") is ActorState.RUNNING


def test_the_sixth_death_in_the_window_halts_that_shard_and_no_other() -> None:
    world = SupervisedWorld(system_plan(shards=2))
    die_often(world, "market_data-1", 6)
    assert set(world.desired.halted_shards) == {1}
    assert world.state_of("market_data-1") is ActorState.HALTED
    reason = world.desired.halted_shards[1]
    assert world.told("order_manager-1", ShardHalted) == [ShardHalted(shard=1, reason=reason)]
    assert world.told("risk_monitor", ShardHalted) == [ShardHalted(shard=1, reason=reason)]
    assert world.told("order_manager-0", ShardHalted) == []
    assert AlertCode.RESTART_INTENSITY in world.alert_codes()
    assert not any(line.startswith("clear") for line in world.history)


def test_orders_of_a_shard_whose_order_manager_is_given_up_are_cleared_without_it() -> None:
    world = SupervisedWorld(system_plan(shards=2))
    die_often(world, "order_manager-1", 6)
    assert "clear ETHUSDC" in world.history
    assert set(world.desired.halted_shards) == {1}


def test_a_start_that_keeps_failing_is_given_up_with_its_reason() -> None:
    world = SupervisedWorld()
    world.failing = {"order_manager-0"}
    world.die("order_manager-0")
    world.run(10_000)
    assert world.state_of("order_manager-0") is ActorState.HALTED
    assert "no key" in world.desired.halted_shards[0]


def test_without_the_risk_monitor_every_shard_halts() -> None:
    world = SupervisedWorld(system_plan(shards=2))
    die_often(world, "risk_monitor", 6)
    assert set(world.desired.halted_shards) == {0, 1}


def test_alerting_is_never_given_up_for_good_and_halts_nothing() -> None:
    world = SupervisedWorld()
    die_often(world, "alerting", 6)
    assert world.desired.halted_shards == {}
    assert world.state_of("alerting") is ActorState.HALTED
    world.run(30_000)
    assert world.state_of("alerting") is ActorState.RUNNING


def test_a_restarted_actor_of_a_halted_shard_is_told_so() -> None:
    world = SupervisedWorld()
    die_often(world, "market_data-0", 6)
    world.die("order_manager-0")
    world.run(500)
    assert [message.shard for message in world.told("order_manager-0", ShardHalted)] == [0]


def test_the_simulated_venue_is_not_replaced_when_it_dies() -> None:
    world = SupervisedWorld(system_plan(with_exchange=True))
    assert world.starts()[0] == "exchange"
    world.die("exchange")
    world.run(5_000)
    assert world.starts().count("exchange") == 1
    assert world.state_of("exchange") is ActorState.DEAD
    assert AlertCode.ACTOR_DIED in world.alert_codes()


def test_without_an_epoch_nothing_starts_and_it_is_asked_for_again() -> None:
    world = SupervisedWorld()
    world.epochs_refused = 2
    world.die("strategy-0")
    world.run(900)
    assert "strategy-0" not in world.processes
    assert world.alert_codes().count(AlertCode.RECOVERY_FAILED) == 1
    world.run(3_000)
    assert world.processes["strategy-0"].epoch == 17


@pytest.mark.parametrize("name", ORDER)
def test_whoever_is_killed_is_running_again_within_a_second(name: str) -> None:
    world = SupervisedWorld()
    world.die(name)
    world.run(1_000)
    assert world.state_of(name) is ActorState.RUNNING


def test_a_found_process_of_an_unknown_name_is_left_alone() -> None:
    world = SupervisedWorld(processes={"alerting": Process(pid=7, epoch=3)})
    world.give(c.ChildrenFound(found=(c.FoundChild(name="stranger", pid=9, epoch=1, answered=True, started=True),)))
    assert world.starts() == ORDER[1:]
