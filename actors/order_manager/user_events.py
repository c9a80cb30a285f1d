"""The private stream: orders and executions in any order and any number of times, balances, funding, warnings."""

from __future__ import annotations

from typing import assert_never

from actors.order_manager.evidence import Evidence
from actors.order_manager.shard import Shard
from actors.order_manager.symbol import Symbol
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.orders import BalanceChanged, FundingPaid, MarginCalled, UserStreamLost, VenuePosition
from protocols.venue import (
    AccountConfigUpdate,
    AnyUserEvent,
    BalanceUpdate,
    ExecutionKind,
    MarginCallUpdate,
    OrderUpdate,
    PositionUpdate,
    UserStreamExpired,
)

FUNDING_REASON = "FUNDING_FEE"
"""The venue's word for a balance that changed by funding."""

FORCED_REASONS = frozenset({"LIQUIDATION", "ADL", "SETTLEMENT", "DELIVERY"})
"""Reasons of orders that the venue itself placed against a position."""


class UserEvents:
    """Books what the private stream tells; the symbol that changed comes back to be worked on."""

    def __init__(self, shard: Shard, evidence: Evidence) -> None:
        self._shard = shard
        self._evidence = evidence

    def take(self, event: AnyUserEvent, now_ns: int) -> Symbol | None:
        """Book one event."""
        shard = self._shard
        match event:
            case OrderUpdate():
                return self._order(event, now_ns)
            case BalanceUpdate():
                self._balance(event)
            case PositionUpdate():
                if event.instrument_id in shard.symbols:
                    symbol = shard.symbols[event.instrument_id]
                    symbol.told_lots, symbol.told_ns = event.position_lots, now_ns
                    shard.outbox.event(
                        VenuePosition,
                        instrument_id=event.instrument_id,
                        position_lots=event.position_lots,
                        entry_price=event.entry_price,
                        venue_time_ns=event.venue_time_ns,
                    )
            case MarginCallUpdate():
                shard.outbox.event(MarginCalled, text=event.text, venue_time_ns=event.venue_time_ns)
                shard.outbox.alert(AlertCode.MARGIN_CALL, Severity.CRITICAL, shard.spec.account, event.text, now_ns)
            case UserStreamExpired():
                shard.gate.user_stream_up = False
                shard.outbox.publish(UserStreamLost(shard=shard.spec.shard, lost_ns=now_ns))
                shard.outbox.alert(
                    AlertCode.USER_STREAM_LOST,
                    Severity.WARNING,
                    shard.spec.name,
                    "the key of the private stream has expired",
                    now_ns,
                )
            case AccountConfigUpdate():
                shard.outbox.alert(
                    AlertCode.BAD_DATA, Severity.WARNING, shard.spec.account, f"account changed: {event.text}", now_ns
                )
            case _:
                assert_never(event)
        return None

    def _order(self, event: OrderUpdate, now_ns: int) -> Symbol | None:
        report = event.order
        symbol = self._shard.symbols.get(report.instrument_id)
        if symbol is None:
            return None
        forced = event.kind is ExecutionKind.LIQUIDATION or event.reason in FORCED_REASONS
        if event.fill is not None:
            self._evidence.fill(symbol, event.fill, report.client_order_id, now_ns, forced, report.quantity_lots)
        self._evidence.order(symbol, report, now_ns)
        if forced:
            self._shard.halt(
                symbol,
                AlertCode.LIMIT_BREACHED,
                f"the venue traded the position itself ({event.reason or 'liquidation'})",
                now_ns,
            )
        return symbol

    def _balance(self, event: BalanceUpdate) -> None:
        """Absolute balances come from shard 0 only, funding of a symbol from that symbol's shard."""
        shard = self._shard
        own = next((symbol for symbol in shard.symbols.values() if symbol.name == event.symbol), None)
        if event.reason == FUNDING_REASON and own is not None:
            shard.outbox.event(
                FundingPaid,
                instrument_id=own.instrument_id,
                asset=event.asset,
                amount=event.balance_change,
                transaction_id=f"{event.symbol}-{event.venue_time_ns}",
                venue_time_ns=event.venue_time_ns,
            )
        if shard.spec.shard == 0:
            shard.outbox.event(
                BalanceChanged,
                asset=event.asset,
                wallet_balance=event.wallet_balance,
                balance_change=event.balance_change,
                reason=event.reason,
                venue_time_ns=event.venue_time_ns,
            )
