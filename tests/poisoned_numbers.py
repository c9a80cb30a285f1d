"""Every number inside a message, by its path, and the message with that number replaced."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

Path = tuple[str | int, ...]

BAD_DECIMALS = tuple(map(Decimal, ("NaN", "sNaN", "Infinity", "-Infinity", "0", "-1", "-1e30", "1e30")))
BAD_INTEGERS = (0, -1, -(10**18), 10**18)
"""What a field of each kind may hold that makes no sense: no number, infinite, nothing, negative, absurd."""


def numbers_in(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The path of each number in a message, messages inside it included; of a tuple only the first member is looked at."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from numbers_in(getattr(value, name), (*path, name))
    elif isinstance(value, tuple) and value:
        members = enumerate(value) if not isinstance(value[0], msgspec.Struct | tuple) else [(0, value[0])]
        for place, member in members:
            yield from numbers_in(member, (*path, place))
    elif isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool | enum.Enum)):
        yield path, value


def replaced(value: Any, path: Path, number: Any) -> Any:
    """The message with another number at the path; one that has no such place stays as it is."""
    if not path:
        return number
    place, rest = path[0], path[1:]
    if isinstance(place, str):
        return msgspec.structs.replace(value, **{place: replaced(getattr(value, place), rest, number)})
    if len(value) <= place:
        return value
    return (*value[:place], replaced(value[place], rest, number), *value[place + 1 :])


def written(path: Path) -> str:
    """A path for people, without places inside tuples of messages: `assets.margin_balance`, `bids.0`."""
    named = [str(part) for place, part in enumerate(path) if isinstance(part, str) or place == len(path) - 1]
    return ".".join(named)
