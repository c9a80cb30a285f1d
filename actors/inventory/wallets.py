"""Wallets of the account: opened from the venue's word, carried on by our own bookings, and compared with the venue's word again."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from actors.inventory.records import WalletAdopted, WalletState
from protocols.arithmetic.positions import exact_arithmetic
from protocols.messages.orders import BalanceChanged

ASSETS_MAX = 100
"""Assets followed; more are refused and counted."""

TRANSFERS_REMEMBERED_MAX = 256
"""Transfers of which we know that they are booked: each shard's order manager reports the same one."""

BOOKED_OTHERWISE = frozenset({"ORDER", "FUNDING_FEE"})
"""Reasons of a balance change that fills and funding payments book (facts section 6.2)."""


class Statement:
    """The venue's newest word on one number. `differs_since_ns` is our clock since when ours has differed from it by `difference`."""

    def __init__(self) -> None:
        self.balance: Decimal | None = None
        self.venue_time_ns = 0
        self.differs_since_ns: int | None = None
        self.difference = Decimal(0)


class Wallet:
    """One asset. `balance` is None until the venue has stated it."""

    def __init__(self) -> None:
        self.balance: Decimal | None = None
        self.adopted_venue_ns = 0
        self.last_change_venue_ns = 0
        self.statement = Statement()


class Wallets:
    """Every asset of the account."""

    def __init__(self) -> None:
        self._wallets: dict[str, Wallet] = {}
        self._transfers: deque[str] = deque(maxlen=TRANSFERS_REMEMBERED_MAX)
        self.refused = 0

    def book(self, asset: str, amount: Decimal, venue_time_ns: int) -> None:
        """Add an amount, unless the adopted balance contains it already."""
        wallet = self._wallet(asset)
        if wallet is None:
            return
        if wallet.balance is not None and venue_time_ns > wallet.adopted_venue_ns:
            with exact_arithmetic():
                wallet.balance += amount
        wallet.last_change_venue_ns = max(wallet.last_change_venue_ns, venue_time_ns)

    def change(self, event: BalanceChanged) -> bool:
        """Book what is neither a fill nor funding (a deposit, say), once whichever shard reports it; returns whether it did."""
        if event.reason not in BOOKED_OTHERWISE and event.balance_change:
            key = f"{event.venue_time_ns}:{event.asset}:{event.reason}:{event.balance_change}"
            if key not in self._transfers:
                self._transfers.append(key)
                self.book(event.asset, event.balance_change, event.venue_time_ns)
                return True
        return False

    def state(self, asset: str, balance: Decimal, venue_time_ns: int) -> None:
        """Take note of the venue's word on a balance; an older word than is known is ignored."""
        wallet = self._wallet(asset)
        if wallet is not None and venue_time_ns >= wallet.statement.venue_time_ns:
            wallet.statement.balance, wallet.statement.venue_time_ns = balance, venue_time_ns

    def adopt(self, record: WalletAdopted) -> None:
        """Take the venue's balance for ours."""
        wallet = self._wallet(record.asset)
        if wallet is not None:
            wallet.balance = record.balance
            wallet.adopted_venue_ns = max(record.venue_time_ns, wallet.adopted_venue_ns)
            wallet.statement.differs_since_ns = None

    def differing(self, now_ns: int, patience_ns: int) -> list[tuple[WalletAdopted, Decimal | None]]:
        """Balances to adopt now, each with our own that it replaces (None where there was none).

        A statement older than our newest booking proves nothing, and one of the same millisecond may be of before it; one that differs
        by the same amount all the while is given `patience_ns` to be explained by events under way.
        """
        found: list[tuple[WalletAdopted, Decimal | None]] = []
        for asset, wallet in self._wallets.items():
            statement, own = wallet.statement, wallet.balance
            proves_nothing = statement.venue_time_ns < wallet.last_change_venue_ns or (
                statement.venue_time_ns == wallet.last_change_venue_ns and own is not None
            )
            if statement.balance is None or own == statement.balance or proves_nothing:
                statement.differs_since_ns = None
                continue
            with exact_arithmetic():
                difference = statement.balance - (own or Decimal(0))
            if statement.differs_since_ns is None or statement.difference != difference:
                statement.differs_since_ns, statement.difference = now_ns, difference
            if own is None or now_ns - statement.differs_since_ns >= patience_ns:
                record = WalletAdopted(asset=asset, balance=statement.balance, venue_time_ns=statement.venue_time_ns)
                found.append((record, own))
        return found

    def forget_statements(self) -> None:
        """Events were missed: what the venue said before proves nothing."""
        for wallet in self._wallets.values():
            wallet.statement = Statement()

    def balance(self, asset: str) -> Decimal | None:
        """Our own balance of an asset; None until the venue has stated one."""
        wallet = self._wallets.get(asset)
        return None if wallet is None else wallet.balance

    def balances(self) -> dict[str, Decimal]:
        """Every balance that is known."""
        return {asset: wallet.balance for asset, wallet in self._wallets.items() if wallet.balance is not None}

    def states(self) -> tuple[WalletState, ...]:
        """Everything for a checkpoint."""
        return tuple(
            WalletState(
                asset=asset,
                balance=wallet.balance,
                adopted_venue_ns=wallet.adopted_venue_ns,
                last_change_venue_ns=wallet.last_change_venue_ns,
            )
            for asset, wallet in self._wallets.items()
            if wallet.balance is not None
        )

    def transfers(self) -> tuple[str, ...]:
        """The transfers that are booked, oldest first."""
        return tuple(self._transfers)

    def restore(self, states: tuple[WalletState, ...], transfers: tuple[str, ...]) -> None:
        """Go on from a checkpoint."""
        for state in states:
            wallet = self._wallets.setdefault(state.asset, Wallet())
            wallet.balance = state.balance
            wallet.adopted_venue_ns = state.adopted_venue_ns
            wallet.last_change_venue_ns = state.last_change_venue_ns
        self._transfers.clear()
        self._transfers.extend(transfers)

    def _wallet(self, asset: str) -> Wallet | None:
        wallet = self._wallets.get(asset)
        if wallet is None:
            if len(self._wallets) >= ASSETS_MAX:
                self.refused += 1
                return None
            wallet = self._wallets[asset] = Wallet()
        return wallet
