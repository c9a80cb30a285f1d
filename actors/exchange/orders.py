"""Orders of the venue's accounts, and their place in the queue."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

LIVE = ("NEW", "PARTIALLY_FILLED")
FALLS_REMEMBERED_MAX = 16
FORCED_NAMES = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
"""Client order ids of orders that the venue places itself; nobody else may use them."""


@dataclass(slots=True)
class Order:
    """One order. `executed_quote` is the sum of price times quantity of its fills.

    While it rests, `lots_ahead` is the recorded size in front of it by the pessimistic model, `likely_ahead` by the probabilistic one,
    `shown_lots` the level's recorded size, `since_market_ns` the newest transaction time of the recording when
    it joined the queue, and `falls` the recent shrinkages of the level that no print has explained yet: (transaction time, lots).
    """

    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: str
    type: str
    time_in_force: str
    price_ticks: int
    lots: int
    reduce_only: bool
    stp_mode: str
    good_till_ms: int
    created_ms: int
    updated_ms: int
    price_match: str = "NONE"
    status: str = "NEW"
    executed_lots: int = 0
    executed_quote: Decimal = Decimal(0)
    amendments: int = 0
    lots_ahead: int = 0
    likely_ahead: float = 0.0
    shown_lots: int = 0
    other_lots: int = 0
    """What the queue model that gives no fills would have filled of it."""
    since_market_ns: int = 0
    falls: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=FALLS_REMEMBERED_MAX))
    likely_falls: deque[tuple[int, int, float]] = field(default_factory=lambda: deque(maxlen=FALLS_REMEMBERED_MAX))
    """The same for the probabilistic model, with what it took off the queue ahead for it."""

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.side == "BUY"

    @property
    def is_forced(self) -> bool:
        """Whether the venue placed it: liquidation, deleveraging, settlement."""
        return self.client_order_id.startswith(FORCED_NAMES)

    @property
    def remaining_lots(self) -> int:
        """What is not filled."""
        return self.lots - self.executed_lots

    @property
    def is_live(self) -> bool:
        """Whether it may still be filled."""
        return self.status in LIVE


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A new order whose parameters have been read and passed the filters. `price_ticks` is 0 for a market order."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    price_ticks: int
    lots: int
    reduce_only: bool
    client_order_id: str
    stp_mode: str = "EXPIRE_MAKER"
    good_till_ms: int = 0
    price_match: str = "NONE"
    timestamp_ms: int = 0
    recv_window_ms: int = 0
