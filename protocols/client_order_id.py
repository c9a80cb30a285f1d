"""Our client order ids: `rm{install}-{epoch}-{shard}{symbol code}-{seq}`, base 36, at most 36 characters.

Ids stay unique over restarts, nodes and reshards because epochs do, and every live order at the venue tells which epoch placed it.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PATTERN = re.compile(r"rm([0-9a-z]{1,6})-([0-9a-z]{1,8})-([0-9a-z])([0-9a-z]{2})-([0-9a-z]{1,10})")

PARSED_MAX = 4_096
"""Ids whose parts are remembered: an order's id comes in many messages, one after the other."""


class ClientOrderId(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of one of our ids. `install` tells two installations on one account apart."""

    install: str
    epoch: int
    shard: int
    symbol_code: int
    seq: int

    @property
    def text(self) -> str:
        """The id as the venue sees it."""
        return client_order_id_prefix(self.install, self.epoch, self.shard, self.symbol_code) + base36(self.seq)


def client_order_id_prefix(install: str, epoch: int, shard: int, symbol_code: int) -> str:
    """Everything before the sequence number; the order manager keeps it per symbol.

    Args:
        install: 1 to 6 characters of [0-9a-z].
        epoch: positive.
        shard: 0 to 35.
        symbol_code: 0 to 1295, the symbol's place in the account's sorted list of symbols.
    """
    return f"rm{install}-{base36(epoch)}-{_DIGITS[shard]}{base36(symbol_code).zfill(2)}-"


@lru_cache(maxsize=PARSED_MAX)
def parse_client_order_id(text: str) -> ClientOrderId | None:
    """Parts of an id of ours, or None for anybody else's."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    install, epoch, shard, symbol_code, seq = match.groups()
    return ClientOrderId(
        install=install, epoch=int(epoch, 36), shard=int(shard, 36), symbol_code=int(symbol_code, 36), seq=int(seq, 36)
    )


def base36(number: int) -> str:
    """A non-negative integer in base 36, lower case."""
    if number < 36:
        return _DIGITS[number]
    digits = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
