"""What strategy quotes, and when it quotes nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from market_samples import BTC, ETH, MS, START_NS, S, feed_status, instrument, published, settings, spec, top

from actors.strategy.actor import StrategyActor
from actors.strategy.core import StrategyCore
from configs.schema import StrategySettings
from protocols.arithmetic.sequences import era_begins_after
from protocols.effects import Effect, LinkChanged, OutboxFull, SetTimer, TimerFired
from protocols.messages.control import (
    ActorState,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    Resume,
    SettingsChanged,
    ShardHalted,
    StopFileSeen,
)
from protocols.messages.inventory import PositionChanged
from protocols.messages.market import FeedState, MarkPrice, TradeFlow
from protocols.messages.orders import (
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
)
from protocols.messages.quoting import QuoteTargets
from protocols.messages.risk import InstrumentChanged, QuotingTerms, RiskLevel
from protocols.values import Side, make_instrument_id

BIDS = ((640_000, 50), (639_999, 60), (639_998, 70))
ASKS = ((640_001, 50), (640_002, 60), (640_003, 70))
JOIN = StrategySettings(
    levels=1,
    half_spread_bps_min=0,
    volatility_multiplier=0,
    warm_up_ms=0,
    skew_bps_at_limit=3,
    order_notional=Decimal(640),
    position_notional_max=Decimal(6_400),
)
"""Joins the touch with 9 lots of 0.001 at 64,000.0 (10 would be 640.0 and a bit)."""


def position(lots: int, event_seq: int, known: bool = True, shard: int = 0) -> PositionChanged:
    return PositionChanged(
        instrument_id=BTC,
        position_lots=lots,
        average_price=Decimal(0),
        shard=shard,
        event_seq=event_seq,
        known=known,
    )


def event(kind: type[Any], seq: int, order: str = "rm1-1-00-1", **changes: Any) -> Any:
    values: dict[str, Any] = {
        "shard": 0,
        "event_seq": seq,
        "instrument_id": BTC,
        "client_order_id": order,
        "venue_order_id": 1,
        "venue_time_ns": 1,
        "side": Side.BUY,
    }
    return kind(**{**values, **changes})


def accepted(seq: int, ticks: int, lots: int, side: Side = Side.BUY, order: str = "rm1-1-00-1") -> OrderAccepted:
    made: OrderAccepted = event(OrderAccepted, seq, order, side=side, price_ticks=ticks, quantity_lots=lots)
    return made


def filled(seq: int, lots: int, side: Side = Side.BUY, remaining: int = 0, **changes: Any) -> OrderFilled:
    made: OrderFilled = event(
        OrderFilled,
        seq,
        side=side,
        trade_id=seq,
        price_ticks=640_000,
        quantity_lots=lots,
        remaining_lots=remaining,
        fee=Decimal(0),
        fee_asset="USDC",
        maker=True,
        ours=True,
        **changes,
    )
    return made


class Desk:
    """A strategy core with its clock."""

    def __init__(self, quoting: StrategySettings = JOIN) -> None:
        self.core = StrategyCore(spec("strategy", instrument(BTC), instrument(ETH)), settings(strategy=quoting))
        self.now_ns = START_NS
        self.core.start(START_NS)

    def tell(self, message: Any) -> list[Effect]:
        return self.core.handle(message, self.now_ns)

    def targets(self, message: Any) -> list[QuoteTargets]:
        return [body for body in published(self.tell(message)) if isinstance(body, QuoteTargets)]

    def link(self, up: bool = True, *peers: str, epoch: int = 1) -> None:
        for peer in peers or ("market_data-0", "order_manager-0", "inventory"):
            self.tell(LinkChanged(peer=peer, up=up, epoch=epoch))

    def ready(self) -> list[QuoteTargets]:
        """Everything that quoting needs: links, a live feed, a known position, a book."""
        self.link()
        self.tell(feed_status(FeedState.LIVE, 100))
        self.tell(position(0, 0))
        return self.targets(top(100, BIDS, ASKS, self.now_ns))

    def later(self, ms: int, timer: str = "refresh") -> list[QuoteTargets]:
        self.now_ns += ms * MS
        return self.targets(TimerFired(name=timer))

    def reason(self) -> str:
        return self.core.snapshot().symbols["BTCUSDC"].reason


def quoted(update_id: int, bids: Any, asks: Any, at_ns: int = START_NS, **changes: Any) -> QuoteTargets:
    values: dict[str, Any] = {
        "instrument_id": BTC,
        "instrument_version": 1,
        "book_update_id": update_id,
        "book_received_ns": at_ns,
        "bids": bids,
        "asks": asks,
    }
    return QuoteTargets(**{**values, **changes})


def nothing(reason: str, update_id: int = 100) -> QuoteTargets:
    return quoted(update_id, (), (), reason=reason)


def test_a_book_becomes_a_ladder_that_joins_the_touch() -> None:
    assert Desk().ready() == [quoted(100, ((640_000, 10),), ((640_001, 9),))]


def test_every_new_book_brings_targets_that_name_it() -> None:
    desk = Desk()
    desk.ready()
    desk.now_ns += MS
    assert desk.targets(top(101, BIDS, ASKS, desk.now_ns)) == [
        quoted(101, ((640_000, 10),), ((640_001, 9),), desk.now_ns)
    ]


def test_the_same_targets_are_told_again_so_that_silence_means_death() -> None:
    desk = Desk()
    told = desk.ready()
    desk.tell(feed_status(FeedState.LIVE, 100))
    assert desk.later(StrategySettings().refresh_ms)[0] == told[0]


def test_a_long_position_lowers_both_quotes_and_shrinks_the_bid() -> None:
    desk = Desk()
    desk.ready()
    (targets,) = desk.targets(position(50, 1))
    assert targets.bids[0][0] < 640_000 - 90 and targets.asks[0][0] == 640_001
    assert (targets.bids[0][1], targets.asks[0][1]) == (1, 9)
    assert targets.skew_ticks == -96


def test_at_the_limit_only_the_reducing_side_is_quoted_and_the_reason_is_told() -> None:
    desk = Desk()
    desk.ready()
    (targets,) = desk.targets(position(99, 1))
    assert (targets.bids, len(targets.asks)) == ((), 1)
    assert targets.reason == "no bids: no size within the position limit that the venue takes"
    (targets,) = desk.targets(position(-99, 2))
    assert (len(targets.bids), targets.asks) == (1, ())


def test_the_spread_widens_with_volatility_up_to_its_cap() -> None:
    desk = Desk(StrategySettings(levels=1, warm_up_ms=0, half_spread_bps_min=0.5, half_spread_bps_max=3.0))
    desk.ready()
    calm = desk.core.snapshot().symbols["BTCUSDC"].half_spread_bps
    for step in range(1, 40):
        desk.now_ns += S // 10
        move = 300 * (step % 2)
        bids, asks = ((640_000 + move, 50),), ((640_001 + move, 50),)
        desk.tell(top(100 + step, bids, asks, desk.now_ns))
    assert (calm, desk.core.snapshot().symbols["BTCUSDC"].half_spread_bps) == (0.5, 3.0)


def test_our_own_size_in_the_book_is_not_taken_for_anybody_elses() -> None:
    desk = Desk()
    desk.ready()
    desk.tell(accepted(1, 640_000, 40))
    desk.tell(top(101, ((640_000, 90), *BIDS[1:]), ASKS))
    fair = desk.core.snapshot().symbols["BTCUSDC"].fair_ticks
    assert fair == pytest.approx(640_000.5)
    desk.tell(event(OrderCanceled, 2, filled_lots=0))
    desk.tell(top(102, ((640_000, 90), *BIDS[1:]), ASKS))
    assert desk.core.snapshot().symbols["BTCUSDC"].fair_ticks > fair


@pytest.mark.parametrize("state", [FeedState.STALE, FeedState.INVALID, FeedState.SYNCHRONISING, FeedState.CONNECTING])
def test_a_feed_that_is_not_live_takes_the_quotes_back(state: FeedState) -> None:
    desk = Desk()
    desk.ready()
    (targets,) = desk.targets(feed_status(state, reason="why"))
    assert (targets.bids, targets.asks, targets.reason) == ((), (), f"feed {state}: why")


def test_a_book_of_before_a_resync_is_not_quoted_after_it() -> None:
    desk = Desk()
    desk.ready()
    desk.tell(feed_status(FeedState.SYNCHRONISING))
    desk.tell(feed_status(FeedState.LIVE, 200))
    assert desk.reason() == "no book since the feed became live"
    assert desk.targets(top(150, BIDS, ASKS)) == []
    assert desk.targets(top(200, BIDS, ASKS)) == [quoted(200, ((640_000, 10),), ((640_001, 9),))]


def test_a_stale_feed_that_recovers_is_quoted_on_the_book_it_confirms() -> None:
    desk = Desk()
    told = desk.ready()
    desk.tell(feed_status(FeedState.STALE))
    assert desk.targets(feed_status(FeedState.LIVE, 100)) == told


def test_a_feed_that_falls_silent_takes_the_quotes_back() -> None:
    desk = Desk()
    desk.ready()
    (targets,) = [one for one in desk.later(2_001) if one.instrument_id == BTC]
    assert targets.reason == "the feed fell silent"


@pytest.mark.parametrize("peer", ["market_data-0", "order_manager-0", "inventory"])
def test_a_lost_link_takes_the_quotes_back(peer: str) -> None:
    desk = Desk()
    desk.ready()
    (targets,) = [one for one in desk.targets(LinkChanged(peer=peer, up=False)) if one.instrument_id == BTC]
    assert (targets.bids, targets.asks) == ((), ())
    assert targets.reason == f"no link to {peer.partition('-')[0]}"


def test_after_a_lost_link_to_inventory_the_position_must_be_heard_again() -> None:
    desk = Desk()
    desk.ready()
    desk.link(False, "inventory")
    desk.link(True, "inventory")
    assert desk.reason() == "no position heard since the link to inventory was lost"
    assert desk.targets(position(0, 0)) == [quoted(100, ((640_000, 10),), ((640_001, 9),))]


def test_a_position_that_inventory_doubts_is_not_quoted_on() -> None:
    desk = Desk()
    desk.ready()
    (targets,) = desk.targets(position(0, 1, known=False))
    assert targets.reason == "inventory does not know the position"


def test_nothing_is_quoted_before_the_warm_up_is_over() -> None:
    desk = Desk(JOIN.model_copy(update={"warm_up_ms": 1_000}))
    (targets,) = desk.ready()
    assert targets == nothing("warming up")
    desk.now_ns += 999 * MS
    assert desk.targets(top(101, BIDS, ASKS)) == []
    desk.now_ns += MS
    assert desk.targets(top(102, BIDS, ASKS)) == [quoted(102, ((640_000, 10),), ((640_001, 9),))]


def test_an_unchanged_reason_is_not_told_for_every_book() -> None:
    desk = Desk()
    desk.ready()
    desk.tell(EmergencyStop(reason="person"))
    assert desk.targets(top(101, BIDS, ASKS)) == []


def test_a_book_of_another_version_of_the_instrument_is_refused() -> None:
    desk = Desk()
    desk.ready()
    assert desk.targets(top(101, BIDS, ASKS, version=2)) == []
    assert desk.core.snapshot().symbols["BTCUSDC"].refused == 1


def test_a_fill_counts_once_whichever_way_it_comes_first() -> None:
    for order in ((filled(1, 10), position(10, 1)), (position(10, 1), filled(1, 10))):
        desk = Desk()
        desk.ready()
        for message in order:
            desk.tell(message)
            assert desk.core.snapshot().symbols["BTCUSDC"].position_lots == 10


def test_a_repeated_event_counts_once() -> None:
    desk = Desk()
    desk.ready()
    desk.tell(filled(1, 10))
    assert desk.targets(filled(1, 10)) == []
    assert desk.core.snapshot().symbols["BTCUSDC"].position_lots == 10
    assert desk.core.snapshot().duplicate_events == 1


def test_a_position_of_an_older_event_keeps_the_fills_after_it() -> None:
    desk = Desk()
    desk.ready()
    desk.tell(filled(1, 10, remaining=5))
    desk.tell(filled(2, 3, Side.SELL))
    desk.tell(position(10, 1))
    assert desk.core.snapshot().symbols["BTCUSDC"].position_lots == 7


def test_before_the_first_event_of_a_new_journal_there_was_nothing_to_hear() -> None:
    desk = Desk()
    desk.ready()
    (targets,) = [one for one in desk.targets(filled(era_begins_after(7) + 1, 10)) if one.instrument_id == BTC]
    assert targets.reason == ""


def test_events_before_the_first_one_heard_leave_the_position_open_until_it_settles() -> None:
    desk = Desk()
    desk.ready()
    (targets,) = [one for one in desk.targets(filled(40, 10)) if one.instrument_id == BTC]
    assert targets.reason == "events up to 39 were not heard; inventory is at 0"
    assert desk.targets(position(5, 39))[0].reason == ""
    assert desk.core.snapshot().symbols["BTCUSDC"].position_lots == 15


def test_the_first_event_long_after_the_link_came_up_disturbs_nobody() -> None:
    desk = Desk()
    desk.ready()
    desk.now_ns += 2 * S
    desk.tell(feed_status(FeedState.LIVE, 100))
    (targets,) = desk.targets(filled(40, 10))
    assert targets.reason == ""
    assert desk.core.snapshot().symbols["BTCUSDC"].position_lots == 10


def test_events_and_positions_of_another_shard_are_not_ours() -> None:
    desk = Desk()
    desk.ready()
    assert desk.tell(position(10, 1, shard=1)) == []
    assert desk.tell(event(OrderCanceled, 9, shard=1, filled_lots=0)) == []
    assert desk.core.snapshot().last_event_seq == 0


def test_a_new_order_manager_has_cancelled_what_its_predecessor_left() -> None:
    desk = Desk()
    desk.ready()
    desk.tell(accepted(1, 640_000, 40))
    desk.link(False, "order_manager-0")
    desk.link(True, "order_manager-0", epoch=2)
    assert desk.core.snapshot().symbols["BTCUSDC"].own_orders == 0


@pytest.mark.parametrize(
    ("stop", "lift", "reason"),
    [
        (EmergencyStop(reason="person"), Resume(reason="fine"), "emergency stop: person"),
        (ShardHalted(shard=0, reason="intensity"), Resume(reason="fine"), "shard halted: intensity"),
        (StopFileSeen(present=True, text="x"), StopFileSeen(present=False), "stop file: x"),
        (OutboxFull(reader="y", full=True), OutboxFull(reader="y", full=False), "the link to y is full"),
    ],
)
def test_a_stop_holds_until_it_is_lifted(stop: Any, lift: Any, reason: str) -> None:
    desk = Desk()
    told = desk.ready()
    assert nothing(reason) in desk.targets(stop)
    assert told[0] in desk.targets(lift)


def test_one_lifted_stop_does_not_lift_another() -> None:
    desk = Desk()
    desk.ready()
    desk.tell(EmergencyStop(reason="person"))
    desk.tell(StopFileSeen(present=True))
    desk.tell(Resume(reason="fine"))
    assert desk.core.snapshot().stopped == "stop file: "


def test_a_drained_strategy_quotes_nothing_for_good() -> None:
    desk = Desk()
    desk.ready()
    assert nothing("draining") in desk.targets(Drain())
    desk.tell(Resume(reason="fine"))
    assert desk.targets(top(101, BIDS, ASKS)) == []
    assert desk.core.drained is True


def test_a_least_quote_period_lets_the_newest_book_wait_for_its_end() -> None:
    desk = Desk(JOIN.model_copy(update={"quote_period_ms_min": 100}))
    desk.ready()
    desk.now_ns += 10 * MS
    assert desk.tell(top(101, BIDS, ASKS)) == [SetTimer("quote", START_NS + 100 * MS)]
    desk.now_ns += 10 * MS
    assert desk.tell(top(102, BIDS, ASKS)) == []
    assert desk.later(70, "quote") == []
    assert desk.later(10, "quote") == [quoted(102, ((640_000, 10),), ((640_001, 9),))]


@pytest.mark.parametrize(
    "message",
    [
        EpochAnnounced(name="x", shard=0, epoch=1, announced_ns=1),
        TimerFired(name="nobody's"),
        LinkChanged(peer="alerting", up=True),
        ShardHalted(shard=3, reason="x"),
        TradeFlow(
            instrument_id=BTC,
            received_ns=1,
            price_ticks_last=1,
            bought_lots_total=1,
            sold_lots_total=1,
            trades_total=1,
        ),
        MarkPrice(
            instrument_id=BTC,
            mark_price=Decimal(1),
            index_price=Decimal(1),
            funding_rate=Decimal(0),
            next_funding_venue_ms=1,
            venue_time_ns=1,
            received_ns=1,
        ),
    ],
)
def test_what_does_not_concern_quoting_changes_nothing(message: Any) -> None:
    desk = Desk()
    desk.ready()
    assert desk.tell(message) == []


def test_messages_of_a_strange_symbol_are_counted_only() -> None:
    desk = Desk()
    desk.ready()
    strange = make_instrument_id("binance_usdm", "main", "XRPUSDC")
    assert desk.tell(top(1, BIDS, ASKS, instrument_id=strange)) == []
    assert desk.tell(feed_status(FeedState.LIVE, instrument_id=strange)) == []
    assert desk.tell(event(OrderCanceled, 1, instrument_id=strange, filled_lots=0)) == []
    assert desk.core.snapshot().unknown_instruments == 3


async def test_the_shell_runs_until_it_is_drained_or_stopped() -> None:
    actor = StrategyActor(spec("strategy", instrument(BTC)), settings())
    assert actor.state() is ActorState.STARTING
    await actor.start(None)  # type: ignore[arg-type]
    assert actor.state() is ActorState.RUNNING
    assert (actor.extra_snapshot(), actor.replay("", 0, 1)) == ({}, [])
    actor.core.handle(Drain(), START_NS)
    assert actor.state() is ActorState.STOPPED
    other = StrategyActor(spec("strategy", instrument(BTC)), settings())
    await other.stop()
    assert other.state() is ActorState.STOPPED


def test_caution_makes_quotes_smaller_and_wider_until_it_is_over() -> None:
    desk = Desk(JOIN.model_copy(update={"half_spread_bps_min": 1.0}))
    desk.ready()
    (usual,) = desk.targets(top(101, BIDS, ASKS, desk.now_ns))

    def terms(level: RiskLevel, size: int, spread: int) -> QuotingTerms:
        return QuotingTerms(instrument_id=BTC, level=level, size_factor_bps=size, spread_factor_bps=spread)

    (careful,) = desk.targets(terms(RiskLevel.CAUTION, 5_000, 20_000))
    assert [lots for _, lots in careful.bids] == [5] and [lots for _, lots in usual.bids] == [10]
    assert careful.half_spread_ticks == 2 * usual.half_spread_ticks
    assert desk.targets(terms(RiskLevel.CAUTION, 5_000, 20_000)) == [], "said again it changes nothing"
    (again,) = desk.targets(terms(RiskLevel.NORMAL, 10_000, 10_000))
    assert (again.bids, again.asks) == (usual.bids, usual.asks)


def test_levels_that_exposure_has_taken_are_shown() -> None:
    desk = Desk(JOIN.model_copy(update={"levels": 3}))
    desk.ready()
    assert desk.core.snapshot().symbols["BTCUSDC"].suppressed == ""
    desk.targets(position(70, 1))
    assert desk.core.snapshot().symbols["BTCUSDC"].suppressed.endswith("of 3 asks at 70 lots")


def test_changed_settings_price_the_next_ladder_at_once() -> None:
    desk = Desk()
    (before,) = desk.ready()
    smaller = settings_json(JOIN.model_copy(update={"order_notional": Decimal(320)}))
    (after,) = desk.targets(SettingsChanged(settings_json=smaller, changes=("order_notional",)))
    assert (before.bids, after.bids) == (((640_000, 10),), ((640_000, 5),))


def settings_json(quoting: StrategySettings) -> str:
    return settings(strategy=quoting).model_dump_json()


def test_a_new_filter_is_quoted_by_at_once_and_books_of_the_old_version_are_refused() -> None:
    desk = Desk()
    desk.ready()
    news = instrument(BTC, version=2, quantity_lots_max=4)
    assert desk.targets(InstrumentChanged(instrument_id=BTC, instrument=news))[0].bids == ()
    assert desk.targets(top(102, BIDS, ASKS)) == []
    (targets,) = desk.targets(msgspec.structs.replace(top(103, BIDS, ASKS), instrument_version=2))
    assert (targets.instrument_version, targets.bids) == (2, ((640_000, 4),))
    assert desk.targets(InstrumentChanged(instrument_id=BTC, instrument=news)) == []


def test_other_units_are_not_taken_while_running() -> None:
    desk = Desk()
    desk.ready()
    news = instrument(BTC, version=2, lot_size=Decimal("0.0001"))
    assert desk.targets(InstrumentChanged(instrument_id=BTC, instrument=news)) == []
    assert len(desk.targets(top(102, BIDS, ASKS))) == 1
