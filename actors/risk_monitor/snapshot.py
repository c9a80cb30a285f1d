"""What the risk monitor shows: the one view of status, reports and metrics. Money is in quote currency, as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from actors.risk_monitor.board import Board
from actors.risk_monitor.capital import Capital
from actors.risk_monitor.guard import NOTHING, Remedy
from actors.risk_monitor.judgement import AccountView, SymbolView
from actors.risk_monitor.level_desk import LevelDesk
from actors.risk_monitor.limits import limit_texts
from actors.risk_monitor.symbol_watch import SymbolWatch
from configs.schema import KINDS, IndicatorThresholds
from protocols.arithmetic.plain_text import plain_text
from protocols.messages.risk import SymbolLimits
from protocols.values import InstrumentId, symbol_of

_BANDS = ("", "warning", "limit", "no number")


class IndicatorView(msgspec.Struct, frozen=True, kw_only=True):
    """One indicator: its value, its thresholds (None: never), and which of them it is beyond."""

    value: float
    unit: str
    warning: float | None
    limit: float | None
    beyond: str


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """One limit in all three units; empty where it cannot be said."""

    quote: str
    base: str
    equity_share: str


class SymbolRiskView(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol: where it stands and what it may do. `guard`: what the behaviour guard asks of its quotes; `differing_orders`: those that
    the venue shows in another way than the order manager, or one of both alone, the longest first.
    """

    state: str
    level: str
    reason: str
    position_lots: int
    position_known: bool
    mark_price: str
    notional: str
    worst_case_notional: str
    worst_case_complete: bool
    open_orders: int
    open_orders_max: int
    position_lots_max: int
    order_lots_max: int
    position_notional_max: str
    order_notional_max: str
    limits: dict[str, LimitView]
    guard: str
    differing_orders: list[str]
    indicators: dict[str, IndicatorView]


class ShardLease(msgspec.Struct, frozen=True, kw_only=True):
    """One shard's lease: the newest epoch announced, and the share that counts for it. `lease_age_ms` is -1 before the first."""

    epoch: int
    lease_age_ms: int
    leases: int
    refused: int
    halted: str
    share_id: int
    notional_share: str
    notional_counted: str
    worst_case_reported: str
    weight_used_1m: int
    orders_used_10s: int
    orders_used_1m: int


class RiskSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. `equity` and `day_pnl` are empty while unknown."""

    state: str
    level: str
    reason: str
    equity: str
    day_pnl: str
    day: int
    daily_loss_max: str
    drawdown: str
    drawdown_max: str
    notional: str
    account_notional_max: str
    limits: dict[str, LimitView]
    latches: dict[str, str]
    breakers: dict[str, str]
    indicators: dict[str, IndicatorView]
    symbols: dict[str, SymbolRiskView]
    shards: dict[int, ShardLease]
    bad_data: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """The parts of a core that are shown."""

    account: AccountView
    symbols: Mapping[InstrumentId, SymbolView]
    watches: Mapping[InstrumentId, SymbolWatch]
    account_board: Board
    levels: LevelDesk
    capital: Capital
    account_max: Decimal
    limits: Callable[[SymbolView], SymbolLimits]
    thresholds: IndicatorThresholds
    breakers: dict[str, str]
    remedies: Mapping[InstrumentId, Remedy]
    differing: Callable[[InstrumentId], list[str]]
    shards: dict[int, ShardLease]
    bad_data: int

    def view(self) -> RiskSnapshot:
        """The snapshot."""
        verdict, equity, capital = self.levels.account, self.account.equity, self.capital
        known = self.account_max if equity is not None else None
        return RiskSnapshot(
            state=verdict.state,
            level=verdict.level,
            reason=verdict.reason,
            equity=plain_text(equity),
            day_pnl=plain_text(capital.day_pnl()),
            day=capital.day,
            daily_loss_max=plain_text(capital.loss_max()),
            drawdown=plain_text(capital.drawdown_amount()),
            drawdown_max=plain_text(capital.drawdown_max()),
            notional=plain_text(sum((view.notional for view in self.symbols.values()), Decimal(0))),
            account_notional_max=plain_text(known),
            limits={
                "notional": _limit(known, equity),
                "daily_loss": _limit(capital.loss_max(), equity),
                "drawdown": _limit(capital.drawdown_max(), equity),
            },
            latches=self.levels.latches.texts(),
            breakers=self.breakers,
            indicators=self._indicators(self.account_board),
            symbols={symbol_of(i): self._symbol(view) for i, view in self.symbols.items()},
            shards=self.shards,
            bad_data=self.bad_data,
        )

    def _symbol(self, view: SymbolView) -> SymbolRiskView:
        instrument_id = view.instrument.instrument_id
        limits, verdict = self.limits(view), self.levels.verdict(instrument_id)
        equity, mark = self.account.equity, view.mark_price
        known = view.limits if mark is not None and equity is not None else None
        return SymbolRiskView(
            state=verdict.state,
            level=verdict.level,
            reason=verdict.reason,
            position_lots=view.position_lots,
            position_known=view.position_known and view.position_ns > 0,
            mark_price=plain_text(mark),
            notional=plain_text(view.notional),
            worst_case_notional=plain_text(view.worst_case_notional),
            worst_case_complete=view.orders.complete,
            open_orders=view.orders.count(),
            open_orders_max=limits.open_orders_max,
            position_lots_max=limits.position_lots_max,
            order_lots_max=limits.order_lots_max,
            position_notional_max=plain_text(view.limits.position_notional_max),
            order_notional_max=plain_text(view.limits.order_notional_max),
            limits={
                "position": _limit(known.position_notional_max if known else None, equity, mark),
                "order": _limit(known.order_notional_max if known else None, equity, mark),
            },
            differing_orders=self.differing(instrument_id),
            guard=_guard(self.remedies.get(instrument_id, NOTHING)),
            indicators=self._indicators(self.watches[instrument_id].board),
        )

    def _indicators(self, board: Board) -> dict[str, IndicatorView]:
        shown = {}
        for indicator, value in board.values.items():
            threshold = self.thresholds.of(indicator)
            shown[indicator.value] = IndicatorView(
                value=value,
                unit=KINDS[indicator].unit,
                warning=threshold.warning,
                limit=threshold.limit,
                beyond=_BANDS[board.band(indicator)],
            )
        return dict(sorted(shown.items()))


def _guard(remedy: Remedy) -> str:
    """What the behaviour guard asks for, for people."""
    if remedy == NOTHING:
        return ""
    levels = f", at most {remedy.levels_max} levels a side" if remedy.levels_max else ""
    return f"quotes live at least {remedy.quote_life_ms_min} ms, tolerance x {remedy.tolerance_factor_bps / 10_000:g}{levels}"


def _limit(notional: Decimal | None, equity: Decimal | None, mark_price: Decimal | None = None) -> LimitView:
    texts = limit_texts(notional, equity, mark_price)
    return LimitView(quote=texts.quote, base=texts.base, equity_share=texts.equity_share)
