"""What the venue's ledger and the alert log say about a fault. Pure: records and instants in, instants out.

Instants are the venue's time in nanoseconds since 1970 where they are called `..._t`, and the node's boot time where `..._ns`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import msgspec

from actors.exchange.ledger import (
    LedgerRecord,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
)

_SECOND_NS = 1_000_000_000


class RaisedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the alert log, as far as it is needed here."""

    code: str
    subject: str
    raised_ns: int
    severity: str = ""
    text: str = ""


_alert_decoder = msgspec.json.Decoder(RaisedAlert)


def read_alerts(lines: Iterable[bytes]) -> list[RaisedAlert]:
    """The alert log; lines that cannot be understood are left out, for a killed process may leave half of one."""
    found = []
    for line in lines:
        try:
            found.append(_alert_decoder.decode(line))
        except msgspec.DecodeError:
            continue
    return found


def first_alert(
    alerts: Sequence[RaisedAlert], codes: Sequence[str], names: Sequence[str], fault_ns: int
) -> RaisedAlert | None:
    """The first alert of one of `codes` after the fault about a subject of `names` (about anything without names)."""
    fitting = [
        alert
        for alert in alerts
        if alert.code in codes and alert.raised_ns >= fault_ns and (not names or alert.subject in names)
    ]
    return min(fitting, key=lambda alert: alert.raised_ns, default=None)


class Book:
    """Our resting orders at the venue: (symbol, side, instant of acceptance) by order id."""

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._quantities: dict[int, Decimal] = {}
        self.resting: dict[int, tuple[str, str, int]] = {}

    def apply(self, record: LedgerRecord) -> None:
        """Follow one record."""
        match record:
            case OrderAccepted():
                if self._is_ours(record.client_order_id):
                    self.resting[record.order_id] = (record.symbol, record.side, record.t)
                    self._quantities[record.order_id] = record.quantity
            case OrderAmended() if record.order_id in self.resting:
                self.resting[record.order_id] = (record.symbol, record.side, record.t)
                self._quantities[record.order_id] = record.quantity
            case OrderFilled() if record.order_id in self.resting:
                if record.executed >= self._quantities[record.order_id]:
                    self._remove(record.order_id)
            case OrderCanceled() | OrderExpired():
                self._remove(record.order_id)
            case _:
                pass

    def rests(self, symbol: str, accepted_before_t: int) -> bool:
        """Whether an order of the symbol from before that instant rests."""
        return any(name == symbol and t < accepted_before_t for name, _, t in self.resting.values())

    def counts(self, symbol: str) -> tuple[int, int]:
        """How many buys and sells of the symbol rest."""
        sides = [side for name, side, _ in self.resting.values() if name == symbol]
        return sides.count("BUY"), sides.count("SELL")

    def both_sides(self, symbol: str) -> bool:
        """Whether a buy and a sell of the symbol rest."""
        return {side for name, side, _ in self.resting.values() if name == symbol} == {"BUY", "SELL"}

    def _remove(self, order_id: int) -> None:
        self.resting.pop(order_id, None)
        self._quantities.pop(order_id, None)


def gone_t(
    ledger: Sequence[LedgerRecord],
    is_ours: Callable[[str], bool],
    symbols: Sequence[str],
    fault_t: int,
    replaced_t: int | None,
    end_t: int,
) -> int | None:
    """When the last order accepted before `replaced_t` (before the end, without one) had left the book; None: one was still there.

    Never before `fault_t`.
    """
    old_before_t = end_t if replaced_t is None else replaced_t
    book = Book(is_ours)
    last_t = fault_t
    for record in ledger:
        if record.t > end_t:
            break
        were_there = any(book.rests(symbol, old_before_t) for symbol in symbols)
        book.apply(record)
        if were_there and record.t >= fault_t and not any(book.rests(symbol, old_before_t) for symbol in symbols):
            last_t = record.t
    return None if any(book.rests(symbol, old_before_t) for symbol in symbols) else last_t


def empty_t(
    ledger: Sequence[LedgerRecord], is_ours: Callable[[str], bool], symbols: Sequence[str], since_t: int
) -> int | None:
    """When each symbol had no order of ours at or after `since_t`; the last symbol counts. None: one never was without."""
    book = Book(is_ours)
    empty: dict[str, int] = {}
    began = False
    for record in ledger:
        if not began and record.t >= since_t:
            began = True
            empty = {symbol: since_t for symbol in symbols if not book.rests(symbol, since_t)}
        book.apply(record)
        if began:
            for symbol in symbols:
                if symbol not in empty and not book.rests(symbol, record.t + 1):
                    empty[symbol] = record.t
    return max(empty.values()) if len(empty) == len(symbols) else None


def quoting_again_t(
    ledger: Sequence[LedgerRecord], is_ours: Callable[[str], bool], symbols: Sequence[str], since_t: int
) -> int | None:
    """When every symbol had an order taken (new or amended) after `since_t` and rested on both sides; the last symbol counts."""
    book = Book(is_ours)
    accepted: set[str] = set()
    quoting: dict[str, int] = {}
    for record in ledger:
        book.apply(record)
        if record.t < since_t:
            continue
        if isinstance(record, OrderAccepted | OrderAmended) and is_ours(record.client_order_id):
            accepted.add(record.symbol)
        for symbol in symbols:
            if symbol not in quoting and symbol in accepted and book.both_sides(symbol):
                quoting[symbol] = record.t
        if len(quoting) == len(symbols):
            return max(quoting.values())
    return None


def quotes_now(ledger: Sequence[LedgerRecord], is_ours: Callable[[str], bool], symbols: Sequence[str]) -> bool:
    """Whether every symbol rests on both sides at the end of the ledger."""
    book = Book(is_ours)
    for record in ledger:
        book.apply(record)
    return all(book.both_sides(symbol) for symbol in symbols)


def first_accepted_t(
    ledger: Iterable[LedgerRecord], is_ours: Callable[[str], bool], symbols: Sequence[str], since_t: int
) -> int | None:
    """When each symbol had an order taken (new or amended) at or after `since_t`; the last symbol counts."""
    first: dict[str, int] = {}
    for record in ledger:
        if record.t >= since_t and isinstance(record, OrderAccepted | OrderAmended) and is_ours(record.client_order_id):
            first.setdefault(record.symbol, record.t)
    return max(first[symbol] for symbol in symbols) if all(symbol in first for symbol in symbols) else None


def last_accepted_t(
    ledger: Iterable[LedgerRecord], is_ours: Callable[[str], bool], since_t: int, until_t: int
) -> int | None:
    """When the last order between two instants was accepted."""
    times = [
        record.t
        for record in ledger
        if isinstance(record, OrderAccepted) and since_t <= record.t < until_t and is_ours(record.client_order_id)
    ]
    return max(times, default=None)


def longest_gap_s(
    ledger: Sequence[LedgerRecord], is_ours: Callable[[str], bool], symbol: str, since_t: int, end_t: int
) -> float:
    """Longest time between two instants in which the symbol did not rest on both sides."""
    book = Book(is_ours)
    longest_ns = 0
    lacking_since_t: int | None = None
    began = False
    for record in ledger:
        if record.t > end_t:
            break
        if not began and record.t >= since_t:
            began = True
            lacking_since_t = None if book.both_sides(symbol) else since_t
        book.apply(record)
        if not began:
            continue
        if book.both_sides(symbol):
            if lacking_since_t is not None:
                longest_ns = max(longest_ns, record.t - lacking_since_t)
            lacking_since_t = None
        elif lacking_since_t is None:
            lacking_since_t = record.t
    if lacking_since_t is not None:
        longest_ns = max(longest_ns, end_t - lacking_since_t)
    return longest_ns / _SECOND_NS


def seconds(from_t: int, to_t: int | None) -> float | None:
    """The time between, in seconds to the millisecond; None stays None."""
    return None if to_t is None else round((to_t - from_t) / _SECOND_NS, 3)
