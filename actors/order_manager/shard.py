"""The parts of one order manager, joined, and the few steps that touch several of them."""

from __future__ import annotations

import enum
from decimal import Decimal

from actors.order_manager.amend_doubts import AmendDoubts
from actors.order_manager.countdown import Countdown
from actors.order_manager.desk import Desk
from actors.order_manager.gate import Gate, Limits
from actors.order_manager.intents import Intents
from actors.order_manager.lease import LeaseClient
from actors.order_manager.outbox import Outbox
from actors.order_manager.rate_budget import RateBudget
from actors.order_manager.suspects import Suspects
from actors.order_manager.symbol import NOTIONAL_SCALE, Symbol, scaled_notional
from actors.order_manager.synchronisation import Synchronisation
from actors.order_manager.venue_time import VenueTime
from configs.schema import Settings
from protocols.client_order_id import parse_client_order_id
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import ActorSpec
from protocols.messages.journal import LimitsChanged
from protocols.messages.risk import Lease, QuotingTerms, SymbolLimits
from protocols.values import InstrumentId


class Owner(enum.Enum):
    """Whose order a client order id is."""

    OURS = "ours"
    OLDER = "older"
    NEWER = "newer"
    FOREIGN = "foreign"


class Shard:
    """Everything one order manager knows."""

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        own = settings.order_manager
        self.spec = spec
        self.settings = settings
        self.own = own
        self.dry_run = settings.dry_run
        self.outbox = Outbox(spec.shard, spec.name)
        self.intents = Intents(own.intents_remembered_max)
        self.clock = VenueTime(own.clock_error_ms_max * 1_000_000, own.clock_age_ms_max * 1_000_000)
        self.budget = RateBudget(spec.rate_limits, len(spec.shards), own.orders_budget_share, own.weight_budget_share)
        self.desk = Desk(own, settings.venue.request_timeout_ms, self.outbox, self.budget, self.clock)
        self.lease = LeaseClient(spec.shard, spec.epoch, settings.risk.lease_period_ms * 1_000_000)
        self.gate = Gate(own, self.lease, self.budget, self.clock, dry_run=settings.dry_run)
        self.suspects = Suspects(self.desk, self.clock, own.query_attempts_max)
        self.amend_doubts = AmendDoubts(self.desk, self.clock, own.query_attempts_max)
        self.instruments = {instrument.instrument_id: instrument for instrument in spec.instruments}
        """What the venue listed when this life began. While a journal is loaded its symbols count as it does."""
        self.symbols: dict[InstrumentId, Symbol] = {
            instrument.instrument_id: Symbol(
                instrument,
                install=spec.install,
                epoch=spec.epoch,
                shard=spec.shard,
                symbol_code=spec.symbol_codes[instrument.instrument_id],
                settings=own,
                price_band_bps_max=settings.risk.price_band_bps_max,
                outbox=self.outbox,
            )
            for instrument in spec.instruments
        }
        self.syncs = {
            instrument_id: Synchronisation(instrument_id, symbol.table, self.desk, self.suspects)
            for instrument_id, symbol in self.symbols.items()
        }
        self.countdown = Countdown(own, list(self.symbols), self.desk, self.budget.weight_1m_max)
        self.limits: dict[InstrumentId, Limits] = {}
        self.notional_share = 0
        self.older_deadline_venue_ns = 0
        self._notional: dict[InstrumentId, int] = dict.fromkeys(self.symbols, 0)
        self._notional_total = 0

    def change(self, settings: Settings) -> None:
        """Take what may change while we run (configs/reloading.py)."""
        self.settings, self.own = settings, settings.order_manager
        self.gate.change(settings.order_manager)
        for symbol in self.symbols.values():
            symbol.change(settings.order_manager, settings.risk.price_band_bps_max)

    def owner(self, client_order_id: str) -> Owner:
        """Whose order an id is: this incarnation's, an older one's, a newer one's, or not ours at all."""
        parts = parse_client_order_id(client_order_id)
        if parts is None or parts.install != self.spec.install:
            return Owner.FOREIGN
        if parts.epoch == self.spec.epoch:
            return Owner.OURS
        return Owner.OLDER if parts.epoch < self.spec.epoch else Owner.NEWER

    def accepts_foreign(self, symbol: Symbol) -> bool:
        """Whether it is agreed that somebody else's orders on a symbol end with our countdowns and stops."""
        return symbol.name in self.own.foreign_orders_accepted

    def must_go(self, client_order_id: str) -> bool:
        """Whether an open order with this id has to be cancelled when a symbol is cleared."""
        owner = self.owner(client_order_id)
        return owner is not Owner.NEWER and (owner is not Owner.FOREIGN or self.own.foreign_orders == "cancelled")

    def must_go_on_stop(self, client_order_id: str) -> bool:
        """Whether an open order has to go in an emergency stop: everybody's, but for a newer incarnation's."""
        return self.owner(client_order_id) is not Owner.NEWER

    def is_older(self, client_order_id: str) -> bool:
        """Whether an open order has to be cancelled before this incarnation may quote."""
        owner = self.owner(client_order_id)
        return owner is Owner.OLDER or (owner is Owner.FOREIGN and self.own.foreign_orders == "cancelled")

    def halt(self, symbol: Symbol, code: AlertCode, text: str, now_ns: int) -> None:
        """Stop quoting a symbol until a person resumes."""
        is_news = not symbol.halted
        symbol.halted = symbol.halted or text
        told = f"{text}; {symbol.name} is halted"
        self.outbox.alert(code, Severity.CRITICAL, symbol.name, told, now_ns, anew=is_news)

    def supersede(self, epoch_text: str, now_ns: int) -> None:
        """A newer incarnation is at work: shut the gate for good."""
        if not self.gate.superseded:
            self.gate.superseded = epoch_text
            self.outbox.alert(
                AlertCode.HIGHER_EPOCH_SEEN,
                Severity.CRITICAL,
                self.spec.name,
                f"{epoch_text}; epoch {self.spec.epoch} sends no more orders",
                now_ns,
            )

    def refresh_notional(self, symbol: Symbol) -> None:
        """Bring a symbol's part of the shard's worst-case notional up to date."""
        notional, instrument_id = symbol.worst_notional(), symbol.instrument_id
        before = self._notional[instrument_id]
        if notional != before:
            self._notional_total += notional - before
            self._notional[instrument_id] = notional

    def notional_room(self, symbol: Symbol) -> int:
        """What the shard's share leaves for this symbol's worst case (scaled)."""
        return self.notional_share - (self._notional_total - self._notional[symbol.instrument_id])

    @property
    def live_orders(self) -> int:
        """Our orders that may still execute, of every symbol."""
        return sum([len(symbol.table.live) for symbol in self.symbols.values()])

    @property
    def worst_notional(self) -> Decimal:
        """Worst-case notional of the whole shard in quote currency."""
        return Decimal(self._notional_total) / NOTIONAL_SCALE

    def tighten(self, terms: QuotingTerms, now_ns: int) -> bool:
        """Obey a level that rose between two leases; whether it restricts more than what was held."""
        instrument_id = terms.instrument_id
        told = self.lease.limits(instrument_id)
        if told is None or not self.lease.tighten(instrument_id, terms.level.state):
            return False
        self._put_limits(instrument_id, told, now_ns)
        return True

    def take_lease(self, lease: Lease, now_ns: int) -> bool:
        """Accept a lease and put its limits into force; whether it was the answer to an open request."""
        if not self.lease.take(lease):
            return False
        weight_before = self.budget.weight_1m_max
        self.budget.set_shares(lease.orders_10s_share, lease.orders_1m_share, lease.weight_1m_share)
        if self.budget.weight_1m_max != weight_before:
            self.countdown.set_weight(self.budget.weight_1m_max)
        self.notional_share = scaled_notional(lease.notional_share)
        for instrument_id, symbol in self.symbols.items():
            told = self.lease.limits(instrument_id)
            if told is None:
                self.limits.pop(instrument_id, None)
                continue
            self._put_limits(instrument_id, told, now_ns)
            self.refresh_notional(symbol)
        return True

    def _put_limits(self, instrument_id: InstrumentId, told: SymbolLimits, now_ns: int) -> None:
        state = self.lease.state(instrument_id)
        before = self.limits.get(instrument_id)
        if before is not None and before.state is state and before.told == told:
            return
        self.limits[instrument_id] = Limits(told, state)
        if before is None or (before.state, before.position_lots_max) != (state, told.position_lots_max):
            self.outbox.append(
                LimitsChanged(
                    instrument_id=instrument_id,
                    position_lots_max=told.position_lots_max,
                    state=state.value,
                    changed_ns=now_ns,
                )
            )
