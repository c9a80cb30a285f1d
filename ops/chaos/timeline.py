"""What a run looked like over time: quotes that rested, the gate, fills, alerts. Pure; seconds are counted from the fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from actors.exchange.ledger import LedgerRecord, OrderFilled
from ops.chaos.measuring import Book, RaisedAlert
from ops.chaos.observing import Scene
from ops.invariants.history import History
from protocols.envelope import Message
from protocols.messages.journal import EpochBegan, GateChanged
from protocols.values import symbol_of

BEFORE_S = 4.0
AFTER_S = 0.4
"""Less than AGAIN_S of ops/chaos/live.py: the next row's fault is not on this one's picture."""

ALERTS_MAX = 40
POINTS_MAX = 4_000
"""Points of one line; a run that has more is drawn until there."""

NOBODY = "no order manager"
"""Reason of a gate without anybody who could open it."""

_SECOND_NS = 1_000_000_000


class QuotesAt(msgspec.Struct, frozen=True, array_like=True):
    """From `s` on so many bids and asks of ours rested."""

    s: float
    bids: int
    asks: int


class GateAt(msgspec.Struct, frozen=True, array_like=True):
    """From `s` on the gate was open, or shut for the reason."""

    s: float
    open: bool
    reason: str


class AlertAt(msgspec.Struct, frozen=True, array_like=True):
    """An alert, with how often it was repeated."""

    s: float
    code: str
    subject: str
    severity: str


class StrokeAt(msgspec.Struct, frozen=True, array_like=True):
    """One of many faults in a run."""

    s: float
    key: str
    fault: str


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `over_s` is when the fault itself was over; 0 for one of an instant."""

    from_s: float
    to_s: float
    over_s: float
    back_s: float | None
    quotes: dict[str, tuple[QuotesAt, ...]]
    gates: dict[str, tuple[GateAt, ...]]
    fills: dict[str, tuple[float, ...]]
    alerts: tuple[AlertAt, ...]
    strokes: tuple[StrokeAt, ...] = ()


def timeline_of(scene: Scene, history: History, alerts: Sequence[RaisedAlert]) -> Timeline:
    """Everything from a little before the fault to a little after the end of watching."""
    first_t = scene.fault_t - round(BEFORE_S * _SECOND_NS)
    last_t = scene.end_t + round(AFTER_S * _SECOND_NS)

    def seconds(t: int) -> float:
        return round((t - scene.fault_t) / _SECOND_NS, 3)

    return Timeline(
        from_s=-BEFORE_S,
        to_s=seconds(last_t),
        over_s=max(seconds(scene.over_t), 0.0),
        back_s=None if scene.back_t is None else seconds(scene.back_t),
        quotes={
            symbol: _quotes(history.ledger, history.is_ours, symbol, first_t, last_t, seconds)
            for symbol in scene.symbols
        },
        gates={symbol: _gates(history, symbol, scene, last_t, seconds) for symbol in scene.symbols},
        fills={symbol: _fills(history, symbol, first_t, last_t, seconds) for symbol in scene.symbols},
        alerts=_alerts(alerts, scene, first_t, last_t, seconds),
    )


def _quotes(
    ledger: Sequence[LedgerRecord],
    is_ours: Callable[[str], bool],
    symbol: str,
    first_t: int,
    last_t: int,
    seconds: Callable[[int], float],
) -> tuple[QuotesAt, ...]:
    book = Book(is_ours)
    points: list[QuotesAt] = []
    for record in ledger:
        if record.t > last_t or len(points) >= POINTS_MAX:
            break
        book.apply(record)
        bids, asks = book.counts(symbol)
        point = QuotesAt(seconds(max(record.t, first_t)), bids, asks)
        if points and (record.t <= first_t or points[-1].s == point.s):
            points[-1] = point
        elif not points or (points[-1].bids, points[-1].asks) != (bids, asks):
            points.append(point)
    return tuple(points)


def _gates(
    history: History, symbol: str, scene: Scene, last_t: int, seconds: Callable[[int], float]
) -> tuple[GateAt, ...]:
    """What the journals say of the gate; from the last word of a dead order manager to the first of the next there is none."""
    found: list[GateAt] = []
    heard_t: dict[int, int] = {}
    for shard, record in history.journaled():
        t = _instant(record, scene)
        if isinstance(record, EpochBegan) and shard in heard_t and heard_t[shard] <= last_t:
            found.append(GateAt(max(seconds(heard_t[shard]), -BEFORE_S), False, NOBODY))
        if isinstance(record, GateChanged) and symbol_of(record.instrument_id) == symbol and t <= last_t:
            found.append(GateAt(max(seconds(t), -BEFORE_S), record.open, record.reason))
        heard_t[shard] = max(heard_t.get(shard, 0), t)
    found.sort(key=lambda gate: gate.s)
    before = [gate for gate in found if gate.s <= -BEFORE_S]
    return (*before[-1:], *found[len(before) :][:POINTS_MAX])


def _instant(record: Message, scene: Scene) -> int:
    """When something was journaled, in the venue's time; 0 where the record does not say."""
    for name in ("began_ns", "changed_ns", "written_ns"):
        if boot_ns := getattr(record, name, 0):
            return scene.fault_t + boot_ns - scene.fault_ns
    return int(getattr(record, "venue_time_ns", 0))


def _fills(
    history: History, symbol: str, first_t: int, last_t: int, seconds: Callable[[int], float]
) -> tuple[float, ...]:
    return tuple(
        seconds(record.t)
        for record in history.ledger
        if isinstance(record, OrderFilled) and record.symbol == symbol and first_t <= record.t <= last_t
    )[:POINTS_MAX]


def _alerts(
    alerts: Sequence[RaisedAlert], scene: Scene, first_t: int, last_t: int, seconds: Callable[[int], float]
) -> tuple[AlertAt, ...]:
    found = []
    for alert in sorted(alerts, key=lambda alert: alert.raised_ns):
        t = scene.fault_t + alert.raised_ns - scene.fault_ns
        if first_t <= t <= last_t:
            found.append(AlertAt(seconds(t), alert.code, alert.subject, alert.severity))
    return tuple(found[:ALERTS_MAX])
