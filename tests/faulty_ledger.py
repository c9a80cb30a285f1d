"""Ledgers of a few lines around a fault: quotes of ours that rest, leave and come back."""

from __future__ import annotations

from decimal import Decimal

from actors.exchange.ledger import LedgerRecord, OrderAccepted, OrderAmended, OrderCanceled, OrderFilled

S = 1_000_000_000
BTC, ETH = "BTCUSDC", "ETHUSDC"


def ours(client_order_id: str) -> bool:
    return client_order_id.startswith("rm")


def accepted(at_s: float, order_id: int, side: str, symbol: str = BTC, client_order_id: str = "rm1") -> OrderAccepted:
    return OrderAccepted(
        t=round(at_s * S),
        account="main",
        symbol=symbol,
        order_id=order_id,
        client_order_id=client_order_id,
        side=side,
        type="LIMIT",
        time_in_force="GTX",
        price=Decimal(100),
        quantity=Decimal(2),
        reduce_only=False,
        timestamp_ms=0,
        recv_window_ms=1_500,
    )


def canceled(at_s: float, order_id: int, symbol: str = BTC) -> OrderCanceled:
    return OrderCanceled(
        t=round(at_s * S),
        account="main",
        symbol=symbol,
        order_id=order_id,
        client_order_id="rm1",
        side="BUY",
        executed=Decimal(0),
        reason="request",
    )


def filled(at_s: float, order_id: int, executed: int) -> OrderFilled:
    return OrderFilled(
        t=round(at_s * S),
        account="main",
        symbol=BTC,
        trade_id=1,
        order_id=order_id,
        client_order_id="rm1",
        side="BUY",
        price=Decimal(100),
        quantity=Decimal(1),
        executed=Decimal(executed),
        maker=True,
        commission=Decimal(0),
        commission_asset="USDC",
        realized_pnl=Decimal(0),
        position_after=Decimal(1),
        entry_price_after=Decimal(100),
        entry_cost_after=Decimal(100),
        wallet_after=Decimal(1),
    )


def amended(at_s: float, order_id: int) -> OrderAmended:
    return OrderAmended(
        t=round(at_s * S),
        account="main",
        symbol=BTC,
        order_id=order_id,
        client_order_id="rm1",
        side="BUY",
        price=Decimal(101),
        quantity=Decimal(2),
        price_before=Decimal(100),
        quantity_before=Decimal(2),
        executed=Decimal(0),
        timestamp_ms=0,
        recv_window_ms=1_500,
    )


QUOTED: tuple[LedgerRecord, ...] = (accepted(1, 1, "BUY"), accepted(1, 2, "SELL"))
"""A bid and an offer that rest when the fault comes at 5 s."""

GONE_AND_BACK = (*QUOTED, canceled(5.2, 1), canceled(5.4, 2), accepted(8, 3, "BUY"), accepted(8.5, 4, "SELL"))
