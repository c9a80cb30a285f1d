"""What resting orders got by either queue model, and what a plain account would have paid: the report's defence against flattery."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from actors.exchange.ledger import LedgerRecord, OrderFilled, OtherModelFilled, SymbolListed, VenueStarted
from ops.invariants.history import signed

MODELS = ("pessimistic", "probabilistic")
PLAIN_FEES = {"USDT": (Decimal("0.0002"), Decimal("0.0005")), "USDC": (Decimal("0.0002"), Decimal("0.0004"))}
"""Maker and taker rate of an account without tier, programme or promotion."""


class _Fill(NamedTuple):
    side: str
    price: Decimal
    quantity: Decimal
    maker: bool


def plain_fees(symbol: str, fills: Iterable[OrderFilled]) -> Decimal:
    """What a plain account would have paid for these fills."""
    return _fees((_Fill(f.side, f.price, f.quantity, f.maker) for f in fills), _plain_rates(symbol))


def by_queue_model(symbol: str, ledger: Iterable[LedgerRecord], last_mid: Decimal | None) -> dict[str, Any]:
    """Fills, volume and PnL by the pessimistic model first, then by the probabilistic one; the orders are the same for both.

    The run's own model gave the fills. The other one was followed on the same orders, so what it shows is what they would have got, not
    what the strategy would have done with it. Where the run's model is the probabilistic one, an order that it filled is followed no
    further: then the pessimistic figures are a lower bound. What the seam of a looping capture closes belongs to neither: the position is
    valued at the last mid.
    """
    model, rates = MODELS[0], (Decimal(0), Decimal(0))
    own: list[_Fill] = []
    other: list[_Fill] = []
    for record in ledger:
        match record:
            case VenueStarted():
                model = record.queue_model
            case SymbolListed() if record.symbol == symbol:
                rates = (record.maker_rate, record.taker_rate)
            case OrderFilled() if record.symbol == symbol:
                fill = _Fill(record.side, record.price, record.quantity, record.maker)
                own.append(fill)
                if not record.maker:
                    other.append(fill)
            case OtherModelFilled() if record.symbol == symbol:
                other.append(_Fill(record.side, record.price, record.quantity, True))
            case _:
                pass
    fills = {model: own} | {name: other for name in MODELS if name != model}
    return {name: _summary(fills[name], rates, _plain_rates(symbol), last_mid) for name in MODELS}


def _summary(
    fills: list[_Fill], rates: tuple[Decimal, Decimal], plain: tuple[Decimal, Decimal], last_mid: Decimal | None
) -> dict[str, Any]:
    volume = sum((fill.price * fill.quantity for fill in fills), Decimal(0))
    position = sum((signed(fill.side, fill.quantity) for fill in fills), Decimal(0))
    cash = -sum((signed(fill.side, fill.quantity) * fill.price for fill in fills), Decimal(0))
    last = last_mid if last_mid is not None else fills[-1].price if fills else Decimal(0)
    gross = cash + position * last
    return {
        "fills": len(fills),
        "volume": str(volume),
        "gross": str(gross),
        "net": str(gross - _fees(fills, rates)),
        "net_plain_fees": str(gross - _fees(fills, plain)),
    }


def _plain_rates(symbol: str) -> tuple[Decimal, Decimal]:
    return next((rates for asset, rates in PLAIN_FEES.items() if symbol.endswith(asset)), PLAIN_FEES["USDT"])


def _fees(fills: Iterable[_Fill], rates: tuple[Decimal, Decimal]) -> Decimal:
    maker, taker = rates
    return sum((fill.price * fill.quantity * (maker if fill.maker else taker) for fill in fills), Decimal(0))
