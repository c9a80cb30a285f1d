"""Our books against the venue's word: positions, wallets and income, resolved towards the venue, journaled and told."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from actors.inventory.audit import Audit, stated_at_ns
from actors.inventory.income_check import Booking, IncomeCheck
from actors.inventory.ledger import AccountBooks
from actors.inventory.notices import Notices
from actors.inventory.records import RatesChanged
from actors.inventory.snapshot import BooksReconciled
from protocols.arithmetic.plain_text import plain_text
from protocols.effects import Append, Effect, Log, LogLevel, Publish
from protocols.messages.alerts import AlertCode, Severity
from protocols.messages.inventory import AccountKeySeen
from protocols.messages.journal import PositionAdopted
from protocols.messages.orders import VenuePosition
from protocols.values import InstrumentId, symbol_of
from protocols.venue import (
    AnyOutcome,
    AssetRatesAnswered,
    BalancesAnswered,
    IncomeAnswered,
    KeyPermissionsAnswered,
    PositionReport,
    PositionsAnswered,
    QueryAssetRates,
    QueryBalances,
    QueryIncome,
    QueryKeyPermissions,
    QueryPositions,
    RefusalKind,
    Refused,
    VenueRequest,
)

WALLET_PATIENCE_NS = 2_000_000_000
"""A difference of a wallet this old is not explained by events under way."""

_ZERO = Decimal(0)


class _Demand:
    """A comparison that somebody asked for, and which answers it still lacks."""

    def __init__(self, token: int, asked_ns: int) -> None:
        self.token = token
        self.asked_ns = asked_ns
        self.missing: set[type[VenueRequest]] = {QueryBalances, QueryPositions}
        self.differences: list[str] = []


class VenueCheck:
    """Asks the venue every now and then, and compares.

    Args:
        ids: numbers for requests.
        asks_key: whether the venue has a wallet that says what our key may do.
    """

    def __init__(
        self,
        account: AccountBooks,
        shard_of: dict[InstrumentId, int],
        notices: Notices,
        ids: Iterator[int],
        asks_key: bool = False,
    ) -> None:
        self._account = account
        self._shard_of = shard_of
        self._assets = account.margin_assets
        self._notices = notices
        self._ids = ids
        self._asks_key = asks_key
        self._audit = Audit()
        self.income = IncomeCheck(i.symbol for i in account.instruments.values())
        self._assets_known: frozenset[str] = frozenset()
        self.positions_adopted = 0
        self.wallets_adopted = 0
        self.reconciled = BooksReconciled()
        self._demand: _Demand | None = None

    def book(self, bookings: tuple[Booking, ...], now_ns: int) -> None:
        """Take note of our own bookings, for the comparison with the income records; a fee in a new asset wants its rate at once."""
        for booking in bookings:
            self.income.book(booking)
        assets = self._account.assets_of_fees()
        if not assets <= self._assets_known:
            self._assets_known = assets
            self._audit.hasten(now_ns)

    def missed(self, now_ns: int) -> None:
        """Events were missed: ask at once, and begin the comparison of income afresh."""
        self.income.restart()
        self._audit.hasten(now_ns)

    def reconcile(self, token: int, now_ns: int) -> None:
        """Somebody wants to know how our books compare with the venue's word now."""
        self._demand = _Demand(token, now_ns)
        self._audit.hasten(now_ns)

    def shut(self, until_ns: int) -> None:
        """The venue wants no request of ours before then."""
        self._audit.shut(until_ns)

    def ask(self, now_ns: int, venue_time_ns: int) -> list[Effect]:
        """Ask for what is due."""
        if not self._audit.is_due(now_ns):
            return []
        effects = self._audit.ask(QueryBalances(request_id=next(self._ids), venue_time_ns=venue_time_ns), now_ns)
        effects += self._audit.ask(QueryPositions(request_id=next(self._ids), venue_time_ns=venue_time_ns), now_ns)
        if not self._audit.wants_records(now_ns):
            return effects
        if self._account.assets_of_fees():
            effects += self._audit.ask(QueryAssetRates(request_id=next(self._ids)), now_ns)
        if self._asks_key:
            query = QueryKeyPermissions(request_id=next(self._ids), venue_time_ns=venue_time_ns)
            effects += self._audit.ask(query, now_ns)
        from_ms = self.income.next_from_ms(venue_time_ns)
        return effects if from_ms is None else [*effects, *self._ask_income(from_ms, now_ns, venue_time_ns)]

    def take(self, outcome: AnyOutcome, now_ns: int, venue_time_ns: int) -> list[Effect]:
        """Take the answer to one of our questions; others are nothing to us."""
        request = self._audit.answered(outcome)
        if request is None:
            return []
        match outcome:
            case PositionsAnswered():
                self._hear_positions(outcome, stated_at_ns(request))
                self._compared(request, self._position_differences(outcome), now_ns)
            case BalancesAnswered():
                self._hear_balances(outcome, stated_at_ns(request))
                self._compared(request, self._balance_differences(outcome), now_ns)
            case KeyPermissionsAnswered():
                return [Publish(AccountKeySeen(permissions=outcome.permissions, seen_ns=outcome.received_ns))]
            case AssetRatesAnswered():
                return self._take_rates(outcome)
            case IncomeAnswered():
                return self._take_income(outcome, now_ns, venue_time_ns)
            case _:
                if isinstance(request, QueryIncome):
                    self.income.abandon()
                return self._refused(outcome, now_ns) if isinstance(outcome, Refused) else []
        return []

    def settle_position(self, instrument_id: InstrumentId, now_ns: int) -> list[Effect]:
        """Compare a position with the venue's word; take the venue's where the difference is not explained by events under way."""
        book, instrument = self._account.books[instrument_id], self._account.instruments[instrument_id]
        record = self._account.agreements[instrument_id].settle(book, instrument, now_ns)
        return [] if record is None else self.adopt(record, now_ns)

    def adopt(self, record: PositionAdopted, now_ns: int) -> list[Effect]:
        """Take the venue's position over ours, on file and told."""
        instrument_id = record.instrument_id
        book, instrument = self._account.books[instrument_id], self._account.instruments[instrument_id]
        was_known, own_lots = book.adopted, self._account.lots(instrument_id)
        self._account.apply(record)
        self.positions_adopted += 1
        if not was_known and own_lots in (0, record.position_lots):
            return [Append(record)]
        text = f"our position of {own_lots} lots was not the venue's {record.position_lots}: the venue's holds"
        code, subject = AlertCode.POSITION_MISMATCH, instrument.symbol
        return [Append(record), *self._notices.alert(code, Severity.CRITICAL, subject, text, now_ns)]

    def settle_wallets(self, now_ns: int) -> list[Effect]:
        """The same for every wallet."""
        effects: list[Effect] = []
        for record, own in self._account.wallets.differing(now_ns, WALLET_PATIENCE_NS):
            self._account.apply(record)
            self.wallets_adopted += 1
            effects.append(Append(record))
            if own is not None:
                text = f"our balance of {own} {record.asset} was not the venue's {record.balance}: the venue's holds"
                code, subject = AlertCode.POSITION_MISMATCH, f"wallet {record.asset}"
                effects += self._notices.alert(code, Severity.WARNING, subject, text, now_ns)
        return effects

    def _hear_positions(self, answer: PositionsAnswered, venue_time_ns: int) -> None:
        """Every traded symbol's position; a symbol that is absent is flat."""
        stated: dict[InstrumentId, PositionReport] = {report.instrument_id: report for report in answer.positions}
        for instrument_id, shard in self._shard_of.items():
            report = stated.get(instrument_id)
            self._account.hear(
                VenuePosition(
                    shard=shard,
                    event_seq=0,
                    instrument_id=instrument_id,
                    position_lots=report.position_lots if report is not None else 0,
                    entry_price=report.entry_price if report is not None else _ZERO,
                    venue_time_ns=venue_time_ns,
                )
            )

    def _hear_balances(self, answer: BalancesAnswered, venue_time_ns: int) -> None:
        """Every margin asset's balance; one that is absent is empty."""
        stated = {
            report.asset: report.wallet_balance for report in answer.balances if report.wallet_balance.is_finite()
        }
        for asset in self._assets:
            self._account.wallets.state(asset, stated.get(asset, _ZERO), venue_time_ns)

    def _take_rates(self, answer: AssetRatesAnswered) -> list[Effect]:
        """Rates of the assets that fees are paid in, where they moved; margin assets count at par as in the equity."""
        wanted = self._account.assets_of_fees()
        told = {one.asset: one.rate for one in answer.rates if one.rate.is_finite() and one.rate > 0}
        rates = {**self._account.rates, **{asset: told[asset] for asset in sorted(wanted & set(told))}}
        if rates == self._account.rates:
            return []
        record = RatesChanged(rates=rates)
        self._account.apply(record)
        return [Append(record)]

    def _position_differences(self, answer: PositionsAnswered) -> list[str]:
        stated = {report.instrument_id: report.position_lots for report in answer.positions}
        return [
            f"{symbol_of(instrument_id)}: {self._account.lots(instrument_id)} lots here, {stated.get(instrument_id, 0)} at the venue"
            for instrument_id in self._shard_of
            if self._account.lots(instrument_id) != stated.get(instrument_id, 0)
        ]

    def _balance_differences(self, answer: BalancesAnswered) -> list[str]:
        stated = {report.asset: report.wallet_balance for report in answer.balances}
        own = {asset: self._account.wallets.balance(asset) or _ZERO for asset in self._assets}
        return [
            f"{asset}: a balance of {plain_text(balance)} here, {plain_text(stated.get(asset, _ZERO))} at the venue"
            for asset, balance in own.items()
            if balance != stated.get(asset, _ZERO)
        ]

    def _compared(self, request: VenueRequest, differences: list[str], now_ns: int) -> None:
        """Take one answer of two to the comparison that somebody asked for."""
        demand = self._demand
        if demand is None:
            return
        demand.missing.discard(type(request))
        demand.differences.extend(differences)
        if not demand.missing:
            self.reconciled = BooksReconciled(
                token=demand.token,
                took_ms=(now_ns - demand.asked_ns) // 1_000_000,
                differences=tuple(demand.differences),
            )
            self._demand = None

    def _ask_income(self, from_ms: int, now_ns: int, venue_time_ns: int) -> list[Effect]:
        query = QueryIncome(request_id=next(self._ids), venue_time_from_ms=from_ms, venue_time_ns=venue_time_ns)
        return self._audit.ask(query, now_ns)

    def _take_income(self, answer: IncomeAnswered, now_ns: int, venue_time_ns: int) -> list[Effect]:
        next_ms = self.income.take(answer.records, answer.complete)
        if next_ms is not None:
            return self._ask_income(next_ms, now_ns, venue_time_ns)
        effects: list[Effect] = []
        for (kind, asset), rest in self.income.reported().items():
            text = f"{kind} in {asset}: our books differ from the venue's income records by {rest}"
            code, subject = AlertCode.POSITION_MISMATCH, f"income {kind} {asset}"
            effects += self._notices.alert(code, Severity.WARNING, subject, text, now_ns)
        return effects

    def _refused(self, outcome: Refused, now_ns: int) -> list[Effect]:
        text = f"a question to the venue was refused: {outcome.text} ({outcome.venue_code})"
        if outcome.kind is RefusalKind.STOP_ACCOUNT:
            return self._notices.alert(AlertCode.KEY_REFUSED, Severity.CRITICAL, "account", text, now_ns)
        return [Log(LogLevel.WARNING, text)]
