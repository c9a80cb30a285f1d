"""Which fields of the vocabulary hold a node's own time, and what becomes of them between two nodes."""

from __future__ import annotations

from golden_messages import messages, sample

from protocols.envelope import Envelope
from protocols.mailboxes import ROUTES
from protocols.messages.market import MarkPrice, VenueClock
from protocols.messages.risk import Lease
from protocols.node_clocks import ASKERS_TIMES, NODE_TIMES, translated


def test_every_time_that_travels_is_the_venues_or_is_accounted_for() -> None:
    """A new field ending in `_ns` has to be put into one of the tables, or to say that it is the venue's or a duration."""
    known = {**NODE_TIMES, **ASKERS_TIMES}
    for kind in ROUTES:
        for name in kind.__struct_fields__:
            if name.endswith("_ns") and "venue" not in name and kind is not VenueClock:
                assert name in known.get(kind, ()), f"{kind.__name__}.{name}"


def test_times_are_moved_and_nothing_else_is() -> None:
    mark = sample(messages()["MarkPrice"])
    assert isinstance(mark, MarkPrice)
    moved = translated(Envelope("a", 1, 2, 100, 0, "c", mark), 50, 3)
    assert (moved.sent_ns, moved.origin_ns) == (150, 0)
    assert moved.body.received_ns == mark.received_ns + 50
    assert moved.body.venue_time_ns == mark.venue_time_ns


def test_the_venues_clock_is_the_same_on_every_node() -> None:
    theirs = VenueClock(offset_ns=1_000, error_ns=10, sampled_ns=400)
    ours = translated(Envelope("a", 1, 2, 100, 0, "c", theirs), 50, 3).body
    assert ours == VenueClock(offset_ns=950, error_ns=13, sampled_ns=450)
    assert 400 + theirs.offset_ns == 450 + ours.offset_ns


def test_a_lease_comes_back_with_the_askers_time() -> None:
    lease = sample(messages()["Lease"])
    assert isinstance(lease, Lease)
    assert translated(Envelope("a", 1, 2, 100, 0, "c", lease), 50, 3).body == lease
