"""Why a symbol may rightly not quote though every fault is over: halted, or held back by risk, with the reason in force and told, or
while a position beyond a limit is worked off."""

from __future__ import annotations

from collections.abc import Mapping

from actors.order_manager.gate import GateReason
from actors.order_manager.snapshot import SymbolView
from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.snapshot import IndicatorView, RiskSnapshot
from configs.schema import Indicator
from ops.simulation.allowances import tending_s
from ops.simulation.house import SECOND_NS, House
from protocols.messages.alerts import Alert, AlertCode
from protocols.messages.orders import DenialCode
from protocols.messages.risk import RiskLevel, TradingState

_HALT_ALERTS = frozenset(
    {
        AlertCode.ACCOUNT_DIFFERS,
        AlertCode.BAD_DATA,
        AlertCode.KEY_REFUSED,
        AlertCode.LIMIT_BREACHED,
        AlertCode.ORDER_ZOMBIE,
    }
)

_STATES = {
    RiskLevel.RESTRICTED: TradingState.REDUCING,
    RiskLevel.HALTED: TradingState.HALTED,
    RiskLevel.EMERGENCY: TradingState.HALTED,
}
"""Levels at which nothing may rest that adds, and what the order manager must have made of them."""

_LASTING = (Indicator.HOURLY_PNL, Indicator.DAILY_LOSS, Indicator.DRAWDOWN, Indicator.INVALID_RATIO)
"""Indicators that rightly hold longer than a run: losses, and windows of ten minutes."""

_ENDS_WITH_ITS_CAUSE = ("the day's loss went beyond its limit", "the breaker of losses is open: ")
"""How reasons begin that are judged anew each time, and gone when they hold no longer."""

_LATCHED = "the drawdown of "

_OF_THE_SYMBOL, _OF_THE_ACCOUNT = "position of ", "positions of "
"""How the reasons begin of a position that is beyond its limit, and of all positions together."""

_ACCEPT = "then resume to accept it"
"""How reasons end where a person has to look at a difference of the account."""


def is_halted(house: House, symbol: str, view: SymbolView) -> bool:
    """Whether the order manager has halted the symbol, for a reason that it has told in these words."""
    if not view.halted or GateReason.SYMBOL_HALTED.value not in view.gate_reasons or view.gate_open:
        return False
    return any(
        alert.code in _HALT_ALERTS and alert.subject == symbol and alert.text.startswith(view.halted)
        for alert in house.raised
    )


def waits_for_a_person(house: House, symbol: str, view: SymbolView) -> bool:
    """Whether the risk monitor holds the symbol back for what rightly lasts, or for what a person has to accept.

    The level must be in force at the order manager, told by an alert as it now is, and what its reason names must hold now.
    """
    core = house.world.core_of("risk_monitor")
    if not isinstance(core, RiskMonitorCore) or view.trading_state not in _STATES.values():
        return False
    seen = core.snapshot()
    own = seen.symbols[symbol]
    states = {level.value: state.value for level, state in _STATES.items()}
    if view.trading_state != states.get(own.level):
        return False
    about, indicators = (ACCOUNT, seen.indicators) if own.reason == seen.reason else (symbol, own.indicators)
    return _is_told(house.raised, about, own.level) and _holds(own.reason, indicators, seen)


class WorkingOff:
    """Positions beyond a limit, which somebody else's trade may leave: only what reduces is quoted until enough of them is filled, and
    how long that takes is the market's to say. So it is looked at each time whether a limit is exceeded by the venue's own word, and
    whether what reduces each position rests, or did so a moment ago."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._patience_ns = int(tending_s(house.settings) * SECOND_NS)
        self._tended_ns: dict[str, int] = {}

    def look(self, symbol: str, view: SymbolView) -> None:
        """Note whether what reduces rests; at each look, of each symbol."""
        if view.gate_open and self._house.venue.resting(symbol):
            self._tended_ns[symbol] = self._house.world.now_ns

    def excuses(self, symbol: str, view: SymbolView) -> bool:
        """Whether the symbol may quote no more than it does, or nothing where it has no position itself."""
        core = self._house.world.core_of("risk_monitor")
        if not isinstance(core, RiskMonitorCore):
            return False
        if view.trading_state != TradingState.REDUCING.value:
            return self._has_no_room(symbol, view, core.snapshot().level)
        seen, risk = core.snapshot(), self._house.settings.risk
        own = seen.symbols[symbol]
        if own.reason == seen.reason and own.reason.startswith(_OF_THE_ACCOUNT):
            about, together, limit = ACCOUNT, self._house.settings.symbols, risk.account_notional_max
        elif own.reason.startswith(_OF_THE_SYMBOL):
            about, together, limit = symbol, (symbol,), risk.position_notional_max
        else:
            return False
        notionals = {each: self._house.venue.position_notional(each) for each in together}
        is_beyond = sum(notionals.values()) > limit.amount
        return (
            is_beyond
            and _is_told(self._house.raised, about, own.level)
            and all(self._is_tended(each) for each, notional in notionals.items() if notional)
        )

    def _has_no_room(self, symbol: str, view: SymbolView, account_level: str) -> bool:
        """Whether other positions, some of them beyond their own limits and worked off, leave the account less than the smallest order
        that is wanted here, which is then denied."""
        house, risk = self._house, self._house.settings.risk
        wanted = (*view.target_bids, *view.target_asks)
        others = {each: house.venue.position_notional(each) for each in house.settings.symbols if each != symbol}
        beyond = [each for each, notional in others.items() if notional > risk.position_notional_max.amount]
        if not wanted or not beyond or view.position_lots or not view.denials.get(DenialCode.NOTIONAL.value):
            return False
        instrument = next(each for each in house.venue.instruments if each.symbol == symbol)
        least = min(instrument.notional(ticks, lots) for ticks, lots in wanted)
        return (
            sum(others.values()) + least > risk.account_notional_max.amount
            and _is_told(house.raised, ACCOUNT, account_level)
            and all(map(self._is_tended, beyond))
        )

    def _is_tended(self, symbol: str) -> bool:
        return self._house.world.now_ns - self._tended_ns.get(symbol, -self._patience_ns) <= self._patience_ns


def _is_told(raised: list[Alert], subject: str, level: str) -> bool:
    """Whether the newest word on the level of the subject names this one."""
    told = [alert.text for alert in raised if alert.code is AlertCode.LEVEL_CHANGED and alert.subject == subject]
    return bool(told) and f"-> {level}:" in told[-1]


def _holds(reason: str, indicators: Mapping[str, IndicatorView], seen: RiskSnapshot) -> bool:
    if reason.endswith(_ACCEPT) or reason.startswith(_ENDS_WITH_ITS_CAUSE):
        return True
    if reason.startswith(_LATCHED):
        return reason in seen.latches.values()
    shown = [indicators.get(indicator.value) for indicator in _LASTING if reason.startswith(indicator.value)]
    return any(one is not None and one.beyond in ("warning", "limit") for one in shown)
