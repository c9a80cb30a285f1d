"""What the order managers say: order events and account events, each counted once, and how much of the venue's limits they use."""

from __future__ import annotations

from typing import assert_never

from actors.risk_monitor.judge import Judge
from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.picture import Picture
from actors.risk_monitor.soundness import are_lots, is_sound
from protocols.arithmetic.sequences import Arrival, StreamNumbers
from protocols.binance_usdm.errors import CODES
from protocols.effects import Effect
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.orders import (
    AnyAccountEvent,
    AnyOrderEvent,
    BalanceChanged,
    FundingPaid,
    InstrumentTaken,
    MarginCalled,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
    RateUsage,
    VenuePosition,
)
from protocols.messages.risk import RiskLevel
from protocols.values import Instrument
from protocols.venue import RefusalKind


class OrderIntake:
    """Takes what order managers publish."""

    def __init__(self, picture: Picture, judge: Judge, instruments: tuple[Instrument, ...]) -> None:
        self._picture = picture
        self._judge = judge
        self._margin_assets = frozenset(instrument.margin_asset for instrument in instruments)
        self._streams = StreamNumbers()

    def take_usage(self, usage: RateUsage, now_ns: int) -> list[Effect]:
        """How a shard's calls fare, and how much of the limits is used."""
        picture = self._picture
        picture.desk.use(usage)
        picture.account_watch.take_usage(usage, now_ns)
        picture.breakers.take_usage(usage, now_ns)
        return self._judge.when_crossed(None, now_ns)

    def take_event(self, event: AnyOrderEvent, now_ns: int) -> list[Effect]:
        """An event of an order moves the picture of open orders and the ratios; one that the venue forced needs a person."""
        if not self._is_new(event.shard, event.event_seq):
            return []
        picture = self._picture
        view = picture.symbols.get(event.instrument_id)
        if view is None:
            text = f"an event of {event.instrument_id}, which is not traded"
            return self._judge.refuse(event.instrument_id, text, now_ns)
        if not _is_possible(event):
            text = f"{type(event).__name__} of {event.client_order_id or event.venue_order_id}"
            return self._judge.refuse(event.instrument_id, text, now_ns)
        view.orders.apply(event)
        watch = picture.watches[event.instrument_id]
        watch.take_event(event, now_ns)
        picture.account_watch.put_worst()
        kind = CODES.get(event.venue_code) if isinstance(event, OrderRejected) else None
        if kind is RefusalKind.STOP_SYMBOL or kind is RefusalKind.OUR_FAULT:
            picture.lookout.rules.hasten_listing(now_ns)
        if isinstance(event, OrderFilled) and event.forced:
            return picture.remember(self._latch_forced(event, view.instrument.symbol, now_ns))
        return self._judge.when_crossed(watch, now_ns)

    def take_account_event(self, event: AnyAccountEvent, now_ns: int) -> list[Effect]:
        """A transfer moves what losses are measured from; a margin call needs a person."""
        if not self._is_new(event.shard, event.event_seq):
            return []
        picture = self._picture
        match event:
            case BalanceChanged():
                if not is_sound(event.balance_change):
                    text = f"a change of {event.asset} by {event.balance_change}"
                    return self._judge.refuse(ACCOUNT, text, now_ns)
                if event.asset in self._margin_assets and picture.capital.transfer(event, now_ns):
                    picture.account_watch.transfer(event.balance_change)
                    picture.breakers.forget_equity()
                return []
            case MarginCalled():
                picture.levels.latches.set(ACCOUNT, RiskLevel.RESTRICTED, f"margin call: {event.text}")
                told = picture.notices.once(AlertCode.MARGIN_CALL, Severity.CRITICAL, ACCOUNT, event.text, now_ns)
                return [*told, *self._judge.judge(now_ns)]
            case FundingPaid() | VenuePosition() | InstrumentTaken():
                return []
            case _:
                assert_never(event)

    def _latch_forced(self, event: OrderFilled, symbol: str, now_ns: int) -> list[Effect]:
        text = f"the venue closed {event.quantity_lots} lots of {symbol} by force"
        latches = self._picture.levels.latches
        latches.set(event.instrument_id, RiskLevel.HALTED, text)
        latches.set(ACCOUNT, RiskLevel.RESTRICTED, text)
        told = self._picture.notices.once(AlertCode.LIMIT_BREACHED, Severity.CRITICAL, symbol, text, now_ns)
        return [*told, *self._judge.judge(now_ns)]

    def _is_new(self, shard: int, event_seq: int) -> bool:
        arrival = self._streams.arrived(shard, event_seq)
        if arrival in (Arrival.AFTER_GAP, Arrival.ANEW):
            for instrument_id in self._picture.desk.instruments(shard):
                orders = self._picture.symbols[instrument_id].orders
                orders.forget()
                if arrival is Arrival.ANEW:
                    orders.begin_again()
        return arrival is not Arrival.REPEATED


def _is_possible(event: AnyOrderEvent) -> bool:
    """Whether an order can be so: quantities are not negative, and what has a price has one above nothing."""
    match event:
        case OrderAccepted() | OrderAmended():
            return event.price_ticks > 0 and are_lots(event.quantity_lots, event.filled_lots)
        case OrderUnknown():
            return event.price_ticks > 0 and are_lots(event.quantity_lots)
        case OrderFilled():
            return event.price_ticks > 0 and are_lots(event.quantity_lots, event.remaining_lots) and is_sound(event.fee)
        case OrderCanceled() | OrderExpired():
            return are_lots(event.filled_lots)
        case OrderRejected() | OrderDenied():
            return True
        case _:
            assert_never(event)
