"""The decisions of strategy: for each symbol of its shard, the ladder wanted now.

Books, feed states, positions and order events come in; `QuoteTargets` go out, one for every new book, and again every
`refresh_ms`, so that a reader can tell a quiet market from a dead strategy.
"""

from __future__ import annotations

from typing import assert_never

from actors.strategy.position_view import EventOrder
from actors.strategy.quoter import SymbolQuoter
from actors.strategy.snapshot import StrategySnapshot
from configs.schema import Settings
from protocols.arithmetic.sequences import begins_era
from protocols.effects import Effect, LinkChanged, Log, LogLevel, OutboxFull, Publish, SetTimer, TimerFired
from protocols.mailboxes import StrategyMailbox
from protocols.messages.control import (
    ActorSpec,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    Resume,
    SettingsChanged,
    ShardHalted,
    StopFileSeen,
)
from protocols.messages.inventory import PositionChanged
from protocols.messages.market import BookTop, FeedStatus, MarkPrice, TradeFlow
from protocols.messages.orders import (
    AnyOrderEvent,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from protocols.messages.quoting import QuoteTargets
from protocols.messages.risk import InstrumentChanged, QuotingTerms
from protocols.values import InstrumentId

_MS = 1_000_000
_REFRESH_TIMER = "refresh"
_QUOTE_TIMER = "quote"
_NEEDED_ROLES = ("market_data", "order_manager", "inventory")


class StrategyCore:
    """Quotes of one shard's symbols."""

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        self.drained = False
        self._shard = spec.shard
        self._quoters: dict[InstrumentId, SymbolQuoter] = {
            instrument.instrument_id: SymbolQuoter(
                instrument,
                settings.strategy,
                settings.market_data.stale_after_ms * _MS,
                f"{spec.shard}/{spec.epoch}",
                spec.started_ns,
            )
            for instrument in spec.instruments
        }
        self._links: dict[str, bool] = dict.fromkeys(_NEEDED_ROLES, False)
        self._order_epoch = 0
        self._heard_from_ns = spec.started_ns
        self._events = EventOrder()
        self._stops: dict[str, str] = {}
        self._stopped = ""
        self._unknown_instruments = 0
        self._quote_timer_ns = 0
        self._refresh_ns = settings.strategy.refresh_ms * _MS
        """Targets that did not change are told again this often."""
        self._now_ns = spec.started_ns
        self._judge()

    def start(self, now_ns: int) -> list[Effect]:
        """The first timer."""
        self._now_ns = now_ns
        return [SetTimer(_REFRESH_TIMER, now_ns + self._refresh_ns)]

    def handle(self, message: StrategyMailbox, now_ns: int) -> list[Effect]:
        """Take one message. A book comes first and takes the shortest way."""
        self._now_ns = now_ns
        match message:
            case BookTop():
                quoter = self._quoters.get(message.instrument_id)
                if quoter is None:
                    return self._unknown_instrument()
                targets = quoter.take_book(message, self._stopped, now_ns)
                return [Publish(targets)] if targets is not None else self._quote_later(quoter)
            case FeedStatus():
                quoter = self._quoters.get(message.instrument_id)
                if quoter is None:
                    return self._unknown_instrument()
                return self._requote(quoter, now_ns) if quoter.take_feed(message, now_ns) else []
            case PositionChanged():
                quoter = self._quoters.get(message.instrument_id)
                if quoter is None or message.shard != self._shard:
                    return []
                quoter.position.take_position(message)
                return self._requote(quoter, now_ns)
            case (
                OrderAccepted()
                | OrderAmended()
                | OrderFilled()
                | OrderCanceled()
                | OrderExpired()
                | OrderRejected()
                | OrderDenied()
                | OrderUnknown()
            ):
                return self._order_event(message, now_ns)
            case QuotingTerms():
                quoter = self._quoters.get(message.instrument_id)
                changed = quoter is not None and quoter.take_terms(message, now_ns)
                return self._requote(quoter, now_ns) if quoter is not None and changed else []
            case InstrumentChanged():
                quoter = self._quoters.get(message.instrument_id)
                is_news = quoter is not None and quoter.take_instrument(message.instrument)
                return self._requote(quoter, now_ns) if quoter is not None and is_news else []
            case MarkPrice():
                quoter = self._quoters.get(message.instrument_id)
                if quoter is not None:
                    quoter.take_mark(message)
                return []
            case SettingsChanged():
                return self._change(message, now_ns)
            case TimerFired():
                return self._timer(message.name, now_ns)
            case LinkChanged():
                return self._link_changed(message, now_ns)
            case TradeFlow() | EpochAnnounced():
                return []
            case OutboxFull():
                return self._stop("outbox", f"the link to {message.reader} is full" if message.full else "", now_ns)
            case Drain():
                self.drained = True
                return self._stop("drain", "draining", now_ns)
            case EmergencyStop():
                return self._stop("emergency", f"emergency stop: {message.reason}", now_ns)
            case StopFileSeen():
                return self._stop("stop file", f"stop file: {message.text}" if message.present else "", now_ns)
            case ShardHalted():
                if message.shard != self._shard:
                    return []
                return self._stop("halt", f"shard halted: {message.reason}", now_ns)
            case Resume():
                return [*self._stop("emergency", "", now_ns), *self._stop("halt", "", now_ns)]
            case _:
                assert_never(message)

    def snapshot(self) -> StrategySnapshot:
        """Everything that status, reports and metrics show; ages as of the last message."""
        return StrategySnapshot(
            symbols={q.instrument.symbol: q.snapshot(self._now_ns) for q in self._quoters.values()},
            stopped=self._stopped,
            links=dict(self._links),
            last_event_seq=self._events.last_seq,
            duplicate_events=self._events.duplicates,
            unknown_instruments=self._unknown_instruments,
            drained=self.drained,
            now_ns=self._now_ns,
        )

    def _order_event(self, event: AnyOrderEvent, now_ns: int) -> list[Effect]:
        if event.shard != self._shard:
            return []
        heard_before = self._events.first_seq is not None
        if not self._events.is_new(event.event_seq):
            return []
        if not heard_before and not begins_era(event.event_seq):
            for quoter in self._quoters.values():
                quoter.position.missed(event.event_seq - 1, self._heard_from_ns)
        target = self._quoters.get(event.instrument_id)
        if target is None:
            return self._unknown_instrument()
        target.own.take(event)
        if event.intent_id:
            target.grinder.take(event)
        if not isinstance(event, OrderFilled):
            return []
        target.position.take_fill(event)
        return self._requote(target, now_ns)

    def _link_changed(self, change: LinkChanged, now_ns: int) -> list[Effect]:
        role = change.peer.partition("-")[0]
        if role not in self._links:
            return []
        self._links[role] = change.up
        if role == "order_manager" and change.up and self._events.first_seq is None:
            self._heard_from_ns = now_ns
        if role == "order_manager" and change.up and change.epoch != self._order_epoch:
            self._order_epoch = change.epoch
            for quoter in self._quoters.values():
                quoter.own.clear()
        if not change.up:
            for quoter in self._quoters.values():
                if role == "inventory":
                    quoter.position.forget("no position heard since the link to inventory was lost")
                elif role == "market_data":
                    quoter.feed_lost()
        self._judge()
        return self._requote_all(now_ns)

    def _timer(self, name: str, now_ns: int) -> list[Effect]:
        if name == _QUOTE_TIMER:
            self._quote_timer_ns = 0
            effects: list[Effect] = []
            for quoter in self._quoters.values():
                due_ns = quoter.due_ns()
                if 0 < due_ns <= now_ns:
                    effects += self._requote(quoter, now_ns)
                elif due_ns:
                    effects += self._quote_later(quoter)
            return effects
        if name != _REFRESH_TIMER:
            return []
        told: list[Effect] = []
        for quoter in self._quoters.values():
            again = now_ns - quoter.told_ns >= self._refresh_ns
            if again or quoter.silent(now_ns):
                told += _published(quoter.requote(self._stopped, now_ns, again=again))
            told += [Publish(wish) for wish in quoter.grind(self._stopped, now_ns)]
        return [*told, SetTimer(_REFRESH_TIMER, now_ns + self._refresh_ns)]

    def _quote_later(self, quoter: SymbolQuoter) -> list[Effect]:
        """Wake when the least quote period is over, where a book waits for it."""
        due_ns = quoter.due_ns()
        if due_ns == 0 or 0 < self._quote_timer_ns <= due_ns:
            return []
        self._quote_timer_ns = due_ns
        return [SetTimer(_QUOTE_TIMER, due_ns)]

    def _stop(self, cause: str, reason: str, now_ns: int) -> list[Effect]:
        """Stop for a cause, or, with an empty reason, lift what that cause had stopped."""
        if reason:
            self._stops[cause] = reason
        else:
            self._stops.pop(cause, None)
        self._judge()
        return self._requote_all(now_ns)

    def _judge(self) -> None:
        lost = [role for role, up in self._links.items() if not up]
        stops = [*self._stops.values(), *(f"no link to {role}" for role in lost)]
        self._stopped = "; ".join(stops)

    def _requote(self, quoter: SymbolQuoter, now_ns: int) -> list[Effect]:
        return _published(quoter.requote(self._stopped, now_ns))

    def _change(self, message: SettingsChanged, now_ns: int) -> list[Effect]:
        """Settings changed while we run: the next ladder is priced by them, and it is due now."""
        changed = Settings.model_validate_json(message.settings_json).strategy
        for quoter in self._quoters.values():
            quoter.change(changed)
        return [Log(LogLevel.WARNING, f"settings changed: {'; '.join(message.changes)}"), *self._requote_all(now_ns)]

    def _requote_all(self, now_ns: int) -> list[Effect]:
        return [effect for quoter in self._quoters.values() for effect in self._requote(quoter, now_ns)]

    def _unknown_instrument(self) -> list[Effect]:
        self._unknown_instruments += 1
        return []


def _published(targets: QuoteTargets | None) -> list[Effect]:
    return [] if targets is None else [Publish(targets)]
