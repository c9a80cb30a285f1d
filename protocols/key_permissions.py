"""What an API key may do against what it is used for: a key that can take money away is no key to trade with."""

from __future__ import annotations

import msgspec

_REMEDY = "take that permission from it at the venue, or use another key"


class KeyPermissions(msgspec.Struct, frozen=True, kw_only=True):
    """What an API key may do: read, trade futures, trade anything else, withdraw, and move money to other wallets or people."""

    reads: bool
    trades_futures: bool
    trades_elsewhere: bool
    withdraws: bool
    transfers: bool


def trading_key_faults(whose: str, key: KeyPermissions) -> list[str]:
    """What is wrong with a key that orders are made with; `whose` names it in the sentences, such as "the account's key"."""
    faults = _takes_money(whose, key)
    if not key.reads:
        faults.append(f"{whose} may not read: give it that permission at the venue")
    if not key.trades_futures:
        faults.append(f"{whose} may not trade futures: give it that permission at the venue")
    return faults


def reading_key_faults(whose: str, key: KeyPermissions) -> list[str]:
    """What is wrong with a key that may only read."""
    faults = _takes_money(whose, key)
    if not key.reads:
        faults.append(f"{whose} may not read: give it that permission at the venue")
    if key.trades_futures or key.trades_elsewhere:
        faults.append(f"{whose} may trade, and is there to read: {_REMEDY}")
    return faults


def _takes_money(whose: str, key: KeyPermissions) -> list[str]:
    faults = []
    if key.withdraws:
        faults.append(f"{whose} may withdraw: {_REMEDY}")
    if key.transfers:
        faults.append(f"{whose} may transfer money: {_REMEDY}")
    return faults
