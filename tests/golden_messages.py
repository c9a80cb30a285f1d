"""A sample of every message of the vocabulary, and the bytes that were written for it once.

`python tests/golden_messages.py` adds messages that are new to golden_messages.json. It never changes what stands there: journals
and links of an older version hold those bytes.
"""

from __future__ import annotations

import enum
import importlib
import json
import pkgutil
import types
import typing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

GOLDEN_PATH = Path(__file__).with_name("golden_messages.json")


def messages() -> dict[str, type[msgspec.Struct]]:
    """Every message of protocols, by name."""
    import protocols.messages
    from protocols.envelope import Message

    for module in pkgutil.iter_modules(protocols.messages.__path__):
        importlib.import_module(f"protocols.messages.{module.name}")
    for name in ("protocols.venue", "protocols.effects"):
        importlib.import_module(name)
    found: dict[str, type[msgspec.Struct]] = {}
    waiting = [Message]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("protocols."):
                found[kind.__name__] = kind
    return dict(sorted(found.items()))


def sample(kind: type[msgspec.Struct], known: dict[str, dict[str, Any]] | None = None) -> msgspec.Struct:
    """A message whose every field has a value of its own, told by its name and place.

    With `known` (the golden messages) fields that they lack stay at their defaults, in messages inside it too.
    """
    hints = typing.get_type_hints(kind)
    fields = known[kind.__name__]["fields"] if known and kind.__name__ in known else kind.__struct_fields__
    return kind(**{name: _value(hints[name], name, place, known) for place, name in enumerate(fields)})


def _value(hint: Any, name: str, place: int, known: dict[str, dict[str, Any]] | None) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(next(one for one in arguments if one is not type(None)), name, place, known)
    if origin is typing.Literal:
        return arguments[0]
    if origin is tuple and arguments[-1] is Ellipsis:
        return (_value(arguments[0], name, place, known), _value(arguments[0], name, place + 1, known))
    if origin is tuple:
        return tuple(_value(one, name, place + index, known) for index, one in enumerate(arguments))
    if origin is list:
        return [_value(arguments[0], name, place, known), _value(arguments[0], name, place + 1, known)]
    if origin is dict:
        return {_value(arguments[0], name, place, known): _value(arguments[1], name, place, known)}
    hint = getattr(hint, "__supertype__", hint)
    if issubclass(hint, enum.Enum):
        return next(iter(hint))
    if issubclass(hint, msgspec.Struct):
        return sample(hint, known)
    if hint is Decimal:
        return Decimal(f"-{place}.0{place + 1}")
    return {bool: True, int: 1_790_770_782_210_000_000 + place, str: name}[hint]


def golden() -> dict[str, dict[str, Any]]:
    """What was written: by message, its field names and its bytes in hex."""
    loaded: dict[str, dict[str, Any]] = json.loads(GOLDEN_PATH.read_text()) if GOLDEN_PATH.exists() else {}
    return loaded


def main() -> None:
    """Add what is new."""
    known = golden()
    for name, kind in messages().items():
        if name not in known:
            known[name] = {
                "fields": list(kind.__struct_fields__),
                "bytes": msgspec.msgpack.encode(sample(kind)).hex(),
            }
    GOLDEN_PATH.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
