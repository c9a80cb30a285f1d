"""The faults in force, and what they make of each request, user event and market frame. Pure: dice come from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from actors.exchange import faults
from actors.exchange.errors import VenueRefusal, banned_text
from actors.exchange.faults import CallKind, Fault, FaultError, FaultKind, Transport
from actors.exchange.seeded import SeededNumbers

FAULTS_MAX = 64
STREAM_FAULT_MS = 10_000
"""How long a counted fault of market streams waits for their frames."""
MS = 1_000_000


@dataclass(slots=True)
class ActiveFault:
    """A fault in force. `until_ns` of None has no end; `left` of None has no number."""

    number: int
    fault: Fault
    since_ns: int
    until_ns: int | None
    left: int | None
    struck: int = 0
    struck_streams: dict[str, int] = field(default_factory=dict)
    shut_until_ns: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the faults may know of a request."""

    kind: CallKind
    transport: Transport
    account: str = ""
    symbol: str = ""
    address: str = ""
    reduces: bool = False


class Fate(msgspec.Struct):
    """What becomes of one request.

    A `refusal` stands for not done. A `mask` hides the answer to what was done (or, with `lost`, was not). The rest adds up.
    """

    refusal: VenueRefusal | None = None
    html: bool = False
    mask: FaultKind | None = None
    lost: bool = False
    mute_ns: int = 0
    late_ns: int = 0
    beyond_window: bool = False
    answer_delay_ns: int = 0
    fill_at_once: bool = False
    fill_before_cancel: float = 0.0
    lag_ns: int = 0
    old_snapshot: bool = False


class FaultPlan:
    """What goes wrong, and for how long yet."""

    def __init__(self, seed: int) -> None:
        self._numbers = SeededNumbers(seed)
        self._active: list[ActiveFault] = []
        self._count = 0

    def add(self, fault: Fault, now_ns: int) -> ActiveFault:
        """Put a fault into force.

        Raises:
            FaultError: too many are in force.
        """
        self._forget_ended(now_ns)
        if len(self._active) >= FAULTS_MAX:
            raise FaultError(f"{FAULTS_MAX} faults are in force: clear some first")
        self._count += 1
        lasting = fault.duration_ms is not None or fault.kind in faults.LASTING
        duration_ms = fault.duration_ms
        if duration_ms is None and fault.kind in faults.STREAMS:
            duration_ms = STREAM_FAULT_MS
        active = ActiveFault(
            number=self._count,
            fault=fault,
            since_ns=now_ns,
            until_ns=now_ns + duration_ms * MS if duration_ms is not None else None,
            left=fault.count if fault.count is not None or lasting else 1,
        )
        if fault.kind not in faults.AT_ONCE:
            self._active.append(active)
        return active

    @property
    def any_in_force(self) -> bool:
        """Whether there may be anything to ask the plan."""
        return bool(self._active)

    def clear(self, number: int | None = None) -> int:
        """End one fault, or all; returns how many ended."""
        kept = [one for one in self._active if number is not None and one.number != number]
        ended = len(self._active) - len(kept)
        self._active = kept
        return ended

    def in_force(self, now_ns: int) -> list[ActiveFault]:
        """What has not ended."""
        self._forget_ended(now_ns)
        return list(self._active)

    def has(self, kind: FaultKind, now_ns: int) -> bool:
        """Whether a fault of this kind is in force."""
        return any(one.fault.kind is kind for one in self.in_force(now_ns))

    def skew_ms(self, now_ns: int) -> int:
        """By how much the venue's clock is said to be ahead."""
        if not self._active:
            return 0
        return sum(one.fault.skew_ms for one in self.in_force(now_ns) if one.fault.kind is FaultKind.CLOCK_SKEW)

    def fate(self, asked: Asked, now_ns: int) -> Fate:
        """Throw the dice for one request."""
        fate = Fate()
        if not self._active:
            return fate
        for one in self.in_force(now_ns):
            if not self._fits(one.fault, asked):
                continue
            if now_ns < one.shut_until_ns:
                fate.refusal = _shut_out(one, asked.address, now_ns)
            elif self._strikes(one):
                self._strike(one, asked, fate, now_ns)
        return fate

    def event_delays_ns(self, account: str, session_opened_ns: int, now_ns: int) -> list[int]:
        """After which delays a user event leaves: none means that it is lost, several that it is repeated."""
        delays = [0]
        if not self._active:
            return delays
        for one in self.in_force(now_ns):
            fault = one.fault
            if fault.kind not in faults.EVENTS or fault.account not in ("", account):
                continue
            if fault.kind is FaultKind.EVENTS_SILENT:
                if session_opened_ns <= one.since_ns:
                    one.struck += 1
                    return []
                continue
            if not self._strikes(one):
                continue
            match fault.kind:
                case FaultKind.EVENTS_DROPPED:
                    return []
                case FaultKind.EVENTS_DELAYED:
                    delays[0] += fault.delay_ms * MS
                case FaultKind.EVENTS_REPEATED:
                    delays.append(delays[0] + self._numbers.below(fault.delay_ms * MS + 1))
                case _:
                    delays[0] += self._numbers.below(fault.delay_ms * MS + 1)
        return delays

    def frame(self, stream: str, payload: bytes, now_ns: int) -> bytes | None:
        """A market frame as it leaves; None when it is left out."""
        if not self._active:
            return payload
        symbol, _, kind = stream.partition("@")
        for one in self.in_force(now_ns):
            fault = one.fault
            if fault.kind not in faults.STREAMS or fault.symbol.lower() not in ("", symbol):
                continue
            if fault.kind is FaultKind.DEPTH_GAP and not (kind == "depth" or kind.startswith("depth@")):
                continue
            if not self._strikes_stream(one, stream):
                continue
            if fault.kind is FaultKind.MALFORMED_FRAME:
                payload = payload[: len(payload) // 2]
            elif fault.kind is FaultKind.ABSURD_PRICES:
                payload = _absurd(payload)
            else:
                return None
        return payload

    def _forget_ended(self, now_ns: int) -> None:
        for one in self._active:
            ended = (one.until_ns is not None and now_ns >= one.until_ns) or one.left == 0
            if ended and now_ns >= one.shut_until_ns:
                self._active = [other for other in self._active if other is not one]

    def _fits(self, fault: Fault, asked: Asked) -> bool:
        usual = faults.USUAL_CALLS.get(fault.kind)
        if usual is None or asked.kind not in (fault.calls or usual):
            return False
        if fault.transport is not Transport.ANY and fault.transport is not asked.transport:
            return False
        if fault.kind is FaultKind.OVERLOADED and asked.reduces:
            return False
        return fault.account in ("", asked.account) and fault.symbol in ("", asked.symbol)

    def _strikes(self, one: ActiveFault) -> bool:
        if one.left == 0 or not self._numbers.chance(one.fault.share):
            return False
        one.struck += 1
        if one.left is not None:
            one.left -= 1
        return True

    def _strikes_stream(self, one: ActiveFault, stream: str) -> bool:
        """A number of strikes is meant for each stream by itself."""
        most = one.fault.count if one.fault.count is not None else (None if one.fault.duration_ms is not None else 1)
        struck = one.struck_streams.get(stream, 0)
        if (most is not None and struck >= most) or not self._numbers.chance(one.fault.share):
            return False
        one.struck_streams[stream] = struck + 1
        one.struck += 1
        return True

    def _strike(self, one: ActiveFault, asked: Asked, fate: Fate, now_ns: int) -> None:
        fault = one.fault
        match fault.kind:
            case kind if kind in faults.UNCLEAR:
                fate.mask, fate.lost, fate.mute_ns = kind, not fault.executed, fault.delay_ms * MS
            case FaultKind.LATE_ACCEPT:
                fate.mask, fate.late_ns = FaultKind.UNKNOWN_OUTCOME, fault.delay_ms * MS
                fate.beyond_window = fault.beyond_window
            case FaultKind.THROTTLED | FaultKind.BANNED:
                one.shut_until_ns = now_ns + fault.retry_after_s * 1_000 * MS
                fate.refusal = _shut_out(one, asked.address, now_ns)
            case kind if kind in faults.REFUSALS:
                fate.refusal, fate.html = _REFUSALS[kind](), kind is FaultKind.FORBIDDEN
            case FaultKind.ANSWER_DELAYED:
                fate.answer_delay_ns += fault.delay_ms * MS
            case FaultKind.ACK_AFTER_FILL:
                fate.fill_at_once = True
                fate.answer_delay_ns += fault.delay_ms * MS
            case FaultKind.CANCEL_FILL_RACE:
                fate.fill_before_cancel = fault.part
            case FaultKind.READ_LAG:
                fate.lag_ns = fault.lag_ms * MS
            case _:
                fate.old_snapshot = True


def _absurd(payload: bytes) -> bytes:
    """A market frame with prices that cannot be; frames without a price of their own stay."""
    event = msgspec.json.decode(payload)
    match event.get("e") if isinstance(event, dict) else None:
        case "bookTicker":
            event["b"], event["a"] = event["a"], event["b"]
        case "depthUpdate" if event["b"] or event["a"]:
            event["b"].append([_raised((event["b"] or event["a"])[0][0]), "1"])
        case "aggTrade" | "trade" | "markPriceUpdate":
            event["p"] = _raised(event["p"])
        case _:
            return payload
    return msgspec.json.encode(event)


def _raised(price: str) -> str:
    return f"{Decimal(price) * 3 / 2:.{len(price.partition('.')[2])}f}"


def _shut_out(one: ActiveFault, address: str, now_ns: int) -> VenueRefusal:
    seconds = max(1, -(-(one.shut_until_ns - now_ns) // (1_000 * MS)))
    if one.fault.kind is FaultKind.BANNED:
        return VenueRefusal(-1003, banned_text(address, one.shut_until_ns // MS), 418, seconds)
    return VenueRefusal(-1003, "Too many requests; please use the websocket for live updates.", 429, seconds)


def unclear_error(kind: FaultKind) -> VenueRefusal:
    """What an unclear answer says."""
    match kind:
        case FaultKind.UNEXPECTED_RESPONSE:
            text = "An unexpected response was received from the message bus. Execution status unknown."
            return VenueRefusal(-1006, text)
        case FaultKind.BACKEND_TIMEOUT:
            text = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
            return VenueRefusal(-1007, text, 408)
        case _:
            return VenueRefusal(-1000, "Unknown error, please check your request or try again later.", 503)


_REFUSALS: dict[FaultKind, Any] = {
    FaultKind.SERVICE_UNAVAILABLE: lambda: VenueRefusal(0, "Service Unavailable.", 503),
    FaultKind.INTERNAL_ERROR: lambda: VenueRefusal(
        -1001, "Internal error; unable to process your request. Please try again.", 503
    ),
    FaultKind.OVERLOADED: lambda: VenueRefusal(
        -1008,
        "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again.",
        503,
    ),
    FaultKind.WINDOW_REFUSED: lambda: VenueRefusal(-1021, "Timestamp for this request is outside of the recvWindow."),
    FaultKind.THROTTLED_BARE: lambda: VenueRefusal(
        -1003, "Too many requests; please use the websocket for live updates.", 429
    ),
    FaultKind.ORDERS_THROTTLED: lambda: VenueRefusal(
        -1015, "Too many new orders; current limit is 300 orders per TEN_SECONDS.", 429
    ),
    FaultKind.FORBIDDEN: lambda: VenueRefusal(0, "ERROR: The request could not be satisfied", 403),
    FaultKind.KEY_REJECTED: lambda: VenueRefusal(-2015, "Invalid API-key, IP, or permissions for action.", 401),
}
