"""A cluster in the supervisor's eyes: where shards stand, what becomes of a lost node, and a stop on every node."""

from __future__ import annotations

import msgspec
import pytest
from supervised_world import SupervisedWorld, system_plan

from actors.supervisor import commands as c
from actors.supervisor.commands import Desired, desired_of
from protocols.messages.alerts import AlertCode
from protocols.messages.control import (
    ActorState,
    Answer,
    EmergencyStop,
    EpochAnnounced,
    NodePlan,
    PullQuotes,
    Resume,
    Shutdown,
    SystemPlan,
)

SHARD_0 = ("order_manager-0", "market_data-0", "strategy-0")
HOME = NodePlan(name="home", host="10.0.0.1")
LEFT = NodePlan(name="left", host="10.0.0.2", shards=(0,))
RIGHT = NodePlan(name="right", host="10.0.0.3")


def cluster_plan(*nodes: NodePlan, shards: int = 1) -> SystemPlan:
    plan = system_plan(shards)
    peers = {"alerting": "", "inventory": "", "risk_monitor": "", "supervisor": ""}
    children = tuple(
        msgspec.structs.replace(
            child, links_port=7_000 + index, spec=msgspec.structs.replace(child.spec, peers=peers, node=nodes[0].name)
        )
        for index, child in enumerate(plan.children)
    )
    return msgspec.structs.replace(plan, children=children, nodes=nodes)


def world_of(*nodes: NodePlan, shards: int = 1) -> SupervisedWorld:
    world = SupervisedWorld(cluster_plan(*nodes, shards=shards))
    world.run(1_000)
    return world


def nodes_of(world: SupervisedWorld, names: tuple[str, ...]) -> set[str]:
    return {world.specs[name].node for name in names}


def lose(world: SupervisedWorld, node: str, *, processes_die: bool = True) -> None:
    assert world.alive is not None
    world.alive.discard(node)
    if processes_die:
        for name in [name for name in world.processes if world.specs[name].node == node]:
            world.die(name)


def test_a_shard_stands_side_by_side_on_the_node_that_asks_for_it_and_the_rest_at_home() -> None:
    world = world_of(HOME, LEFT, RIGHT)
    assert nodes_of(world, SHARD_0) == {"left"}
    assert nodes_of(world, ("alerting", "inventory", "risk_monitor")) == {"home"}
    assert world.desired.assigned == {0: "left"}


def test_shards_that_nobody_asks_for_are_spread() -> None:
    world = world_of(
        msgspec.structs.replace(HOME, trades=False), NodePlan(name="left", host="10.0.0.2"), RIGHT, shards=2
    )
    assert set(world.desired.assigned.values()) == {"left", "right"}


def test_node_mates_read_each_other_by_socket_and_others_by_port() -> None:
    world = world_of(HOME, LEFT)
    manager = world.specs["order_manager-0"]
    assert (manager.address, manager.tcp_address) == ("local:order_manager-0", "tcp:10.0.0.2:7003")
    assert manager.peers["inventory"] == "tcp:10.0.0.1:7001"
    assert world.specs["alerting"].peers["supervisor"] == "local:supervisor"


def test_an_actor_on_another_node_does_not_take_the_supervisors_clock_for_its_own() -> None:
    world = world_of(HOME, LEFT)
    assert world.specs["order_manager-0"].started_ns == 0
    assert world.specs["inventory"].started_ns > 0


def test_nothing_starts_before_its_node_is_there() -> None:
    world = SupervisedWorld(cluster_plan(HOME, LEFT))
    assert world.starts() == []
    world.run(250)
    assert len(world.starts()) == 6


def test_a_shard_whose_node_is_lost_is_started_on_another_one() -> None:
    world = world_of(HOME, LEFT, RIGHT)
    lose(world, "left")
    world.run(1_000)
    assert nodes_of(world, SHARD_0) == {"right"}
    assert AlertCode.NODE_LOST in world.alert_codes()
    told = world.told("inventory", EpochAnnounced)
    newest = next(message for message in reversed(told) if message.name == "order_manager-0")
    assert newest.address == "tcp:10.0.0.3:7003"


def test_the_journal_that_a_moved_shard_finds_is_behind_when_it_comes_back() -> None:
    world = world_of(msgspec.structs.replace(HOME, trades=False), LEFT, RIGHT)
    assert not world.specs["order_manager-0"].journal_is_behind
    lose(world, "left")
    world.run(1_000)
    assert world.specs["order_manager-0"].journal_is_behind
    world.die("order_manager-0")
    world.run(1_000)
    assert (world.specs["order_manager-0"].node, world.specs["order_manager-0"].journal_is_behind) == ("right", False)
    assert world.alive is not None
    world.alive.add("left")
    lose(world, "right")
    world.run(1_000)
    assert (world.specs["order_manager-0"].node, world.specs["order_manager-0"].journal_is_behind) == ("left", True)


def test_a_later_run_still_knows_where_the_journals_are() -> None:
    kept = Desired(system="yesterday", assigned={0: "left"}, journal_nodes={0: "left"}, epochs={"order_manager-0": 7})
    assert desired_of("today", kept) == Desired(system="today", assigned={0: "left"}, journal_nodes={0: "left"})


def test_a_shard_waits_when_there_is_no_other_node_for_it() -> None:
    world = world_of(msgspec.structs.replace(HOME, trades=False), LEFT)
    lose(world, "left")
    world.run(5_000)
    assert world.state_of("order_manager-0") is ActorState.DEAD
    assert world.alive is not None
    world.alive.add("left")
    world.run(1_000)
    assert world.state_of("order_manager-0") is ActorState.RUNNING
    assert not world.specs["order_manager-0"].journal_is_behind


def test_processes_of_a_frozen_node_are_left_to_the_fence_and_replaced() -> None:
    """Ray calls the node dead while its actors live: no kill can be verified there, and none is waited for."""
    world = world_of(HOME, LEFT, RIGHT)
    world.requests.clear()
    lose(world, "left", processes_die=False)
    world.run(1_000)
    kills = [request for request in world.requests if isinstance(request, c.KillChild)]
    assert {(kill.name, kill.node, kill.verify) for kill in kills} == {(name, "left", False) for name in SHARD_0}
    assert nodes_of(world, SHARD_0) == {"right"}


def test_a_kill_that_nobody_can_verify_any_more_is_not_waited_for() -> None:
    """The processes of a dying node are noticed before the node is: their agent does not answer either."""
    world = world_of(HOME, LEFT, RIGHT)
    world.hook = lambda request: isinstance(request, c.KillChild) and request.verify
    for name in SHARD_0:
        world.die(name)
    world.run(500)
    assert world.state_of("order_manager-0") is ActorState.DEAD
    lose(world, "left")
    world.run(500)
    assert nodes_of(world, SHARD_0) == {"right"}


def test_a_node_that_is_lost_while_an_actor_is_being_started_there_does_not_hold_it_up() -> None:
    world = world_of(HOME, LEFT, RIGHT)
    world.hook = lambda request: isinstance(request, c.StartChild) and request.child.spec.node == "left"
    world.die("strategy-0")
    world.run(500)
    world.hook = lambda request: False
    lose(world, "left")
    world.run(1_500)
    assert nodes_of(world, SHARD_0) == {"right"}


def test_when_a_whole_node_is_silent_nobody_there_is_killed_and_only_its_quotes_are_pulled() -> None:
    world = world_of(HOME, LEFT, shards=2)
    world.alerts.clear()
    world.requests.clear()
    for name in SHARD_0:
        world.processes[name].hung = True
    world.run(3_000)
    assert not any(line.startswith("kill") for line in world.history)
    assert [(alert.code, alert.subject) for alert in world.alerts] == [(AlertCode.ACTOR_HUNG, "node left")]
    told = {r.name for r in world.requests if isinstance(r, c.TellChild) and isinstance(r.message, PullQuotes)}
    assert told == {"order_manager-0"}


def test_a_silent_head_is_told_and_ends_nobody() -> None:
    world = world_of(HOME, LEFT)
    world.alive = None
    world.run(5_000)
    assert world.alert_codes()[-1:] == [AlertCode.HEAD_LOST]
    assert not any(line.startswith("kill") for line in world.history)
    world.alive = {"home", "left"}
    world.run(500)
    assert world.alert_codes()[-1:] == [AlertCode.NODE_JOINED]


def test_the_time_in_which_the_first_question_hung_counts_as_silence() -> None:
    world = world_of(HOME, LEFT)
    world.alive = None
    world.run(2_600)
    assert world.alert_codes()[-1:] == [AlertCode.HEAD_LOST]


def test_a_head_that_answers_the_second_question_is_not_told() -> None:
    world = world_of(HOME, LEFT)
    world.alerts.clear()
    world.alive = None
    world.run(1_100)
    world.alive = {"home", "left"}
    world.run(5_000)
    assert world.alerts == []


def test_an_emergency_stop_is_written_on_every_node() -> None:
    world = world_of(HOME, LEFT, RIGHT)
    world.ask(EmergencyStop(reason="a person"))
    assert world.stop_files == {"left", "right"}
    assert world.stop_file == "a person"


def test_a_node_that_comes_late_gets_the_stop_file_too() -> None:
    world = world_of(HOME, LEFT, RIGHT)
    lose(world, "right")
    world.run(500)
    world.ask(EmergencyStop(reason="a person"))
    assert world.stop_files == {"left"}
    assert world.alive is not None
    world.alive.add("right")
    world.run(750)
    assert world.stop_files == {"left", "right"}


def test_a_stop_file_that_somebody_writes_on_one_node_stops_all() -> None:
    world = world_of(HOME, LEFT, RIGHT)
    world.stop_files.add("right")
    world.run(500)
    assert world.desired.stopped
    assert world.stop_files == {"left", "right"}
    assert world.told("order_manager-0", EmergencyStop)


def test_a_resume_reaches_an_actor_only_after_the_stop_file_of_its_node_is_gone() -> None:
    world = world_of(HOME, LEFT)
    world.ask(EmergencyStop(reason="a person"))
    world.history.clear()
    world.ask(Resume(reason="it is over"), ask_id=2)
    steps = [line for line in world.history if line.startswith("lift") or line == "tell order_manager-0 Resume"]
    assert steps == ["lift left", "tell order_manager-0 Resume"]
    assert world.answers[2] == Answer(done=True, confirmed=True, text="resumed")
    world.run(1_000)
    assert not world.desired.stopped


def test_a_node_that_was_away_at_the_resume_loses_its_stop_file_when_it_is_back() -> None:
    world = world_of(HOME, LEFT, RIGHT)
    world.ask(EmergencyStop(reason="a person"))
    lose(world, "right")
    world.run(500)
    world.ask(Resume(reason="it is over"), ask_id=2)
    assert world.stop_files == {"right"}
    assert world.alive is not None
    world.alive.add("right")
    world.run(750)
    assert world.stop_files == set()
    assert not world.desired.stopped


@pytest.mark.parametrize("name", ["order_manager-0", "inventory"])
def test_a_supervisor_that_comes_back_finds_shards_where_they_are(name: str) -> None:
    world = world_of(HOME, LEFT, RIGHT)
    lose(world, "left")
    world.run(1_000)
    later = SupervisedWorld(world.plan, world.desired, world.processes, epoch=world.epoch + 1)
    later.specs.update(world.specs)
    later.alive = {"home", "right", "left"}
    later.run(1_000)
    later.die(name)
    later.run(1_000)
    assert later.specs[name].node == world.specs[name].node


def test_a_shutdown_asks_nothing_of_a_head_that_is_away() -> None:
    world = world_of(HOME, LEFT)
    world.alive = None
    world.run(3_000)
    world.requests.clear()
    world.ask(Shutdown(), ask_id=9)
    world.run(5_000)
    ends = [request for request in world.requests if isinstance(request, c.StopChild | c.KillChild)]
    assert {request.name for request in ends} == set(world.core.snapshot().phases)
    assert not any(request.frees_name for request in ends)
    assert world.answers[9] == Answer(done=True, confirmed=True, text="everything is stopped, no order is left")


def test_a_child_that_is_replaced_has_its_name_freed_first() -> None:
    world = world_of(HOME, LEFT)
    world.requests.clear()
    world.die("inventory")
    ends = [request for request in world.requests if isinstance(request, c.StopChild | c.KillChild)]
    assert [request.frees_name for request in ends] == [True]
