"""The venue's state: time, accounts, markets, ids, and what happened since the last drain. The rules are in its neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from actors.exchange import errors, ledger
from actors.exchange.accounts import Account, worst_margin
from actors.exchange.contracts import Contract
from actors.exchange.fee_schedule import FeeSchedule
from actors.exchange.market import Market, UpdateIds
from actors.exchange.orders import Order
from actors.exchange.streams import Publisher
from actors.exchange.user_stream import UserEvent
from actors.exchange.voice import WIRE, WireVoice
from configs.schema import ExchangeSettings, FeeSettings

REFUSAL_KINDS_MAX = 1_000


@dataclass(slots=True)
class Outcome:
    """What the venue did since the last drain, in order."""

    records: list[ledger.LedgerRecord] = field(default_factory=list)
    events: list[UserEvent] = field(default_factory=list)


class VenueState:
    """What the venue knows. Times are the venue's own, in ns since 1970, and never go back."""

    def __init__(
        self, settings: ExchangeSettings, contracts: Iterable[Contract], now_ns: int, voice: WireVoice = WIRE
    ) -> None:
        now_ms = now_ns // 1_000_000
        self.settings = settings
        self.publisher = Publisher()
        self.voice = voice
        self.outcome = Outcome()
        self.accounts: dict[str, Account] = {}
        self.now_ns = now_ns
        self.skew_ms = 0
        self.fee_schedule = FeeSchedule(settings)
        self.insurance_funds: dict[str, Decimal] = {}
        ids = UpdateIds(now_ms * 8)
        self.markets = {
            contract.symbol: Market(
                contract,
                self.publisher,
                ids,
                now_ms * 4,
                now_ns,
                probabilistic=settings.queue_model == "probabilistic",
                voice=voice,
            )
            for contract in contracts
        }
        self.order_id = now_ms
        self.tran_id = now_ms
        self._refusals: dict[tuple[str, str, str, int], tuple[int, str]] = {}
        self._throttles: dict[tuple[str, int, int], tuple[int, int, int]] = {}

    @property
    def now_ms(self) -> int:
        """The venue's time in milliseconds."""
        return self.now_ns // 1_000_000

    @property
    def clock_ms(self) -> int:
        """The time that the venue's door goes by; a fault may set it wrong."""
        return self.now_ms + self.skew_ms

    @property
    def next_order_id(self) -> int:
        """The id that the next accepted order gets."""
        return self.order_id + 1

    def market(self, symbol: str) -> Market:
        """The market of a symbol; an unknown one is refused with -1121."""
        found = self.markets.get(symbol)
        if found is None:
            raise errors.invalid_symbol()
        return found

    def account(self, name: str) -> Account:
        """The account of a name; opened with the configured balances when it is new."""
        found = self.accounts.get(name)
        if found is None:
            found = self.accounts[name] = Account(name, dict(self.settings.balances), fee_burn=self.settings.fee_burn)
            self.record(
                ledger.AccountOpened(
                    t=self.now_ns,
                    account=name,
                    balances=dict(self.settings.balances),
                    fee_burn=self.settings.fee_burn,
                )
            )
        return found

    def fees(self, contract: Contract) -> FeeSettings:
        """Maker and taker rate of a contract."""
        return self.fee_schedule.rates(contract)

    def refuse(self, account: str, symbol: str, method: str, code: int, client_order_id: str) -> None:
        """Count a refused trading request for the ledger."""
        key = (account, symbol, method, code)
        count, first_id = self._refusals.get(key, (0, client_order_id))
        if count or len(self._refusals) < REFUSAL_KINDS_MAX:
            self._refusals[key] = (count + 1, first_id)

    def throttle(self, address: str, refusal: errors.VenueRefusal, sent_ms: int) -> None:
        """Count a request refused for exceeding a limit, for the ledger."""
        key = (address, refusal.http_status, refusal.code)
        count, until_ns, newest_ms = self._throttles.get(key, (0, 0, 0))
        if count or len(self._throttles) < REFUSAL_KINDS_MAX:
            wait_ns = (refusal.retry_after_s or 0) * 1_000_000_000
            self._throttles[key] = (count + 1, max(until_ns, self.now_ns + wait_ns), max(newest_ms, sent_ms))

    def flush_refusals(self) -> None:
        """Write the counted refusals."""
        for (account, symbol, method, code), (count, client_order_id) in self._refusals.items():
            self.record(
                ledger.RequestRefused(
                    t=self.now_ns,
                    account=account,
                    symbol=symbol,
                    method=method,
                    code=code,
                    count=count,
                    client_order_id=client_order_id,
                )
            )
        self._refusals.clear()
        for (address, status, code), (count, until_ns, sent_ms) in self._throttles.items():
            self.record(
                ledger.RequestThrottled(
                    t=self.now_ns,
                    address=address,
                    status=status,
                    code=code,
                    until_ns=until_ns,
                    count=count,
                    sent_ms=sent_ms,
                )
            )
        self._throttles.clear()

    def available(self, account: Account, asset: str, extra: Order | None = None) -> Decimal:
        """Margin left in an asset: wallet and unrealized PnL less the initial margin of positions and open orders."""
        free = account.wallets.get(asset, Decimal(0))
        symbols = {order.symbol for order in account.live.values()} | set(account.positions)
        if extra is not None:
            symbols.add(extra.symbol)
        for symbol in symbols:
            market = self.markets.get(symbol)
            if market is None or market.contract.margin_asset != asset:
                continue
            mark, position = market.mark_price, account.positions.get(symbol)
            if position is not None and position.amount:
                free += position.unrealized(mark)
            mine = extra if extra is not None and extra.symbol == symbol else None
            free -= worst_margin(account, market.contract, mark, mine)
        return free

    def next_tran_id(self) -> int:
        """A new id of income that is no trade."""
        self.tran_id += 1
        return self.tran_id

    def record(self, record: ledger.LedgerRecord) -> None:
        """Put a record into the ledger's next lines."""
        self.outcome.records.append(record)

    def reducible_lots(self, account: Account, order: Order) -> int:
        """Lots of the position that an order of this side can close."""
        amount = account.position(order.symbol).amount
        if amount == 0 or (amount > 0) == order.is_buy:
            return 0
        return int(abs(amount) / self.markets[order.symbol].contract.lot_size)

    def tell(self, event: UserEvent) -> None:
        """Tell an account."""
        self.outcome.events.append(event)
