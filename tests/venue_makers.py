"""Makers without skill that trade on the simulated venue in virtual time, and what their fills were worth a second later.

A maker sees every frame of the source at once and speaks to the venue through its signed REST interface; the venue's own order latency
is the only delay. Nothing here uses the future to decide: markouts are computed afterwards.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from math import sqrt
from typing import Any, NamedTuple
from urllib.parse import urlencode

from venue_rig import ACCOUNT, KEY, MS, SECRET, settings, sign

from actors.exchange import ledger
from actors.exchange.api import RestRequest
from actors.exchange.authentication import hmac_credential
from actors.exchange.contracts import Contract
from actors.exchange.exchange import Exchange
from actors.exchange.frames import Frame, PrintFrame, TickerFrame
from configs.schema import ExchangeSettings

SECOND_NS = 1_000_000_000
ANY_NUMBER = 10_000_000
FREE = {"maker": "0", "taker": "0"}


class Trade(NamedTuple):
    """A fill, or a print as its maker saw it: `sign` is +1 where the maker bought."""

    at_ns: int
    sign: int
    price: float
    quantity: float
    name: str = ""


def generous(**changes: Any) -> ExchangeSettings:
    """A venue that refuses no skill-less maker for its rate, its margin or a fee."""
    wide: dict[str, Any] = {
        "weight_per_minute": ANY_NUMBER,
        "orders_per_10s": ANY_NUMBER,
        "orders_per_minute": ANY_NUMBER,
        "balances": {"USDT": "1000000000", "USDC": "1000000000"},
        "fees": {"USDT": FREE, "USDC": FREE},
    }
    return settings(**(wide | changes))


class Mids:
    """The recorded mid over time."""

    def __init__(self, frames: Iterable[Frame], symbol: str, tick: float) -> None:
        self.times: list[int] = []
        self.mids: list[float] = []
        for frame in frames:
            if isinstance(frame, TickerFrame) and frame.symbol == symbol:
                self.times.append(frame.at_ns)
                self.mids.append((frame.bid + frame.ask) / 2 * tick)

    def at(self, at_ns: int) -> float:
        """The last mid known at a time."""
        return self.mids[max(0, bisect_right(self.times, at_ns) - 1)]

    @property
    def end_ns(self) -> int:
        return self.times[-1]


def markout_bps(trades: Iterable[Trade], mids: Mids, horizon_ns: int = SECOND_NS) -> float:
    """Volume-weighted gain of the makers against the mid after the horizon; what happens later than the last mid does not count."""
    gained, traded = 0.0, 0.0
    for trade in trades:
        if trade.at_ns + horizon_ns > mids.end_ns:
            continue
        notional = trade.price * trade.quantity
        gained += trade.sign * (mids.at(trade.at_ns + horizon_ns) / trade.price - 1) * 1e4 * notional
        traded += notional
    return gained / traded if traded else 0.0


def prints_as_trades(frames: Iterable[Frame], symbol: str, tick: float, lot: float) -> list[Trade]:
    """The tape as its makers saw it."""
    return [
        Trade(frame.at_ns, 1 if frame.buyer_is_maker else -1, frame.price_ticks * tick, frame.lots * lot)
        for frame in frames
        if isinstance(frame, PrintFrame) and frame.symbol == symbol
    ]


@dataclass(slots=True)
class Quote:
    """What a maker wants at one side, and the order it sent for it."""

    name: str
    price_ticks: int
    left: Decimal


@dataclass
class Desk:
    """One account at the venue: sends signed requests, and knows its quotes from the venue's records."""

    exchange: Exchange
    now_ns: int
    contract: Contract
    lots: int
    quotes: dict[str, Quote] = field(default_factory=dict)
    records: list[ledger.LedgerRecord] = field(default_factory=list)
    heard: list[ledger.LedgerRecord] = field(default_factory=list)
    answered: int = 0
    too_late: int = 0
    """Of the quotes that were answered: how many would have taken when they arrived, and were refused as post-only."""
    _tickets: dict[int, str] = field(default_factory=dict)
    _names: Any = field(default_factory=lambda: itertools.count(1))

    def best(self, side: str) -> int | None:
        book = self.exchange.venue.markets[self.contract.symbol].book
        return book.side(bids=side.startswith("BUY")).best()

    def take(self, side: str, price_ticks: int) -> str:
        """Trade at once up to this price, or not at all; returns the order's name."""
        name = f"take{next(self._names)}"
        self._send("POST", "", side=side, timeInForce="IOC", **self._limit(name, price_ticks))
        return name

    def want(self, side: str, price_ticks: int | None) -> None:
        """Stand at this price: whatever stands elsewhere is canceled in the same moment."""
        quote = self.quotes.get(side)
        if quote is not None and quote.price_ticks != price_ticks:
            self._send("DELETE", "", origClientOrderId=quote.name)
            del self.quotes[side]
            quote = None
        if quote is None and price_ticks is not None:
            self._place(side, price_ticks)

    def _place(self, side: str, price_ticks: int) -> None:
        name = f"{side}{next(self._names)}"
        self.quotes[side] = Quote(name, price_ticks, self.contract.quantity(self.lots))
        self._send("POST", name, side=side.partition("-")[0], timeInForce="GTX", **self._limit(name, price_ticks))

    def _limit(self, name: str, price_ticks: int) -> dict[str, str]:
        numbers = self.exchange.venue.markets[self.contract.symbol].numbers
        price, quantity = numbers.price_text(price_ticks), numbers.quantity_text(self.lots)
        return {"type": "LIMIT", "price": price, "quantity": quantity, "newClientOrderId": name}

    def _send(self, method: str, placed: str, **params: str) -> None:
        named = {"symbol": self.contract.symbol, "timestamp": str(self.now_ns // MS), "recvWindow": "60000"}
        query = urlencode(named | params)
        query = f"{query}&signature={sign(query)}"
        request = RestRequest(method=method, path="/fapi/v1/order", raw_query=query, api_key=KEY)
        ticket = self.exchange.receive_rest(request, self.now_ns)
        if placed:
            self._tickets[ticket] = placed

    def hear(self) -> None:
        """Take what the venue says: refused and finished quotes are forgotten."""
        output = self.exchange.drain()
        for ticket, answer in output.answers:
            name = self._tickets.pop(ticket, "")
            self.answered += bool(name)
            if name and answer.status != 200:
                self.too_late += b'"code":-5022' in answer.body
                self._forget(name)
        self.heard = output.records
        for record in output.records:
            match record:
                case ledger.OrderFilled() if record.symbol == self.contract.symbol:
                    self.records.append(record)
                    self._filled(record)
                case ledger.OrderExpired() | ledger.OrderCanceled():
                    self._forget(record.client_order_id)
                case ledger.SeamClosed() | ledger.OtherModelFilled():
                    self.records.append(record)
                case _:
                    pass

    def _filled(self, record: ledger.OrderFilled) -> None:
        for quote in list(self.quotes.values()):
            if quote.name == record.client_order_id:
                quote.left -= record.quantity
                if quote.left == 0:
                    self._forget(quote.name)

    def _forget(self, name: str) -> None:
        for side, quote in list(self.quotes.items()):
            if quote.name == name:
                del self.quotes[side]


Rule = Callable[[Desk, Frame], None]


def both_touches(desk: Desk, frame: Frame) -> None:
    """Join the best bid and the best ask, and join them anew whenever they move."""
    for side in ("BUY", "SELL"):
        desk.want(side, desk.best(side))


def both_sides_behind(ticks: int) -> Rule:
    """Quote the same number of ticks behind both touches."""

    def rule(desk: Desk, frame: Frame) -> None:
        bid, ask = desk.best("BUY"), desk.best("SELL")
        if bid is not None and ask is not None:
            desk.want("BUY", bid - ticks)
            desk.want("SELL", ask + ticks)

    return rule


def at_random(seed: int) -> Rule:
    """Twice a second put one side somewhere within two ticks of its touch, or nowhere."""
    chance = random.Random(seed)
    next_ns = 0

    def rule(desk: Desk, frame: Frame) -> None:
        nonlocal next_ns
        if desk.now_ns < next_ns:
            return
        next_ns = desk.now_ns + int(chance.expovariate(2) * SECOND_NS)
        side, behind = chance.choice(("BUY", "SELL")), chance.randint(-1, 2)
        best = desk.best(side)
        if best is not None:
            desk.want(side, None if behind < 0 else best - behind if side == "BUY" else best + behind)

    return rule


def trade_by(rule: Rule, frames: Iterable[Frame], contract: Contract, venue: ExchangeSettings, *, lots: int) -> Desk:
    """Let a rule trade one symbol over these frames, which begin with its book."""
    frames = iter(frames)
    first = next(frames)
    start_ns = first.at_ns
    exchange = Exchange(venue, [contract], [hmac_credential(KEY, SECRET, ACCOUNT)], start_ns)
    desk = Desk(exchange, start_ns, contract, lots)
    for frame in itertools.chain((first,), frames):
        if getattr(frame, "symbol", contract.symbol) != contract.symbol:
            continue
        exchange.apply(frame)
        desk.now_ns = frame.at_ns
        desk.hear()
        if exchange.venue.markets[contract.symbol].is_open:
            rule(desk, frame)
            exchange.advance(frame.at_ns)
    exchange.advance(desk.now_ns + SECOND_NS)
    desk.hear()
    return desk


def fills_of(desk: Desk) -> list[Trade]:
    """A desk's fills."""
    return [
        Trade(
            record.t,
            1 if record.side == "BUY" else -1,
            float(record.price),
            float(record.quantity),
            record.client_order_id,
        )
        for record in desk.records
        if isinstance(record, ledger.OrderFilled)
    ]


def profit(desk: Desk, last_mid: float) -> float:
    """Cash of the fills less fees, and the position left at the last mid."""
    cash, position = Decimal(0), Decimal(0)
    for record in desk.records:
        if isinstance(record, ledger.OrderFilled | ledger.SeamClosed):
            signed = record.quantity if record.side == "BUY" else -record.quantity
            cash -= signed * record.price
            position += signed
        if isinstance(record, ledger.OrderFilled):
            cash -= record.commission
    return float(cash) + float(position) * last_mid


def interval_99(values: list[float]) -> tuple[float, float, float]:
    """Mean, and the lower and upper bound of its 99 % confidence interval (normal, two-sided)."""
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    half = 2.576 * sqrt(variance / len(values))
    return mean, mean - half, mean + half
