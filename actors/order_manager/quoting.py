"""Turning targets into orders: evaluate the gate, keep what is close enough, cancel the rest, fill what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import msgspec

from actors.order_manager.gate import ONLY_THE_LADDER, GateReason, Limits, check_order
from actors.order_manager.ladder import Missing, Move, Tolerance, diff_side, is_in_place, is_too_bold, pair_moves
from actors.order_manager.order_table import OrderTable
from actors.order_manager.orders import Amendment, Order, OrderState
from actors.order_manager.placing import place
from actors.order_manager.shard import Shard
from actors.order_manager.symbol import Symbol
from configs.schema import OrderManagerSettings
from protocols.messages.journal import AmendIntended, GateChanged
from protocols.messages.orders import DenialCode, OrderDenied
from protocols.messages.quoting import QuoteTargets
from protocols.messages.risk import FACTOR_ONE_BPS, TradingState
from protocols.values import Level, Side, TimeInForce

PENDING_CANCEL_NS = 1_000_000_000
"""A pending order that must go is cancelled without waiting for its answer after this."""

DENIED_WAIT_NS = 250_000_000
"""A level that was denied is tried again after this at the earliest."""

TOLD_BEHIND_A_SHUT_GATE = (GateReason.STOPPED, GateReason.USER_STREAM)
"""Reasons that are journaled when they come or go although the gate is shut already for another."""

_WAITS_FOR_CANCELS = {
    DenialCode.POSITION,
    DenialCode.NOTIONAL,
    DenialCode.OPEN_ORDERS,
    DenialCode.SELF_CROSS,
    DenialCode.REDUCING,
}
"""Refusals that end by themselves when cancels in flight are answered."""

# Members of enumerations by a name of their own: looking them up in their class costs more than the comparison.
_BUY, _SELL = Side.BUY, Side.SELL
_PENDING, _UNKNOWN = OrderState.PENDING, OrderState.UNKNOWN
_REDUCING = TradingState.REDUCING
_POST_ONLY = TimeInForce.POST_ONLY

_RANK = attrgetter("rank")


class Quoter:
    """Brings the resting orders of a symbol to its targets, as far as the gate allows."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        own = shard.own
        self._window_ns = own.window_ms * 1_000_000
        self._live_orders_max = own.live_orders_max
        self._slack_ns = own.dead_slack_ms * 1_000_000
        self.change(own)

    def change(self, own: OrderManagerSettings) -> None:
        """Take what the ladder's comparison tolerates."""
        self._age_ns_min = own.order_age_ms_min * 1_000_000
        self._size_share = own.size_tolerance_share
        self._amends = own.amends

    def work(self, symbol: Symbol, now_ns: int) -> None:
        """Do for one symbol what can be done now."""
        shard = self._shard
        covered = shard.dry_run or shard.countdown.covers(symbol.instrument_id, now_ns)
        reasons = shard.gate.reasons(symbol, covered, now_ns)
        self._note_gate(symbol, reasons, now_ns)
        shard.refresh_notional(symbol)
        if reasons and not shard.gate.keeps_quotes(reasons, now_ns):
            self.pull(symbol, now_ns, only_quotes=reasons == ONLY_THE_LADDER)
            return
        limits = shard.limits.get(symbol.instrument_id)
        if reasons or limits is None or symbol.targets is None:
            self._repeat_cancels(symbol, now_ns)
            return
        self._quote(symbol, symbol.targets, limits, now_ns)

    def pull(self, symbol: Symbol, now_ns: int, *, only_quotes: bool = False) -> None:
        """Cancel everything of ours on a symbol, or only what the ladder asked for."""
        for order in symbol.table.live.values():
            if not order.is_terminal and not (only_quotes and order.intent_id):
                self._shard.desk.cancel(symbol.instrument_id, order, now_ns)

    def _note_gate(self, symbol: Symbol, reasons: tuple[GateReason, ...], now_ns: int) -> None:
        is_open = not reasons
        if symbol.gate_reasons is not reasons and symbol.gate_reasons != reasons:
            is_other = any((each in reasons) != (each in symbol.gate_reasons) for each in TOLD_BEHIND_A_SHUT_GATE)
            if symbol.gate_open != is_open or is_other or not symbol.gate_was_told:
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
        orders = _sort_out(table.live.values())
        reference = targets.bids[0][0] if targets.bids else targets.asks[0][0] if targets.asks else 0
        tolerance = Tolerance(
            symbol.tolerance_ticks(reference) * limits.tolerance_factor_bps // FACTOR_ONE_BPS,
            self._size_share,
            max(self._age_ns_min, limits.life_ns_min),
        )
        allowed_lots = 0 if limits.state is _REDUCING else limits.position_lots_max
        reduce_only = limits.state is _REDUCING
        cancels: list[Order] = []
        missing: list[Missing] = []
        moves: list[Move] = []
        for side, resting, in_doubt in (
            (_BUY, orders.buys, orders.buy_in_doubt),
            (_SELL, orders.sells, orders.sell_in_doubt),
        ):
            wanted = None if in_doubt else self._wanted(symbol, targets, limits, side)
            if wanted is None:
                cancels.extend(resting)
                continue
            going: list[Order] = []
            if not is_in_place(side, wanted, resting, tolerance):
                going, unfilled = diff_side(side, wanted, resting, tolerance, now_ns)
                if going and unfilled and self._amends:
                    moves.extend(pair_moves(going, unfilled, reduce_only))
                cancels.extend(going)
                missing.extend(unfilled)
            excess_lots = table.worst_case_lots(side) - allowed_lots
            if excess_lots > 0:
                cancels.extend(_breaching(table, side, resting, going, excess_lots))
        for order in cancels:
            self._cancel(symbol, order, now_ns)
        for order in orders.to_cancel_again:
            self._cancel(symbol, order, now_ns)
        if moves:
            self._move(symbol, targets, limits, moves, tolerance, now_ns)
        if missing:
            self._fill_levels(symbol, targets, limits, missing, now_ns)

    def _wanted(self, symbol: Symbol, targets: QuoteTargets, limits: Limits, side: Side) -> tuple[Level, ...] | None:
        """Levels wanted on a side; None when nothing may rest there."""
        levels = targets.bids if side is _BUY else targets.asks
        if limits.levels_max:
            levels = levels[: limits.levels_max]
        if symbol.makes_way:
            levels = _out_of_the_way(side, levels, symbol.makes_way.get(side))
        if limits.state is not _REDUCING:
            return levels
        return _within(levels, -side.sign * symbol.table.position_lots)

    def _cancel(self, symbol: Symbol, order: Order, now_ns: int) -> None:
        order.cancel_wanted = True
        if order.state is _PENDING and now_ns - order.created_ns < PENDING_CANCEL_NS:
            return
        self._shard.desk.cancel(symbol.instrument_id, order, now_ns)

    def cancel_first(self, symbol: Symbol, now_ns: int) -> None:
        """Send the cancels that had to wait, before anything else uses what the venue allows."""
        self._repeat_cancels(symbol, now_ns)

    def _repeat_cancels(self, symbol: Symbol, now_ns: int) -> None:
        for order in _sort_out(symbol.table.live.values()).to_cancel_again:
            self._cancel(symbol, order, now_ns)

    def _fill_levels(
        self, symbol: Symbol, targets: QuoteTargets, limits: Limits, missing: list[Missing], now_ns: int
    ) -> None:
        """Place what is missing, the innermost levels first, each as far as every check lets it."""
        shard, table = self._shard, symbol.table
        missing.sort(key=_RANK)
        reduce_only = limits.state is _REDUCING
        notional_room = shard.notional_room(symbol)
        orders_room = self._live_orders_max - shard.live_orders
        book_age_ns = symbol.book_age_ns(now_ns)
        book_is_stale = book_age_ns > shard.gate.book_age_ns_max
        for level in missing:
            rank, side, price_ticks, lots = level
            if symbol.denied_until_ns and now_ns < symbol.denied_until_ns.get((side, rank), 0):
                continue
            if now_ns < symbol.wait_until_ns[side] or targets.book_update_id <= symbol.wait_for_book[side]:
                continue
            if book_is_stale:
                code: DenialCode | None = DenialCode.STALE_BOOK
            else:
                code = check_order(symbol, limits, side, price_ticks, lots, reduce_only, notional_room)
                if code is None:
                    code = self._capacity(rank, orders_room, reduce_only, now_ns)
            if code is None:
                self._place(symbol, targets, limits, level, book_age_ns, now_ns)
                orders_room -= 1
            elif code not in _WAITS_FOR_CANCELS or not any(map(_is_on_its_way, table.live.values())):
                self._deny(symbol, level, code, now_ns)
        shard.refresh_notional(symbol)

    def _move(
        self,
        symbol: Symbol,
        targets: QuoteTargets,
        limits: Limits,
        moves: list[Move],
        tolerance: Tolerance,
        now_ns: int,
    ) -> None:
        """Amend orders to the levels that they are to take, each as far as every check lets it; one that may not move goes.

        What only waits for other answers of this symbol (a limit, the other side's price) stays where it is, unless it is too bold there.
        """
        shard, table = self._shard, symbol.table
        notional_room = shard.notional_room(symbol)
        book_age_ns = symbol.book_age_ns(now_ns)
        moves.sort(key=_boldness)
        for order, level in moves:
            _, side, price_ticks, lots = level
            if order.cancel_wanted:
                continue
            code: DenialCode | None = DenialCode.STALE_BOOK
            if now_ns < symbol.wait_until_ns[side] or targets.book_update_id <= symbol.wait_for_book[side]:
                self._cancel(symbol, order, now_ns)
                continue
            executed_lots = max(order.booked_lots, order.reported_lots)
            added_lots = max(lots + executed_lots - order.lots, 0)
            if book_age_ns <= shard.gate.book_age_ns_max:
                code = check_order(
                    symbol, limits, side, price_ticks, lots, order.reduce_only, notional_room, added_lots
                ) or self._capacity(level.rank, 1, order.reduce_only, now_ns)
            if code is None:
                self._amend(symbol, targets, limits, order, level, book_age_ns, now_ns)
                continue
            wanted = targets.bids if side is _BUY else targets.asks
            waits = code in _WAITS_FOR_CANCELS and any(map(_is_on_its_way, table.live.values()))
            if not waits:
                self._deny(symbol, level, code, now_ns)
            if not waits or is_too_bold(side, order, wanted, tolerance):
                self._cancel(symbol, order, now_ns)
        shard.refresh_notional(symbol)

    def _amend(
        self,
        symbol: Symbol,
        targets: QuoteTargets,
        limits: Limits,
        order: Order,
        level: Missing,
        book_age_ns: int,
        now_ns: int,
    ) -> None:
        """Journal new terms, then ask for them: they have passed every check."""
        shard, table, instrument, top = self._shard, symbol.table, symbol.instrument, symbol.top
        assert top is not None
        clock = shard.clock
        venue_ns = clock.at(now_ns)
        total_lots = level.lots + max(order.booked_lots, order.reported_lots)
        amendment = Amendment(
            price_ticks=level.price_ticks,
            lots=total_lots,
            venue_time_ns=venue_ns,
            deadline_venue_ns=venue_ns + self._window_ns + clock.error_ns + self._slack_ns,
            sent_ns=now_ns,
        )
        table.amending(order, amendment)
        shard.outbox.append(
            AmendIntended(
                instrument_id=symbol.instrument_id,
                instrument_version=instrument.version,
                client_order_id=order.client_order_id,
                side=order.side,
                price=symbol.exact_price(level.price_ticks),
                quantity=instrument.quantity(total_lots),
                price_ticks=level.price_ticks,
                quantity_lots=total_lots,
                venue_time_ns=venue_ns,
                deadline_venue_ns=amendment.deadline_venue_ns,
                decided_ns=now_ns,
                book_update_id=targets.book_update_id,
                book_age_ns=book_age_ns,
                book_age_ns_max=shard.gate.book_age_ns_max,
                best_bid_ticks=top.bids[0][0],
                best_ask_ticks=top.asks[0][0],
                worst_case_lots=table.worst_case_lots(order.side),
                limit_lots=limits.position_lots_max,
                lease_nonce=shard.lease.nonce,
            )
        )
        shard.desk.amend(symbol.instrument_id, order, now_ns)

    def _place(
        self, symbol: Symbol, targets: QuoteTargets, limits: Limits, level: Missing, book_age_ns: int, now_ns: int
    ) -> None:
        shard, clock = self._shard, self._shard.clock
        venue_ns = clock.at(now_ns)
        order = Order(
            client_order_id=symbol.next_client_order_id(),
            epoch=shard.spec.epoch,
            side=level.side,
            price_ticks=level.price_ticks,
            lots=level.lots,
            time_in_force=_POST_ONLY,
            reduce_only=limits.state is _REDUCING,
            created_ns=now_ns,
            deadline_venue_ns=venue_ns + self._window_ns + clock.error_ns + self._slack_ns,
            venue_time_ns=venue_ns,
        )
        place(shard, symbol, order, limits, targets.book_update_id, book_age_ns, now_ns)

    def _capacity(self, rank: int, orders_room: int, closes: bool, now_ns: int) -> DenialCode | None:
        """The reason not to send one more order that lies with the whole shard, or None."""
        shard = self._shard
        if shard.dry_run:
            return DenialCode.DRY_RUN
        fits = shard.budget.may_close(now_ns) if closes else shard.budget.may_place(now_ns, rank)
        if not fits or not shard.desk.has_room_for_order:
            return DenialCode.RATE
        return DenialCode.OPEN_ORDERS if orders_room <= 0 else None

    def _deny(self, symbol: Symbol, level: Missing, code: DenialCode, now_ns: int) -> None:
        symbol.denials[code] += 1
        symbol.denied_until_ns[level.side, level.rank] = now_ns + DENIED_WAIT_NS
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
            client_order_id=symbol.next_client_order_id(),
            venue_order_id=0,
            venue_time_ns=self._shard.clock.at(now_ns),
            side=level.side,
            code=code,
            text=text,
        )


def _is_on_its_way(order: Order) -> bool:
    """Whether an order ends or moves soon by itself."""
    return order.cancel_wanted or order.amendment is not None or bool(order.intent_id)


def _out_of_the_way(side: Side, levels: tuple[Level, ...], bound_ticks: int | None) -> tuple[Level, ...]:
    if bound_ticks is None:
        return levels
    return tuple(level for level in levels if side.sign * (level[0] - bound_ticks) < 0)


def _boldness(move: Move) -> int:
    """How far an order moves towards the other side: what makes way is sent first."""
    return move.level.side.sign * (move.level.price_ticks - move.order.price_ticks)


def _breaching(
    table: OrderTable, side: Side, resting: list[Order], going: list[Order], excess_lots: int
) -> list[Order]:
    """Outermost orders that must go because the worst case of their side is above what is allowed by `excess_lots`."""
    excess_lots -= sum(order.open_lots for order in table.live.values() if order.cancel_wanted and order.side is side)
    excess_lots -= sum(order.open_lots for order in going)
    breaching: list[Order] = []
    for order in sorted(resting, key=lambda order: side.sign * order.price_ticks):
        if excess_lots <= 0:
            break
        if order not in going:
            breaching.append(order)
            excess_lots -= order.open_lots
    return breaching


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


class _Sorted(msgspec.Struct, frozen=True):
    """Our live orders: quotes that rest and may stay, by side; whose cancel must be repeated; which side has one of unknown fate."""

    buys: list[Order]
    sells: list[Order]
    to_cancel_again: list[Order]
    buy_in_doubt: bool
    sell_in_doubt: bool


def _sort_out(orders: Iterable[Order]) -> _Sorted:
    buys: list[Order] = []
    sells: list[Order] = []
    to_cancel_again: list[Order] = []
    buy_in_doubt = sell_in_doubt = False
    for order in orders:
        if order.is_terminal:
            continue
        is_buy, in_doubt = order.side is _BUY, order.state is _UNKNOWN
        if in_doubt:
            buy_in_doubt, sell_in_doubt = buy_in_doubt or is_buy, sell_in_doubt or not is_buy
        if order.cancel_wanted:
            if not order.cancel_request_id:
                to_cancel_again.append(order)
        elif not in_doubt and not order.intent_id:
            (buys if is_buy else sells).append(order)
    return _Sorted(buys, sells, to_cancel_again, buy_in_doubt, sell_in_doubt)
