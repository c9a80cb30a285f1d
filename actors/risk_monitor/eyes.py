"""The risk monitor's own eyes: what the venue says of positions, orders and margin, asked and heard without any order manager."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from configs.schema import EyesSettings
from protocols.client_order_id import parse_client_order_id
from protocols.effects import Call, Effect
from protocols.values import Instrument, InstrumentId, Side
from protocols.venue import (
    AccountAnswered,
    AdlAnswered,
    AllOpenOrdersAnswered,
    AnyOutcome,
    OrderReport,
    OrderUpdate,
    PositionsAnswered,
    PositionUpdate,
    QueryAccount,
    QueryAdlQuantiles,
    QueryAllOpenOrders,
    QueryPositions,
    QuerySymbolConfigs,
    QueryTradingStatus,
    Refused,
    RuleReport,
    SymbolConfigReport,
    SymbolConfigsAnswered,
    Throttled,
    TradingStatusAnswered,
    VenueRequest,
)

WEIGHT_1M = 460
"""Weight a minute of every look at the default periods: 30 x (5 + 5) + 2 x 40 + 2 x 5 + 10 + 5 here, 5 + 1 + 1 + 20 + 6 of the account's
rules, and some room."""

PATIENCE_NS = 10_000_000_000
"""A look without any answer for so long is given up."""

ENDED_MAX = 4_096
"""Ended orders remembered, so that a list that lags does not bring them back."""

LIST_LAG_NS = 1_000_000_000
"""An order that was heard of within so long before a list was asked for may rightly be missing in it."""

HASTE_NS = 5_000_000_000
"""Least time between two lists of orders, whatever differs."""

_MS = 1_000_000
_ZERO = Decimal(0)

Look = type[VenueRequest]


class SeenPosition(NamedTuple):
    """A position as the venue said it last (signed lots)."""

    lots: int
    venue_time_ns: int


class SeenOrder(NamedTuple):
    """An order of ours that rests at the venue."""

    side: Side
    remaining_lots: int
    heard_ns: int


class Margin(NamedTuple):
    """Margin of the account over its margin assets (stablecoins at par)."""

    balance: Decimal
    maintenance: Decimal
    available: Decimal


class _Asked(NamedTuple):
    look: Look
    asked_ns: int


class Eyes:
    """Asks for everything at its own period, one question of a kind at a time, and keeps the newest answer.

    Args:
        install: whose orders are ours.
    """

    def __init__(self, instruments: Iterable[Instrument], settings: EyesSettings, install: str) -> None:
        known = tuple(instruments)
        self._install = install
        self._margin_assets = {instrument.margin_asset for instrument in known}
        self._periods_ns: dict[Look, int] = {
            QueryPositions: settings.positions_ms * _MS,
            QueryAccount: settings.account_ms * _MS,
            QueryAllOpenOrders: settings.open_orders_ms * _MS,
            QuerySymbolConfigs: settings.symbol_config_ms * _MS,
            QueryAdlQuantiles: settings.adl_ms * _MS,
            QueryTradingStatus: settings.trading_status_ms * _MS,
        }
        self._due_ns = dict.fromkeys(self._periods_ns, 0)
        self._asked: dict[int, _Asked] = {}
        self._request_id = 0
        self._shut_until_ns = 0
        self._ended: dict[str, None] = {}
        self._listed_ns = 0
        self._stream_up = False
        self._stream_ns = 0
        self._answered_ns: dict[Look, int] = {}
        self.positions: dict[InstrumentId, SeenPosition] = {}
        self.orders: dict[InstrumentId, dict[str, SeenOrder]] = {one.instrument_id: {} for one in known}
        self.margin: Margin | None = None
        self.quantiles: dict[InstrumentId, int] = {}
        self.configs: dict[InstrumentId, SymbolConfigReport] = {}
        self.rules: tuple[RuleReport, ...] = ()
        self.refusal = ""
        """Why the last look that was refused was refused."""

    @property
    def sees_orders(self) -> bool:
        """Whether the picture of orders is whole: the private stream is open, and a list was asked for after it opened."""
        return self._stream_up and self._listed_ns >= self._stream_ns

    def blind_ns(self, started_ns: int, now_ns: int) -> int:
        """For how long one of the looks that matter has brought nothing."""
        seen = [self._answered_ns.get(look, started_ns) for look in (QueryPositions, QueryAccount)]
        seen.append(now_ns if self.sees_orders else max(self._stream_ns, started_ns))
        return now_ns - min(seen)

    def ask(self, venue_now_ns: int, now_ns: int) -> list[Effect]:
        """Ask for what is due."""
        for request_id, asked in list(self._asked.items()):
            if now_ns - asked.asked_ns > PATIENCE_NS:
                del self._asked[request_id]
        if now_ns < self._shut_until_ns:
            return []
        waiting = {asked.look for asked in self._asked.values()}
        effects: list[Effect] = []
        for look, due_ns in self._due_ns.items():
            if now_ns < due_ns or look in waiting:
                continue
            self._due_ns[look] = now_ns + self._periods_ns[look]
            self._request_id += 1
            self._asked[self._request_id] = _Asked(look, now_ns)
            effects.append(Call(look(request_id=self._request_id, venue_time_ns=venue_now_ns)))  # type: ignore[call-arg]
        return effects

    def take(self, outcome: AnyOutcome, now_ns: int) -> bool:
        """Take the answer to one of our looks; whether it brought something."""
        asked = self._asked.pop(outcome.request_id, None)
        if asked is None:
            return False
        match outcome:
            case PositionsAnswered():
                self._take_positions(outcome, asked.asked_ns)
            case AccountAnswered():
                ours = [asset for asset in outcome.assets if asset.asset in self._margin_assets]
                self.margin = Margin(
                    sum((asset.margin_balance for asset in ours), _ZERO),
                    sum((asset.maintenance_margin for asset in ours), _ZERO),
                    sum((asset.available_balance for asset in ours), _ZERO),
                )
            case AllOpenOrdersAnswered():
                self._take_list(outcome.orders, asked.asked_ns)
            case SymbolConfigsAnswered():
                self.configs = {config.instrument_id: config for config in outcome.configs}
            case AdlAnswered():
                self.quantiles = {report.instrument_id: report.quantile for report in outcome.quantiles}
            case TradingStatusAnswered():
                self.rules = outcome.rules
            case Throttled():
                self._shut_until_ns = max(self._shut_until_ns, outcome.retry_at_ns)
                return False
            case Refused():
                self.refusal = f"{outcome.text} ({outcome.venue_code})"
                return False
            case _:
                return False
        self.refusal = ""
        self._answered_ns[asked.look] = asked.asked_ns
        return True

    def forget(self, request_id: int) -> None:
        """The answer to a look was none."""
        self._asked.pop(request_id, None)

    def hear(self, event: OrderUpdate | PositionUpdate, now_ns: int) -> None:
        """Take an event of our own private stream."""
        if isinstance(event, PositionUpdate):
            self._see_position(event.instrument_id, event.position_lots, event.venue_time_ns)
            return
        order = event.order
        resting = self.orders.get(order.instrument_id)
        if resting is None or not self._is_ours(order.client_order_id):
            return
        if order.status.is_terminal:
            resting.pop(order.client_order_id, None)
            self._end(order.client_order_id)
        elif order.client_order_id not in self._ended:
            resting[order.client_order_id] = SeenOrder(order.side, order.quantity_lots - order.filled_lots, now_ns)

    def stream(self, up: bool, now_ns: int) -> None:
        """Our private stream opened or was lost: after it opened a list of orders makes the picture whole again."""
        if up:
            self._due_ns[QueryAllOpenOrders] = self._due_ns[QueryPositions] = 0
        else:
            # What ended meanwhile would never be told: the list after the next opening is the whole truth.
            for resting in self.orders.values():
                resting.clear()
        if up != self._stream_up:
            self._stream_ns = now_ns
        self._stream_up = up

    def hasten_configs(self) -> None:
        """Leverage or a mode was changed: look at the symbols' configuration now."""
        self._due_ns[QuerySymbolConfigs] = 0

    def hasten(self, now_ns: int) -> None:
        """Something differs: look at the list of orders again soon, though not in a tight loop."""
        if now_ns - self._listed_ns >= HASTE_NS:
            self._due_ns[QueryAllOpenOrders] = min(self._due_ns[QueryAllOpenOrders], now_ns)

    def _take_positions(self, answer: PositionsAnswered, asked_ns: int) -> None:
        """A symbol that is absent is flat, unless we heard of its position later than the list can know."""
        told = {report.instrument_id: report for report in answer.positions}
        for instrument_id in self.orders:
            report = told.get(instrument_id)
            if report is not None:
                self._see_position(instrument_id, report.position_lots, report.venue_time_ns)
            elif instrument_id not in self.positions:
                self.positions[instrument_id] = SeenPosition(0, 0)
            elif self._answered_ns.get(QueryPositions, 0) < asked_ns - LIST_LAG_NS:
                self.positions[instrument_id] = self.positions[instrument_id]._replace(lots=0)

    def _see_position(self, instrument_id: InstrumentId, lots: int, venue_time_ns: int) -> None:
        seen = self.positions.get(instrument_id)
        if seen is None or venue_time_ns >= seen.venue_time_ns:
            self.positions[instrument_id] = SeenPosition(lots, venue_time_ns)

    def _take_list(self, orders: tuple[OrderReport, ...], asked_ns: int) -> None:
        listed: dict[InstrumentId, dict[str, OrderReport]] = {instrument_id: {} for instrument_id in self.orders}
        for order in orders:
            if order.instrument_id in listed and self._is_ours(order.client_order_id):
                listed[order.instrument_id][order.client_order_id] = order
        for instrument_id, resting in self.orders.items():
            for name, order in listed[instrument_id].items():
                if name not in self._ended and name not in resting:
                    resting[name] = SeenOrder(order.side, order.quantity_lots - order.filled_lots, asked_ns)
            for name in [name for name, seen in resting.items() if seen.heard_ns < asked_ns - LIST_LAG_NS]:
                if name not in listed[instrument_id]:
                    del resting[name]
        self._listed_ns = asked_ns

    def _end(self, name: str) -> None:
        self._ended[name] = None
        if len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]

    def _is_ours(self, client_order_id: str) -> bool:
        parts = parse_client_order_id(client_order_id)
        return parts is not None and parts.install == self._install
