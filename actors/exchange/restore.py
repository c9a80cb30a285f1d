"""Loading a ledger into a new venue: accounts, positions, orders, countdowns and ids as they were after the last line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from actors.exchange import ledger
from actors.exchange.accounts import Account, Trade
from actors.exchange.contracts import Contract
from actors.exchange.market import Market
from actors.exchange.orders import Order
from actors.exchange.venue import Venue


def load(venue: Venue, records: Iterable[ledger.LedgerRecord]) -> int:
    """Replay the records of earlier runs; returns how many there were. Records of symbols no longer listed keep only the wallet."""
    loader = RecordLoader(venue.accounts, venue.markets, venue.restore_order)
    count = 0
    for record in records:
        loader.apply(record)
        count += 1
    venue.continue_after(loader.t_ns, loader.order_id, loader.tran_id)
    for (account, symbol), deadline_ns in loader.countdowns.items():
        if deadline_ns and symbol in venue.markets:
            venue.arm_countdown(account, symbol, deadline_ns)
    return count


class RecordLoader:
    """Applies records to accounts. `open_order` takes an accepted order in; `order_id` and `tran_id` are the highest seen."""

    def __init__(
        self,
        accounts: dict[str, Account],
        markets: Mapping[str, Market],
        open_order: Callable[[Account, Order], None],
    ) -> None:
        self.countdowns: dict[tuple[str, str], int] = {}
        self.t_ns = 0
        self.order_id = 0
        self.tran_id = 0
        self._accounts = accounts
        self._markets = markets
        self._open_order = open_order

    def apply(self, record: ledger.LedgerRecord) -> None:
        """Apply one record."""
        self.t_ns = max(self.t_ns, record.t)
        match record:
            case ledger.AccountOpened():
                account = Account(record.account, dict(record.balances), fee_burn=record.fee_burn)
                self._accounts[record.account] = account
            case ledger.OrderAccepted():
                self._accept(record)
            case ledger.OrderAmended():
                self._amend(record)
            case ledger.OrderCanceled():
                self._end(record, "CANCELED")
            case ledger.OrderExpired():
                self._end(record, "EXPIRED_IN_MATCH" if record.reason == "1" else "EXPIRED")
            case ledger.OrderFilled():
                self._fill(record)
            case ledger.SeamClosed():
                self._seam(record)
            case ledger.FundingPaid():
                self._funding(record)
            case ledger.InsuranceCleared():
                self._insurance(record)
            case ledger.CountdownSet():
                self.countdowns[(record.account, record.symbol)] = record.deadline_ns
            case ledger.LeverageSet():
                self._account(record.account).position(record.symbol).leverage = record.leverage
            case ledger.FeeBurnSet():
                self._account(record.account).fee_burn = record.fee_burn
            case ledger.VenueStarted() | ledger.SymbolListed() | ledger.TopSampled():
                pass
            case (
                ledger.RequestRefused()
                | ledger.RequestThrottled()
                | ledger.FaultInjected()
                | ledger.OtherModelFilled()
                | ledger.ContractChanged()
            ):
                pass

    def _account(self, name: str) -> Account:
        return self._accounts.setdefault(name, Account(name, {}))

    def _contract(self, symbol: str) -> Contract | None:
        market = self._markets.get(symbol)
        return market.contract if market is not None else None

    def _accept(self, record: ledger.OrderAccepted) -> None:
        self.order_id = max(self.order_id, record.order_id)
        contract = self._contract(record.symbol)
        if contract is None:
            return
        time_ms = record.t // 1_000_000
        order = Order(
            account=record.account,
            symbol=record.symbol,
            order_id=record.order_id,
            client_order_id=record.client_order_id,
            side=record.side,
            type=record.type,
            time_in_force=record.time_in_force,
            price_ticks=int(record.price / contract.tick_size),
            lots=int(record.quantity / contract.lot_size),
            reduce_only=record.reduce_only,
            stp_mode=record.stp_mode,
            good_till_ms=record.good_till_ms,
            created_ms=time_ms,
            updated_ms=time_ms,
        )
        self._open_order(self._account(record.account), order)

    def _amend(self, record: ledger.OrderAmended) -> None:
        contract = self._contract(record.symbol)
        order = self._account(record.account).orders.get(record.order_id)
        if contract is None or order is None:
            return
        order.price_ticks = int(record.price / contract.tick_size)
        order.lots = int(record.quantity / contract.lot_size)
        order.amendments += 1
        self._account(record.account).record_amendment(record, order.amendments)
        order.updated_ms = record.t // 1_000_000

    def _end(self, record: ledger.OrderCanceled | ledger.OrderExpired, status: str) -> None:
        account = self._account(record.account)
        order = account.orders.get(record.order_id)
        if order is not None:
            order.status = status
            order.updated_ms = record.t // 1_000_000
            account.ended(order)

    def _fill(self, record: ledger.OrderFilled) -> None:
        account = self._account(record.account)
        contract = self._contract(record.symbol)
        asset = record.commission_asset
        if record.bnb_after is not None:
            account.wallets[asset] = record.bnb_after
            asset = contract.margin_asset if contract is not None else ""
        account.wallets[asset] = record.wallet_after
        if contract is None:
            return
        self._markets[record.symbol].skip_trade_ids(record.trade_id)
        time_ms = record.t // 1_000_000
        order = account.orders.get(record.order_id)
        if order is not None:
            order.executed_lots = int(record.executed / contract.lot_size)
            order.executed_quote += record.price * record.quantity
            order.updated_ms = time_ms
            order.status = "FILLED" if order.remaining_lots == 0 else "PARTIALLY_FILLED"
            if order.status == "FILLED":
                account.ended(order)
        account.record_fill(contract, _trade(record, record.commission, maker=record.maker))
        position = account.position(record.symbol)
        position.amount, position.cost = record.position_after, record.entry_cost_after
        position.realized_total += record.realized_pnl

    def _seam(self, record: ledger.SeamClosed) -> None:
        account = self._account(record.account)
        account.wallets[record.commission_asset] = record.wallet_after
        self.order_id = max(self.order_id, record.order_id)
        contract = self._contract(record.symbol)
        if contract is None:
            return
        self._markets[record.symbol].skip_trade_ids(record.trade_id)
        account.record_fill(contract, _trade(record, Decimal(0), maker=False))
        position = account.position(record.symbol)
        position.amount, position.cost = record.position_after, Decimal(0)
        position.realized_total += record.realized_pnl

    def _funding(self, record: ledger.FundingPaid) -> None:
        self.tran_id = max(self.tran_id, record.tran_id)
        account = self._account(record.account)
        account.wallets[record.asset] = record.wallet_after
        contract = self._contract(record.symbol)
        if contract is not None:
            account.record_funding(contract, record.amount, record.tran_id, record.t // 1_000_000)

    def _insurance(self, record: ledger.InsuranceCleared) -> None:
        self.tran_id = max(self.tran_id, record.tran_id)
        account = self._account(record.account)
        account.wallets[record.asset] = record.wallet_after
        contract = self._contract(record.symbol)
        if contract is not None:
            account.record_insurance(contract, record.amount, record.tran_id, record.t // 1_000_000)


def _trade(record: ledger.OrderFilled | ledger.SeamClosed, commission: Decimal, *, maker: bool) -> Trade:
    return Trade(
        record.symbol,
        record.trade_id,
        record.order_id,
        record.side,
        record.price,
        record.quantity,
        record.realized_pnl,
        commission,
        record.commission_asset,
        maker,
        record.t // 1_000_000,
    )
