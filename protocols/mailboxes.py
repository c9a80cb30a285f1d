"""The wiring, as types: one union per actor of everything that it accepts, and the routes between them.

A host decodes every incoming message against its actor's mailbox; `match` with `assert_never` over these unions makes the type
checker name each place that a new message touches.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from protocols.effects import JournalStalled, LinkChanged, OutboxFull, TimerFired
from protocols.envelope import Message
from protocols.messages.alerts import Alert
from protocols.messages.control import (
    Drain,
    EmergencyStop,
    EpochAnnounced,
    HoldLevel,
    PullQuotes,
    Reconcile,
    Resume,
    SettingsChanged,
    ShardHalted,
    StopFileSeen,
)
from protocols.messages.inventory import AccountKeySeen, EquityChanged, PnlChanged, PositionChanged, UserStreamKey
from protocols.messages.market import BookTop, FeedStatus, MarkPrice, TradeFlow, VenueClock
from protocols.messages.orders import (
    AnyAccountEvent,
    AnyOrderEvent,
    BalanceChanged,
    FundingPaid,
    InstrumentTaken,
    MarginCalled,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
    RateUsage,
    UserStreamLost,
    VenuePosition,
)
from protocols.messages.quoting import QuoteTargets
from protocols.messages.requests import OrderRequest, WithdrawRequest
from protocols.messages.risk import InstrumentChanged, Lease, LeaseRequest, QuotingTerms
from protocols.venue import AnyMarketEvent, AnyOutcome, AnyStreamEvent, AnyUserEvent, EventMissing

Control = Drain | EmergencyStop | Resume | EpochAnnounced | ShardHalted | StopFileSeen
AnyControl = Control | PullQuotes | HoldLevel | Reconcile | SettingsChanged
"""What the supervisor says: to everybody, to order managers only, to the risk monitor only, to who compares with the venue, and to whose
settings may change while he runs."""

Hosted = TimerFired | LinkChanged | OutboxFull

MarketDataMailbox = AnyMarketEvent | AnyStreamEvent | AnyOutcome | InstrumentChanged | Control | Hosted
StrategyMailbox = (
    BookTop
    | TradeFlow
    | MarkPrice
    | FeedStatus
    | PositionChanged
    | QuotingTerms
    | InstrumentChanged
    | AnyOrderEvent
    | SettingsChanged
    | Control
    | Hosted
)
OrderManagerMailbox = (
    QuoteTargets
    | OrderRequest
    | WithdrawRequest
    | BookTop
    | MarkPrice
    | FeedStatus
    | VenueClock
    | Lease
    | QuotingTerms
    | InstrumentChanged
    | UserStreamKey
    | AnyUserEvent
    | AnyStreamEvent
    | EventMissing
    | AnyOutcome
    | Control
    | PullQuotes
    | Reconcile
    | SettingsChanged
    | JournalStalled
    | Hosted
)
RiskMonitorMailbox = (
    BookTop
    | MarkPrice
    | FeedStatus
    | VenueClock
    | PositionChanged
    | PnlChanged
    | EquityChanged
    | AccountKeySeen
    | LeaseRequest
    | RateUsage
    | UserStreamKey
    | AnyOrderEvent
    | AnyAccountEvent
    | AnyUserEvent
    | AnyStreamEvent
    | AnyOutcome
    | Control
    | HoldLevel
    | SettingsChanged
    | Hosted
)
InventoryMailbox = (
    BookTop
    | MarkPrice
    | VenueClock
    | UserStreamLost
    | AnyOrderEvent
    | AnyAccountEvent
    | AnyOutcome
    | Control
    | Reconcile
    | Hosted
)
AlertingMailbox = Alert | Control | Hosted


class LinkClass(enum.Enum):
    """How a message waits for a slow or absent reader (DESIGN.md section 3)."""

    LATEST = "latest"
    ORDERED = "ordered"
    ALERTS = "alerts"


class Route(NamedTuple):
    """One kind of message from any sender to the readers named by role.

    `key` tells which older message a newer one replaces (LATEST only); `interval_ms` is the least time between two of one key
    to one reader, for readers that need not see each.
    """

    link_class: LinkClass
    readers: dict[str, int]
    key: Callable[[Message], str] | None = None


_instrument: Callable[[Message], str] = attrgetter("instrument_id")


def _shard(message: Message) -> str:
    return str(message.shard)  # type: ignore[attr-defined]


def _single(message: Message) -> str:
    return ""


_ORDER_READERS = {"strategy": 0, "inventory": 0, "risk_monitor": 0}
_ACCOUNT_READERS = {"inventory": 0, "risk_monitor": 0}

ROUTES: dict[type[Message], Route] = {
    BookTop: Route(
        LinkClass.LATEST, {"strategy": 0, "order_manager": 50, "risk_monitor": 200, "inventory": 500}, _instrument
    ),
    TradeFlow: Route(LinkClass.LATEST, {"strategy": 100}, _instrument),
    MarkPrice: Route(
        LinkClass.LATEST, {"strategy": 0, "order_manager": 0, "risk_monitor": 0, "inventory": 0}, _instrument
    ),
    FeedStatus: Route(LinkClass.LATEST, {"strategy": 0, "order_manager": 0, "risk_monitor": 200}, _instrument),
    VenueClock: Route(LinkClass.LATEST, {"order_manager": 0, "risk_monitor": 0, "inventory": 0}, _single),
    QuoteTargets: Route(LinkClass.LATEST, {"order_manager": 0}, _instrument),
    OrderRequest: Route(LinkClass.ORDERED, {"order_manager": 0}),
    WithdrawRequest: Route(LinkClass.ORDERED, {"order_manager": 0}),
    RateUsage: Route(LinkClass.LATEST, {"risk_monitor": 200}, _shard),
    UserStreamLost: Route(LinkClass.LATEST, {"inventory": 0}, _shard),
    PositionChanged: Route(LinkClass.LATEST, {"strategy": 0, "risk_monitor": 0}, _instrument),
    PnlChanged: Route(LinkClass.LATEST, {"risk_monitor": 200}, _instrument),
    EquityChanged: Route(LinkClass.LATEST, {"risk_monitor": 200}, _single),
    AccountKeySeen: Route(LinkClass.LATEST, {"risk_monitor": 0}, _single),
    UserStreamKey: Route(LinkClass.LATEST, {"order_manager": 0, "risk_monitor": 0}, _single),
    LeaseRequest: Route(LinkClass.LATEST, {"risk_monitor": 0}, _shard),
    Lease: Route(LinkClass.LATEST, {"order_manager": 0}, _shard),
    QuotingTerms: Route(LinkClass.LATEST, {"strategy": 0, "order_manager": 0}, _instrument),
    InstrumentChanged: Route(LinkClass.LATEST, {"market_data": 0, "strategy": 0, "order_manager": 0}, _instrument),
    OrderAccepted: Route(LinkClass.ORDERED, _ORDER_READERS),
    OrderAmended: Route(LinkClass.ORDERED, _ORDER_READERS),
    OrderFilled: Route(LinkClass.ORDERED, _ORDER_READERS),
    OrderCanceled: Route(LinkClass.ORDERED, _ORDER_READERS),
    OrderExpired: Route(LinkClass.ORDERED, _ORDER_READERS),
    OrderRejected: Route(LinkClass.ORDERED, _ORDER_READERS),
    OrderDenied: Route(LinkClass.ORDERED, _ORDER_READERS),
    OrderUnknown: Route(LinkClass.ORDERED, _ORDER_READERS),
    BalanceChanged: Route(LinkClass.ORDERED, _ACCOUNT_READERS),
    FundingPaid: Route(LinkClass.ORDERED, _ACCOUNT_READERS),
    VenuePosition: Route(LinkClass.ORDERED, _ACCOUNT_READERS),
    MarginCalled: Route(LinkClass.ORDERED, _ACCOUNT_READERS),
    InstrumentTaken: Route(LinkClass.ORDERED, _ACCOUNT_READERS),
    Alert: Route(LinkClass.ALERTS, {"alerting": 0}),
}

READS: dict[str, tuple[str, ...]] = {
    "market_data": ("risk_monitor",),
    "strategy": ("market_data", "order_manager", "inventory", "risk_monitor"),
    "order_manager": ("strategy", "market_data", "risk_monitor", "inventory"),
    "risk_monitor": ("market_data", "order_manager", "inventory"),
    "inventory": ("market_data", "order_manager"),
    "alerting": ("market_data", "strategy", "order_manager", "risk_monitor", "inventory", "supervisor"),
}
"""Which roles an actor dials to read from. Within a shard only its own shard's actors are dialled."""
