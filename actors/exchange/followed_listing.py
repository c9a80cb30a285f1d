"""What a followed venue says of its contracts while it is followed: status, bounds and brackets become frames of ours.

`!contractInfo` tells of a status at once, and of brackets, which without a key nobody can ask for; `exchangeInfo` once a minute has status
and bounds. A tick that becomes a multiple of what it was is followed; another lot, or any other tick, closes the symbol until a new start.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from actors.exchange.brackets import Bracket, Brackets
from actors.exchange.contracts import Contract
from actors.exchange.followed_contracts import followed_contracts
from actors.exchange.frames import ContractFrame, Frame, TermsFrame
from actors.exchange.scenarios import CLOSED, PAUSED, REDUCE_ONLY, SETTLING, TRADING
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.exchange_info import decode_exchange_info
from protocols.values import Instrument

CONTRACT_INFO_STREAM = "!contractInfo"
CONTRACT_INFO_HEAD = b'{"stream":"!contractInfo"'
OVER = frozenset({SETTLING, CLOSED, "DELIVERING", "DELIVERED"})
"""Positions in a contract of this status are settled; all but the first mean that it is closed."""

BRACKETS_MAX = 100


class _Row(msgspec.Struct):
    bs: int
    bnf: Decimal
    bnc: Decimal
    mmr: Decimal
    cf: Decimal
    ma: int


class _ContractInfo(msgspec.Struct):
    s: str
    cs: str
    bks: list[_Row] = []


class _Combined(msgspec.Struct):
    data: _ContractInfo


class _Symbol:
    def __init__(self, contract: Contract) -> None:
        self.first = self.contract = contract
        self.status = TRADING
        self.multiple = 1
        self.unusable = False


class FollowedListing:
    """The contracts of a followed venue. Each method that is told something returns the frames that follow from it."""

    def __init__(self, contracts: Iterable[Contract], account: str) -> None:
        self._symbols = {contract.symbol: _Symbol(contract) for contract in contracts}
        self._account = account
        self.notes: list[str] = []
        """Sentences for a person, newest last; whoever reads them empties the list."""

    def take_stream(self, payload: bytes, now_ns: int) -> list[Frame]:
        """A frame of `!contractInfo`.

        Raises:
            DamagedPayload: it cannot be understood.
        """
        try:
            told = msgspec.json.decode(payload, type=_Combined).data
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DamagedPayload(field=CONTRACT_INFO_STREAM, reason=str(error)) from None
        symbol = self._symbols.get(told.s)
        if symbol is None:
            return []
        frames = self._status(symbol, told.cs, symbol.multiple, now_ns)
        if told.bks:
            frames.append(TermsFrame(told.s, now_ns, None, _brackets(told.bks)))
        return frames

    def take_info(self, body: bytes, now_ns: int) -> list[Frame]:
        """The body of `exchangeInfo`.

        Raises:
            DamagedPayload: it cannot be understood.
            SourceError: a contract is now of a kind that this venue does not have.
        """
        listed = decode_exchange_info(body, self._account)
        trading = {each.symbol: each for each in listed.instruments if each.symbol in self._symbols}
        usable = [each for each in trading.values() if each.quantity_lots_min == 1]
        contracts = {each.symbol: each for each in followed_contracts(body, usable)}
        frames: list[Frame] = []
        for name, symbol in self._symbols.items():
            status = listed.statuses.get(name, CLOSED)
            if status != TRADING:
                frames += self._status(symbol, status, symbol.multiple, now_ns)
                continue
            contract, instrument = contracts.get(name), trading.get(name)
            frames += self._terms(symbol, contract, instrument, now_ns)
        return frames

    def _terms(
        self, symbol: _Symbol, contract: Contract | None, instrument: Instrument | None, now_ns: int
    ) -> list[Frame]:
        first = symbol.first
        multiple, rest = divmod(contract.tick_size, first.tick_size) if contract is not None else (0, 0)
        if contract is None or rest or multiple < 1 or contract.lot_size != first.lot_size:
            if not symbol.unusable:
                symbol.unusable = True
                units = (
                    f"tick {instrument.tick_size}, lot {instrument.lot_size}" if instrument is not None else "damaged"
                )
                self.notes.append(
                    f"{first.symbol}: the followed venue changed its units ({units}): it is closed to orders here until a new start"
                )
            return self._status(symbol, PAUSED, symbol.multiple, now_ns)
        symbol.unusable = False
        ours = msgspec.structs.replace(
            contract,
            tick_size=first.tick_size,
            price_decimals=first.price_decimals,
            quantity_decimals=first.quantity_decimals,
            price_ticks_max=contract.price_ticks_max * int(multiple),
        )
        frames = self._status(symbol, TRADING, int(multiple), now_ns)
        if ours != symbol.contract:
            symbol.contract = ours
            frames.append(TermsFrame(first.symbol, now_ns, ours, None))
            self.notes.append(f"{first.symbol}: the followed venue changed its filters; they hold here too")
        return frames

    def _status(self, symbol: _Symbol, status: str, multiple: int, now_ns: int) -> list[Frame]:
        """A status that is over comes by way of the settlement, which a look once a minute may have missed."""
        if symbol.unusable and status == TRADING:
            status = PAUSED
        if (status, multiple) == (symbol.status, symbol.multiple):
            return []
        was, name = symbol.status, symbol.first.symbol
        symbol.status, symbol.multiple = status, multiple
        self.notes.append(f"{name}: the followed venue has it as {status}")
        if status in OVER:
            settling = [] if was in OVER else [ContractFrame(name, now_ns, SETTLING, multiple)]
            closed = [] if status == SETTLING else [ContractFrame(name, now_ns, CLOSED, multiple)]
            return [*settling, *closed]
        ours = status if status in (TRADING, REDUCE_ONLY) else PAUSED
        return [ContractFrame(name, now_ns, ours, multiple)]


def _brackets(rows: list[_Row]) -> Brackets:
    """
    Raises:
        DamagedPayload: the tiers do not follow one another.
    """
    floor = Decimal(0)
    for row in rows:
        if row.bnf != floor or not row.bnf < row.bnc or not 0 < row.mmr < 1 or row.ma < 1:
            raise DamagedPayload(field="bks", reason=f"tier {row.bs} does not follow the one before it")
        floor = row.bnc
    if len(rows) > BRACKETS_MAX:
        raise DamagedPayload(field="bks", reason=f"{len(rows)} tiers, more than {BRACKETS_MAX}")
    return Brackets([Bracket(row.bs, row.bnf, row.bnc, row.mmr, row.ma, row.cf) for row in rows])
