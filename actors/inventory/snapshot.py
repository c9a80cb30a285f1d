"""What inventory shows: the one view of status, reports and metrics.

Money and prices are in quote currency, quantities in base currency, as text.
"""

from __future__ import annotations

import msgspec


class SymbolInventory(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol. Totals count since the opening record, `day_` amounts since the day's start. Empty text: not known now.

    `fees` holds those paid in other assets too, at the venue's own rate; `fees_unvalued` are amounts by asset that wait for one.
    """

    position_lots: int
    position: str
    known: bool
    average_price: str
    price: str
    realised: str
    realised_fifo: str
    unrealised: str
    fees: str
    fees_unvalued: dict[str, str]
    funding: str
    day_realised: str
    day_unrealised: str
    day_fees: str
    day_funding: str
    day_net: str
    fills: int
    volume: str


class BooksReconciled(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of balances and positions that somebody asked for under `token`; 0 before the first."""

    token: int = 0
    took_ms: int = 0
    differences: tuple[str, ...] = ()


class InventorySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The whole account. `charges` is what the venue took or gave beside fills, funding and transfers.

    `event_seq` is the newest number booked of each shard's stream.
    """

    symbols: dict[str, SymbolInventory]
    wallets: dict[str, str]
    equity: str
    day_pnl: str
    charges: str
    day: int
    event_seq: dict[int, int]
    events: int
    repeated: int
    gaps: int
    bad_data: int
    positions_adopted: int
    wallets_adopted: int
    reconciled: BooksReconciled
    user_stream_key: bool
    user_stream_failures: int
    income_windows: int
    income_records: int
    income_differences: dict[str, str]
