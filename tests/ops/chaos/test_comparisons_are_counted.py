"""What comparisons with the venue found, told apart: missed by the living, done while nobody heard, faster than its event."""

from __future__ import annotations

from faulty_ledger import GONE_AND_BACK, filled

from actors.exchange.fault_acts import WIPED
from actors.exchange.ledger import OrderCanceled, OrderExpired
from ops.chaos.comparing import EVENT_NS, MUTE_NS, Differences, differences
from protocols.envelope import Message
from protocols.messages import orders
from protocols.messages.journal import EpochBegan, GateChanged, Reconciled
from protocols.values import Side, make_instrument_id

S = 1_000_000_000
BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
CANCELED_T = next(record.t for record in GONE_AND_BACK if isinstance(record, OrderCanceled))
MISSING = "rm1 is not among the venue's open orders"
LEDGER = GONE_AND_BACK[:3]
"""Two orders, of which the first is cancelled at CANCELED_T."""


def compared(*found: str, ended_t: int = CANCELED_T + 50 * S, took_ns: int = S) -> Reconciled:
    return Reconciled(cause="audit BTCUSDC", differences=found, took_ns=took_ns, venue_time_ns=ended_t)


def began() -> EpochBegan:
    """Of an incarnation that does not know the venue's time yet."""
    return EpochBegan(epoch=2, began_ns=0, venue_time_ns=0)


def shut(at_t: int, reason: str = "SYNCHRONISING, USER_STREAM") -> GateChanged:
    return GateChanged(instrument_id=BTC, open=False, reason=reason, changed_ns=at_t)


def opened(at_t: int) -> GateChanged:
    return GateChanged(instrument_id=BTC, open=True, reason="", changed_ns=at_t)


def counted(*journal: Message) -> tuple[int, int, int]:
    found = differences(LEDGER, {0: journal})
    return found.found, found.caught_up, found.raced


def test_what_an_audit_finds_of_a_living_system_is_a_difference() -> None:
    assert counted(compared(), compared(MISSING)) == (1, 0, 0)


def test_a_position_that_differs_is_one_whenever_it_is_found() -> None:
    position = compared("position 3 lots here, 4 at the venue")
    assert counted(began(), shut(CANCELED_T), position, opened(CANCELED_T + 60 * S)) == (1, 0, 0)


def test_what_the_venue_did_while_the_order_manager_was_dead_is_caught_up() -> None:
    last_word, woke_t = compared(ended_t=CANCELED_T - S), CANCELED_T + 20 * S
    assert counted(last_word, began(), shut(woke_t), compared(MISSING), opened(woke_t + 40 * S)) == (0, 1, 0)


def test_what_it_did_while_the_predecessor_lived_and_heard_was_missed() -> None:
    last_word, woke_t = compared(ended_t=CANCELED_T + S), CANCELED_T + 20 * S
    assert counted(last_word, began(), shut(woke_t), compared(MISSING), opened(woke_t + 40 * S)) == (1, 0, 0)


def test_what_it_did_while_the_private_stream_was_away_or_mute_is_caught_up() -> None:
    for lost_t, kind in (
        (CANCELED_T - S, (0, 1, 0)),
        (CANCELED_T + MUTE_NS, (0, 1, 0)),
        (CANCELED_T + MUTE_NS + 1, (1, 0, 0)),
    ):
        assert counted(shut(lost_t), compared(MISSING), opened(lost_t + 60 * S)) == kind


def test_a_gate_that_is_shut_for_another_reason_hears_of_everything() -> None:
    assert counted(shut(CANCELED_T - S, "BOOK"), compared(MISSING), opened(CANCELED_T + 60 * S)) == (1, 0, 0)


def test_a_trade_is_judged_by_its_own_time() -> None:
    ledger = (*LEDGER, filled(9, 1, 1))
    missed = compared("trade 1 was missed by the private stream")
    assert differences(ledger, {0: (missed,)}).found == 1
    assert differences(ledger, {0: (shut(10 * S), missed)}).caught_up == 1


def test_an_order_that_ended_just_before_the_question_may_have_its_event_on_the_way() -> None:
    assert counted(compared(MISSING, ended_t=CANCELED_T + S)) == (0, 0, 1)
    assert counted(compared(MISSING, ended_t=CANCELED_T + S + EVENT_NS + 1)) == (1, 0, 0)


def test_what_the_journal_held_already_was_not_missed() -> None:
    heard = orders.OrderCanceled(
        shard=0,
        event_seq=1,
        instrument_id=BTC,
        client_order_id="rm1",
        venue_order_id=1,
        side=Side.BUY,
        filled_lots=0,
        venue_time_ns=CANCELED_T,
    )
    before = differences(LEDGER, {0: (heard, began(), compared(MISSING))})
    assert (before.found, before.doubted) == (0, 1)
    by_the_comparison_itself = differences(LEDGER, {0: (began(), heard, compared(MISSING))})
    assert (by_the_comparison_itself.found, by_the_comparison_itself.doubted) == (1, 0)


def test_the_rate_is_of_everything_that_could_differ() -> None:
    found = differences((*GONE_AND_BACK, filled(9, 9, 1)), {0: (compared("position 1", "position 2"), compared())})
    assert (found.found, found.comparisons, found.things) == (2, 2, 5)
    assert found.text.startswith(
        "2 differences in 2 comparisons, 40.000% of 5 orders, amendments and fills; besides 0 caught up"
    )
    assert Differences(found=0, caught_up=0, raced=0, doubted=0, withheld=0, comparisons=0, things=0).rate == 0.0


def test_what_a_fault_kept_from_us_by_itself_is_told_apart() -> None:
    ledger = (*LEDGER, filled(9, 1, 1))
    missed = (compared(MISSING), compared("trade 1 was missed by the private stream"))
    dropped = differences(ledger, {0: missed}, withheld=("trade 1", ""))
    assert (dropped.found, dropped.withheld) == (1, 1)
    canceled = LEDGER[-1]
    assert isinstance(canceled, OrderCanceled)
    wiped = OrderExpired(
        t=canceled.t,
        account=canceled.account,
        symbol=canceled.symbol,
        order_id=canceled.order_id,
        client_order_id=canceled.client_order_id,
        side=canceled.side,
        executed=canceled.executed,
        reason=WIPED,
    )
    vanished = differences((*LEDGER[:-1], wiped), {0: (compared(MISSING),)})
    assert (vanished.found, vanished.withheld) == (0, 1)
