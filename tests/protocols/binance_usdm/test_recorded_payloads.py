"""Everything recorded of the calls and streams that we use decodes; everything else is recognised by name and counted."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from shared_data import shared_path
from wire_samples import fine_wires, id_of, instrument, wires

from protocols import venue
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.exchange_info import decode_exchange_info
from protocols.binance_usdm.market_streams import MarketStreamDecoder
from protocols.binance_usdm.responses import decode_rest, decode_rest_batch, decode_ws_api, ws_outcome
from protocols.binance_usdm.user_stream import UserStreamDecoder
from protocols.binance_usdm.wire_numbers import WireInstruments
from protocols.values import Side, TimeInForce

SAMPLES = fine_wires(
    "BTCUSDT",
    "ETHUSDT",
    "LTCUSDT",
    "BNBUSDT",
    "XRPUSDT",
    "ADAUSDT",
    "MATICUSDT",
    "BTCBUSD_210129",
    "BNBBTC",
    "BLZUSDT",
    "ETHUSDC",
)
BTC = id_of("BTCUSDT")

PLACE = venue.PlaceOrder(
    request_id=1,
    instrument_id=BTC,
    client_order_id="c",
    side=Side.BUY,
    price_ticks=1,
    quantity_lots=1,
    time_in_force=TimeInForce.POST_ONLY,
    reduce_only=False,
    venue_time_ns=1,
    window_ms=1,
)
AMEND = venue.AmendOrder(
    request_id=1,
    instrument_id=BTC,
    client_order_id="c",
    side=Side.BUY,
    price_ticks=1,
    quantity_lots=1,
    venue_time_ns=1,
    window_ms=1,
)
CANCEL = venue.CancelOrder(
    request_id=1, instrument_id=BTC, client_order_id="c", venue_order_id=0, venue_time_ns=1, window_ms=1
)
QUERY = venue.QueryOrder(request_id=1, instrument_id=BTC, client_order_id="c", venue_time_ns=1)

REQUESTS: dict[tuple[str, str], venue.VenueRequest] = {
    ("POST", "/fapi/v1/order"): PLACE,
    ("PUT", "/fapi/v1/order"): AMEND,
    ("DELETE", "/fapi/v1/order"): CANCEL,
    ("GET", "/fapi/v1/order"): QUERY,
    ("GET", "/fapi/v1/openOrder"): QUERY,
    ("DELETE", "/fapi/v1/allOpenOrders"): venue.CancelAll(
        request_id=1, instrument_id=BTC, venue_time_ns=1, window_ms=1
    ),
    ("POST", "/fapi/v1/countdownCancelAll"): venue.SetCountdown(
        request_id=1, instrument_id=BTC, countdown_ms=1, venue_time_ns=1, window_ms=1
    ),
    ("GET", "/fapi/v1/openOrders"): venue.QueryOpenOrders(request_id=1, instrument_id=BTC, venue_time_ns=1),
    ("GET", "/fapi/v1/allOrders"): venue.QueryOpenOrders(request_id=1, instrument_id=BTC, venue_time_ns=1),
    ("GET", "/fapi/v1/userTrades"): venue.QueryFills(
        request_id=1, instrument_id=BTC, trade_id_from=1, venue_time_from_ms=0, venue_time_ns=1
    ),
    ("GET", "/fapi/v3/positionRisk"): venue.QueryPositions(request_id=1, venue_time_ns=1),
    ("GET", "/fapi/v2/positionRisk"): venue.QueryPositions(request_id=1, venue_time_ns=1),
    ("GET", "/fapi/v3/balance"): venue.QueryBalances(request_id=1, venue_time_ns=1),
    ("GET", "/fapi/v2/balance"): venue.QueryBalances(request_id=1, venue_time_ns=1),
    ("GET", "/fapi/v1/income"): venue.QueryIncome(request_id=1, venue_time_from_ms=0, venue_time_ns=1),
    ("GET", "/fapi/v1/depth"): venue.QueryBook(request_id=1, instrument_id=BTC),
    ("GET", "/fapi/v1/time"): venue.QueryTime(request_id=1),
    ("POST", "/fapi/v1/listenKey"): venue.OpenUserStream(request_id=1),
    ("PUT", "/fapi/v1/listenKey"): venue.KeepUserStream(request_id=1),
}
BATCHES: dict[tuple[str, str], Any] = {
    ("POST", "/fapi/v1/batchOrders"): PLACE,
    ("PUT", "/fapi/v1/batchOrders"): AMEND,
    ("DELETE", "/fapi/v1/batchOrders"): CANCEL,
}
WS_REQUESTS: dict[str, venue.VenueRequest] = {
    "order.place": PLACE,
    "order.modify": AMEND,
    "order.cancel": CANCEL,
    "order.status": QUERY,
}
NOT_OURS = (venue.OutcomeUnknown, venue.NotSent)


def answers_well(outcome: venue.AnyOutcome) -> bool:
    """A recorded answer was understood: a success, or a definite refusal or throttle."""
    return not isinstance(outcome, NOT_OURS)


def rest(request: venue.VenueRequest, body: bytes, status: int = 200) -> venue.AnyOutcome:
    return decode_rest(request, status, {}, body, 1, SAMPLES)


def binance_net(folder: str) -> Iterator[tuple[Path, str]]:
    for path in sorted(shared_path("data/payloads-binance-net").joinpath(folder).rglob("*.txt")):
        yield path, path.read_text(encoding="utf-8-sig")


def with_numbers(value: Any) -> Any:
    """ccxt recorded large integers as text; the wire has numbers there."""
    if isinstance(value, dict):
        return {
            key: int(item) if key in ("orderId", "time", "updateTime") else with_numbers(item)
            for key, item in value.items()
        }
    return [with_numbers(item) for item in value] if isinstance(value, list) else value


def test_every_sample_of_a_rest_call_of_ours_is_understood() -> None:
    walked: Counter[str] = Counter()
    for path, text in binance_net("Endpoints/UsdFutures"):
        method, route, _signed, body = text.split("\n", 3)
        key = (method.strip(), route.strip())
        if key in REQUESTS:
            outcome = rest(REQUESTS[key], body.encode())
            assert answers_well(outcome), (path.name, outcome)
        elif key in BATCHES:
            for outcome in decode_rest_batch(
                [BATCHES[key]] * len(json.loads(body)), 200, {}, body.encode(), 1, SAMPLES
            ):
                assert answers_well(outcome), (path.name, outcome)
        elif key[1] == "/fapi/v1/exchangeInfo":
            assert decode_exchange_info(body.encode(), "main").refused == {}
        else:
            walked["not ours"] += 1
            continue
        walked["ours"] += 1
    assert walked["ours"] >= 20


def test_the_recorded_routes_of_ours_are_understood() -> None:
    routes = json.loads(shared_path("data/payloads-gct/futures_routes.json").read_bytes())["routes"]
    walked = 0
    for route, methods in routes.items():
        for method, exchanges in methods.items():
            for exchange in exchanges:
                body = json.dumps(exchange["data"]).encode()
                if route == "/fapi/v1/exchangeInfo":
                    assert len(decode_exchange_info(body, "main").instruments) > 0
                elif (method, route) in REQUESTS:
                    outcome = rest(REQUESTS[method, route], body)
                    assert answers_well(outcome), (route, outcome)
                else:
                    continue
                walked += 1
    assert walked >= 5


def test_recorded_answers_of_ccxt_are_understood() -> None:
    cases = json.loads(shared_path("data/ccxt-cases/binance_usdm_responses.json").read_bytes())["cases"]
    walked = 0
    for case in cases:
        method, route = case["endpoint"].split()[:2]
        body = json.dumps(with_numbers(case["httpResponse"])).encode()
        if (method, route) in BATCHES:
            requests = [BATCHES[method, route]] * len(case["httpResponse"])
            assert all(answers_well(one) for one in decode_rest_batch(requests, 200, {}, body, 1, SAMPLES))
        elif (method, route) in REQUESTS:
            outcome = rest(REQUESTS[method, route], body)
            assert answers_well(outcome), (case["endpoint"], outcome)
        else:
            continue
        walked += 1
    assert walked >= 3


def test_recorded_errors_give_an_outcome_for_every_request() -> None:
    recorded = json.loads(shared_path("data/user-events-and-errors/rest_errors_and_responses.json").read_bytes())
    for error in recorded["errors"]:
        body = error["body_text"].encode() if "body_text" in error else json.dumps(error["body"]).encode()
        for request in REQUESTS.values():
            outcome = rest(request, body, error["http"])
            assert isinstance(outcome, venue.Refused | venue.Throttled | venue.OutcomeUnknown), error
    for response in recorded["responses"]:
        if "body" in response:
            assert isinstance(rest(PLACE, json.dumps(response["body"]).encode()), venue.OrderAnswered)


def test_every_sample_of_a_websocket_call_of_ours_is_understood() -> None:
    walked = 0
    for path, text in binance_net("Socket/UsdFutures/Trading"):
        asked, body = text.split("\n= \n", 1) if "\n= \n" in text else text.split("\n=", 1)
        request = WS_REQUESTS.get(json.loads(asked.removeprefix(">"))["method"])
        if request is None:
            continue
        answer = decode_ws_api(body.strip().encode())
        assert isinstance(ws_outcome(answer, request, 1, SAMPLES), venue.OrderAnswered), path.name
        walked += 1
    assert walked == 4


def stream_samples() -> Iterator[str]:
    for _path, text in binance_net("Subscriptions/UsdFutures"):
        for part in text.replace("\r", "").split("\n=")[1:]:
            yield part.lstrip(" 12\n")


def test_every_sample_of_a_stream_is_decoded_or_counted_by_name() -> None:
    market, user = MarketStreamDecoder(SAMPLES), UserStreamDecoder(SAMPLES)
    kinds: Counter[str] = Counter()
    for sample in stream_samples():
        event = market.decode(sample, 1)
        if event is not None:
            kinds[type(event).__name__] += 1
        if not isinstance(json.loads(sample)["data"], list):
            kinds.update(type(user_event).__name__ for user_event in user.decode(sample, 1))
    assert kinds == {
        "BookDiff": 1,
        "BookTicker": 1,
        "PublicTrade": 1,
        "VenueMark": 1,
        "OrderUpdate": 1,
        "BalanceUpdate": 2,
        "PositionUpdate": 1,
        "MarginCallUpdate": 1,
        "AccountConfigUpdate": 2,
    }
    assert market.unmodelled["depthUpdate of depth5@100ms"] == 1
    assert user.unmodelled["ACCOUNT_UPDATE of a hedge position"] == 2
    assert {"TRADE_LITE", "ALGO_UPDATE", "GRID_UPDATE", "STRATEGY_UPDATE"} <= set(user.unmodelled)


def test_native_messages_of_the_tardis_set_are_decoded_or_counted() -> None:
    decoder = MarketStreamDecoder(SAMPLES)
    lines = shared_path("data/payloads-tardis-node/binance-futures.jsonl").read_text().splitlines()
    kinds = Counter(type(decoder.decode(line, 1)).__name__ for line in lines if line)
    assert kinds == {"PublicTrade": 3, "VenueMark": 3, "BookDiff": 2, "BookTicker": 1, "NoneType": 6}
    assert decoder.unmodelled == {
        "24hrTicker": 2,
        "frame of depthSnapshot": 1,
        "frame of openInterest": 1,
        "trade of kind INSURANCE_FUND": 1,
        "forceOrder": 1,
    }


def test_recorded_user_sessions_decode_whole() -> None:
    lines = shared_path("data/metacodi-sequences/raw_reconstructed.jsonl").read_text().splitlines()
    raws = [json.loads(line)["raw"] for line in lines]
    symbols = {raw["o"]["s"] for raw in raws if "o" in raw}
    symbols |= {row["s"] for raw in raws for row in raw.get("a", {}).get("P", [])}
    decoder = UserStreamDecoder(WireInstruments(instrument(symbol, "0.000001", "0.001") for symbol in symbols))
    kinds: Counter[str] = Counter()
    for raw in raws:
        for event in decoder.decode(json.dumps(raw), 1):
            kinds[type(event).__name__] += 1
            if isinstance(event, venue.OrderUpdate):
                kinds[event.kind] += 1
    assert kinds["OrderUpdate"] == 86
    assert kinds["BalanceUpdate"] >= 60
    assert kinds["LIQUIDATION"] >= 1
    assert kinds["TRADE"] >= 10


def test_the_liquidation_price_off_the_tick_does_not_lose_the_event() -> None:
    lines = shared_path("data/metacodi-sequences/raw_reconstructed.jsonl").read_text().splitlines()
    decoder = UserStreamDecoder(wires(instrument("BNBUSDT", "0.010", "0.01")))
    forced = [
        event
        for line in lines
        if "autoclose-" in line
        for event in decoder.decode(json.dumps(json.loads(line)["raw"]), 1)
        if isinstance(event, venue.OrderUpdate)
    ]
    assert {event.reason for event in forced} == {"LIQUIDATION"}
    assert {event.order.price_ticks for event in forced} == {38_364}
    assert all(event.fill is not None for event in forced if event.kind is venue.ExecutionKind.LIQUIDATION)


def test_user_events_and_websocket_answers_of_public_reports_decode() -> None:
    lines = shared_path("data/user-events-and-errors/events.jsonl").read_text().splitlines()
    market, user = MarketStreamDecoder(SAMPLES), UserStreamDecoder(SAMPLES)
    events: Counter[str] = Counter()
    for line in lines[1:]:
        row = json.loads(line)
        if row["kind"] == "ws":
            events[type(market.decode(row["raw"], 1)).__name__] += 1
        elif row["kind"] == "wsapi":
            answer = decode_ws_api(row["raw"])
            events[type(ws_outcome(answer, PLACE, 1, SAMPLES)).__name__] += 1
        else:
            events.update(type(event).__name__ for event in user.decode(row["raw"], 1))
    assert events == {
        "BookTicker": 1,
        "PublicTrade": 1,
        "OrderUpdate": 8,
        "BalanceUpdate": 1,
        "PositionUpdate": 1,
        "OrderAnswered": 2,
        "Refused": 2,
        "UserStreamExpired": 1,
    }
    assert user.unmodelled == {"TRADE_LITE": 2, "frame without an event name": 1}


def capture_lines(path: Path, limit: int) -> Iterator[bytes]:
    with gzip.open(path, "rb") as lines:
        for _, line in zip(range(limit), lines, strict=False):
            yield line.strip().split(b" ", 1)[1]


@pytest.mark.parametrize(
    ("relative", "tick"),
    [
        ("data/usdm-btc-20230404/usdm_btcusdt_20230404.dat.gz", "0.10"),
        ("data/usdm-btc-eth-20240718/usdm_btcusdt_20240718.gz", "0.10"),
        ("data/usdm-btc-eth-20240718/usdm_ethusdt_20240718.gz", "0.01"),
    ],
)
def test_every_frame_of_a_capture_decodes(relative: str, tick: str) -> None:
    path = shared_path(relative)
    symbol = path.name.split("_")[1].upper()
    instruments = wires(instrument(symbol, tick, "0.001"))
    decoder = MarketStreamDecoder(instruments)
    snapshots = 0
    for frame in capture_lines(path, 20_000):
        if b'"lastUpdateId"' in frame:
            request = venue.QueryBook(request_id=1, instrument_id=id_of(symbol))
            assert isinstance(decode_rest(request, 200, {}, frame, 1, instruments), venue.BookSnapshot)
            snapshots += 1
        elif decoder.decode(frame, 1) is None:
            assert set(decoder.unmodelled) <= {"trade of kind INSURANCE_FUND", "trade of kind ADL", "trade of kind NA"}
    assert snapshots <= 1


def test_the_2021_capture_decodes_with_the_units_of_its_own_exchange_info() -> None:
    folder = shared_path("data/cryptofeed-usdm-20210722")
    with gzip.open(folder / "BINANCE_FUTURES.0.gz", "rb") as lines:
        body = lines.readline().split(b": ", 1)[1]
    symbols = ("SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT")
    info = decode_exchange_info(body, "main", symbols)
    assert tuple(one.symbol for one in info.instruments) == symbols
    instruments = WireInstruments(info.instruments)
    decoder = MarketStreamDecoder(instruments)
    kinds: Counter[str] = Counter()
    with gzip.open(folder / "BINANCE_FUTURES.ws.1.0.gz", "rb") as lines:
        for line in lines:
            if line.startswith(b"wss:"):
                continue
            kinds[type(decoder.decode(line.split(b": ", 1)[1].strip(), 1)).__name__] += 1
    with gzip.open(folder / "BINANCE_FUTURES.http.0.0.gz", "rb") as lines:
        for line in lines:
            url, arrow, answer = line.partition(b" -> ")
            if not arrow:
                continue
            symbol = url.split(b"symbol=")[1].split(b"&")[0].decode()
            request = venue.QueryBook(request_id=1, instrument_id=id_of(symbol))
            outcome = decode_rest(request, 200, {}, answer.split(b": ", 1)[1], 1, instruments)
            assert isinstance(outcome, venue.BookSnapshot), outcome
    assert set(kinds) == {"BookDiff", "BookTicker", "PublicTrade", "NoneType"}
    assert set(decoder.unmodelled) == {"kline"}


def test_damaged_capture_rows_are_refused_by_field() -> None:
    """The set damaged on purpose has negative prices; rows are put back into frames."""
    path = shared_path("data/lasota-trx-20250304").joinpath(
        "test_negative_binance_trade_stream_usd_m_futures_trxusdt_04-03-2025.csv.gz"
    )
    decoder = MarketStreamDecoder(wires(instrument("TRXUSDT", "0.00001", "1")))
    outcomes: Counter[str] = Counter()
    with gzip.open(path, "rt") as rows:
        header = rows.readline().strip().split(",")
        for row in rows:
            fields = dict(zip(header, row.strip().split(","), strict=True))
            frame = {
                "e": fields["EventType"],
                "E": int(fields["EventTime"]),
                "T": int(fields["TransactionTime"]),
                "s": fields["Symbol"],
                "t": int(fields["TradeId"]),
                "p": fields["Price"],
                "q": fields["Quantity"],
                "X": fields["XUnknownParameter"],
                "m": fields["IsBuyerMarketMaker"] == "1",
            }
            try:
                outcomes[type(decoder.decode(msgspec.json.encode(frame), 1)).__name__] += 1
            except DamagedPayload as damage:
                outcomes[damage.field] += 1
    assert outcomes["p"] >= 1
    assert outcomes["PublicTrade"] > 1_000
