"""The venue's ledger: one JSON object per line for everything it accepted, and the market's mid beside it.

The ledger is the referee's memory. A line is on file before the answer it belongs to leaves. Every record has `kind` (its type) and
`t` (the venue's time in nanoseconds since 1970); money, prices and quantities are decimal strings in the contract's own units (quote
currency, base currency). Records carry the state after them (position, entry price, wallet), so a reader can check without replaying
and a restarted venue can load by replaying. `encode` and `decode` are the only codec; `decode_lines` tolerates a torn last line.

What a reader usually wants:

- orders at the venue: `OrderAccepted`, `OrderAmended`, then exactly one of `OrderCanceled`, `OrderExpired`, or fills up to the quantity;
- position of (account, symbol) at any time: `position_after` of the newest `OrderFilled` or `SeamClosed`;
- PnL: realized of `OrderFilled` and `SeamClosed`, commission of `OrderFilled`, `FundingPaid.amount`;
- markout and quoted share: `TopSampled` every 100 ms and on the first book (our orders are not in it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TypeAlias

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True, gc=False):
    """Base of all ledger records. `t` is the venue's time in ns since 1970 and never falls from line to line."""

    t: int


class VenueStarted(Record, frozen=True, kw_only=True, gc=False):
    """First record of each run of the venue. `restart` is true when older records of this file were loaded."""

    source: str
    seed: int
    speed: Decimal
    order_latency_ms: Decimal
    feed_latency_ms: Decimal
    restart: bool
    queue_model: str = "pessimistic"
    latency: str = ""
    version: int = 1


class SymbolListed(Record, frozen=True, kw_only=True, gc=False):
    """A tradable symbol and its units, written once per run after VenueStarted."""

    symbol: str
    margin_asset: str
    tick_size: Decimal
    lot_size: Decimal
    maker_rate: Decimal
    taker_rate: Decimal


class AccountOpened(Record, frozen=True, kw_only=True, gc=False):
    """An account exists from now on, with `balances` per asset as its opening record. `account` is a name, never a key."""

    account: str
    balances: dict[str, Decimal]
    fee_burn: bool = False


class OrderAccepted(Record, frozen=True, kw_only=True, gc=False):
    """An order entered the book or the match. Post-only and fill-or-kill orders that were refused never get one.

    `timestamp_ms` and `recv_window_ms` are the request's own; `best_bid` and `best_ask` are the market at arrival, without our orders
    (None where a side was empty). `queue_ahead` is the recorded size in front of the order.
    """

    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: str
    type: str
    time_in_force: str
    price: Decimal
    quantity: Decimal
    reduce_only: bool
    timestamp_ms: int
    recv_window_ms: int
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    queue_ahead: Decimal = Decimal(0)
    stp_mode: str = "EXPIRE_MAKER"
    good_till_ms: int = 0


class OrderAmended(Record, frozen=True, kw_only=True, gc=False):
    """Price or total quantity of a live order changed; it went to the back of the queue. `quantity` includes what was filled."""

    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: str
    price: Decimal
    quantity: Decimal
    price_before: Decimal
    quantity_before: Decimal
    executed: Decimal
    timestamp_ms: int
    recv_window_ms: int
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None


class OrderCanceled(Record, frozen=True, kw_only=True, gc=False):
    """A live order ended by request. `reason`: request, cancel_all, countdown or amend (an amend that could not stand)."""

    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: str
    executed: Decimal
    reason: str


class OrderExpired(Record, frozen=True, kw_only=True, gc=False):
    """The venue ended a live order. `reason` is replay_seam or Binance's `er`: "1" self-trade, "2" IOC, "4" reduce-only, "5" liquidated,
    "7" delisted, "9" market.
    """

    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: str
    executed: Decimal
    reason: str


class OrderFilled(Record, frozen=True, kw_only=True, gc=False):
    """One execution of an order of ours, with the state of position and wallet after it.

    `commission` is what was paid (negative: received), in `commission_asset`, and not part of `realized_pnl`. `wallet_after` is the
    balance of the symbol's margin asset, `bnb_after` that of BNB where the fee was paid in it. (symbol, trade_id, order_id) is unique.
    `entry_price_after` is the average rounded to 8 decimals; `entry_cost_after` the exact sum of price times quantity of what is open.
    """

    account: str
    symbol: str
    trade_id: int
    order_id: int
    client_order_id: str
    side: str
    price: Decimal
    quantity: Decimal
    executed: Decimal
    maker: bool
    commission: Decimal
    commission_asset: str
    realized_pnl: Decimal
    position_after: Decimal
    entry_price_after: Decimal
    entry_cost_after: Decimal
    wallet_after: Decimal
    bnb_after: Decimal | None = None


class OtherModelFilled(Record, frozen=True, kw_only=True, gc=False):
    """The queue model that gives no fills would have filled an order by `quantity` now. Nothing was traded; it is for the report."""

    account: str
    symbol: str
    order_id: int
    side: str
    price: Decimal
    quantity: Decimal


class FundingPaid(Record, frozen=True, kw_only=True, gc=False):
    """Funding booked to an account: `amount` is the change of the wallet (negative: paid)."""

    account: str
    symbol: str
    tran_id: int
    amount: Decimal
    asset: str
    rate: Decimal
    mark_price: Decimal
    position: Decimal
    wallet_after: Decimal


class InsuranceCleared(Record, frozen=True, kw_only=True, gc=False):
    """After a liquidation the insurance fund took its fee (`amount` < 0), or paid for what was lost beyond the wallet (> 0)."""

    account: str
    symbol: str
    tran_id: int
    amount: Decimal
    asset: str
    wallet_after: Decimal


class SeamClosed(Record, frozen=True, kw_only=True, gc=False):
    """A looping capture jumped back to its start: the position was closed at the last mid, without fee, and open orders had expired.

    It is a trade of the account (it has a trade id, and income shows its realized PnL), so positions stay the sum of trades, and what
    was lost before the jump stays lost. The jump itself is in no PnL, for nothing is held across it. `side` is that of the closing trade.
    """

    account: str
    symbol: str
    loop: int
    trade_id: int
    order_id: int
    client_order_id: str
    side: str
    price: Decimal
    quantity: Decimal
    realized_pnl: Decimal
    commission_asset: str
    position_after: Decimal
    wallet_after: Decimal


class CountdownSet(Record, frozen=True, kw_only=True, gc=False):
    """A countdown that will cancel all orders of the symbol at `deadline_ns`; 0 is disarmed (by request or because it fired)."""

    account: str
    symbol: str
    deadline_ns: int


class LeverageSet(Record, frozen=True, kw_only=True, gc=False):
    """The leverage of a symbol was changed."""

    account: str
    symbol: str
    leverage: int


class FeeBurnSet(Record, frozen=True, kw_only=True, gc=False):
    """The account pays its fees in BNB from now on, or no longer."""

    account: str
    fee_burn: bool


class RequestRefused(Record, frozen=True, kw_only=True, gc=False):
    """`count` trading requests were refused with `code` (facts section 8.2). Repeats within a second fold into one line.

    `method` is place, amend, cancel, ... ; `client_order_id` is that of the first of them, or empty.
    """

    account: str
    symbol: str
    method: str
    code: int
    count: int
    client_order_id: str = ""


class RequestThrottled(Record, frozen=True, kw_only=True, gc=False):
    """`count` requests of an address were refused with HTTP `status` 429 or 418 (ban) until `until_ns`. Repeats within a second fold.

    `sent_ms` is the newest timestamp among them, in the requests' own word; 0 where none carried one.
    """

    address: str
    status: int
    code: int
    until_ns: int
    count: int
    sent_ms: int = 0


class ContractChanged(Record, frozen=True, kw_only=True, gc=False):
    """A symbol has another status from now on, or orders another tick."""

    symbol: str
    status: str
    tick_size: Decimal


class FaultInjected(Record, frozen=True, kw_only=True, gc=False):
    """The venue was asked to misbehave: `fault` is the kind, `detail` the request as JSON. What follows is the fault's doing."""

    number: int
    fault: str
    detail: str


class TopSampled(Record, frozen=True, kw_only=True, gc=False):
    """The market's best prices without our orders, sampled every 100 ms per symbol. A side without orders is None."""

    symbol: str
    bid: Decimal | None
    bid_quantity: Decimal
    ask: Decimal | None
    ask_quantity: Decimal
    mark: Decimal

    @property
    def mid(self) -> Decimal | None:
        """Half way between bid and ask, or None when a side is empty."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2


LedgerRecord: TypeAlias = (
    VenueStarted
    | SymbolListed
    | AccountOpened
    | OrderAccepted
    | OrderAmended
    | OrderCanceled
    | OrderExpired
    | OrderFilled
    | OtherModelFilled
    | FundingPaid
    | InsuranceCleared
    | SeamClosed
    | CountdownSet
    | LeverageSet
    | FeeBurnSet
    | RequestRefused
    | RequestThrottled
    | ContractChanged
    | FaultInjected
    | TopSampled
)


class LedgerDamagedError(ValueError):
    """A finished line cannot be read; the text names the line and the reason."""


_LINE_START = b'{"kind":"'
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[LedgerRecord] = msgspec.json.Decoder(LedgerRecord)


def encode(record: LedgerRecord) -> bytes:
    """One line of the file, with its newline."""
    return _encoder.encode(record) + b"\n"


def decode(line: bytes | str) -> LedgerRecord:
    """Read one line.

    Raises:
        msgspec.DecodeError: the line is no ledger record (msgspec.ValidationError names the field).
    """
    return _decoder.decode(line)


def decode_lines(lines: Iterable[bytes]) -> Iterator[LedgerRecord]:
    """Read a whole ledger. A last line without its end is what a killed process leaves behind: never answered, it is skipped.

    Raises:
        LedgerDamagedError: any other line is damaged, or the file is no ledger at all.
    """
    unfinished: str | None = None
    for number, line in enumerate(lines, start=1):
        if unfinished is not None:
            raise LedgerDamagedError(unfinished)
        if not line.strip():
            continue
        try:
            yield decode(line)
        except msgspec.DecodeError as error:
            damage = f"ledger line {number} cannot be read: {error}"
            if line.endswith(b"\n") or (number == 1 and not line.startswith(_LINE_START)):
                raise LedgerDamagedError(damage) from None
            unfinished = damage
