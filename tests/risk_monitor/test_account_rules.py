"""The account watch: each difference from the configuration, or from what was at start, halts and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from account_samples import BTC, ETH, S, alert_codes, instrument, settings, spec
from risk_market import Market, book
from risk_monitor_rig import READS, TRADES, Driver

from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.memory import RiskMemory
from protocols.effects import Call, Publish, TimerFired
from protocols.messages.control import Resume
from protocols.messages.inventory import AccountKeySeen
from protocols.messages.orders import OrderRejected
from protocols.messages.risk import InstrumentChanged, TradingState
from protocols.values import Side
from protocols.venue import (
    AccountConfigUpdate,
    Bracket,
    BracketReport,
    ListingReport,
    QueryAccountConfig,
    QueryBrackets,
    QueryFeeBurn,
    QueryFeeRates,
    QueryListing,
    SymbolConfigReport,
)


def watched(memory: RiskMemory | None = None, change: Change | None = None, **account: Any) -> Driver:
    """A healthy system whose account was looked at once, with both symbols' fees; `change` came before."""
    risk = Driver()
    own = settings(account=account, venue=WALLET, risk={"keys": {"file": "read.keys"}})
    risk.core = RiskMonitorCore(spec("risk_monitor"), own, memory)
    configs = [
        SymbolConfigReport(instrument_id=i, leverage=20, notional_max=Decimal(10**6), margin_type="CROSSED")
        for i in (BTC, ETH)
    ]
    risk.venue_configs = configs
    risk.venue_brackets = [brackets(125)]
    if change is not None:
        change(risk)
    risk.healthy("100000")
    later(risk, 2)
    return risk


Change = Callable[[Driver], None]
WALLET = {
    "rest_url": "http://127.0.0.1:1",
    "stream_url": "ws://127.0.0.1:1",
    "ws_api_url": "ws://127.0.0.1:1",
    "wallet_url": "http://127.0.0.1:1",
}


def brackets(leverage: int) -> BracketReport:
    one = Bracket(notional_cap=Decimal(50_000), leverage_max=leverage, maintenance_rate=Decimal("0.004"))
    return BracketReport(instrument_id=BTC, brackets=(one,))


def later(risk: Driver, looks: int = 1) -> list[Any]:
    """So many looks later, a minute apart, everything else alive."""
    effects: list[Any] = []
    for _ in range(looks):
        risk.now_ns += 301 * S
        risk.tell(AccountKeySeen(permissions=risk.account_key, seen_ns=risk.now_ns))
        risk.refresh()
        effects += risk.tell(TimerFired(name="judge"))
        risk.refresh()
        effects += risk.tell(TimerFired(name="judge"))
    return effects


def halted(risk: Driver) -> list[str]:
    """Reasons of the account and of BTCUSDC, where they are halted by the watch."""
    view = risk.core.snapshot()
    return [reason for reason in (view.reason, view.symbols["BTCUSDC"].reason) if reason]


def set_modes(**modes: bool) -> Change:
    return lambda risk: risk.venue_modes.update(modes)


def set_listing(report: ListingReport | None) -> Change:
    def change(risk: Driver) -> None:
        risk.venue_listing = [one for one in risk.venue_listing if one.instrument_id != BTC]
        risk.venue_listing += [report] if report is not None else []

    return change


def set_config(**changes: Any) -> Change:
    def change(risk: Driver) -> None:
        risk.venue_configs = [msgspec.structs.replace(one, **changes) for one in risk.venue_configs]

    return change


def set_field(name: str, value: Any) -> Change:
    return lambda risk: setattr(risk, name, value)


HALTED_LISTING = ListingReport(instrument_id=BTC, status="SETTLING", instrument=None)
COARSER = ListingReport(instrument_id=BTC, status="TRADING", instrument=instrument(BTC, tick_size=Decimal(1)))
DIFFERENCES: list[tuple[str, Change]] = [
    ("set one-way position mode", set_modes(hedge_mode=True)),
    ("set single-asset mode", set_modes(multi_asset_mode=True)),
    ("does not let the account trade", set_modes(can_trade=False)),
    ("fees in BNB were switched on", set_field("venue_fee_burn", True)),
    (
        "taker fee of BTCUSDC was changed from 0.0004 to 0.0005",
        set_field("venue_fees", (Decimal(0), Decimal("0.0005"))),
    ),
    ("leverage of BTCUSDC was changed from 20 to 5", set_config(leverage=5)),
    ("BTCUSDC is in isolated margin", set_config(margin_type="ISOLATED")),
    ("leverage brackets of BTCUSDC were changed", set_field("venue_brackets", [brackets(100)])),
    ("BTCUSDC is SETTLING, not TRADING", set_listing(HALTED_LISTING)),
    ("BTCUSDC is listed no more", set_listing(None)),
    ("tick or lot of BTCUSDC was changed: restart the system", set_listing(COARSER)),
    (
        "the account's key may withdraw: take that",
        set_field("account_key", msgspec.structs.replace(TRADES, withdraws=True)),
    ),
    ("the account's key may transfer", set_field("account_key", msgspec.structs.replace(TRADES, transfers=True))),
    ("the account's key may not trade futures: give it", set_field("account_key", READS)),
    ("the risk monitor's key may trade, and is there to read: take", set_field("venue_own_key", TRADES)),
    (
        "the risk monitor's key may withdraw: take",
        set_field("venue_own_key", msgspec.structs.replace(READS, withdraws=True)),
    ),
]


def test_an_account_as_it_should_be_is_left_alone() -> None:
    risk = watched()
    later(risk, 3)
    assert (halted(risk), risk.ask().state) == ([], TradingState.ACTIVE)


@pytest.mark.parametrize(("words", "change"), DIFFERENCES, ids=[words for words, _ in DIFFERENCES])
def test_a_difference_halts_and_says_what_to_do(words: str, change: Change) -> None:
    risk = watched()
    change(risk)
    effects = later(risk, 2)
    assert any(words in reason for reason in halted(risk)), halted(risk)
    lease = risk.ask()
    assert TradingState.HALTED in (lease.state, lease.limits[0].state)
    assert "ACCOUNT_DIFFERS" in {code for code, _ in alert_codes(effects)}


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"leverage": 10}, "the leverage of BTCUSDC is 20, account.leverage says 10"),
        ({"fee_burn": True}, "fees in BNB are off, account.fee_burn says on"),
        ({"taker_fee_max": "0.0003"}, "the taker fee of BTCUSDC is 0.0004, above account.taker_fee_max of 0.0003"),
        ({"maker_fee_max": "-0.0001"}, "the maker fee of BTCUSDC is 0, above account.maker_fee_max of -0.0001"),
        (
            {"adl_quantile_max": 2},
            "BTCUSDC is in place 3 of the queue of auto-deleveraging, account.adl_quantile_max says 2: reduce it",
        ),
    ],
)
def test_what_the_configuration_names_must_be_so_and_no_resume_changes_that(
    expected: dict[str, Any], words: str
) -> None:
    risk = watched(change=set_field("venue_adl", {BTC: 3}), **expected)
    risk.tell(Resume(reason="go on"))
    later(risk)
    assert any(words in reason for reason in halted(risk)), halted(risk)


def test_what_the_configuration_leaves_open_is_accepted_by_a_resume() -> None:
    risk = watched()
    set_config(leverage=5)(risk)
    later(risk)
    risk.tell(Resume(reason="wanted"))
    later(risk)
    assert halted(risk) == []


LEFT_OPEN = [
    ("leverage of BTCUSDC was changed from 20 to 5", set_config(leverage=5)),
    ("fees in BNB were switched on", set_field("venue_fee_burn", True)),
    ("taker fee of BTCUSDC was changed", set_field("venue_fees", (Decimal(0), Decimal("0.0005")))),
    ("leverage brackets of BTCUSDC were changed", set_field("venue_brackets", [brackets(100)])),
]


@pytest.mark.parametrize(("words", "change"), LEFT_OPEN, ids=[words for words, _ in LEFT_OPEN])
def test_a_change_while_the_risk_monitor_was_down_is_noticed_and_accepted_by_a_resume(
    words: str, change: Change
) -> None:
    before = watched()
    risk = watched(before.memory(), change)
    assert any(words in reason for reason in halted(risk)), halted(risk)
    risk.tell(Resume(reason="wanted"))
    later(risk)
    assert halted(risk) == []
    assert halted(watched(risk.memory(), change)) == [], "what was accepted is on file"


def test_a_key_that_is_not_seen_for_long_is_not_known_any_more() -> None:
    risk = watched()
    risk.venue_own_key = None
    later(risk)
    assert halted(risk)[0].startswith("what the risk monitor's key may do has not been seen for 5 minutes")
    assert risk.ask().state is TradingState.REDUCING


def test_a_symbol_that_trades_again_goes_on_by_itself() -> None:
    risk = watched()
    kept = list(risk.venue_listing)
    set_listing(HALTED_LISTING)(risk)
    later(risk)
    risk.venue_listing = kept
    later(risk)
    assert halted(risk) == []


def listings_asked(risk: Driver, seconds: int, *messages: Any) -> int:
    """How often the listing was asked for, everybody alive."""
    asked = 0
    for _ in range(seconds):
        risk.now_ns += S
        risk.refresh()
        effects = [*risk.tell(*messages), *risk.tell_timer()]
        asked += sum(isinstance(e, Call) and isinstance(e.request, QueryListing) for e in effects)
    return asked


def test_a_refusal_that_says_that_a_symbol_does_not_trade_makes_it_look_at_once_but_in_no_tight_loop() -> None:
    risk = watched()
    head = {"shard": 0, "instrument_id": BTC, "venue_order_id": 0, "venue_time_ns": 1, "client_order_id": "a"}
    refused = OrderRejected(**head, event_seq=1, side=Side.BUY, venue_code=-4140, text="not trading")
    assert (listings_asked(risk, 12), listings_asked(risk, 1, refused)) == (0, 1)
    set_listing(HALTED_LISTING)(risk)
    assert listings_asked(risk, 12) == 0
    again = msgspec.structs.replace(refused, event_seq=2)
    assert listings_asked(risk, 1, again) == 1
    assert listings_asked(risk, 40) == 4, "while it does not trade: every ten seconds"
    assert any("SETTLING" in reason for reason in halted(risk))


def test_a_book_that_does_not_move_for_long_makes_it_look_at_the_listing() -> None:
    risk = watched()
    listings_asked(risk, 10)
    risk.tell(book(risk.now_ns))
    assert (listings_asked(risk, 5), listings_asked(risk, 1)) == (0, 1)


DEARER = instrument(BTC, notional_min=Decimal(77), open_orders_max=3)
DEARER_LISTED = ListingReport(instrument_id=BTC, status="TRADING", instrument=DEARER)


def told(effects: list[Any]) -> list[InstrumentChanged]:
    return [e.body for e in effects if isinstance(e, Publish) and isinstance(e.body, InstrumentChanged)]


def test_new_bounds_of_the_same_tick_and_lot_are_followed_and_told_and_halt_nothing() -> None:
    risk = watched()
    set_listing(DEARER_LISTED)(risk)
    effects = later(risk)
    news = InstrumentChanged(instrument_id=BTC, instrument=msgspec.structs.replace(DEARER, version=2))
    assert news in told(effects)
    assert halted(risk) == []
    assert "FILTERS_CHANGED" in {code for code, _ in alert_codes(effects)}
    assert risk.ask().limits[0].open_orders_max == 3
    risk.now_ns += 2 * S
    assert told(risk.tell_timer()) == [news], "it is said again for readers that come late"


def test_bounds_that_change_back_are_the_next_version() -> None:
    risk = watched()
    kept = list(risk.venue_listing)
    set_listing(DEARER_LISTED)(risk)
    later(risk)
    risk.venue_listing = kept
    effects = later(risk)
    assert told(effects)[-1].instrument == instrument(BTC, version=3)


def test_their_version_outlives_a_restart() -> None:
    risk = watched()
    set_listing(DEARER_LISTED)(risk)
    later(risk)
    again = watched(risk.memory(), set_listing(DEARER_LISTED))
    assert told(later(again))[-1].instrument == msgspec.structs.replace(DEARER, version=2)


def test_a_refusal_of_an_order_that_we_made_wrong_makes_it_look_at_the_listing() -> None:
    risk = watched()
    head = {"shard": 0, "instrument_id": BTC, "venue_order_id": 0, "venue_time_ns": 1, "client_order_id": "a"}
    refused = OrderRejected(
        **head, event_seq=1, side=Side.BUY, venue_code=-4014, text="Price not increased by tick size."
    )
    assert (listings_asked(risk, 12), listings_asked(risk, 1, refused)) == (0, 1)


def test_a_minutes_questions_stay_within_their_weight() -> None:
    risk = Driver()
    risk.core = RiskMonitorCore(spec("risk_monitor"), settings())
    risk.healthy()
    kinds = (QueryAccountConfig, QueryListing, QueryBrackets, QueryFeeRates, QueryFeeBurn)
    asked: list[type] = []
    for _ in range(599):
        risk.now_ns += S // 10
        effects = risk.tell(TimerFired(name="judge"))
        asked += [type(e.request) for e in effects if isinstance(e, Call) and isinstance(e.request, kinds)]
    assert len(asked) <= len(kinds), "each once a minute at most"


def test_a_change_that_the_private_stream_tells_is_looked_at_now() -> None:
    risk = watched()
    set_config(leverage=5)(risk)
    risk.now_ns += S
    risk.tell(AccountConfigUpdate(text="BTCUSDC leverage 5", venue_time_ns=1, received_ns=risk.now_ns))
    risk.refresh()
    risk.tell_timer()
    risk.tell_timer()
    assert any("from 20 to 5" in reason for reason in halted(risk))


def test_a_book_that_is_only_said_again_has_the_listing_looked_at_within_seconds() -> None:
    market = Market().calm(20)
    market.effects.clear()
    market.venue_listing = [
        ListingReport(instrument_id=BTC, status="PENDING_TRADING", instrument=None),
        ListingReport(instrument_id=ETH, status="TRADING", instrument=instrument(ETH)),
    ]
    for _ in range(24):
        market.pass_ms(500)
    assert market.level() == "HALTED"
    assert market.core.snapshot().symbols["BTCUSDC"].reason.startswith("BTCUSDC is PENDING_TRADING")
