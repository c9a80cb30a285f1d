"""What the risk monitor must still know after a restart: written whole, and synced, before anything that depends on it is said."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from protocols.envelope import Message
from protocols.messages.risk import RiskLevel


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


class RiskMemory(Message, frozen=True, kw_only=True):
    """The whole memory.

    `day` counts days since 1970 from the configured start of the day; `day_equity` is the equity at its start and `equity_peak` its peak,
    both moved by deposits and withdrawals since; `transfers` are the newest of those already counted, as text. `holds` are levels that a
    person holds. `epochs` is the newest epoch of each shard.
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
