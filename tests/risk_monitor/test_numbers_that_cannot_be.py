"""Every number of every message that the risk monitor takes, replaced by what it cannot be: nothing fails, no lease grows, levels rise."""

from __future__ import annotations

import copy
import functools
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from account_samples import BTC, VENUE_OFFSET_NS, alert_codes, fill, position, venue_clock, venue_position
from golden_messages import sample
from poisoned_numbers import BAD_DECIMALS, BAD_INTEGERS, Path, numbers_in, replaced, written
from risk_market import Market
from risk_monitor_rig import Driver

from protocols.effects import Append, Effect, Send
from protocols.envelope import Message
from protocols.mailboxes import RiskMonitorMailbox
from protocols.messages.inventory import PnlChanged
from protocols.messages.orders import (
    BalanceChanged,
    FundingPaid,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderUnknown,
    RateUsage,
)
from protocols.messages.risk import Lease, LeaseRequest, RiskLevel
from protocols.values import Side
from protocols.venue import (
    Bracket,
    BracketReport,
    ExecutionKind,
    OrderReport,
    OrderStatus,
    OrderUpdate,
    Outcome,
    PositionUpdate,
    RuleReport,
    SymbolConfigReport,
)

NOT_USED = {
    "MarkPrice.index_price",
    "PositionChanged.average_price",
    "EquityChanged.day_pnl",
    "BalanceChanged.wallet_balance",
    "FundingPaid.amount",
    "VenuePosition.entry_price",
    "PositionUpdate.entry_price",
}
"""Amounts that the risk monitor reads nowhere: it has its own way to know what they say."""

NEVER_NEGATIVE: dict[type[Message], tuple[str, ...]] = {
    OrderAccepted: ("price_ticks", "quantity_lots", "filled_lots"),
    OrderAmended: ("price_ticks", "quantity_lots", "filled_lots"),
    OrderUnknown: ("price_ticks", "quantity_lots"),
    OrderFilled: ("price_ticks", "quantity_lots", "remaining_lots"),
    OrderCanceled: ("filled_lots",),
    OrderExpired: ("filled_lots",),
}


class Poisoned(Market):
    """A calm market with orders and a position, in which one number of one kind of message is wrong from some moment on."""

    poison: Callable[[Any], Any] = staticmethod(lambda message: message)
    number = 0

    def tell(self, *messages: Any) -> list[Effect]:
        return super().tell(*map(self.poison, messages))

    def venue(self, request: Any) -> Any:
        return self.poison(super().venue(request))

    def refresh(self, amount: str = "100000", btc_lots: int = 2, btc_mark: str = "50000") -> None:
        super().refresh(amount, btc_lots, btc_mark)

    def ask(self, **changes: Any) -> Any:
        """A request may get no lease here."""
        leases = [effect.body for effect in self.tell_request() if isinstance(effect, Send)]
        return leases[0] if leases else None

    def second(self) -> list[Lease]:
        """Everybody speaks; the leases that are given."""
        before = len(self.effects)
        self.pass_ms(1_000)
        self.number += 1
        for message in self._messages():
            self.tell(message)
        return [e.body for e in self.effects[before:] if isinstance(e, Send) and isinstance(e.body, Lease)]

    def _messages(self) -> list[Message]:
        now_ns, number, seq = self.now_ns, self.number, self.number * 10
        of: dict[str, Any] = {
            "shard": 0,
            "instrument_id": BTC,
            "client_order_id": f"rm1-5-000-{number}",
            "venue_order_id": number,
            "venue_time_ns": now_ns + VENUE_OFFSET_NS,
            "side": Side.BUY,
        }
        shape: dict[str, Any] = {"price_ticks": 499_990, "quantity_lots": 3}
        head: dict[str, Any] = {"shard": 0, "venue_time_ns": now_ns + VENUE_OFFSET_NS}
        report = OrderReport(
            **{k: v for k, v in of.items() if k != "shard"},
            **shape,
            status=OrderStatus.CANCELED,
            filled_lots=1,
            reduce_only=False,
        )
        zero = Decimal(0)
        return [
            venue_clock(now_ns),
            RateUsage(
                shard=0,
                weight_used_1m=10,
                orders_used_10s=1,
                orders_used_1m=3,
                observed_ns=now_ns,
                answers_total=number * 10,
                failures_total=0,
                round_trip_us_total=number * 30_000,
            ),
            PnlChanged(
                instrument_id=BTC, realised=zero, unrealised=zero, fees=zero, funding=zero, net=zero, valued_ns=now_ns
            ),
            OrderAccepted(event_seq=seq + 1, **of, **shape, filled_lots=0),
            OrderAmended(event_seq=seq + 2, **of, **shape, filled_lots=0),
            fill(seq + 3, Side.BUY, 1, 499_990, client_order_id=of["client_order_id"], remaining_lots=2),
            OrderCanceled(event_seq=seq + 4, **of, filled_lots=1),
            OrderUnknown(event_seq=seq + 5, **of, **shape, reason=""),
            OrderExpired(event_seq=seq + 6, **of, filled_lots=0, reason=""),
            BalanceChanged(
                event_seq=seq + 7, **head, asset="USDC", wallet_balance=zero, balance_change=zero, reason="DEPOSIT"
            ),
            FundingPaid(
                event_seq=seq + 8, **head, instrument_id=BTC, asset="USDC", amount=zero, transaction_id=str(seq)
            ),
            venue_position(seq + 9, 2, venue_time_ns=head["venue_time_ns"]),
            PositionUpdate(
                instrument_id=BTC,
                position_lots=2,
                entry_price=Decimal(1),
                reason="ORDER",
                venue_time_ns=now_ns,
                received_ns=now_ns,
            ),
            OrderUpdate(kind=ExecutionKind.CANCELED, order=report, fill=None, reason="", received_ns=now_ns),
        ]

    @property
    def worst(self) -> RiskLevel:
        shown = self.core.snapshot()
        return max(RiskLevel(shown.level), RiskLevel(shown.symbols["BTCUSDC"].level), key=lambda one: one.rank)


@functools.cache
def _calm() -> Poisoned:
    market = Poisoned(indicators={"time_to_fill": {"warning": None, "limit": None}})
    market.venue_adl = {BTC: 1}
    market.venue_maintenance = Decimal(100)
    market.venue_configs = [
        SymbolConfigReport(instrument_id=BTC, leverage=20, notional_max=Decimal(50_000), margin_type="CROSSED")
    ]
    market.venue_rules = [
        RuleReport(
            symbol="BTCUSDC",
            rule="GCR",
            locked=False,
            value=Decimal("0.1"),
            trigger=Decimal("0.99"),
            recovers_venue_ms=0,
        )
    ]
    bracket = Bracket(notional_cap=Decimal(50_000), leverage_max=20, maintenance_rate=Decimal("0.01"))
    market.venue_brackets = [BracketReport(instrument_id=BTC, brackets=(bracket,))]
    market.calm()
    for _ in range(3):
        market.second()
    market.effects.clear()
    return market


def calm() -> Poisoned:
    """A market that has been calm for a while, whole and at NORMAL."""
    return copy.deepcopy(_calm())


@functools.cache
def heard() -> dict[str, Message]:
    """The fullest message of each kind with numbers that a calm minute tells."""
    market, found = calm(), dict[str, Message]()
    market.poison = lambda message: _keep(found, message)
    for _ in range(70):
        market.second()
    assert market.worst is RiskLevel.NORMAL
    return found


def _keep(found: dict[str, Message], message: Message) -> Message:
    name = type(message).__name__
    known = found.get(name)
    if known is None or len(list(numbers_in(message))) > len(list(numbers_in(known))):
        found[name] = message
    return message


def poisoned(kind: type, path: Path, number: Any) -> Poisoned:
    market = calm()
    market.poison = lambda message: replaced(message, path, number) if type(message) is kind else message
    return market


def places(wanted: type) -> list[Any]:
    return [
        pytest.param(type(message), path, id=f"{name}.{written(path)}")
        for name, message in heard().items()
        for path, number in numbers_in(message)
        if isinstance(number, wanted)
    ]


def test_every_kind_of_message_with_amounts_is_heard_here() -> None:
    with_amounts = {
        kind.__name__
        for kind in typing.get_args(RiskMonitorMailbox)
        if any(isinstance(number, Decimal) for _, number in numbers_in(sample(kind)))
    }
    others_hear_them = {
        "BalanceUpdate",
        "InstrumentTaken",
        "FillsAnswered",
        "BalancesAnswered",
        "IncomeAnswered",
        "AssetRatesAnswered",
    }
    assert with_amounts - others_hear_them <= {*heard(), "OrderUpdate"}


@pytest.mark.parametrize(("kind", "path"), [*places(int), *places(Decimal)])
def test_nothing_fails_and_no_lease_grows(kind: type, path: Path) -> None:
    usual = calm().second()[-1]
    amount = next(number for at, number in numbers_in(heard()[kind.__name__]) if at == path)
    for bad in BAD_DECIMALS if isinstance(amount, Decimal) else BAD_INTEGERS:
        market = poisoned(kind, path, bad)
        for _ in range(4):
            for lease in market.second():
                assert lease.notional_share <= usual.notional_share
                for limits, before in zip(lease.limits, usual.limits, strict=True):
                    assert limits.notional_max <= before.notional_max
                    assert 0 <= limits.position_lots_max <= before.position_lots_max
                    assert 0 <= limits.order_lots_max <= before.order_lots_max
        kept = [number for e in market.effects if isinstance(e, Append) for _, number in numbers_in(e.record)]
        assert all(number.is_finite() for number in kept if isinstance(number, Decimal))


@pytest.mark.parametrize(("kind", "path"), places(Decimal))
@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_restricts_and_is_told(kind: type, path: Path, bad: str) -> None:
    if f"{kind.__name__}.{written(path)}" in NOT_USED:
        return
    market = poisoned(kind, path, Decimal(bad))
    leases: list[Lease] = []
    highest = RiskLevel.NORMAL
    for _ in range(62 if issubclass(kind, Outcome) else 2):
        leases = market.second()
        highest = max(highest, market.worst, key=lambda one: one.rank)
        if highest.rank >= RiskLevel.RESTRICTED.rank:
            break
    if kind is LeaseRequest:
        assert leases == [], "who asks so gets no lease"
        return
    assert highest.rank >= RiskLevel.RESTRICTED.rank
    assert "BAD_DATA" in {code for code, _ in alert_codes(market.effects)}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in NEVER_NEGATIVE.items() for name in names])
def test_an_order_of_less_than_nothing_restricts_its_symbol(kind: type, name: str) -> None:
    for bad in (-1, -(10**18), 10**18):
        if name == "price_ticks" and bad > 0:
            continue
        market = poisoned(kind, (name,), bad)
        market.second()
        reason = market.core.snapshot().symbols["BTCUSDC"].reason
        assert market.worst.rank >= RiskLevel.RESTRICTED.rank
        assert kind.__name__ in reason, "the reason says what was refused"


def test_a_refused_number_restricts_as_long_as_it_is_said_and_not_longer() -> None:
    market = poisoned(PnlChanged, ("net",), Decimal("NaN"))
    market.second()
    shown = market.core.snapshot()
    assert (shown.symbols["BTCUSDC"].level, shown.symbols["ETHUSDC"].level) == ("RESTRICTED", "NORMAL")
    assert shown.symbols["BTCUSDC"].reason == "a number that cannot be was refused: a PnL of NaN"
    market.poison = lambda message: message
    for _ in range(3):
        market.second()
    assert market.worst is RiskLevel.NORMAL


def test_a_symbol_that_is_not_traded_restricts_the_account() -> None:
    risk = Driver().healthy()
    risk.ask()
    risk.tell(position(7, fill(1, Side.BUY, 1, 1).instrument_id.replace("BTCUSDC", "DOGEUSDC")))  # type: ignore[arg-type]
    shown = risk.core.snapshot()
    assert shown.level == "RESTRICTED"
    assert "DOGEUSDC, which is not traded" in shown.reason


def test_a_feed_that_says_it_is_alive_in_the_future_grows_old_like_any_other() -> None:
    market = calm()
    late = market.alive(BTC)
    market.tell(msgspec.structs.replace(late, confirmed_ns=market.now_ns + 10**18))
    for _ in range(8):
        market.now_ns += 10**9
        market.refresh()
        market.tell_timer()
    assert market.seen()["book_age"] == pytest.approx(8)


def test_a_venues_clock_that_leaps_begins_no_other_day() -> None:
    market = calm()
    day = market.core.snapshot().day
    market.tell(msgspec.structs.replace(venue_clock(market.now_ns), offset_ns=VENUE_OFFSET_NS + 86_400 * 10**9))
    market.tell_timer()
    assert (market.core.snapshot().day, market.core.snapshot().level) == (day, "RESTRICTED")
