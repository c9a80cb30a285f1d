"""Turning targets into orders: evaluate the gate, keep what is close enough, cancel the rest, fill what is missing."""

from __future__ import annotations

from actors.order_manager.gate import GateReason, Limits, check_order
from actors.order_manager.ladder import Missing, Tolerance, diff_side
from actors.order_manager.orders import Order, OrderState
from actors.order_manager.shard import Shard
from actors.order_manager.symbol import Symbol
from protocols.client_order_id import base36
from protocols.messages.journal import GateChanged, OrderIntended
from protocols.messages.orders import DenialCode, OrderDenied
from protocols.messages.quoting import QuoteTargets
from protocols.messages.risk import TradingState
from protocols.values import Level, Side, TimeInForce

PENDING_CANCEL_NS = 1_000_000_000
"""A pending order that must go is cancelled without waiting for its answer after this."""

_WAITS_FOR_CANCELS = {
    DenialCode.POSITION,
    DenialCode.NOTIONAL,
    DenialCode.OPEN_ORDERS,
    DenialCode.SELF_CROSS,
    DenialCode.REDUCING,
}
"""Refusals that end by themselves when cancels in flight are answered."""


class Quoter:
    """Brings the resting orders of a symbol to its targets, as far as the gate allows."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        own = shard.own
        self._age_ns_min = own.order_age_ms_min * 1_000_000
        self._size_share = own.size_tolerance_share
        self._window_ns = own.window_ms * 1_000_000
        self._slack_ns = own.dead_slack_ms * 1_000_000

    def work(self, symbol: Symbol, now_ns: int) -> None:
        """Do for one symbol what can be done now."""
        shard = self._shard
        covered = shard.dry_run or shard.countdown.covers(symbol.instrument_id, now_ns)
        reasons = shard.gate.reasons(symbol, covered, now_ns)
        self._note_gate(symbol, reasons, now_ns)
        shard.refresh_notional(symbol)
        if reasons and not shard.gate.keeps_quotes(reasons, now_ns):
            self.pull(symbol, now_ns)
            return
        limits = shard.limits.get(symbol.instrument_id)
        if reasons or limits is None or symbol.targets is None:
            self._repeat_cancels(symbol, now_ns)
            return
        self._quote(symbol, symbol.targets, limits, now_ns)

    def pull(self, symbol: Symbol, now_ns: int) -> None:
        """Cancel everything of ours on a symbol."""
        for order in symbol.table.live.values():
            if not order.is_terminal:
                self._shard.desk.cancel(symbol.instrument_id, order, now_ns)

    def _note_gate(self, symbol: Symbol, reasons: tuple[GateReason, ...], now_ns: int) -> None:
        is_open = not reasons
        if symbol.gate_reasons is not reasons and symbol.gate_reasons != reasons:
            if symbol.gate_open != is_open or not symbol.gate_was_told:
                self._shard.outbox.append(
                    GateChanged(
                        instrument_id=symbol.instrument_id,
                        open=is_open,
                        reason=", ".join(reasons),
                        changed_ns=now_ns,
                    )
                )
                symbol.gate_was_told = True
            symbol.gate_open, symbol.gate_reasons = is_open, reasons

    def _quote(self, symbol: Symbol, targets: QuoteTargets, limits: Limits, now_ns: int) -> None:
        table = symbol.table
        reference = targets.bids[0][0] if targets.bids else targets.asks[0][0] if targets.asks else 0
        tolerance = Tolerance(symbol.tolerance_ticks(reference), self._size_share, self._age_ns_min)
        cancels: list[Order] = []
        missing: list[Missing] = []
        for side in (Side.BUY, Side.SELL):
            resting = [
                order
                for order in table.live.values()
                if order.side is side
                and not order.is_terminal
                and not order.cancel_wanted
                and order.state is not OrderState.UNKNOWN
            ]
            wanted = self._wanted(symbol, targets, limits, side)
            if wanted is None:
                cancels.extend(resting)
                continue
            diff = diff_side(side, wanted, resting, tolerance, now_ns)
            cancels.extend(diff.cancels)
            cancels.extend(self._breaching(symbol, limits, side, resting, diff.cancels))
            missing.extend(diff.missing)
        for order in cancels:
            self._cancel(symbol, order, now_ns)
        self._repeat_cancels(symbol, now_ns)
        if missing:
            missing.sort(key=_inner_first)
            for level in missing:
                self._place(symbol, targets, limits, level, now_ns)

    def _wanted(self, symbol: Symbol, targets: QuoteTargets, limits: Limits, side: Side) -> tuple[Level, ...] | None:
        """Levels wanted on a side; None when nothing may rest there."""
        if any(order.state is OrderState.UNKNOWN and order.side is side for order in symbol.table.live.values()):
            return None
        levels = targets.bids if side is Side.BUY else targets.asks
        if limits.state is not TradingState.REDUCING:
            return levels
        return _within(levels, -side.sign * symbol.table.position_lots)

    def _breaching(
        self, symbol: Symbol, limits: Limits, side: Side, resting: list[Order], going: list[Order]
    ) -> list[Order]:
        """Outermost orders that must go because the worst case of their side is above a limit that was lowered."""
        table = symbol.table
        excess_lots = table.worst_case_lots(side) - limits.position_lots_max
        if limits.state is TradingState.REDUCING:
            excess_lots = max(excess_lots, table.worst_case_lots(side))
        if excess_lots <= 0:
            return []
        excess_lots -= sum(
            order.open_lots for order in table.live.values() if order.cancel_wanted and order.side is side
        )
        excess_lots -= sum(order.open_lots for order in going)
        breaching: list[Order] = []
        for order in sorted(resting, key=lambda order: side.sign * order.price_ticks):
            if excess_lots <= 0:
                break
            if order not in going:
                breaching.append(order)
                excess_lots -= order.open_lots
        return breaching

    def _cancel(self, symbol: Symbol, order: Order, now_ns: int) -> None:
        order.cancel_wanted = True
        if order.state is OrderState.PENDING and now_ns - order.created_ns < PENDING_CANCEL_NS:
            return
        self._shard.desk.cancel(symbol.instrument_id, order, now_ns)

    def _repeat_cancels(self, symbol: Symbol, now_ns: int) -> None:
        for order in symbol.table.live.values():
            if order.cancel_wanted and not order.cancel_request_id and not order.is_terminal:
                self._cancel(symbol, order, now_ns)

    def _place(self, symbol: Symbol, targets: QuoteTargets, limits: Limits, level: Missing, now_ns: int) -> None:
        shard, table, side = self._shard, symbol.table, level.side
        if now_ns < symbol.wait_until_ns[side] or targets.book_update_id <= symbol.wait_for_book[side]:
            return
        top = symbol.top
        assert top is not None
        book_age_ns = symbol.book_age_ns(now_ns)
        if book_age_ns > shard.gate.book_age_ns_max:
            self._deny(symbol, level, DenialCode.STALE_BOOK, now_ns)
            return
        reduce_only = limits.state is TradingState.REDUCING
        lots = level.lots
        code = check_order(symbol, limits, side, level.price_ticks, lots, reduce_only, shard.notional_room(symbol))
        if code is None:
            code = self._capacity(level.rank, now_ns)
        if code is not None:
            is_waiting = code in _WAITS_FOR_CANCELS and any(order.cancel_wanted for order in table.live.values())
            if not is_waiting:
                self._deny(symbol, level, code, now_ns)
            return
        worst_lots = table.worst_case_lots(side) + lots
        venue_ns = shard.clock.at(now_ns)
        order = Order(
            client_order_id=symbol.prefix + base36(symbol.next_client_order_id_seq()),
            epoch=shard.spec.epoch,
            side=side,
            price_ticks=level.price_ticks,
            lots=lots,
            time_in_force=TimeInForce.POST_ONLY,
            reduce_only=reduce_only,
            created_ns=now_ns,
            deadline_venue_ns=venue_ns + self._window_ns + shard.clock.error_ns + self._slack_ns,
        )
        order.venue_time_ns = venue_ns
        table.add(order)
        instrument = symbol.instrument
        shard.outbox.append(
            OrderIntended(
                instrument_id=symbol.instrument_id,
                instrument_version=instrument.version,
                client_order_id=order.client_order_id,
                side=side,
                price=instrument.price(level.price_ticks),
                quantity=instrument.quantity(lots),
                price_ticks=level.price_ticks,
                quantity_lots=lots,
                time_in_force=order.time_in_force,
                reduce_only=reduce_only,
                venue_time_ns=venue_ns,
                deadline_venue_ns=order.deadline_venue_ns,
                decided_ns=now_ns,
                book_update_id=targets.book_update_id,
                book_age_ns=book_age_ns,
                book_age_ns_max=shard.gate.book_age_ns_max,
                best_bid_ticks=top.bids[0][0],
                best_ask_ticks=top.asks[0][0],
                worst_case_lots=worst_lots,
                limit_lots=limits.position_lots_max,
                lease_nonce=shard.lease.nonce,
            )
        )
        shard.desk.place(symbol.instrument_id, order, now_ns)
        shard.refresh_notional(symbol)

    def _capacity(self, rank: int, now_ns: int) -> DenialCode | None:
        shard = self._shard
        if shard.dry_run:
            return DenialCode.DRY_RUN
        if not shard.budget.may_place(now_ns, rank) or not shard.desk.has_room_for_order:
            return DenialCode.RATE
        if sum(len(symbol.table.live) for symbol in shard.symbols.values()) >= shard.own.live_orders_max:
            return DenialCode.OPEN_ORDERS
        return None

    def _deny(self, symbol: Symbol, level: Missing, code: DenialCode, now_ns: int) -> None:
        symbol.denials[code] += 1
        text = f"{level.side.value} {level.lots} lots at {level.price_ticks} ticks"
        subject = f"{symbol.name} {level.side.value}"
        if not self._shard.outbox.log_sometimes(
            f"denied {code.value}", subject, f"{subject} denied: {code.value}, {text}", now_ns
        ):
            return
        if self._shard.dry_run:
            return
        self._shard.outbox.event(
            OrderDenied,
            instrument_id=symbol.instrument_id,
            client_order_id=symbol.prefix + base36(symbol.next_client_order_id_seq()),
            venue_order_id=0,
            venue_time_ns=self._shard.clock.at(now_ns),
            side=level.side,
            code=code,
            text=text,
        )


def _within(levels: tuple[Level, ...], room_lots: int) -> tuple[Level, ...] | None:
    """Levels cut so that together they do not exceed `room_lots`; None when there is no room at all."""
    if room_lots <= 0:
        return None
    cut: list[Level] = []
    for ticks, lots in levels:
        if room_lots <= 0:
            break
        cut.append((ticks, min(lots, room_lots)))
        room_lots -= lots
    return tuple(cut)


def _inner_first(level: Missing) -> int:
    return level.rank
