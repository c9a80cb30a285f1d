"""An order manager's core with a virtual clock, a small venue of neutral words, and the neighbours that it needs to quote."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from actors.order_manager.core import OrderManagerCore
from configs.schema import OrderManagerSettings, RiskSettings, Settings, VenueSettings
from protocols.effects import Append, Call, Effect, Publish, SetTimer, ShutNode, TimerFired
from protocols.envelope import Message
from protocols.messages.alerts import Alert, AlertCode
from protocols.messages.control import ActorSpec
from protocols.messages.journal import OrderIntended
from protocols.messages.market import BookTop, FeedState, FeedStatus, VenueClock
from protocols.messages.quoting import QuoteTargets
from protocols.messages.requests import OrderRequest
from protocols.messages.risk import Lease, LeaseRequest, SymbolLimits, TradingState
from protocols.values import Instrument, InstrumentId, Level, Side, TimeInForce, make_instrument_id
from protocols.venue import (
    AmendmentReport,
    AmendmentsAnswered,
    AmendOrder,
    AnyOutcome,
    CancelAll,
    CancelOrder,
    Done,
    ExecutionKind,
    FillReport,
    FillsAnswered,
    OpenOrdersAnswered,
    OrderAnswered,
    OrderReport,
    OrderStatus,
    OrderUpdate,
    OutcomeUnknown,
    PlaceOrder,
    PositionReport,
    PositionsAnswered,
    QueryAmendments,
    QueryFills,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QueryTime,
    RefusalKind,
    Refused,
    SetCountdown,
    StreamChanged,
    StreamHeard,
    TimeAnswered,
    Usage,
    VenueRequest,
)

MS = 1_000_000
SECOND = 1_000_000_000
START_NS = 100 * SECOND
OFFSET_NS = 1_700_000_000 * SECOND
BTC = make_instrument_id("binance_usdm", "main", "BTCUSDC")
ETH = make_instrument_id("binance_usdm", "main", "ETHUSDC")
MID = 600_000


def instrument(instrument_id: InstrumentId = BTC, **changes: object) -> Instrument:
    fields: dict[str, object] = {
        "instrument_id": instrument_id,
        "version": 1,
        "base_asset": "BTC",
        "quote_asset": "USDC",
        "margin_asset": "USDC",
        "tick_size": Decimal("0.1"),
        "lot_size": Decimal("0.001"),
        "price_ticks_min": 1,
        "price_ticks_max": 10_000_000,
        "quantity_lots_min": 1,
        "quantity_lots_max": 100_000,
        "notional_min": Decimal(20),
        "price_multiplier_up": Decimal("1.05"),
        "price_multiplier_down": Decimal("0.95"),
        "open_orders_max": 200,
        **changes,
    }
    return Instrument(**fields)  # type: ignore[arg-type]


def settings(dry_run: bool = False, **changes: object) -> Settings:
    return Settings(
        symbols=("BTCUSDC", "ETHUSDC"),
        dry_run=dry_run,
        venue=VenueSettings(
            rest_url="http://127.0.0.1:1", stream_url="ws://127.0.0.1:1", ws_api_url="ws://127.0.0.1:1"
        ),
        order_manager=OrderManagerSettings(**changes),  # type: ignore[arg-type]
        risk=RiskSettings(),
    )


def spec(
    epoch: int = 7,
    symbols: tuple[InstrumentId, ...] = (BTC,),
    started_ns: int = 0,
    listed: dict[str, object] | None = None,
) -> ActorSpec:
    """One order manager's; `listed` is what the venue says otherwise of its instruments."""
    return ActorSpec(
        name="order_manager-0",
        role="order_manager",
        shard=0,
        epoch=epoch,
        install="1",
        account="main",
        address="",
        peers={},
        instruments=tuple(instrument(symbol, **(listed or {})) for symbol in symbols),
        symbol_codes={symbol: code for code, symbol in enumerate(symbols)},
        shards=(symbols,),
        state_dir="",
        config_json="",
        started_ns=started_ns,
    )


class Resting:
    """One order at the venue."""

    def __init__(self, request: PlaceOrder, venue_order_id: int) -> None:
        self.request = request
        self.venue_order_id = venue_order_id
        self.status = OrderStatus.NEW
        self.filled_lots = 0
        self.changed_ns = 0

    @property
    def client_order_id(self) -> str:
        return self.request.client_order_id

    def report(self, venue_time_ns: int) -> OrderReport:
        return OrderReport(
            instrument_id=self.request.instrument_id,
            client_order_id=self.request.client_order_id,
            venue_order_id=self.venue_order_id,
            side=self.request.side,
            status=self.status,
            price_ticks=self.request.price_ticks,
            quantity_lots=self.request.quantity_lots,
            filled_lots=self.filled_lots,
            reduce_only=self.request.reduce_only,
            venue_time_ns=venue_time_ns,
        )


class Venue:
    """Accepts, cancels and fills; everything it accepted stays in `orders`. Faults are put in `answer`."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.orders: dict[str, Resting] = {}
        self.amendments: list[AmendmentReport] = []
        self.fills: list[FillReport] = []
        self.positions: dict[InstrumentId, int] = {}
        self.requests: list[VenueRequest] = []
        self.countdowns: dict[InstrumentId, int] = {}
        self.tells = True
        self.offered_lots = 1_000
        """What an immediate order finds."""
        self.answer: Callable[[VenueRequest], AnyOutcome | str | None] = lambda request: None
        """What a fault does to a request: an outcome instead of the venue's, "lost" (nothing happens, no answer), "mute"
        (it happens, no answer), or None."""
        self._next_id = 1_000
        self._next_trade = 1

    @property
    def now_ns(self) -> int:
        return self._rig.now_ns + OFFSET_NS

    def open(self, instrument_id: InstrumentId = BTC) -> list[Resting]:
        return [
            order
            for order in self.orders.values()
            if not order.status.is_terminal and order.request.instrument_id == instrument_id
        ]

    def side(self, side: Side, instrument_id: InstrumentId = BTC) -> list[Level]:
        rows = [
            (order.request.price_ticks, order.request.quantity_lots - order.filled_lots)
            for order in self.open(instrument_id)
            if order.request.side is side
        ]
        return sorted(rows, key=lambda row: -side.sign * row[0])

    def of(self, kind: type[VenueRequest]) -> list[VenueRequest]:
        return [request for request in self.requests if isinstance(request, kind)]

    def put(self, request: PlaceOrder) -> Resting:
        """An order appears at the venue without us."""
        self._next_id += 1
        order = self.orders[request.client_order_id] = Resting(request, self._next_id)
        return order

    def fill(self, client_order_id: str, lots: int, tell: bool = True) -> FillReport:
        order = self.orders[client_order_id]
        order.filled_lots += lots
        if not order.status.is_terminal:
            full = order.filled_lots >= order.request.quantity_lots
            order.status = OrderStatus.FILLED if full else OrderStatus.PARTIALLY_FILLED
        fill = self._trade(order.request, order.venue_order_id, lots)
        if tell:
            self.tell(order, ExecutionKind.TRADE, fill)
        return fill

    def trade_elsewhere(self, side: Side, lots: int, instrument_id: InstrumentId = BTC) -> FillReport:
        """Somebody else trades on the account."""
        self._next_id += 1
        request = place_request("web_1", side, MID, lots, instrument_id)
        return self._trade(request, self._next_id, lots)

    def _trade(self, request: PlaceOrder, venue_order_id: int, lots: int) -> FillReport:
        fill = FillReport(
            instrument_id=request.instrument_id,
            trade_id=self._next_trade,
            venue_order_id=venue_order_id,
            side=request.side,
            price_ticks=request.price_ticks,
            quantity_lots=lots,
            fee=Decimal(0),
            fee_asset="USDC",
            realised=Decimal(0),
            maker=True,
            venue_time_ns=self.now_ns,
        )
        self._next_trade += 1
        self.fills.append(fill)
        held = self.positions.get(request.instrument_id, 0)
        self.positions[request.instrument_id] = held + request.side.sign * lots
        return fill

    def tell(self, order: Resting, kind: ExecutionKind, fill: FillReport | None = None) -> None:
        if self.tells:
            self._rig.give(self.update(order, kind, fill))

    def update(self, order: Resting, kind: ExecutionKind, fill: FillReport | None = None) -> OrderUpdate:
        return OrderUpdate(
            kind=kind, order=order.report(self.now_ns), fill=fill, reason="", received_ns=self._rig.now_ns
        )

    def take(self, request: VenueRequest) -> None:
        self.requests.append(request)
        fault = self.answer(request)
        if fault == "lost":
            return
        if isinstance(fault, msgspec.Struct):
            self._rig.give(fault)
            return
        outcome = self.carry_out(request)
        if fault != "mute":
            self._rig.give(outcome)

    def carry_out(self, request: VenueRequest) -> AnyOutcome:
        """What an honest venue does and answers."""
        base = {"request_id": request.request_id, "received_ns": self._rig.now_ns, "usage": Usage(weight_1m=1)}
        match request:
            case PlaceOrder():
                order = self.put(request)
                self.tell(order, ExecutionKind.NEW)
                if request.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
                    taken = min(request.quantity_lots, self.offered_lots)
                    if taken:
                        self.fill(order.client_order_id, taken)
                    if not order.status.is_terminal:
                        self.end(order, OrderStatus.EXPIRED)
                return OrderAnswered(**base, order=order.report(self.now_ns))
            case AmendOrder():
                order = self.orders.get(request.client_order_id)
                if order is None or order.status.is_terminal:
                    return Refused(**base, kind=RefusalKind.NOT_FOUND, venue_code=-2013, text="Order does not exist.")
                self.amend(order, request.price_ticks, request.quantity_lots)
                return OrderAnswered(**base, order=order.report(self.now_ns))
            case QueryAmendments():
                rows = tuple(row for row in self.amendments if row.client_order_id == request.client_order_id)
                return AmendmentsAnswered(**base, instrument_id=request.instrument_id, amendments=rows)
            case CancelOrder():
                found = self.orders.get(request.client_order_id) or next(
                    (o for o in self.orders.values() if o.venue_order_id == request.venue_order_id), None
                )
                if found is None or found.status.is_terminal:
                    return Refused(**base, kind=RefusalKind.NOT_FOUND, venue_code=-2011, text="Unknown order sent.")
                self.end(found)
                return OrderAnswered(**base, order=found.report(self.now_ns))
            case CancelAll():
                for order in self.open(request.instrument_id):
                    self.end(order)
                return Done(**base)
            case SetCountdown():
                self.countdowns[request.instrument_id] = request.countdown_ms
                return Done(**base)
            case QueryOrder():
                order = self.orders.get(request.client_order_id) or next(
                    (o for o in self.orders.values() if o.venue_order_id == request.venue_order_id), None
                )
                if order is None:
                    return Refused(**base, kind=RefusalKind.NOT_FOUND, venue_code=-2013, text="Order does not exist.")
                return OrderAnswered(**base, order=order.report(self.now_ns))
            case QueryOpenOrders():
                orders = tuple(order.report(self.now_ns) for order in self.open(request.instrument_id))
                return OpenOrdersAnswered(**base, instrument_id=request.instrument_id, orders=orders)
            case QueryFills():
                fills = tuple(
                    fill
                    for fill in self.fills
                    if fill.instrument_id == request.instrument_id and fill.trade_id >= request.trade_id_from
                )
                return FillsAnswered(**base, instrument_id=request.instrument_id, fills=fills, complete=True)
            case QueryPositions():
                positions = tuple(
                    PositionReport(
                        instrument_id=instrument_id,
                        position_lots=lots,
                        entry_price=Decimal(60_000),
                        mark_price=Decimal(60_000),
                        venue_time_ns=self.now_ns,
                    )
                    for instrument_id, lots in self.positions.items()
                )
                return PositionsAnswered(**base, positions=positions)
            case QueryTime():
                return TimeAnswered(**base, venue_time_ns=self.now_ns, sent_ns=self._rig.now_ns)
            case _:
                raise AssertionError(f"the venue does not know {request}")

    def amend(self, order: Resting, price_ticks: int, lots: int) -> None:
        order.request = msgspec.structs.replace(order.request, price_ticks=price_ticks, quantity_lots=lots)
        self.amendments.append(
            AmendmentReport(
                instrument_id=order.request.instrument_id,
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                price_ticks=price_ticks,
                quantity_lots=lots,
                venue_time_ns=self.now_ns,
            )
        )
        order.changed_ns = self.now_ns
        self.tell(order, ExecutionKind.AMENDED)

    def end(self, order: Resting, status: OrderStatus = OrderStatus.CANCELED) -> None:
        order.status = status
        kind = ExecutionKind.CANCELED if status is OrderStatus.CANCELED else ExecutionKind.EXPIRED
        self.tell(order, kind)


def place_request(
    client_order_id: str, side: Side, price_ticks: int, lots: int, instrument_id: InstrumentId = BTC
) -> PlaceOrder:
    return PlaceOrder(
        request_id=0,
        instrument_id=instrument_id,
        client_order_id=client_order_id,
        side=side,
        price_ticks=price_ticks,
        quantity_lots=lots,
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        venue_time_ns=0,
        window_ms=1_500,
    )


class Rig:
    """Runs a core: carries out its effects at once, fires its timers, and plays its neighbours while they are `on`."""

    def __init__(
        self,
        *,
        symbols: tuple[InstrumentId, ...] = (BTC,),
        epoch: int = 7,
        dry_run: bool = False,
        journal: list[Message] | None = None,
        copy: list[Message] | None = None,
        machine_died: bool = False,
        venue: Venue | None = None,
        now_ns: int = START_NS,
        started_ns: int = 0,
        listed: dict[str, object] | None = None,
        **changes: object,
    ) -> None:
        self.now_ns = now_ns
        self.symbols = symbols
        self.journal: list[Message] = []
        self.published: list[Message] = []
        self.timers: dict[str, int] = {}
        self.shut_reasons: list[str] = []
        self.position_lots_max = 1_000
        self.open_orders_max = 20
        self.state = TradingState.ACTIVE
        self.feed_on = self.lease_on = self.stream_on = True
        self.targets: dict[InstrumentId, tuple[tuple[Level, ...], tuple[Level, ...]]] = {}
        self.book_id = 1
        self._inbox: list[Message] = []
        self._handling = False
        self.core = OrderManagerCore(spec(epoch, symbols, started_ns, listed), settings(dry_run, **changes))
        if venue is not None:
            venue._rig = self
        self.venue = venue or Venue(self)
        listed_now = instrument(**(listed or {}))
        self.version = listed_now.version
        self.mid = listed_now.exact_ticks(Decimal(60_000))
        for record in journal or []:
            self.core.restore(record)
        self.journal.extend(journal or [])
        self.core.restore_copy(copy or [])
        if machine_died:
            self.core.number_anew("the machine went down")
        self._carry_out(self.core.start(self.now_ns))
        self._drain()

    # driving

    def give(self, message: Message) -> None:
        """Hand a message over; while another is handled it waits."""
        self._inbox.append(message)
        if not self._handling:
            self._drain()

    def _drain(self) -> None:
        self._handling = True
        while self._inbox:
            self._carry_out(self.core.handle(self._inbox.pop(0), self.now_ns))
        self._handling = False

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Append():
                    self.journal.append(effect.record)
                case Publish():
                    self.published.append(effect.body)
                    if isinstance(effect.body, LeaseRequest) and self.lease_on:
                        self._inbox.append(self.lease(effect.body))
                case Call():
                    was, self._handling = self._handling, True
                    self.venue.take(effect.request)  # type: ignore[arg-type]
                    self._handling = was
                case SetTimer():
                    self.timers[effect.name] = effect.at_ns
                case ShutNode():
                    self.shut_reasons.append(effect.reason)
                case _:
                    pass

    def run(self, milliseconds: int) -> None:
        """Let time pass in steps of 50 ms."""
        for _ in range(milliseconds // 50):
            self.now_ns += 50 * MS
            self._neighbours()
            for name, at_ns in list(self.timers.items()):
                if at_ns <= self.now_ns:
                    self.give(TimerFired(name=name))

    def _neighbours(self) -> None:
        if self.stream_on:
            self.give(StreamHeard(stream="private", heard_ns=self.now_ns))
        if not self.feed_on:
            return
        self.book_id += 1
        for symbol in self.symbols:
            self.give(self.top(symbol))
            self.give(self.status(symbol))
            if symbol in self.targets:
                self.give(self.quote(symbol))

    def come_up(self, position_lots: int = 0) -> Rig:
        """Neighbours present, recovered, gate open."""
        if position_lots:
            self.venue.positions[BTC] = position_lots
        self.give(VenueClock(offset_ns=OFFSET_NS, error_ns=MS, sampled_ns=self.now_ns))
        self.give(StreamChanged(stream="private", up=True, changed_ns=self.now_ns))
        self.run(8_000)
        return self

    def want(self, bids: list[Level], asks: list[Level], symbol: InstrumentId = BTC) -> None:
        """New targets from the strategy, repeated with every book from now on."""
        self.targets[symbol] = (tuple(bids), tuple(asks))
        self.book_id += 1
        if self.feed_on:
            self.give(self.top(symbol))
            self.give(self.status(symbol))
        self.give(self.quote(symbol))

    # messages

    def top(self, symbol: InstrumentId) -> BookTop:
        return BookTop(
            instrument_id=symbol,
            instrument_version=self.version,
            update_id=self.book_id,
            venue_time_ns=self.now_ns + OFFSET_NS,
            received_ns=self.now_ns,
            bids=((self.mid - 1, 100),),
            asks=((self.mid + 1, 100),),
        )

    def status(self, symbol: InstrumentId, state: FeedState = FeedState.LIVE) -> FeedStatus:
        return FeedStatus(
            instrument_id=symbol, state=state, update_id=self.book_id, confirmed_ns=self.now_ns, since_ns=START_NS
        )

    def request(
        self, side: Side = Side.SELL, lots: int = 10, limit_ticks: int = MID - 3, **changes: object
    ) -> OrderRequest:
        """A one-shot order, immediate and reducing unless `changes` say otherwise."""
        fields: dict[str, object] = {
            "intent_id": "test-1",
            "instrument_id": BTC,
            "instrument_version": 1,
            "side": side,
            "quantity_lots": lots,
            "limit_ticks": limit_ticks,
            "time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL,
            "reduce_only": False,
            "asked_ns": self.now_ns,
            "expires_ns": self.now_ns + 2 * SECOND,
            **changes,
        }
        return OrderRequest(**fields)  # type: ignore[arg-type]

    def quote(self, symbol: InstrumentId) -> QuoteTargets:
        bids, asks = self.targets[symbol]
        return QuoteTargets(
            instrument_id=symbol,
            instrument_version=self.version,
            book_update_id=self.book_id,
            book_received_ns=self.now_ns,
            bids=bids,
            asks=asks,
        )

    def lease(self, request: LeaseRequest) -> Lease:
        return Lease(
            shard=request.shard,
            epoch=request.epoch,
            nonce=request.nonce,
            requested_ns=request.requested_ns,
            lease_ms=1_000,
            state=self.state,
            reason="",
            limits=tuple(
                SymbolLimits(
                    instrument_id=symbol,
                    state=TradingState.ACTIVE,
                    position_lots_max=self.position_lots_max,
                    order_lots_max=100,
                    open_orders_max=self.open_orders_max,
                    notional_max=Decimal(1_000_000),
                    order_notional_max=Decimal(5_000),
                )
                for symbol in self.symbols
            ),
            share_id=1,
            notional_share=Decimal(1_000_000),
            orders_10s_share=300,
            orders_1m_share=1_200,
            weight_1m_share=2_400,
        )

    # looking

    def records(self, kind: type[Message]) -> list[Message]:
        return [record for record in self.journal if isinstance(record, kind)]

    def said(self, kind: type[Message]) -> list[Message]:
        return [body for body in self.published if isinstance(body, kind)]

    def alerts(self, code: AlertCode) -> list[Alert]:
        return [body for body in self.published if isinstance(body, Alert) and body.code is code]

    def intents(self) -> list[OrderIntended]:
        return [record for record in self.journal if isinstance(record, OrderIntended)]

    def shown(self, symbol: str = "BTCUSDC"):  # type: ignore[no-untyped-def]
        return self.core.snapshot().symbols[symbol]

    def states(self) -> dict[str, str]:
        return {row.client_order_id: row.state for row in self.core.snapshot().orders}


def unknown(request: VenueRequest, now_ns: int) -> OutcomeUnknown:
    return OutcomeUnknown(request_id=request.request_id, received_ns=now_ns, usage=Usage(), reason="timed out")
