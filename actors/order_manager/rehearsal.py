"""The way from a ladder to its orders, over an imagined symbol: the real core, with a market and a gate of our own making.

The same classes decide as for a real ladder: gate, comparison, checks, intents, requests. What they decide is built as far as its bytes
by the shell, with a key that opens nothing, and forgotten.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from actors.order_manager.core import OrderManagerCore
from actors.order_manager.orders import OrderState
from configs.schema import Settings
from protocols.effects import Effect
from protocols.messages.control import ActorSpec
from protocols.messages.market import BookTop, FeedState, FeedStatus, VenueClock
from protocols.messages.quoting import QuoteTargets
from protocols.messages.risk import Lease, SymbolLimits, TradingState
from protocols.values import RateLimits

_FOREVER_NS = 2**62
_PLENTY = 10**9


class Rehearsal:
    """An imagined shard of one symbol whose gate is always open, and whose ladder moves on one side each time."""

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        """Build the stage.

        Args:
            spec: the actor's own; its first instrument is imagined.
        """
        instrument = spec.instruments[0]
        imagined = msgspec.structs.replace(
            spec,
            install="stage",
            instruments=(instrument,),
            rate_limits=RateLimits(weight_1m=_PLENTY, orders_10s=_PLENTY, orders_1m=_PLENTY),
        )
        self._core = OrderManagerCore(imagined, settings.model_copy(update={"dry_run": False}))
        self._shard = shard = self._core.shard
        self._symbol = symbol = shard.symbols[instrument.instrument_id]
        symbol.recovered = symbol.synchronised = symbol.gate_was_told = True
        lots_min = max(instrument.quantity_lots_min, 1)
        price_ticks = -(-symbol.notional_min // (lots_min * symbol.notional_unit))
        price_ticks = min(max(price_ticks, instrument.price_ticks_min), max(instrument.price_ticks_max // 2, 1))
        lots = max(lots_min, -(-symbol.notional_min // (price_ticks * symbol.notional_unit)))
        step_ticks = 2 * symbol.tolerance_ticks(price_ticks) + 2
        self._ladders = tuple(
            self._ladder(price_ticks + bid * step_ticks, price_ticks + (3 + ask) * step_ticks, lots)
            for bid, ask in ((0, 0), (1, 0), (1, 1), (0, 1))
        )
        self._turn = 0
        symbol.take_top(
            BookTop(
                instrument_id=instrument.instrument_id,
                instrument_version=instrument.version,
                update_id=_PLENTY,
                venue_time_ns=0,
                received_ns=_FOREVER_NS,
                bids=((price_ticks, lots),),
                asks=((price_ticks + 3 * step_ticks, lots),),
            )
        )
        symbol.band_low_ticks, symbol.band_high_ticks = 0, price_ticks + 4 * step_ticks
        symbol.status = FeedStatus(
            instrument_id=instrument.instrument_id,
            state=FeedState.LIVE,
            update_id=0,
            confirmed_ns=_FOREVER_NS,
            since_ns=0,
        )
        self._open_the_gate(lots)

    def next_targets(self) -> QuoteTargets:
        """The ladder that comes next."""
        self._turn = (self._turn + 1) % len(self._ladders)
        return self._ladders[self._turn]

    def play(self, targets: QuoteTargets, now_ns: int) -> list[Effect]:
        """What a real order manager would do about this ladder, in its order: intents to journal, orders and cancels to send."""
        effects = self._core.handle(targets, now_ns)
        self._answer_all()
        self._shard.budget.roll(self._shard.clock.at(now_ns))
        return effects

    def _answer_all(self) -> None:
        """The venue obeys at once."""
        shard, table = self._shard, self._symbol.table
        for client_order_id, order in list(table.live.items()):
            if order.cancel_wanted:
                del table.live[client_order_id]
                continue
            order.state, order.created_ns, order.moved_ns = OrderState.NEW, -_FOREVER_NS, 0
            if order.amendment is not None:
                order.price_ticks, order.lots, order.amendment = order.amendment.price_ticks, order.amendment.lots, None
        table.touch()
        shard.desk.in_flight.clear()

    def _ladder(self, bid_ticks: int, ask_ticks: int, lots: int) -> QuoteTargets:
        return QuoteTargets(
            instrument_id=self._symbol.instrument_id,
            instrument_version=self._symbol.instrument.version,
            book_update_id=_PLENTY,
            book_received_ns=_FOREVER_NS,
            bids=((bid_ticks, lots),),
            asks=((ask_ticks, lots),),
        )

    def _open_the_gate(self, lots: int) -> None:
        """Everything that a real gate asks for, granted for ever."""
        shard, instrument_id = self._shard, self._symbol.instrument_id
        shard.clock.take(VenueClock(offset_ns=0, error_ns=0, sampled_ns=_FOREVER_NS))
        shard.gate.user_stream_up = True
        shard.gate.user_stream_heard_ns = _FOREVER_NS
        shard.countdown.renew(instrument_id, 1)
        (renewal,) = shard.desk.in_flight
        shard.countdown.answered(instrument_id, renewal, _FOREVER_NS, done=True)
        request = shard.lease.request(Decimal(0), True, 1)
        assert request is not None
        amount = Decimal(_PLENTY)
        shard.take_lease(
            Lease(
                shard=request.shard,
                epoch=request.epoch,
                nonce=request.nonce,
                requested_ns=request.requested_ns,
                lease_ms=_FOREVER_NS // 2_000_000,
                state=TradingState.ACTIVE,
                reason="",
                limits=(
                    SymbolLimits(
                        instrument_id=instrument_id,
                        state=TradingState.ACTIVE,
                        position_lots_max=_PLENTY,
                        order_lots_max=lots,
                        open_orders_max=_PLENTY,
                        notional_max=amount,
                    ),
                ),
                share_id=1,
                notional_share=amount,
                orders_10s_share=_PLENTY,
                orders_1m_share=_PLENTY,
                weight_1m_share=_PLENTY,
            ),
            1,
        )
        shard.outbox.take()
