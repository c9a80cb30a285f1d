"""What a venue answers: reports of its state, refusals, and what is not known."""

from __future__ import annotations

import enum
from decimal import Decimal

from protocols.envelope import Message
from protocols.key_permissions import KeyPermissions
from protocols.values import Instrument, InstrumentId, Level, Side


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


class AmendmentReport(Message, frozen=True, kw_only=True):
    """One amendment of an order as the venue recorded it: price and total quantity after it."""

    instrument_id: InstrumentId
    client_order_id: str
    venue_order_id: int
    price_ticks: int
    quantity_lots: int
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


class MarginReport(Message, frozen=True, kw_only=True):
    """Margin of one asset: balance with unrealised PnL, what positions must keep, what new orders may use."""

    asset: str
    margin_balance: Decimal
    maintenance_margin: Decimal
    available_balance: Decimal


class SymbolConfigReport(Message, frozen=True, kw_only=True):
    """Leverage of a symbol, the largest notional of a position that the venue allows at it, and its margin type ("" unknown)."""

    instrument_id: InstrumentId
    leverage: int
    notional_max: Decimal
    margin_type: str = ""


class AssetRate(Message, frozen=True, kw_only=True):
    """What the venue takes one unit of an asset for, in US dollars."""

    asset: str
    rate: Decimal


class Bracket(Message, frozen=True, kw_only=True):
    """Positions of a notional up to `notional_cap` may have `leverage_max` and must keep `maintenance_rate` of it."""

    notional_cap: Decimal
    leverage_max: int
    maintenance_rate: Decimal


class BracketReport(Message, frozen=True, kw_only=True):
    """The brackets of one symbol, the smallest first."""

    instrument_id: InstrumentId
    brackets: tuple[Bracket, ...]


class ListingReport(Message, frozen=True, kw_only=True):
    """One symbol as it is listed now. `instrument` is None where the symbol does not trade or cannot be understood; `text` says why."""

    instrument_id: InstrumentId
    status: str
    instrument: Instrument | None
    text: str = ""


class AdlReport(Message, frozen=True, kw_only=True):
    """Place of a position in the queue of auto-deleveraging, 0 to 4: 4 goes first."""

    instrument_id: InstrumentId
    quantile: int


class RuleReport(Message, frozen=True, kw_only=True):
    """One rule of behaviour as the venue judges us: `symbol` may be `ACCOUNT`. Locked: only what reduces, until `recovers_venue_ms`."""

    symbol: str
    rule: str
    locked: bool
    value: Decimal
    trigger: Decimal
    recovers_venue_ms: int


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


class AmendmentsAnswered(Outcome, frozen=True, kw_only=True):
    """Amendments of one order, as far as the venue remembers them."""

    instrument_id: InstrumentId
    amendments: tuple[AmendmentReport, ...]


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


class AccountAnswered(Outcome, frozen=True, kw_only=True):
    """Margin of the account."""

    assets: tuple[MarginReport, ...]


class AllOpenOrdersAnswered(Outcome, frozen=True, kw_only=True):
    """Every open order on the symbols that we know."""

    orders: tuple[OrderReport, ...]


class SymbolConfigsAnswered(Outcome, frozen=True, kw_only=True):
    """Leverage of each symbol that we know."""

    configs: tuple[SymbolConfigReport, ...]


class AdlAnswered(Outcome, frozen=True, kw_only=True):
    """Place in the queue of each position on the symbols that we know."""

    quantiles: tuple[AdlReport, ...]


class TradingStatusAnswered(Outcome, frozen=True, kw_only=True):
    """Rules of behaviour that the venue has judged us by."""

    rules: tuple[RuleReport, ...]


class AssetRatesAnswered(Outcome, frozen=True, kw_only=True):
    """Rates of the assets that may be margin."""

    rates: tuple[AssetRate, ...]


class AccountConfigAnswered(Outcome, frozen=True, kw_only=True):
    """Modes of the account."""

    hedge_mode: bool
    multi_asset_mode: bool
    can_trade: bool


class KeyPermissionsAnswered(Outcome, frozen=True, kw_only=True):
    """What the key that asked may do."""

    permissions: KeyPermissions


class FeeBurnAnswered(Outcome, frozen=True, kw_only=True):
    """Whether fees are paid in BNB."""

    fee_burn: bool


class FeeRatesAnswered(Outcome, frozen=True, kw_only=True):
    """Our rates on one symbol, as shares of notional; a negative maker rate is a rebate."""

    instrument_id: InstrumentId
    maker: Decimal
    taker: Decimal


class BracketsAnswered(Outcome, frozen=True, kw_only=True):
    """Brackets of the symbols that we know."""

    reports: tuple[BracketReport, ...]


class ListingAnswered(Outcome, frozen=True, kw_only=True):
    """The symbols that we know; one that is absent is listed no more."""

    reports: tuple[ListingReport, ...]


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
    | AmendmentsAnswered
    | FillsAnswered
    | PositionsAnswered
    | BalancesAnswered
    | IncomeAnswered
    | AccountAnswered
    | AllOpenOrdersAnswered
    | SymbolConfigsAnswered
    | AdlAnswered
    | TradingStatusAnswered
    | AssetRatesAnswered
    | AccountConfigAnswered
    | KeyPermissionsAnswered
    | FeeBurnAnswered
    | FeeRatesAnswered
    | BracketsAnswered
    | ListingAnswered
    | BookSnapshot
    | TimeAnswered
    | UserStreamOpened
)
