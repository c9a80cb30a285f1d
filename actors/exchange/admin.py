"""The venue's own calls beside Binance's, on loopback: a page and a view of its state, and faults on demand where it was started with them.

    GET    /raymaker/              a page for people
    GET    /raymaker/status        the same as JSON

POST   /raymaker/faults        {"kind": "unknown_outcome", "calls": ["place"], "executed": true, "count": 3}   begin one
GET    /raymaker/faults                                                                                        what is in force
DELETE /raymaker/faults        or /raymaker/faults/NUMBER                                                      end all, or one
"""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec

from actors.exchange.api import Answer
from actors.exchange.exchange import Exchange
from actors.exchange.face import snapshot_of
from actors.exchange.fault_plan import ActiveFault
from actors.exchange.faults import FaultError, FaultKind, decode_fault

PREFIX = "/raymaker/"
FAULTS = PREFIX + "faults"
STATUS = PREFIX + "status"
NS_PER_MS = 1_000_000


def answer(
    exchange: Exchange,
    method: str,
    path: str,
    body: bytes,
    *,
    faults_allowed: bool,
    connections: dict[str, int] | None = None,
) -> Answer:
    """Answer an admin call."""
    if path in (PREFIX, STATUS) and method == "GET":
        view = _status(exchange, connections or {})
        return _ok(view) if path == STATUS else Answer(200, _page(view), content_type="text/html")
    if path != FAULTS and not path.startswith(FAULTS + "/"):
        return _error(404, f"{path}: there is no such call; there are {PREFIX}, {STATUS} and {FAULTS}.")
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


def _status(exchange: Exchange, connections: dict[str, int]) -> dict[str, Any]:
    """Time, books, accounts, connections and faults."""
    snapshot = snapshot_of(exchange)
    now_ns = exchange.venue.now_ns
    return {
        "time_ms": now_ns // NS_PER_MS,
        "markets": msgspec.to_builtins(snapshot.markets),
        "accounts": msgspec.to_builtins(snapshot.accounts),
        "connections": connections,
        "faults": [msgspec.to_builtins(_row(one, now_ns)) for one in exchange.faults.in_force(now_ns)],
    }


def _page(view: dict[str, Any]) -> bytes:
    """The view as tables, anew every two seconds."""
    parts = []
    for title, rows in view.items():
        if isinstance(rows, dict):
            lines = "".join(f"<tr><th>{escape(str(name))}</th><td>{_cell(row)}</td></tr>" for name, row in rows.items())
            parts.append(f"<h2>{escape(title)}</h2><table>{lines}</table>")
        else:
            parts.append(f"<h2>{escape(title)}</h2><p>{_cell(rows)}</p>")
    style = "body{font:14px sans-serif;margin:2em}th{text-align:left;padding-right:1em}td,th{vertical-align:top}"
    return (
        '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>simulated venue</title>'
        f"<style>{style}</style><h1>The simulated venue</h1>{''.join(parts)}"
    ).encode()


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{escape(str(name))}: {_cell(each)}" for name, each in value.items())
    return escape(str(value))


def _row(active: ActiveFault, now_ns: int) -> dict[str, Any]:
    left_ms = None if active.until_ns is None else max(0, active.until_ns - now_ns) // NS_PER_MS
    return {"number": active.number, "struck": active.struck, "left_ms": left_ms, "fault": active.fault}


def _ok(body: Any) -> Answer:
    return Answer(200, msgspec.json.encode(body))


def _error(status: int, text: str) -> Answer:
    return Answer(status, msgspec.json.encode({"error": text}))
