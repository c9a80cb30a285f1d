"""What can be asked of a venue."""

from __future__ import annotations

from protocols.envelope import Message
from protocols.values import InstrumentId, Side, TimeInForce


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
    """One order by our id, or by the venue's where `client_order_id` is empty."""

    instrument_id: InstrumentId
    client_order_id: str
    venue_time_ns: int
    venue_order_id: int = 0


class QueryAmendments(VenueRequest, frozen=True, kw_only=True):
    """The venue's records of what was amended of one order, from `venue_time_from_ms` on."""

    instrument_id: InstrumentId
    client_order_id: str
    venue_time_from_ms: int
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


class QueryAccount(VenueRequest, frozen=True, kw_only=True):
    """Margin of the account, asset by asset."""

    venue_time_ns: int


class QueryAllOpenOrders(VenueRequest, frozen=True, kw_only=True):
    """Every open order of the account, whatever its symbol."""

    venue_time_ns: int


class QuerySymbolConfigs(VenueRequest, frozen=True, kw_only=True):
    """Leverage of each symbol, and the largest position that it allows."""

    venue_time_ns: int


class QueryAdlQuantiles(VenueRequest, frozen=True, kw_only=True):
    """How near each position is to auto-deleveraging."""

    venue_time_ns: int


class QueryTradingStatus(VenueRequest, frozen=True, kw_only=True):
    """What the venue thinks of our behaviour, and which symbols it has locked for it."""

    venue_time_ns: int


class QueryAssetRates(VenueRequest, frozen=True, kw_only=True):
    """What the venue takes each asset for, in US dollars."""


class QueryAccountConfig(VenueRequest, frozen=True, kw_only=True):
    """Position mode, asset mode, and whether the account may trade."""

    venue_time_ns: int


class QueryKeyPermissions(VenueRequest, frozen=True, kw_only=True):
    """What the key that asks may do. Where the venue's wallet has another address it is asked there."""

    venue_time_ns: int


class QueryFeeBurn(VenueRequest, frozen=True, kw_only=True):
    """Whether fees are paid in BNB while the account has some."""

    venue_time_ns: int


class QueryFeeRates(VenueRequest, frozen=True, kw_only=True):
    """Our maker and taker rate on a symbol."""

    instrument_id: InstrumentId
    venue_time_ns: int


class QueryBrackets(VenueRequest, frozen=True, kw_only=True):
    """Leverage brackets of each symbol."""

    venue_time_ns: int


class QueryListing(VenueRequest, frozen=True, kw_only=True):
    """Status and filters of each symbol, as the venue has them now."""
