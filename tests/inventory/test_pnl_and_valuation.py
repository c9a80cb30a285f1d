"""PnL and equity: valued by fresh prices alone, fees in every asset, days, and parts that sum to the whole."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from account_samples import (
    BTC,
    ETH,
    START_NS,
    VENUE_OFFSET_NS,
    S,
    alert_codes,
    fill,
    mark,
    published,
    settings,
    spec,
)
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from inventory_rig import TICK, Driver, _events, balance, funding, happenings, rates

from actors.inventory.core import InventoryCore
from actors.inventory.records import DayBegan
from protocols.messages.inventory import EquityChanged, PnlChanged
from protocols.messages.market import BookTop
from protocols.messages.orders import OrderFilled
from protocols.values import Side
from protocols.venue import (
    QueryAssetRates,
)


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


def test_a_deposit_is_booked_once_and_is_no_profit() -> None:
    inventory = Driver().with_wallet("1000")
    deposit = balance(1, "1500", "500", "DEPOSIT")
    inventory.tell(deposit, balance(2, "1500", "500", "DEPOSIT", venue_time_ns=deposit.venue_time_ns))
    view = inventory.core.snapshot()
    assert (view.wallets, view.equity, view.day_pnl) == ({"USDC": "1500"}, "1500", "0")


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


def test_a_fee_in_bnb_waits_for_its_rate_and_then_counts() -> None:
    inventory = Driver().with_wallet()
    inventory.tell(fill(1, Side.BUY, 4, 500_000, fee=Decimal("0.1"), fee_asset="BNB"), TICK)
    view = inventory.core.snapshot().symbols["BTCUSDC"]
    assert (view.fees, view.fees_unvalued) == ("0", {"BNB": "0.1"})
    (told,) = published(inventory.tell(TICK), EquityChanged)
    assert (told.fees_elsewhere, told.unvalued) == (0, ("BNB",))
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
def test_with_fees_in_bnb_the_parts_sum_to_the_change_of_equity_less_what_the_fees_cost(
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
    assert (changed.fees_elsewhere, changed.unvalued) == (paid * 600, ())
