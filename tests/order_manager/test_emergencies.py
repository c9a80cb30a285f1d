"""What does not pass by itself ends in an emergency stop of everything."""

from __future__ import annotations

from order_manager_rig import MS, OFFSET_NS, Rig

from protocols.messages.control import EmergencyStop, Resume
from protocols.messages.market import VenueClock
from protocols.venue import QueryTime, StreamChanged, StreamHeard

STREAM_LOST = "the private stream did not come back within 20 s"
CLOCK_LOST = "the venue's time is not known for 5 s"


def quoting(**changes: object) -> Rig:
    return Rig(reconnect_ms_max=20_000, clock_doubt_ms_max=5_000, **changes).come_up()


def lose_stream(rig: Rig) -> None:
    rig.stream_on = False
    rig.give(StreamChanged(stream="private", up=False, changed_ns=rig.now_ns, reason="reset"))


def find_stream(rig: Rig) -> None:
    rig.stream_on = True
    rig.give(StreamChanged(stream="private", up=True, changed_ns=rig.now_ns))
    rig.give(StreamHeard(stream="private", heard_ns=rig.now_ns))


def test_a_private_stream_that_does_not_come_back_stops_everything() -> None:
    rig = quoting()
    lose_stream(rig)
    rig.run(19_900)
    assert rig.shut_reasons == []
    rig.run(200)
    assert rig.shut_reasons == [STREAM_LOST]


def test_one_that_comes_back_in_time_stops_nothing_and_begins_the_time_anew() -> None:
    rig = quoting()
    for _ in range(3):
        lose_stream(rig)
        rig.run(15_000)
        find_stream(rig)
        rig.run(1_000)
    assert rig.shut_reasons == []


def test_a_clock_that_cannot_be_trusted_stops_everything() -> None:
    rig = quoting()
    rig.venue.answer = lambda request: "lost" if isinstance(request, QueryTime) else None
    rig.give(VenueClock(offset_ns=OFFSET_NS, error_ns=251 * MS, sampled_ns=rig.now_ns))
    rig.run(4_900)
    assert rig.shut_reasons == []
    rig.run(200)
    assert rig.shut_reasons == [CLOCK_LOST]


def test_while_a_stop_holds_nothing_is_demanded_and_after_resume_the_time_begins_anew() -> None:
    rig = quoting()
    rig.give(EmergencyStop(reason="a person"))
    lose_stream(rig)
    rig.run(60_000)
    rig.give(Resume(reason="a person"))
    rig.run(19_000)
    assert rig.shut_reasons == []
    rig.run(1_500)
    assert rig.shut_reasons == [STREAM_LOST]


def test_a_dry_run_demands_nothing() -> None:
    rig = Rig(dry_run=True, reconnect_ms_max=1_000)
    rig.run(5_000)
    assert rig.shut_reasons == []
