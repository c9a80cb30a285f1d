"""The venue's own calls beside Binance's: faults on demand. Served on loopback, and only when the venue was started with faults.

POST   /raymaker/faults        {"kind": "unknown_outcome", "calls": ["place"], "executed": true, "count": 3}   begin one
GET    /raymaker/faults                                                                                        what is in force
DELETE /raymaker/faults        or /raymaker/faults/NUMBER                                                      end all, or one
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.exchange.api import Answer
from actors.exchange.exchange import Exchange
from actors.exchange.fault_plan import ActiveFault
from actors.exchange.faults import FaultError, FaultKind, decode_fault

PREFIX = "/raymaker/"
FAULTS = PREFIX + "faults"
NS_PER_MS = 1_000_000


def answer(exchange: Exchange, method: str, path: str, body: bytes, *, faults_allowed: bool) -> Answer:
    """Answer an admin call."""
    if path != FAULTS and not path.startswith(FAULTS + "/"):
        return _error(404, f"{path}: there is no such call; there is {FAULTS}.")
    if not faults_allowed:
        return _error(404, "this venue was not started with --faults: nothing can be made to go wrong on it.")
    number = path.removeprefix(FAULTS).removeprefix("/")
    match method, number:
        case "POST", "":
            try:
                return _ok(_row(exchange.inject(decode_fault(body)), exchange.venue.now_ns))
            except FaultError as error:
                return _error(400, f"{error}; the kinds are {', '.join(FaultKind)}.")
        case "GET", "":
            now_ns = exchange.venue.now_ns
            return _ok({"faults": [_row(one, now_ns) for one in exchange.faults.in_force(now_ns)]})
        case "DELETE", _ if not number or number.isdecimal():
            return _ok({"ended": exchange.faults.clear(int(number) if number else None)})
        case _:
            return _error(405, f"{method} {path} is not served; POST, GET and DELETE on {FAULTS} are.")


def _row(active: ActiveFault, now_ns: int) -> dict[str, Any]:
    left_ms = None if active.until_ns is None else max(0, active.until_ns - now_ns) // NS_PER_MS
    return {"number": active.number, "struck": active.struck, "left_ms": left_ms, "fault": active.fault}


def _ok(body: Any) -> Answer:
    return Answer(200, msgspec.json.encode(body))


def _error(status: int, text: str) -> Answer:
    return Answer(status, msgspec.json.encode({"error": text}))
