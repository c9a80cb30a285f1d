"""The risk monitor: watches positions, equity, markets and orders, and answers each shard's lease request with what it may do."""

from __future__ import annotations

from typing import assert_never

from actors.risk_monitor.judge import Judge
from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.level_desk import STOPPED_BY
from actors.risk_monitor.market_intake import MarketIntake
from actors.risk_monitor.memory import RiskMemory
from actors.risk_monitor.money_intake import MoneyIntake
from actors.risk_monitor.order_intake import OrderIntake
from actors.risk_monitor.picture import Picture
from actors.risk_monitor.snapshot import RiskSnapshot
from actors.risk_monitor.soundness import unsound_place
from configs.schema import Settings
from protocols.effects import Effect, LinkChanged, Log, LogLevel, OutboxFull, Publish, Send, SetTimer, TimerFired
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
    BalanceChanged,
    FundingPaid,
    InstrumentTaken,
    MarginCalled,
    OrderEvent,
    RateUsage,
    VenuePosition,
)
from protocols.messages.risk import InstrumentChanged, LeaseRequest, RiskLevel
from protocols.venue import (
    AccountConfigUpdate,
    AnyOutcome,
    BadFrame,
    BalanceUpdate,
    MarginCallUpdate,
    OrderUpdate,
    Outcome,
    PositionUpdate,
    StreamChanged,
    StreamHeard,
    UserStreamExpired,
)

_JUDGE = "judge"
_MS = 1_000_000


class RiskMonitorCore:
    """Decides the level of the account and of each symbol, and each shard's share of the account's limits.

    Args:
        memory: what an earlier life wrote last; None where there was none.
        damaged: why the memory could not be read; trading is then halted until a person resumes.
    """

    def __init__(
        self, spec: ActorSpec, settings: Settings, memory: RiskMemory | None = None, damaged: str | None = None
    ) -> None:
        self._picture = Picture(spec, settings, memory, damaged)
        self._judge = Judge(self._picture)
        self._market = MarketIntake(self._picture, self._judge)
        self._money = MoneyIntake(self._picture, self._judge)
        self._orders = OrderIntake(self._picture, self._judge, spec.instruments)
        self._draining = False
        self._judge_period_ns = settings.risk.judge_period_ms * _MS
        """How often the passing of time alone is judged (ages, windows)."""

    def start(self, now_ns: int) -> list[Effect]:
        """Begin to judge."""
        effects: list[Effect] = [SetTimer(_JUDGE, now_ns + self._judge_period_ns)]
        for subject, text in self._picture.levels.latches.texts().items():
            effects.append(Log(LogLevel.WARNING, f"{subject} stays restricted until it is resumed: {text}"))
        return self._picture.remember(effects)

    def handle(self, message: RiskMonitorMailbox, now_ns: int) -> list[Effect]:
        """Take one message."""
        picture = self._picture
        match message:
            case BookTop():
                return self._market.take_book(message, now_ns)
            case OrderEvent():
                return self._orders.take_event(message, now_ns)
            case OrderUpdate():
                return picture.lookout.hear(message, now_ns)
            case PositionChanged():
                return self._money.take_position(message, now_ns)
            case RateUsage():
                return self._orders.take_usage(message, now_ns)
            case LeaseRequest():
                return self._on_request(message, now_ns)
            case MarkPrice():
                return self._market.take_mark(message, now_ns)
            case PnlChanged():
                return self._money.take_pnl(message, now_ns)
            case FeedStatus():
                return self._market.take_feed(message, now_ns)
            case LinkChanged() | OutboxFull():
                return []
            case EquityChanged():
                return picture.remember(self._money.take_equity(message, now_ns))
            case VenueClock():
                return self._market.take_clock(message, now_ns)
            case VenuePosition() | FundingPaid() | InstrumentTaken():
                return self._orders.take_account_event(message, now_ns)
            case BalanceChanged() | MarginCalled():
                return picture.remember(self._orders.take_account_event(message, now_ns))
            case TimerFired():
                return picture.remember(self._on_timer(now_ns))
            case AccountKeySeen():
                picture.lookout.rules.take_account_key(message.permissions, min(message.seen_ns, now_ns))
                return []
            case UserStreamKey():
                picture.lookout.listen_key = message.listen_key
                return []
            case Outcome():
                return picture.remember(self._on_answer(message, now_ns))
            case (
                BalanceUpdate()
                | PositionUpdate()
                | MarginCallUpdate()
                | UserStreamExpired()
                | AccountConfigUpdate()
                | StreamChanged()
                | StreamHeard()
                | BadFrame()
            ):
                return picture.lookout.hear(message, now_ns)
            case (
                HoldLevel()
                | SettingsChanged()
                | Drain()
                | EmergencyStop()
                | StopFileSeen()
                | Resume()
                | EpochAnnounced()
                | ShardHalted()
            ):
                return picture.remember(self._on_control(message, now_ns))
            case _:
                assert_never(message)

    @property
    def listen_key(self) -> str:
        """Newest key of the private stream, for the gateway. A secret."""
        return self._picture.lookout.listen_key

    def state(self) -> ActorState:
        """Where the actor is in its life."""
        return ActorState.STOPPED if self._draining else ActorState.RUNNING

    def snapshot(self) -> RiskSnapshot:
        """The one view that status, reports and metrics read."""
        return self._picture.snapshot()

    def _on_timer(self, now_ns: int) -> list[Effect]:
        self._market.tick(now_ns)
        looks = self._picture.lookout.tick(self._picture.venue_now_ns(now_ns), now_ns)
        return [
            *self._judge.judge(now_ns),
            *looks,
            *self._repeat_terms(now_ns),
            SetTimer(_JUDGE, now_ns + self._judge_period_ns),
        ]

    def _repeat_terms(self, now_ns: int) -> list[Effect]:
        terms = self._picture.levels.repeat_terms(now_ns)
        if not terms:
            return []
        changed = self._picture.lookout.rules.changed.items()
        return [*terms, *(Publish(InstrumentChanged(instrument_id=i, instrument=one)) for i, one in changed)]

    def _on_request(self, request: LeaseRequest, now_ns: int) -> list[Effect]:
        picture, desk = self._picture, self._picture.desk
        if self._draining or not desk.accepts(request):
            return []
        desk.note(request)
        picture.follow_limits()
        effects = self._judge.judge(now_ns)
        limits = tuple(picture.present_limits(picture.symbols[i]) for i in desk.instruments(request.shard))
        lease = desk.answer(request, picture.levels.account, limits, now_ns)
        # What the share depends on must be on file before the shard may use it.
        effects = picture.remember(effects)
        return [*effects, Send(f"order_manager-{request.shard}", lease)]

    def _on_answer(self, outcome: AnyOutcome, now_ns: int) -> list[Effect]:
        picture = self._picture
        if place := unsound_place(outcome):
            picture.lookout.forget(outcome)
            return self._judge.refuse(ACCOUNT, f"the venue answered {type(outcome).__name__} with {place}", now_ns)
        return [
            *picture.lookout.take(outcome, picture.account.equity, now_ns),
            *self._follow_filters(now_ns),
            *self._judge.when_crossed(None, now_ns),
        ]

    def _follow_filters(self, now_ns: int) -> list[Effect]:
        """Take filters that the venue has changed, and say them: again and again, for readers that come late."""
        picture, effects = self._picture, list[Effect]()
        for instrument_id, instrument in picture.lookout.rules.changed.items():
            view = picture.symbols[instrument_id]
            if view.instrument == instrument:
                continue
            view.instrument = picture.watches[instrument_id].instrument = instrument
            picture.limits.renew(view)
            text = f"filters were changed by the venue: version {instrument.version} holds"
            notices = picture.notices
            effects += notices.once(AlertCode.FILTERS_CHANGED, Severity.WARNING, instrument.symbol, text, now_ns)
            effects.append(Publish(InstrumentChanged(instrument_id=instrument_id, instrument=instrument)))
        return effects

    def _on_control(
        self,
        message: HoldLevel
        | SettingsChanged
        | Drain
        | EmergencyStop
        | StopFileSeen
        | Resume
        | EpochAnnounced
        | ShardHalted,
        now_ns: int,
    ) -> list[Effect]:
        picture, desk = self._picture, self._picture.desk
        match message:
            case HoldLevel():
                return [picture.levels.hold(message), *self._judge.judge(now_ns)]
            case SettingsChanged():
                picture.change(Settings.model_validate_json(message.settings_json).risk)
                told = Log(LogLevel.WARNING, f"settings changed: {'; '.join(message.changes)}")
                return [told, *self._judge.judge(now_ns)]
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
                if is_order_manager and desk.announce(message.shard, message.epoch):
                    for instrument_id in desk.instruments(message.shard):
                        picture.symbols[instrument_id].orders.begin_again()
                return []
            case ShardHalted():
                desk.halt(message.shard, message.reason)
                return []
            case _:
                assert_never(message)

    def _stop(self, reason: str) -> list[Effect]:
        if not self._picture.levels.latches.set(ACCOUNT, RiskLevel.EMERGENCY, f"{STOPPED_BY}{reason}"):
            return []
        return [Log(LogLevel.WARNING, f"emergency stop: {reason}")]

    def _resume(self, reason: str, now_ns: int) -> list[Effect]:
        picture = self._picture
        lifted = [*picture.levels.forgive(), *picture.capital.accept()]
        picture.desk.resume()
        picture.lookout.rules.accept()
        effects: list[Effect] = [
            Log(LogLevel.WARNING, f"resumed ({reason}): {'; '.join(lifted) or 'nothing was latched'}")
        ]
        return [*effects, *self._judge.judge(now_ns)]
