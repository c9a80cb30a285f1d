"""The touch maker replayed on the raw tape without the venue: what it gets at least and at most.

Written from the recording alone (best prices and trades as the collector wrote them), on purpose without a line of the venue's code:
at least only what trades beyond its price gives it, at most every trade at its price as if nobody stood in front.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Quotes(NamedTuple):
    """Best prices in ticks."""

    at_ns: int
    bid: int
    ask: int


class Traded(NamedTuple):
    """A trade; `hit_bid` when its aggressor sold."""

    at_ns: int
    price: int
    quantity: float
    hit_bid: bool


class Got(NamedTuple):
    """The maker's part of a trade; `sign` is +1 for a buy."""

    at_ns: int
    sign: int
    price: int
    quantity: float


def read_tape(folder: Path, symbol: str, tick: float) -> list[Quotes | Traded]:
    """Best prices and trades of one symbol, from the moment its book is known."""
    tape: list[Quotes | Traded] = []
    opened = False
    for file in sorted(folder.glob(f"*{symbol.lower()}*.gz")):
        with gzip.open(file, "rb") as lines:
            for line in lines:
                stamp, _, text = line.partition(b" ")
                if b'"stream":' not in text[:12]:
                    opened = True
                if not opened or (b"@bookTicker" not in text[:40] and b"@trade" not in text[:40]):
                    continue
                data = json.loads(text)["data"]
                if data["e"] == "bookTicker":
                    tape.append(Quotes(int(stamp), round(float(data["b"]) / tick), round(float(data["a"]) / tick)))
                elif data["X"] == "MARKET":
                    tape.append(Traded(int(stamp), round(float(data["p"]) / tick), float(data["q"]), data["m"]))
    return tape


@dataclass
class _Standing:
    sign: int
    price: int
    left: float
    from_ns: int
    until_ns: int = 1 << 62
    placed: bool = False


class TouchReplay:
    """One maker at both touches."""

    def __init__(self, quantity: float, latency_ns: int, *, generous: bool) -> None:
        self.got: list[Got] = []
        self._quantity = quantity
        self._latency_ns = latency_ns
        self._generous = generous
        self._wanted: dict[int, _Standing] = {}
        self._standing: list[_Standing] = []
        self._bid = self._ask = 0

    def play(self, tape: list[Quotes | Traded]) -> list[Got]:
        for event in tape:
            self._arrivals(event.at_ns)
            if isinstance(event, Quotes):
                self._bid, self._ask = event.bid, event.ask
                if self._generous:
                    self._reached(event)
            else:
                self._traded(event)
            self._standing = [order for order in self._standing if order.left > 0]
            self._rejoin(event.at_ns)
        return self.got

    def _arrivals(self, now_ns: int) -> None:
        """Orders and cancels that have reached the market; a post-only order that would take is refused."""
        kept = []
        for order in self._standing:
            if order.until_ns <= now_ns:
                continue
            if not order.placed and order.from_ns <= now_ns:
                order.placed = True
                opposite = self._ask if order.sign > 0 else self._bid
                if (opposite - order.price) * order.sign <= 0:
                    order.left = 0
                    continue
            kept.append(order)
        self._standing = kept

    def _traded(self, trade: Traded) -> None:
        left = trade.quantity
        for order in self._standing:
            beyond = (order.price - trade.price) * order.sign
            if not order.placed or trade.hit_bid != (order.sign > 0) or beyond < 0:
                continue
            if beyond > 0:
                self._fill(trade.at_ns, order, order.left)
            elif self._generous and left > 0:
                part = min(left, order.left)
                left -= part
                self._fill(trade.at_ns, order, part)

    def _reached(self, quotes: Quotes) -> None:
        for order in self._standing:
            opposite = quotes.ask if order.sign > 0 else quotes.bid
            if order.placed and (opposite - order.price) * order.sign <= 0:
                self._fill(quotes.at_ns, order, order.left)

    def _fill(self, at_ns: int, order: _Standing, quantity: float) -> None:
        self.got.append(Got(at_ns, order.sign, order.price, quantity))
        order.left = round(order.left - quantity, 9)

    def _rejoin(self, now_ns: int) -> None:
        if self._bid == 0:
            return
        for sign, price in ((1, self._bid), (-1, self._ask)):
            order = self._wanted.get(sign)
            if order is not None and order.left > 0 and order.price == price:
                continue
            if order is not None and order.left > 0:
                order.until_ns = now_ns + self._latency_ns
            self._wanted[sign] = _Standing(sign, price, self._quantity, now_ns + self._latency_ns)
            self._standing.append(self._wanted[sign])
