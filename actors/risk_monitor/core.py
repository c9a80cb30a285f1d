"""The risk monitor: watches positions, equity and marks, and answers each shard's lease request with what it may do."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from actors.risk_monitor.day import TradingDay
from actors.risk_monitor.judgement import AccountView, SymbolView
from actors.risk_monitor.latches import ACCOUNT, Latches
from actors.risk_monitor.leases import LeaseDesk
from actors.risk_monitor.levels import Permissions, Standing, Verdict, worst
from actors.risk_monitor.limits import quote_limits, symbol_limits
from actors.risk_monitor.memory import EarnedLevel, RiskMemory
from actors.risk_monitor.snapshot import RiskSnapshot, SymbolRiskView
from configs.schema import Settings
from protocols.arithmetic.intervals import Intervals
from protocols.arithmetic.plain_text import plain_text
from protocols.arithmetic.sequences import Arrival, StreamNumbers
from protocols.effects import (
    Append,
    Effect,
    LinkChanged,
    Log,
    LogLevel,
    OutboxFull,
    Publish,
    Send,
    SetTimer,
    ShutNode,
    TimerFired,
)
from protocols.mailboxes import RiskMonitorMailbox
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import (
    ActorSpec,
    ActorState,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    HoldLevel,
    Resume,
    ShardHalted,
    StopFileSeen,
)
from protocols.messages.inventory import EquityChanged, PnlChanged, PositionChanged
from protocols.messages.market import BookTop, FeedStatus, MarkPrice, VenueClock
from protocols.messages.orders import (
    AnyAccountEvent,
    AnyOrderEvent,
    BalanceChanged,
    FundingPaid,
    MarginCalled,
    OrderEvent,
    OrderFilled,
    RateUsage,
    VenuePosition,
)
from protocols.messages.risk import LeaseRequest, LevelChanged, QuotingTerms, RiskLevel, SymbolLimits
from protocols.values import InstrumentId, symbol_of

ALERT_INTERVAL_NS = 10_000_000_000
"""A limit that stays broken is told again this often."""

TERMS_PERIOD_NS = 1_000_000_000
"""What strategy may do is said again this often, for a strategy that restarted."""

_JUDGE = "judge"
_STOPPED_BY = "emergency stop: "
"""How the reason of a stop begins that others have ordered: it needs no stop of ours."""
_MS = 1_000_000


class RiskMonitorCore:
    """Decides the trading state of the account and of each symbol, and each shard's share of the account's limits.

    Args:
        memory: what an earlier life wrote last; None where there was none.
        damaged: why the memory could not be read; trading is then halted until a person resumes.
    """

    def __init__(
        self, spec: ActorSpec, settings: Settings, memory: RiskMemory | None = None, damaged: str | None = None
    ) -> None:
        self._name = spec.name
        self._risk = settings.risk
        quiet_ns = settings.risk.levels.quiet_ms * _MS
        self._permissions = Permissions(settings.risk.levels)
        self._symbols = {
            i.instrument_id: SymbolView(i, quote_limits(settings.risk, i), quiet_ns, memory is None)
            for i in spec.instruments
        }
        self._account = AccountView(quiet_ns)
        self._terms_ns = 0
        self._loss_max = settings.risk.daily_loss_max
        self._judge_period_ns = settings.risk.judge_period_ms * _MS
        """How often the passing of time alone is judged (staleness)."""
        self._day = TradingDay(settings.risk.day_starts_utc)
        self._latches = Latches()
        self._desk = LeaseDesk(
            spec.shards,
            settings,
            {i: v.limits.position_notional_max for i, v in self._symbols.items()},
            spec.rate_limits,
        )
        self._streams = StreamNumbers()
        self._clock: VenueClock | None = None
        self._alerts = Intervals(ALERT_INTERVAL_NS)
        self._bad_data = 0
        self._draining = False
        self._memory = memory or RiskMemory()
        if memory is not None:
            self._day.restore(memory.day, memory.day_equity, memory.loss_stopped, memory.transfers)
            self._latches.restore(memory.latches, memory.holds)
            self._restore_levels(memory)
            self._desk.restore(memory)
        if damaged is not None:
            self._latches.set(ACCOUNT, RiskLevel.HALTED, f"the risk monitor's memory is damaged: {damaged}")

    def start(self, now_ns: int) -> list[Effect]:
        """Begin to judge."""
        effects: list[Effect] = [SetTimer(_JUDGE, now_ns + self._judge_period_ns)]
        for subject, text in self._latches.texts().items():
            effects.append(Log(LogLevel.WARNING, f"{subject} stays restricted until it is resumed: {text}"))
        return self._remember(effects)

    def handle(self, message: RiskMonitorMailbox, now_ns: int) -> list[Effect]:
        """Take one message."""
        match message:
            case LeaseRequest():
                effects = self._on_request(message, now_ns)
            case BookTop() | FeedStatus() | PnlChanged() | LinkChanged() | OutboxFull():
                return []
            case MarkPrice():
                return self._on_mark(message, now_ns)
            case PositionChanged():
                return self._on_position(message, now_ns)
            case EquityChanged():
                effects = self._on_equity(message, now_ns)
            case VenueClock():
                self._clock = message
                effects = []
            case RateUsage():
                self._desk.use(message)
                return []
            case OrderEvent():
                effects = self._on_order_event(message, now_ns)
            case BalanceChanged() | FundingPaid() | VenuePosition() | MarginCalled():
                effects = self._on_account_event(message, now_ns)
            case TimerFired():
                effects = [*self._judge(now_ns), *self._repeat_terms(now_ns)]
                effects.append(SetTimer(_JUDGE, now_ns + self._judge_period_ns))
            case HoldLevel():
                effects = self._hold(message, now_ns)
            case Drain() | EmergencyStop() | StopFileSeen() | Resume() | EpochAnnounced() | ShardHalted():
                effects = self._on_control(message, now_ns)
            case _:
                assert_never(message)
        return self._remember(effects)

    def state(self) -> ActorState:
        """Where the actor is in its life."""
        return ActorState.STOPPED if self._draining else ActorState.RUNNING

    def snapshot(self) -> RiskSnapshot:
        """The one view that status, reports and metrics read."""
        equity = self._account.equity
        pnl = self._day.pnl(equity)
        return RiskSnapshot(
            state=self._account.verdict.state,
            level=self._account.verdict.level,
            reason=self._account.verdict.reason,
            equity=plain_text(equity),
            day_pnl=plain_text(pnl),
            day=self._day.day,
            daily_loss_max=plain_text(self._risk.daily_loss_max),
            notional=plain_text(self._notional()),
            account_notional_max=plain_text(self._risk.account_notional_max),
            latches=self._latches.texts(),
            symbols={symbol_of(i): self._symbol_view(view) for i, view in self._symbols.items()},
            shards=self._desk.views(),
            bad_data=self._bad_data,
        )

    def _on_request(self, request: LeaseRequest, now_ns: int) -> list[Effect]:
        if self._draining or not self._desk.accepts(request):
            return []
        effects = self._judge(now_ns)
        limits = tuple(self._limits(self._symbols[i]) for i in self._desk.instruments(request.shard))
        lease = self._desk.answer(request, self._account.verdict, limits, now_ns)
        # What the share depends on must be on file before the shard may use it.
        effects = self._remember(effects)
        return [*effects, Send(f"order_manager-{request.shard}", lease)]

    def _on_mark(self, mark: MarkPrice, now_ns: int) -> list[Effect]:
        view = self._symbols.get(mark.instrument_id)
        if view is None or not mark.mark_price.is_finite() or mark.mark_price <= 0:
            self._bad_data += 1
            return self._alert(
                AlertCode.BAD_DATA,
                Severity.WARNING,
                mark.instrument_id,
                f"mark price {mark.mark_price} refused",
                now_ns,
            )
        view.mark_price = mark.mark_price
        view.mark_ns = min(mark.received_ns, now_ns)
        return []

    def _on_position(self, changed: PositionChanged, now_ns: int) -> list[Effect]:
        view = self._symbols.get(changed.instrument_id)
        if view is None:
            self._bad_data += 1
            return self._alert(
                AlertCode.BAD_DATA,
                Severity.WARNING,
                changed.instrument_id,
                "position of a symbol that is not traded",
                now_ns,
            )
        view.position_lots = changed.position_lots
        view.position_known = changed.known
        # A position that was never known is as good as none at all.
        view.position_ns = now_ns if changed.known or view.position_ns else 0
        return []

    def _on_equity(self, changed: EquityChanged, now_ns: int) -> list[Effect]:
        if not changed.equity.is_finite():
            self._bad_data += 1
            return self._alert(
                AlertCode.BAD_DATA, Severity.WARNING, "account", f"equity {changed.equity} refused", now_ns
            )
        self._account.equity = changed.equity
        self._account.equity_ns = min(changed.valued_ns, now_ns)
        self._advance_day(now_ns)
        self._day.value(changed.equity)
        return self._check_loss(now_ns)

    def _on_order_event(self, event: AnyOrderEvent, now_ns: int) -> list[Effect]:
        if not self._is_new(event.shard, event.event_seq):
            return []
        view = self._symbols.get(event.instrument_id)
        if view is None:
            self._bad_data += 1
            return self._alert(
                AlertCode.BAD_DATA,
                Severity.WARNING,
                event.instrument_id,
                "event of a symbol that is not traded",
                now_ns,
            )
        view.orders.apply(event)
        if isinstance(event, OrderFilled) and event.forced:
            symbol = view.instrument.symbol
            text = f"the venue closed {event.quantity_lots} lots of {symbol} by force"
            self._latches.set(event.instrument_id, RiskLevel.HALTED, text)
            self._latches.set(ACCOUNT, RiskLevel.RESTRICTED, text)
            return self._alert(AlertCode.LIMIT_BREACHED, Severity.CRITICAL, symbol, text, now_ns)
        return []

    def _on_account_event(self, event: AnyAccountEvent, now_ns: int) -> list[Effect]:
        if not self._is_new(event.shard, event.event_seq):
            return []
        match event:
            case BalanceChanged():
                self._day.transfer(event)
                return []
            case MarginCalled():
                self._latches.set(ACCOUNT, RiskLevel.RESTRICTED, f"margin call: {event.text}")
                return self._alert(AlertCode.MARGIN_CALL, Severity.CRITICAL, "account", event.text, now_ns)
            case FundingPaid() | VenuePosition():
                return []
            case _:
                assert_never(event)

    def _on_control(
        self, message: Drain | EmergencyStop | StopFileSeen | Resume | EpochAnnounced | ShardHalted, now_ns: int
    ) -> list[Effect]:
        match message:
            case Drain():
                self._draining = True
                return [SetTimer(_JUDGE, 0), Log(LogLevel.INFO, "drained: no lease is given any more")]
            case EmergencyStop():
                return self._stop(message.reason)
            case StopFileSeen():
                return self._stop(message.text or "the stop file exists") if message.present else []
            case Resume():
                return self._resume(message.reason, now_ns)
            case EpochAnnounced():
                if message.name == f"order_manager-{message.shard}":
                    self._desk.announce(message.shard, message.epoch)
                    for instrument_id in self._desk.instruments(message.shard):
                        self._symbols[instrument_id].orders.begin_again()
                return []
            case ShardHalted():
                self._desk.halt(message.shard, message.reason)
                return []
            case _:
                assert_never(message)

    def _stop(self, reason: str) -> list[Effect]:
        if not self._latches.set(ACCOUNT, RiskLevel.EMERGENCY, f"{_STOPPED_BY}{reason}"):
            return []
        return [Log(LogLevel.WARNING, f"emergency stop: {reason}")]

    def _resume(self, reason: str, now_ns: int) -> list[Effect]:
        lifted = self._latches.latched()
        self._latches.clear()
        for standing in self._standings().values():
            standing.forgive()
        self._desk.resume()
        if self._day.loss_stopped:
            lifted.append("the day's loss, now measured from the present equity")
            self._day.begin_again(self._account.equity)
        effects: list[Effect] = [
            Log(LogLevel.WARNING, f"resumed ({reason}): {'; '.join(lifted) or 'nothing was latched'}")
        ]
        return [*effects, *self._judge(now_ns)]

    def _is_new(self, shard: int, event_seq: int) -> bool:
        arrival = self._streams.arrived(shard, event_seq)
        if arrival in (Arrival.AFTER_GAP, Arrival.ANEW):
            for instrument_id in self._desk.instruments(shard):
                self._symbols[instrument_id].orders.forget()
                if arrival is Arrival.ANEW:
                    self._symbols[instrument_id].orders.begin_again()
        return arrival is not Arrival.REPEATED

    def _advance_day(self, now_ns: int) -> None:
        if self._clock is not None:
            self._day.clock(now_ns + self._clock.offset_ns)

    def _check_loss(self, now_ns: int) -> list[Effect]:
        pnl = self._day.pnl(self._account.equity)
        if pnl is None or self._day.loss_stopped or -pnl <= self._risk.daily_loss_max:
            return []
        self._day.loss_stopped = True
        return self._judge(now_ns)

    def _hold(self, hold: HoldLevel, now_ns: int) -> list[Effect]:
        subject = next((i for i, v in self._symbols.items() if v.instrument.symbol == hold.subject), hold.subject)
        if subject not in self._standings():
            return [Log(LogLevel.ERROR, f"{hold.subject} is neither a traded symbol nor {ACCOUNT}: nothing is held")]
        self._latches.hold(subject, hold.level, hold.reason)
        what = f"held at {hold.level}" if hold.level is not None else "held no more"
        return [Log(LogLevel.WARNING, f"{hold.subject} is {what}: {hold.reason}"), *self._judge(now_ns)]

    def _standings(self) -> dict[str, Standing]:
        return {ACCOUNT: self._account.standing, **{i: view.standing for i, view in self._symbols.items()}}

    def _restore_levels(self, memory: RiskMemory) -> None:
        standings = self._standings()
        for kept in memory.levels:
            if kept.subject in standings:
                verdict = Verdict(kept.level, kept.reason, None, kept.indicator, kept.value, kept.threshold)
                standings[kept.subject].restore(verdict)

    def _judge(self, now_ns: int) -> list[Effect]:
        """Bring every level up to date, and tell what changed."""
        self._advance_day(now_ns)
        self._desk.clock(now_ns)
        mark_age_ns_max = self._risk.mark_age_ms_max * _MS
        account, pnl = self._account, self._day.pnl(self._account.equity)
        before = account.verdict
        found = account.judge(
            now_ns, pnl, self._day.loss_stopped, self._loss_max, self._notional(), self._risk.account_notional_max
        )
        account.standing.judge([*self._latches.verdicts(ACCOUNT), *found], now_ns)
        effects = self._tell(ACCOUNT, account.standing, before, now_ns)
        account_changed = account.verdict.level is not before.level
        for instrument_id, view in self._symbols.items():
            before = view.verdict
            found = [*self._latches.verdicts(instrument_id), *view.judge(now_ns, mark_age_ns_max)]
            view.standing.judge(found, now_ns)
            effects += self._tell(instrument_id, view.standing, before, now_ns)
            if account_changed or view.verdict.level is not before.level:
                effects.append(Publish(self._terms(view)))
        return effects

    def _tell(self, subject: str, standing: Standing, before: Verdict, now_ns: int) -> list[Effect]:
        effects: list[Effect] = []
        after, name = standing.verdict, _name(subject)
        was_known = standing.note_known()
        if after.level is not before.level:
            effects = self._tell_change(subject, before, after, was_known, now_ns)
        if after.code is not None:
            severity = Severity.CRITICAL if after.level.rank >= RiskLevel.HALTED.rank else Severity.WARNING
            effects += self._alert(after.code, severity, name, after.reason, now_ns)
        return effects

    def _tell_change(self, subject: str, before: Verdict, after: Verdict, alerts: bool, now_ns: int) -> list[Effect]:
        """Record, log and alert; what is merely known for the first time is no alert."""
        rose = after.level.rank > before.level.rank
        cause = after if rose else before
        text = f"{before.level} -> {after.level}: {after.reason or 'quiet again'}"
        if cause.indicator:
            text += f" ({cause.indicator} {cause.value}, threshold {cause.threshold})"
        record = LevelChanged(
            subject=subject,
            before=before.level,
            after=after.level,
            indicator=cause.indicator,
            value=cause.value,
            threshold=cause.threshold,
            reason=after.reason,
            changed_ns=now_ns,
            venue_time_ns=now_ns + self._clock.offset_ns if self._clock is not None else 0,
        )
        line = Log(LogLevel.WARNING if rose else LogLevel.INFO, f"{_name(subject)}: {text}")
        is_emergency = (
            subject == ACCOUNT
            and rose
            and after.level is RiskLevel.EMERGENCY
            and not after.reason.startswith(_STOPPED_BY)
        )
        stop = [ShutNode(f"risk: {_name(subject)} {text}")] if is_emergency else []
        if not alerts:
            return [Append(record), line, *stop]
        severity = Severity.INFO
        if rose:
            severity = Severity.CRITICAL if after.level.rank >= RiskLevel.HALTED.rank else Severity.WARNING
        return [
            Append(record),
            line,
            Publish(self._alert_of(AlertCode.LEVEL_CHANGED, severity, _name(subject), text, now_ns)),
            *stop,
        ]

    def _terms(self, view: SymbolView) -> QuotingTerms:
        level = worst([self._account.verdict, view.verdict]).level
        allowed = self._permissions.of(level)
        return QuotingTerms(
            instrument_id=view.instrument.instrument_id,
            level=level,
            size_factor_bps=allowed.size_factor_bps,
            spread_factor_bps=allowed.spread_factor_bps,
        )

    def _repeat_terms(self, now_ns: int) -> list[Effect]:
        if now_ns - self._terms_ns < TERMS_PERIOD_NS:
            return []
        self._terms_ns = now_ns
        return [Publish(self._terms(view)) for view in self._symbols.values()]

    def _alert(self, code: AlertCode, severity: Severity, subject: str, text: str, now_ns: int) -> list[Effect]:
        """One alert, unless the same was raised a moment ago."""
        if not self._alerts.is_due((code, subject), now_ns):
            return []
        return [Publish(self._alert_of(code, severity, subject, text, now_ns))]

    def _alert_of(self, code: AlertCode, severity: Severity, subject: str, text: str, now_ns: int) -> Alert:
        return Alert(code=code, severity=severity, subject=subject, text=text, raised_ns=now_ns, source=self._name)

    def _remember(self, effects: list[Effect]) -> list[Effect]:
        """Put the memory in front of the effects when it changed."""
        memory = RiskMemory(
            day=self._day.day,
            day_equity=self._day.start_equity,
            loss_stopped=self._day.loss_stopped,
            transfers=self._day.transfers(),
            latches=self._latches.records(),
            holds=self._latches.holds(),
            levels=self._earned_levels(),
            epochs=self._desk.epochs(),
            grants=self._desk.grants(),
            share_id_last=self._desk.share_id_last,
        )
        if memory == self._memory:
            return effects
        self._memory = memory
        return [Append(memory), *effects]

    def _notional(self) -> Decimal:
        return sum((view.notional for view in self._symbols.values()), Decimal(0))

    def _earned_levels(self) -> tuple[EarnedLevel, ...]:
        return tuple(
            EarnedLevel(
                subject=subject,
                level=earned.level,
                reason=earned.reason,
                indicator=earned.indicator,
                value=earned.value,
                threshold=earned.threshold,
            )
            for subject, standing in self._standings().items()
            if (earned := standing.earned).level is not RiskLevel.NORMAL
        )

    def _limits(self, view: SymbolView) -> SymbolLimits:
        view.follow_mark()
        return self._present_limits(view)

    def _present_limits(self, view: SymbolView) -> SymbolLimits:
        level = worst([self._account.verdict, view.verdict]).level
        return symbol_limits(view.instrument, view.limits, view.limits_mark, level, self._permissions)

    def _symbol_view(self, view: SymbolView) -> SymbolRiskView:
        limits, verdict = self._present_limits(view), worst([self._account.verdict, view.verdict])
        return SymbolRiskView(
            state=verdict.state,
            level=verdict.level,
            reason=verdict.reason,
            position_lots=view.position_lots,
            position_known=view.position_known and view.position_ns > 0,
            mark_price=plain_text(view.mark_price),
            notional=plain_text(view.notional),
            worst_case_notional=plain_text(view.worst_case_notional),
            worst_case_complete=view.orders.complete,
            open_orders=view.orders.count(),
            open_orders_max=limits.open_orders_max,
            position_lots_max=limits.position_lots_max,
            order_lots_max=limits.order_lots_max,
            position_notional_max=plain_text(view.limits.position_notional_max),
            order_notional_max=plain_text(view.limits.order_notional_max),
        )


def _name(subject: str) -> str:
    """The word for people: the symbol of an instrument id."""
    return subject if subject == ACCOUNT else symbol_of(InstrumentId(subject))
