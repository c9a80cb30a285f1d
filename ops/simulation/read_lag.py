"""Reads that lag behind the engine: lists that do not yet show what was accepted, executed or changed a moment ago (facts section 8.3)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from actors.exchange.ledger import LedgerRecord, OrderAccepted, OrderFilled, SeamClosed
from protocols.values import Instrument, symbol_of
from protocols.venue import (
    AnyOutcome,
    FillsAnswered,
    OpenOrdersAnswered,
    OrderAnswered,
    PositionsAnswered,
    QueryOrder,
    RefusalKind,
    Refused,
    VenueRequest,
)

LAG_NS_MAX = 10_000_000_000
"""Nothing older than this is remembered."""


class ReadLag:
    """Remembers what the venue's ledger said of late, and takes it out of answers."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._accepted: deque[tuple[int, int]] = deque()
        self._executed: deque[tuple[int, str, int]] = deque()
        self._positions: dict[str, deque[tuple[int, Decimal]]] = defaultdict(deque)

    def note(self, record: LedgerRecord) -> None:
        """Take a record of the ledger."""
        match record:
            case OrderAccepted():
                self._accepted.append((record.t, record.order_id))
            case OrderFilled() | SeamClosed():
                self._executed.append((record.t, record.symbol, record.trade_id))
                positions = self._positions[record.symbol]
                positions.append((record.t, record.position_after))
                while len(positions) > 1 and positions[1][0] < record.t - LAG_NS_MAX:
                    positions.popleft()
            case _:
                return
        while self._accepted and self._accepted[0][0] < record.t - LAG_NS_MAX:
            self._accepted.popleft()
        while self._executed and self._executed[0][0] < record.t - LAG_NS_MAX:
            self._executed.popleft()

    def apply(self, request: VenueRequest, outcome: AnyOutcome, venue_ns: int, lag_ns: int) -> AnyOutcome:
        """The answer as a reader sees it that is `lag_ns` behind."""
        since_ns = venue_ns - lag_ns
        match outcome:
            case OrderAnswered() if isinstance(request, QueryOrder):
                if outcome.order.venue_order_id in self._young_orders(since_ns):
                    return Refused(
                        request_id=outcome.request_id,
                        received_ns=outcome.received_ns,
                        usage=outcome.usage,
                        kind=RefusalKind.NOT_FOUND,
                        venue_code=-2013,
                        text="Order does not exist.",
                    )
                return outcome
            case OpenOrdersAnswered():
                young = self._young_orders(since_ns)
                orders = tuple(order for order in outcome.orders if order.venue_order_id not in young)
                return msgspec.structs.replace(outcome, orders=orders)
            case FillsAnswered():
                symbol = symbol_of(outcome.instrument_id)
                late = {trade_id for at_ns, name, trade_id in self._executed if at_ns > since_ns and name == symbol}
                fills = tuple(fill for fill in outcome.fills if fill.trade_id not in late)
                return msgspec.structs.replace(outcome, fills=fills)
            case PositionsAnswered():
                positions = tuple(
                    msgspec.structs.replace(
                        report,
                        position_lots=self._lots(symbol_of(report.instrument_id), since_ns, report.position_lots),
                        venue_time_ns=min(report.venue_time_ns, since_ns),
                    )
                    for report in outcome.positions
                )
                return msgspec.structs.replace(outcome, positions=positions)
            case _:
                return outcome

    def _young_orders(self, since_ns: int) -> set[int]:
        return {order_id for at_ns, order_id in self._accepted if at_ns > since_ns}

    def _lots(self, symbol: str, since_ns: int, now_lots: int) -> int:
        """Signed lots of a symbol as they were at an instant."""
        positions = self._positions.get(symbol)
        if not positions or positions[-1][0] <= since_ns:
            return now_lots
        older = [amount for at_ns, amount in positions if at_ns <= since_ns]
        return int((older[-1] if older else Decimal(0)) / self._instruments[symbol].lot_size)
