"""Candles of trades, of mark, index and premium, on REST and on streams; the day's statistics."""

from __future__ import annotations

import msgspec
import pytest
from venue_rig import MS, START_NS, SYMBOL, WireRig, body

from actors.exchange.klines import INTERVALS_MS, MINUTE_MS, Candle, Candles

START_MS = START_NS // MS


def traded() -> WireRig:
    """Four trades in two minutes: 3 bought and 2 sold in the first, 1 bought and 4 sold in the second."""
    rig = WireRig()
    rig.apply(rig.market.bought(640_001, 3), rig.market.sold(640_000, 2))
    rig.wait(MINUTE_MS)
    rig.apply(rig.market.bought(640_003, 1), rig.market.sold(639_990, 4))
    return rig


def test_a_minute_has_its_prices_and_volumes_and_the_last_row_is_open() -> None:
    rig = traded()
    first, last = body(rig.public("/fapi/v1/klines", f"symbol={SYMBOL}&interval=1m"))
    assert first == [
        START_MS,
        *("64000.1", "64000.1", "64000.0", "64000.0", "0.005"),
        START_MS + MINUTE_MS - 1,
        *("320.0003", 2, "0.003", "192.0003", "0"),
    ]
    assert (last[0], last[1:6], last[8]) == (
        START_MS + MINUTE_MS,
        ["64000.3", "64000.3", "63999.0", "63999.0", "0.005"],
        2,
    )


def test_longer_intervals_are_put_together_from_minutes() -> None:
    (row,) = body(traded().public("/fapi/v1/klines", f"symbol={SYMBOL}&interval=1h"))
    assert (row[1:5], row[5], row[8], row[9]) == (["64000.1", "64000.3", "63999.0", "63999.0"], "0.010", 4, "0.004")


@pytest.mark.parametrize("minutes", [1, 7, 61, 200])
def test_volumes_are_the_same_in_every_interval(minutes: int) -> None:
    candles: Candles[int] = Candles()
    for minute in range(minutes):
        candles.trade(
            START_MS + minute * MINUTE_MS, 100 + minute, 1 + minute % 5, 10, minute + 1, taken=minute % 2 == 0
        )
    for interval_ms in INTERVALS_MS.values():
        rows: list[Candle[int]] = candles.rows(interval_ms)
        assert sum(row.lots for row in rows) == sum(1 + minute % 5 for minute in range(minutes))
        assert sum(row.count for row in rows) == minutes
        assert rows[-1] == candles.last(interval_ms)
        assert all(row.open_ms % interval_ms == 0 for row in rows)


def test_windows_limits_and_bad_requests() -> None:
    rig = traded()
    path, named = "/fapi/v1/klines", f"symbol={SYMBOL}&interval=1m"
    assert len(body(rig.public(path, f"{named}&limit=1"))) == 1
    assert body(rig.public(path, f"{named}&startTime={START_MS + MINUTE_MS}"))[0][0] == START_MS + MINUTE_MS
    assert len(body(rig.public(path, f"{named}&endTime={START_MS + MINUTE_MS - 1}"))) == 1
    for query, code in (
        (f"symbol={SYMBOL}&interval=1s", -1120),
        (f"symbol={SYMBOL}", -1102),
        (f"{named}&limit=1501", -1130),
        (f"{named}&startTime=5&endTime=4", -1023),
    ):
        assert body(rig.public(path, query))["code"] == code
    wrong = body(rig.public("/fapi/v1/continuousKlines", f"pair={SYMBOL}&interval=1m&contractType=NEXT_QUARTER"))
    assert wrong["code"] == -4104


def test_klines_weigh_by_their_limit() -> None:
    rig = traded()
    used = int(rig.public("/fapi/v1/ping").headers["X-MBX-USED-WEIGHT-1M"])
    for limit, weight in ((99, 1), (100, 2), (500, 5), (1_000, 5), (1_500, 10)):
        answer = rig.public("/fapi/v1/klines", f"symbol={SYMBOL}&interval=1m&limit={limit}")
        used += weight
        assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) == used


def test_mark_index_and_premium_have_candles_without_volumes() -> None:
    rig = traded()
    for path, name in (("markPriceKlines", "symbol"), ("indexPriceKlines", "pair"), ("premiumIndexKlines", "symbol")):
        rows = body(rig.public(f"/fapi/v1/{path}", f"{name}={SYMBOL}&interval=1m"))
        assert rows[-1][5] == rows[-1][7] == "0"
        assert rows[-1][8] > 0


def test_a_kline_stream_sends_the_open_candle_while_it_changes() -> None:
    rig = traded()
    for stream in ("btcusdc@kline_1m", "btcusdc_perpetual@continuousKline_1m"):
        rig.exchange.subscribe(stream)
    rig.wait(1_000)
    rig.output.stream_frames.clear()
    rig.wait(1_000)
    assert rig.output.stream_frames == []
    rig.apply(rig.market.bought(640_001, 2))
    rig.wait(300)
    plain, continuous = (msgspec.json.decode(frame.payload) for frame in rig.output.stream_frames)
    assert (plain["k"]["v"], plain["k"]["x"], plain["k"]["i"], plain["s"]) == ("0.007", False, "1m", SYMBOL)
    assert (continuous["ps"], continuous["ct"], continuous["k"]["n"]) == (SYMBOL, "PERPETUAL", 3)


def test_the_day_is_the_same_on_rest_and_on_its_stream() -> None:
    rig = traded()
    rig.exchange.subscribe("btcusdc@ticker")
    rig.wait(2_001)
    rest = body(rig.public("/fapi/v1/ticker/24hr", f"symbol={SYMBOL}"))
    event = msgspec.json.decode(rig.output.stream_frames[-1].payload)
    assert (rest["volume"], rest["count"], rest["openPrice"], rest["lastPrice"]) == ("0.010", 4, "64000.1", "63999.0")
    assert (event["v"], event["n"], event["o"], event["c"]) == ("0.010", 4, "64000.1", "63999.0")
