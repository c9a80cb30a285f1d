"""The comparison with the venue's income records, window by window, and a symbol's book at its bounds."""

from __future__ import annotations

from decimal import Decimal

import pytest
from account_samples import BTC, ETH, MS, START_NS, VENUE_OFFSET_NS, S, fill, instrument

from actors.inventory import books, income_check, wallets
from actors.inventory.books import SymbolBook
from actors.inventory.income_check import SETTLE_NS, Booking, IncomeCheck
from actors.inventory.ledger import AccountBooks
from actors.inventory.records import BooksSaved
from actors.inventory.wallets import Wallets
from protocols.values import Side
from protocols.venue import IncomeReport

VENUE_NS = START_NS + VENUE_OFFSET_NS


def record(amount: str, at_ns: int, transaction: str = "1", **changes: str) -> IncomeReport:
    fields = {"symbol": "BTCUSDC", "kind": "COMMISSION", "asset": "USDC", "trade_id": transaction, **changes}
    return IncomeReport(**fields, amount=Decimal(amount), transaction_id=transaction, venue_time_ns=at_ns)


def fee(amount: str, at_ns: int) -> Booking:
    return Booking(at_ns, "fees", "USDC", Decimal(amount))


def begun() -> IncomeCheck:
    check = IncomeCheck(["BTCUSDC"])
    assert check.next_from_ms(VENUE_NS) is None
    return check


def test_a_window_ends_some_seconds_before_it_is_asked_for() -> None:
    check = begun()
    assert check.next_from_ms(VENUE_NS + SETTLE_NS) is None
    assert check.next_from_ms(VENUE_NS + SETTLE_NS + MS) == VENUE_NS // MS


def test_what_came_before_the_check_began_is_left_out() -> None:
    check = begun()
    check.book(fee("-1", VENUE_NS - 1))
    check.next_from_ms(VENUE_NS + 30 * S)
    check.take((), True)
    assert check.differences == {}


def test_records_of_other_symbols_kinds_and_times_are_left_out() -> None:
    check = begun()
    check.next_from_ms(VENUE_NS + 30 * S)
    check.take(
        (
            record("-1", VENUE_NS, symbol="DOGEUSDC"),
            record("-1", VENUE_NS, kind="TRANSFER"),
            record("-1", VENUE_NS - MS),
            record("-1", VENUE_NS + 29 * S),
        ),
        True,
    )
    assert (check.records, check.differences) == (0, {})


def test_a_record_on_the_other_side_of_an_edge_cancels_out_in_the_next_window() -> None:
    check = begun()
    check.book(fee("-1", VENUE_NS + 24 * S))
    check.next_from_ms(VENUE_NS + 30 * S)
    check.take((), True)
    assert check.differences == {("fees", "USDC"): Decimal(-1)}
    check.next_from_ms(VENUE_NS + 60 * S)
    check.take((record("-1", VENUE_NS + 25 * S),), True)
    assert (check.differences, check.reported()) == ({}, {})


def test_a_fill_that_is_booked_late_still_counts() -> None:
    check = begun()
    check.next_from_ms(VENUE_NS + 30 * S)
    check.take((record("-1", VENUE_NS + S),), True)
    check.book(fee("-1", VENUE_NS + S))
    check.next_from_ms(VENUE_NS + 60 * S)
    check.take((), True)
    assert check.differences == {}


def test_pages_are_asked_for_until_the_window_is_whole_and_records_seen_twice_count_once() -> None:
    check = begun()
    check.book(fee("-2", VENUE_NS + S))
    check.next_from_ms(VENUE_NS + 30 * S)
    first = record("-1", VENUE_NS + S, "1")
    assert check.take((first,), False) == (VENUE_NS + S) // MS
    assert check.take((first, record("-1", VENUE_NS + S, "2")), True) is None
    assert (check.differences, check.records) == ({}, 2)


def test_a_window_with_more_pages_than_allowed_is_given_up() -> None:
    check = begun()
    check.next_from_ms(VENUE_NS + 30 * S)
    for _ in range(income_check.PAGES_MAX):
        check.take((record("-1", VENUE_NS + S),), False)
    assert (check.windows, check.differences) == (0, {})
    assert check.next_from_ms(VENUE_NS + 60 * S) is None


def test_an_answer_without_a_window_is_nothing() -> None:
    assert begun().take((record("-1", VENUE_NS),), True) is None


def test_more_bookings_than_are_kept_begin_the_check_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(income_check, "BOOKINGS_MAX", 2)
    check = begun()
    for _ in range(3):
        check.book(fee("-1", VENUE_NS))
    assert check.next_from_ms(VENUE_NS + 60 * S) is None


def test_one_last_digit_is_a_difference() -> None:
    check = begun()
    check.book(fee("-0.00000002", VENUE_NS))
    check.next_from_ms(VENUE_NS + 30 * S)
    check.take((record("-0.00000001", VENUE_NS),), True)
    assert check.differences == {("fees", "USDC"): Decimal("-0.00000001")}


def test_the_oldest_trades_are_known_by_their_number_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "TRADES_REMEMBERED_MAX", 2)
    book = SymbolBook(instrument_id=BTC)
    for number in (1, 2, 3):
        book.book(fill(number, Side.BUY, 1, 500_000), instrument())
    assert len(book.trades) == 2
    assert book.knows(fill(9, Side.BUY, 1, 500_000, trade_id=101, venue_order_id=77))
    assert not book.knows(fill(9, Side.BUY, 1, 500_000, trade_id=104))


def test_more_assets_than_are_followed_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wallets, "ASSETS_MAX", 1)
    held = Wallets()
    held.state("USDC", Decimal(1), 1)
    held.state("BNB", Decimal(1), 1)
    held.book("BNB", Decimal(1), 1)
    assert (held.refused, held.balance("BNB")) == (2, None)


def test_a_checkpoint_keeps_what_is_in_doubt_and_forgets_what_is_no_longer_traded() -> None:
    both = AccountBooks([instrument(BTC), instrument(ETH)], ((BTC, ETH),))
    for agreement in both.agreements.values():
        agreement.doubt()
    one = AccountBooks([instrument(BTC)], ((BTC,),))
    one.replay(both.checkpoint())
    assert (list(one.books), one.agreements[BTC].doubted) == ([BTC], True)


def test_later_bookings_do_not_change_a_checkpoint() -> None:
    account = AccountBooks([instrument(BTC)], ((BTC,),))
    saved = account.checkpoint()
    account.apply(fill(1, Side.BUY, 1, 500_000))
    assert isinstance(saved, BooksSaved)
    assert saved.books[0].fills == 0
