"""Checks about orders: I1 (one intent, one order), I5 (fencing), I7 (reason to quote), I8 (no orphan)."""

from __future__ import annotations

from collections import Counter

from ops.invariants.history import Findings, History, Verdict
from protocols import client_order_id as ids
from protocols.messages.journal import AmendIntended, GateChanged, OrderIntended


def check_one_intent_one_order(history: History) -> Verdict:
    """I1: an intent is accepted at most once, every id is intended at most once, and so is every request."""
    findings = Findings("I1")
    accepted = Counter(order.client_order_id for order in history.our_accepted())
    intended = Counter(r.client_order_id for _, r in history.journaled() if isinstance(r, OrderIntended))
    for client_order_id in accepted.keys() | intended.keys():
        findings.check(
            accepted[client_order_id] <= 1 and intended[client_order_id] <= 1,
            f"{client_order_id}: intended {intended[client_order_id]} times, accepted {accepted[client_order_id]} times",
        )
    requested = Counter(r.intent_id for _, r in history.journaled() if isinstance(r, OrderIntended) and r.intent_id)
    for intent_id, count in requested.items():
        findings.check(count == 1, f"request {intent_id} was sent {count} times")
    return findings.verdict()


def check_no_older_epoch_after_a_newer(history: History) -> Verdict:
    """I5: per symbol, after the first accepted order of an epoch none of an older epoch is accepted."""
    findings = Findings("I5")
    newest: dict[str, int] = {}
    for order in history.our_accepted():
        parsed = ids.parse_client_order_id(order.client_order_id)
        assert parsed is not None
        seen = newest.get(order.symbol, 0)
        findings.check(
            parsed.epoch >= seen,
            f"{order.symbol}: {order.client_order_id} of epoch {parsed.epoch} accepted after one of epoch {seen}",
        )
        newest[order.symbol] = max(seen, parsed.epoch)
    return findings.verdict()


def check_every_quote_had_a_reason(history: History) -> Verdict:
    """I7: no intent (order or amendment) from a book too old, crossed, empty or unnumbered, and none while its symbol's gate is shut.

    The answer to a request needs no ladder, whose age shuts the gate too; what else shuts it denies the request.
    """
    findings = Findings("I7")
    for shard, records in sorted(history.journals.items()):
        gate_open: dict[str, bool] = {}
        for record in records:
            if isinstance(record, GateChanged):
                gate_open[record.instrument_id] = record.open
            elif isinstance(record, OrderIntended | AmendIntended):
                findings.check(*_reason_of(record, shard, gate_open.get(record.instrument_id, False)))
    return findings.verdict()


def _reason_of(intent: OrderIntended | AmendIntended, shard: int, gate_open: bool) -> tuple[bool, str]:
    faults = []
    if not gate_open and not (isinstance(intent, OrderIntended) and intent.intent_id):
        faults.append("the gate was shut")
    if intent.book_update_id <= 0:
        faults.append("no book behind it")
    if not 0 <= intent.book_age_ns <= intent.book_age_ns_max:
        faults.append(f"book {intent.book_age_ns} ns old, at most {intent.book_age_ns_max}")
    if not 0 < intent.best_bid_ticks < intent.best_ask_ticks:
        faults.append(f"book crossed or empty: {intent.best_bid_ticks} / {intent.best_ask_ticks}")
    return not faults, f"shard {shard}, {intent.client_order_id}: " + "; ".join(faults)


def check_no_orphan(history: History) -> Verdict:
    """I8: every order with our prefix that the venue accepted is an intent in a journal."""
    findings = Findings("I8")
    intended = {r.client_order_id for _, r in history.journaled() if isinstance(r, OrderIntended)}
    for order in history.our_accepted():
        findings.check(
            order.client_order_id in intended, f"{order.symbol}: {order.client_order_id} is in no journal of ours"
        )
    return findings.verdict()
