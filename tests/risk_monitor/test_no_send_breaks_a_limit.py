"""The law of limits: whatever happens, no send raises the worst case above the limit in force, summed over three shards.

The real lease desk answers; three shards hold real leases, order tables and the real pre-trade check. Requests and answers are lost,
delayed and repeated, shards die and recover, the venue's calls fail, marks (each shard's and the risk monitor's at their own time) and
equity move, orders fill, rest and are cancelled, levels are held.

What is checked of every send that raises the worst case: it stays within the symbol's limit of the lease and within the shard's share, and
all shards together stay within the account's limit, but for what the marks have made of the orders and positions of others since.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from account_samples import BTC, ETH, SOL, START_NS, equity, instrument, mark, position, settings, spec, venue_clock
from hypothesis import HealthCheck, given
from hypothesis import settings as law
from hypothesis import strategies as st

from actors.order_manager.gate import Limits, check_order
from actors.order_manager.lease import LeaseClient
from actors.order_manager.orders import Order, OrderState
from actors.order_manager.outbox import Outbox
from actors.order_manager.symbol import NOTIONAL_SCALE, Symbol, scaled_notional
from actors.risk_monitor.core import RiskMonitorCore
from configs.schema import OrderManagerSettings
from protocols.effects import Call, Send, TimerFired
from protocols.messages.control import EpochAnnounced, HoldLevel
from protocols.messages.market import BookTop
from protocols.messages.orders import RateUsage
from protocols.messages.risk import Lease, RiskLevel, TradingState
from protocols.values import InstrumentId, Side, TimeInForce
from protocols.venue import NotSent, Usage

MEMBERS = (BTC, ETH, SOL)
PRICES = {BTC: 500_000, ETH: 25_000, SOL: 1_500}
LIMIT = Decimal(6_000)
SYMBOL_SHARE = "5%"
EQUITY = 100_000
MS = 1_000_000


def top(instrument_id: InstrumentId, price: int) -> BookTop:
    return BookTop(
        instrument_id=instrument_id,
        instrument_version=1,
        update_id=1,
        venue_time_ns=1,
        received_ns=1,
        bids=((price - 1, 1),),
        asks=((price + 1, 1),),
    )


class Shard:
    """One order manager: its lease, its symbol, and the check before each send."""

    def __init__(self, number: int, epoch: int, symbol: Symbol) -> None:
        self.number, self.epoch, self.symbol = number, epoch, symbol
        self.lease = LeaseClient(number, epoch, 1)
        self.recovered = True
        self.names = 0
        self.price = PRICES[symbol.instrument_id]
        self.share = 0
        """The last share that it was given, in scaled notional."""

    def take(self, lease: Lease) -> None:
        self.lease.take(lease)
        if self.lease.held is not None:
            self.share = scaled_notional(self.lease.held.notional_share)

    def see(self, price: int, now_ns: int) -> None:
        """The market and its mark are here now."""
        self.price = price
        self.symbol.take_top(top(self.symbol.instrument_id, price))
        self.symbol.take_mark(mark(str(Decimal(price) / 10), now_ns, self.symbol.instrument_id))

    @property
    def worst_notional(self) -> int:
        return self.symbol.worst_notional()

    def ask(self, now_ns: int) -> Any:
        return self.lease.request(Decimal(self.worst_notional) / NOTIONAL_SCALE, self.recovered, now_ns)

    def send(self, side: Side, offset: int, lots: int, now_ns: int) -> Order | None:
        """Place an order if every check lets it; the order."""
        held, instrument_id = self.lease.held, self.symbol.instrument_id
        if held is None or self.lease.is_over(now_ns) or not self.recovered:
            return None
        told = self.lease.limits(instrument_id)
        state = self.lease.state(instrument_id)
        if told is None or state is TradingState.HALTED:
            return None
        reduce_only = state is TradingState.REDUCING
        price_ticks = self.price - side.sign * offset
        room = scaled_notional(held.notional_share)
        if check_order(self.symbol, Limits(told, state), side, price_ticks, lots, reduce_only, room) is not None:
            return None
        self.names += 1
        order = Order(
            client_order_id=f"rm1-{self.epoch}-{self.number}00-{self.names}",
            epoch=self.epoch,
            side=side,
            price_ticks=price_ticks,
            lots=lots,
            time_in_force=TimeInForce.POST_ONLY,
            reduce_only=reduce_only,
            created_ns=now_ns,
            deadline_venue_ns=0,
        )
        order.state = OrderState.NEW
        self.symbol.table.add(order)
        return order


class Account:
    """Three shards, one risk monitor, and everything that goes wrong between them."""

    def __init__(self) -> None:
        own = settings(
            symbols=("BTCUSDC", "ETHUSDC", "SOLUSDC"),
            shards=3,
            risk={
                "position_notional_max": SYMBOL_SHARE,
                "order_notional_max": 2_000,
                "account_notional_max": LIMIT,
                "daily_loss_max": 10**6,
                "drawdown_max": "5000%",
            },
        )
        self.now_ns = START_NS
        self.prices = dict(PRICES)
        self.equity = EQUITY
        self.failures = [0, 0, 0]
        shards = tuple((member,) for member in MEMBERS)
        self.core = RiskMonitorCore(spec("risk_monitor", shards), own)
        self.core.start(self.now_ns)
        self.shards = [self._new_shard(number, 5, None) for number in range(3)]
        self.answers: list[tuple[int, Lease]] = []
        for number in range(3):
            self.tell(EpochAnnounced(name=f"order_manager-{number}", shard=number, epoch=5, announced_ns=0))
        self.tell(venue_clock())
        self.refresh()

    def _new_shard(self, number: int, epoch: int, before: Symbol | None) -> Shard:
        made = Symbol(
            instrument(MEMBERS[number], notional_min=Decimal(0)),
            install="1",
            epoch=epoch,
            shard=number,
            symbol_code=0,
            settings=OrderManagerSettings(),
            price_band_bps_max=1_000,
            outbox=Outbox(number, f"order_manager-{number}"),
        )
        if before is not None:
            made.table = before.table
        shard = Shard(number, epoch, made)
        shard.see(self.prices[MEMBERS[number]], self.now_ns)
        return shard

    def tell(self, message: Any) -> None:
        for effect in self.core.handle(message, self.now_ns):
            if isinstance(effect, Send) and isinstance(effect.body, Lease):
                self.answers.append((effect.body.shard, effect.body))
            elif isinstance(effect, Call):
                lost = NotSent(
                    request_id=effect.request.request_id,  # type: ignore[attr-defined]
                    received_ns=self.now_ns,
                    usage=Usage(),
                    reason="",
                )
                self.core.handle(lost, self.now_ns)

    def refresh(self) -> None:
        for shard in self.shards:
            member = shard.symbol.instrument_id
            self.tell(mark(str(Decimal(self.prices[member]) / 10), self.now_ns, member))
            self.tell(position(shard.symbol.table.position_lots, member))
        self.tell(equity(str(self.equity), self.now_ns))

    def worst(self) -> int:
        return sum(shard.worst_notional for shard in self.shards)

    def send(self, shard: Shard, side: Side, offset: int, lots: int) -> None:
        before = self.worst()
        order = shard.send(side, offset, lots, self.now_ns)
        if order is None or self.worst() <= before:
            return
        told = shard.lease.limits(shard.symbol.instrument_id)
        assert told is not None and shard.lease.held is not None
        assert shard.worst_notional <= scaled_notional(told.notional_max), "above the symbol's limit of the lease"
        assert shard.worst_notional <= scaled_notional(shard.lease.held.notional_share), "above the shard's share"
        moved = sum(max(other.worst_notional - other.share, 0) for other in self.shards if other is not shard)
        assert self.worst() - moved <= scaled_notional(LIMIT), "above the account's limit"

    def step(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("send", number, side, offset, lots):
                self.send(self.shards[number], side, offset, lots)
            case ("ask", number):
                request = self.shards[number].ask(self.now_ns)
                if request is not None:
                    self.tell(request)
            case ("answer", index) if self.answers:
                number, lease = self.answers[index % len(self.answers)]
                self.shards[number].take(lease)
            case ("lose", index) if self.answers:
                del self.answers[index % len(self.answers)]
            case ("fill", number, index, share):
                self._fill(self.shards[number], index, share)
            case ("cancel", number, index):
                self._cancel(self.shards[number], index)
            case ("die", number):
                old = self.shards[number]
                self.shards[number] = new = self._new_shard(number, old.epoch + 1, old.symbol)
                new.recovered, new.share = False, old.share
                self.tell(EpochAnnounced(name=f"order_manager-{number}", shard=number, epoch=new.epoch, announced_ns=0))
            case ("recover", number):
                self.shards[number].recovered = True
            case ("move", number, part):
                member = MEMBERS[number]
                self.prices[member] = max(round(self.prices[member] * part), PRICES[member] // 10)
            case ("see", number):
                self.shards[number].see(self.prices[MEMBERS[number]], self.now_ns)
            case ("equity", amount):
                self.equity = amount
            case ("fail", number, calls):
                self.failures[number] += calls
                usage = RateUsage(
                    shard=number,
                    weight_used_1m=1,
                    orders_used_10s=1,
                    orders_used_1m=1,
                    observed_ns=self.now_ns,
                    answers_total=self.failures[number],
                    failures_total=self.failures[number],
                )
                self.tell(usage)
            case ("time", milliseconds):
                self.now_ns += milliseconds * MS
                self.refresh()
                self.tell(TimerFired(name="judge"))
            case ("hold", level):
                self.tell(HoldLevel(subject="account", level=level, reason=""))
            case _:
                pass

    def _fill(self, shard: Shard, index: int, share: float) -> None:
        live = [order for order in shard.symbol.table.live.values() if order.open_lots > 0]
        if not live:
            return
        order = live[index % len(live)]
        lots = max(int(order.open_lots * share), 1)
        table = shard.symbol.table
        order.booked_lots += lots
        table.position_lots += order.side.sign * lots
        if order.open_lots <= 0:
            del table.live[order.client_order_id]
        table.touch()

    def _cancel(self, shard: Shard, index: int) -> None:
        live = list(shard.symbol.table.live)
        if live:
            del shard.symbol.table.live[live[index % len(live)]]
            shard.symbol.table.touch()


NUMBER = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(
        st.just("send"),
        NUMBER,
        st.sampled_from(list(Side)),
        st.integers(1, 40),
        st.integers(1, 40) | st.integers(1, 1_500),
    ),
    st.tuples(st.just("ask"), NUMBER),
    st.tuples(st.just("answer"), st.integers(0, 20)),
    st.tuples(st.just("lose"), st.integers(0, 20)),
    st.tuples(st.just("fill"), NUMBER, st.integers(0, 9), st.floats(0.1, 1)),
    st.tuples(st.just("cancel"), NUMBER, st.integers(0, 9)),
    st.tuples(st.just("die"), NUMBER),
    st.tuples(st.just("recover"), NUMBER),
    st.tuples(st.just("time"), st.sampled_from([1, 20, 250, 900, 1_100, 6_000])),
    st.tuples(st.just("move"), NUMBER, st.floats(0.9, 1.12)),
    st.tuples(st.just("see"), NUMBER),
    st.tuples(st.just("equity"), st.integers(40_000, 200_000)),
    st.tuples(st.just("fail"), NUMBER, st.sampled_from([1, 30])),
    st.tuples(st.just("hold"), st.sampled_from([None, RiskLevel.CAUTION, RiskLevel.RESTRICTED])),
)


def trade_within_limits(account: Account, steps: list[tuple[Any, ...]]) -> None:
    """Each send asserts the law as it leaves (`Account`)."""
    for step in steps:
        account.step(step)


@law(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=10, max_size=80))
def test_no_send_raises_the_worst_case_above_the_limit_in_force_over_three_shards(steps: list[tuple[Any, ...]]) -> None:
    trade_within_limits(Account(), steps)


@law(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=10, max_size=60))
def test_nor_does_it_after_shards_have_traded_up_to_their_limit(steps: list[tuple[Any, ...]]) -> None:
    account = filled()
    trade_within_limits(account, steps)


def filled() -> Account:
    """Three shards that quote as much as they may."""
    account = Account()
    for _ in range(12):
        for number in range(3):
            trade_within_limits(account, [("ask", number), ("answer", len(account.answers) - 1)])
        account.answers = account.answers[-3:]
        for number in range(3):
            lots = {BTC: 10, ETH: 200, SOL: 1_400}[MEMBERS[number]]
            trade_within_limits(
                account, [("ask", number), ("answer", -1), ("send", number, Side.BUY, 5, lots), ("time", 250)]
            )
    return account


def test_the_law_is_not_empty_shards_do_trade_up_to_their_limit() -> None:
    assert filled().worst() > scaled_notional(LIMIT * Decimal("0.5"))


def test_a_mark_that_rises_leaves_no_room_for_a_send() -> None:
    account = filled()
    before = account.worst()
    trade_within_limits(account, [("move", 0, 1.12), ("see", 0), ("ask", 0), ("answer", -1)])
    assert account.worst() > before
    worst = account.worst()
    trade_within_limits(account, [("send", 0, Side.BUY, 5, 10)] * 5)
    assert account.worst() == worst
