"""What may go wrong between an actor and the venue: rules that hold for a while, and the fate that they give to each request and event.

The venue itself stays honest: what it accepted is in its ledger, whatever became of the answer.
"""

from __future__ import annotations

import enum
import random

import msgspec

from actors.exchange.api import Answer
from protocols.venue import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    PlaceOrder,
    SetCountdown,
    VenueRequest,
)

REORDER_NS_MAX = 50_000_000
"""How long an event may be held so that later ones overtake it."""

BAD_GATEWAY = 502

AT_ONCE = (0,)

EVERYTHING = ""
"""Actor of a rule that concerns everybody."""


class WireTrouble(enum.StrEnum):
    """What a rule does."""

    REQUEST_LOST = "request_lost"
    ANSWER_LOST = "answer_lost"
    REQUEST_DELAYED = "request_delayed"
    ANSWER_DELAYED = "answer_delayed"
    SLOW_READS = "slow_reads"
    OVERLOADED = "overloaded"
    UNCLEAR = "unclear"
    REFUSED = "refused"
    THROTTLED = "throttled"
    THROTTLED_BARE = "throttled_bare"
    ORDERS_THROTTLED = "orders_throttled"
    BANNED = "banned"
    FORBIDDEN = "forbidden"
    READS_LAG = "reads_lag"
    EVENT_DROPPED = "event_dropped"
    EVENT_REPEATED = "event_repeated"
    EVENT_REORDERED = "event_reordered"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble of an actor until an instant. `share` is how often it strikes; `size_ns` the longest delay or the whole wait.

    `code` is the venue's error; `done` whether the venue had done what it gives no clear answer to.
    """

    trouble: WireTrouble
    actor: str
    until_ns: int
    share: float = 1.0
    size_ns: int = 0
    code: int = 0
    done: bool = True


class Fate(msgspec.Struct):
    """What becomes of one request. A `refusal` stands for not done; an `unclear_answer` replaces the answer to what was done."""

    arrives: bool = True
    delay_ns: int = 0
    answer_arrives: bool = True
    answer_delay_ns: int = 0
    lag_ns: int = 0
    refusal: Answer | None = None
    unclear_answer: Answer | None = None


class WireFaults:
    """The rules in force, and their dice."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"wire {seed}")
        self._rules: list[Rule] = []
        self._shut_until_ns: dict[str, tuple[int, bool]] = {}

    def add(self, rule: Rule) -> None:
        """Put a rule into force."""
        self._rules.append(rule)

    def clear(self) -> None:
        """End every rule."""
        self._rules.clear()

    def fate(self, actor: str, request: VenueRequest, now_ns: int) -> Fate:
        """Throw the dice for one request."""
        fate = Fate()
        self._rules = [rule for rule in self._rules if now_ns < rule.until_ns]
        for rule in self._rules:
            if rule.actor not in (actor, EVERYTHING) or self._chance.random() >= rule.share:
                continue
            self._strike(rule, actor, request, fate, now_ns)
        shut_until_ns, is_ban = self._shut_until_ns.get(actor, (0, False))
        if now_ns < shut_until_ns:
            fate.refusal = _throttle(shut_until_ns - now_ns, is_ban=is_ban)
        return fate

    def event_delays(self, actor: str, now_ns: int) -> tuple[int, ...]:
        """After which delays an event reaches an actor: none means that it is lost, several that it is repeated."""
        if not self._rules:
            return AT_ONCE
        delays = [0]
        for rule in self._rules:
            if now_ns >= rule.until_ns or rule.actor not in (actor, EVERYTHING) or self._chance.random() >= rule.share:
                continue
            match rule.trouble:
                case WireTrouble.EVENT_DROPPED:
                    return ()
                case WireTrouble.EVENT_REPEATED:
                    delays.append(self._chance.randint(0, REORDER_NS_MAX))
                case WireTrouble.EVENT_REORDERED:
                    delays[0] = self._chance.randint(0, REORDER_NS_MAX)
                case _:
                    pass
        return tuple(delays)

    def _strike(self, rule: Rule, actor: str, request: VenueRequest, fate: Fate, now_ns: int) -> None:
        is_write = isinstance(request, PlaceOrder | AmendOrder | CancelOrder | CancelAll | SetCountdown)
        match rule.trouble:
            case WireTrouble.REQUEST_LOST:
                fate.arrives = False
            case WireTrouble.ANSWER_LOST:
                fate.answer_arrives = False
            case WireTrouble.REQUEST_DELAYED:
                fate.delay_ns += self._chance.randint(0, rule.size_ns)
            case WireTrouble.ANSWER_DELAYED:
                fate.answer_delay_ns += self._chance.randint(0, rule.size_ns)
            case WireTrouble.SLOW_READS:
                if not is_write:
                    fate.answer_delay_ns += self._chance.randint(rule.size_ns // 2, rule.size_ns)
            case WireTrouble.READS_LAG:
                fate.lag_ns = max(fate.lag_ns, rule.size_ns)
            case WireTrouble.OVERLOADED:
                if is_write:
                    fate.refusal = _error(503, -1008, "Request throttled by system-level protection.")
            case WireTrouble.UNCLEAR:
                if rule.done:
                    fate.unclear_answer = _unclear(rule.code)
                else:
                    fate.refusal = _unclear(rule.code)
            case WireTrouble.REFUSED:
                fate.refusal = _error(400, rule.code, "The venue says no.")
            case WireTrouble.THROTTLED | WireTrouble.BANNED:
                if now_ns >= self._shut_until_ns.get(actor, (0, False))[0]:
                    self._shut_until_ns[actor] = now_ns + rule.size_ns, rule.trouble is WireTrouble.BANNED
            case WireTrouble.FORBIDDEN:
                fate.refusal = _forbidden(rule.size_ns)
            case WireTrouble.THROTTLED_BARE:
                fate.refusal = _error(429, -1003, "Too many requests.")
            case WireTrouble.ORDERS_THROTTLED:
                if isinstance(request, PlaceOrder | AmendOrder):
                    fate.refusal = _error(
                        429, -1015, "Too many new orders; current limit is 300 orders per TEN_SECONDS."
                    )
            case _:
                pass


def _error(status: int, code: int, text: str) -> Answer:
    return Answer(status, msgspec.json.encode({"code": code, "msg": text}))


def _unclear(code: int) -> Answer:
    if code == BAD_GATEWAY:
        return Answer(BAD_GATEWAY, b"<html><body><h1>502 Bad Gateway</h1></body></html>")
    text = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
    return _error(408 if code == -1007 else 503, code, text)


def _forbidden(wait_ns: int) -> Answer:
    page = b"<html><head><title>403 Forbidden</title></head><body>403 Forbidden</body></html>"
    return Answer(403, page, {"Retry-After": str(-(-wait_ns // 1_000_000_000))} if wait_ns else {})


def _throttle(wait_ns: int, *, is_ban: bool) -> Answer:
    wait_s = -(-wait_ns // 1_000_000_000)
    body = msgspec.json.encode({"code": -1003, "msg": "Way too many requests." if is_ban else "Too many requests."})
    return Answer(418 if is_ban else 429, body, {"Retry-After": str(wait_s)})
