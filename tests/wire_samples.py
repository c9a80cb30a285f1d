"""Instruments and small builders for tests of Binance's wire."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from protocols import venue
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.values import Instrument, InstrumentId, Side, TimeInForce, make_instrument_id

ETH = make_instrument_id("binance_usdm", "main", "ETHUSDC")
BTC = make_instrument_id("binance_usdm", "main", "BTCUSDT")
TIME_NS = 1_700_000_000_000_999_999
"""The venue's clock at every request; its fraction of a millisecond must not reach the wire."""


def instrument(symbol: str = "ETHUSDC", tick: str = "0.01", lot: str = "0.001") -> Instrument:
    """A contract with the bounds of ETHUSDC in facts section 2.1."""
    tick_size, lot_size = Decimal(tick), Decimal(lot)
    return Instrument(
        instrument_id=make_instrument_id("binance_usdm", "main", symbol),
        version=1,
        base_asset=symbol[:-4],
        quote_asset=symbol[-4:],
        margin_asset=symbol[-4:],
        tick_size=tick_size,
        lot_size=lot_size,
        price_ticks_min=1,
        price_ticks_max=int(Decimal(100_000) / tick_size),
        quantity_lots_min=1,
        quantity_lots_max=int(Decimal(8_000) / lot_size),
        notional_min=Decimal(20),
        price_multiplier_up=Decimal("1.0500"),
        price_multiplier_down=Decimal("0.9500"),
        open_orders_max=200,
    )


def wires(*instruments: Instrument) -> WireInstruments:
    """ETHUSDC and BTCUSDT, or the given contracts."""
    return WireInstruments(instruments or (instrument(), instrument("BTCUSDT", "0.10", "0.001")))


def fine_wires(*symbols: str) -> WireInstruments:
    """Contracts so fine that samples made for other ticks fit them."""
    return WireInstruments(instrument(symbol, "0.00000001", "0.00000001") for symbol in symbols)


def id_of(symbol: str) -> InstrumentId:
    """The instrument id of a symbol in these tests."""
    return make_instrument_id("binance_usdm", "main", symbol)


def place(**changes: object) -> venue.PlaceOrder:
    """A post-only sell of 0.012 at 2500.10."""
    request = venue.PlaceOrder(
        request_id=1,
        instrument_id=ETH,
        client_order_id="mm-1",
        side=Side.SELL,
        price_ticks=250_010,
        quantity_lots=12,
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=False,
        venue_time_ns=TIME_NS,
        window_ms=2_000,
    )
    return msgspec.structs.replace(request, **changes)


def amend(client_order_id: str = "mm-1") -> venue.AmendOrder:
    """A new price for that order."""
    return venue.AmendOrder(
        request_id=1,
        instrument_id=ETH,
        client_order_id=client_order_id,
        side=Side.SELL,
        price_ticks=250_020,
        quantity_lots=12,
        venue_time_ns=TIME_NS,
        window_ms=2_000,
    )


def cancel(client_order_id: str = "mm-1", venue_order_id: int = 0) -> venue.CancelOrder:
    """The end of that order, by our id or by the venue's."""
    return venue.CancelOrder(
        request_id=1,
        instrument_id=ETH,
        client_order_id=client_order_id,
        venue_order_id=venue_order_id,
        venue_time_ns=TIME_NS,
        window_ms=2_000,
    )
