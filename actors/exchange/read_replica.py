"""Accounts as they were a while ago: what queries see that lag behind the engine (facts section 6.4)."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

from actors.exchange.accounts import Account
from actors.exchange.ledger import LedgerRecord
from actors.exchange.market import Market
from actors.exchange.orders import Order
from actors.exchange.restore import RecordLoader

RECORDS_MAX = 200_000
"""Records waiting to be seen; beyond it the oldest are seen early."""


class ReadReplica:
    """A copy of the accounts that stands still at first, and then trails by its lag."""

    def __init__(self, accounts: Mapping[str, Account], markets: Mapping[str, Market]) -> None:
        self._accounts = {name: _copied(account) for name, account in accounts.items()}
        self._loader = RecordLoader(self._accounts, markets, _open)
        self._waiting: deque[LedgerRecord] = deque()

    def note(self, records: Iterable[LedgerRecord]) -> None:
        """What the venue did."""
        self._waiting.extend(records)
        while len(self._waiting) > RECORDS_MAX:
            self._loader.apply(self._waiting.popleft())

    def accounts(self, until_ns: int) -> Mapping[str, Account]:
        """The accounts after everything up to an instant, which does not go back."""
        while self._waiting and self._waiting[0].t <= until_ns:
            self._loader.apply(self._waiting.popleft())
        return self._accounts


def _open(account: Account, order: Order) -> None:
    account.opened(order)


def _copied(account: Account) -> Account:
    orders = {
        number: replace(order, falls=copy.copy(order.falls), likely_falls=copy.copy(order.likely_falls))
        for number, order in account.orders.items()
    }
    return replace(
        account,
        wallets=dict(account.wallets),
        positions={symbol: replace(position) for symbol, position in account.positions.items()},
        orders=orders,
        live={name: orders[order.order_id] for name, order in account.live.items()},
        trades=copy.copy(account.trades),
        income=copy.copy(account.income),
        closed=copy.copy(account.closed),
        amendments=copy.copy(account.amendments),
        forced=copy.copy(account.forced),
    )
