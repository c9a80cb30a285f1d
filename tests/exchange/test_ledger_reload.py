"""A restarted venue is the venue that wrote the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venue_rig import ACCOUNT, MS, START_NS, SYMBOL, VenueRig, contract

from actors.exchange import ledger, restore
from actors.exchange.accounts import DEFAULT_LEVERAGE
from actors.exchange.errors import VenueRefusal
from actors.exchange.frames import MarkFrame, SeamFrame
from actors.exchange.spool import LedgerFile, LedgerFileError
from actors.exchange.venue import Venue


def reloaded(rig: VenueRig) -> Venue:
    lines = [ledger.encode(record) for record in rig.records()]
    venue = Venue(rig.settings, [contract()], START_NS)
    restore.load(venue, ledger.decode_lines(lines))
    return venue


def state(venue: Venue) -> dict[str, Any]:
    """Everything of the accounts that a client can ask for."""
    return {
        name: {
            "wallets": account.wallets,
            "positions": {
                symbol: (p.amount, p.cost, p.realized_total, p.leverage, p.entry_price)
                for symbol, p in account.positions.items()
                if p.updated_ms or p.leverage != DEFAULT_LEVERAGE
            },
            "live": {
                key: (o.order_id, o.price_ticks, o.lots, o.executed_lots, o.executed_quote, o.status, o.amendments)
                for key, o in account.live.items()
            },
            "closed": {o.order_id: (o.status, o.executed_lots) for o in account.orders.values() if not o.is_live},
            "trades": list(account.trades),
            "income": list(account.income),
        }
        for name, account in venue.accounts.items()
    }


actions = st.lists(
    st.tuples(
        st.sampled_from(["sold", "bought", "place", "market", "amend", "cancel", "seam", "leverage", "countdown"]),
        st.integers(-3, 3),
        st.integers(1, 40),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(actions=actions)
def test_a_reloaded_ledger_gives_the_same_state(actions: list[tuple[str, int, int]]) -> None:
    rig = VenueRig()
    for kind, offset, lots in actions:
        price, side = 640_000 + offset, "BUY" if lots % 2 else "SELL"
        live = rig.account.live_orders()
        try:
            match kind:
                case "sold" | "bought":
                    rig.apply(getattr(rig.market, kind)(price, lots))
                case "place":
                    rig.place(side, price, lots)
                case "market":
                    rig.market_order(side, lots)
                case "amend" if live:
                    rig.venue.amend(rig.account, live[0], price, lots, None, 0, 0)
                case "cancel" if live:
                    rig.venue.cancel(live[-1])
                case "seam":
                    rig.apply(SeamFrame(rig.venue.now_ns, 1))
                case "leverage":
                    rig.venue.set_leverage(rig.account, SYMBOL, lots)
                case "countdown":
                    rig.venue.set_countdown(rig.account, SYMBOL, lots * 1_000)
        except VenueRefusal:
            continue
    venue = reloaded(rig)
    seams = {o for r in rig.records() if isinstance(r, ledger.SeamClosed) for o in [r.order_id]}
    expected = state(rig.venue)
    for account in expected.values():
        account["closed"] = {key: value for key, value in account["closed"].items() if key not in seams}
    assert state(venue) == expected
    assert venue.countdowns == rig.venue.countdowns
    assert venue.next_order_id == rig.venue.next_order_id


def test_a_restored_order_joins_the_back_of_its_level_with_the_first_book() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5)
    venue = reloaded(rig)
    restored = venue.accounts[ACCOUNT].orders[order.order_id]
    venue.apply(rig.market.book(bids=[(640_000, 33), (639_999, 5)]))
    assert restored.lots_ahead == 33
    venue.apply(rig.market.sold(640_000, 36))
    assert restored.executed_lots == 3


def test_a_restored_countdown_still_cancels() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5)
    rig.venue.set_countdown(rig.account, SYMBOL, 1_000)
    venue = reloaded(rig)
    venue.apply(rig.market.book())
    venue.advance(rig.venue.now_ns + 2_000 * MS)
    assert venue.accounts[ACCOUNT].orders[order.order_id].status == "CANCELED"


def test_who_pays_fees_in_bnb_is_known_after_the_restart() -> None:
    rig = VenueRig()
    rig.venue.set_fee_burn(rig.account, fee_burn=True)
    rig.venue.account("other")
    venue = reloaded(rig)
    assert (venue.accounts[ACCOUNT].fee_burn, venue.accounts["other"].fee_burn) == (True, False)
    rig.venue.set_fee_burn(rig.account, fee_burn=False)
    assert not reloaded(rig).accounts[ACCOUNT].fee_burn
    assert reloaded(VenueRig(fee_burn=True)).accounts[ACCOUNT].fee_burn


def test_every_record_survives_its_line() -> None:
    records: list[ledger.LedgerRecord] = [
        ledger.RequestRefused(t=1, account="a", symbol="S", method="place", code=-5022, count=3),
        ledger.TopSampled(
            t=2,
            symbol="S",
            bid=Decimal("1.10"),
            bid_quantity=Decimal(1),
            ask=None,
            ask_quantity=Decimal(0),
            mark=Decimal(1),
        ),
    ]
    lines = [ledger.encode(record) for record in records]
    assert list(ledger.decode_lines(lines)) == records
    assert lines[0] == (
        b'{"kind":"RequestRefused","t":1,"account":"a","symbol":"S","method":"place","code":-5022,'
        b'"count":3,"client_order_id":""}\n'
    )


def test_a_torn_last_line_is_skipped_and_cut_off(tmp_path: Any) -> None:
    path = tmp_path / "ledger.jsonl"
    record = ledger.CountdownSet(t=1, account="a", symbol="S", deadline_ns=0)
    path.write_bytes(ledger.encode(record) + b'{"kind":"CountdownSet","t":2,"acc')
    file = LedgerFile(path)
    assert list(file.read()) == [record]
    file.append([record])
    file.close()
    assert path.read_bytes() == ledger.encode(record) * 2


def test_a_damaged_line_before_the_last_is_refused_by_number(tmp_path: Any) -> None:
    good = ledger.encode(ledger.CountdownSet(t=1, account="a", symbol="S", deadline_ns=0))
    with pytest.raises(ledger.LedgerDamagedError, match="ledger line 2 cannot be read"):
        list(ledger.decode_lines([good, b"{}\n", good]))


@pytest.mark.parametrize("content", [b"notes of somebody\n", b"notes of somebody", b"\x00\xff\xfe", b"[]\n"])
def test_a_file_that_is_no_ledger_is_refused_and_left_as_it_was(tmp_path: Any, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    file = LedgerFile(path)
    with pytest.raises(ledger.LedgerDamagedError, match="ledger line 1 cannot be read"):
        list(file.read())
    file.close()
    assert path.read_bytes() == content


def test_a_damaged_last_line_that_was_finished_is_refused() -> None:
    good = ledger.encode(ledger.CountdownSet(t=1, account="a", symbol="S", deadline_ns=0))
    with pytest.raises(ledger.LedgerDamagedError, match="ledger line 2 cannot be read"):
        list(ledger.decode_lines([good, b'{"kind":"Unheard"}\n']))


def test_two_venues_cannot_hold_one_ledger(tmp_path: Any) -> None:
    path = tmp_path / "ledger.jsonl"
    first = LedgerFile(path)
    with pytest.raises(LedgerFileError, match="is in use by another venue"):
        LedgerFile(path)
    first.close()
    LedgerFile(path).close()


def test_times_never_fall_from_run_to_run() -> None:
    rig = VenueRig()
    rig.place("BUY", 640_000, 5)
    venue = Venue(rig.settings, [contract()], START_NS - 10**12)
    restore.load(venue, rig.records())
    assert venue.now_ns >= max(record.t for record in rig.records())


def test_funding_paid_before_the_restart_is_in_wallet_and_income_and_paid_once() -> None:
    rig = VenueRig()
    rig.market_order("BUY", 10)
    due = rig.venue.now_ns + 1_000 * MS
    rig.apply(MarkFrame(SYMBOL, rig.venue.now_ns, Decimal(64_000), None, Decimal("0.0001"), due))
    rig.venue.advance(due)
    venue = reloaded(rig)
    assert state(venue) == state(rig.venue)
    assert [row.kind for row in venue.accounts[ACCOUNT].income] == ["COMMISSION", "FUNDING_FEE"]


def test_an_order_of_good_till_date_still_expires_after_the_restart() -> None:
    rig = VenueRig()
    order = rig.place("BUY", 640_000, 5, time_in_force="GTD", good_till_ms=rig.venue.now_ms + 700_000)
    venue = reloaded(rig)
    venue.apply(rig.market.book())
    venue.advance(rig.venue.now_ns + 701_000 * MS)
    assert venue.accounts[ACCOUNT].orders[order.order_id].status == "EXPIRED"


def test_records_of_a_symbol_no_longer_listed_keep_the_wallet() -> None:
    rig = VenueRig()
    rig.market_order("BUY", 10)
    rig.place("BUY", 640_000, 5)
    venue = Venue(rig.settings, [contract("ETHUSDC")], START_NS)
    restore.load(venue, rig.records())
    account = venue.accounts[ACCOUNT]
    assert account.wallets == rig.account.wallets
    assert (account.orders, account.positions) == ({}, {})
