"""Inventory's core: books once, values at the mark, doubts what it missed, and takes the venue's word."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from account_samples import (
    BTC,
    ETH,
    MS,
    START_NS,
    VENUE_OFFSET_NS,
    S,
    alert_codes,
    fill,
    mark,
    published,
    settings,
    spec,
    venue_clock,
    venue_position,
)
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from actors.inventory import core as inventory_core
from actors.inventory.core import InventoryCore
from actors.inventory.records import BooksSaved, DayBegan, StreamMissed, WalletAdopted
from actors.inventory.snapshot import BooksReconciled
from protocols.arithmetic.sequences import era_begins_after
from protocols.effects import Append, Call, Effect, LinkChanged, Publish, SetTimer, TimerFired
from protocols.messages.alerts import Alert
from protocols.messages.control import ActorState, Drain, EmergencyStop, Reconcile
from protocols.messages.inventory import EquityChanged, PnlChanged, PositionChanged, UserStreamKey
from protocols.messages.journal import PositionAdopted
from protocols.messages.market import BookTop
from protocols.messages.orders import BalanceChanged, FundingPaid, MarginCalled, OrderFilled, UserStreamLost
from protocols.values import Side
from protocols.venue import (
    AssetRate,
    AssetRatesAnswered,
    BalanceReport,
    BalancesAnswered,
    Done,
    IncomeAnswered,
    IncomeReport,
    KeepUserStream,
    NotSent,
    OpenUserStream,
    OutcomeUnknown,
    PositionReport,
    PositionsAnswered,
    QueryAssetRates,
    QueryBalances,
    QueryIncome,
    QueryPositions,
    RefusalKind,
    Refused,
    Throttled,
    Usage,
    UserStreamOpened,
)

TICK = TimerFired(name="tick")


class Driver:
    """A core with a clock that answers nothing by itself. `journal` is what it appended."""

    def __init__(self, journal: list[Any] | None = None) -> None:
        self.now_ns = START_NS
        self.core = InventoryCore(spec("inventory"), settings(), journal or [])
        self.journal: list[Any] = list(journal or [])
        self.calls: list[Any] = []
        self.note(self.core.start(self.now_ns))

    def note(self, effects: list[Effect]) -> list[Effect]:
        self.journal += [effect.record for effect in effects if isinstance(effect, Append)]
        self.calls += [effect.request for effect in effects if isinstance(effect, Call)]
        return effects

    def tell(self, *messages: Any) -> list[Effect]:
        done: list[Effect] = []
        for message in messages:
            done += self.note(self.core.handle(message, self.now_ns))
        return done

    def wait(self, seconds: float) -> list[Effect]:
        self.now_ns += int(seconds * S)
        return self.tell(TICK)

    def asked(self, kind: type) -> Any:
        """The newest request of a kind."""
        return [request for request in self.calls if isinstance(request, kind)][-1]

    def answer(self, request: Any, outcome: type, **fields: Any) -> list[Effect]:
        return self.tell(outcome(request_id=request.request_id, received_ns=self.now_ns, usage=Usage(), **fields))

    def with_wallet(self, amount: str = "1000") -> Driver:
        """The venue's clock is known, the wallet opened, both symbols flat and known, both marks fresh."""
        self.tell(venue_clock(), TICK)
        balances = (BalanceReport(asset="USDC", wallet_balance=Decimal(amount)),)
        self.answer(self.asked(QueryBalances), BalancesAnswered, balances=balances)
        self.answer(self.asked(QueryPositions), PositionsAnswered, positions=())
        self.tell(mark("50000"), mark("2500", START_NS, ETH), TICK)
        return self

    def lots(self, symbol: str = "BTCUSDC") -> tuple[int, bool]:
        view = self.core.snapshot().symbols[symbol]
        return view.position_lots, view.known


def balance(event_seq: int, amount: str, change: str = "0", reason: str = "ORDER", **changes: Any) -> BalanceChanged:
    fields: dict[str, Any] = {
        "shard": 0,
        "event_seq": event_seq,
        "asset": "USDC",
        "wallet_balance": Decimal(amount),
        "balance_change": Decimal(change),
        "reason": reason,
        "venue_time_ns": START_NS + VENUE_OFFSET_NS + event_seq * MS,
    }
    return BalanceChanged(**{**fields, **changes})


def funding(event_seq: int, amount: str) -> FundingPaid:
    return FundingPaid(
        shard=0,
        event_seq=event_seq,
        instrument_id=BTC,
        asset="USDC",
        amount=Decimal(amount),
        transaction_id="",
        venue_time_ns=START_NS + VENUE_OFFSET_NS + event_seq * MS,
    )


def test_a_fill_is_journaled_before_the_position_is_published() -> None:
    event = fill(1, Side.BUY, 2, 500_000)
    changed = PositionChanged(
        instrument_id=BTC, position_lots=2, average_price=Decimal(50_000), shard=0, event_seq=1, known=True
    )
    assert Driver().with_wallet().tell(event) == [Append(event), Publish(changed)]


def test_an_event_is_booked_once_by_its_number() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 2, 500_000))
    assert inventory.tell(fill(1, Side.BUY, 2, 500_000)) == []
    assert inventory.lots() == (2, True)


def test_a_trade_is_booked_once_under_another_number() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 2, 500_000), fill(2, Side.BUY, 2, 500_000, trade_id=101, venue_order_id=1))
    assert inventory.lots() == (2, True)
    assert inventory.core.snapshot().repeated == 1


def test_both_sides_of_one_trade_of_our_own_are_booked() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 2, 500_000, fee=Decimal(1)), fill(2, Side.SELL, 2, 500_000, trade_id=101))
    assert (inventory.lots(), inventory.core.snapshot().symbols["BTCUSDC"].fills) == ((0, True), 2)


def test_a_foreign_fill_counts_like_any_other() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.SELL, 2, 500_000, ours=False, client_order_id=""))
    assert inventory.lots() == (-2, True)


def test_pnl_of_the_day_is_realised_and_unrealised_less_fees_plus_funding() -> None:
    inventory = Driver().with_wallet("1000")
    inventory.tell(
        fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1")),
        fill(2, Side.SELL, 1, 510_000, fee=Decimal("-0.02")),
        funding(3, "-0.3"),
        mark("50500"),
    )
    effects = inventory.tell(TICK)
    assert published(effects, PnlChanged)[0] == PnlChanged(
        instrument_id=BTC,
        realised=Decimal(1),
        unrealised=Decimal("1.5"),
        fees=Decimal("0.08"),
        funding=Decimal("-0.3"),
        net=Decimal("2.12"),
        valued_ns=START_NS,
    )
    assert published(effects, EquityChanged) == [
        EquityChanged(equity=Decimal("1002.12"), day_pnl=Decimal("2.12"), valued_ns=START_NS)
    ]


def test_a_fee_in_another_asset_leaves_its_own_wallet() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1"), fee_asset="BNB"))
    view = inventory.core.snapshot()
    assert (view.symbols["BTCUSDC"].fees, view.wallets) == ("0", {"USDC": "1000"})


def test_without_a_fresh_price_an_open_position_has_no_pnl_and_the_account_no_equity() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000))
    effects = inventory.wait(11)
    assert [pnl.instrument_id for pnl in published(effects, PnlChanged)] == [ETH]
    assert published(effects, EquityChanged) == []
    assert inventory.core.snapshot().equity == ""


def test_without_a_mark_the_middle_of_the_book_values_a_position() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000))
    inventory.now_ns += 11 * S
    top = BookTop(
        instrument_id=BTC,
        instrument_version=1,
        update_id=1,
        venue_time_ns=0,
        received_ns=inventory.now_ns,
        bids=((500_000, 1),),
        asks=((500_010, 1),),
    )
    (btc, _) = published(inventory.tell(top, TICK), PnlChanged)
    assert btc.unrealised == Decimal("0.002")


@pytest.mark.parametrize("price", ["NaN", "Infinity", "0", "-1"])
def test_a_mark_price_that_cannot_be_values_nothing(price: str) -> None:
    inventory = Driver().with_wallet()
    assert alert_codes(inventory.tell(mark(price))) == [("BAD_DATA", BTC)]
    assert inventory.core.snapshot().symbols["BTCUSDC"].price == "50000"


def test_a_crossed_book_values_nothing() -> None:
    top = BookTop(
        instrument_id=BTC,
        instrument_version=1,
        update_id=1,
        venue_time_ns=0,
        received_ns=START_NS,
        bids=((5, 1),),
        asks=((5, 1),),
    )
    assert alert_codes(Driver().tell(top)) == [("BAD_DATA", BTC)]


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


def test_everything_is_said_again_four_times_a_second() -> None:
    inventory = Driver().with_wallet()
    effects = inventory.tell(TICK)
    assert SetTimer("tick", START_NS + 250 * MS) in effects
    assert [p.instrument_id for p in published(effects, PositionChanged)] == [BTC, ETH]


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


def test_a_deposit_is_booked_once_and_is_no_profit() -> None:
    inventory = Driver().with_wallet("1000")
    deposit = balance(1, "1500", "500", "DEPOSIT")
    inventory.tell(deposit, balance(2, "1500", "500", "DEPOSIT", venue_time_ns=deposit.venue_time_ns))
    view = inventory.core.snapshot()
    assert (view.wallets, view.equity, view.day_pnl) == ({"USDC": "1500"}, "1500", "0")


def test_a_wallet_that_stays_different_is_resolved_towards_the_venue() -> None:
    inventory = Driver().with_wallet("1000")
    inventory.tell(balance(1, "990"))
    inventory.tell(TICK)
    assert alert_codes(inventory.wait(2)) == [("POSITION_MISMATCH", "wallet USDC")]
    assert inventory.core.snapshot().wallets == {"USDC": "990"}


def test_a_balance_repeated_after_the_next_change_of_its_millisecond_is_not_adopted() -> None:
    inventory = Driver().with_wallet("1000")
    at_ns = START_NS + VENUE_OFFSET_NS + 5 * S
    fee = {"fee": Decimal(1), "venue_time_ns": at_ns}
    inventory.tell(balance(1, "999", venue_time_ns=at_ns), fill(2, Side.BUY, 2, 500_000, **fee))
    inventory.tell(balance(3, "998", venue_time_ns=at_ns), fill(4, Side.BUY, 2, 500_000, **fee))
    inventory.tell(balance(5, "999", venue_time_ns=at_ns))
    assert alert_codes(inventory.wait(5)) == []
    assert inventory.core.snapshot().wallets == {"USDC": "998"}


def test_a_balance_that_comes_before_its_fill_is_no_difference() -> None:
    inventory = Driver().with_wallet("1000")
    at_ns = START_NS + VENUE_OFFSET_NS + 5 * S
    inventory.tell(balance(1, "999", venue_time_ns=at_ns), TICK)
    inventory.now_ns += 1 * S
    inventory.tell(fill(2, Side.BUY, 2, 500_000, fee=Decimal(1), venue_time_ns=at_ns))
    assert alert_codes(inventory.wait(5)) == []
    assert inventory.core.snapshot().wallets == {"USDC": "999"}


def test_a_new_day_measures_from_its_start() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000, fee=Decimal(1)), mark("50500"))
    inventory.now_ns += 86_400 * S
    inventory.tell(mark("51000", inventory.now_ns), mark("2500", inventory.now_ns, ETH), TICK)
    (btc, _) = published(inventory.tell(mark("51100", inventory.now_ns), TICK), PnlChanged)
    assert (btc.realised, btc.unrealised, btc.fees, btc.net) == (0, Decimal("0.4"), 0, Decimal("0.4"))
    assert [record.day for record in inventory.journal if isinstance(record, DayBegan)] == [20_717, 20_718]


def test_a_day_does_not_begin_while_a_position_cannot_be_valued() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000))
    inventory.now_ns += 86_400 * S
    inventory.tell(TICK)
    assert inventory.core.snapshot().day == 20_717


def test_a_restart_from_the_journal_gives_the_same_books() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(
        fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1")),
        balance(2, "1499.9", "500", "DEPOSIT"),
        funding(3, "0.5"),
        fill(4, Side.SELL, 6, 510_000, fee=Decimal("0.1")),
        fill(9, Side.BUY, 1, 510_000),
    )
    restarted = Driver(inventory.journal)
    restarted.tell(mark("50000"), mark("2500", START_NS, ETH), TICK)
    before, after = inventory.core.snapshot(), restarted.core.snapshot()
    assert (after.symbols, after.wallets, after.day_pnl, after.event_seq) == (
        before.symbols,
        before.wallets,
        before.day_pnl,
        before.event_seq,
    )
    assert restarted.core.resume_from(0) == 9


def test_a_checkpoint_comes_after_so_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_core, "CHECKPOINT_EVENTS", 2)
    inventory = Driver().with_wallet()
    inventory.tell(*(fill(number, Side.BUY, 1, 500_000) for number in range(1, 5)))
    assert sum(isinstance(record, BooksSaved) for record in inventory.journal) == 3
    last = max(i for i, record in enumerate(inventory.journal) if isinstance(record, BooksSaved))
    assert Driver(inventory.journal[last:]).lots() == (4, True)


def test_the_key_is_opened_published_at_once_and_said_again_every_second() -> None:
    inventory = Driver()
    effects = inventory.answer(inventory.asked(OpenUserStream), UserStreamOpened, listen_key="secret")
    assert published(effects) == [UserStreamKey(listen_key="secret")]
    said = [published(inventory.wait(0.25), UserStreamKey) for _ in range(8)]
    assert sum(map(len, said)) == 2
    assert "secret" not in repr(inventory.core.snapshot()) + repr(effects)


def test_the_key_is_kept_alive_and_opened_anew_when_the_venue_refuses() -> None:
    inventory = Driver()
    inventory.answer(inventory.asked(OpenUserStream), UserStreamOpened, listen_key="first")
    inventory.wait(61)
    effects = inventory.answer(inventory.asked(KeepUserStream), Done)
    assert published(effects) == [UserStreamKey(listen_key="first")]
    inventory.wait(61)
    refusal = {"kind": RefusalKind.NOT_FOUND, "venue_code": -1125, "text": "no such key"}
    effects = inventory.answer(inventory.asked(KeepUserStream), Refused, **refusal)
    assert alert_codes(effects) == [("USER_STREAM_LOST", "user stream")]
    inventory.calls.clear()
    inventory.tell(TICK)
    effects = inventory.answer(inventory.asked(OpenUserStream), UserStreamOpened, listen_key="second")
    assert published(effects) == [UserStreamKey(listen_key="second")]


def test_a_key_that_an_order_manager_saw_dying_is_opened_anew_at_once() -> None:
    inventory = Driver()
    inventory.answer(inventory.asked(OpenUserStream), UserStreamOpened, listen_key="first")
    inventory.calls.clear()
    inventory.tell(UserStreamLost(shard=0, lost_ns=START_NS))
    assert [type(request) for request in inventory.calls] == [OpenUserStream]


def test_an_api_key_that_the_venue_refuses_is_a_critical_alert() -> None:
    inventory = Driver()
    refusal = {"kind": RefusalKind.STOP_ACCOUNT, "venue_code": -2015, "text": "invalid key"}
    effects = inventory.answer(inventory.asked(OpenUserStream), Refused, **refusal)
    assert alert_codes(effects) == [("KEY_REFUSED", "user stream")]


@pytest.mark.parametrize(("outcome", "fields"), [(OutcomeUnknown, {"reason": "x"}), (NotSent, {"reason": "x"})])
def test_a_key_that_could_not_be_asked_for_is_asked_for_again_with_a_growing_delay(
    outcome: type, fields: dict[str, Any]
) -> None:
    inventory = Driver()
    asked = []
    for _ in range(400):
        before = len(inventory.calls)
        inventory.wait(0.25)
        if len(inventory.calls) > before:
            asked.append(inventory.now_ns)
            inventory.answer(inventory.asked(OpenUserStream), outcome, **fields)
        elif not asked:
            inventory.answer(inventory.asked(OpenUserStream), outcome, **fields)
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert gaps == sorted(gaps)
    assert max(gaps) <= 30 * S + 250 * MS


def test_a_key_lost_inside_a_retry_after_window_is_opened_only_after_it() -> None:
    inventory = Driver()
    inventory.answer(
        inventory.asked(OpenUserStream),
        Throttled,
        retry_at_ns=START_NS + 10 * S,
        banned=False,
        orders_only=False,
        venue_code=-1003,
        text="",
    )
    inventory.calls.clear()
    inventory.tell(UserStreamLost(shard=0, lost_ns=START_NS))
    inventory.wait(9)
    assert inventory.calls == []
    inventory.wait(1)
    assert [type(request) for request in inventory.calls] == [OpenUserStream]


def test_a_throttled_question_waits_as_long_as_the_venue_says() -> None:
    inventory = Driver()
    until_ns = START_NS + 40 * S
    inventory.answer(
        inventory.asked(OpenUserStream),
        Throttled,
        retry_at_ns=until_ns,
        banned=False,
        orders_only=False,
        venue_code=-1003,
        text="",
    )
    inventory.calls.clear()
    inventory.wait(39)
    assert inventory.calls == []
    inventory.wait(1)
    assert [type(request) for request in inventory.calls] == [OpenUserStream]


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


def test_what_does_not_concern_inventory_changes_nothing() -> None:
    inventory = Driver()
    before = inventory.core.snapshot()
    stray = Done(request_id=99, received_ns=0, usage=Usage())
    assert inventory.tell(LinkChanged(peer="x", up=True), EmergencyStop(reason=""), stray) == []
    assert inventory.core.snapshot() == before


def test_a_drained_inventory_is_stopped() -> None:
    inventory = Driver()
    inventory.tell(Drain())
    assert inventory.core.state() is ActorState.STOPPED


sides = st.sampled_from(list(Side))
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), sides, st.integers(1, 50), st.integers(400_000, 600_000), st.integers(-300, 300)),
        st.tuples(st.just("funding"), st.integers(-1_000, 1_000)),
        st.tuples(st.just("transfer"), st.integers(-1_000, 1_000)),
    ),
    max_size=25,
)


def _events(happened: list[tuple[Any, ...]]) -> list[Any]:
    events: list[Any] = []
    for seq, what in enumerate(happened, 1):
        if what[0] == "fill":
            events.append(fill(seq, what[1], what[2], what[3], fee=Decimal(what[4]) / 100_000))
        elif what[0] == "funding":
            events.append(funding(seq, str(Decimal(what[1]) / 1_000)))
        else:
            events.append(balance(seq, "0", str(what[1]), "DEPOSIT", asset="USDC"))
    return events


@hypothesis_settings(max_examples=60, deadline=None)
@given(happened=happenings, price=st.integers(40_000, 60_000))
def test_the_parts_sum_to_the_change_of_equity(happened: list[tuple[Any, ...]], price: int) -> None:
    inventory = Driver().with_wallet("10000")
    inventory.tell(*_events(happened), mark(str(price)))
    (changed,) = published(inventory.tell(TICK), EquityChanged)
    transfers = sum(what[1] for what in happened if what[0] == "transfer")
    assert changed.equity - 10_000 - transfers == changed.day_pnl
    view = inventory.core.snapshot().symbols["BTCUSDC"]
    parts = Decimal(view.realised) + Decimal(view.unrealised) - Decimal(view.fees) + Decimal(view.funding)
    assert parts == changed.day_pnl


@hypothesis_settings(max_examples=60, deadline=None)
@given(happened=happenings, data=st.data())
def test_replaying_events_twice_changes_nothing(happened: list[tuple[Any, ...]], data: st.DataObject) -> None:
    events = _events(happened)
    once = Driver().with_wallet()
    once.tell(*events)
    twice = Driver().with_wallet()
    again = data.draw(st.integers(0, len(events)))
    twice.tell(*events, *events[again:])
    assert (once.core.snapshot().symbols, once.core.snapshot().wallets) == (
        twice.core.snapshot().symbols,
        twice.core.snapshot().wallets,
    )
    restarted = Driver(twice.journal)
    restarted.tell(mark("50000"), mark("2500", START_NS, ETH), *events)
    assert restarted.core.snapshot().symbols == once.core.snapshot().symbols


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


def rates(inventory: Driver, **of: str) -> list[Effect]:
    told = tuple(AssetRate(asset=asset, rate=Decimal(rate)) for asset, rate in of.items())
    return inventory.answer(inventory.asked(QueryAssetRates), AssetRatesAnswered, rates=told)


def test_a_fee_in_bnb_waits_for_its_rate_and_then_counts() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1"), fee_asset="BNB"), TICK)
    view = inventory.core.snapshot().symbols["BTCUSDC"]
    assert (view.fees, view.fees_unvalued) == ("0", {"BNB": "0.1"})
    rates(inventory, BNB="600", USDT="1")
    view = inventory.core.snapshot().symbols["BTCUSDC"]
    assert (view.fees, view.fees_unvalued, view.day_net) == ("60", {}, "-60")


def test_a_fee_in_bnb_is_booked_at_the_rate_of_its_time_also_after_a_restart() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1"), fee_asset="BNB"), TICK)
    rates(inventory, BNB="600")
    inventory.tell(fill(2, Side.BUY, 4, 500_000, fee=Decimal("0.1"), fee_asset="BNB"))
    inventory.wait(31)
    rates(inventory, BNB="700")
    inventory.tell(fill(3, Side.BUY, 4, 500_000, fee=Decimal("0.1"), fee_asset="BNB"))
    assert inventory.core.snapshot().symbols["BTCUSDC"].fees == "190"
    assert Driver(inventory.journal).core.snapshot().symbols["BTCUSDC"].fees == "190"


def test_without_fees_in_other_assets_nobody_asks_for_rates() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1")))
    inventory.wait(31)
    assert not [request for request in inventory.calls if isinstance(request, QueryAssetRates)]


@pytest.mark.parametrize("rate", ["NaN", "Infinity", "0", "-1"])
def test_a_rate_that_cannot_be_values_no_fee(rate: str) -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1"), fee_asset="BNB"), TICK)
    rates(inventory, BNB=rate)
    assert inventory.core.snapshot().symbols["BTCUSDC"].fees_unvalued == {"BNB": "0.1"}


def test_what_the_venue_takes_beside_fills_is_a_loss_and_a_withdrawal_is_none() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(balance(1, "0", "-3", "INSURANCE_CLEAR"), balance(2, "0", "-100", "WITHDRAW"))
    view = inventory.core.snapshot()
    assert (view.equity, view.day_pnl, view.charges) == ("897", "-3", "-3")
    assert Driver(inventory.journal).core.snapshot().charges == "-3"


def test_the_day_begins_on_the_clock_of_its_zone() -> None:
    inventory = Driver()
    inventory.core = InventoryCore(spec("inventory"), settings(risk={"day_zone": "Asia/Tokyo", "day_starts": "00:00"}))
    inventory.with_wallet()
    assert inventory.core.snapshot().day == (START_NS + VENUE_OFFSET_NS + 9 * 3_600 * S) // (86_400 * S)


@hypothesis_settings(max_examples=60, deadline=None)
@given(happened=happenings, price=st.integers(40_000, 60_000))
def test_with_fees_in_bnb_the_days_pnl_is_the_change_of_equity_less_their_value(
    happened: list[tuple[Any, ...]], price: int
) -> None:
    inventory = Driver().with_wallet("10000")
    events = [
        msgspec.structs.replace(event, fee_asset="BNB") if isinstance(event, OrderFilled) else event
        for event in _events(happened)
    ]
    inventory.tell(*events, TICK)
    paid = sum((event.fee for event in events if isinstance(event, OrderFilled)), Decimal(0))
    if paid:
        rates(inventory, BNB="600")
    inventory.tell(mark(str(price)))
    (changed,) = published(inventory.tell(TICK), EquityChanged)
    transfers = sum(what[1] for what in happened if what[0] == "transfer")
    assert changed.equity - 10_000 - transfers - paid * 600 == changed.day_pnl
