"""What the venue says of orders and executions, whichever way it came: applied to the tables, strangers dealt with."""

from __future__ import annotations

from actors.order_manager.orders import Order, OrderState
from actors.order_manager.shard import Owner, Shard
from actors.order_manager.symbol import Symbol
from protocols.messages.alerts import AlertCode, Severity
from protocols.venue import FillReport, OrderReport

MISSED_AFTER_NS = 2_000_000_000
"""An execution that the private stream has not told within this was missed by it."""


STRAYS_ASKED_MAX = 10
"""So many executed orders of unknown owner are asked for at a time."""


class Evidence:
    """The only writer of venue evidence."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    def order(self, symbol: Symbol, report: OrderReport, now_ns: int) -> Order | None:
        """Apply a description of an order; the order when it is one of our table."""
        table = symbol.table
        order = table.find(report.client_order_id, report.venue_order_id)
        if order is None:
            lots = table.name_stray(report.venue_order_id)
            if lots and self._shard.owner(report.client_order_id) is Owner.FOREIGN:
                self._tell_foreign(symbol, f"{report.side.value} {lots} lots", report.venue_order_id, now_ns)
            self._stranger(symbol, report, now_ns)
            return None
        is_over = order.state in (OrderState.REJECTED, OrderState.DENIED)
        if is_over and (not report.status.is_terminal or report.filled_lots):
            self._zombie(symbol, order, report, now_ns)
            return order
        was = order.state
        if not table.report(order, report):
            self._shard.syncs[symbol.instrument_id].want_fills()
        if was is OrderState.UNKNOWN or order.is_terminal:
            self._shard.suspects.clear(order.client_order_id)
        return order

    def fill(
        self,
        symbol: Symbol,
        fill: FillReport,
        client_order_id: str,
        now_ns: int,
        forced: bool = False,
        total_lots: int = 0,
    ) -> bool:
        """Book an execution once; whether it was news. `total_lots`: the order's quantity, where it was told with it.

        Whose an order is that no table holds, its id says: one of ours (of a life whose journal is lost) is no stranger's. Lists of
        executions name no id: their orders are asked for first.
        """
        is_ours = bool(client_order_id) and self._shard.owner(client_order_id) is not Owner.FOREIGN
        if not symbol.table.book(fill, client_order_id, forced, total_lots, is_ours):
            return False
        order = symbol.table.find(client_order_id, fill.venue_order_id)
        suspects = self._shard.suspects
        if order is None:
            symbol.unexplained = True
            if not client_order_id:
                self.ask_for_strays(symbol, now_ns)
            elif not is_ours:
                self._tell_foreign(symbol, f"{fill.side.value} {fill.quantity_lots} lots", fill.venue_order_id, now_ns)
        elif suspects.clear(order.client_order_id) and not order.is_settled:
            suspects.add(symbol.instrument_id, order, now_ns, at_once=True)
        return True

    def ask_for_strays(self, symbol: Symbol, now_ns: int) -> None:
        """Lists of executions name an order by the venue's id alone: ask whose it is."""
        asked = {request.venue_order_id for request in self._shard.desk.in_flight.values()}
        for venue_order_id in symbol.table.strays[:STRAYS_ASKED_MAX]:
            if venue_order_id not in asked:
                self._shard.desk.query_order(symbol.instrument_id, "", now_ns, venue_order_id)

    def stray_not_found(self, symbol: Symbol, venue_order_id: int, now_ns: int) -> None:
        """The venue does not name the order of an execution: it counts as a stranger's, unless it may be one of ours of unknown fate."""
        if self._shard.suspects.concern(symbol.instrument_id):
            return
        lots = symbol.table.name_stray(venue_order_id)
        if lots:
            self._tell_foreign(symbol, f"{lots} lots", venue_order_id, now_ns)

    def _tell_foreign(self, symbol: Symbol, what: str, venue_order_id: int, now_ns: int) -> None:
        text = f"{what} of order {venue_order_id}, which is not ours"
        self._shard.outbox.alert(AlertCode.FOREIGN_FILL, Severity.WARNING, symbol.name, text, now_ns)

    def page(self, symbol: Symbol, fills: tuple[FillReport, ...], now_ns: int) -> tuple[int, list[str]]:
        """Book a page of executions: how many were news, and those that the private stream should have told long ago."""
        sync = self._shard.syncs[symbol.instrument_id]
        news = 0
        missed: list[str] = []
        venue_now_ns = self._shard.clock.at(now_ns)
        for fill in fills:
            if not sync.has_opening:
                symbol.table.skip(fill)
            elif self.fill(symbol, fill, "", now_ns):
                news += 1
                if venue_now_ns - fill.venue_time_ns > MISSED_AFTER_NS:
                    missed.append(f"trade {fill.trade_id} was missed by the private stream")
        return news, missed

    def _stranger(self, symbol: Symbol, report: OrderReport, now_ns: int) -> None:
        """An order that is in no table of ours."""
        if report.status.is_terminal:
            return
        owner = self._shard.owner(report.client_order_id)
        if owner is Owner.NEWER:
            self._shard.supersede(f"{symbol.name}: order {report.client_order_id} is of a newer epoch", now_ns)
        elif owner is Owner.FOREIGN:
            self._shard.outbox.alert(
                AlertCode.FOREIGN_ORDER,
                Severity.WARNING,
                symbol.name,
                f"{report.side.value} {report.quantity_lots} lots at {report.price_ticks} ticks is not ours"
                + (
                    ""
                    if self._shard.own.foreign_orders == "cancelled"
                    else "; our countdown and a stop will end it too"
                ),
                now_ns,
            )
            symbol.unexplained = True
            if self._shard.own.foreign_orders == "cancelled":
                self._cancel(symbol, report, now_ns)
        elif symbol.recovered:
            self._cancel(symbol, report, now_ns)
            self._shard.halt(
                symbol, AlertCode.ORDER_ZOMBIE, f"{report.client_order_id} lives and is in no table of ours", now_ns
            )

    def _zombie(self, symbol: Symbol, order: Order, report: OrderReport, now_ns: int) -> None:
        if not symbol.table.rise(order, report):
            self._shard.syncs[symbol.instrument_id].want_fills()
        if not order.is_terminal:
            self._shard.desk.cancel(symbol.instrument_id, order, now_ns)
        self._shard.halt(
            symbol, AlertCode.ORDER_ZOMBIE, f"{order.client_order_id} was taken for dead and lives", now_ns
        )

    def _cancel(self, symbol: Symbol, report: OrderReport, now_ns: int) -> None:
        self._shard.desk.cancel_foreign(symbol.instrument_id, report.client_order_id, report.venue_order_id, now_ns)
