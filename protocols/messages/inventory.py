"""What inventory says: positions, PnL, and the key of the private stream."""

from __future__ import annotations

from decimal import Decimal

from protocols.envelope import Message
from protocols.key_permissions import KeyPermissions
from protocols.values import InstrumentId


class PositionChanged(Message, frozen=True, kw_only=True):
    """Position of one symbol (signed lots) after the event `event_seq` of shard `shard`.

    `known` is false while inventory has reason to doubt it (nothing heard of the venue yet, or events missed): count on the worst.
    """

    instrument_id: InstrumentId
    position_lots: int
    average_price: Decimal
    shard: int
    event_seq: int
    known: bool = True


class PnlChanged(Message, frozen=True, kw_only=True):
    """PnL of one symbol in quote currency since the day's start. `net = realised + unrealised - fees + funding`.

    Fees in other assets (BNB) count at the venue's own rate of the moment; they are in no equity, for their wallet is no margin.
    """

    instrument_id: InstrumentId
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal
    net: Decimal
    valued_ns: int


class EquityChanged(Message, frozen=True, kw_only=True):
    """Margin wallets plus unrealised PnL of the account in quote currency, and what changed since the day's start.

    `fees_elsewhere` is what fees in other assets (BNB) have cost since the books were opened, at the venue's rate of their time: they left
    wallets that are in no equity, so that `day_pnl` is the change of equity less this. `unvalued`: assets whose fees still wait for a rate.
    """

    equity: Decimal
    day_pnl: Decimal
    valued_ns: int
    fees_elsewhere: Decimal = Decimal(0)
    unvalued: tuple[str, ...] = ()


class AccountKeySeen(Message, frozen=True, kw_only=True):
    """What the account's own key may do, asked with it, and when we heard it."""

    permissions: KeyPermissions
    seen_ns: int


class UserStreamKey(Message, frozen=True, kw_only=True):
    """The key of the account's private stream. A secret: never logged, never stored."""

    listen_key: str

    def __repr__(self) -> str:
        return "UserStreamKey(listen_key=<hidden>)"
