"""What the ledger and the alert log say about a fault: when old quotes left, when quoting came back, who noticed."""

from __future__ import annotations

from faulty_ledger import BTC, ETH, GONE_AND_BACK, QUOTED, S, accepted, amended, canceled, filled, ours

from ops.chaos.measuring import (
    RaisedAlert,
    empty_t,
    first_accepted_t,
    first_alert,
    gone_t,
    last_accepted_t,
    longest_gap_s,
    quotes_now,
    quoting_again_t,
    read_alerts,
    seconds,
)


def test_old_quotes_are_gone_when_the_last_of_them_left() -> None:
    assert gone_t(GONE_AND_BACK, ours, (BTC,), 5 * S, 7 * S, 10 * S) == round(5.4 * S)


def test_a_quote_made_between_the_fault_and_the_replacement_counts_as_old() -> None:
    ledger = (*QUOTED, canceled(5.2, 1), canceled(5.4, 2), accepted(6, 3, "BUY"), canceled(6.5, 3))
    assert gone_t(ledger, ours, (BTC,), 5 * S, 7 * S, 10 * S) == round(6.5 * S)


def test_quotes_of_the_replacement_are_not_old() -> None:
    assert gone_t(GONE_AND_BACK, ours, (BTC,), 5 * S, 8 * S, 10 * S) == round(5.4 * S)


def test_an_old_quote_that_still_rests_at_the_end_is_never_gone() -> None:
    assert gone_t((*QUOTED, canceled(5.2, 1)), ours, (BTC,), 5 * S, 7 * S, 10 * S) is None


def test_what_the_drain_cancels_after_the_end_is_not_counted_as_gone() -> None:
    ledger = (*QUOTED, canceled(5.2, 1), canceled(11, 2))
    assert gone_t(ledger, ours, (BTC,), 5 * S, None, 10 * S) is None


def test_without_a_quote_at_the_fault_it_is_safe_at_once() -> None:
    assert gone_t((), ours, (BTC,), 5 * S, None, 10 * S) == 5 * S


def test_a_filled_quote_is_gone_when_nothing_of_it_is_left() -> None:
    ledger = (accepted(1, 1, "BUY"), filled(5.1, 1, 1), filled(5.3, 1, 2))
    assert gone_t(ledger, ours, (BTC,), 5 * S, None, 10 * S) == round(5.3 * S)


def test_an_amended_quote_is_as_young_as_its_amendment() -> None:
    ledger = (accepted(1, 1, "BUY"), amended(8, 1))
    assert gone_t(ledger, ours, (BTC,), 5 * S, 7 * S, 10 * S) == 8 * S


def test_orders_of_strangers_are_nobodys_quotes() -> None:
    ledger = (accepted(1, 1, "BUY", client_order_id="x"), accepted(6, 2, "SELL", client_order_id="x"))
    assert gone_t(ledger, ours, (BTC,), 5 * S, None, 10 * S) == 5 * S
    assert quoting_again_t(ledger, ours, (BTC,), 5 * S) is None
    assert last_accepted_t(ledger, ours, 0, 10 * S) is None


def test_quoting_again_means_both_sides_and_an_order_accepted_since() -> None:
    assert quoting_again_t(QUOTED, ours, (BTC,), 5 * S) is None
    assert quoting_again_t(GONE_AND_BACK, ours, (BTC,), 7 * S) == round(8.5 * S)


def test_the_last_symbol_decides_when_everything_quotes_again() -> None:
    one_sided = (*GONE_AND_BACK, accepted(8, 5, "BUY", ETH))
    assert quoting_again_t(one_sided, ours, (BTC, ETH), 7 * S) is None
    assert quoting_again_t((*one_sided, accepted(9, 6, "SELL", ETH)), ours, (BTC, ETH), 7 * S) == 9 * S


def test_first_and_last_accepted() -> None:
    assert first_accepted_t(GONE_AND_BACK, ours, (BTC,), 5 * S) == 8 * S
    assert first_accepted_t(GONE_AND_BACK, ours, (BTC, ETH), 5 * S) is None
    assert last_accepted_t(GONE_AND_BACK, ours, 5 * S, round(8.5 * S)) == 8 * S
    assert last_accepted_t(GONE_AND_BACK, ours, 5 * S, 7 * S) is None


def test_the_longest_gap_is_the_time_without_both_sides() -> None:
    assert longest_gap_s((*GONE_AND_BACK, accepted(12, 9, "BUY")), ours, BTC, 5 * S, 10 * S) == 3.3
    assert longest_gap_s((*QUOTED, accepted(6, 3, "BUY")), ours, BTC, 5 * S, 10 * S) == 0.0
    assert longest_gap_s((*QUOTED, canceled(5.5, 1)), ours, BTC, 5 * S, 10 * S) == 4.5


def test_a_book_is_empty_when_for_each_symbol_no_quote_of_ours_rests() -> None:
    assert empty_t(GONE_AND_BACK, ours, (BTC,), 5 * S) == round(5.4 * S)
    assert empty_t(QUOTED, ours, (BTC,), 5 * S) is None
    assert empty_t((*QUOTED, accepted(6, 9, "BUY", ETH)), ours, (BTC, ETH), 5 * S) is None
    ledger = (*QUOTED, canceled(5.2, 1), accepted(5.3, 3, "BUY"), canceled(5.4, 2), canceled(5.6, 3))
    assert empty_t(ledger, ours, (BTC,), 5 * S) == round(5.6 * S)
    assert empty_t((canceled(7, 1),), ours, (BTC, ETH), 5 * S) == 5 * S


def test_an_amended_quote_counts_as_tended() -> None:
    ledger = (*QUOTED, amended(6, 1))
    assert first_accepted_t(ledger, ours, (BTC,), 5 * S) == 6 * S
    assert quoting_again_t(ledger, ours, (BTC,), 5 * S) == 6 * S


def test_quotes_now_looks_at_the_end_of_the_ledger() -> None:
    assert quotes_now(QUOTED, ours, (BTC,))
    assert not quotes_now((*QUOTED, canceled(2, 1)), ours, (BTC,))


def test_the_alert_log_is_read_without_its_torn_end() -> None:
    line = b'{"time":"t","code":"ACTOR_DIED","severity":"WARNING","subject":"strategy-0","text":"x","raised_ns":7}'
    assert read_alerts([line, line[:20]]) == [
        RaisedAlert(code="ACTOR_DIED", subject="strategy-0", raised_ns=7, severity="WARNING", text="x")
    ]


def test_a_fault_is_noticed_by_the_first_fitting_alert_after_it() -> None:
    early, other, late, later = (
        RaisedAlert(code="ACTOR_DIED", subject=subject, raised_ns=at_ns)
        for subject, at_ns in (("strategy-0", 4), ("alerting", 6), ("strategy-0", 8), ("strategy-0", 9))
    )
    alerts = [early, other, later, late]
    assert first_alert(alerts, ("ACTOR_DIED",), ("strategy-0",), 5) == late
    assert first_alert(alerts, ("ACTOR_DIED",), (), 5) == other
    assert first_alert(alerts, ("ACTOR_HUNG",), (), 5) is None


def test_seconds_between_two_instants() -> None:
    assert seconds(5 * S, round(5.4321 * S)) == 0.432
    assert seconds(5 * S, None) is None
