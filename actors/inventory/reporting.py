"""What inventory says and shows of its books: positions, PnL, equity, snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from actors.inventory.books import DayPnl
from actors.inventory.ledger import AccountBooks
from actors.inventory.snapshot import SymbolInventory
from actors.inventory.valuation import Valuation
from protocols.arithmetic.plain_text import plain_text
from protocols.arithmetic.positions import exact_arithmetic
from protocols.messages.inventory import EquityChanged, PnlChanged, PositionChanged
from protocols.values import InstrumentId

_ZERO = Decimal(0)


class Reporting:
    """Reads the books and the prices; changes nothing."""

    def __init__(
        self,
        account: AccountBooks,
        values: Mapping[InstrumentId, Valuation],
        shard_of: Mapping[InstrumentId, int],
    ) -> None:
        self._account = account
        self._values = values
        self._shard_of = shard_of

    def position(self, instrument_id: InstrumentId, event_seq: int) -> PositionChanged:
        """A position after the event `event_seq`."""
        return PositionChanged(
            instrument_id=instrument_id,
            position_lots=self._account.lots(instrument_id),
            average_price=self._account.books[instrument_id].average.average_price,
            shard=self._shard_of.get(instrument_id, 0),
            event_seq=event_seq,
            known=self._account.is_known(instrument_id),
        )

    def days(self, now_ns: int) -> dict[InstrumentId, DayPnl]:
        """What the day has changed of every symbol that can be valued."""
        found = {}
        for instrument_id, book in self._account.books.items():
            day = book.day_pnl(self._values[instrument_id].price(now_ns))
            if day is not None:
                found[instrument_id] = day
        return found

    def pnl(self, days: Mapping[InstrumentId, DayPnl], now_ns: int) -> list[PnlChanged]:
        """The day's PnL of each symbol, as of now."""
        return [
            PnlChanged(
                instrument_id=instrument_id,
                realised=day.realised,
                unrealised=day.unrealised,
                fees=day.fees,
                funding=day.funding,
                net=day.net,
                valued_ns=now_ns,
            )
            for instrument_id, day in days.items()
        ]

    def equity(self, days: Mapping[InstrumentId, DayPnl], now_ns: int) -> EquityChanged | None:
        """Margin wallets (stablecoins at par) plus unrealised PnL, and the day's PnL; None while any part of it is unknown."""
        account = self._account
        if len(days) < len(account.books):
            return None
        balances = [account.wallets.balance(asset) for asset in account.margin_assets]
        equity = _sum_known([*balances, *(day.unrealised_now for day in days.values())])
        if equity is None:
            return None
        nets = (day.net for day in days.values())
        day_pnl = _sum_known([*nets, account.charges, -account.day_charges]) or _ZERO
        books = account.books.values()
        return EquityChanged(
            equity=equity,
            day_pnl=day_pnl,
            valued_ns=now_ns,
            fees_elsewhere=_sum_known(book.fees_elsewhere for book in books) or _ZERO,
            unvalued=tuple(sorted({asset for book in books for asset in book.fees_unvalued})),
        )

    def unrealised(self, now_ns: int) -> dict[InstrumentId, Decimal | None]:
        """Unrealised PnL of each symbol; None for an open position without a fresh price."""
        return {i: book.unrealised(self._values[i].price(now_ns)) for i, book in self._account.books.items()}

    def symbol(self, instrument_id: InstrumentId, now_ns: int) -> SymbolInventory:
        """One symbol for the snapshot."""
        book, price = self._account.books[instrument_id], self._values[instrument_id].price(now_ns)
        day = book.day_pnl(price)
        return SymbolInventory(
            position_lots=self._account.lots(instrument_id),
            position=plain_text(book.average.quantity),
            known=self._account.is_known(instrument_id),
            average_price=plain_text(book.average.average_price),
            price=plain_text(price),
            realised=plain_text(book.realised),
            realised_fifo=plain_text(book.realised_fifo),
            unrealised=plain_text(book.unrealised(price)),
            fees=plain_text(book.fees_all),
            fees_unvalued={asset: plain_text(amount) for asset, amount in book.fees_unvalued.items()},
            funding=plain_text(book.funding),
            day_realised=plain_text(day.realised if day else None),
            day_unrealised=plain_text(day.unrealised if day else None),
            day_fees=plain_text(day.fees if day else None),
            day_funding=plain_text(day.funding if day else None),
            day_net=plain_text(day.net if day else None),
            fills=book.fills,
            volume=plain_text(book.volume),
        )


def _sum_known(parts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum, or None where a part is unknown."""
    with exact_arithmetic():
        total = _ZERO
        for part in parts:
            if part is None:
                return None
            total += part
        return total
