"""What the proxy writes down of the units that passed: what was asked and answered when, about which order. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ops.chaos.proxy.rules import Effect, Toward, Way

ASKED_MAX = 4_096
"""Requests on one WebSocket whose label is remembered for their answers."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One unit. `t` is the wall clock in ns. `label` says what it is, never with a query, a key or a signature."""

    t: int
    way: Way
    toward: Toward
    effect: Effect
    label: str
    order: str = ""
    trade_id: int = 0
    symbol: str = ""
    status: int = 0


_decoder = msgspec.json.Decoder(Note)
_METHOD = re.compile(rb'"method":\s*"([^"]*)"')
_ID = re.compile(rb'"id":\s*("(?:[^"\\]|\\.)*"|\d+)')
_EVENT = re.compile(rb'"e":\s*"([A-Za-z_]+)"')
_ORDER = re.compile(rb'(?:[oO]rig|new)ClientOrderId"?[:=]\s*"?([^"&\s]+)|"clientOrderId":\s*"([^"]+)"')
_EVENT_ORDER = re.compile(rb'"c":\s*"([^"]+)"')
_TRADE = re.compile(rb'"t":\s*([1-9]\d*)')
_SYMBOL = re.compile(rb'"s":\s*"([A-Z0-9_]+)"')
_STATUS = re.compile(rb'"status":\s*(\d+)')


def read_notes(lines: Iterable[bytes]) -> list[Note]:
    """Notes from their file; half a line at its end is left out."""
    found = []
    for line in lines:
        try:
            found.append(_decoder.decode(line))
        except msgspec.DecodeError:
            continue
    return found


class Labels:
    """Names the units of one connection. Answers are named after what was asked."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._asked: dict[bytes, str] = {}
        self._last = ""

    def of(self, toward: Toward, text: bytes) -> str:
        """The label of a unit; "" for one that has none."""
        if self._way is Way.REST or text.startswith((b"GET ", b"HTTP/1.1 ")):
            return self._of_rest(toward, text)
        if self._way is Way.ORDERS:
            return self._of_orders(toward, text)
        found = _EVENT.search(text, 0, 4_096)
        return found[1].decode() if found else ""

    def _of_rest(self, toward: Toward, text: bytes) -> str:
        if toward is Toward.VENUE:
            method, _, rest = text.partition(b" ")
            path = rest.partition(b" ")[0].partition(b"?")[0]
            self._last = f"{method.decode('ascii', 'replace')} {path.decode('ascii', 'replace')}"
        return self._last

    def _of_orders(self, toward: Toward, text: bytes) -> str:
        found = _ID.search(text)
        if found is None:
            return ""
        if toward is Toward.US:
            return self._asked.pop(found[1], "")
        method = _METHOD.search(text)
        label = method[1].decode("ascii", "replace") if method else ""
        self._asked[found[1]] = label
        while len(self._asked) > ASKED_MAX:
            del self._asked[next(iter(self._asked))]
        return label


def note_of(t: int, way: Way, toward: Toward, effect: Effect, label: str, text: bytes) -> Note:
    """A unit written down."""
    order = _EVENT_ORDER.search(text) if way is Way.PRIVATE else _ORDER.search(text)
    trade = _TRADE.search(text) if way is Way.PRIVATE else None
    symbol = _SYMBOL.search(text) if way in (Way.PRIVATE, Way.MARKET) else None
    return Note(
        t=t,
        way=way,
        toward=toward,
        effect=effect,
        label=label,
        order=(order[1] or (order[2] if order.re is _ORDER else b"") or b"").decode("ascii", "replace")
        if order
        else "",
        trade_id=int(trade[1]) if trade else 0,
        symbol=symbol[1].decode() if symbol else "",
        status=_status(way, toward, text),
    )


def _status(way: Way, toward: Toward, text: bytes) -> int:
    if toward is Toward.VENUE:
        return 0
    if text.startswith(b"HTTP/1.1 "):
        return int(text[9:12])
    found = _STATUS.search(text) if way is Way.ORDERS else None
    return int(found[1]) if found else 0
