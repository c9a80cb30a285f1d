"""Emergency stop, resume, shutdown, and starting and stopping single actors."""

from __future__ import annotations

from supervised_world import SupervisedWorld, system_plan

from actors.supervisor import commands as c
from actors.supervisor.answers import PENDING_MAX
from protocols.messages.alerts import AlertCode
from protocols.messages.control import (
    ActorState,
    Answer,
    Drain,
    EmergencyStop,
    GetStatus,
    HoldLevel,
    Reconcile,
    RestartActor,
    Resume,
    ShardHalted,
    Shutdown,
    StartActor,
    StopActor,
    StopFileSeen,
    SystemStatus,
)
from protocols.messages.risk import RiskLevel

STOP = EmergencyStop(reason="told to")


def test_an_emergency_stop_is_on_the_disk_before_anybody_is_told() -> None:
    world = SupervisedWorld()
    world.history.clear()
    answer = world.ask(STOP)
    assert world.history[:2] == ["stop file present", "desired"]
    assert all(world.told(name, EmergencyStop) == [STOP] for name in world.processes)
    assert answer == Answer(done=True, confirmed=True, text="no further order leaves")
    assert world.alert_codes() == [AlertCode.EMERGENCY_STOP]


def test_an_emergency_stop_is_not_confirmed_while_a_child_has_not_heard_it() -> None:
    world = SupervisedWorld()
    deaf_once(world, "order_manager-0")
    world.run(2_500)
    assert world.answers[1] == Answer(
        done=True, confirmed=False, text="told: not seen in time; no confirmation from order_manager-0"
    )


def deaf_once(world: SupervisedWorld, name: str) -> None:
    """The child takes no message; the outcome of the telling stays out."""
    world.hook = lambda request: isinstance(request, c.TellChild) and request.name == name
    world.ask(STOP)


def test_a_child_that_missed_the_stop_hears_it_again() -> None:
    world = SupervisedWorld()
    misses = 2

    def miss(request: c.SupervisorRequest) -> bool:
        nonlocal misses
        if isinstance(request, c.TellChild) and request.name == "order_manager-0" and misses:
            misses -= 1
            missed = c.ChildTold(name=request.name, epoch=request.epoch, message=request.message, reached=False)
            world._queue.append(missed)
            return True
        return False

    world.hook = miss
    assert world.ask(STOP) is None
    world.run(600)
    assert world.answers[1] == Answer(done=True, confirmed=True, text="no further order leaves")
    assert world.told("order_manager-0", EmergencyStop) == [STOP]


def test_a_child_that_starts_during_a_stop_is_told_of_it() -> None:
    world = SupervisedWorld()
    world.ask(STOP)
    world.die("order_manager-0")
    assert world.told("order_manager-0", EmergencyStop) == [STOP]


def test_a_stop_file_that_somebody_else_wrote_counts() -> None:
    world = SupervisedWorld()
    world.give(StopFileSeen(present=True, text="written by hand"))
    assert world.core.status().stopped
    assert world.told("strategy-0", EmergencyStop) == [EmergencyStop(reason="written by hand")]


def test_a_stop_file_that_vanished_is_written_again() -> None:
    world = SupervisedWorld()
    world.ask(STOP)
    world.stop_file = None
    world.give(StopFileSeen(present=False))
    assert world.stop_file == "told to"


def test_resume_lifts_the_stop_and_every_halt() -> None:
    world = SupervisedWorld()
    world.ask(STOP)
    for _ in range(6):
        world.run(2_000)
        world.die("market_data-0")
    world.run(2_000)
    assert world.desired.halted_shards
    answer = world.ask(Resume(reason="looked at"), ask_id=2)
    assert answer == Answer(done=True, confirmed=True, text="resumed")
    assert world.stop_file is None
    assert (world.desired.stopped, world.desired.halted_shards) == (False, {})
    assert world.told("order_manager-0", Resume) == [Resume(reason="looked at")]
    world.run(500)
    assert world.state_of("market_data-0") is ActorState.RUNNING
    assert world.told("market_data-0", ShardHalted) == []


def test_who_was_away_at_a_resume_hears_of_it_when_it_is_back() -> None:
    world = SupervisedWorld()
    world.ask(STOP)
    world.hook = lambda request: isinstance(request, c.StartChild)
    world.die("risk_monitor")
    world.ask(Resume(reason="looked at"), ask_id=2)
    assert world.desired.resume_owed == ("risk_monitor",)
    world.hook = lambda request: False
    world._do(next(one for one in reversed(world.requests) if isinstance(one, c.StartChild)))
    world._settle()
    assert world.told("risk_monitor", Resume) == [Resume(reason="resumed while it was away")]
    assert world.desired.resume_owed == ()


def test_a_stop_after_a_resume_owes_nobody_the_resume() -> None:
    world = SupervisedWorld()
    world.deaf.add("risk_monitor")
    world.ask(Resume(reason="looked at"))
    assert world.desired.resume_owed == ("risk_monitor",)
    world.ask(STOP, ask_id=2)
    assert world.desired.resume_owed == ()


def test_shutdown_stops_in_reverse_order_and_drains_before_the_order_manager_ends() -> None:
    world = SupervisedWorld(system_plan(with_exchange=True))
    world.history.clear()
    world.ask(Shutdown())
    world.run(1_000)
    shown = [line for line in world.history if line.startswith("stop ") or "Drain" in line]
    assert shown == [
        "stop strategy-0",
        "stop market_data-0",
        "tell order_manager-0 Drain",
        "stop order_manager-0",
        "stop risk_monitor",
        "stop inventory",
        "stop alerting",
        "stop exchange",
    ]
    assert world.answers[1] == Answer(done=True, confirmed=True, text="everything is stopped, no order is left")
    assert world.desired.shutting_down


def test_orders_that_no_order_manager_confirmed_are_cleared_by_the_arm() -> None:
    world = SupervisedWorld(system_plan(shards=2))
    world.drains = False
    world.ask(Shutdown())
    world.run(9_000)
    assert "clear BTCUSDC,ETHUSDC" in world.history
    assert world.answers[1] == Answer(done=True, confirmed=True, text="everything is stopped, no order is left")


def test_a_shutdown_says_when_nobody_confirmed_that_no_order_is_left() -> None:
    world = SupervisedWorld()
    world.drains = world.arm_clears = False
    world.ask(Shutdown())
    world.run(9_000)
    text = "stopped, but order_manager-0 did not confirm that no order is left (the arm ran)"
    assert world.answers[1] == Answer(done=True, confirmed=False, text=text)


def test_a_child_that_dies_during_shutdown_is_not_restarted() -> None:
    world = SupervisedWorld()
    world.drains = False
    world.ask(Shutdown())
    started = world.starts()
    world.die("order_manager-0")
    world.run(2_000)
    assert world.starts() == started
    assert "clear BTCUSDC" in world.history


def test_a_role_is_stopped_until_it_is_started_again() -> None:
    world = SupervisedWorld(system_plan(shards=2))
    answer = world.ask(StopActor(name="strategy"))
    assert answer == Answer(done=True, confirmed=True, text="strategy is stopped")
    assert world.desired.unwanted == ("strategy-0", "strategy-1")
    world.run(5_000)
    assert "strategy-0" not in world.processes
    world.ask(StartActor(name="strategy-0"), ask_id=2)
    world.run(500)
    assert world.answers[2] == Answer(done=True, confirmed=True, text="strategy-0 is running")
    assert (world.state_of("strategy-0"), world.state_of("strategy-1")) == (ActorState.RUNNING, ActorState.STOPPED)
    assert AlertCode.ACTOR_DIED not in world.alert_codes()


def test_stopping_an_order_manager_drains_it_first() -> None:
    world = SupervisedWorld()
    told = world.told("order_manager-0", Drain)
    process = world.processes["order_manager-0"]
    world.ask(StopActor(name="order_manager-0"))
    world.run(500)
    assert told == []
    assert [type(message) for message in process.told][-1] is Drain
    assert world.answers[1] == Answer(done=True, confirmed=True, text="order_manager-0 is stopped")


def test_a_drain_that_takes_too_long_is_cut_off_with_an_alert() -> None:
    world = SupervisedWorld()
    world.drains = False
    world.ask(StopActor(name="order_manager-0"))
    world.run(7_000)
    assert "order_manager-0" in world.processes
    world.run(2_000)
    assert "order_manager-0" not in world.processes
    assert AlertCode.RECOVERY_FAILED in world.alert_codes()


def test_a_restart_gives_a_new_epoch_and_is_answered_when_it_runs() -> None:
    world = SupervisedWorld()
    world.ask(RestartActor(name="inventory"))
    world.run(500)
    assert world.answers[1] == Answer(done=True, confirmed=True, text="inventory is running anew")
    assert world.processes["inventory"].epoch == 17
    assert AlertCode.ACTOR_DIED not in world.alert_codes()


def test_a_child_that_is_stopped_while_it_starts_ends_up_stopped() -> None:
    world = SupervisedWorld()
    held: list[c.StartChild] = []

    def hold(request: c.SupervisorRequest) -> bool:
        if isinstance(request, c.StartChild):
            held.append(request)
            return True
        return False

    world.hook = hold
    world.die("strategy-0")
    world.ask(StopActor(name="strategy-0"))
    world.hook = lambda request: False
    world._do(held[0])
    world._settle()
    assert "strategy-0" not in world.processes
    assert world.answers[1] == Answer(done=True, confirmed=True, text="strategy-0 is stopped")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    world = SupervisedWorld()
    text = (
        "no actor or role is named 'bogus': there are alerting, inventory, market_data-0, order_manager-0, "
        "risk_monitor, strategy-0"
    )
    for ask_id, command in enumerate((StartActor(name="bogus"), StopActor(name="bogus"), RestartActor(name="bogus"))):
        assert world.ask(command, ask_id) == Answer(done=False, confirmed=False, text=text)


def test_waiting_commands_are_bounded() -> None:
    world = SupervisedWorld()
    world.hook = lambda request: isinstance(request, c.TellChild)
    for ask_id in range(PENDING_MAX):
        assert world.ask(STOP, ask_id) is None
    refused = world.ask(STOP, PENDING_MAX)
    assert isinstance(refused, Answer)
    assert not refused.done


def test_status_is_answered_at_once_with_the_supervisor_first() -> None:
    world = SupervisedWorld()
    status = world.ask(GetStatus())
    assert isinstance(status, SystemStatus)
    assert [actor.name for actor in status.actors] == ["supervisor", *(spec.spec.name for spec in world.plan.children)]
    assert (status.stopped, status.stop_reason, status.halted_shards) == (False, "", {})


def test_a_held_level_goes_to_the_risk_monitor_alone() -> None:
    world = SupervisedWorld()
    hold = HoldLevel(subject="account", level=RiskLevel.CAUTION, reason="news")
    assert world.ask(hold) == Answer(done=True, confirmed=True, text="account is at least CAUTION")
    assert world.told("risk_monitor", HoldLevel) == [hold]
    assert not any(world.told(name, HoldLevel) for name in world.processes if name != "risk_monitor")


def test_a_level_of_a_symbol_that_is_not_traded_cannot_be_held() -> None:
    world = SupervisedWorld()
    answer = world.ask(HoldLevel(subject="DOGEUSDC", level=None, reason=""))
    assert answer == Answer(done=False, confirmed=False, text="DOGEUSDC is neither a traded symbol nor the account")


def test_a_level_is_not_held_while_the_risk_monitor_is_away() -> None:
    world = SupervisedWorld()
    world.ask(StopActor(name="risk_monitor"))
    world.run(5_000)
    answer = world.ask(HoldLevel(subject="account", level=RiskLevel.HALTED, reason="news"), ask_id=2)
    assert answer == Answer(done=False, confirmed=False, text="the risk monitor is away: try again")


def test_a_comparison_is_asked_of_order_managers_and_inventory() -> None:
    world = SupervisedWorld()
    command = Reconcile(token=5)
    assert world.ask(command) == Answer(done=True, confirmed=True, text="comparing with the venue")
    told = {name for name in world.processes if world.told(name, Reconcile) == [command]}
    assert told == {
        child.spec.name for child in world.plan.children if child.spec.role in ("order_manager", "inventory")
    }


def test_a_comparison_without_an_order_manager_is_refused() -> None:
    world = SupervisedWorld()
    world.ask(StopActor(name="order_manager"))
    world.run(15_000)
    answer = world.ask(Reconcile(token=5), ask_id=2)
    assert isinstance(answer, Answer)
    assert (answer.done, answer.confirmed) == (False, False)
    assert "order_manager-0" in answer.text
