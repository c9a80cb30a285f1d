"""What the risk monitor must still know after a restart: written whole, and synced, before anything that depends on it is said."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from protocols.envelope import Message
from protocols.messages.risk import RiskLevel
from protocols.values import Instrument, InstrumentId
from protocols.venue import BracketReport


class GrantRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A share that a shard may still trade under."""

    shard: int
    epoch: int
    share_id: int
    amount: Decimal


class Latch(msgspec.Struct, frozen=True, kw_only=True):
    """A level that only a person lifts. `subject` is an instrument id, or `account`."""

    subject: str
    level: RiskLevel
    reason: str


class EarnedLevel(msgspec.Struct, frozen=True, kw_only=True):
    """A level that has not fallen yet, and the number that raised it."""

    subject: str
    level: RiskLevel
    reason: str
    indicator: str
    value: str
    threshold: str


class AgreedSymbol(msgspec.Struct, frozen=True, kw_only=True):
    """What may not change unseen of one symbol; 0, empty and None are not known yet. Fees as the venue writes them."""

    leverage: int = 0
    maker_fee: str = ""
    taker_fee: str = ""
    brackets: BracketReport | None = None
    instrument: Instrument | None = None
    """The filters in force, where they changed while we ran; their version grows over restarts."""


class AgreedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The account as it was first seen, or as a person accepted it last."""

    fee_burn: bool | None = None
    symbols: dict[InstrumentId, AgreedSymbol] = msgspec.field(default_factory=dict)


class RiskMemory(Message, frozen=True, kw_only=True):
    """The whole memory.

    `day` counts days since 1970 from the configured start of the day; `day_equity` is the equity at its start and `equity_peak` its peak,
    both moved by deposits and withdrawals since; `transfers` are the newest of those already counted, as text. `holds` are levels that a
    person holds. `epochs` is the newest epoch of each shard; `agreed` is the account that quoting was started on.
    """

    day: int = -1
    day_equity: Decimal | None = None
    equity_peak: Decimal | None = None
    loss_stopped: bool = False
    transfers: tuple[str, ...] = ()
    latches: tuple[Latch, ...] = ()
    holds: tuple[Latch, ...] = ()
    levels: tuple[EarnedLevel, ...] = ()
    epochs: dict[int, int] = msgspec.field(default_factory=dict)
    grants: tuple[GrantRecord, ...] = ()
    share_id_last: int = 0
    agreed: AgreedAccount = AgreedAccount()
