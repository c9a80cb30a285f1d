"""Market frames to neutral events."""

from __future__ import annotations

from decimal import Decimal

import pytest
from wire_samples import ETH, wires

from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.market_streams import (
    FRAME_BYTES_MAX,
    ControlReply,
    MarketStreamDecoder,
    subscribe_frame,
)
from protocols.binance_usdm.unmodelled import NAMES_MAX
from protocols.venue import BookDiff, BookTicker, PublicTrade, VenueMark

DEPTH = (
    '{"e":"depthUpdate","E":1790770782214,"T":1790770782210,"s":"ETHUSDC","ps":"ETHUSDC","st":1,"U":101,"u":106,"pu":90,'
    '"b":[["2610.58","21.101"],["2610.40","0.000"]],"a":[["2610.59","5.964"]]}'
)
TICKER = (
    '{"e":"bookTicker","u":106,"s":"ETHUSDC","ps":"ETHUSDC","b":"2610.58","B":"21.101","a":"2610.59","A":"5.964",'
    '"T":1790770782210,"E":1790770782214,"st":1}'
)
AGG_TRADE = (
    '{"e":"aggTrade","E":1790770782214,"s":"ETHUSDC","a":5933014,"p":"2610.58","q":"0.100","nq":"0.100","f":100,"l":105,'
    '"T":1790770782200,"m":true,"st":1}'
)
TRADE = '{"e":"trade","E":1790770782214,"T":1790770782200,"s":"ETHUSDC","t":7,"p":"2610.58","q":"0.100","X":"MARKET","m":false}'
MARK = (
    '{"e":"markPriceUpdate","E":1790770782000,"s":"ETHUSDC","p":"2610.66465506","ap":"2610.70000000","P":"2610.36981543",'
    '"i":"2612.13009450","r":"0.00000268","T":1790784000000,"st":1}'
)


def decoder() -> MarketStreamDecoder:
    return MarketStreamDecoder(wires())


def combined(stream: str, data: str) -> str:
    return f'{{"stream":"{stream}","data":{data}}}'


def damage_of(frame: bytes | str) -> str:
    with pytest.raises(DamagedPayload) as caught:
        decoder().decode(frame, 1)
    return caught.value.field


def test_a_diff_carries_its_ids_and_levels_in_ticks_and_lots() -> None:
    assert decoder().decode(combined("ethusdc@depth@100ms", DEPTH), 5) == BookDiff(
        instrument_id=ETH,
        first_update_id=101,
        last_update_id=106,
        previous_update_id=90,
        venue_time_ns=1_790_770_782_210_000_000,
        received_ns=5,
        bids=[(261_058, 21_101), (261_040, 0)],
        asks=[(261_059, 5_964)],
    )


def test_a_best_bid_and_ask() -> None:
    assert decoder().decode(combined("ethusdc@bookTicker", TICKER).encode(), 5) == BookTicker(
        instrument_id=ETH,
        update_id=106,
        venue_time_ns=1_790_770_782_210_000_000,
        received_ns=5,
        bid_ticks=261_058,
        bid_lots=21_101,
        ask_ticks=261_059,
        ask_lots=5_964,
    )


def test_an_empty_side_has_price_and_quantity_zero() -> None:
    event = decoder().decode(TICKER.replace('"2610.58","B":"21.101"', '"0.00","B":"0.000"'), 5)
    assert isinstance(event, BookTicker)
    assert (event.bid_ticks, event.bid_lots, event.ask_ticks) == (0, 0, 261_059)


@pytest.mark.parametrize(("frame", "trade_id", "buyer_is_maker"), [(AGG_TRADE, 5_933_014, True), (TRADE, 7, False)])
def test_aggregated_and_single_trades(frame: str, trade_id: int, buyer_is_maker: bool) -> None:
    assert decoder().decode(frame, 5) == PublicTrade(
        instrument_id=ETH,
        trade_id=trade_id,
        price_ticks=261_058,
        quantity_lots=100,
        buyer_is_maker=buyer_is_maker,
        venue_time_ns=1_790_770_782_200_000_000,
        received_ns=5,
    )


@pytest.mark.parametrize("kind", ["INSURANCE_FUND", "ADL", "NA"])
def test_what_is_no_market_trade_is_dropped_and_counted(kind: str) -> None:
    one = decoder()
    assert one.decode(TRADE.replace("MARKET", kind).replace('"2610.58","q":"0.100"', '"0","q":"0"'), 5) is None
    assert one.unmodelled == {f"trade of kind {kind}": 1}


def test_a_mark_price_with_index_and_funding() -> None:
    assert decoder().decode(MARK, 5) == VenueMark(
        instrument_id=ETH,
        mark_price=Decimal("2610.66465506"),
        index_price=Decimal("2612.13009450"),
        funding_rate=Decimal("0.00000268"),
        next_funding_venue_ms=1_790_784_000_000,
        venue_time_ns=1_790_770_782_000_000_000,
        received_ns=5,
    )


def test_an_old_mark_price_without_index_or_rate() -> None:
    event = decoder().decode(MARK.replace('"i":"2612.13009450","r":"0.00000268"', '"r":""'), 5)
    assert isinstance(event, VenueMark)
    assert (event.index_price, event.funding_rate) == (event.mark_price, 0)


@pytest.mark.parametrize("frame", [DEPTH, TICKER, AGG_TRADE, TRADE, MARK])
def test_raw_combined_spaced_text_and_bytes_say_the_same(frame: str) -> None:
    expected = decoder().decode(frame, 5)
    assert expected is not None
    wrapped = combined("ethusdc@depth@100ms", frame)
    spaced = wrapped.replace('":', '" : ').replace("{", "{ ", 1)
    for form in (frame.encode(), wrapped, wrapped.encode(), spaced, f'{{"data":{frame},"stream":"ethusdc@depth"}}'):
        assert decoder().decode(form, 5) == expected


@pytest.mark.parametrize("stream", ["ethusdc@depth5", "ethusdc@depth20@100ms", "ethusdc@rpiDepth@500ms"])
def test_a_partial_book_is_never_taken_for_a_diff(stream: str) -> None:
    one = decoder()
    assert one.decode(combined(stream, DEPTH), 5) is None
    assert one.decode(combined(stream, DEPTH).replace("{", "{ ", 1), 5) is None
    assert one.unmodelled == {f"depthUpdate of {stream.split('@', 1)[1]}": 2}


def test_another_symbol_is_counted() -> None:
    one = decoder()
    assert one.decode(TICKER.replace("ETHUSDC", "XRPUSDC"), 5) is None
    assert one.unmodelled == {"bookTicker of an unknown symbol": 1}


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        ('{"e":"kline","E":1,"k":{}}', "kline"),
        ('{"stream":"ethusdc@forceOrder","data":{"e":"forceOrder","o":{}}}', "forceOrder"),
        ('{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT"}}', "frame of bookTicker"),
        ('[{"e":"markPriceUpdate","s":"ETHUSDC"}]', "array of markPriceUpdate"),
        ('{"stream":"!markPrice@arr","data":[]}', "array of nothing"),
        ('{"hello":1}', "frame without an event name"),
    ],
)
def test_what_is_not_modelled_is_counted_by_name(frame: str, name: str) -> None:
    one = decoder()
    assert one.decode(frame, 5) is None
    assert one.unmodelled == {name: 1}


def test_names_from_outside_do_not_fill_the_memory() -> None:
    one = decoder()
    for number in range(NAMES_MAX * 3):
        one.decode(f'{{"e":"{number}{"x" * 500}"}}', 5)
    assert len(one.unmodelled) == NAMES_MAX + 1
    assert one.unmodelled["others"] == NAMES_MAX * 2
    assert max(map(len, one.unmodelled)) <= 48


def test_replies_to_control_frames_are_told_apart_from_events() -> None:
    one = decoder()
    assert one.decode('{"result":null,"id":1}', 5) is None
    assert one.last_reply == ControlReply(request_id=1)
    assert one.decode('{"error":{"code":2,"msg":"Invalid request"},"id":2}', 5) is None
    assert one.last_reply is not None
    assert one.last_reply.request_id == 2
    assert "Invalid request" in one.last_reply.error
    assert (one.replies, one.unmodelled) == (2, {})


def test_a_subscription_frame() -> None:
    assert subscribe_frame(["ethusdc@aggTrade"], 7) == b'{"method":"SUBSCRIBE","params":["ethusdc@aggTrade"],"id":7}'


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"2610.40"', '"-1"', "b[1][0]"),
        ('"2610.40"', '"0"', "b[1][0]"),
        ('"2610.58"', '"2610.585"', "b[0][0]"),
        ('"2610.59"', '"NaN"', "a[0][0]"),
        ('"21.101"', '"-21.101"', "b[0][1]"),
        ('"5.964"', '"1e3"', "a[0][1]"),
        ('"u":106', '"u":-1', "u"),
        ('"u":106', '"u":"106"', "u"),
        ('"u":106', '"u":99999999999999999999', "u"),
        ('"u":106', '"u":100', "U"),
        ('"pu":90,', "", "pu"),
        ('"T":1790770782210', '"T":9223372036855', "T"),
        ('["2610.58","21.101"]', '["2610.58"]', "b[0]"),
        ('["2610.58","21.101"]', '["2610.58",21]', "b[0][1]"),
        ('"s":"ETHUSDC"', '"s":7', "s"),
        ('"2610.59",', '["2610.59"],', "a[0][0]"),
    ],
)
def test_damage_in_a_diff_names_the_field(old: str, new: str, field: str) -> None:
    broken = DEPTH.replace(old, new, 1)
    assert damage_of(broken) == field
    inside = damage_of(combined("ethusdc@depth", broken))
    assert inside in (field, f"data.{field}")


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        (TICKER.replace('"2610.58"', '"2610.589"'), "b"),
        (TICKER.replace('"5.964"', '"-1"'), "A"),
        (TRADE.replace('"2610.58"', '"0"'), "p"),
        (TRADE.replace('"0.100"', '"x"'), "q"),
        (AGG_TRADE.replace("true", '"yes"'), "m"),
        (MARK.replace('"2610.66465506"', '"NaN"'), "p"),
        (MARK.replace('"2610.66465506"', '"-1"'), "p"),
        (MARK.replace('"2612.13009450"', '"0"'), "i"),
        (MARK.replace('"0.00000268"', '"1e50"'), "r"),
    ],
)
def test_damage_in_other_frames_names_the_field(frame: str, field: str) -> None:
    assert damage_of(frame) == field


@pytest.mark.parametrize(
    "frame", ["", "{", "null", "7", '"text"', "{]", DEPTH[:-3], b"\xff\xfe", b'{"e":"\xff"}', "[1]", "[" * 100_000]
)
def test_text_that_is_no_event_is_damage(frame: bytes | str) -> None:
    assert damage_of(frame) != ""


def test_a_huge_frame_is_refused_unread() -> None:
    with pytest.raises(DamagedPayload, match="more than"):
        decoder().decode(" " * (FRAME_BYTES_MAX + 1), 5)


def test_the_removal_of_an_order_older_than_the_tick_is_passed_over() -> None:
    event = decoder().decode(DEPTH.replace('"2610.40"', '"2610.405"'), 5)
    assert isinstance(event, BookDiff)
    assert event.bids == [(261_058, 21_101)]


def test_public_quantities_are_rounded_down_to_the_lot() -> None:
    event = decoder().decode(TRADE.replace('"0.100"', '"0.1009"'), 5)
    assert isinstance(event, PublicTrade)
    assert event.quantity_lots == 100
