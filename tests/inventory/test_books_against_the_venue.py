"""Positions, wallets and income against the venue's word: known, doubted, resolved towards the venue, and told."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import msgspec
from account_samples import (
    BTC,
    MS,
    START_NS,
    VENUE_OFFSET_NS,
    S,
    alert_codes,
    fill,
    published,
    settings,
    spec,
    venue_clock,
    venue_position,
)
from inventory_rig import TICK, Driver, balance, funding

from actors.inventory.core import InventoryCore
from actors.inventory.records import StreamMissed, WalletAdopted
from actors.inventory.snapshot import BooksReconciled
from protocols.arithmetic.sequences import era_begins_after
from protocols.effects import Append
from protocols.key_permissions import KeyPermissions
from protocols.messages.alerts import Alert
from protocols.messages.control import Reconcile
from protocols.messages.inventory import AccountKeySeen
from protocols.messages.journal import PositionAdopted
from protocols.messages.orders import MarginCalled
from protocols.values import Side
from protocols.venue import (
    BalanceReport,
    BalancesAnswered,
    IncomeAnswered,
    IncomeReport,
    KeyPermissionsAnswered,
    OpenUserStream,
    OutcomeUnknown,
    PositionReport,
    PositionsAnswered,
    QueryBalances,
    QueryIncome,
    QueryKeyPermissions,
    QueryPositions,
    RefusalKind,
    Refused,
)


def test_a_fee_in_another_asset_leaves_its_own_wallet() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1"), fee_asset="BNB"))
    view = inventory.core.snapshot()
    assert (view.symbols["BTCUSDC"].fees, view.wallets) == ("0", {"USDC": "1000"})


def test_events_that_make_no_sense_are_refused_once_and_their_numbers_are_not_missed() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(
        fill(1, Side.BUY, 1, 1, instrument_id="binance_usdm:main:DOGEUSDC"),
        fill(2, Side.BUY, 1, 1, fee=Decimal("NaN")),
        balance(3, "NaN"),
        funding(4, "Infinity"),
        venue_position(5, 1, "NaN"),
        MarginCalled(shard=0, event_seq=6, text="", venue_time_ns=0),
    )
    view = inventory.core.snapshot()
    assert (view.bad_data, view.gaps, view.events, view.event_seq) == (5, 0, 1, {0: 6})


def test_a_position_is_not_known_before_the_venue_has_stated_it() -> None:
    inventory = Driver()
    inventory.tell(fill(1, Side.BUY, 1, 500_000))
    assert inventory.lots() == (1, False)


def test_the_first_word_of_the_venue_opens_the_position() -> None:
    inventory = Driver()
    effects = inventory.tell(venue_position(1, -3, "50000"))
    adopted = PositionAdopted(
        instrument_id=BTC,
        position_lots=-3,
        entry_price=Decimal(50_000),
        trade_id_last=0,
        venue_time_ns=START_NS + VENUE_OFFSET_NS + MS,
    )
    assert Append(adopted) in effects
    assert alert_codes(effects) == []
    assert inventory.lots() == (-3, True)


def test_a_fill_that_the_adopted_position_contains_changes_it_no_more() -> None:
    inventory = Driver()
    inventory.tell(venue_position(2, -3, "50000"))
    inventory.tell(fill(3, Side.SELL, 3, 500_000, venue_time_ns=START_NS + VENUE_OFFSET_NS + 2 * MS, fee=Decimal(1)))
    view = inventory.core.snapshot().symbols["BTCUSDC"]
    assert (view.position_lots, view.fees, view.fills) == (-3, "1", 1)


def test_the_venues_word_that_comes_before_its_fill_is_no_difference() -> None:
    inventory = Driver().with_wallet()
    at_ns = START_NS + VENUE_OFFSET_NS + 5 * S
    inventory.tell(venue_position(1, 2, "50000", venue_time_ns=at_ns))
    inventory.now_ns += 1 * S
    inventory.tell(fill(2, Side.BUY, 2, 500_000, venue_time_ns=at_ns))
    assert alert_codes(inventory.wait(5)) == []
    assert inventory.lots() == (2, True)


def test_a_difference_older_than_two_seconds_is_resolved_towards_the_venue() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(venue_position(1, 2, "50000", venue_time_ns=START_NS + VENUE_OFFSET_NS + 5 * S))
    assert alert_codes(inventory.wait(1.9)) == []
    assert inventory.lots() == (0, True)
    assert alert_codes(inventory.wait(0.1)) == [("POSITION_MISMATCH", "BTCUSDC")]
    assert inventory.lots() == (2, True)
    assert isinstance(inventory.journal[-1], PositionAdopted)


def test_a_word_older_than_our_newest_fill_proves_nothing() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(5, Side.BUY, 2, 500_000), venue_position(6, 0, venue_time_ns=START_NS + VENUE_OFFSET_NS))
    assert alert_codes(inventory.wait(10)) == []
    assert inventory.lots() == (2, True)


def test_a_word_repeated_after_the_next_fill_of_its_millisecond_is_not_adopted() -> None:
    inventory = Driver().with_wallet("1000")
    at_ns = START_NS + VENUE_OFFSET_NS + 5 * S
    first, second = (fill(seq, Side.BUY, 2, 500_000, venue_time_ns=at_ns) for seq in (2, 4))
    before = venue_position(1, 2, "50000", venue_time_ns=at_ns)
    inventory.tell(before, first, venue_position(3, 4, "50000", venue_time_ns=at_ns), second)
    inventory.tell(msgspec.structs.replace(before, event_seq=5))
    assert alert_codes(inventory.wait(5)) == []
    assert inventory.lots() == (4, True)


def test_a_difference_between_a_word_and_its_fill_makes_the_next_one_no_older() -> None:
    inventory = Driver().with_wallet("1000")
    words = [START_NS + VENUE_OFFSET_NS + 5 * S, START_NS + VENUE_OFFSET_NS + 15 * S]
    shuffled = (2, 0, 1)
    inventory.tell(*(venue_position(n, lots, "50000", venue_time_ns=words[0]) for n, lots in enumerate(shuffled, 1)))
    inventory.tell(fill(4, Side.BUY, 2, 500_000, venue_time_ns=words[0]))
    inventory.wait(10)
    effects = inventory.tell(venue_position(5, 3, "50000", venue_time_ns=words[1]))
    assert not [
        effect for effect in effects if isinstance(effect, Append) and isinstance(effect.record, PositionAdopted)
    ]
    inventory.tell(
        fill(6, Side.BUY, 1, 500_000, venue_time_ns=words[1]),
        venue_position(7, 4, "50000", venue_time_ns=words[1]),
        fill(8, Side.BUY, 1, 500_000, venue_time_ns=words[1]),
    )
    assert alert_codes(inventory.wait(5)) == []
    assert inventory.lots() == (4, True)


def test_where_an_order_manager_agreed_with_the_venue_no_difference_is_waited_for() -> None:
    inventory = Driver().with_wallet("1000")
    at_ns = START_NS + VENUE_OFFSET_NS + 5 * S
    agreed = msgspec.structs.replace(venue_position(1, 2, "50000", venue_time_ns=at_ns), agreed_trade_id=100)
    assert alert_codes(inventory.tell(agreed)) == [("POSITION_MISMATCH", "BTCUSDC")]
    adopted = PositionAdopted(
        instrument_id=BTC, position_lots=2, entry_price=Decimal(50_000), trade_id_last=100, venue_time_ns=at_ns
    )
    assert inventory.journal[-1] == adopted
    inside, later = (
        msgspec.structs.replace(fill(seq, Side.BUY, 1, 500_000, venue_time_ns=at_ns), trade_id=trade_id)
        for seq, trade_id in ((2, 100), (3, 101))
    )
    inventory.tell(inside, later)
    assert inventory.lots() == (3, True)


def test_an_agreement_says_nothing_of_the_execution_that_follows_it_in_the_stream() -> None:
    inventory = Driver().with_wallet("1000")
    at_ns = START_NS + VENUE_OFFSET_NS + 5 * S
    agreed = venue_position(1, 0, "0", venue_time_ns=at_ns + 5 * MS)
    inventory.tell(msgspec.structs.replace(agreed, agreed_trade_id=99))
    inventory.tell(fill(2, Side.BUY, 2, 500_000, venue_time_ns=at_ns))
    assert alert_codes(inventory.wait(5)) == []
    assert inventory.lots() == (2, True)


def test_missed_events_are_made_good_at_the_next_agreement_however_busy_the_market_is() -> None:
    inventory = Driver().with_wallet()
    at_ns = START_NS + VENUE_OFFSET_NS
    inventory.tell(fill(1, Side.BUY, 2, 500_000), fill(4, Side.BUY, 1, 500_000))
    assert inventory.lots() == (3, False)
    agreed = venue_position(5, 7, "50000", venue_time_ns=at_ns)
    inventory.tell(msgspec.structs.replace(agreed, agreed_trade_id=4), fill(6, Side.BUY, 1, 500_000))
    assert inventory.lots() == (8, True)


def test_missed_events_put_the_shards_positions_in_doubt_until_the_venue_agrees() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 2, 500_000))
    effects = inventory.tell(fill(4, Side.BUY, 1, 500_000))
    assert Append(StreamMissed(shard=0, seq_last=1, seq_next=4)) in effects
    assert alert_codes(effects) == [("POSITION_MISMATCH", "shard 0")]
    assert (inventory.lots(), inventory.lots("ETHUSDC")) == ((3, False), (0, False))
    inventory.tell(venue_position(5, 3, "50000"))
    assert (inventory.lots(), inventory.lots("ETHUSDC")) == ((3, True), (0, False))


def test_a_shard_that_lost_its_journal_is_doubted_and_its_new_events_are_booked() -> None:
    inventory = Driver()
    inventory.tell(venue_position(1, 2, "50000"))
    first = era_begins_after(9) + 1
    effects = inventory.tell(fill(first, Side.BUY, 1, 500_000, venue_time_ns=START_NS + VENUE_OFFSET_NS + 2 * S))
    assert Append(StreamMissed(shard=0, seq_last=1, seq_next=first)) in effects
    assert [alert.text for alert in published(effects, Alert)] == [
        "shard 0 numbers its events anew, for its journal was lost: what followed event 1 never came: "
        "its positions wait for the venue's word"
    ]
    assert inventory.lots() == (3, False)
    assert inventory.core.resume_from(0) == first


def test_missed_events_are_made_good_from_the_venues_word() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 2, 500_000), fill(4, Side.BUY, 1, 500_000), venue_position(5, 9, "50000"))
    inventory.wait(2)
    assert inventory.lots() == (9, True)


def test_missed_events_make_inventory_ask_the_venue_at_once() -> None:
    inventory = Driver().with_wallet()
    inventory.calls.clear()
    inventory.tell(fill(1, Side.BUY, 2, 500_000), fill(4, Side.BUY, 1, 500_000), TICK)
    assert {type(request) for request in inventory.calls} >= {QueryPositions, QueryBalances}


def test_positions_that_are_asked_for_resolve_a_difference_as_well() -> None:
    inventory = Driver().with_wallet()
    inventory.wait(31)
    report = PositionReport(
        instrument_id=BTC, position_lots=7, entry_price=Decimal(1), mark_price=Decimal(1), venue_time_ns=0
    )
    inventory.answer(inventory.asked(QueryPositions), PositionsAnswered, positions=(report,))
    inventory.tell(TICK)
    inventory.wait(2)
    assert inventory.lots() == (7, True)


def test_an_answer_about_the_moment_of_a_fill_is_no_difference() -> None:
    inventory = Driver().with_wallet()
    inventory.wait(31)
    request = inventory.asked(QueryPositions)
    inventory.tell(fill(1, Side.BUY, 2, 500_000, venue_time_ns=request.venue_time_ns - 100 * MS))
    inventory.answer(request, PositionsAnswered, positions=())
    inventory.tell(TICK)
    inventory.wait(10)
    assert inventory.lots() == (2, True)


def test_the_wallet_opens_with_the_venues_word_and_is_journaled() -> None:
    inventory = Driver().with_wallet("1000")
    assert [record.balance for record in inventory.journal if isinstance(record, WalletAdopted)] == [1_000]


def test_a_margin_asset_that_the_venue_does_not_name_is_empty() -> None:
    inventory = Driver()
    inventory.tell(venue_clock(), TICK)
    inventory.answer(inventory.asked(QueryBalances), BalancesAnswered, balances=())
    inventory.tell(TICK)
    assert inventory.core.snapshot().wallets == {"USDC": "0"}


def test_a_wallet_that_stays_different_is_resolved_towards_the_venue() -> None:
    inventory = Driver().with_wallet("1000")
    inventory.tell(balance(1, "990"))
    inventory.tell(TICK)
    assert alert_codes(inventory.wait(2)) == [("POSITION_MISMATCH", "wallet USDC")]
    assert inventory.core.snapshot().wallets == {"USDC": "990"}


def test_a_balance_that_comes_before_its_fill_is_no_difference() -> None:
    inventory = Driver().with_wallet("1000")
    at_ns = START_NS + VENUE_OFFSET_NS + 5 * S
    inventory.tell(balance(1, "999", venue_time_ns=at_ns), TICK)
    inventory.now_ns += 1 * S
    inventory.tell(fill(2, Side.BUY, 2, 500_000, fee=Decimal(1), venue_time_ns=at_ns))
    assert alert_codes(inventory.wait(5)) == []
    assert inventory.core.snapshot().wallets == {"USDC": "999"}


def test_a_balance_between_a_word_and_its_fill_makes_the_next_difference_no_older() -> None:
    inventory = Driver().with_wallet("1000")
    first_ns, next_ns = (START_NS + VENUE_OFFSET_NS + seconds * S for seconds in (5, 15))
    inventory.tell(balance(1, "999", venue_time_ns=first_ns), TICK)
    inventory.tell(fill(2, Side.BUY, 2, 500_000, fee=Decimal(1), venue_time_ns=first_ns))
    inventory.tell(balance(3, "1000", venue_time_ns=first_ns), TICK)
    inventory.wait(10)
    inventory.tell(balance(4, "998", venue_time_ns=next_ns), TICK)
    inventory.tell(*(fill(seq, Side.BUY, 2, 500_000, fee=Decimal(1), venue_time_ns=next_ns) for seq in (5, 6)))
    assert inventory.core.snapshot().wallets == {"USDC": "997"}


def test_positions_and_balances_are_asked_for_every_ten_seconds_and_what_weighs_more_every_thirty() -> None:
    inventory = Driver().with_wallet()
    since = answered = len(inventory.calls)
    for _ in range(60):
        inventory.wait(1)
        for request in inventory.calls[answered:]:
            inventory.answer(request, OutcomeUnknown, reason="timeout")
        answered = len(inventory.calls)
    asked = Counter(type(request) for request in inventory.calls[since:])
    assert (asked[QueryPositions], asked[QueryBalances], asked[QueryIncome]) == (6, 6, 2)


def test_a_question_that_is_never_answered_is_asked_again() -> None:
    inventory = Driver()
    inventory.wait(11)
    assert [type(request) for request in inventory.calls] == [OpenUserStream, OpenUserStream]


def income(kind: str, amount: str, at_ns: int, transaction: str = "1") -> IncomeReport:
    return IncomeReport(
        symbol="BTCUSDC",
        kind=kind,
        asset="USDC",
        amount=Decimal(amount),
        transaction_id=transaction,
        trade_id=transaction,
        venue_time_ns=at_ns,
    )


def test_books_that_equal_the_venues_income_raise_nothing() -> None:
    inventory = Driver().with_wallet()
    at_ns = START_NS + VENUE_OFFSET_NS + 10 * S
    inventory.tell(fill(1, Side.BUY, 2, 500_000, fee=Decimal("0.5"), venue_time_ns=at_ns))
    inventory.wait(31)
    records = (income("COMMISSION", "-0.5", at_ns),)
    inventory.answer(inventory.asked(QueryIncome), IncomeAnswered, records=records, complete=True)
    view = inventory.core.snapshot()
    assert (view.income_windows, view.income_records, view.income_differences) == (1, 1, {})


def test_a_commission_that_we_never_booked_is_told_when_it_stays() -> None:
    inventory = Driver().with_wallet()
    told: list[tuple[str, str]] = []
    for number in range(4):
        inventory.wait(31)
        records = (income("COMMISSION", "-0.5", START_NS + VENUE_OFFSET_NS + 10 * S),) if number == 0 else ()
        told += alert_codes(
            inventory.answer(inventory.asked(QueryIncome), IncomeAnswered, records=records, complete=True)
        )
    assert told == [("POSITION_MISMATCH", "income fees USDC")] * 2
    assert inventory.core.snapshot().income_differences == {"fees USDC": "0.5"}


def test_an_income_question_that_fails_is_asked_for_the_same_window_again() -> None:
    inventory = Driver().with_wallet()
    inventory.wait(31)
    first = inventory.asked(QueryIncome)
    inventory.answer(first, OutcomeUnknown, reason="timeout")
    inventory.wait(31)
    assert inventory.asked(QueryIncome).venue_time_from_ms == first.venue_time_from_ms
    refusal = {"kind": RefusalKind.STOP_ACCOUNT, "venue_code": -2015, "text": "no"}
    effects = inventory.answer(inventory.asked(QueryIncome), Refused, **refusal)
    assert alert_codes(effects) == [("KEY_REFUSED", "account")]


def test_a_question_that_the_venue_refuses_for_another_reason_is_logged() -> None:
    inventory = Driver().with_wallet()
    inventory.wait(31)
    refusal = {"kind": RefusalKind.RETRY_LATER, "venue_code": -1001, "text": "later"}
    effects = inventory.answer(inventory.asked(QueryBalances), Refused, **refusal)
    assert [type(effect).__name__ for effect in effects] == ["Log"]


def test_a_comparison_on_demand_asks_at_once_and_shows_what_differs_under_its_token() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 2, 500_000, venue_time_ns=START_NS + VENUE_OFFSET_NS + MS))
    calls = len(inventory.calls)
    inventory.tell(Reconcile(token=9))
    assert [type(request) for request in inventory.calls[calls:]][:2] == [QueryBalances, QueryPositions]
    assert inventory.core.snapshot().reconciled == BooksReconciled()
    inventory.now_ns += 40 * MS
    balances = (BalanceReport(asset="USDC", wallet_balance=Decimal(990)),)
    inventory.answer(inventory.asked(QueryBalances), BalancesAnswered, balances=balances)
    inventory.answer(inventory.asked(QueryPositions), PositionsAnswered, positions=())
    assert inventory.core.snapshot().reconciled == BooksReconciled(
        token=9,
        took_ms=40,
        differences=("USDC: a balance of 1000 here, 990 at the venue", "BTCUSDC: 2 lots here, 0 at the venue"),
    )


def test_what_the_accounts_key_may_do_is_asked_at_the_wallet_and_told() -> None:
    inventory = Driver()
    assert not [call for call in inventory.with_wallet().calls if isinstance(call, QueryKeyPermissions)]
    inventory = Driver()
    addresses = {"rest_url": "http://127.0.0.1:1", "stream_url": "ws://127.0.0.1:1", "ws_api_url": "ws://127.0.0.1:1"}
    own = settings(venue={**addresses, "wallet_url": "http://127.0.0.1:1"})
    inventory.core = InventoryCore(spec("inventory"), own, [])
    inventory.with_wallet()
    granted = KeyPermissions(reads=True, trades_futures=True, trades_elsewhere=False, withdraws=True, transfers=False)
    effects = inventory.answer(inventory.asked(QueryKeyPermissions), KeyPermissionsAnswered, permissions=granted)
    assert published(effects) == [AccountKeySeen(permissions=granted, seen_ns=inventory.now_ns)]
