"""What comparisons with the venue found, told apart: missed by the living, done while nobody lived, faster than its event."""

from __future__ import annotations

from faulty_ledger import GONE_AND_BACK, filled

from actors.exchange.ledger import OrderCanceled
from ops.chaos.comparing import EVENT_NS, Differences, differences
from protocols.envelope import Message
from protocols.messages.journal import EpochBegan, Reconciled

S = 1_000_000_000
CANCELED_T = next(record.t for record in GONE_AND_BACK if isinstance(record, OrderCanceled))
MISSING = "rm1 is not among the venue's open orders"
LEDGER = GONE_AND_BACK[:3]
"""Two orders, of which the first is cancelled at CANCELED_T."""


def compared(
    *found: str, cause: str = "audit BTCUSDC", ended_t: int = CANCELED_T + 5 * S, took_ns: int = S
) -> Reconciled:
    return Reconciled(cause=cause, differences=found, took_ns=took_ns, venue_time_ns=ended_t)


def began(t: int) -> EpochBegan:
    return EpochBegan(epoch=2, began_ns=0, venue_time_ns=t)


def counted(*journal: Message) -> tuple[int, int, int]:
    found = differences(LEDGER, {0: journal})
    return found.found, found.caught_up, found.raced


def test_what_an_audit_finds_of_a_living_system_is_a_difference() -> None:
    assert counted(compared(), compared(MISSING)) == (1, 0, 0)


def test_so_is_what_a_reconnect_finds() -> None:
    assert counted(compared(MISSING, cause="reconnect BTCUSDC")) == (1, 0, 0)


def test_and_a_position_that_differs_whenever_it_is_found() -> None:
    assert counted(began(1), compared("position 3 lots here, 4 at the venue", cause="recovery BTCUSDC")) == (1, 0, 0)


def test_what_the_venue_did_while_the_order_manager_was_dead_is_caught_up() -> None:
    last_word = compared(ended_t=CANCELED_T - S)
    recovery = compared(MISSING, cause="recovery BTCUSDC")
    assert counted(last_word, began(CANCELED_T + S), recovery) == (0, 1, 0)


def test_what_it_did_while_the_predecessor_lived_was_missed_by_it() -> None:
    last_word = compared(ended_t=CANCELED_T + S)
    recovery = compared(MISSING, cause="recovery BTCUSDC", ended_t=CANCELED_T + 9 * S)
    assert counted(last_word, began(CANCELED_T + 4 * S), recovery) == (1, 0, 0)


def test_an_order_that_ended_just_before_the_question_may_have_its_event_on_the_way() -> None:
    assert counted(compared(MISSING, ended_t=CANCELED_T + S)) == (0, 0, 1)
    assert counted(compared(MISSING, ended_t=CANCELED_T + S + EVENT_NS + 1)) == (1, 0, 0)


def test_the_rate_is_of_everything_that_could_differ() -> None:
    found = differences((*GONE_AND_BACK, filled(9, 9, 1)), {0: (compared("position 1", "position 2"), compared())})
    assert (found.found, found.comparisons, found.things) == (2, 2, 5)
    assert found.text.startswith(
        "2 differences in 2 comparisons, 40.000% of 5 orders, amendments and fills; besides 0 of what"
    )
    assert Differences(found=0, caught_up=0, raced=0, comparisons=0, things=0).rate == 0.0
