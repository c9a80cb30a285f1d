"""Everything that the risk monitor knows and decides with, put together once: what is heard, judged, told and remembered is about it."""

from __future__ import annotations

from actors.risk_monitor.account_watch import AccountWatch
from actors.risk_monitor.breaker_board import BreakerBoard
from actors.risk_monitor.capital import Capital, CapitalMemory
from actors.risk_monitor.derived import Derived
from actors.risk_monitor.guard import NOTHING, BehaviourGuard, Remedy
from actors.risk_monitor.judgement import AccountView, SymbolView
from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.leases import LeaseDesk
from actors.risk_monitor.level_desk import LevelDesk
from actors.risk_monitor.limit_desk import LimitDesk
from actors.risk_monitor.limits import Bounds, symbol_limits, written_limits
from actors.risk_monitor.lookout import Lookout
from actors.risk_monitor.memory import AgreedAccount, EarnedLevel, GrantRecord, Latch, RiskMemory
from actors.risk_monitor.notices import Notices
from actors.risk_monitor.open_orders import OpenOrders
from actors.risk_monitor.snapshot import RiskSnapshot, Showing
from actors.risk_monitor.soundness import Refusals
from actors.risk_monitor.symbol_watch import SymbolWatch
from configs.schema import RiskSettings, Settings
from protocols.effects import Append, Effect
from protocols.messages.control import ActorSpec
from protocols.messages.market import VenueClock
from protocols.messages.risk import RiskLevel, SymbolLimits
from protocols.values import InstrumentId


class Picture:
    """The views, boards, desks and files of one account.

    Args:
        memory: what an earlier life wrote last; None where there was none.
        damaged: why the memory could not be read; trading is then halted until a person resumes.
    """

    def __init__(
        self, spec: ActorSpec, settings: Settings, memory: RiskMemory | None = None, damaged: str | None = None
    ) -> None:
        risk = self.risk = settings.risk
        caps = settings.hard_caps
        self.notices = Notices(spec.name)
        self.refusals = Refusals(i.instrument_id for i in spec.instruments)
        orders = {i.instrument_id: OpenOrders(memory is None) for i in spec.instruments}
        self.symbols = {
            i.instrument_id: SymbolView(i, written_limits(risk, i, caps), orders[i.instrument_id])
            for i in spec.instruments
        }
        self.watches = {i.instrument_id: SymbolWatch(i, risk, orders[i.instrument_id]) for i in spec.instruments}
        self.account = AccountView()
        self.account_watch = AccountWatch(
            tuple(self.watches.values()), risk, spec.rate_limits, max(len(spec.shards), 1)
        )
        self.levels = LevelDesk(self.symbols, risk.levels, risk.terms_period_ms, self.notices)
        self.capital = Capital(risk, caps)
        self.breakers = BreakerBoard(self.symbols, risk.breakers)
        self.guards = {i: BehaviourGuard(v.instrument.symbol, risk.behaviour) for i, v in self.symbols.items()}
        self.remedies: dict[InstrumentId, Remedy] = {}
        self.desk = LeaseDesk(spec.shards, settings, spec.rate_limits)
        self.lookout = Lookout(
            spec, settings, self.symbols, self.watches, self.account_watch, self.notices, self.desk.is_recovered
        )
        self.clock: VenueClock | None = None
        self.limits = LimitDesk(self.symbols, self.watches, self.account_watch, risk, caps)
        self.desk.set_limits(self.limits.account_max, self.limits.position_max)
        self._memory = memory or RiskMemory()
        self._memories = Derived[RiskMemory]()
        self._presented = {i: Derived[SymbolLimits]() for i in self.symbols}
        if memory is not None:
            self.capital.restore(memory)
            self.levels.restore(memory)
            self.desk.restore(memory)
            self.lookout.rules.restore(memory.agreed)
        if damaged is not None:
            self.levels.latches.set(ACCOUNT, RiskLevel.HALTED, f"the risk monitor's memory is damaged: {damaged}")

    def change(self, risk: RiskSettings) -> None:
        """Limits changed while we run: they hold from this step on, and leases say so within their period."""
        self.risk = risk
        self.capital.change(risk)
        self.limits.change(risk)
        self.follow_limits()

    def venue_now_ns(self, now_ns: int) -> int | None:
        """The venue's time; None while its clock is not known."""
        return None if self.clock is None else now_ns + self.clock.offset_ns

    def advance_day(self, now_ns: int) -> None:
        """A new day may begin, by the venue's clock."""
        venue_now_ns = self.venue_now_ns(now_ns)
        if venue_now_ns is not None:
            self.capital.clock(venue_now_ns)

    def follow_limits(self) -> None:
        """Let the limits follow marks and equity, and tell those who go by them."""
        if self.limits.follow(self.account.equity):
            self.levels.notional_max = self.limits.position_max
            self.desk.set_limits(self.limits.account_max, self.limits.position_max)
            self.account_watch.revalue()

    def present_limits(self, view: SymbolView) -> SymbolLimits:
        """What the present level of a symbol allows, for its lease."""
        instrument_id = view.instrument.instrument_id
        level = self.levels.verdict(instrument_id).level
        bounds = Bounds(
            bracket_notional_max=self.lookout.bracket(instrument_id),
            margin_notional_max=self.lookout.margin_notional(instrument_id, self.limits.part_of(view)),
            trial_orders=self.breakers.trial_orders(instrument_id),
            remedy=self.remedies.get(instrument_id, NOTHING),
        )
        return self._presented[instrument_id].of(
            symbol_limits, view.instrument, view.limits, view.limits_mark, level, self.levels.permissions, bounds
        )

    def remember(self, effects: list[Effect]) -> list[Effect]:
        """Put the memory in front of the effects when it changed."""
        memory = self._memories.of(
            _memory,
            self.capital.memory(),
            self.levels.latches.records(),
            self.levels.latches.holds(),
            self.levels.earned(),
            self.desk.epochs(),
            self.desk.grants(),
            self.desk.share_id_last,
            self.lookout.rules.agreed,
        )
        if memory is self._memory or memory == self._memory:
            return effects
        self._memory = memory
        return [Append(memory), *effects]

    def snapshot(self) -> RiskSnapshot:
        """The one view that status, reports and metrics read."""
        return Showing(
            account=self.account,
            symbols=self.symbols,
            watches=self.watches,
            account_board=self.account_watch.board,
            levels=self.levels,
            capital=self.capital,
            account_max=self.limits.account_max,
            limits=self.present_limits,
            thresholds=self.risk.indicators,
            breakers=self.breakers.views(),
            remedies=self.remedies,
            differing=self.lookout.differing,
            shards=self.desk.views(),
            bad_data=self.notices.bad_data,
        ).view()


def _memory(
    capital: CapitalMemory,
    latches: tuple[Latch, ...],
    holds: tuple[Latch, ...],
    levels: tuple[EarnedLevel, ...],
    epochs: dict[int, int],
    grants: tuple[GrantRecord, ...],
    share_id_last: int,
    agreed: AgreedAccount,
) -> RiskMemory:
    return RiskMemory(
        **capital._asdict(),
        latches=latches,
        holds=holds,
        levels=levels,
        epochs=epochs,
        grants=grants,
        share_id_last=share_id_last,
        agreed=agreed,
    )
