"""Inventory: books every event once, values what it holds, compares itself with the venue, and owns the key of the private stream."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never

from actors.inventory.ledger import AccountBooks
from actors.inventory.notices import Notices
from actors.inventory.records import DayBegan, JournalRecord, StreamMissed
from actors.inventory.reporting import Reporting
from actors.inventory.snapshot import InventorySnapshot
from actors.inventory.user_stream import UserStreamKeeper
from actors.inventory.valuation import Valuation
from actors.inventory.venue_check import VenueCheck
from configs.schema import Settings
from protocols.arithmetic.plain_text import plain_text
from protocols.arithmetic.sequences import Arrival, begins_era
from protocols.arithmetic.trading_days import TradingDays
from protocols.effects import Append, Effect, LinkChanged, Log, LogLevel, OutboxFull, Publish, SetTimer, TimerFired
from protocols.mailboxes import InventoryMailbox
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import (
    ActorSpec,
    ActorState,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    Reconcile,
    Resume,
    ShardHalted,
    StopFileSeen,
)
from protocols.messages.inventory import PositionChanged
from protocols.messages.market import BookTop, MarkPrice, VenueClock
from protocols.messages.orders import (
    AnyAccountEvent,
    AnyOrderEvent,
    BalanceChanged,
    FundingPaid,
    InstrumentTaken,
    MarginCalled,
    OrderEvent,
    OrderFilled,
    UserStreamLost,
    VenuePosition,
)
from protocols.values import InstrumentId, symbol_of
from protocols.venue import AnyOutcome, Outcome, RefusalKind, Refused, Throttled

KEY_TICKS = 4
"""The key of the private stream is said again every so many ticks."""

CHECKPOINT_EVENTS = 5_000
"""After so many events the journal gets a checkpoint, from which a restart reads."""

_TICK = "tick"
_MS = 1_000_000


class InventoryCore:
    """The account's books and what follows from them.

    Args:
        journal: the records of earlier lives, oldest first; from the last checkpoint on is enough.
    """

    def __init__(self, spec: ActorSpec, settings: Settings, journal: Iterable[JournalRecord] = ()) -> None:
        self._account = AccountBooks(spec.instruments, spec.shards)
        for record in journal:
            self._account.replay(record)
        self._account.speak_in(spec.instruments)
        age_ns_max = settings.risk.mark_age_ms_max * _MS
        self._values = {i.instrument_id: Valuation(i, age_ns_max) for i in spec.instruments}
        shard_of = {i: shard for shard, members in enumerate(spec.shards) for i in members}
        self._ids = itertools.count(1)
        self._notices = Notices(spec.name)
        asks_key = settings.venue.wallet_url is not None
        self._check = VenueCheck(self._account, shard_of, self._notices, self._ids, asks_key)
        self._keeper = UserStreamKeeper()
        self._reporting = Reporting(self._account, self._values, shard_of)
        self._days = TradingDays(settings.risk.day_starts, settings.risk.day_zone)
        self._event_seq_of: dict[InstrumentId, int] = {}
        self._clock: VenueClock | None = None
        self._ticks = 0
        self._tick_ns = settings.inventory.report_period_ms * _MS
        """How often everything is said again, for readers that restarted, and differences are looked at."""
        self._events = self._repeated = self._gaps = self._bad_data = 0
        self._since_checkpoint = 0
        self._now_ns = 0
        self._draining = False

    def start(self, now_ns: int) -> list[Effect]:
        """Begin a life: a checkpoint first, so that no restart reads further back than this."""
        self._now_ns = now_ns
        known = {symbol_of(i): self._account.lots(i) for i in self._account.books if self._account.is_known(i)}
        told = Log(LogLevel.INFO, f"positions known from the journal: {known or 'none'}")
        return [Append(self._account.checkpoint()), told, *self._on_tick(now_ns)]

    def handle(self, message: InventoryMailbox, now_ns: int) -> list[Effect]:
        """Take one message."""
        self._now_ns = now_ns
        match message:
            case OrderEvent():
                return self._on_event(message, now_ns)
            case BalanceChanged() | FundingPaid() | VenuePosition() | MarginCalled() | InstrumentTaken():
                return self._on_event(message, now_ns)
            case MarkPrice() | BookTop():
                return self._on_price(message, now_ns)
            case VenueClock():
                self._clock = message
                return []
            case UserStreamLost():
                self._keeper.lost()
                return self._keeper.tick(self._ids, now_ns)
            case Outcome():
                return self._on_outcome(message, now_ns)
            case TimerFired():
                return self._on_tick(now_ns)
            case Reconcile():
                self._check.reconcile(message.token, now_ns)
                return self._on_tick(now_ns)
            case Drain():
                self._draining = True
                return [Log(LogLevel.INFO, "drained")]
            case EmergencyStop() | Resume() | EpochAnnounced() | ShardHalted() | StopFileSeen():
                return []
            case LinkChanged() | OutboxFull():
                return []
            case _:
                assert_never(message)

    def state(self) -> ActorState:
        """Where the actor is in its life."""
        return ActorState.STOPPED if self._draining else ActorState.RUNNING

    def resume_from(self, shard: int) -> int:
        """The newest number booked of a shard's stream: what comes after it is wanted."""
        return self._account.streams.last(shard)

    def snapshot(self) -> InventorySnapshot:
        """The one view that status, reports and metrics read."""
        equity = self._reporting.equity(self._reporting.days(self._now_ns), self._now_ns)
        income = self._check.income
        return InventorySnapshot(
            symbols={symbol_of(i): self._reporting.symbol(i, self._now_ns) for i in self._account.books},
            wallets={asset: plain_text(balance) for asset, balance in self._account.wallets.balances().items()},
            equity=plain_text(equity.equity if equity else None),
            day_pnl=plain_text(equity.day_pnl if equity else None),
            charges=plain_text(self._account.charges),
            day=self._account.day,
            event_seq=self._account.streams.known(),
            events=self._events,
            repeated=self._repeated,
            gaps=self._gaps,
            bad_data=self._bad_data,
            positions_adopted=self._check.positions_adopted,
            wallets_adopted=self._check.wallets_adopted,
            reconciled=self._check.reconciled,
            user_stream_key=bool(self._keeper.key),
            user_stream_failures=self._keeper.failures,
            income_windows=income.windows,
            income_records=income.records,
            income_differences={
                f"{kind} {asset}": plain_text(rest) for (kind, asset), rest in income.differences.items()
            },
        )

    def _on_event(self, event: AnyOrderEvent | AnyAccountEvent, now_ns: int) -> list[Effect]:
        streams = self._account.streams
        seq_last = streams.last(event.shard)
        arrival = streams.arrived(event.shard, event.event_seq)
        if arrival is Arrival.REPEATED:
            self._repeated += 1
            return []
        is_missing = arrival in (Arrival.AFTER_GAP, Arrival.ANEW)
        effects = self._on_gap(event.shard, seq_last, event.event_seq, now_ns) if is_missing else []
        fault = self._fault_of(event)
        if fault:
            return [*effects, *self._refuse(*fault, now_ns)]
        self._events += 1
        effects += [Append(event), *self._book(event, now_ns)]
        self._since_checkpoint += 1
        if self._since_checkpoint >= CHECKPOINT_EVENTS:
            self._since_checkpoint = 0
            effects.append(Append(self._account.checkpoint()))
        return effects

    def _book(self, event: AnyOrderEvent | AnyAccountEvent, now_ns: int) -> list[Effect]:
        applied = self._account.apply(event)
        self._repeated += applied.repeated
        self._check.book(applied.bookings, now_ns)
        settled: list[Effect] = []
        match event:
            case BalanceChanged():
                self._account.wallets.state(event.asset, event.wallet_balance, event.venue_time_ns)
            case VenuePosition():
                agreed = self._account.hear_event(event)
                settled = [] if agreed is None else self._check.adopt(agreed, now_ns)
            case _:
                pass
        if not isinstance(event, OrderFilled | VenuePosition):
            return []
        self._event_seq_of[event.instrument_id] = event.event_seq
        settled += self._check.settle_position(event.instrument_id, now_ns)
        return [*settled, Publish(self._position(event.instrument_id))]

    def _on_gap(self, shard: int, seq_last: int, seq_next: int, now_ns: int) -> list[Effect]:
        self._gaps += 1
        record = StreamMissed(shard=shard, seq_last=seq_last, seq_next=seq_next)
        self._account.apply(record)
        self._check.missed(now_ns)
        lost = (
            f"shard {shard} numbers its events anew, for its journal was lost: what followed event {seq_last} never came"
            if begins_era(seq_next)
            else f"events {seq_last + 1} to {seq_next - 1} of shard {shard} never came"
        )
        what = f"{lost}: its positions wait for the venue's word"
        code, subject = AlertCode.POSITION_MISMATCH, f"shard {shard}"
        alert = self._notices.alert(code, Severity.CRITICAL, subject, what, now_ns)
        return [Append(record), *alert, *(Publish(self._position(i)) for i in self._account.members(shard))]

    def _on_price(self, message: MarkPrice | BookTop, now_ns: int) -> list[Effect]:
        value = self._values.get(message.instrument_id)
        if value is None:
            return self._refuse(message.instrument_id, "a price of a symbol that is not traded was refused", now_ns)
        if isinstance(message, MarkPrice):
            sound, what = value.mark(message), f"mark price {message.mark_price} was refused"
        else:
            sound, what = value.book(message), "a crossed or empty book was refused"
        return [] if sound else self._refuse(message.instrument_id, what, now_ns)

    def _on_tick(self, now_ns: int) -> list[Effect]:
        self._ticks += 1
        effects: list[Effect] = [SetTimer(_TICK, now_ns + self._tick_ns)]
        effects += self._begin_day(now_ns)
        for instrument_id in self._account.books:
            effects += self._check.settle_position(instrument_id, now_ns)
        effects += self._check.settle_wallets(now_ns)
        effects += self._keeper.tick(self._ids, now_ns)
        if self._clock is not None:
            effects += self._check.ask(now_ns, now_ns + self._clock.offset_ns)
        effects += [Publish(self._position(i)) for i in self._account.books]
        days = self._reporting.days(now_ns)
        effects += [Publish(pnl) for pnl in self._reporting.pnl(days, now_ns)]
        equity, key = self._reporting.equity(days, now_ns), self._keeper.publication()
        if equity is not None:
            effects.append(Publish(equity))
        if key is not None and self._ticks % KEY_TICKS == 0:
            effects.append(Publish(key))
        return effects

    def _on_outcome(self, outcome: AnyOutcome, now_ns: int) -> list[Effect]:
        failures = self._keeper.failures
        throttled = self._throttled(outcome, now_ns) if isinstance(outcome, Throttled) else []
        if not self._keeper.take(outcome, now_ns):
            offset_ns = self._clock.offset_ns if self._clock is not None else 0
            return [*throttled, *self._check.take(outcome, now_ns, now_ns + offset_ns)]
        key = self._keeper.publication()
        if self._keeper.failures <= failures:
            return [Publish(key)] if key is not None else []
        why = outcome.text if isinstance(outcome, Refused) else type(outcome).__name__
        refused = isinstance(outcome, Refused) and outcome.kind is RefusalKind.STOP_ACCOUNT
        code = AlertCode.KEY_REFUSED if refused else AlertCode.USER_STREAM_LOST
        severity = Severity.CRITICAL if refused else Severity.WARNING
        lost = self._notices.alert(code, severity, "user stream", f"no key for the private stream: {why}", now_ns)
        return [*throttled, *lost]

    def _throttled(self, outcome: Throttled, now_ns: int) -> list[Effect]:
        """Whatever was refused so, none of our requests may go before the window is over."""
        self._check.shut(outcome.retry_at_ns)
        self._keeper.shut(outcome.retry_at_ns)
        text = f"the venue limits our requests until {outcome.retry_at_ns}: {outcome.text}"
        return self._notices.alert(AlertCode.RATE_LIMITED, Severity.WARNING, "requests", text, now_ns)

    def _begin_day(self, now_ns: int) -> list[Effect]:
        """Begin the venue's day once every position can be valued; a clock that goes back changes nothing."""
        if self._clock is None:
            return []
        day = self._days.day_of(now_ns + self._clock.offset_ns)
        if day <= self._account.day:
            return []
        unrealised: dict[InstrumentId, Decimal] = {}
        for instrument_id, value in self._reporting.unrealised(now_ns).items():
            if value is None:
                return []
            unrealised[instrument_id] = value
        record = DayBegan(day=day, unrealised=unrealised)
        self._account.apply(record)
        return [Append(record)]

    def _position(self, instrument_id: InstrumentId) -> PositionChanged:
        return self._reporting.position(instrument_id, self._event_seq_of.get(instrument_id, 0))

    def _fault_of(self, event: AnyOrderEvent | AnyAccountEvent) -> tuple[str, str] | None:
        """Subject and text of what forbids booking an event; None when it is sound."""
        instrument_id = getattr(event, "instrument_id", None)
        if instrument_id is not None and instrument_id not in self._account.books:
            return instrument_id, "an event of a symbol that is not traded was refused"
        if not _is_sound(event):
            return instrument_id or "account", "an event with an impossible number was refused"
        return None

    def _refuse(self, subject: str, what: str, now_ns: int) -> list[Effect]:
        self._bad_data += 1
        return self._notices.alert(AlertCode.BAD_DATA, Severity.WARNING, subject, what, now_ns)


def _is_sound(event: AnyOrderEvent | AnyAccountEvent) -> bool:
    """Whether the amounts of an event can be."""
    match event:
        case OrderFilled():
            return event.fee.is_finite() and event.price_ticks > 0 and event.quantity_lots > 0
        case BalanceChanged():
            return event.wallet_balance.is_finite() and event.balance_change.is_finite()
        case FundingPaid():
            return event.amount.is_finite()
        case VenuePosition():
            return event.entry_price.is_finite() and event.entry_price >= 0
        case _:
            return True
