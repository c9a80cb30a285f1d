"""What our own eyes tell the boards: differences from what is said, margin, the queue of auto-deleveraging, locks, and how blind we are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Decimal

from actors.risk_monitor.account_rules import AccountRules
from actors.risk_monitor.account_watch import AccountWatch
from actors.risk_monitor.derived import Derived
from actors.risk_monitor.differences import Differences
from actors.risk_monitor.estimators.exposure import liquidation_distance, margin_usage
from actors.risk_monitor.eyes import Eyes, Margin
from actors.risk_monitor.judgement import SymbolView
from actors.risk_monitor.levels import Verdict
from actors.risk_monitor.notices import Notices
from actors.risk_monitor.symbol_watch import SymbolWatch
from configs.schema import Indicator, Settings
from protocols.effects import Effect
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.control import ActorSpec
from protocols.messages.risk import RiskLevel
from protocols.values import InstrumentId
from protocols.venue import (
    AccountConfigUpdate,
    AnyOutcome,
    AnyStreamEvent,
    AnyUserEvent,
    BadFrame,
    OrderUpdate,
    PositionUpdate,
    RuleReport,
    StreamChanged,
    Throttled,
    UserStreamExpired,
)

DISTANCE_MAX = 10.0
"""A distance to liquidation beyond this is shown as this."""

HASTE_AFTER_S = 1.0
"""After a difference of orders has lasted so long the list is asked for again."""

QUIET_BOOK_NS = 5_000_000_000
"""A book that has not moved for so long may be one of a symbol that does not trade: the listing is looked at."""

MARGIN_USED = Decimal("0.9")
"""Part of the free margin that worst cases may use: the rest is for losses and fees."""

_ACCOUNT_RULES = "ACCOUNT"
_CENT = Decimal("0.01")


class Lookout:
    """Joins the eyes to views and boards.

    Args:
        comparable: whether the order manager of a symbol has recovered, so that what it says can be compared.
    """

    def __init__(
        self,
        spec: ActorSpec,
        settings: Settings,
        views: Mapping[InstrumentId, SymbolView],
        watches: Mapping[InstrumentId, SymbolWatch],
        account: AccountWatch,
        notices: Notices,
        comparable: Callable[[InstrumentId], bool],
    ) -> None:
        self.eyes = Eyes(spec.instruments, settings.risk.eyes, spec.install)
        self.rules = AccountRules(spec.instruments, settings)
        self.listen_key = ""
        """Newest key of the private stream, for the gateway. A secret."""
        self._views = views
        self._watches = watches
        self._account = account
        self._notices = notices
        self._comparable = comparable
        self._differences = {instrument_id: Differences() for instrument_id in views}
        self._locked = Derived[list[RuleReport]]()
        self._carried = {instrument_id: Derived[Decimal]() for instrument_id in views}
        self._started_ns = 0

    def hear(self, event: AnyUserEvent | AnyStreamEvent, now_ns: int) -> list[Effect]:
        """Take an event of our own private stream."""
        match event:
            case OrderUpdate() | PositionUpdate():
                self.eyes.hear(event, now_ns)
            case StreamChanged():
                self.eyes.stream(event.up, now_ns)
            case UserStreamExpired():
                self.eyes.stream(False, now_ns)
            case AccountConfigUpdate():
                self.rules.hasten()
                self.eyes.hasten_configs()
            case BadFrame():
                return self._notices.refuse(
                    "risk monitor's private stream", f"{event.reason} (at {event.field})", now_ns
                )
            case _:
                pass
        return []

    def take(self, outcome: AnyOutcome, equity: Decimal | None, now_ns: int) -> list[Effect]:
        """Take the answer to a look."""
        if isinstance(outcome, Throttled):
            self.rules.take(outcome)
            self.eyes.take(outcome, now_ns)
            text = f"the venue limits our requests until {outcome.retry_at_ns}: {outcome.text}"
            return self._notices.once(AlertCode.RATE_LIMITED, Severity.WARNING, "requests", text, now_ns)
        if self.rules.take(outcome):
            return []
        if self.eyes.take(outcome, now_ns):
            self.rules.take_configs(self.eyes.configs.values())
            self.rules.take_quantiles(self.eyes.quantiles)
            self._put_margin(equity)
            for instrument_id, quantile in self.eyes.quantiles.items():
                if instrument_id in self._watches:
                    held = self._views[instrument_id].position_lots != 0
                    self._watches[instrument_id].board.put(Indicator.ADL_QUANTILE, float(quantile), held)
        elif self.eyes.refusal:
            text = f"the risk monitor's look at the venue was refused: {self.eyes.refusal}"
            return self._notices.once(AlertCode.KEY_REFUSED, Severity.WARNING, "risk monitor", text, now_ns)
        return []

    def forget(self, outcome: AnyOutcome) -> None:
        """An answer that cannot be is none: we stay as blind as without it, and ask again when it is due."""
        self.eyes.forget(outcome.request_id)
        self.rules.forget(outcome.request_id)

    def tick(self, venue_now_ns: int | None, now_ns: int) -> list[Effect]:
        """Compare, and ask for what is due."""
        self._started_ns = self._started_ns or now_ns
        self._account.board.put(Indicator.BLIND, self.eyes.blind_ns(self._started_ns, now_ns) / 1e9)
        for instrument_id, view in self._views.items():
            self._compare(instrument_id, view, now_ns)
        is_quiet = any(0 < watch.book_ns < now_ns - QUIET_BOOK_NS for watch in self._watches.values())
        if is_quiet or self.rules.has_unlisted:
            self.rules.hasten_listing(now_ns)
        if venue_now_ns is None:
            return []
        return [*self.eyes.ask(venue_now_ns, now_ns), *self.rules.ask(venue_now_ns, now_ns)]

    def verdicts(self, symbol: str) -> list[Verdict]:
        """What the venue has locked for our behaviour: a symbol, or with `account` everything."""
        locked = self._locked.of(_locked, self.eyes.rules)
        if not locked:
            return []
        wanted = _ACCOUNT_RULES if symbol == "account" else symbol
        return [
            Verdict(
                RiskLevel.RESTRICTED,
                f"the venue has locked {wanted} for its rule {rule.rule}",
                AlertCode.BEHAVIOUR_LOCKED,
                rule.rule,
                f"{rule.value:g}",
                f"{rule.trigger:g}",
                passing=True,
            )
            for rule in locked
            if rule.symbol == wanted
        ]

    def bracket(self, instrument_id: InstrumentId) -> Decimal | None:
        """The largest notional that the venue allows at the symbol's leverage (beyond it: -2027); None while unknown."""
        config = self.eyes.configs.get(instrument_id)
        return None if config is None else config.notional_max

    def margin_notional(self, instrument_id: InstrumentId, part: Decimal) -> Decimal | None:
        """What `part` of the margin balance carries at the symbol's leverage, less a reserve; None while unknown."""
        config, margin = self.eyes.configs.get(instrument_id), self.eyes.margin
        if config is None or margin is None:
            return None
        return self._carried[instrument_id].of(_carried, margin, part, config.leverage)

    def differing(self, instrument_id: InstrumentId) -> list[str]:
        """Orders that differ, the longest first."""
        return self._differences[instrument_id].names()

    def _compare(self, instrument_id: InstrumentId, view: SymbolView, now_ns: int) -> None:
        board, differences = self._watches[instrument_id].board, self._differences[instrument_id]
        seen = self.eyes.positions.get(instrument_id)
        if not self._comparable(instrument_id):
            differences.pause()
        if self._comparable(instrument_id) and seen is not None and view.position_known:
            age_s = differences.position_age_s(seen.lots, view.position_lots, now_ns)
            board.put(Indicator.POSITION_DIFFERENCE, age_s)
        if not self.eyes.sees_orders or not self._comparable(instrument_id):
            differences.pause_orders()
            return
        resting = self.eyes.orders[instrument_id]
        if not view.orders.complete:
            view.orders.adopt({name: (order.side, order.remaining_lots) for name, order in resting.items()})
        view.orders.release(resting)
        age_s = differences.orders_age_s(resting, view.orders.open(), now_ns)
        board.put(Indicator.ORDER_DIFFERENCE, age_s)
        if age_s > HASTE_AFTER_S:
            self.eyes.hasten(now_ns)

    def _put_margin(self, equity: Decimal | None) -> None:
        margin, board = self.eyes.margin, self._account.board
        if margin is None:
            return
        maintenance, balance = float(margin.maintenance), float(margin.balance)
        gross = sum(abs(watch.exposure) for watch in self._watches.values())
        board.put(Indicator.MARGIN_USAGE, margin_usage(maintenance, balance))
        distance = liquidation_distance(maintenance, balance, gross)
        board.put(Indicator.LIQUIDATION_DISTANCE, min(distance, DISTANCE_MAX))
        if equity is not None and equity > 0:
            board.put(Indicator.EQUITY_DIFFERENCE, abs(balance - float(equity)) / float(equity))


def _locked(rules: tuple[RuleReport, ...]) -> list[RuleReport]:
    return [rule for rule in rules if rule.locked]


def _carried(margin: Margin, part: Decimal, leverage: int) -> Decimal:
    """The notional that `part` of the free margin carries, less a reserve."""
    free = max(margin.balance - margin.maintenance, Decimal(0))
    return (free * part * leverage * MARGIN_USED).quantize(_CENT, ROUND_DOWN)
