"""Inventory's core with a clock, the events that move its books, and sequences of them for property tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from account_samples import (
    BTC,
    ETH,
    MS,
    START_NS,
    VENUE_OFFSET_NS,
    S,
    fill,
    mark,
    settings,
    spec,
    venue_clock,
)
from hypothesis import strategies as st

from actors.inventory.core import InventoryCore
from protocols.effects import Append, Call, Effect, TimerFired
from protocols.messages.orders import BalanceChanged, FundingPaid
from protocols.values import Side
from protocols.venue import (
    AssetRate,
    AssetRatesAnswered,
    BalanceReport,
    BalancesAnswered,
    PositionsAnswered,
    QueryAssetRates,
    QueryBalances,
    QueryPositions,
    Usage,
)

TICK = TimerFired(name="tick")


class Driver:
    """A core with a clock that answers nothing by itself. `journal` is what it appended."""

    def __init__(self, journal: list[Any] | None = None) -> None:
        self.now_ns = START_NS
        self.core = InventoryCore(spec("inventory"), settings(), journal or [])
        self.journal: list[Any] = list(journal or [])
        self.calls: list[Any] = []
        self.note(self.core.start(self.now_ns))

    def note(self, effects: list[Effect]) -> list[Effect]:
        self.journal += [effect.record for effect in effects if isinstance(effect, Append)]
        self.calls += [effect.request for effect in effects if isinstance(effect, Call)]
        return effects

    def tell(self, *messages: Any) -> list[Effect]:
        done: list[Effect] = []
        for message in messages:
            done += self.note(self.core.handle(message, self.now_ns))
        return done

    def wait(self, seconds: float) -> list[Effect]:
        self.now_ns += int(seconds * S)
        return self.tell(TICK)

    def asked(self, kind: type) -> Any:
        """The newest request of a kind."""
        return [request for request in self.calls if isinstance(request, kind)][-1]

    def answer(self, request: Any, outcome: type, **fields: Any) -> list[Effect]:
        return self.tell(outcome(request_id=request.request_id, received_ns=self.now_ns, usage=Usage(), **fields))

    def with_wallet(self, amount: str = "1000") -> Driver:
        """The venue's clock is known, the wallet opened, both symbols flat and known, both marks fresh."""
        self.tell(venue_clock(), TICK)
        balances = (BalanceReport(asset="USDC", wallet_balance=Decimal(amount)),)
        self.answer(self.asked(QueryBalances), BalancesAnswered, balances=balances)
        self.answer(self.asked(QueryPositions), PositionsAnswered, positions=())
        self.tell(mark("50000"), mark("2500", START_NS, ETH), TICK)
        return self

    def lots(self, symbol: str = "BTCUSDC") -> tuple[int, bool]:
        view = self.core.snapshot().symbols[symbol]
        return view.position_lots, view.known


def balance(event_seq: int, amount: str, change: str = "0", reason: str = "ORDER", **changes: Any) -> BalanceChanged:
    fields: dict[str, Any] = {
        "shard": 0,
        "event_seq": event_seq,
        "asset": "USDC",
        "wallet_balance": Decimal(amount),
        "balance_change": Decimal(change),
        "reason": reason,
        "venue_time_ns": START_NS + VENUE_OFFSET_NS + event_seq * MS,
    }
    return BalanceChanged(**{**fields, **changes})


def funding(event_seq: int, amount: str) -> FundingPaid:
    return FundingPaid(
        shard=0,
        event_seq=event_seq,
        instrument_id=BTC,
        asset="USDC",
        amount=Decimal(amount),
        transaction_id="",
        venue_time_ns=START_NS + VENUE_OFFSET_NS + event_seq * MS,
    )


sides = st.sampled_from(list(Side))


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), sides, st.integers(1, 50), st.integers(400_000, 600_000), st.integers(-300, 300)),
        st.tuples(st.just("funding"), st.integers(-1_000, 1_000)),
        st.tuples(st.just("transfer"), st.integers(-1_000, 1_000)),
    ),
    max_size=25,
)


def _events(happened: list[tuple[Any, ...]]) -> list[Any]:
    events: list[Any] = []
    for seq, what in enumerate(happened, 1):
        if what[0] == "fill":
            events.append(fill(seq, what[1], what[2], what[3], fee=Decimal(what[4]) / 100_000))
        elif what[0] == "funding":
            events.append(funding(seq, str(Decimal(what[1]) / 1_000)))
        else:
            events.append(balance(seq, "0", str(what[1]), "DEPOSIT", asset="USDC"))
    return events


def rates(inventory: Driver, **of: str) -> list[Effect]:
    told = tuple(AssetRate(asset=asset, rate=Decimal(rate)) for asset, rate in of.items())
    return inventory.answer(inventory.asked(QueryAssetRates), AssetRatesAnswered, rates=told)
