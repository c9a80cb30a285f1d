"""The risk monitor: watches positions, equity, markets and orders, and answers each shard's lease request with what it may do."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from actors.risk_monitor.account_watch import AccountWatch
from actors.risk_monitor.breaker_board import BreakerBoard
from actors.risk_monitor.capital import Capital
from actors.risk_monitor.guard import NOTHING, BehaviourGuard, Remedy
from actors.risk_monitor.judgement import AccountView, SymbolView
from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.leases import LeaseDesk
from actors.risk_monitor.level_desk import STOPPED_BY, LevelDesk
from actors.risk_monitor.limit_desk import LimitDesk
from actors.risk_monitor.limits import Bounds, symbol_limits, written_limits
from actors.risk_monitor.lookout import Lookout
from actors.risk_monitor.memory import RiskMemory
from actors.risk_monitor.notices import Notices
from actors.risk_monitor.open_orders import OpenOrders
from actors.risk_monitor.snapshot import RiskSnapshot, Showing
from actors.risk_monitor.symbol_watch import SymbolWatch
from configs.schema import Indicator, Settings
from protocols.arithmetic.sequences import Arrival, StreamNumbers
from protocols.binance_usdm.errors import CODES
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
    TimerFired,
)
from protocols.mailboxes import RiskMonitorMailbox
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import (
    ActorSpec,
    ActorState,
    Drain,
    EmergencyStop,
    EpochAnnounced,
    HoldLevel,
    Resume,
    SettingsChanged,
    ShardHalted,
    StopFileSeen,
)
from protocols.messages.inventory import AccountKeySeen, EquityChanged, PnlChanged, PositionChanged, UserStreamKey
from protocols.messages.market import BookTop, FeedStatus, MarkPrice, VenueClock
from protocols.messages.orders import (
    AnyAccountEvent,
    AnyOrderEvent,
    BalanceChanged,
    FundingPaid,
    InstrumentTaken,
    MarginCalled,
    OrderEvent,
    OrderFilled,
    OrderRejected,
    RateUsage,
    VenuePosition,
)
from protocols.messages.risk import InstrumentChanged, LeaseRequest, RiskLevel, SymbolLimits
from protocols.values import InstrumentId
from protocols.venue import (
    AccountConfigUpdate,
    BadFrame,
    BalanceUpdate,
    MarginCallUpdate,
    OrderUpdate,
    Outcome,
    PositionUpdate,
    RefusalKind,
    StreamChanged,
    StreamHeard,
    UserStreamExpired,
)

_JUDGE = "judge"
_MS = 1_000_000
_ZERO = Decimal(0)


class RiskMonitorCore:
    """Decides the level of the account and of each symbol, and each shard's share of the account's limits.

    Args:
        memory: what an earlier life wrote last; None where there was none.
        damaged: why the memory could not be read; trading is then halted until a person resumes.
    """

    def __init__(
        self, spec: ActorSpec, settings: Settings, memory: RiskMemory | None = None, damaged: str | None = None
    ) -> None:
        risk = self._risk = settings.risk
        caps = settings.hard_caps
        self._notices = Notices(spec.name)
        orders = {i.instrument_id: OpenOrders(memory is None) for i in spec.instruments}
        self._symbols = {
            i.instrument_id: SymbolView(i, written_limits(risk, i, caps), orders[i.instrument_id])
            for i in spec.instruments
        }
        self._watches = {i.instrument_id: SymbolWatch(i, risk, orders[i.instrument_id]) for i in spec.instruments}
        self._places = {instrument_id: place for place, instrument_id in enumerate(self._watches)}
        self._account = AccountView()
        self._account_watch = AccountWatch(
            tuple(self._watches.values()), risk, spec.rate_limits, max(len(spec.shards), 1)
        )
        self._margin_assets = frozenset(i.margin_asset for i in spec.instruments)
        self._pnl = dict.fromkeys(self._symbols, (0.0, 0.0))
        self._levels = LevelDesk(self._symbols, risk.levels, self._notices)
        self._capital = Capital(risk, caps)
        self._breakers = BreakerBoard(self._symbols, risk.breakers)
        self._guards = {i: BehaviourGuard(v.instrument.symbol, risk.behaviour) for i, v in self._symbols.items()}
        self._remedies: dict[InstrumentId, Remedy] = {}
        self._desk = LeaseDesk(spec.shards, settings, spec.rate_limits)
        self._lookout = Lookout(
            spec,
            settings,
            self._symbols,
            self._watches,
            self._account_watch,
            self._notices,
            self._desk.is_recovered,
        )
        self._streams = StreamNumbers()
        self._clock: VenueClock | None = None
        self._draining = False
        self._limits = LimitDesk(self._symbols, self._watches, self._account_watch, risk, caps)
        self._sampled_ns = 0
        self._judge_period_ns = risk.judge_period_ms * _MS
        """How often the passing of time alone is judged (ages, windows)."""
        self._desk.set_limits(self._limits.account_max, self._limits.position_max)
        self._memory = memory or RiskMemory()
        if memory is not None:
            self._capital.restore(memory)
            self._levels.restore(memory)
            self._desk.restore(memory)
            self._lookout.rules.restore(memory.agreed)
        if damaged is not None:
            self._levels.latches.set(ACCOUNT, RiskLevel.HALTED, f"the risk monitor's memory is damaged: {damaged}")

    def start(self, now_ns: int) -> list[Effect]:
        """Begin to judge."""
        effects: list[Effect] = [SetTimer(_JUDGE, now_ns + self._judge_period_ns)]
        for subject, text in self._levels.latches.texts().items():
            effects.append(Log(LogLevel.WARNING, f"{subject} stays restricted until it is resumed: {text}"))
        return self._remember(effects)

    def handle(self, message: RiskMonitorMailbox, now_ns: int) -> list[Effect]:
        """Take one message."""
        match message:
            case BookTop():
                return self._on_book(message, now_ns)
            case MarkPrice():
                return self._on_mark(message, now_ns)
            case LeaseRequest():
                return self._on_request(message, now_ns)
            case FeedStatus():
                watch = self._watches.get(message.instrument_id)
                if watch is not None:
                    watch.take_feed(message)
                return []
            case PnlChanged():
                return self._on_pnl(message, now_ns)
            case LinkChanged() | OutboxFull():
                return []
            case PositionChanged():
                return self._on_position(message, now_ns)
            case EquityChanged():
                effects = self._on_equity(message, now_ns)
            case VenueClock():
                self._clock = message
                return []
            case RateUsage():
                self._desk.use(message)
                self._account_watch.take_usage(message, now_ns)
                self._breakers.take_usage(message, now_ns)
                return self._judge_crossed(None, now_ns)
            case OrderEvent():
                return self._on_order_event(message, now_ns)
            case BalanceChanged() | FundingPaid() | VenuePosition() | MarginCalled() | InstrumentTaken():
                effects = self._on_account_event(message, now_ns)
            case TimerFired():
                effects = self._on_timer(now_ns)
            case AccountKeySeen():
                self._lookout.rules.take_account_key(message.permissions, min(message.seen_ns, now_ns))
                return []
            case UserStreamKey():
                self._lookout.listen_key = message.listen_key
                return []
            case Outcome():
                effects = [
                    *self._lookout.take(message, self._account.equity, now_ns),
                    *self._follow_filters(now_ns),
                    *self._judge_crossed(None, now_ns),
                ]
            case (
                OrderUpdate()
                | BalanceUpdate()
                | PositionUpdate()
                | MarginCallUpdate()
                | UserStreamExpired()
                | AccountConfigUpdate()
                | StreamChanged()
                | StreamHeard()
                | BadFrame()
            ):
                return self._lookout.hear(message, now_ns)
            case HoldLevel():
                effects = [self._levels.hold(message), *self._judge(now_ns)]
            case SettingsChanged():
                effects = self._change(message, now_ns)
            case Drain() | EmergencyStop() | StopFileSeen() | Resume() | EpochAnnounced() | ShardHalted():
                effects = self._on_control(message, now_ns)
            case _:
                assert_never(message)
        return self._remember(effects)

    @property
    def listen_key(self) -> str:
        """Newest key of the private stream, for the gateway. A secret."""
        return self._lookout.listen_key

    def state(self) -> ActorState:
        """Where the actor is in its life."""
        return ActorState.STOPPED if self._draining else ActorState.RUNNING

    def snapshot(self) -> RiskSnapshot:
        """The one view that status, reports and metrics read."""
        return Showing(
            account=self._account,
            symbols=self._symbols,
            watches=self._watches,
            account_board=self._account_watch.board,
            levels=self._levels,
            capital=self._capital,
            account_max=self._limits.account_max,
            limits=self._present_limits,
            thresholds=self._risk.indicators,
            breakers=self._breakers.views(),
            remedies=self._remedies,
            differing=self._lookout.differing,
            shards=self._desk.views(),
            bad_data=self._notices.bad_data,
        ).view()

    def _repeat_terms(self, now_ns: int) -> list[Effect]:
        terms = self._levels.repeat_terms(now_ns)
        if not terms:
            return []
        changed = self._lookout.rules.changed.items()
        return [*terms, *(Publish(InstrumentChanged(instrument_id=i, instrument=one)) for i, one in changed)]

    def _follow_filters(self, now_ns: int) -> list[Effect]:
        """Take filters that the venue has changed, and say them: again and again, for readers that come late."""
        effects: list[Effect] = []
        for instrument_id, instrument in self._lookout.rules.changed.items():
            view = self._symbols[instrument_id]
            if view.instrument == instrument:
                continue
            view.instrument = self._watches[instrument_id].instrument = instrument
            self._limits.renew(view)
            text = f"filters were changed by the venue: version {instrument.version} holds"
            effects += self._notices.once(AlertCode.FILTERS_CHANGED, Severity.WARNING, instrument.symbol, text, now_ns)
            effects.append(Publish(InstrumentChanged(instrument_id=instrument_id, instrument=instrument)))
        return effects

    def _on_timer(self, now_ns: int) -> list[Effect]:
        for watch in self._watches.values():
            watch.tick(now_ns)
        if now_ns - self._sampled_ns >= self._risk.estimators.sample_ms * _MS:
            # One period after the other, so that a late timer makes no longer period.
            late = now_ns - self._sampled_ns >= 2 * self._risk.estimators.sample_ms * _MS
            self._sampled_ns = now_ns if late else self._sampled_ns + self._risk.estimators.sample_ms * _MS
            self._sample(now_ns)
        venue_now_ns = now_ns + self._clock.offset_ns if self._clock is not None else None
        looks = self._lookout.tick(venue_now_ns, now_ns)
        return [
            *self._judge(now_ns),
            *looks,
            *self._repeat_terms(now_ns),
            SetTimer(_JUDGE, now_ns + self._judge_period_ns),
        ]

    def _sample(self, now_ns: int) -> None:
        """End of a sampling period."""
        self._account_watch.sample([watch.sample(now_ns) for watch in self._watches.values()])
        self._breakers.end_period()

    def _on_book(self, top: BookTop, now_ns: int) -> list[Effect]:
        watch = self._watches.get(top.instrument_id)
        if watch is None:
            return []
        watch.take_book(top, now_ns)
        self._account_watch.move(self._places[top.instrument_id], watch.open_return, watch.open_share)
        self._breakers.take_return(top.instrument_id, watch.open_return, watch.usual_return, now_ns)
        self._breakers.take_book(top, watch.depth_ratio, watch.knows_depth, now_ns)
        return self._judge_crossed(watch, now_ns)

    def _on_request(self, request: LeaseRequest, now_ns: int) -> list[Effect]:
        if self._draining or not self._desk.accepts(request):
            return []
        self._desk.note(request)
        self._follow_limits()
        effects = self._judge(now_ns)
        limits = tuple(self._present_limits(self._symbols[i]) for i in self._desk.instruments(request.shard))
        lease = self._desk.answer(request, self._levels.account, limits, now_ns)
        # What the share depends on must be on file before the shard may use it.
        effects = self._remember(effects)
        return [*effects, Send(f"order_manager-{request.shard}", lease)]

    def _on_mark(self, mark: MarkPrice, now_ns: int) -> list[Effect]:
        view, watch = self._symbols.get(mark.instrument_id), self._watches.get(mark.instrument_id)
        sound = mark.mark_price.is_finite() and mark.mark_price > 0 and mark.funding_rate.is_finite()
        if view is None or watch is None or not sound:
            return self._notices.refuse(mark.instrument_id, f"mark price {mark.mark_price} refused", now_ns)
        view.mark_price = mark.mark_price
        view.mark_ns = min(mark.received_ns, now_ns)
        watch.take_mark(mark, now_ns)
        self._account_watch.revalue()
        return self._judge_crossed(watch, now_ns)

    def _on_position(self, changed: PositionChanged, now_ns: int) -> list[Effect]:
        view = self._symbols.get(changed.instrument_id)
        if view is None:
            return self._notices.refuse(changed.instrument_id, "position of a symbol that is not traded", now_ns)
        moved = view.position_lots != changed.position_lots
        view.position_lots = changed.position_lots
        view.position_known = changed.known
        # A position that was never known is as good as none at all.
        view.position_ns = now_ns if changed.known or view.position_ns else 0
        watch = self._watches[changed.instrument_id]
        if moved:
            watch.take_position(changed.position_lots)
            self._account_watch.revalue()
        return self._judge_crossed(watch, now_ns)

    def _on_pnl(self, pnl: PnlChanged, now_ns: int) -> list[Effect]:
        watch = self._watches.get(pnl.instrument_id)
        if watch is None or not all(part.is_finite() for part in (pnl.realised, pnl.unrealised, pnl.net)):
            return self._notices.refuse(pnl.instrument_id, "a PnL that cannot be was refused", now_ns)
        watch.take_pnl(pnl, now_ns)
        self._pnl[pnl.instrument_id] = (float(pnl.realised - pnl.fees + pnl.funding), float(pnl.unrealised))
        self._account_watch.take_pnl(sum(r for r, _ in self._pnl.values()), sum(u for _, u in self._pnl.values()))
        return self._judge_crossed(watch, now_ns)

    def _on_equity(self, changed: EquityChanged, now_ns: int) -> list[Effect]:
        if not changed.equity.is_finite() or not changed.fees_elsewhere.is_finite():
            return self._notices.refuse(ACCOUNT, f"equity {changed.equity} refused", now_ns)
        self._account.equity = changed.equity
        self._account.equity_ns = min(changed.valued_ns, now_ns)
        self._advance_day(now_ns)
        capital, watch = self._capital, self._account_watch
        self._account.note_unvalued(changed.unvalued, now_ns)
        # Fees in other assets leave a wallet that is no margin: they are in no equity, and are a loss all the same.
        worth = changed.equity - changed.fees_elsewhere
        broken = capital.value(worth, self._account.equity_ns)
        self._follow_limits()
        if not capital.is_settled(self._account.equity_ns):
            return self._judge_crossed(None, now_ns)
        self._breakers.take_equity(float(worth), now_ns)
        watch.take_equity(worth, capital.day_loss(), capital.loss_max(), now_ns)
        watch.take_drawdown(capital.drawdown_amount(), capital.drawdown_max())
        if not broken:
            return self._judge_crossed(None, now_ns)
        effects: list[Effect] = []
        if capital.drawdown_broken:
            text = (
                f"the drawdown of {capital.drawdown_amount():.2f} went beyond its limit of {capital.drawdown_max():.2f}"
            )
            if self._levels.latches.set(ACCOUNT, watch.board.at_limit(Indicator.DRAWDOWN), text):
                effects = self._notices.once(AlertCode.DRAWDOWN, Severity.CRITICAL, ACCOUNT, text, now_ns)
        return [*effects, *self._judge(now_ns)]

    def _on_order_event(self, event: AnyOrderEvent, now_ns: int) -> list[Effect]:
        if not self._is_new(event.shard, event.event_seq):
            return []
        view = self._symbols.get(event.instrument_id)
        if view is None:
            return self._notices.refuse(event.instrument_id, "event of a symbol that is not traded", now_ns)
        view.orders.apply(event)
        watch = self._watches[event.instrument_id]
        watch.take_event(event, now_ns)
        kind = CODES.get(event.venue_code) if isinstance(event, OrderRejected) else None
        if kind is RefusalKind.STOP_SYMBOL or kind is RefusalKind.OUR_FAULT:
            self._lookout.rules.hasten_listing(now_ns)
        if isinstance(event, OrderFilled) and event.forced:
            symbol = view.instrument.symbol
            text = f"the venue closed {event.quantity_lots} lots of {symbol} by force"
            self._levels.latches.set(event.instrument_id, RiskLevel.HALTED, text)
            self._levels.latches.set(ACCOUNT, RiskLevel.RESTRICTED, text)
            told = self._notices.once(AlertCode.LIMIT_BREACHED, Severity.CRITICAL, symbol, text, now_ns)
            return self._remember(told)
        return self._judge_crossed(watch, now_ns)

    def _on_account_event(self, event: AnyAccountEvent, now_ns: int) -> list[Effect]:
        if not self._is_new(event.shard, event.event_seq):
            return []
        match event:
            case BalanceChanged():
                if event.asset in self._margin_assets and self._capital.transfer(event, now_ns):
                    self._account_watch.transfer(event.balance_change)
                    self._breakers.forget_equity()
                return []
            case MarginCalled():
                self._levels.latches.set(ACCOUNT, RiskLevel.RESTRICTED, f"margin call: {event.text}")
                return self._notices.once(AlertCode.MARGIN_CALL, Severity.CRITICAL, ACCOUNT, event.text, now_ns)
            case FundingPaid() | VenuePosition() | InstrumentTaken():
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
                is_order_manager = message.name == f"order_manager-{message.shard}"
                if is_order_manager and self._desk.announce(message.shard, message.epoch):
                    for instrument_id in self._desk.instruments(message.shard):
                        self._symbols[instrument_id].orders.begin_again()
                return []
            case ShardHalted():
                self._desk.halt(message.shard, message.reason)
                return []
            case _:
                assert_never(message)

    def _stop(self, reason: str) -> list[Effect]:
        if not self._levels.latches.set(ACCOUNT, RiskLevel.EMERGENCY, f"{STOPPED_BY}{reason}"):
            return []
        return [Log(LogLevel.WARNING, f"emergency stop: {reason}")]

    def _resume(self, reason: str, now_ns: int) -> list[Effect]:
        lifted = [*self._levels.forgive(), *self._capital.accept()]
        self._desk.resume()
        self._lookout.rules.accept()
        effects: list[Effect] = [
            Log(LogLevel.WARNING, f"resumed ({reason}): {'; '.join(lifted) or 'nothing was latched'}")
        ]
        return [*effects, *self._judge(now_ns)]

    def _change(self, message: SettingsChanged, now_ns: int) -> list[Effect]:
        """Limits changed while we run: they hold from this step on, and leases say so within their period."""
        settings = Settings.model_validate_json(message.settings_json)
        risk = self._risk = settings.risk
        self._capital.change(risk)
        self._limits.change(risk)
        self._follow_limits()
        return [Log(LogLevel.WARNING, f"settings changed: {'; '.join(message.changes)}"), *self._judge(now_ns)]

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
            self._capital.clock(now_ns + self._clock.offset_ns)

    def _follow_limits(self) -> None:
        """Let the limits follow marks and equity, and tell those who go by them."""
        if self._limits.follow(self._account.equity):
            self._levels.notional_max = self._limits.position_max
            self._desk.set_limits(self._limits.account_max, self._limits.position_max)
            self._account_watch.revalue()

    def _judge_crossed(self, watch: SymbolWatch | None, now_ns: int) -> list[Effect]:
        """Judge at once when a threshold was crossed; else the timer does it."""
        crossed = self._account_watch.board.has_crossed or (watch is not None and watch.board.has_crossed)
        if crossed or self._breakers.has_opened:
            return self._remember(self._judge(now_ns))
        return []

    def _judge(self, now_ns: int) -> list[Effect]:
        """Bring every level up to date, and tell what changed."""
        self._advance_day(now_ns)
        self._desk.clock(now_ns)
        capital = self._capital
        account = self._account.judge(
            now_ns,
            capital.day_pnl(),
            capital.loss_stopped,
            capital.loss_max() or _ZERO,
            sum((view.notional for view in self._symbols.values()), _ZERO),
            self._limits.account_max,
            self._account_watch.board,
        )
        mark_age_ns_max = self._risk.mark_age_ms_max * _MS
        symbols = {
            instrument_id: [
                *view.judge(now_ns, mark_age_ns_max, self._watches[instrument_id].board),
                *self._lookout.verdicts(view.instrument.symbol),
                *self._lookout.rules.verdicts(instrument_id),
                *self._breakers.symbol(instrument_id, now_ns),
            ]
            for instrument_id, view in self._symbols.items()
        }
        venue_time_ns = now_ns + self._clock.offset_ns if self._clock is not None else 0
        account += [
            *self._lookout.verdicts(ACCOUNT),
            *self._lookout.rules.verdicts(ACCOUNT),
            *self._breakers.account(now_ns),
        ]
        for instrument_id, guard in self._guards.items():
            board = self._watches[instrument_id].board
            self._remedies[instrument_id] = guard.judge(board, self._lookout.eyes.rules, now_ns)
        return self._levels.judge(account, symbols, venue_time_ns, now_ns)

    def _remember(self, effects: list[Effect]) -> list[Effect]:
        """Put the memory in front of the effects when it changed."""
        memory = RiskMemory(
            **self._capital.memory(),
            latches=self._levels.latches.records(),
            holds=self._levels.latches.holds(),
            levels=self._levels.earned(),
            epochs=self._desk.epochs(),
            grants=self._desk.grants(),
            share_id_last=self._desk.share_id_last,
            agreed=self._lookout.rules.agreed,
        )
        if memory == self._memory:
            return effects
        self._memory = memory
        return [Append(memory), *effects]

    def _present_limits(self, view: SymbolView) -> SymbolLimits:
        instrument_id = view.instrument.instrument_id
        level = self._levels.verdict(instrument_id).level
        bounds = Bounds(
            bracket_notional_max=self._lookout.bracket(instrument_id),
            margin_notional_max=self._lookout.margin_notional(instrument_id, self._limits.part_of(view)),
            trial_orders=self._breakers.trial_orders(instrument_id),
            remedy=self._remedies.get(instrument_id, NOTHING),
        )
        return symbol_limits(view.instrument, view.limits, view.limits_mark, level, self._levels.permissions, bounds)
