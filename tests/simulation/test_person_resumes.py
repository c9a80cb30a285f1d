"""The simulated person resumes as the command does: what nobody heard is given again, a newer stop ends it."""

from __future__ import annotations

from pathlib import Path

from configs.loading import load_settings
from ops.simulation.faults import Fault, FaultKind
from ops.simulation.house import House
from ops.simulation.person import AGAIN_NS, LOOKED_NS, TRIES_MAX, Person
from ops.simulation.seeds import Case, run_case

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"


def stopped_house() -> House:
    house = House(load_settings(DEMO, {}), 1)
    house.start()
    house.run_s(1)
    house.emergency_stop()
    return house


def test_a_resume_while_the_supervisor_is_away_changes_nothing_until_it_is_back() -> None:
    house = stopped_house()
    house.lose_supervisor(4)
    house.person.resume()
    house.run_s(3.9)
    assert (house.venue.stop_file, house.person.is_waiting) == (True, True)
    house.run_s(1)
    assert (house.venue.stop_file, house.person.is_waiting) == (False, False)


def test_a_resume_is_given_again_when_the_risk_monitor_is_back() -> None:
    house = stopped_house()
    house.crash_for("risk_monitor", 2)
    house.person.resume()
    assert (house.venue.stop_file, house.person.is_waiting) == (False, True)
    house.run_s(4)
    assert not house.person.is_waiting


def test_a_stop_that_comes_after_a_resume_is_not_lifted_by_it() -> None:
    house = stopped_house()
    house.crash_for("risk_monitor", 2)
    house.person.resume()
    house.emergency_stop()
    house.run_s(4)
    assert (house.venue.stop_file, house.person.is_waiting) == (True, False)


def test_who_is_never_heard_gives_up_and_that_is_counted() -> None:
    house = House(load_settings(DEMO, {}), 1)
    tries: list[int] = []
    person = Person(house.world, lambda: True, lambda: bool(tries.append(house.world.now_ns)))
    person.resume()
    house.world.run_until(house.world.now_ns + (TRIES_MAX + 1) * AGAIN_NS)
    assert (len(tries), person.gave_up, person.is_waiting) == (TRIES_MAX, 1, False)


def test_a_margin_call_that_the_risk_monitor_hears_late_is_resumed_from() -> None:
    """Seed 5,005,891, shrunk: the risk monitor died of the margin call's record, nobody brought it back for six seconds, and the person's
    resume fell into them."""
    schedule = (
        Fault(kind=FaultKind.DISK_FAILS, at_ms=22_813, lasts_ms=1_091, actors=("risk_monitor",)),
        Fault(kind=FaultKind.MARGIN_CALL, at_ms=23_085, share=0.41),
        Fault(kind=FaultKind.SUPERVISOR_CRASH, at_ms=23_771, lasts_ms=6_099),
        Fault(kind=FaultKind.ONE_WAY_MARKET, at_ms=31_707, lasts_ms=500, count=1),
    )
    result = run_case(Case(seed=5_005_891, schedule=schedule, trading_ms=1_054), load_settings(DEMO, {}))
    assert result.violations == ()


def test_who_resumed_before_the_risk_monitor_heard_of_a_liquidation_resumes_again_from_its_alert() -> None:
    """Seed 7,020,005, shrunk: the order manager was cut off, so the liquidation was heard of only after the resume."""
    schedule = (
        Fault(kind=FaultKind.PARTITION, at_ms=9_292, lasts_ms=5_151, actors=("market_data-0", "order_manager-0")),
        Fault(kind=FaultKind.LIQUIDATED, at_ms=9_954, share=0.99),
    )
    result = run_case(Case(seed=7_020_005, schedule=schedule), load_settings(DEMO, {}))
    assert result.violations == ()


def test_an_alert_that_restricts_nothing_any_more_is_not_resumed_from() -> None:
    house = House(load_settings(DEMO, {}), 1)
    lifts: list[int] = []
    person = Person(house.world, lambda: True, lambda: not lifts.append(house.world.now_ns))
    person.resume()
    person.told(lambda: False)
    assert person.is_waiting
    house.world.run_until(house.world.now_ns + LOOKED_NS)
    assert (len(lifts), person.is_waiting) == (1, False)


def test_a_stop_after_an_alert_is_not_lifted_by_who_looks_at_the_alert() -> None:
    house = House(load_settings(DEMO, {}), 1)
    lifts: list[int] = []
    person = Person(house.world, lambda: True, lambda: not lifts.append(house.world.now_ns))
    person.resume()
    person.told(lambda: True)
    person.stop()
    house.world.run_until(house.world.now_ns + LOOKED_NS)
    assert (len(lifts), person.is_waiting) == (1, False)
