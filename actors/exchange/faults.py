"""Faults on demand: what may be asked to go wrong at the venue (facts section 11.5), as one message with limits on everything.

A fault lies only to the outside. What the venue accepted, filled and cancelled is in its ledger, whatever became of the answer.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

HOUR_MS = 3_600_000
DELAY_MS_MAX = 600_000
LAG_MS_MAX = 60_000
COUNT_MAX = 1_000_000

Name = Annotated[str, Meta(max_length=64)]


class FaultKind(enum.StrEnum):
    """What goes wrong. `executed` matters to the unclear ones: whether the request was carried out all the same."""

    UNKNOWN_OUTCOME = "unknown_outcome"
    """503 "Unknown error, please check your request or try again later."."""
    UNEXPECTED_RESPONSE = "unexpected_response"
    """-1006."""
    BACKEND_TIMEOUT = "backend_timeout"
    """408 with -1007."""
    NO_ANSWER = "no_answer"
    """Nothing comes back; the connection ends after `delay_ms`."""
    CONNECTION_CUT = "connection_cut"
    """The connection is reset in place of an answer."""
    MALFORMED_ANSWER = "malformed_answer"
    """200 with a body that is no JSON."""
    LATE_ACCEPT = "late_accept"
    """An unknown outcome at once; the engine gets the request `delay_ms` later, past its window too if `beyond_window`."""

    SERVICE_UNAVAILABLE = "service_unavailable"
    """503 "Service Unavailable.": certainly not done."""
    INTERNAL_ERROR = "internal_error"
    """503 with -1001: not done."""
    OVERLOADED = "overloaded"
    """503 with -1008: not done; cancels and reduce-only orders are exempt."""
    WINDOW_REFUSED = "window_refused"
    """-1021: the timestamp is said to be outside of the window."""
    THROTTLED = "throttled"
    """429 with Retry-After, for every request until it is over."""
    THROTTLED_BARE = "throttled_bare"
    """429 without Retry-After."""
    ORDERS_THROTTLED = "orders_throttled"
    """429 with -1015."""
    BANNED = "banned"
    """418 with Retry-After and "banned until", for every request until it is over."""
    FORBIDDEN = "forbidden"
    """403 with a page of HTML."""
    KEY_REJECTED = "key_rejected"
    """401 with -2015."""

    CLOCK_SKEW = "clock_skew"
    """The venue's clock is `skew_ms` ahead (or behind) at its door, in its engine's window, and in /time."""
    ANSWER_DELAYED = "answer_delayed"
    """Carried out at once, answered `delay_ms` late."""
    ACK_AFTER_FILL = "ack_after_fill"
    """A new order is filled at once at its price, and acknowledged `delay_ms` after its events."""
    CANCEL_FILL_RACE = "cancel_fill_race"
    """The order of a cancel is filled first, by `part` of what remains."""
    READ_LAG = "read_lag"
    """Queries of the account fall back until they answer from `lag_ms` ago."""
    OLD_SNAPSHOT = "old_snapshot"
    """Depth snapshots stay as they were when the fault began."""

    EVENTS_DELAYED = "events_delayed"
    """User events come `delay_ms` late, in order."""
    EVENTS_REPEATED = "events_repeated"
    """User events come again, within `delay_ms`."""
    EVENTS_REORDERED = "events_reordered"
    """User events overtake each other, by up to `delay_ms`."""
    EVENTS_DROPPED = "events_dropped"
    """User events are lost."""
    EVENTS_SILENT = "events_silent"
    """User streams that are open now stay mute; one opened later speaks."""
    LISTEN_KEY_EXPIRED = "listen_key_expired"
    """The listen keys die now, and listenKeyExpired is sent."""

    DEPTH_GAP = "depth_gap"
    """Frames of each diff stream are left out: `pu` does not continue."""
    MARKET_SILENT = "market_silent"
    """Market streams stay open and send nothing."""
    MALFORMED_FRAME = "malformed_frame"
    """Frames of market streams are cut in half."""
    ABSURD_PRICES = "absurd_prices"
    """Best prices come crossed, diffs with a bid far above the asks; trades and marks are half as high again."""
    FILTERS_CHANGED = "filters_changed"
    """The least notional of the symbol (empty: of each) doubles, or goes back to what it was."""
    HALTED = "halted"
    """The symbol (empty: each) does not trade for `duration_ms`, or until it is cleared: orders -4140, cancels go through."""
    ORDERS_WIPED = "orders_wiped"
    """Open orders of the account (empty: all) and symbol (empty: each) are gone, and nobody is told; as after a restart that lost them."""
    DISCONNECT = "disconnect"
    """Sockets of the group are closed now, as after 24 hours."""
    HALF_OPEN = "half_open"
    """Sockets of the group that are open now neither send nor read any more, and are never closed."""


class CallKind(enum.StrEnum):
    """What a request wants."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    COUNTDOWN = "countdown"
    SETTING = "setting"
    QUERY = "query"
    LISTEN_KEY = "listen_key"
    SNAPSHOT = "snapshot"
    PUBLIC = "public"


class SocketGroup(enum.StrEnum):
    """Which sockets."""

    PUBLIC = "public"
    MARKET = "market"
    PRIVATE = "private"
    API = "api"
    ALL = "all"


class Transport(enum.StrEnum):
    """By which way a request came."""

    ANY = "any"
    REST = "rest"
    WS = "ws"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault.

    It strikes what fits `calls` (empty: what its kind usually strikes), `transport`, `account` and `symbol` (empty: any), each time
    with probability `share`, until it has struck `count` times or `duration_ms` are over; with neither it strikes once. A count of
    frames is meant for each stream by itself, within ten seconds unless a duration says otherwise.
    """

    kind: FaultKind
    calls: tuple[CallKind, ...] = ()
    transport: Transport = Transport.ANY
    account: Name = ""
    symbol: Name = ""
    count: Annotated[int, Meta(ge=1, le=COUNT_MAX)] | None = None
    duration_ms: Annotated[int, Meta(ge=1, le=24 * HOUR_MS)] | None = None
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    executed: bool = True
    beyond_window: bool = False
    delay_ms: Annotated[int, Meta(ge=0, le=DELAY_MS_MAX)] = 1_000
    lag_ms: Annotated[int, Meta(ge=0, le=LAG_MS_MAX)] = 2_000
    skew_ms: Annotated[int, Meta(ge=-HOUR_MS, le=HOUR_MS)] = -5_000
    retry_after_s: Annotated[int, Meta(ge=1, le=86_400)] = 5
    part: Annotated[float, Meta(gt=0, le=1)] = 1.0
    sockets: SocketGroup = SocketGroup.ALL


class FaultError(ValueError):
    """A fault that cannot be: the text says where and why."""


def decode_fault(body: bytes) -> Fault:
    """A fault from JSON.

    Raises:
        FaultError: it is no JSON, or a field is unknown, missing or beyond its bounds.
    """
    try:
        return msgspec.json.decode(body, type=Fault)
    except msgspec.DecodeError as error:
        raise FaultError(str(error)) from None


ORDERS = (CallKind.PLACE, CallKind.AMEND)
WRITES = (*ORDERS, CallKind.CANCEL, CallKind.CANCEL_ALL, CallKind.COUNTDOWN)
EVERY_CALL = tuple(CallKind)

UNCLEAR = frozenset(
    {
        FaultKind.UNKNOWN_OUTCOME,
        FaultKind.UNEXPECTED_RESPONSE,
        FaultKind.BACKEND_TIMEOUT,
        FaultKind.NO_ANSWER,
        FaultKind.CONNECTION_CUT,
        FaultKind.MALFORMED_ANSWER,
    }
)
REFUSALS = frozenset(
    {
        FaultKind.SERVICE_UNAVAILABLE,
        FaultKind.INTERNAL_ERROR,
        FaultKind.OVERLOADED,
        FaultKind.WINDOW_REFUSED,
        FaultKind.THROTTLED,
        FaultKind.THROTTLED_BARE,
        FaultKind.ORDERS_THROTTLED,
        FaultKind.BANNED,
        FaultKind.FORBIDDEN,
        FaultKind.KEY_REJECTED,
    }
)
EVENTS = frozenset(
    {
        FaultKind.EVENTS_DELAYED,
        FaultKind.EVENTS_REPEATED,
        FaultKind.EVENTS_REORDERED,
        FaultKind.EVENTS_DROPPED,
        FaultKind.EVENTS_SILENT,
    }
)
STREAMS = frozenset({FaultKind.DEPTH_GAP, FaultKind.MARKET_SILENT, FaultKind.MALFORMED_FRAME, FaultKind.ABSURD_PRICES})
AT_ONCE = frozenset(
    {
        FaultKind.LISTEN_KEY_EXPIRED,
        FaultKind.FILTERS_CHANGED,
        FaultKind.ORDERS_WIPED,
        FaultKind.DISCONNECT,
        FaultKind.HALF_OPEN,
    }
)
LASTING = frozenset(
    {
        FaultKind.CLOCK_SKEW,
        FaultKind.READ_LAG,
        FaultKind.OLD_SNAPSHOT,
        FaultKind.EVENTS_SILENT,
        FaultKind.HALTED,
    }
)
"""Kinds that hold for a time and not for a number of strikes; without a duration they last until they are cleared."""

USUAL_CALLS: dict[FaultKind, tuple[CallKind, ...]] = {
    **dict.fromkeys(UNCLEAR, WRITES),
    FaultKind.LATE_ACCEPT: ORDERS,
    FaultKind.SERVICE_UNAVAILABLE: WRITES,
    FaultKind.INTERNAL_ERROR: WRITES,
    FaultKind.OVERLOADED: ORDERS,
    FaultKind.WINDOW_REFUSED: (*WRITES, CallKind.SETTING, CallKind.QUERY),
    FaultKind.THROTTLED: EVERY_CALL,
    FaultKind.THROTTLED_BARE: EVERY_CALL,
    FaultKind.ORDERS_THROTTLED: ORDERS,
    FaultKind.BANNED: EVERY_CALL,
    FaultKind.FORBIDDEN: EVERY_CALL,
    FaultKind.KEY_REJECTED: (*WRITES, CallKind.SETTING, CallKind.QUERY, CallKind.LISTEN_KEY),
    FaultKind.ANSWER_DELAYED: WRITES,
    FaultKind.ACK_AFTER_FILL: (CallKind.PLACE,),
    FaultKind.CANCEL_FILL_RACE: (CallKind.CANCEL,),
    FaultKind.READ_LAG: (CallKind.QUERY,),
    FaultKind.OLD_SNAPSHOT: (CallKind.SNAPSHOT,),
}
