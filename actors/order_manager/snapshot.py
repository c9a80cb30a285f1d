"""The one view of an order manager that status, `raymaker orders`, `raymaker fills`, reports and metrics read."""

from __future__ import annotations

import msgspec

from actors.order_manager.lifecycle import Lifecycle
from actors.order_manager.requests import Requests
from actors.order_manager.shard import Shard
from actors.order_manager.symbol import Symbol
from protocols.values import Level, Side

ORDERS_SHOWN_MAX = 200
"""Live orders of a symbol that the view shows."""


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """One live order. `intent_id` names the request that asked for it; "" where the ladder did."""

    symbol: str
    client_order_id: str
    venue_order_id: int
    side: str
    price: str
    price_ticks: int
    quantity: str
    filled: str
    quantity_lots: int
    filled_lots: int
    remaining_lots: int
    state: str
    reduce_only: bool
    in_doubt: bool
    age_ms: int
    intent_id: str


class FillView(msgspec.Struct, frozen=True, kw_only=True):
    """One execution."""

    symbol: str
    client_order_id: str
    venue_order_id: int
    trade_id: int
    side: str
    price: str
    quantity: str
    fee: str
    fee_asset: str
    maker: bool
    ours: bool
    venue_time_ns: int


class SymbolView(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol. Prices and quantities are exact decimals; `position` is signed, in base units.

    `reconcile_...` tell of the newest comparison on demand; `compared_ms_ago` is the age of the newest of any cause (-1: none yet).
    """

    gate_open: bool
    gate_reasons: tuple[str, ...]
    halted: str
    position: str
    position_lots: int
    best_bid: str
    best_ask: str
    open_orders: int
    unknown_orders: int
    target_bids: tuple[Level, ...]
    target_asks: tuple[Level, ...]
    target_age_ms: int
    quote_age_ms: int
    trading_state: str
    position_lots_max: int
    worst_long_lots: int
    worst_short_lots: int
    fills: int
    foreign_fills: int
    denials: dict[str, int]
    countdown_covers: bool
    sync_stage: str
    reconcile_token: int = 0
    reconcile_took_ms: int = 0
    reconcile_differences: tuple[str, ...] = ()
    compared_ms_ago: int = -1


class RateView(msgspec.Struct, frozen=True, kw_only=True):
    """Use of the request budget, and this shard's part of it."""

    weight_used_1m: int
    weight_max_1m: int
    orders_used_10s: int
    orders_max_10s: int
    orders_used_1m: int
    orders_max_1m: int
    throttled: int
    blocked_ms: int


class RequestsView(msgspec.Struct, frozen=True, kw_only=True):
    """One-shot orders: those that wait for quotes to make way, and those of the last hour that were decided."""

    waiting: int
    remembered: int


class OrderManagerView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole order manager. `clear`: during a stop or a drain, the venue was seen empty for certain."""

    shard: int
    epoch: int
    phase: str
    stopped: str
    superseded: str
    clear: bool
    dry_run: bool
    lease_state: str
    lease_left_ms: int
    lease_answers_dropped: int
    user_stream_up: bool
    clock_error_ms: float
    requests_in_flight: int
    suspects: tuple[str, ...]
    event_seq: int
    rate: RateView
    refusals: dict[str, int]
    symbols: dict[str, SymbolView]
    orders: tuple[OrderView, ...]
    fills: tuple[FillView, ...]
    worst_notional: str
    requests: RequestsView


def view(
    shard: Shard, lifecycle: Lifecycle, requests: Requests, refusals: dict[str, int], now_ns: int
) -> OrderManagerView:
    """Everything as it is at `now_ns`."""
    held = shard.lease.held
    budget = shard.budget
    return OrderManagerView(
        shard=shard.spec.shard,
        epoch=shard.spec.epoch,
        phase=lifecycle.phase.value,
        stopped=shard.gate.stopped,
        superseded=shard.gate.superseded,
        clear=lifecycle.is_clear,
        dry_run=shard.dry_run,
        lease_state=held.state.value if held is not None and not shard.lease.is_over(now_ns) else "OVER",
        lease_left_ms=max(shard.lease.ends_ns - now_ns, 0) // 1_000_000,
        lease_answers_dropped=shard.lease.answers_dropped,
        user_stream_up=shard.gate.user_stream_up,
        clock_error_ms=shard.clock.error_ns / 1_000_000,
        requests_in_flight=len(shard.desk.in_flight),
        suspects=tuple(shard.suspects.by_id),
        event_seq=shard.outbox.event_seq,
        rate=RateView(
            weight_used_1m=budget.weight_used_1m,
            weight_max_1m=budget.weight_1m_max,
            orders_used_10s=budget.orders_used_10s,
            orders_max_10s=budget.orders_10s_max,
            orders_used_1m=budget.orders_used_1m,
            orders_max_1m=budget.orders_1m_max,
            throttled=budget.throttled_total,
            blocked_ms=max(max(budget.blocked_until_ns, budget.orders_blocked_until_ns) - now_ns, 0) // 1_000_000,
        ),
        refusals=refusals,
        symbols={symbol.name: _symbol_view(shard, lifecycle, symbol, now_ns) for symbol in shard.symbols.values()},
        orders=tuple(row for symbol in shard.symbols.values() for row in _order_views(symbol, now_ns)),
        fills=_fill_views(shard),
        worst_notional=str(shard.worst_notional),
        requests=RequestsView(waiting=len(requests.waiting), remembered=len(shard.intents)),
    )


def _symbol_view(shard: Shard, lifecycle: Lifecycle, symbol: Symbol, now_ns: int) -> SymbolView:
    table, instrument, targets = symbol.table, symbol.instrument, symbol.targets
    limits = shard.limits.get(symbol.instrument_id)
    note = lifecycle.reconciled.get(symbol.instrument_id)
    live = sorted(table.live.values(), key=lambda order: -order.price_ticks)
    asks = [order.price_ticks for order in live if order.side is Side.SELL and order.accepted and not order.is_terminal]
    bids = [order.price_ticks for order in live if order.side is Side.BUY and order.accepted and not order.is_terminal]
    return SymbolView(
        gate_open=symbol.gate_open,
        gate_reasons=tuple(str(reason) for reason in symbol.gate_reasons),
        halted=symbol.halted,
        position=str(instrument.quantity(table.position_lots)),
        position_lots=table.position_lots,
        best_bid=str(instrument.price(max(bids))) if bids else "",
        best_ask=str(instrument.price(min(asks))) if asks else "",
        open_orders=len(live),
        unknown_orders=sum(order.state.value == "UNKNOWN" for order in live),
        target_bids=targets.bids if targets is not None else (),
        target_asks=targets.asks if targets is not None else (),
        target_age_ms=(now_ns - symbol.targets_ns) // 1_000_000 if targets is not None else -1,
        quote_age_ms=symbol.book_age_ns(now_ns) // 1_000_000
        if targets is not None and targets.book_received_ns
        else -1,
        trading_state=limits.state.value if limits is not None else "NONE",
        position_lots_max=limits.position_lots_max if limits is not None else 0,
        worst_long_lots=table.worst_case_lots(Side.BUY),
        worst_short_lots=table.worst_case_lots(Side.SELL),
        fills=table.fills_total,
        foreign_fills=table.foreign_fills_total,
        denials={code.value: count for code, count in symbol.denials.items()},
        countdown_covers=shard.countdown.covers(symbol.instrument_id, now_ns),
        sync_stage=shard.syncs[symbol.instrument_id].stage.value,
        reconcile_token=note.token if note is not None else 0,
        reconcile_took_ms=note.token_took_ns // 1_000_000 if note is not None else 0,
        reconcile_differences=note.token_differences if note is not None else (),
        compared_ms_ago=(now_ns - note.ended_ns) // 1_000_000 if note is not None else -1,
    )


def _order_views(symbol: Symbol, now_ns: int) -> list[OrderView]:
    instrument = symbol.instrument
    live = sorted(symbol.table.live.values(), key=lambda order: -order.price_ticks)
    return [
        OrderView(
            symbol=symbol.name,
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            side=order.side.value,
            price=str(instrument.price(order.price_ticks)),
            price_ticks=order.price_ticks,
            quantity=str(instrument.quantity(order.lots)),
            filled=str(instrument.quantity(order.booked_lots)),
            quantity_lots=order.lots,
            filled_lots=order.booked_lots,
            remaining_lots=order.open_lots,
            state=order.shown_state.value,
            reduce_only=order.reduce_only,
            in_doubt=order.in_doubt,
            age_ms=(now_ns - order.created_ns) // 1_000_000,
            intent_id=order.intent_id,
        )
        for order in live[:ORDERS_SHOWN_MAX]
    ]


def _fill_views(shard: Shard) -> tuple[FillView, ...]:
    views = []
    for fill in shard.outbox.recent_fills:
        symbol = shard.symbols[fill.instrument_id]
        views.append(
            FillView(
                symbol=symbol.name,
                client_order_id=fill.client_order_id,
                venue_order_id=fill.venue_order_id,
                trade_id=fill.trade_id,
                side=fill.side.value,
                price=str(symbol.instrument.price(fill.price_ticks)),
                quantity=str(symbol.instrument.quantity(fill.quantity_lots)),
                fee=str(fill.fee),
                fee_asset=fill.fee_asset,
                maker=fill.maker,
                ours=fill.ours,
                venue_time_ns=fill.venue_time_ns,
            )
        )
    return tuple(views)
