"""One row's figures: each rule of safety, the clocks joined, and the checks that only a fault has."""

from __future__ import annotations

import msgspec
import pytest
from faulty_ledger import BTC, GONE_AND_BACK, QUOTED, S, accepted, canceled, ours

from ops.chaos.following import Touched
from ops.chaos.matrix import rows
from ops.chaos.measuring import RaisedAlert
from ops.chaos.observing import Scene, check_alerted, check_quoting_again, observe, shut_s, tended
from ops.chaos.rows import Row
from ops.chaos.stage import chaos_settings
from ops.invariants.history import History, Verdict
from protocols.client_order_id import ClientOrderId
from protocols.messages.journal import OrderWritten

ROWS = rows(chaos_settings())
BOOT_NS = 100 * S
"""The node's clock at the fault, which comes at 5 s of the venue's."""


def scene(**changes: object) -> Scene:
    plain = Scene(
        symbols=(BTC,),
        hurt=(BTC,),
        names=("order_manager-0",),
        restarted="order_manager-0",
        lease_ns=S,
        fault_ns=BOOT_NS,
        fault_t=5 * S,
        end_t=10 * S,
    )
    return msgspec.structs.replace(plain, **changes)


def alert(code: str, after_s: float, subject: str = "order_manager-0") -> RaisedAlert:
    return RaisedAlert(code=code, subject=subject, raised_ns=BOOT_NS + round(after_s * S))


def figures_of(row: Row, at: Scene, ledger: tuple[object, ...], *alerts: RaisedAlert) -> tuple[object, ...]:
    seen = observe(row, at, ledger, alerts, ours)  # type: ignore[arg-type]
    return seen.detected_s, seen.safe_s, seen.quoting_s


def test_a_killed_order_manager_is_timed_by_alerts_and_ledger() -> None:
    alerts = (alert("ACTOR_DIED", 0.02), alert("ACTOR_RESTARTED", 2))
    assert figures_of(ROWS["2"], scene(), GONE_AND_BACK, *alerts) == (0.02, 0.4, 3.5)


def test_without_a_replacement_nothing_quotes_again() -> None:
    assert figures_of(ROWS["2"], scene(), GONE_AND_BACK, alert("ACTOR_DIED", 0.02))[2] is None


def test_every_victim_must_be_noticed() -> None:
    both = scene(names=("supervisor", "order_manager-0"))
    died = alert("ACTOR_DIED", 0.7, "supervisor")
    assert figures_of(ROWS["10"], both, (), died)[0] is None
    assert figures_of(ROWS["10"], both, (), died, alert("ACTOR_DIED", 0.9))[0] == 0.9
    assert check_alerted(ROWS["10"], both, [died]) == Verdict(
        name="I12", held=False, checked=2, violations=("no alert ACTOR_DIED or ACTOR_HUNG about order_manager-0",)
    )


def test_without_the_risk_monitor_an_order_counts_only_when_the_old_lease_is_over() -> None:
    at = scene(names=("risk_monitor",), restarted="")
    renewed = (*QUOTED, accepted(5.5, 3, "BUY"), accepted(6.2, 4, "BUY"))
    assert figures_of(ROWS["5"], at, renewed)[1:] == (1.2, 1.2)
    withdrawn = (*QUOTED, canceled(5.3, 1), canceled(5.6, 2))
    assert figures_of(ROWS["5"], at, withdrawn)[1:] == (0.6, None)


def test_where_trading_goes_on_the_next_accepted_order_shows_it() -> None:
    at = scene(names=("alerting",), restarted="")
    assert figures_of(ROWS["8"], at, (*QUOTED, accepted(5.25, 3, "BUY")))[1:] == (0.25, 0.25)


def test_where_trading_goes_on_in_a_calm_market_the_order_managers_own_word_shows_it() -> None:
    at = scene(names=("supervisor",), restarted="", tended_t=5 * S + S // 2)
    assert figures_of(ROWS["9"], at, (*QUOTED, accepted(8.5, 3, "BUY")))[1] == 0.5
    assert figures_of(ROWS["5"], at, (*QUOTED, accepted(8.5, 3, "BUY")))[1] == 3.5


SHOWN = {
    "lease_state": "ACTIVE",
    "lease_left_ms": 800,
    "symbols": {BTC: {"gate_open": True, "target_age_ms": 150, "quote_age_ms": 90}},
}


def shown(**changes: object) -> dict[str, object]:
    """A snapshot 300 ms after the fault with something of it changed."""
    own = {name: changes.pop(name) for name in ("gate_open", "target_age_ms", "quote_age_ms") if name in changes}
    return {**SHOWN, "symbols": {BTC: {**SHOWN["symbols"][BTC], **own}}, **changes}  # type: ignore[index, dict-item]


def test_quotes_are_tended_when_every_reason_of_theirs_is_younger_than_the_fault() -> None:
    assert tended(SHOWN, 1_000, 300)


@pytest.mark.parametrize(
    "changes",
    [
        {"lease_left_ms": 650},
        {"lease_state": "REDUCING"},
        {"gate_open": False},
        {"target_age_ms": 301},
        {"target_age_ms": -1},
        {"quote_age_ms": 400},
        {"symbols": {}},
    ],
)
def test_one_reason_that_is_older_than_the_fault_shows_nothing(changes: dict[str, object]) -> None:
    assert not tended(shown(**changes), 1_000, 300)


def test_a_restarted_venue_is_timed_from_its_return() -> None:
    at = scene(names=(), restarted="", back_t=7 * S)
    ledger = (*QUOTED, canceled(7.2, 1), canceled(7.3, 2), accepted(8, 3, "BUY"), accepted(8.5, 4, "SELL"))
    assert figures_of(ROWS["45"], at, ledger, alert("FEED_LOST", 0.01, BTC)) == (0.01, 0.3, 1.5)


def test_after_an_emergency_stop_clear_counts_from_the_file_and_quoting_from_the_resume() -> None:
    at = scene(names=(), restarted="", back_t=7 * S)
    assert figures_of(ROWS["25"], at, GONE_AND_BACK, alert("EMERGENCY_STOP", 0.001, "system")) == (0.001, 0.4, 1.5)


def test_shut_is_the_last_byte_written_or_the_last_order_accepted() -> None:
    own = ClientOrderId(install="1", epoch=3, shard=0, symbol_code=0, seq=1).text
    written = tuple(
        OrderWritten(client_order_id=own, origin_ns=0, written_ns=BOOT_NS + round(after_s * S))
        for after_s in (-0.5, 0.004, 2.5)
    )
    taken = accepted(5.006, 3, "BUY", client_order_id=own)
    history = History(ledger=(*QUOTED, taken), journals={0: written}, instruments={}, install="1")
    at = scene(back_t=7 * S)
    assert shut_s(at, history) == 0.006
    assert shut_s(at, msgspec.structs.replace(history, ledger=QUOTED)) == 0.004
    assert shut_s(at, msgspec.structs.replace(history, ledger=QUOTED, journals={})) == 0.0


def test_a_symbol_that_stays_silent_breaks_i9() -> None:
    restarted = [alert("ACTOR_RESTARTED", 2)]
    held = check_quoting_again(ROWS["2"], scene(), GONE_AND_BACK, restarted, ours)
    assert held == Verdict(name="I9", held=True, checked=1, violations=())
    silent = check_quoting_again(ROWS["2"], scene(), QUOTED, restarted, ours)
    assert silent == Verdict(name="I9", held=False, checked=1, violations=("BTCUSDC did not quote again",))


def test_a_lost_feed_is_safe_when_no_quote_rests_and_quotes_again_after_that() -> None:
    at = scene(names=(), restarted="")
    lost = alert("FEED_LOST", 0.01, BTC)
    assert figures_of(ROWS["28"], at, GONE_AND_BACK, lost) == (0.01, 0.4, 3.5)
    assert figures_of(ROWS["28"], at, (*QUOTED, accepted(6, 3, "BUY")), lost) == (0.01, None, None)


def test_a_partition_quotes_again_when_its_line_is_back() -> None:
    at = scene(names=(), restarted="", back_t=7 * S)
    assert figures_of(ROWS["50"], at, GONE_AND_BACK, alert("FEED_STALE", 2, BTC)) == (2.0, 0.4, 1.5)


def test_an_order_without_answer_is_safe_when_the_journal_knows_its_end() -> None:
    touched = Touched(t=5 * S, order="rm1", label="order.place")
    at = scene(names=(), restarted="", touched=(touched,))
    assert figures_of(ROWS["37"], at, GONE_AND_BACK)[1] is None
    known = msgspec.structs.replace(touched, known_t=9 * S)
    assert figures_of(ROWS["37"], msgspec.structs.replace(at, touched=(known,)), GONE_AND_BACK)[1:] == (4.0, 3.5)
