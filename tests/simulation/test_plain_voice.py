"""What the venue says in a plain voice is what our decoders read from its wire."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.exchange.answers import WIRE_ANSWERS
from actors.exchange.contracts import known_contract, numbers_of
from actors.exchange.orders import Order
from actors.exchange.streams import DepthDiff
from actors.exchange.user_stream import LastFill
from actors.exchange.voice import WIRE
from configs.loading import load_settings
from ops.simulation.plain_voice import PlainVoice, outcome_of
from ops.simulation.seeds import draw_case, run_case
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.responses import decode_rest
from protocols.binance_usdm.user_stream import UserStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.venue import QueryAccount, QueryPositions, Usage
from tests.venue_rig import VenueRig
from tests.venue_rig import contract as rig_contract
from tests.wire_samples import instrument

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"

SEEDS = (20, 37, 121, 205, 208)
"""Together they have damaged frames and answers, silent streams, old snapshots, lagging reads, forced orders and changed filters."""

SYMBOL = "ETHUSDC"
CONTRACT = known_contract(SYMBOL, 200)
assert CONTRACT is not None
NUMBERS = numbers_of(CONTRACT)
LISTED = instrument(SYMBOL)
WIRES = WireInstruments([LISTED])
NOW_MS = 1_760_000_000_123
RECEIVED_NS = 5_000_000_000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_by_the_wire_and_one_in_a_plain_voice_are_the_same(seed: int) -> None:
    settings = load_settings(DEMO, {})
    case = draw_case(seed, settings)
    assert run_case(case, settings, by_wire=True) == run_case(case, settings, by_wire=False)


def voice() -> PlainVoice:
    return PlainVoice({SYMBOL: LISTED.instrument_id})


def order(**changes: Any) -> Order:
    fields: dict[str, Any] = {
        "account": "main",
        "symbol": SYMBOL,
        "order_id": 8_389_765_432_109,
        "client_order_id": "rm1-7-000-1",
        "side": "SELL",
        "type": "LIMIT",
        "time_in_force": "GTX",
        "price_ticks": 340_012,
        "lots": 25,
        "reduce_only": True,
        "stp_mode": "EXPIRE_MAKER",
        "good_till_ms": 0,
        "created_ms": NOW_MS - 500,
        "updated_ms": NOW_MS,
    }
    return Order(**fields | changes)


@pytest.mark.parametrize(
    ("diff", "case"),
    [
        (DepthDiff([(339_999, 7), (340_000, 0)], [(340_001, 1_250)], 11, 13, 9), "levels that grow and go"),
        (DepthDiff([], [(340_001, 1)], 14, 14, 13), "one side"),
    ],
)
def test_a_diff_is_what_its_frame_says(diff: DepthDiff, case: str) -> None:
    plain = voice().book_diff(SYMBOL, diff, NUMBERS, NOW_MS)
    frame = WIRE.book_diff(SYMBOL, diff, NUMBERS, NOW_MS)
    assert plain(received_ns=RECEIVED_NS) == MarketStreamDecoder(WIRES).decode(frame, RECEIVED_NS)


def test_best_prices_are_what_their_frame_says() -> None:
    top = (340_000, 1_700, 340_001, 3)
    plain = voice().book_ticker(SYMBOL, top, NUMBERS, 15, NOW_MS)
    frame = WIRE.book_ticker(SYMBOL, top, NUMBERS, 15, NOW_MS)
    assert plain(received_ns=RECEIVED_NS) == MarketStreamDecoder(WIRES).decode(frame, RECEIVED_NS)


@pytest.mark.parametrize("buyer_is_maker", [True, False])
def test_a_public_trade_is_what_its_frame_says(buyer_is_maker: bool) -> None:
    said = (SYMBOL, 77, 340_001, 12, NUMBERS)
    plain = voice().aggregate_trade(*said, buyer_is_maker=buyer_is_maker, now_ms=NOW_MS)
    frame = WIRE.aggregate_trade(*said, buyer_is_maker=buyer_is_maker, now_ms=NOW_MS)
    assert plain(received_ns=RECEIVED_NS) == MarketStreamDecoder(WIRES).decode(frame, RECEIVED_NS)


@pytest.mark.parametrize(
    ("changes", "execution", "expire_reason"),
    [
        ({}, "NEW", "0"),
        ({"side": "BUY", "reduce_only": False}, "NEW", "0"),
        ({"lots": 30, "price_ticks": 340_013}, "AMENDMENT", "0"),
        ({"status": "CANCELED", "executed_lots": 5}, "CANCELED", "0"),
        ({"status": "EXPIRED", "time_in_force": "IOC"}, "EXPIRED", "2"),
        ({"status": "EXPIRED_IN_MATCH"}, "EXPIRED", "1"),
        ({"status": "EXPIRED", "type": "MARKET", "price_ticks": 0}, "EXPIRED", "9"),
    ],
)
def test_an_event_of_an_order_is_what_its_frame_says(
    changes: dict[str, Any], execution: str, expire_reason: str
) -> None:
    assert CONTRACT is not None
    said = (order(**changes), CONTRACT, NUMBERS, execution, NOW_MS)
    plain = voice().order_event(*said, expire_reason=expire_reason)
    wired = WIRE.order_event(*said, expire_reason=expire_reason)
    assert (plain.account, plain.kind) == (wired.account, wired.kind)
    assert (plain.payload(received_ns=RECEIVED_NS),) == UserStreamDecoder(WIRES).decode(wired.payload, RECEIVED_NS)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_positions_and_margins_are_what_their_answers_say(side: str) -> None:
    rig = VenueRig()
    rig.market_order(side, 25)
    rig.place("BUY", 639_995, 3)
    wires = WireInstruments([instrument(rig_contract().symbol, "0.1", "0.001")])
    plain = PlainVoice({wire.symbol: wire.instrument_id for wire in wires.by_symbol.values()})
    markets = rig.venue.markets.values()
    clock = {"request_id": 1, "venue_time_ns": RECEIVED_NS}
    for request, told, said in (
        (
            QueryPositions(**clock),
            plain.positions(rig.account, rig.venue, markets),
            WIRE_ANSWERS.positions(rig.account, rig.venue, markets),
        ),
        (
            QueryAccount(**clock),
            plain.margins(rig.account, rig.venue),
            WIRE_ANSWERS.margins(rig.account, rig.venue),
        ),
    ):
        wired = decode_rest(request, 200, {}, msgspec.json.encode(said), RECEIVED_NS, wires)
        assert msgspec.json.encode(outcome_of(request, told.what, Usage(), RECEIVED_NS)) == msgspec.json.encode(wired)


def test_what_an_order_was_when_it_was_told_does_not_change_with_the_order() -> None:
    assert CONTRACT is not None
    told = order()
    event = voice().order_event(told, CONTRACT, NUMBERS, "NEW", NOW_MS)
    told.status, told.executed_lots = "FILLED", 25
    assert event.payload(received_ns=RECEIVED_NS).order.filled_lots == 0


def test_fills_and_forced_orders_are_said_in_bytes() -> None:
    assert CONTRACT is not None
    fill = LastFill(
        lots=5,
        price_ticks=340_012,
        trade_id=78,
        maker=True,
        commission=Decimal("0.0017"),
        commission_asset="USDC",
        realized_pnl=Decimal("-0.25"),
    )
    filled = (order(executed_lots=5, status="PARTIALLY_FILLED"), CONTRACT, NUMBERS, "TRADE", NOW_MS)
    forced = (order(client_order_id="autoclose-1"), CONTRACT, NUMBERS, "NEW", NOW_MS)
    assert voice().order_event(*filled, fill=fill) == WIRE.order_event(*filled, fill=fill)
    assert voice().order_event(*forced) == WIRE.order_event(*forced)


def test_frames_that_may_be_damaged_are_said_in_bytes() -> None:
    plain = voice()
    plain.frames_in_bytes = lambda: True
    diff, top, trade = DepthDiff([(340_000, 1)], [], 1, 1, 0), (340_000, 1, 340_001, 1), (SYMBOL, 77, 340_001, 12)
    assert plain.book_diff(SYMBOL, diff, NUMBERS, NOW_MS) == WIRE.book_diff(SYMBOL, diff, NUMBERS, NOW_MS)
    assert plain.book_ticker(SYMBOL, top, NUMBERS, 1, NOW_MS) == WIRE.book_ticker(SYMBOL, top, NUMBERS, 1, NOW_MS)
    assert plain.aggregate_trade(*trade, NUMBERS, buyer_is_maker=True, now_ms=NOW_MS) == WIRE.aggregate_trade(
        *trade, NUMBERS, buyer_is_maker=True, now_ms=NOW_MS
    )
