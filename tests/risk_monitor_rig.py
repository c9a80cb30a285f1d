"""A risk monitor's core with a clock, and the lease that shard 0 gets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from account_samples import (
    BTC,
    ETH,
    START_NS,
    equity,
    instrument,
    lease_request,
    mark,
    position,
    settings,
    spec,
    venue_clock,
)

from actors.risk_monitor.core import RiskMonitorCore
from actors.risk_monitor.memory import RiskMemory
from protocols.effects import Append, Call, Effect, Send, TimerFired
from protocols.key_permissions import KeyPermissions
from protocols.messages.control import EpochAnnounced
from protocols.messages.risk import Lease, LevelChanged
from protocols.values import InstrumentId, RateLimits
from protocols.venue import (
    AccountAnswered,
    AccountConfigAnswered,
    AdlAnswered,
    AdlReport,
    AllOpenOrdersAnswered,
    AnyOutcome,
    BracketReport,
    BracketsAnswered,
    FeeBurnAnswered,
    FeeRatesAnswered,
    KeyPermissionsAnswered,
    ListingAnswered,
    ListingReport,
    MarginReport,
    NotSent,
    OrderReport,
    PositionReport,
    PositionsAnswered,
    QueryAccount,
    QueryAccountConfig,
    QueryAdlQuantiles,
    QueryAllOpenOrders,
    QueryBrackets,
    QueryFeeBurn,
    QueryFeeRates,
    QueryKeyPermissions,
    QueryListing,
    QueryPositions,
    QuerySymbolConfigs,
    QueryTradingStatus,
    RuleReport,
    StreamChanged,
    SymbolConfigReport,
    SymbolConfigsAnswered,
    TradingStatusAnswered,
    Usage,
)

DOCUMENTED = RateLimits()
QUIET_HOUR = {
    "indicators": {"hourly_pnl": {"warning": None, "limit": None}},
    "breakers": {"loss_share_max": 0.9},
}
"""Losses of an hour and of a minute are not judged."""
READS = KeyPermissions(reads=True, trades_futures=False, trades_elsewhere=False, withdraws=False, transfers=False)
TRADES = msgspec.structs.replace(READS, trades_futures=True)


class Driver:
    """A core with a clock; `ask` gives the lease that shard 0 gets now."""

    def __init__(
        self,
        memory: RiskMemory | None = None,
        damaged: str | None = None,
        rate_limits: RateLimits = DOCUMENTED,
        **risk: Any,
    ) -> None:
        self.now_ns = START_NS
        self.venue_lots: dict[InstrumentId, int] = {}
        self.venue_equity = Decimal(100_000)
        self.venue_maintenance = Decimal(0)
        self.venue_orders: list[OrderReport] = []
        self.venue_configs: list[SymbolConfigReport] = []
        self.venue_adl: dict[InstrumentId, int] = {}
        self.venue_rules: list[RuleReport] = []
        self.venue_modes = {"hedge_mode": False, "multi_asset_mode": False, "can_trade": True}
        self.venue_fee_burn = False
        self.account_key = TRADES
        """What inventory says of the account's key, where a test lets it speak."""
        self.venue_own_key: KeyPermissions | None = READS
        self.venue_fees = (Decimal(0), Decimal("0.0004"))
        self.venue_brackets: list[BracketReport] = []
        self.venue_listing = [
            ListingReport(instrument_id=i, status="TRADING", instrument=instrument(i)) for i in (BTC, ETH)
        ]
        self.core = RiskMonitorCore(spec("risk_monitor", rate_limits=rate_limits), settings(risk=risk), memory, damaged)
        self.effects: list[Effect] = self.core.start(self.now_ns)
        self.nonce = 0

    def tell(self, *messages: Any) -> list[Effect]:
        done: list[Effect] = []
        waiting = list(messages)
        while waiting:
            effects = self.core.handle(waiting.pop(0), self.now_ns)
            done += effects
            waiting += [self.venue(effect.request) for effect in effects if isinstance(effect, Call)]
        self.effects += done
        return done

    def venue(self, request: Any) -> AnyOutcome:
        """What the venue answers to a look: what the test put into `venue_lots` and `venue_orders`, and a rich account."""
        head = {"request_id": request.request_id, "received_ns": self.now_ns, "usage": Usage()}
        match request:
            case QueryPositions():
                return PositionsAnswered(
                    **head,
                    positions=tuple(
                        PositionReport(
                            instrument_id=instrument_id,
                            position_lots=lots,
                            entry_price=Decimal(0),
                            mark_price=Decimal(0),
                            venue_time_ns=self.now_ns,
                        )
                        for instrument_id, lots in self.venue_lots.items()
                    ),
                )
            case QueryAccount():
                margin = MarginReport(
                    asset="USDC",
                    margin_balance=self.venue_equity,
                    maintenance_margin=self.venue_maintenance,
                    available_balance=self.venue_equity,
                )
                return AccountAnswered(**head, assets=(margin,))
            case QueryAllOpenOrders():
                return AllOpenOrdersAnswered(**head, orders=tuple(self.venue_orders))
            case QuerySymbolConfigs():
                return SymbolConfigsAnswered(**head, configs=tuple(self.venue_configs))
            case QueryAdlQuantiles():
                return AdlAnswered(
                    **head, quantiles=tuple(AdlReport(instrument_id=i, quantile=q) for i, q in self.venue_adl.items())
                )
            case QueryTradingStatus():
                return TradingStatusAnswered(**head, rules=tuple(self.venue_rules))
            case QueryAccountConfig():
                return AccountConfigAnswered(**head, **self.venue_modes)
            case QueryKeyPermissions():
                if self.venue_own_key is None:
                    return NotSent(**head, reason="the wallet does not answer")
                return KeyPermissionsAnswered(**head, permissions=self.venue_own_key)
            case QueryFeeBurn():
                return FeeBurnAnswered(**head, fee_burn=self.venue_fee_burn)
            case QueryFeeRates():
                maker, taker = self.venue_fees
                return FeeRatesAnswered(**head, instrument_id=request.instrument_id, maker=maker, taker=taker)
            case QueryBrackets():
                return BracketsAnswered(**head, reports=tuple(self.venue_brackets))
            case QueryListing():
                return ListingAnswered(**head, reports=tuple(self.venue_listing))
            case _:
                raise AssertionError(f"an unexpected look: {request}")

    def healthy(self, amount: str = "100000") -> Driver:
        self.tell(EpochAnnounced(name="order_manager-0", shard=0, epoch=5, announced_ns=0), venue_clock())
        self.tell(StreamChanged(stream="private", up=True, changed_ns=self.now_ns))
        self.refresh(amount)
        return self

    def refresh(self, amount: str = "100000", btc_lots: int = 0, btc_mark: str = "50000") -> None:
        self.venue_equity, self.venue_lots = Decimal(amount), {BTC: btc_lots, ETH: 0}
        self.tell(mark(btc_mark, self.now_ns), mark("2500", self.now_ns, ETH))
        self.tell(position(btc_lots), position(0, ETH), equity(amount, self.now_ns))

    def ask(self, **changes: Any) -> Lease:
        self.nonce += 1
        effects = self.tell(lease_request(self.nonce, self.now_ns, **changes))
        (lease,) = [effect.body for effect in effects if isinstance(effect, Send)]
        return lease

    def tell_request(self) -> list[Effect]:
        self.nonce += 1
        return self.tell(lease_request(self.nonce, self.now_ns))

    def tell_timer(self) -> list[Effect]:
        return self.tell(TimerFired(name="judge"))

    def memory(self) -> RiskMemory:
        return [e.record for e in self.effects if isinstance(e, Append) and isinstance(e.record, RiskMemory)][-1]

    def changes(self) -> list[LevelChanged]:
        return [e.record for e in self.effects if isinstance(e, Append) and isinstance(e.record, LevelChanged)]


def states(lease: Lease) -> tuple[str, str, str]:
    return (lease.state.value, *(limits.state.value for limits in lease.limits))
