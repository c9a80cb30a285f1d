"""Own eyes: an order manager that lies or is silent is noticed, and what is on its way is no lie."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from account_samples import BTC, MS, S, alert_codes, fill, position
from risk_monitor_rig import Driver

from actors.risk_monitor.eyes import WEIGHT_1M
from configs.schema import EyesSettings
from protocols.binance_usdm.costs import cost_of
from protocols.effects import Call
from protocols.messages.control import EpochAnnounced
from protocols.messages.orders import OrderAccepted, OrderCanceled, OrderUnknown
from protocols.messages.risk import RiskLevel
from protocols.values import Side
from protocols.venue import (
    ExecutionKind,
    OrderReport,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    QueryAllOpenOrders,
    QueryPositions,
    RuleReport,
    StreamChanged,
    SymbolConfigReport,
    Throttled,
    Usage,
)

OURS = "rm1-5-000-1"


def report(name: str = OURS, lots: int = 2, filled: int = 0, status: OrderStatus = OrderStatus.NEW) -> OrderReport:
    return OrderReport(
        instrument_id=BTC,
        client_order_id=name,
        venue_order_id=1,
        side=Side.BUY,
        status=status,
        price_ticks=499_990,
        quantity_lots=lots,
        filled_lots=filled,
        reduce_only=False,
        venue_time_ns=1,
    )


def told(kind: type[Any], seq: int, name: str = OURS, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "shard": 0,
        "event_seq": seq,
        "instrument_id": BTC,
        "client_order_id": name,
        "venue_order_id": 1,
        "venue_time_ns": 1,
        "side": Side.BUY,
    }
    return kind(**{**fields, **changes})


class Watched(Driver):
    """A risk monitor, an order manager that asks for leases, and time that passes."""

    def come_up(self) -> Watched:
        self.healthy()
        self.ask()
        self.run(500)
        self.effects.clear()
        return self

    def run(self, milliseconds: int, btc_lots: int = 0, venue_lots: int | None = None) -> None:
        for _ in range(milliseconds // 100):
            self.now_ns += 100 * MS
            self.refresh(btc_lots=btc_lots)
            if venue_lots is not None:
                self.venue_lots[BTC] = venue_lots
            self.ask()
            self.tell_timer()

    def shows(self, order: OrderReport) -> None:
        """Our own private stream tells of an order."""
        kind = ExecutionKind.NEW if order.status is OrderStatus.NEW else ExecutionKind.CANCELED
        self.tell(OrderUpdate(kind=kind, order=order, fill=None, reason="", received_ns=self.now_ns))
        self.venue_orders = [] if order.status.is_terminal else [order]

    @property
    def level(self) -> RiskLevel:
        return RiskLevel(self.core.snapshot().symbols["BTCUSDC"].level)


def test_orders_that_both_show_are_no_difference() -> None:
    risk = Watched().come_up()
    risk.shows(report())
    risk.tell(told(OrderAccepted, 1, price_ticks=499_990, quantity_lots=2))
    risk.run(8_000)
    assert risk.level is RiskLevel.NORMAL


def test_a_silent_order_manager_is_restricted_after_two_seconds_and_halted_after_five_with_an_alert() -> None:
    risk = Watched().come_up()
    risk.shows(report())
    risk.run(1_900)
    assert risk.level is RiskLevel.NORMAL
    risk.run(300)
    assert risk.level is RiskLevel.RESTRICTED
    risk.run(2_600)
    assert risk.level is RiskLevel.RESTRICTED
    risk.run(400)
    assert risk.level is RiskLevel.HALTED
    assert ("LEVEL_CHANGED", "BTCUSDC") in alert_codes(risk.effects)
    assert [change.indicator for change in risk.changes()] == ["order_difference", "order_difference"]


def test_an_order_manager_that_lies_of_a_resting_order_is_noticed() -> None:
    risk = Watched().come_up()
    risk.shows(report())
    risk.tell(told(OrderAccepted, 1, price_ticks=499_990, quantity_lots=2))
    risk.shows(report(status=OrderStatus.CANCELED))
    risk.run(2_300)
    assert risk.level is RiskLevel.RESTRICTED
    assert risk.core.snapshot().symbols["BTCUSDC"].differing_orders == [report().client_order_id]


def test_an_order_manager_that_lies_of_a_cancel_is_noticed() -> None:
    risk = Watched().come_up()
    risk.shows(report())
    risk.tell(told(OrderAccepted, 1, price_ticks=499_990, quantity_lots=2), told(OrderCanceled, 2, filled_lots=0))
    risk.run(5_300)
    assert risk.level is RiskLevel.HALTED


def test_an_order_manager_that_lies_of_a_quantity_is_noticed() -> None:
    risk = Watched().come_up()
    risk.shows(report(lots=9))
    risk.tell(told(OrderAccepted, 1, price_ticks=499_990, quantity_lots=2))
    risk.run(2_300)
    assert risk.level is RiskLevel.RESTRICTED


def test_an_order_whose_fate_the_order_manager_does_not_know_is_no_lie() -> None:
    risk = Watched().come_up()
    risk.tell(told(OrderUnknown, 1, price_ticks=499_990, quantity_lots=2, reason="no answer"))
    risk.run(8_000)
    assert risk.level is RiskLevel.NORMAL


def test_orders_of_others_are_nobodys_lie() -> None:
    risk = Watched().come_up()
    risk.shows(report("web_123"))
    risk.run(8_000)
    assert risk.level is RiskLevel.NORMAL


def test_a_position_that_differs_is_restricted_then_halted_and_recovers_step_by_step() -> None:
    risk = Watched().come_up()
    risk.tell(
        PositionUpdate(
            instrument_id=BTC,
            position_lots=7,
            entry_price=Decimal(1),
            reason="ORDER",
            venue_time_ns=risk.now_ns,
            received_ns=risk.now_ns,
        )
    )
    risk.run(2_300, venue_lots=7)
    assert risk.level is RiskLevel.RESTRICTED
    risk.run(3_000, venue_lots=7)
    assert risk.level is RiskLevel.HALTED
    risk.run(1_000, btc_lots=7)
    assert risk.level is RiskLevel.HALTED
    risk.run(6_300, btc_lots=7)
    assert risk.level is RiskLevel.CAUTION


def test_a_fill_that_is_on_its_way_is_no_difference() -> None:
    risk = Watched().come_up()
    risk.run(1_500, venue_lots=2)
    risk.tell(position(2))
    risk.run(8_000, btc_lots=2)
    assert risk.level is RiskLevel.NORMAL


def test_an_order_manager_that_recovers_is_not_compared() -> None:
    risk = Watched().come_up()
    risk.shows(report())
    risk.tell(EpochAnnounced(name="order_manager-0", shard=0, epoch=6, announced_ns=0))
    for _ in range(80):
        risk.now_ns += 100 * MS
        risk.refresh()
        risk.ask(epoch=6, fits=False)
        risk.tell_timer()
    assert risk.level is RiskLevel.NORMAL


def test_without_our_private_stream_orders_are_not_compared_and_we_are_blind() -> None:
    risk = Watched().come_up()
    risk.tell(StreamChanged(stream="private", up=False, changed_ns=risk.now_ns))
    risk.venue_orders = [report()]
    risk.run(9_000)
    assert risk.level is RiskLevel.NORMAL
    risk.run(2_000)
    assert (risk.core.snapshot().level, risk.changes()[-1].indicator) == ("CAUTION", "blind")
    risk.venue_orders = []
    risk.tell(StreamChanged(stream="private", up=True, changed_ns=risk.now_ns))
    risk.run(300)
    assert risk.core.snapshot().level == "NORMAL", "sight comes back at once"


def test_after_a_restart_the_venues_orders_are_the_picture() -> None:
    first = Watched().healthy()
    first.ask()
    restarted = Watched(memory=first.memory())
    restarted.venue_orders = [report(lots=5)]
    restarted.come_up()
    view = restarted.core.snapshot().symbols["BTCUSDC"]
    assert (view.open_orders, view.worst_case_complete) == (1, True)
    assert Decimal(view.worst_case_notional) == 250


def test_an_order_taken_from_the_venues_list_goes_with_it_for_its_end_may_have_been_told_before() -> None:
    first = Watched().healthy()
    first.ask()
    restarted = Watched(memory=first.memory())
    restarted.tell(told(OrderCanceled, 1, filled_lots=0))
    restarted.venue_orders = [report(lots=5)]
    restarted.come_up()
    assert restarted.core.snapshot().symbols["BTCUSDC"].open_orders == 1
    restarted.shows(report(status=OrderStatus.CANCELED))
    restarted.run(8_000)
    assert restarted.core.snapshot().symbols["BTCUSDC"].open_orders == 0
    assert restarted.level is RiskLevel.NORMAL


def test_a_difference_has_the_list_of_orders_asked_again_but_not_in_a_tight_loop() -> None:
    risk = Watched().come_up()
    risk.shows(report())
    risk.run(12_000)
    lists = [e for e in risk.effects if isinstance(e, Call) and isinstance(e.request, QueryAllOpenOrders)]
    assert 1 <= len(lists) <= 3


def test_every_look_together_stays_within_its_part_of_the_weight() -> None:
    risk = Watched().come_up()
    risk.run(60_000)
    spent = sum(cost_of(effect.request).weight for effect in risk.effects if isinstance(effect, Call))  # type: ignore[arg-type]
    positions = [e for e in risk.effects if isinstance(e, Call) and isinstance(e.request, QueryPositions)]
    assert spent <= WEIGHT_1M
    assert 29 <= len(positions) <= 31
    assert EyesSettings().positions_ms == 2_000


def test_inside_a_retry_after_window_nothing_is_asked() -> None:
    risk = Watched().come_up()
    risk.now_ns += 3 * S
    asked = [e.request for e in risk.core.handle(_timer(), risk.now_ns) if isinstance(e, Call)]
    throttled = Throttled(
        request_id=asked[0].request_id,  # type: ignore[attr-defined]
        received_ns=risk.now_ns,
        usage=Usage(),
        retry_at_ns=risk.now_ns + 20 * S,
        banned=False,
        orders_only=False,
        venue_code=-1003,
        text="",
    )
    assert alert_codes(risk.core.handle(throttled, risk.now_ns)) == [("RATE_LIMITED", "requests")]
    risk.effects.clear()
    risk.run(19_000)
    assert [e for e in risk.effects if isinstance(e, Call)] == []


def _timer() -> Any:
    from protocols.effects import TimerFired

    return TimerFired(name="judge")


def test_a_symbol_that_the_venue_has_locked_is_restricted_until_it_is_unlocked() -> None:
    risk = Watched()
    risk.venue_rules = [
        RuleReport(
            symbol="BTCUSDC",
            rule="GCR",
            locked=True,
            value=Decimal("0.995"),
            trigger=Decimal("0.99"),
            recovers_venue_ms=0,
        )
    ]
    risk.come_up()
    assert risk.level is RiskLevel.RESTRICTED
    assert "GCR" in risk.core.snapshot().symbols["BTCUSDC"].reason
    risk.venue_rules = []
    risk.run(61_000)
    assert risk.level is RiskLevel.NORMAL


def test_margin_that_runs_out_restricts_the_account() -> None:
    risk = Watched()
    risk.venue_maintenance = Decimal(60_000)
    risk.come_up()
    snapshot = risk.core.snapshot()
    assert (snapshot.level, snapshot.indicators["margin_usage"].value) == ("RESTRICTED", pytest.approx(0.6))


def test_an_equity_that_is_not_the_venues_restricts_the_account() -> None:
    risk = Watched().come_up()
    for _ in range(30):
        risk.now_ns += 100 * MS
        risk.refresh()
        risk.venue_equity = Decimal(90_000)
        risk.tell_timer()
    assert risk.core.snapshot().indicators["equity_difference"].beyond == "limit"


def test_a_fill_told_twice_is_counted_once() -> None:
    risk = Watched().come_up()
    risk.tell(fill(1, Side.BUY, 2, 499_990), fill(1, Side.BUY, 2, 499_990))
    assert risk.core.snapshot().symbols["BTCUSDC"].indicators["fill_rate"].value == pytest.approx(0.1)


def test_the_lease_carries_the_venues_bracket_and_this_symbols_part_of_the_margin() -> None:
    risk = Watched()
    risk.venue_configs = [SymbolConfigReport(instrument_id=BTC, leverage=20, notional_max=Decimal(50_000))]
    risk.venue_maintenance = Decimal(10_000)
    risk.come_up()
    btc, eth = risk.ask().limits
    assert btc.bracket_notional_max == 50_000
    assert btc.margin_notional_max == Decimal(90_000) / 2 * 20 * Decimal("0.9")
    assert (eth.bracket_notional_max, eth.margin_notional_max) == (None, None), "what is not known bounds nothing"
