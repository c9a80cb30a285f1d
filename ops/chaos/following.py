"""When the journal knew what became of the orders and fills that a fault touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ops.chaos.proxy.notes import Note
from ops.chaos.proxy.rules import Effect
from protocols.envelope import Message
from protocols.messages import orders
from protocols.messages.journal import AmendIntended
from protocols.values import symbol_of

_MEDDLING = (Effect.DROP, Effect.DELAY, Effect.DAMAGE, Effect.ANSWER)
_PLACES = ("order.place", "POST /fapi/v1/order")
_AMENDS = ("order.modify", "PUT /fapi/v1/order")


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """One order (or one of its fills) that the fault touched at `t`. `known_t` is when the journal had it; None: not yet."""

    t: int
    order: str
    label: str
    trade_id: int = 0
    symbol: str = ""
    known_t: int | None = None


def touched_by(notes: Iterable[Note], since_t: int) -> tuple[Touched, ...]:
    """What the proxy treated, each order and each fill once."""
    found: dict[tuple[str, int], Touched] = {}
    for note in notes:
        if note.t < since_t or note.effect not in _MEDDLING or not note.order:
            continue
        found.setdefault(
            (note.order, note.trade_id),
            Touched(t=note.t, order=note.order, label=note.label, trade_id=note.trade_id, symbol=note.symbol),
        )
    return tuple(found.values())


class Following:
    """What the journal has said, with the time at which it was first seen there."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        self._fills: dict[tuple[str, int], int] = {}
        self._moved: dict[str, list[int]] = {}
        self.seq = 0

    def take(self, records: Iterable[tuple[int, Message]], t: int) -> None:
        """Follow new records, seen at `t`."""
        for seq, record in records:
            self.seq = seq
            match record:
                case orders.OrderFilled():
                    self._fills.setdefault((symbol_of(record.instrument_id), record.trade_id), t)
                    self._taken.setdefault(record.client_order_id, t)
                    if record.remaining_lots == 0:
                        self._ended.setdefault(record.client_order_id, t)
                case orders.OrderAccepted():
                    self._taken.setdefault(record.client_order_id, t)
                case orders.OrderAmended() | AmendIntended():
                    self._moved.setdefault(record.client_order_id, []).append(t)
                case orders.OrderCanceled() | orders.OrderExpired() | orders.OrderRejected():
                    self._ended.setdefault(record.client_order_id, t)
                case _:
                    pass

    def known(self, touched: Touched) -> Touched:
        """The same with the time at which the journal knew: a fill is booked, an order was taken or ended, a cancel's order ended.

        An amendment is known when the order moved or ended, or when the next amendment was intended: there is one in flight at a time.
        """
        if touched.trade_id:
            seen_t = self._fills.get((touched.symbol, touched.trade_id))
        else:
            seen_t = self._ended.get(touched.order)
            times = [seen_t] if seen_t is not None else []
            if touched.label in _PLACES and touched.order in self._taken:
                times.append(self._taken[touched.order])
            if touched.label in _AMENDS:
                times += [t for t in self._moved.get(touched.order, ()) if t > touched.t][:1]
            seen_t = min(times, default=None)
        return touched if seen_t is None else msgspec.structs.replace(touched, known_t=max(seen_t, touched.t))


def resolved_t(touched: Sequence[Touched]) -> int | None:
    """A time after the first touch that is as long as the longest resolution took; None: nothing was touched, or not all is known."""
    if not touched:
        return None
    took: list[int] = []
    for each in touched:
        if each.known_t is None:
            return None
        took.append(each.known_t - each.t)
    return min(each.t for each in touched) + max(took)
