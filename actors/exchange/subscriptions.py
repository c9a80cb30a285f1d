"""Stream sockets without sockets: the streams an address names, who serves them, control messages (facts 1.2, 1.3, 5.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

STREAMS_MAX = 1_024
MESSAGES_PER_SECOND_MAX = 10
REQUEST_ID_CHARS_MAX = 36
_PUBLIC_KINDS = ("depth", "bookTicker", "rpiDepth", "trade")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream or listen key asked for in an address; `kinds` limits a listen key's events, None is all."""

    name: str
    kinds: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """What the address of a stream socket says. `group` is public, market, private, or empty for the unrouted legacy paths."""

    group: str
    combined: bool
    wanted: tuple[Wanted, ...]


@dataclass(slots=True)
class ControlReply:
    """The answer to a control message, and the subscriptions it changes. `close` asks to end the connection."""

    payload: bytes
    subscribe: list[str] = field(default_factory=list)
    unsubscribe: list[str] = field(default_factory=list)
    combined: bool | None = None
    close: bool = False


def read_address(path: str, raw_query: str) -> StreamAddress | None:
    """Read a socket's address; None when no stream socket is served there."""
    parts = [part for part in path.split("/") if part]
    group = parts.pop(0) if parts and parts[0] in ("public", "market", "private") else ""
    if not parts or parts[0] not in ("ws", "stream"):
        return None
    combined = parts[0] == "stream"
    names = [unquote(part) for part in parts[1:]]
    query = parse_qs(raw_query, keep_blank_values=True)
    for listed in query.get("streams", []):
        names.extend(name for name in listed.split("/") if name)
    wanted = [Wanted(name) for name in names]
    wanted += _listen_keys(raw_query)
    return StreamAddress(group, combined, tuple(wanted[:STREAMS_MAX]))


def is_served(group: str, stream: str) -> bool:
    """Whether the path group carries a market stream; the legacy paths carry all."""
    if group == "":
        return True
    kind = stream.removeprefix("!") if stream.startswith("!") else stream.partition("@")[2]
    public = kind.startswith(_PUBLIC_KINDS)
    if group == "public":
        return public
    return group == "market" and (not public or kind.startswith("trade"))


def control(frame: str | bytes, subscribed: list[str], *, combined: bool) -> ControlReply:
    """Answer a control message; `subscribed` are the present subscriptions."""
    try:
        message = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return ControlReply(_error(3, f"Invalid JSON: {error}", None), close=True)
    if not isinstance(message, dict):
        return ControlReply(_error(2, "Invalid request: it must be an object", None))
    request_id: Any = message.get("id")
    if not _is_request_id(request_id):
        return ControlReply(_error(2, "Invalid request: request ID must be an unsigned integer", None))
    params = message.get("params", [])
    if not isinstance(params, list):
        return ControlReply(_error(2, "Invalid request: params must be a list", request_id))
    match message.get("method"):
        case "SUBSCRIBE" | "UNSUBSCRIBE" as method:
            return _change(str(method), params, subscribed, request_id)
        case "LIST_SUBSCRIPTIONS":
            return ControlReply(_result(subscribed, request_id))
        case "SET_PROPERTY":
            if len(params) != 2 or params[0] != "combined":
                return ControlReply(_error(0, "Unknown property", request_id))
            if not isinstance(params[1], bool):
                return ControlReply(_error(1, "Invalid value type: expected Boolean", request_id))
            return ControlReply(_result(None, request_id), combined=params[1])
        case "GET_PROPERTY":
            if params != ["combined"]:
                return ControlReply(_error(0, "Unknown property", request_id))
            return ControlReply(_result(combined, request_id))
        case None:
            return ControlReply(_error(2, "Invalid request: missing field `method`", request_id))
        case unknown:
            return ControlReply(_error(2, f"Invalid request: unknown variant `{unknown}`", request_id))


def _is_request_id(value: Any) -> bool:
    """An unsigned integer, by the letter of the rules; the venue's own SDK sends short texts, so they are taken as well."""
    if isinstance(value, str):
        return 0 < len(value) <= REQUEST_ID_CHARS_MAX
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _change(method: str, params: list[Any], subscribed: list[str], request_id: Any) -> ControlReply:
    if not params or not all(isinstance(name, str) and name for name in params):
        return ControlReply(_error(2, "Invalid request: params must be a list of stream names", request_id))
    reply = ControlReply(_result(None, request_id))
    if method == "UNSUBSCRIBE":
        reply.unsubscribe = params
    elif len(set(subscribed) | set(params)) > STREAMS_MAX:
        return ControlReply(_error(2, f"Invalid request: more than {STREAMS_MAX} streams", request_id))
    else:
        reply.subscribe = params
    return reply


def _listen_keys(raw_query: str) -> list[Wanted]:
    """`listenKey=K1&events=A/B&listenKey=K2`: events belong to the key before them."""
    found: list[Wanted] = []
    for part in raw_query.split("&"):
        name, _, value = part.partition("=")
        if name == "listenKey" and value:
            found.append(Wanted(unquote(value)))
        elif name == "events" and value and found:
            kinds = frozenset(kind for kind in unquote(value).split("/") if kind)
            found[-1] = Wanted(found[-1].name, kinds)
    return found


def _result(result: Any, request_id: Any) -> bytes:
    return msgspec.json.encode({"result": result, "id": request_id})


def _error(code: int, text: str, request_id: Any) -> bytes:
    return msgspec.json.encode({"error": {"code": code, "msg": text}, "id": request_id})
