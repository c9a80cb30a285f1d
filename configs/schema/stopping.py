"""What bounds the worst: hard caps that no reload reaches, and how positions are closed after a stop."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from configs.schema.section import BasisPoints, Milliseconds, Money, Section


class HardCaps(Section):
    """What no limit may exceed, in quote currency, whatever the configuration, a hot reload or the equity says.

    They stand in a file of their own (`hard_caps_file`), which is read once, at start. Where money is real every one of them must be there.
    """

    position_notional_max: Money | None = None
    order_notional_max: Money | None = None
    account_notional_max: Money | None = None
    daily_loss_max: Money | None = None
    drawdown_max: Money | None = None

    @property
    def missing(self) -> list[str]:
        """Names of those that are not set."""
        return [name for name, cap in self if cap is None]

    def capped(self, name: str, amount: Decimal) -> Decimal:
        """An amount of quote currency, or the cap of that name where it is lower."""
        cap: Decimal | None = getattr(self, name)
        return amount if cap is None else min(amount, cap)


class FlattenSettings(Section):
    """Closing positions after a stop, by reduce-only slices: on every emergency only when `on_emergency` says so.

    `passive` rests at the own side of the touch for `passive_ms` before it crosses; `crossing` crosses at once, first by
    `crossing_bps` beyond the touch and further only while nothing fills, never beyond `price_band_bps_max` from the mark.
    """

    on_emergency: bool = False
    urgency: Literal["passive", "crossing"] = "passive"
    passive_ms: Milliseconds = 10_000
    slice_notional_max: Money = Decimal(5_000)
    crossing_bps: BasisPoints = 5
    price_band_bps_max: BasisPoints = 100
    refusals_max: int = Field(default=20, ge=1, le=1_000)
    patience_ms: Milliseconds = 60_000
