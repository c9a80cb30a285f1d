"""The venue's words as our decoders would read them from its wire, without the text between.

Only what is said most often is worded here, and only where nothing can be lost by it: fills, forced orders and whatever may be damaged on
its way are said in bytes. A run in which all is said in bytes has the same history (tests/simulation holds both against each other).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import Any

from actors.exchange.accounts import Account
from actors.exchange.contracts import Contract, WireNumbers
from actors.exchange.endpoint import Told
from actors.exchange.market import Market
from actors.exchange.orders import Order
from actors.exchange.shapes import AssetMargin, asset_margin
from actors.exchange.streams import DepthDiff, Top
from actors.exchange.user_stream import LastFill, UserEvent, money, plain
from actors.exchange.venue import Venue
from actors.exchange.voice import WireVoice
from protocols.binance_usdm.payloads import NS_PER_MS, STATUSES
from protocols.binance_usdm.user_stream import EXECUTION_KINDS, EXPIRE_REASONS
from protocols.values import InstrumentId, Side
from protocols.venue import (
    AccountAnswered,
    AllOpenOrdersAnswered,
    AnyOutcome,
    BookDiff,
    BookTicker,
    MarginReport,
    OpenOrdersAnswered,
    OrderAnswered,
    OrderReport,
    OrderStatus,
    OrderUpdate,
    PositionReport,
    PositionsAnswered,
    PublicTrade,
    QueryAccount,
    QueryAllOpenOrders,
    QueryOpenOrders,
    QueryPositions,
    Usage,
    VenueRequest,
)

_SIDES = {side.value: side for side in Side}


class PlainVoice(WireVoice):
    """Frames and events are functions from the time of receipt to the message; answers are reports."""

    def __init__(self, instrument_ids: dict[str, InstrumentId]) -> None:
        """Speak of these symbols."""
        self._ids = instrument_ids
        self.frames_in_bytes: Callable[[], bool] = lambda: False
        """Whether frames may be damaged on their way."""

    def book_diff(self, symbol: str, diff: DepthDiff, numbers: WireNumbers, now_ms: int) -> Any:
        if self.frames_in_bytes():
            return super().book_diff(symbol, diff, numbers, now_ms)
        return partial(
            BookDiff,
            instrument_id=self._ids[symbol],
            first_update_id=diff.first_id,
            last_update_id=diff.last_id,
            previous_update_id=diff.previous_id,
            venue_time_ns=now_ms * NS_PER_MS,
            bids=diff.bids,
            asks=diff.asks,
        )

    def book_ticker(self, symbol: str, top: Top, numbers: WireNumbers, update_id: int, now_ms: int) -> Any:
        if self.frames_in_bytes():
            return super().book_ticker(symbol, top, numbers, update_id, now_ms)
        bid_ticks, bid_lots, ask_ticks, ask_lots = top
        return partial(
            BookTicker,
            instrument_id=self._ids[symbol],
            update_id=update_id,
            venue_time_ns=now_ms * NS_PER_MS,
            bid_ticks=bid_ticks,
            bid_lots=bid_lots,
            ask_ticks=ask_ticks,
            ask_lots=ask_lots,
        )

    def aggregate_trade(
        self,
        symbol: str,
        trade_id: int,
        price_ticks: int,
        lots: int,
        numbers: WireNumbers,
        *,
        buyer_is_maker: bool,
        now_ms: int,
    ) -> Any:
        if self.frames_in_bytes():
            return super().aggregate_trade(
                symbol, trade_id, price_ticks, lots, numbers, buyer_is_maker=buyer_is_maker, now_ms=now_ms
            )
        return partial(
            PublicTrade,
            instrument_id=self._ids[symbol],
            trade_id=trade_id,
            price_ticks=price_ticks,
            quantity_lots=lots,
            buyer_is_maker=buyer_is_maker,
            venue_time_ns=now_ms * NS_PER_MS,
        )

    def order_event(
        self,
        order: Order,
        contract: Contract,
        numbers: WireNumbers,
        execution: str,
        now_ms: int,
        *,
        fill: LastFill | None = None,
        expire_reason: str = "0",
        modify_id: int | None = None,
    ) -> UserEvent:
        if fill is not None or order.is_forced:
            return super().order_event(
                order,
                contract,
                numbers,
                execution,
                now_ms,
                fill=fill,
                expire_reason=expire_reason,
                modify_id=modify_id,
            )
        update = partial(
            OrderUpdate,
            kind=EXECUTION_KINDS[execution],
            order=self._report(order, now_ms * NS_PER_MS),
            fill=None,
            reason=EXPIRE_REASONS.get(expire_reason, ""),
        )
        return UserEvent(order.account, "ORDER_TRADE_UPDATE", update)

    def placed(self, order: Order, market: Market, *, as_new: bool) -> Any:
        """`Answers.placed`, and so for the others."""
        return Told(self._answered(order, as_new=as_new))

    def amended(self, order: Order, market: Market, modify_id: int | None) -> Any:
        return Told(self._answered(order))

    def canceled(self, order: Order, market: Market) -> Any:
        return Told(self._answered(order))

    def queried(self, order: Order, market: Market) -> Any:
        return Told(self._answered(order))

    def listed(self, orders: Iterable[Order], venue: Venue) -> Any:
        return Told(tuple([self._answered(order) for order in orders]))

    def positions(self, account: Account, venue: Venue, markets: Iterable[Market]) -> Any:
        return Told(tuple([self._position(account, market) for market in markets]))

    def margins(self, account: Account, venue: Venue) -> Any:
        return Told(tuple([_margin(asset, asset_margin(account, venue, asset)) for asset in account.wallets]))

    def _position(self, account: Account, market: Market) -> PositionReport:
        contract = market.contract
        position = account.position(contract.symbol)
        return PositionReport(
            instrument_id=self._ids[contract.symbol],
            position_lots=int(position.amount / contract.lot_size),
            entry_price=Decimal(plain(position.entry_price)),
            mark_price=Decimal(money(market.mark_price)),
            venue_time_ns=position.updated_ms * NS_PER_MS,
        )

    def _answered(self, order: Order, *, as_new: bool = False) -> OrderReport:
        return self._report(order, order.updated_ms * NS_PER_MS, as_new=as_new)

    def _report(self, order: Order, venue_time_ns: int, *, as_new: bool = False) -> OrderReport:
        return OrderReport(
            instrument_id=self._ids[order.symbol],
            client_order_id=order.client_order_id,
            venue_order_id=order.order_id,
            side=_SIDES[order.side],
            status=OrderStatus.NEW if as_new else STATUSES[order.status],
            price_ticks=order.price_ticks,
            quantity_lots=order.lots,
            filled_lots=0 if as_new else order.executed_lots,
            reduce_only=order.reduce_only,
            venue_time_ns=venue_time_ns,
        )


def _margin(asset: str, margin: AssetMargin) -> MarginReport:
    return MarginReport(
        asset=asset,
        margin_balance=Decimal(money(margin.wallet + margin.unrealized)),
        maintenance_margin=Decimal(money(margin.maintenance)),
        available_balance=Decimal(money(margin.available)),
    )


def outcome_of(request: VenueRequest, told: Any, usage: Usage, received_ns: int) -> AnyOutcome:
    """The outcome of an answer in a plain voice."""
    match request:
        case QueryOpenOrders():
            return OpenOrdersAnswered(
                request_id=request.request_id,
                received_ns=received_ns,
                usage=usage,
                instrument_id=request.instrument_id,
                orders=told,
            )
        case QueryAllOpenOrders():
            return AllOpenOrdersAnswered(
                request_id=request.request_id, received_ns=received_ns, usage=usage, orders=told
            )
        case QueryPositions():
            return PositionsAnswered(
                request_id=request.request_id, received_ns=received_ns, usage=usage, positions=told
            )
        case QueryAccount():
            return AccountAnswered(request_id=request.request_id, received_ns=received_ns, usage=usage, assets=told)
        case _:
            return OrderAnswered(request_id=request.request_id, received_ns=received_ns, usage=usage, order=told)
