"""What the proxy does to which unit: rules, and the decision for each unit that passes. Pure.

A unit is looked at as the text `label`, a line end, and what it says; of an answer the label is that of what was asked, so that a rule can
name the request whose answer it wants (`order.place`, `POST /fapi/v1/order`).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence

import msgspec


class Way(enum.StrEnum):
    """Which of our connections: told apart by the path of the first request."""

    MARKET = "market"
    PRIVATE = "private"
    ORDERS = "orders"
    REST = "rest"


class Toward(enum.StrEnum):
    """Which way a unit travels."""

    VENUE = "venue"
    US = "us"


class Effect(enum.StrEnum):
    """What happens to a unit."""

    PASS = "pass"
    DELAY = "delay"
    HOLD = "hold"
    DROP = "drop"
    DUPLICATE = "duplicate"
    SWAP = "swap"
    DAMAGE = "damage"
    ANSWER = "answer"
    SLICE = "slice"
    RESET = "reset"
    SHIFT = "shift"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule; the first that fits a unit decides.

    DELAY: everything behind the unit waits with it. HOLD: the unit and everything behind it wait until the rule is gone, then travel
    on. SWAP: the unit travels after the next one. DAMAGE: its text is cut in half. ANSWER: toward the venue, the asker gets this answer
    and the venue never hears of it; toward us, this answer takes the place of the venue's. SHIFT: `delay_ms` is added to the venue's
    `serverTime`.
    `match` is a regular expression looked for in the unit's text. `skip` units that fit are let through first, then `times` are
    treated (0: all); with `alike` only those that are the same as the first of them, as one event is on every private socket.
    `old_only`: connections made after the rule are spared, as when one connection dies and the network lives.
    """

    way: Way
    effect: Effect
    toward: Toward = Toward.US
    match: str = ""
    skip: int = 0
    times: int = 0
    alike: bool = False
    old_only: bool = False
    delay_ms: int = 0
    status: int = 0
    headers: dict[str, str] = {}
    body: str = ""


def held(*ways: Way, old_only: bool = False) -> tuple[Rule, ...]:
    """Silence in both directions: the connections stay up, nothing travels."""
    return tuple(
        Rule(way=way, toward=toward, effect=Effect.HOLD, old_only=old_only) for way in ways for toward in Toward
    )


ALL_WAYS = tuple(Way)


def way_of(path: str) -> Way:
    """The way that a connection is, by the path of its first request."""
    if path.startswith("/ws-fapi"):
        return Way.ORDERS
    if path.startswith("/private"):
        return Way.PRIVATE
    if path.startswith(("/public", "/market", "/ws", "/stream")):
        return Way.MARKET
    return Way.REST


class Rules:
    """The rules in force and how often each was used."""

    def __init__(self) -> None:
        self._rules: tuple[Rule, ...] = ()
        self._patterns: tuple[re.Pattern[bytes], ...] = ()
        self._fitting: list[int] = []
        self._first: dict[int, bytes] = {}
        self._connections = 0
        self.touched = 0
        """Units treated since the rules were set."""

    def set(self, rules: Sequence[Rule], connections: int) -> None:
        """Put these rules in the place of all others. `connections` counts those made so far."""
        self._rules = tuple(rules)
        self._patterns = tuple(re.compile(rule.match.encode(), re.DOTALL) for rule in rules)
        self._fitting = [0] * len(self._rules)
        self._first = {}
        self._connections = connections
        self.touched = 0

    def decide(self, way: Way, toward: Toward, connection: int, text: bytes) -> Rule | None:
        """The rule for this unit, counted; None lets it pass. Connections are numbered from 1."""
        for number, rule in enumerate(self._rules):
            if rule.way is not way or rule.toward is not toward:
                continue
            if rule.old_only and connection > self._connections:
                continue
            if not self._patterns[number].search(text):
                continue
            self._fitting[number] += 1
            fitting = self._fitting[number]
            if fitting <= rule.skip or (rule.times and fitting > rule.skip + rule.times):
                continue
            if rule.alike and self._first.setdefault(number, text) != text:
                continue
            self.touched += 1
            return rule
        return None

    def in_force(self, rule: Rule) -> bool:
        """Whether this rule still holds what it held."""
        return rule in self._rules


_SERVER_TIME = re.compile(rb'("serverTime":\s*)(\d+)')
_ID = re.compile(rb'"id":\s*("(?:[^"\\]|\\.)*"|\d+)')


def damaged(text: bytes) -> bytes:
    """The first half of it, closed with a byte that no JSON has."""
    return text[: len(text) // 2] + b"\x01"


def shifted(text: bytes, by_ms: int) -> bytes:
    """With another `serverTime`, as long as before where the digits allow."""
    return _SERVER_TIME.sub(lambda found: found[1] + str(int(found[2]) + by_ms).encode(), text)


def answer_frame(rule: Rule, asked: bytes) -> bytes:
    """The answer of a rule to a request on the WebSocket API, under the request's own id.

    `body` is the JSON of the `error` member; the frame's status is the rule's.
    """
    found = _ID.search(asked)
    request_id = found[1] if found else b"null"
    body = rule.body.encode() or b"{}"
    return b'{"id":' + request_id + b',"status":' + str(rule.status).encode() + b',"error":' + body + b"}"
