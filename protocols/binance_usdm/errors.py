"""What an error means for what was asked (facts section 8).

On a place or an amend every answer that does not prove a refusal leaves the outcome unknown; cancels, cancel-alls and countdowns
likewise, and a read that failed is simply asked again.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from protocols.venue import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    PlaceOrder,
    RefusalKind,
    SetCountdown,
    VenueRequest,
)

BANNED_UNTIL = re.compile(r"banned until (\d{10,16})")
"""Milliseconds of the venue's clock in the text of a ban."""


class RequestKind(enum.Enum):
    """How much an unclear answer matters."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    CONTROL = "control"
    READ = "read"


class ErrorClass(enum.Enum):
    """The first question about an error."""

    REFUSED = "refused"
    """Certainly not done; `Verdict.refusal` says what follows."""
    UNKNOWN = "unknown"
    """It may have been done."""
    THROTTLED = "throttled"
    """Not done; a limit was broken, wait."""
    BANNED = "banned"
    """Not done; the address is shut out."""


class Verdict(NamedTuple):
    """What an error means. `orders_only`: the limit on orders was broken, not the one on weight."""

    error_class: ErrorClass
    refusal: RefusalKind | None = None
    orders_only: bool = False


def classify(kind: RequestKind, http_status: int, code: int, text: str) -> Verdict:
    """Class of an error.

    Args:
        kind: what was asked.
        http_status: HTTP status, or the WebSocket API's `status`, or 400 for an item of a batch.
        code: the venue's code; 0 where the answer had none.
        text: the venue's text.
    """
    if http_status in (418, 403):
        return Verdict(ErrorClass.BANNED)
    if code == -1003 and BANNED_UNTIL.search(text):
        return Verdict(ErrorClass.BANNED)
    if http_status == 429 or code in (-1003, -1015):
        return Verdict(ErrorClass.THROTTLED, orders_only=code == -1015)
    if http_status in (408, 502, 504) or http_status >= 500:
        return _server_side(kind, code, text)
    meaning = CODES.get(code)
    if meaning is None:
        return _without_a_listed_code(kind, http_status)
    if meaning is _UNCLEAR:
        return _unclear(kind)
    if meaning is _ONLY_ON_READS_AND_CANCELS:
        return _unclear(kind) if kind is RequestKind.PLACE else Verdict(ErrorClass.REFUSED, RefusalKind.NOT_FOUND)
    assert isinstance(meaning, RefusalKind)
    return Verdict(ErrorClass.REFUSED, meaning)


def request_kind(request: VenueRequest) -> RequestKind:
    """Kind of a neutral request."""
    if isinstance(request, PlaceOrder):
        return RequestKind.PLACE
    if isinstance(request, AmendOrder):
        return RequestKind.AMEND
    if isinstance(request, CancelOrder):
        return RequestKind.CANCEL
    if isinstance(request, CancelAll | SetCountdown):
        return RequestKind.CONTROL
    return RequestKind.READ


def _server_side(kind: RequestKind, code: int, text: str) -> Verdict:
    """5xx and time-outs: only two answers are known to have done nothing (facts section 8.1)."""
    if code == -1008 or text.startswith("Service Unavailable"):
        return Verdict(ErrorClass.REFUSED, RefusalKind.RETRY_LATER)
    return _unclear(kind)


def _without_a_listed_code(kind: RequestKind, http_status: int) -> Verdict:
    if http_status == 401:
        return Verdict(ErrorClass.REFUSED, RefusalKind.STOP_ACCOUNT)
    if http_status == 404:
        return Verdict(ErrorClass.REFUSED, RefusalKind.OUR_FAULT)
    if kind is RequestKind.READ:
        return Verdict(ErrorClass.REFUSED, RefusalKind.DROP)
    return Verdict(ErrorClass.UNKNOWN)


def _unclear(kind: RequestKind) -> Verdict:
    if kind is RequestKind.READ:
        return Verdict(ErrorClass.REFUSED, RefusalKind.RETRY_LATER)
    return Verdict(ErrorClass.UNKNOWN)


class _Special(enum.Enum):
    UNCLEAR = "unclear"
    ONLY_ON_READS_AND_CANCELS = "only on reads and cancels"


_UNCLEAR = _Special.UNCLEAR
_ONLY_ON_READS_AND_CANCELS = _Special.ONLY_ON_READS_AND_CANCELS


def _table() -> dict[int, RefusalKind | _Special]:
    """Facts section 8.2, row by row. -1003 and -1015 are limits and are dealt with before this table is asked."""
    rows: list[tuple[RefusalKind | _Special, tuple[int, ...]]] = [
        # -1001 is said to have failed, and has been seen to have succeeded; -1013.. are requests that were never well formed.
        (_UNCLEAR, (-1000, -1001, -1006, -1007)),
        (_UNCLEAR, (-4000, -4083, -4117)),
        # An order of this very id lives: ours, of an earlier send.
        (_UNCLEAR, (-4116,)),
        (_ONLY_ON_READS_AND_CANCELS, (-2011, -2013)),
        (RefusalKind.NOT_FOUND, (-1125,)),
        (RefusalKind.POST_ONLY, (-5022,)),
        (RefusalKind.ALREADY_DONE, (-4046, -4059, -4171, -5027)),
        # Outside the window at the gateway, or at the engine.
        (RefusalKind.CLOCK, (-1021, -5028)),
        (RefusalKind.RETRY_LATER, (-1008, -2012, -5043)),
        (RefusalKind.DROP, (-1010, -1112, -2010, -2016, -2018, -2019, -2020, -2021, -2022, -2024, -2025, -2027, -2028)),
        (RefusalKind.DROP, (-4016, -4024, -4118, -4131, -4142, -4161, -5021, -5026, -5029, -5041)),
        (RefusalKind.STOP_SYMBOL, (-1121, -1122, -4047, -4048, -4105, -4106, -4107, -4140, -4141, -5024)),
        # Quantitative and large-position rules lock a symbol to reduce-only.
        (RefusalKind.STOP_SYMBOL, (-4400, -4401)),
        (RefusalKind.STOP_ACCOUNT, (-1002, -1011, -1016, -1022, -1099, -2014, -2015, -2017, -2023)),
        (RefusalKind.STOP_ACCOUNT, (-4060, -4061, -4067, -4068, -4087, -4088, -4109, -4189, -4192)),
        (RefusalKind.STOP_ACCOUNT, (-4167, -4168, -4169, -4170, -4172, -4402, -4403, -4425, -4531)),
        (RefusalKind.OUR_FAULT, (-1004, -1005, -1013, -1014, -1020, -1023, -1100, -1101, -1102, -1103, -1104, -1105)),
        (RefusalKind.OUR_FAULT, (-1106, -1108, -1109, -1110, -1111, -1113, -1114, -1115, -1116, -1117, -1118, -1119)),
        (RefusalKind.OUR_FAULT, (-1120, -1126, -1127, -1128, -1130, -1136, -2026)),
        # Filters: ours are out of date, or the arithmetic is wrong.
        (RefusalKind.OUR_FAULT, (-4001, -4002, -4003, -4004, -4005, -4006, -4007, -4013, -4014, -4015, -4021, -4023)),
        (RefusalKind.OUR_FAULT, (-4028, -4031, -4032, -4044, -4045, -4049, -4050, -4051, -4052, -4053, -4054, -4055)),
        (RefusalKind.OUR_FAULT, (-4062, -4082, -4084, -4104, -4120, -4135, -4137, -4138, -4139, -4144, -4164, -4165)),
        (RefusalKind.OUR_FAULT, (-4183, -4184, -4202, -4203, -4204, -4205, -4206, -4207, -4208, -4209, -4210, -4211)),
        (RefusalKind.OUR_FAULT, (-5000, -5025, -5037, -5038, -5039, -5040)),
    ]
    return {code: meaning for meaning, codes in rows for code in codes}


CODES = _table()
"""Code to meaning."""
