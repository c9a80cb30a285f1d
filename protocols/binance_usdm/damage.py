"""Errors of this room: payloads that cannot be understood, and symbols that cannot be traded."""

from __future__ import annotations

import re

import msgspec

_AT = re.compile(r" - at `\$?\.?(.*)`$", re.DOTALL)
_MISSING = re.compile(r"missing required field `([^`]*)`")
_BYTE = re.compile(r"(?:\(byte|in position) (\d+)")
_REASON_CHARACTERS_MAX = 200

DECODE_ERRORS = (msgspec.DecodeError, UnicodeError, RecursionError)
"""Everything that msgspec raises for text that is not what it should be."""


class WireError(Exception):
    """Base of the errors of Binance's wire."""


class DamagedPayload(WireError):
    """A payload that cannot be understood; `field` names the place, such as `data.b[3][0]` or `byte 17`."""

    def __init__(self, *, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class SymbolUnavailable(WireError):
    """A symbol that was asked for is not listed, or is not open for trading."""

    def __init__(self, *, symbol: str, reason: str) -> None:
        super().__init__(f"{symbol}: {reason}")
        self.symbol = symbol
        self.reason = reason


def damaged(error: Exception, *, inside: str = "") -> DamagedPayload:
    """Say where decoding stopped, from an error of `DECODE_ERRORS`; `inside` is the path of the part that was decoded."""
    text = str(error)
    place = _AT.search(text)
    path = place.group(1) if place else ""
    missing = _MISSING.search(text)
    byte = _BYTE.search(text)
    if missing:
        path = f"{path}.{missing.group(1)}" if path else missing.group(1)
    elif not path and byte:
        path = f"byte {byte.group(1)}"
    if inside:
        path = f"{inside}.{path}" if path else inside
    reason = text[: place.start()] if place else text
    return DamagedPayload(field=path or "frame", reason=reason[:_REASON_CHARACTERS_MAX])
