"""One-shot orders: each request is decided once, journaled before it is sent, and answered by order events that carry its intent id.

A request passes the gate of its symbol (but for the age of the ladder, which is not its reason) and every check of an order; what they
refuse now is denied now, by code, and never tried again. Orders with an intent count in the worst case like all others, end by the same
evidence, and are no part of the ladder: it neither keeps, moves nor cancels them. They go with everything else when the gate shuts.

They go too where they would add risk that is allowed no more: while reducing, and beyond a limit that was lowered.

A request that would meet quotes of our own has them cancelled first and waits for their end, at the longest until it expires; meanwhile
the ladder makes way. One that would meet the order of another request is refused: which of the two is wanted, only the askers know.
"""

from __future__ import annotations

from typing import NamedTuple

from actors.order_manager.gate import ONLY_THE_LADDER, GateReason, Limits, check_order
from actors.order_manager.intents import LIFE_NS_MAX
from actors.order_manager.orders import Order, OrderState
from actors.order_manager.placing import place
from actors.order_manager.shard import Shard
from actors.order_manager.symbol import Symbol
from protocols.effects import LogLevel
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.market import FeedState
from protocols.messages.orders import DenialCode, OrderDenied
from protocols.messages.requests import INTENT_ID_CHARACTERS_MAX, OrderRequest, WithdrawRequest
from protocols.messages.risk import TradingState
from protocols.values import Side

WAITING_MAX = 32
"""Requests that wait at one time for quotes to make way; more are denied."""

_CODES: dict[GateReason, DenialCode] = {
    GateReason.STOPPED: DenialCode.STOPPED,
    GateReason.LEASE: DenialCode.NO_LEASE,
    GateReason.LEASE_HALTED: DenialCode.HALTED,
    GateReason.BOOK: DenialCode.STALE_BOOK,
    GateReason.CLOCK: DenialCode.CLOCK,
    GateReason.RETRY_AFTER: DenialCode.RATE,
}
"""What a shut gate is called in a denial; every other reason is GATE_SHUT."""


class Denial(NamedTuple):
    """Why a request is not sent."""

    code: DenialCode
    text: str


class Requests:
    """Decides each request once. `waiting` are those for which quotes make way."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        own = shard.own
        self._window_ns = own.window_ms * 1_000_000
        self._slack_ns = own.dead_slack_ms * 1_000_000
        self.waiting: dict[str, OrderRequest] = {}

    def take(self, request: OrderRequest, now_ns: int) -> None:
        """Take a request, perhaps one that was taken before: then nothing happens. Those of other shards are not ours to answer."""
        shard = self._shard
        symbol = shard.symbols.get(request.instrument_id)
        if symbol is None or request.intent_id in shard.intents or request.intent_id in self.waiting:
            return
        if shard.intents.is_full:
            shard.outbox.alert(
                AlertCode.BAD_DATA,
                Severity.WARNING,
                symbol.name,
                f"more than {len(shard.intents)} requests within an hour: {request.intent_id[:64]} is left unanswered",
                now_ns,
            )
            return
        malformed = self._malformed(symbol, request)
        if malformed:
            self._deny(symbol, request, Denial(DenialCode.REQUEST, malformed), now_ns)
        else:
            self._decide(symbol, request, now_ns)

    def withdraw(self, message: WithdrawRequest, now_ns: int) -> None:
        """A request is no longer wanted."""
        shard = self._shard
        symbol = shard.symbols.get(message.instrument_id)
        if symbol is None:
            return
        waiting = self.waiting.get(message.intent_id)
        if waiting is not None:
            self._deny(symbol, waiting, Denial(DenialCode.LATE, "withdrawn"), now_ns)
        elif message.intent_id not in shard.intents and not shard.intents.is_full:
            shard.intents.note(message.intent_id, shard.clock.at(now_ns) if shard.clock.is_known else 0)
        for order in symbol.table.live.values():
            if order.intent_id == message.intent_id:
                self._cancel(symbol, order, now_ns)

    def go_on(self, symbol: Symbol, now_ns: int) -> None:
        """Something of a symbol changed: decide what waited for it."""
        for request in [one for one in self.waiting.values() if one.instrument_id == symbol.instrument_id]:
            self._decide(symbol, request, now_ns)

    def step(self, now_ns: int) -> None:
        """Time passed: deny what waited in vain, have resting orders cancelled whose time is over, forget what is long decided."""
        shard = self._shard
        for request in list(self.waiting.values()):
            self._decide(shard.symbols[request.instrument_id], request, now_ns)
        for symbol in shard.symbols.values():
            for order in symbol.table.live.values():
                if 0 < order.expires_ns <= now_ns:
                    self._cancel(symbol, order, now_ns)
            for side in Side:
                self._keep_within(symbol, side, now_ns)
        if shard.clock.is_known:
            shard.intents.forget(shard.clock.at(now_ns))

    def _malformed(self, symbol: Symbol, request: OrderRequest) -> str:
        """What is wrong with a request itself."""
        if not 0 < len(request.intent_id) <= INTENT_ID_CHARACTERS_MAX:
            return f"an intent id has 1 to {INTENT_ID_CHARACTERS_MAX} characters"
        if request.instrument_version != symbol.instrument.version:
            return f"it counts in version {request.instrument_version} of {symbol.name}, now is {symbol.instrument.version}"
        if request.quantity_lots <= 0 or request.limit_ticks <= 0:
            return "quantity and limit must be positive"
        if not 0 < request.expires_ns - request.asked_ns <= LIFE_NS_MAX:
            return f"a request may live at most {LIFE_NS_MAX // 1_000_000_000} s"
        return ""

    def _decide(self, symbol: Symbol, request: OrderRequest, now_ns: int) -> None:
        """Send a request, deny it, or let it wait for quotes that are in its way."""
        shard = self._shard
        shard.refresh_notional(symbol)
        limits = shard.limits.get(symbol.instrument_id)
        denial = self._not_now(symbol, request, now_ns)
        if denial is None and limits is None:
            denial = Denial(DenialCode.NO_LEASE, "the lease says nothing of this symbol")
        if denial is None:
            assert limits is not None
            code = check_order(
                symbol,
                limits,
                request.side,
                request.limit_ticks,
                request.quantity_lots,
                request.reduce_only,
                shard.notional_room(symbol),
            ) or self._capacity(request, now_ns)
            if code is DenialCode.SELF_CROSS and self._makes_way(symbol, request, now_ns):
                return
            if code is None:
                self._send(symbol, request, limits, now_ns)
                return
            denial = Denial(code, "")
        self._deny(symbol, request, denial, now_ns)

    def _not_now(self, symbol: Symbol, request: OrderRequest, now_ns: int) -> Denial | None:
        """Why nothing of this symbol may be sent now."""
        shard = self._shard
        if now_ns >= request.expires_ns:
            return Denial(DenialCode.LATE, "expired")
        if request.asked_ns < shard.intents.lost_before_ns:
            return Denial(DenialCode.GATE_SHUT, "asked before the journal was lost: it may have been sent")
        covered = shard.dry_run or shard.countdown.covers(symbol.instrument_id, now_ns)
        reasons = [r for r in shard.gate.reasons(symbol, covered, now_ns) if r not in ONLY_THE_LADDER]
        if reasons:
            return Denial(_CODES.get(reasons[0], DenialCode.GATE_SHUT), ", ".join(reasons))
        if _book_age_ns(symbol, now_ns) > shard.gate.book_age_ns_max:
            return Denial(DenialCode.STALE_BOOK, "")
        return None

    def _capacity(self, request: OrderRequest, now_ns: int) -> DenialCode | None:
        shard = self._shard
        if shard.dry_run:
            return DenialCode.DRY_RUN
        fits = shard.budget.may_close(now_ns) if request.reduce_only else shard.budget.may_place(now_ns)
        if not fits or not shard.desk.has_room_for_order:
            return DenialCode.RATE
        return DenialCode.OPEN_ORDERS if shard.live_orders >= shard.own.live_orders_max else None

    def _makes_way(self, symbol: Symbol, request: OrderRequest, now_ns: int) -> bool:
        """Have every quote cancelled that the request would meet; false when something else is in its way."""
        in_the_way = [order for order in symbol.table.live.values() if _meets(request, order)]
        is_new = request.intent_id not in self.waiting
        if any(order.intent_id for order in in_the_way) or (is_new and len(self.waiting) >= WAITING_MAX):
            return False
        self.waiting[request.intent_id] = request
        self._note_ways(symbol)
        for order in in_the_way:
            self._cancel(symbol, order, now_ns)
        return True

    def _cancel(self, symbol: Symbol, order: Order, now_ns: int) -> None:
        """One that is on its way is cancelled when it has arrived."""
        if order.is_terminal:
            return
        order.cancel_wanted = True
        if order.state is not OrderState.PENDING:
            self._shard.desk.cancel(symbol.instrument_id, order, now_ns)

    def _keep_within(self, symbol: Symbol, side: Side, now_ns: int) -> None:
        """Cancel the newest orders of requests, as far as the worst case of their side is above what is allowed now."""
        table, limits = symbol.table, self._shard.limits.get(symbol.instrument_id)
        ours = [order for order in table.live.values() if order.intent_id and order.side is side]
        if not ours or limits is None:
            return
        allowed_lots = limits.position_lots_max if limits.state is TradingState.ACTIVE else 0
        going_lots = sum(o.open_lots for o in table.live.values() if o.cancel_wanted and o.side is side)
        excess_lots = table.worst_case_lots(side) - allowed_lots - going_lots
        for order in reversed(ours):
            if excess_lots <= 0:
                return
            if not order.cancel_wanted:
                self._cancel(symbol, order, now_ns)
                excess_lots -= order.open_lots

    def _note_ways(self, symbol: Symbol) -> None:
        """Which prices the ladder leaves free: those that the boldest waiting request would meet."""
        symbol.makes_way.clear()
        for request in self.waiting.values():
            if request.instrument_id == symbol.instrument_id:
                side, ticks = request.side.opposite, request.limit_ticks
                known = symbol.makes_way.get(side, ticks)
                symbol.makes_way[side] = min(known, ticks) if side.sign > 0 else max(known, ticks)

    def _settled(self, symbol: Symbol, request: OrderRequest, now_ns: int) -> None:
        if self.waiting.pop(request.intent_id, None) is not None:
            self._note_ways(symbol)
        clock = self._shard.clock
        self._shard.intents.note(request.intent_id, clock.at(now_ns) if clock.is_known else 0)

    def _send(self, symbol: Symbol, request: OrderRequest, limits: Limits, now_ns: int) -> None:
        shard, top = self._shard, symbol.top
        assert top is not None
        venue_ns = shard.clock.at(now_ns)
        order = Order(
            client_order_id=symbol.next_client_order_id(),
            epoch=shard.spec.epoch,
            side=request.side,
            price_ticks=request.limit_ticks,
            lots=request.quantity_lots,
            time_in_force=request.time_in_force,
            reduce_only=request.reduce_only,
            created_ns=now_ns,
            deadline_venue_ns=venue_ns + self._window_ns + shard.clock.error_ns + self._slack_ns,
            venue_time_ns=venue_ns,
            intent_id=request.intent_id,
            expires_ns=request.expires_ns,
        )
        self._settled(symbol, request, now_ns)
        place(shard, symbol, order, limits, top.update_id, _book_age_ns(symbol, now_ns), now_ns)
        shard.refresh_notional(symbol)
        shard.outbox.log(
            LogLevel.INFO, f"request {request.intent_id}: {_described(request)} as {order.client_order_id}"
        )

    def _deny(self, symbol: Symbol, request: OrderRequest, denial: Denial, now_ns: int) -> None:
        shard = self._shard
        self._settled(symbol, request, now_ns)
        symbol.denials[denial.code] += 1
        text = f"{_described(request)}{': ' if denial.text else ''}{denial.text}"
        shard.outbox.log(LogLevel.WARNING, f"request {request.intent_id} denied: {denial.code.value}, {text}")
        shard.outbox.event(
            OrderDenied,
            instrument_id=symbol.instrument_id,
            client_order_id=symbol.next_client_order_id(),
            venue_order_id=0,
            venue_time_ns=shard.clock.at(now_ns),
            side=request.side,
            code=denial.code,
            text=text,
            intent_id=request.intent_id,
        )


def _meets(request: OrderRequest, order: Order) -> bool:
    """Whether the request would trade with an order of ours, at any price that this may have."""
    if order.is_terminal or order.side is request.side:
        return False
    ticks = {order.price_ticks, order.aimed_ticks}
    if request.side.sign > 0:
        return min(ticks) <= request.limit_ticks
    return max(ticks) >= request.limit_ticks


def _book_age_ns(symbol: Symbol, now_ns: int) -> int:
    """Age of the newest book here: since its receipt, or since the feed last confirmed that it is the newest."""
    top, status = symbol.top, symbol.status
    if top is None:
        return now_ns
    fresh_ns = top.received_ns
    if status is not None and status.state is FeedState.LIVE and top.update_id >= status.update_id:
        fresh_ns = max(fresh_ns, status.confirmed_ns)
    return max(now_ns - fresh_ns, 0)


def _described(request: OrderRequest) -> str:
    kind = f"{request.time_in_force.value}{' reduce-only' if request.reduce_only else ''}"
    return f"{request.side.value} {request.quantity_lots} lots at {request.limit_ticks} ticks, {kind}"
