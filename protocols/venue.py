"""The venue-neutral requests, outcomes and events: all that order_manager, market_data and inventory know of a venue.

A request is answered by exactly one outcome with its `request_id`, or by `OutcomeUnknown` when no answer came. Events arrive on
their own, in any order against the outcomes. Times called `venue_..._ns` are the venue's clock in nanoseconds.
"""

from __future__ import annotations

import enum
from decimal import Decimal

from protocols.envelope import Message
from protocols.values import InstrumentId, Level, Side, TimeInForce


class VenueRequest(Message, frozen=True, kw_only=True):
    """Base of every request. `request_id` is unique within one incarnation of the asker."""

    request_id: int


class PlaceOrder(VenueRequest, frozen=True, kw_only=True):
    """A new order. `venue_time_ns` is its timestamp; the venue refuses it when it arrives more than `window_ms` later."""

    instrument_id: InstrumentId
    client_order_id: str
    side: Side
    price_ticks: int
    quantity_lots: int
    time_in_force: TimeInForce
    reduce_only: bool
    venue_time_ns: int
    window_ms: int


class AmendOrder(VenueRequest, frozen=True, kw_only=True):
    """New price and new total quantity (filled part included) of a resting order."""

    instrument_id: InstrumentId
    client_order_id: str
    side: Side
    price_ticks: int
    quantity_lots: int
    venue_time_ns: int
    window_ms: int


class CancelOrder(VenueRequest, frozen=True, kw_only=True):
    """Cancel by our id, or by the venue's where the order is not ours (`client_order_id` empty)."""

    instrument_id: InstrumentId
    client_order_id: str
    venue_order_id: int
    venue_time_ns: int
    window_ms: int


class CancelAll(VenueRequest, frozen=True, kw_only=True):
    """Cancel every open order of a symbol, whoever placed it."""

    instrument_id: InstrumentId
    venue_time_ns: int
    window_ms: int


class SetCountdown(VenueRequest, frozen=True, kw_only=True):
    """Let the venue cancel every order of the symbol in `countdown_ms` unless asked again; 0 disarms."""

    instrument_id: InstrumentId
    countdown_ms: int
    venue_time_ns: int
    window_ms: int


class QueryOrder(VenueRequest, frozen=True, kw_only=True):
    """One order by our id."""

    instrument_id: InstrumentId
    client_order_id: str
    venue_time_ns: int


class QueryOpenOrders(VenueRequest, frozen=True, kw_only=True):
    """Every open order of a symbol."""

    instrument_id: InstrumentId
    venue_time_ns: int


class QueryFills(VenueRequest, frozen=True, kw_only=True):
    """Our fills on a symbol from `trade_id_from` on (0: from `venue_time_from_ms`), oldest first, at most 1,000."""

    instrument_id: InstrumentId
    trade_id_from: int
    venue_time_from_ms: int
    venue_time_ns: int


class QueryPositions(VenueRequest, frozen=True, kw_only=True):
    """Positions of the account."""

    venue_time_ns: int


class QueryBalances(VenueRequest, frozen=True, kw_only=True):
    """Wallet balances of the account."""

    venue_time_ns: int


class QueryIncome(VenueRequest, frozen=True, kw_only=True):
    """Income records (realised PnL, commission, funding) from `venue_time_from_ms` on, oldest first, at most 1,000."""

    venue_time_from_ms: int
    venue_time_ns: int


class QueryBook(VenueRequest, frozen=True, kw_only=True):
    """A snapshot of a symbol's book, 1,000 levels a side."""

    instrument_id: InstrumentId


class QueryTime(VenueRequest, frozen=True, kw_only=True):
    """The venue's clock."""


class OpenUserStream(VenueRequest, frozen=True, kw_only=True):
    """The key of the account's private stream, made or extended."""


class KeepUserStream(VenueRequest, frozen=True, kw_only=True):
    """Extend the life of the private stream's key."""


class OrderStatus(enum.StrEnum):
    """Status of an order in the venue's words, made neutral."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing rests any more."""
        return self not in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class RefusalKind(enum.StrEnum):
    """What a definite refusal means for the asker (facts section 8)."""

    DROP = "DROP"
    POST_ONLY = "POST_ONLY"
    ALREADY_DONE = "ALREADY_DONE"
    NOT_FOUND = "NOT_FOUND"
    CLOCK = "CLOCK"
    RETRY_LATER = "RETRY_LATER"
    OUR_FAULT = "OUR_FAULT"
    STOP_SYMBOL = "STOP_SYMBOL"
    STOP_ACCOUNT = "STOP_ACCOUNT"


class Usage(Message, frozen=True, kw_only=True):
    """What the venue says we have used; -1 where the answer did not tell."""

    weight_1m: int = -1
    orders_10s: int = -1
    orders_1m: int = -1


class OrderReport(Message, frozen=True, kw_only=True):
    """One order as the venue describes it."""

    instrument_id: InstrumentId
    client_order_id: str
    venue_order_id: int
    side: Side
    status: OrderStatus
    price_ticks: int
    quantity_lots: int
    filled_lots: int
    reduce_only: bool
    venue_time_ns: int


class FillReport(Message, frozen=True, kw_only=True):
    """One execution as the venue describes it. `fee` is positive when paid."""

    instrument_id: InstrumentId
    trade_id: int
    venue_order_id: int
    side: Side
    price_ticks: int
    quantity_lots: int
    fee: Decimal
    fee_asset: str
    realised: Decimal
    maker: bool
    venue_time_ns: int


class PositionReport(Message, frozen=True, kw_only=True):
    """One position as the venue describes it (signed lots)."""

    instrument_id: InstrumentId
    position_lots: int
    entry_price: Decimal
    mark_price: Decimal
    venue_time_ns: int


class BalanceReport(Message, frozen=True, kw_only=True):
    """One asset's wallet balance."""

    asset: str
    wallet_balance: Decimal


class IncomeReport(Message, frozen=True, kw_only=True):
    """One income record. `kind` is the venue's word (REALIZED_PNL, COMMISSION, FUNDING_FEE, ...)."""

    symbol: str
    kind: str
    asset: str
    amount: Decimal
    transaction_id: str
    trade_id: str
    venue_time_ns: int


class Outcome(Message, frozen=True, kw_only=True):
    """Base of every answer. `received_ns` is our clock at receipt."""

    request_id: int
    received_ns: int
    usage: Usage


class OrderAnswered(Outcome, frozen=True, kw_only=True):
    """A place, amend, cancel or query succeeded; the order as it now is."""

    order: OrderReport


class Refused(Outcome, frozen=True, kw_only=True):
    """The venue refused for certain: what was asked has not been done."""

    kind: RefusalKind
    venue_code: int
    text: str


class OutcomeUnknown(Outcome, frozen=True, kw_only=True):
    """No answer, or one that proves nothing: what was asked may have been done."""

    reason: str
    venue_code: int = 0


class Throttled(Outcome, frozen=True, kw_only=True):
    """Refused for exceeding a limit; nothing may be sent before `retry_at_ns`. `banned`: the address is shut out."""

    retry_at_ns: int
    banned: bool
    orders_only: bool
    venue_code: int
    text: str


class NotSent(Outcome, frozen=True, kw_only=True):
    """Our own last check, or a closed socket, stopped the request before any byte was written."""

    reason: str


class Done(Outcome, frozen=True, kw_only=True):
    """A request without content succeeded (cancel all, countdown, keep-alive)."""


class OpenOrdersAnswered(Outcome, frozen=True, kw_only=True):
    """Every open order of the symbol."""

    instrument_id: InstrumentId
    orders: tuple[OrderReport, ...]


class FillsAnswered(Outcome, frozen=True, kw_only=True):
    """Fills asked for; `complete` is false when the page was full and more may follow."""

    instrument_id: InstrumentId
    fills: tuple[FillReport, ...]
    complete: bool


class PositionsAnswered(Outcome, frozen=True, kw_only=True):
    """Positions of the account; a symbol that is absent is flat."""

    positions: tuple[PositionReport, ...]


class BalancesAnswered(Outcome, frozen=True, kw_only=True):
    """Balances of the account."""

    balances: tuple[BalanceReport, ...]


class IncomeAnswered(Outcome, frozen=True, kw_only=True):
    """Income records asked for."""

    records: tuple[IncomeReport, ...]
    complete: bool


class BookSnapshot(Outcome, frozen=True, kw_only=True):
    """A snapshot of one book, best first."""

    instrument_id: InstrumentId
    last_update_id: int
    venue_time_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class TimeAnswered(Outcome, frozen=True, kw_only=True):
    """The venue's clock, asked at `sent_ns`."""

    venue_time_ns: int
    sent_ns: int


class UserStreamOpened(Outcome, frozen=True, kw_only=True):
    """The private stream's key. A secret."""

    listen_key: str

    def __repr__(self) -> str:
        return f"UserStreamOpened(request_id={self.request_id}, listen_key=<hidden>)"


AnyOutcome = (
    OrderAnswered
    | Refused
    | OutcomeUnknown
    | Throttled
    | NotSent
    | Done
    | OpenOrdersAnswered
    | FillsAnswered
    | PositionsAnswered
    | BalancesAnswered
    | IncomeAnswered
    | BookSnapshot
    | TimeAnswered
    | UserStreamOpened
)


class BookDiff(Message, frozen=True, kw_only=True):
    """Absolute quantities at changed prices; 0 lots removes a level. The chain rule is the venue's (book sync)."""

    instrument_id: InstrumentId
    first_update_id: int
    last_update_id: int
    previous_update_id: int
    venue_time_ns: int
    received_ns: int
    bids: list[Level]
    asks: list[Level]


class BookTicker(Message, frozen=True, kw_only=True):
    """Best bid and ask, faster than the diffs and numbered by the same counter."""

    instrument_id: InstrumentId
    update_id: int
    venue_time_ns: int
    received_ns: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int


class PublicTrade(Message, frozen=True, kw_only=True):
    """A public print. `buyer_is_maker`: the seller aggressed."""

    instrument_id: InstrumentId
    trade_id: int
    price_ticks: int
    quantity_lots: int
    buyer_is_maker: bool
    venue_time_ns: int
    received_ns: int


class VenueMark(Message, frozen=True, kw_only=True):
    """Mark price, index and funding as the venue streams them."""

    instrument_id: InstrumentId
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    next_funding_venue_ms: int
    venue_time_ns: int
    received_ns: int


class StreamChanged(Message, frozen=True, kw_only=True):
    """A socket to the venue (`public`, `market`, `private`, `orders`) opened or was lost."""

    stream: str
    up: bool
    changed_ns: int
    reason: str = ""


class StreamHeard(Message, frozen=True, kw_only=True):
    """Proof of life of a socket: any frame or pong, passed on a few times a second at most."""

    stream: str
    heard_ns: int


class BadFrame(Message, frozen=True, kw_only=True):
    """A frame that could not be understood; `field` names the place where decoding stopped."""

    stream: str
    reason: str
    field: str
    received_ns: int


class ExecutionKind(enum.StrEnum):
    """What happened to an order."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    AMENDED = "AMENDED"
    LIQUIDATION = "LIQUIDATION"


class OrderUpdate(Message, frozen=True, kw_only=True):
    """One event of an order on the private stream; `fill` is set when something was executed."""

    kind: ExecutionKind
    order: OrderReport
    fill: FillReport | None
    reason: str
    received_ns: int


class BalanceUpdate(Message, frozen=True, kw_only=True):
    """Absolute wallet balance after a change; `balance_change` excludes PnL and commission."""

    asset: str
    wallet_balance: Decimal
    balance_change: Decimal
    reason: str
    symbol: str
    venue_time_ns: int
    received_ns: int


class PositionUpdate(Message, frozen=True, kw_only=True):
    """Absolute position after a change."""

    instrument_id: InstrumentId
    position_lots: int
    entry_price: Decimal
    reason: str
    venue_time_ns: int
    received_ns: int


class MarginCallUpdate(Message, frozen=True, kw_only=True):
    """The venue's warning of a coming liquidation."""

    text: str
    venue_time_ns: int
    received_ns: int


class UserStreamExpired(Message, frozen=True, kw_only=True):
    """The private stream's key has died: nothing more will come on it."""

    received_ns: int


class AccountConfigUpdate(Message, frozen=True, kw_only=True):
    """Leverage or asset mode changed under us; `text` says what."""

    text: str
    venue_time_ns: int
    received_ns: int


AnyMarketEvent = BookDiff | BookTicker | PublicTrade | VenueMark
AnyStreamEvent = StreamChanged | StreamHeard | BadFrame
AnyUserEvent = OrderUpdate | BalanceUpdate | PositionUpdate | MarginCallUpdate | UserStreamExpired | AccountConfigUpdate
