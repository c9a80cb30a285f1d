"""Joining diffs to a snapshot."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_path
from wire_samples import ETH

from protocols.binance_usdm.book_sync import BookSync, Bridged, SyncDecision
from protocols.venue import BookDiff

APPLY, BUFFER, DISCARD = SyncDecision.APPLY, SyncDecision.BUFFER, SyncDecision.DISCARD
GAP, NEED_SNAPSHOT = SyncDecision.GAP, SyncDecision.NEED_SNAPSHOT


def diff(first: int, last: int, previous: int) -> BookDiff:
    return BookDiff(
        instrument_id=ETH,
        first_update_id=first,
        last_update_id=last,
        previous_update_id=previous,
        venue_time_ns=0,
        received_ns=0,
        bids=[],
        asks=[],
    )


def test_recorded_and_synthetic_cases_of_the_facts() -> None:
    cases = json.loads(shared_path("facts/test_vectors.json").read_bytes())["binance_book_sync"]["cases"]
    for case in cases:
        events = [diff(event["U"], event["u"], event["pu"]) for event in case["events"]]
        sync = BookSync(1_000)
        for event in events:
            sync.offer(event)
        bridged = sync.bridge(case["lastUpdateId"])
        if case.get("need_new_snapshot"):
            assert bridged == Bridged(NEED_SNAPSHOT), case
        elif "resync_at" in case:
            assert bridged == Bridged(GAP), case
            assert sync.buffered == len(events) - case["resync_at"]
        else:
            assert bridged == Bridged(APPLY, tuple(events[case["first_applied"] :])), case
            assert sync.last_update_id == case["final_u"]
            assert sync.live


def test_the_same_cases_with_the_snapshot_before_the_events() -> None:
    cases = json.loads(shared_path("facts/test_vectors.json").read_bytes())["binance_book_sync"]["cases"]
    for case in cases:
        sync = BookSync(1_000)
        assert sync.bridge(case["lastUpdateId"]) == Bridged(APPLY)
        decisions = [sync.offer(diff(event["U"], event["u"], event["pu"])) for event in case["events"]]
        if case.get("need_new_snapshot"):
            assert decisions == [NEED_SNAPSHOT]
        elif "resync_at" in case:
            assert decisions[case["resync_at"]] is GAP
        else:
            assert decisions == [DISCARD] * len(case["drop"]) + [APPLY] * (len(decisions) - len(case["drop"]))


def test_the_first_diff_asks_for_a_snapshot_and_the_next_wait() -> None:
    sync = BookSync(1_000)
    assert [sync.offer(diff(1, 5, 0)), sync.offer(diff(6, 9, 5))] == [NEED_SNAPSHOT, BUFFER]
    assert not sync.live


def test_a_broken_chain_is_a_gap_and_the_diff_is_kept_for_the_next_snapshot() -> None:
    sync = BookSync(1_000)
    sync.offer(diff(1, 5, 0))
    sync.bridge(3)
    assert sync.offer(diff(6, 9, 5)) is APPLY
    assert sync.offer(diff(12, 15, 11)) is GAP
    assert not sync.live
    assert sync.offer(diff(16, 18, 15)) is BUFFER
    assert sync.bridge(14) == Bridged(APPLY, (diff(12, 15, 11), diff(16, 18, 15)))


def test_a_snapshot_without_any_diff_is_not_live_before_the_chain_begins() -> None:
    sync = BookSync(1_000)
    assert sync.bridge(10) == Bridged(APPLY)
    assert not sync.live
    assert sync.offer(diff(7, 9, 6)) is DISCARD
    assert sync.offer(diff(11, 12, 10)) is APPLY
    assert sync.live


def test_a_reconnect_starts_anew() -> None:
    sync = BookSync(1_000)
    sync.offer(diff(1, 5, 0))
    sync.bridge(3)
    sync.reset()
    assert (sync.live, sync.buffered, sync.last_update_id) == (False, 0, 0)
    assert sync.offer(diff(6, 9, 5)) is NEED_SNAPSHOT


def test_held_diffs_are_bounded_and_the_oldest_goes_first() -> None:
    sync = BookSync(10)
    for number in range(13):
        sync.offer(diff(number + 1, number + 1, number))
    assert sync.buffered == 10
    assert sync.dropped == 3
    assert sync.bridge(2) == Bridged(NEED_SNAPSHOT)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.data())
def test_whenever_the_snapshot_comes_every_later_change_is_applied_exactly_once(
    sizes: list[int], data: st.DataObject
) -> None:
    diffs = []
    last = 100
    for size in sizes:
        diffs.append(diff(last + 1, last + size, last))
        last += size
    snapshot_id = data.draw(st.integers(100, last))
    answered_after = data.draw(st.integers(0, len(diffs)))
    sync = BookSync(1_000)
    applied: list[BookDiff] = []
    for event in diffs[:answered_after]:
        sync.offer(event)
    bridged = sync.bridge(snapshot_id)
    assert bridged.decision is APPLY
    applied.extend(bridged.apply)
    for event in diffs[answered_after:]:
        decision = sync.offer(event)
        assert decision in (APPLY, DISCARD)
        if decision is APPLY:
            applied.append(event)
    assert applied == diffs[len(diffs) - len(applied) :]
    assert all(event in applied for event in diffs if event.last_update_id > snapshot_id)
