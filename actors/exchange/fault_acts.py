"""Faults that change the venue itself: trading halts for a while, orders are gone without a word, other filters. All are in the ledger."""

from __future__ import annotations

from actors.exchange.faults import Fault, FaultKind
from actors.exchange.frames import ContractFrame
from actors.exchange.scenarios import PAUSED, TRADING
from actors.exchange.venue import Venue

WIPED = "wiped"
"""Reason of an expiry in the ledger that nobody is told of."""


class FaultActs:
    """Carries them out, and ends halts."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._halted: set[str] = set()

    def begin(self, fault: Fault) -> None:
        """What happens at once. Events that the venue owes from before must have been collected."""
        match fault.kind:
            case FaultKind.FILTERS_CHANGED:
                for market in self._markets(fault):
                    self._venue.markets[market].change_filters()
            case FaultKind.HALTED:
                for symbol in self._markets(fault):
                    if self._venue.markets[symbol].status == TRADING:
                        self._halted.add(symbol)
                        self._change(symbol, PAUSED)
            case FaultKind.ORDERS_WIPED:
                self._venue.wipe_orders(fault.account, fault.symbol, WIPED)
            case _:
                pass

    @property
    def any_halt(self) -> bool:
        """Whether there is a halt to end."""
        return bool(self._halted)

    def look(self, *, halt_in_force: bool) -> None:
        """Trading goes on where a halt is over, unless the source has another status by now."""
        if self._halted and not halt_in_force:
            for symbol in sorted(self._halted):
                if self._venue.markets[symbol].status == PAUSED:
                    self._change(symbol, TRADING)
            self._halted.clear()

    def _markets(self, fault: Fault) -> list[str]:
        return [symbol for symbol in self._venue.markets if fault.symbol in ("", symbol)]

    def _change(self, symbol: str, status: str) -> None:
        multiple = self._venue.markets[symbol].tick_multiple
        self._venue.apply(ContractFrame(symbol, self._venue.now_ns, status, multiple))
