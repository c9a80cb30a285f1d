"""How the venue says what it is asked for and what happened: as the bytes of its wire, or as another host wants it.

The server's venue speaks the wire. A host in the same process may give it a voice whose words it need not read from text again; what it
does not word itself it leaves to the wire's.
"""

from __future__ import annotations

from typing import Any

from actors.exchange.contracts import Contract, WireNumbers
from actors.exchange.orders import Order
from actors.exchange.streams import (
    DepthDiff,
    Top,
    aggregate_trade_payload,
    book_ticker_payload,
    depth_diff_payload,
)
from actors.exchange.user_stream import LastFill, UserEvent, order_event


class WireVoice:
    """Binance's own words for what is said most often; another voice inherits what it does not word itself."""

    def book_diff(self, symbol: str, diff: DepthDiff, numbers: WireNumbers, now_ms: int) -> Any:
        """What has changed in the book."""
        return depth_diff_payload(symbol, diff, numbers, now_ms)

    def book_ticker(self, symbol: str, top: Top, numbers: WireNumbers, update_id: int, now_ms: int) -> Any:
        """The best prices."""
        return book_ticker_payload(symbol, top, numbers, update_id, now_ms)

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
        """A public trade."""
        price, quantity = numbers.price_text(price_ticks), numbers.quantity_text(lots)
        return aggregate_trade_payload(symbol, trade_id, price, quantity, buyer_is_maker=buyer_is_maker, now_ms=now_ms)

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
        """What became of an order."""
        return order_event(
            order,
            contract,
            numbers,
            execution,
            now_ms,
            fill=fill,
            expire_reason=expire_reason,
            modify_id=modify_id,
        )


WIRE = WireVoice()
