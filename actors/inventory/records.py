"""Records of inventory's journal besides the order and account events themselves (its second copy of them)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from actors.inventory.books import SymbolBook
from protocols.envelope import Message
from protocols.messages.journal import PositionAdopted
from protocols.messages.orders import AnyAccountEvent, AnyOrderEvent
from protocols.values import Instrument, InstrumentId


class DayBegan(Message, frozen=True, kw_only=True):
    """A trading day began: what follows is measured from the totals at this place of the journal, and from these unrealised amounts."""

    day: int
    unrealised: dict[InstrumentId, Decimal]


class WalletAdopted(Message, frozen=True, kw_only=True):
    """A wallet balance taken from the venue; nothing that happened up to `venue_time_ns` is added to it again."""

    asset: str
    balance: Decimal
    venue_time_ns: int


class RatesChanged(Message, frozen=True, kw_only=True):
    """What the venue takes one unit of each asset for, in margin currency: fees in other assets are booked at these from here on."""

    rates: dict[str, Decimal]


class StreamMissed(Message, frozen=True, kw_only=True):
    """Events of a shard between two numbers never came: its positions are in doubt until the venue has confirmed them."""

    shard: int
    seq_last: int
    seq_next: int


class WalletState(msgspec.Struct, frozen=True, kw_only=True):
    """One wallet inside a checkpoint."""

    asset: str
    balance: Decimal
    adopted_venue_ns: int
    last_change_venue_ns: int


class BooksSaved(Message, frozen=True, kw_only=True):
    """A checkpoint: everything that earlier records of this journal say, so that a restart reads from here.

    `instruments` are those that this life of inventory speaks in, `event_instruments` those in which the order managers' events count.
    """

    books: tuple[SymbolBook, ...]
    wallets: tuple[WalletState, ...]
    transfers: tuple[str, ...]
    streams: dict[int, int]
    day: int
    doubted: tuple[InstrumentId, ...]
    rates: dict[str, Decimal] = msgspec.field(default_factory=dict)
    charges: Decimal = Decimal(0)
    day_charges: Decimal = Decimal(0)
    instruments: tuple[Instrument, ...] = ()
    event_instruments: tuple[Instrument, ...] = ()


JournalRecord = (
    AnyOrderEvent
    | AnyAccountEvent
    | PositionAdopted
    | WalletAdopted
    | RatesChanged
    | StreamMissed
    | DayBegan
    | BooksSaved
)
"""Everything that inventory's journal holds."""
