"""Who hangs is killed; when nobody answers it is the node."""

from __future__ import annotations

from supervised_world import SupervisedWorld, system_plan

from actors.supervisor import commands as c
from actors.supervisor.core import TICK
from protocols.effects import TimerFired
from protocols.messages.alerts import AlertCode
from protocols.messages.control import ActorState, PullQuotes


def test_a_child_that_hangs_is_killed_and_restarted() -> None:
    world = SupervisedWorld()
    world.processes["order_manager-0"].hung = True
    world.run(1_500)
    assert world.history.count("kill order_manager-0") == 1
    assert world.processes["order_manager-0"].epoch == 17
    assert world.alert_codes() == [AlertCode.ACTOR_HUNG, AlertCode.ACTOR_RESTARTED]


def test_one_missed_probe_is_forgiven() -> None:
    world = SupervisedWorld()
    missed = False

    def miss_once(request: c.SupervisorRequest) -> bool:
        nonlocal missed
        if isinstance(request, c.ProbeChild) and request.name == "strategy-0" and not missed:
            missed = True
            world._queue.append(c.ChildProbed(name=request.name, epoch=request.epoch, vitals=None))
            return True
        return False

    world.hook = miss_once
    world.run(2_000)
    assert missed
    assert "kill strategy-0" not in world.history
    assert world.state_of("strategy-0") is ActorState.RUNNING


def test_hangs_count_as_deaths_for_the_intensity_of_restarts() -> None:
    world = SupervisedWorld()
    for _ in range(6):
        world.run(2_500)
        world.processes["market_data-0"].hung = True
    world.run(2_500)
    assert world.state_of("market_data-0") is ActorState.HALTED


def test_when_no_child_of_the_node_answers_nobody_is_killed() -> None:
    world = SupervisedWorld()
    world.requests.clear()
    for process in world.processes.values():
        process.hung = True
    world.run(5_000)
    assert not any(line.startswith("kill") for line in world.history)
    assert world.alert_codes() == [AlertCode.ACTOR_HUNG]
    assert world.core.snapshot().starved
    pulled = [request for request in world.requests if isinstance(request, c.TellChild)]
    text = "the node is starved: no child of this node shows a sign of life"
    assert {(request.name, request.message) for request in pulled} == {
        ("order_manager-0", PullQuotes(reason=text, hold_ms=3_000))
    }


def test_quotes_are_pulled_again_while_the_node_starves_but_not_more_than_once_a_second() -> None:
    world = SupervisedWorld()
    world.run(1_000)
    for process in world.processes.values():
        process.hung = True
    world.requests.clear()
    world.run(10_000)
    told = [request.message for request in world.requests if isinstance(request, c.TellChild)]
    assert 5 <= len(told) <= 10
    assert all(isinstance(message, PullQuotes) for message in told)


def test_a_starved_node_that_recovers_is_supervised_again() -> None:
    world = SupervisedWorld()
    for process in world.processes.values():
        process.hung = True
    world.run(1_000)
    for process in world.processes.values():
        process.hung = False
    world.run(1_000)
    assert not world.core.snapshot().starved
    world.processes["strategy-0"].hung = True
    world.run(2_000)
    assert world.starts()[-1] == "strategy-0"


def test_a_supervisor_that_was_late_itself_kills_nobody_for_it() -> None:
    world = SupervisedWorld()
    world.run(1_000)
    world.now_ns += 3_000_000_000
    world.give(TimerFired(name=TICK))
    assert world.core.snapshot().starved or world.alert_codes() == [AlertCode.ACTOR_HUNG]
    assert len(world.told("order_manager-0", PullQuotes)) == 1
    assert not any(line.startswith("kill") for line in world.history)


def test_a_child_has_one_probe_and_one_reading_under_way_at_most() -> None:
    world = SupervisedWorld()
    world.hook = lambda request: isinstance(request, c.ProbeChild | c.ReadChild)
    world.requests.clear()
    world.run(5_000)
    asked = [
        (type(request), request.name) for request in world.requests if isinstance(request, c.ProbeChild | c.ReadChild)
    ]
    assert len(asked) == len(set(asked)) == 12


def test_the_agent_is_told_of_every_child_with_each_beat() -> None:
    world = SupervisedWorld()
    world.requests.clear()
    world.run(250)
    beats = [request for request in world.requests if isinstance(request, c.Beat)]
    assert [beat.pids for beat in beats] == [{name: process.pid for name, process in world.processes.items()}]


def test_snapshots_are_collected_for_the_one_view() -> None:
    world = SupervisedWorld()
    world.run(600)
    assert {actor.name: actor.snapshot for actor in world.core.status().actors}["inventory"] == {"position": 3}


def test_a_dead_child_shows_no_snapshot_of_its_last_life() -> None:
    world = SupervisedWorld()
    world.run(600)
    world.hook = lambda request: isinstance(request, c.StartChild)
    world.die("inventory")
    shown = {actor.name: actor for actor in world.core.status().actors}["inventory"]
    assert (shown.snapshot, shown.vitals, shown.pid, shown.state) == ({}, None, 0, ActorState.STARTING)


def test_a_child_that_waits_for_a_processor_while_others_answer_is_not_killed() -> None:
    world = SupervisedWorld()
    world.processes["risk_monitor"].hung = True
    world.starved.add("risk_monitor")
    world.run(4_000)
    assert "kill risk_monitor" not in world.history
    assert [(alert.code, alert.subject) for alert in world.alerts] == [(AlertCode.ACTOR_HUNG, "risk_monitor")]
    assert "not killed" in world.alerts[0].text
    world.processes["risk_monitor"].hung = False
    world.run(1_000)
    assert world.state_of("risk_monitor") is ActorState.RUNNING


def test_one_that_starves_on_and_on_is_replaced_all_the_same() -> None:
    world = SupervisedWorld()
    world.processes["risk_monitor"].hung = True
    world.starved.add("risk_monitor")
    world.run(8_000)
    assert world.history.count("kill risk_monitor") == 1


def test_one_that_hangs_beside_a_starved_one_is_killed_as_soon_as_ever() -> None:
    world = SupervisedWorld()
    for name in ("risk_monitor", "strategy-0"):
        world.processes[name].hung = True
    world.starved.add("risk_monitor")
    world.run(1_500)
    assert "kill strategy-0" in world.history
    assert "kill risk_monitor" not in world.history


def test_what_nothing_could_replace_is_not_killed_however_long_it_hangs() -> None:
    world = SupervisedWorld(system_plan(with_exchange=True))
    world.processes["exchange"].hung = True
    world.run(20_000)
    assert "kill exchange" not in world.history
    assert [(alert.code, alert.subject) for alert in world.alerts] == [(AlertCode.ACTOR_HUNG, "exchange")]
    world.processes["exchange"].hung = False
    world.run(1_000)
    assert world.state_of("exchange") is ActorState.RUNNING
