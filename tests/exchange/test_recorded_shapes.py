"""Every recorded payload of a call that the venue serves has its shape: the same keys, values of the same JSON types."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

import pytest
from shared_data import shared_path, shared_root
from venue_rig import KEY, MS, SYMBOL, WireRig, body, limit_order, sign

from actors.exchange.api import Answer, RestRequest, WsSession
from actors.exchange.captures import receive_time
from actors.exchange.endpoint import Security
from actors.exchange.faults import Fault, FaultKind
from actors.exchange.frames import ContractFrame

NET = "data/payloads-binance-net"


def lived_in() -> WireRig:
    """A venue whose account has everything that calls can show: orders, amendments, trades, income, a liquidation."""
    rig = WireRig(balances={"USDC": "100000", "BNB": "1"})
    rig.exchange.subscribe("btcusdc@bookTicker")
    rig.apply(rig.market.bought(640_001, 3), rig.market.sold(640_000, 2))
    order = "/fapi/v1/order"
    rig.send("POST", order, {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.010"})
    rig.send("POST", order, limit_order(newClientOrderId="rests", price="63900.0"))
    named = {"symbol": SYMBOL, "origClientOrderId": "rests"}
    rig.send("PUT", order, named | {"side": "BUY", "quantity": "0.020", "price": "63900.0"})
    rig.send("POST", order, limit_order(newClientOrderId="other", price="63900.0"))
    account = rig.exchange.venue.account("main")
    account.forced.append(next(iter(account.orders)))
    rig.exchange.venue.markets[SYMBOL].next_funding_ns = rig.now_ns + 1_000 * MS
    rig.exchange.venue._plan_funding(rig.exchange.venue.markets[SYMBOL])
    rig.wait(3_000)
    return rig


@cache
def served() -> set[tuple[str, str]]:
    return set(lived_in().exchange.api._routes)


def recorded_calls() -> Iterator[tuple[str, str, str, Any]]:
    """Name, method, path and answer of what Binance.Net and GoCryptoTrader recorded or copied from the venue."""
    root = shared_root()
    for file in sorted((root / NET / "Endpoints/UsdFutures").rglob("*.txt")):
        method, path, _, text = file.read_text(encoding="utf-8-sig").split("\n", 3)
        yield file.stem, method.strip(), path.strip(), loose_json(text)
    routes = root / "data/payloads-gct/futures_routes.json"
    if routes.exists():
        for path, methods in json.loads(routes.read_text())["routes"].items():
            for method, answers in methods.items():
                for number, answer in enumerate(answers):
                    yield f"gct{path}#{number}", method, path, answer.get("data")
    cases = root / "data/ccxt-cases/binance_usdm_responses.json"
    if cases.exists():
        for number, case in enumerate(json.loads(cases.read_text())["cases"]):
            method, path = case["endpoint"].split(" ")
            yield f"ccxt{path}#{number}", method, path, as_on_the_wire(case["httpResponse"])


def as_on_the_wire(value: Any) -> Any:
    """Ids and times as numbers again: ccxt's recordings have them as texts."""
    if isinstance(value, list):
        return [as_on_the_wire(each) for each in value]
    if isinstance(value, dict):
        return {
            name: int(each)
            if name in ("id", "orderId", "time", "updateTime", "goodTillDate", "adl") and isinstance(each, str)
            else as_on_the_wire(each)
            for name, each in value.items()
        }
    return value


def loose_json(text: str) -> Any:
    """JSON with the comments and commas that people leave in it, about our symbol."""
    text = text.replace('"BTCUSDT"', f'"{SYMBOL}"')
    text = re.sub(r"(?<!:)//.*", "", text)
    text = re.sub(r",(\s*[}\]])", r"\1", text)
    return json.JSONDecoder().raw_decode(text.strip())[0] if text.strip() else None


def is_error(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("code", 0) < 0


CALLS = [call for call in recorded_calls() if (call[1], call[2]) in served() and not is_error(call[3])]

ORDER = {"symbol": SYMBOL, "origClientOrderId": "rests"}
AMENDED = {"symbol": SYMBOL, "side": "BUY", "quantity": "0.030", "price": "63800.0"}
KLINES = {"symbol": SYMBOL, "interval": "1m"}
PARAMS: dict[str, dict[str, Any]] = {
    "GET /fapi/v1/klines": KLINES,
    "GET /fapi/v1/markPriceKlines": KLINES,
    "GET /fapi/v1/premiumIndexKlines": KLINES,
    "GET /fapi/v1/indexPriceKlines": {"pair": SYMBOL, "interval": "1m"},
    "GET /fapi/v1/continuousKlines": {"pair": SYMBOL, "interval": "1m", "contractType": "PERPETUAL"},
    "GET /fapi/v1/order": ORDER,
    "GET /fapi/v1/openOrder": ORDER,
    "GET /fapi/v1/orderAmendment": ORDER,
    "DELETE /fapi/v1/order": ORDER,
    "DELETE /fapi/v1/batchOrders": {"symbol": SYMBOL, "origClientOrderIdList": '["rests","nobody"]'},
    "PUT /fapi/v1/order": ORDER | AMENDED,
    "PUT /fapi/v1/batchOrders": {"batchOrders": json.dumps([ORDER | AMENDED, ORDER | AMENDED])},
    "POST /fapi/v1/order": limit_order(price="63700.0", selfTradePreventionMode="EXPIRE_TAKER"),
    "POST /fapi/v1/batchOrders": {"batchOrders": json.dumps([limit_order(price="63700.0"), limit_order(quantity="0")])},
    "POST /fapi/v1/leverage": {"symbol": SYMBOL, "leverage": "21"},
    "POST /fapi/v1/countdownCancelAll": {"symbol": SYMBOL, "countdownTime": "100000"},
    "POST /fapi/v1/feeBurn": {"feeBurn": "true"},
    "GET /fapi/v1/income": {},
    "GET /fapi/v1/exchangeInfo": {},
    "GET /fapi/v1/assetIndex": {},
    "GET /fapi/v1/constituents": {"symbol": SYMBOL},
    "POST /fapi/v1/marginType": {"symbol": SYMBOL, "marginType": "CROSSED"},
    "POST /fapi/v1/positionSide/dual": {"dualSidePosition": "false"},
    "POST /fapi/v1/multiAssetsMargin": {"multiAssetsMargin": "false"},
}
REFUSED = {
    "POST /fapi/v1/marginType": -4046,
    "POST /fapi/v1/positionSide/dual": -4059,
    "POST /fapi/v1/multiAssetsMargin": -4171,
}
"""Already so: the recorded success cannot be had where another mode is refused."""

TRAILING = {"activatePrice", "priceRate"}
OLD: dict[str, set[str]] = {
    "GET /fapi/v1/exchangeInfo": {"settlePlan", "autoAssetExchange"},
    "GET /fapi/v1/apiTradingStatus": {"ETHUSDT"},
    "GET /fapi/v1/adlQuantile": {"HEDGE"},
    "GET /fapi/v1/income": {"tranId"},
    "GET /fapi/v1/symbolConfig": {"isAutoAddMargin"},
    "GET /fapi/v1/fundingInfo": {"updateTime"},
    "GET /fapi/v3/positionRisk": {"leverage", "maxNotionalValue", "marginType", "isAutoAddMargin"},
    "GET /fapi/v1/orderAmendment": {"priceMatch"},
} | dict.fromkeys(
    (
        *(f"{method} /fapi/v1/order" for method in ("GET", "POST", "DELETE")),
        *(f"{method} /fapi/v1/batchOrders" for method in ("POST", "DELETE")),
        *(f"GET /fapi/v1/{name}" for name in ("openOrder", "openOrders", "allOrders")),
    ),
    TRAILING,
)
"""Keys of trailing stops and of hedge mode, keys that the venue no longer sends, and those whose type the facts know better."""


def ask(rig: WireRig, method: str, path: str) -> Any:
    key = f"{method} {path}"
    route = rig.exchange.api._routes[method, path]
    params = PARAMS.get(key, {"symbol": SYMBOL} if route.security is not Security.KEY or "rades" in path else {})
    if route.security is Security.SIGNED:
        return body(rig.send(method, path, params))
    query = "&".join(f"{name}={value}" for name, value in params.items())
    return body(rig.send_raw(RestRequest(method=method, path=path, raw_query=query, api_key=KEY)))


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    return "number" if isinstance(value, int | float) else type(value).__name__


def differences(recorded: Any, ours: Any, where: str, old: set[str]) -> Iterator[str]:
    """What of the recorded shape is not in ours."""
    if recorded is None:
        return
    if kind(recorded) != kind(ours):
        yield f"{where}: {kind(ours)} where {kind(recorded)} was recorded"
    elif isinstance(recorded, dict):
        for name, value in recorded.items():
            if name not in ours:
                if name not in old:
                    yield f"{where}.{name} is missing"
            elif name not in old:
                yield from differences(value, ours[name], f"{where}.{name}", old)
    elif isinstance(recorded, list):
        if recorded and not ours:
            yield f"{where} is empty"
        elif recorded and isinstance(recorded[0], list) and len(recorded[0]) != len(ours[0]):
            yield f"{where}: {len(ours[0])} columns where {len(recorded[0])} were recorded"
        elif recorded and where.endswith("klines"):
            for number, (one, other) in enumerate(zip(recorded[0], ours[0], strict=True)):
                yield from differences(one, other, f"{where}[{number}]", old)
        elif recorded:
            yield from differences(recorded[0], ours[0], f"{where}[0]", old)


@pytest.mark.parametrize("call", CALLS or [("absent", "", "", None)], ids=lambda call: call[0])
def test_a_recorded_answer_of_a_served_call_is_reproduced_in_shape(call: tuple[str, str, str, Any]) -> None:
    shared_path("data/payloads-binance-net")
    _, method, path, recorded = call
    key = f"{method} {path}"
    ours = ask(lived_in(), method, path)
    if key in REFUSED:
        assert ours["code"] == REFUSED[key]
        return
    if isinstance(recorded, dict) and isinstance(ours, list):
        ours = ours[0]
    if isinstance(recorded, list) and isinstance(ours, dict):
        ours = [ours]
    found = list(differences(recorded, ours, path.rsplit("/", 1)[1], OLD.get(key, set())))
    assert not found, found


def recorded_frames() -> Iterator[tuple[str, Any]]:
    """Stream and user events as published by others, with where they come from."""
    root = shared_root() / "data"
    for file in sorted((root / "payloads-binance-net/Subscriptions/UsdFutures").glob("*.txt")):
        frame = loose_json("{" + file.read_text(encoding="utf-8-sig").split("\n=", 1)[1].split("{", 1)[1])
        yield file.stem, frame["data"]
    for line in (root / "payloads-tardis-node/binance-futures.jsonl").read_text().splitlines():
        frame = json.loads(line)
        if isinstance(frame.get("data"), dict):
            yield "tardis", frame["data"]
    for line in (root / "user-events-and-errors/events.jsonl").read_text().splitlines()[1:]:
        row = json.loads(line)
        if row["kind"] == "user":
            yield row["src"], row["raw"] if isinstance(row["raw"], dict) else json.loads(row["raw"])
    for line in (root / "metacodi-sequences/raw_reconstructed.jsonl").read_text().splitlines():
        row = json.loads(line)
        yield row["name"], row["raw"]


STREAMS = (
    "depth@100ms bookTicker aggTrade trade markPrice@1s kline_1m ticker miniTicker forceOrder",
    "btcusdc_perpetual@continuousKline_1m !contractInfo",
)


def our_frames() -> dict[str, dict[str, Any]]:
    """One of each kind that the venue sends, fills before other orders' events."""
    rig = lived_in()
    for name in STREAMS[0].split():
        rig.exchange.subscribe(f"btcusdc@{name}")
    for name in STREAMS[1].split():
        rig.exchange.subscribe(name)
    key = body(rig.send("POST", "/fapi/v1/listenKey"))["listenKey"]
    rig.exchange.open_user_session(key, None)
    rig.send("POST", "/fapi/v1/leverage", {"symbol": SYMBOL, "leverage": "100"})
    rig.apply(ContractFrame(SYMBOL, rig.now_ns, "TRADING", 1))
    rig.apply(rig.market.bought(640_002, 3), rig.market.depth(asks=[(640_002, 90)], bids=[(639_999, 33)]))
    rig.send("POST", "/fapi/v1/order", {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.010"})
    rig.wait(2_100)
    rig.exchange.venue.account("main").wallets["USDC"] = Decimal(6)
    rig.wait(200)
    rig.exchange.venue.account("main").wallets["USDC"] = Decimal(3)
    rig.wait(1_200)
    rig.exchange.inject(Fault(kind=FaultKind.LISTEN_KEY_EXPIRED))
    rig.wait(10)
    found: dict[str, dict[str, Any]] = {}
    for payload in [frame.payload for frame in (*rig.output.stream_frames, *rig.output.user_frames)]:
        event = json.loads(payload)
        better = event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE"
        if event["e"] not in found or better:
            found[event["e"]] = event
    return found


FRAMES_OLD = {
    "ORDER_TRADE_UPDATE": {"AP", "cr", "W", "E"},
    "listenKeyExpired": {"E"},
    "ACCOUNT_CONFIG_UPDATE": {"ai"},
    "contractInfo": {"bks"},
    "ACCOUNT_UPDATE": {"E"},
}
"""Fields of trailing stops, of multi-assets mode, of a change of brackets; event times as texts in one publication."""


def test_recorded_frames_are_reproduced_in_shape() -> None:
    shared_path("data/payloads-binance-net")
    ours, seen, unserved = our_frames(), Counter[str](), Counter[str]()
    wrong: dict[str, list[str]] = {}
    for source, frame in recorded_frames():
        recorded = frame[0] if isinstance(frame, list) else frame
        name = recorded.get("e", "")
        if name not in ours:
            unserved[name] += 1
            continue
        seen[name] += 1
        found = list(differences(recorded, ours[name], name, FRAMES_OLD.get(name, set())))
        found = [text for text in found if not text.endswith("is empty")]
        if found:
            wrong.setdefault(f"{source} {name}", found)
    assert not wrong, wrong
    assert set(unserved) <= {
        "ALGO_UPDATE",
        "assetIndexUpdate",
        "compositeIndex",
        "CONDITIONAL_ORDER_TRIGGER_REJECT",
    } | {
        "STRATEGY_UPDATE",
        "GRID_UPDATE",
        "openInterest",
        "",
    }, unserved
    assert len(seen) >= 15, seen


WS_CALLS = {
    "PlaceOrder": ("order.place", limit_order(price="63700.0")),
    "EditOrder": ("order.modify", ORDER | AMENDED),
    "CancelOrder": ("order.cancel", ORDER),
    "GetOrder": ("order.status", ORDER),
    "GetPositions": ("v2/account.position", {"symbol": SYMBOL}),
    "GetAccountInfo": ("v2/account.status", {}),
    "GetBalances": ("v2/account.balance", {}),
    "GetBookPrice": ("ticker.book", {"symbol": SYMBOL}),
    "GetBookPrices": ("ticker.book", {}),
    "GetOrderBook": ("depth", {"symbol": SYMBOL}),
    "GetPrice": ("ticker.price", {"symbol": SYMBOL}),
    "GetPrices": ("ticker.price", {}),
}


@pytest.mark.parametrize("name", WS_CALLS)
def test_a_recorded_answer_of_the_websocket_api_is_reproduced_in_shape(name: str) -> None:
    (file,) = shared_path(f"{NET}/Socket/UsdFutures").rglob(f"{name}.txt")
    text = file.read_text(encoding="utf-8-sig").split("\n=", 1)[1].lstrip()
    recorded = loose_json(text.replace("|1|", "1"))
    rig = lived_in()
    method, params = WS_CALLS[name]
    if name not in ("GetBookPrice", "GetBookPrices", "GetOrderBook", "GetPrice", "GetPrices"):
        named = params | {"apiKey": KEY, "timestamp": rig.now_ns // MS}
        params = named | {"signature": sign("&".join(f"{each}={named[each]}" for each in sorted(named)))}
    frame = json.dumps({"id": "1", "method": method, "params": params})
    rig.exchange.receive_ws(1, WsSession(address="127.0.0.1", connected_ms=0), frame, rig.now_ns)
    rig.wait(0)
    ours = json.loads(rig.output.ws_answers.pop()[1])
    found = list(differences(recorded, ours, name, {"id", "unrealizedProfit"} | TRAILING))
    assert not found, found


CAPTURED_OLD = {"exchangeInfo": {"settlePlan"}}


def captured_frames() -> Iterator[tuple[str, str, Any]]:
    """The first frames of each stream of the captures of USD-M streams, and the answers recorded beside them."""
    root = shared_root() / "data"
    files = [*(root / "usdm-btc-eth-20240718").glob("*.gz"), *(root / "usdm-btc-20230404").glob("usdm*.gz")]
    files += (root / "cryptofeed-usdm-20210722").glob("*.gz")
    for file in sorted(files):
        seen = Counter[str]()
        with gzip.open(file, "rb") as lines:
            for line in islice(lines, 20_000):
                timed = receive_time(line.rstrip())
                if timed is None or not timed[1].lstrip().startswith(b"{"):
                    continue
                body_text = timed[1].lstrip()
                frame = json.loads(body_text)
                if "stream" in frame:
                    frame = frame["data"]
                name = frame.get("e") or ("depth" if "lastUpdateId" in frame else "exchangeInfo")
                seen[name] += 1
                if seen[name] <= 20:
                    yield file.name, name, frame


FLATTENED = {
    "EventType": "e",
    "EventTime": "E",
    "TransactionTime": "T",
    "Symbol": "s",
    "FirstUpdateId": "U",
    "FinalUpdateId": "u",
    "FinalUpdateIdInLastStream": "pu",
    "TradeId": "t",
    "IsBuyerMarketMaker": "m",
    "XUnknownParameter": "X",
}
"""Columns of streams that somebody wrote as rows, by the key that each was on the wire. Prices and quantities come besides."""


def flattened_frames() -> Iterator[tuple[str, dict[str, Any]]]:
    """Frames of the rows of USD-M streams (`lasota-trx-20250304`): a row is one level of a diff, or a trade."""
    for file in sorted((shared_root() / "data/lasota-trx-20250304").glob("test_positive*usd_m_futures*.csv.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for row in islice(csv.DictReader(lines), 500):
                frame: dict[str, Any] = {
                    key: row[column] if key in "esX" else row[column] == "1" if key == "m" else int(row[column])
                    for column, key in FLATTENED.items()
                    if column in row
                }
                if frame["e"] == "trade":
                    frame |= {"p": row["Price"], "q": row["Quantity"]}
                else:
                    frame["a" if row["IsAsk"] == "1" else "b"] = [[row["Price"], row["Quantity"]]]
                yield file.name, frame


def test_streams_that_were_written_as_rows_are_reproduced_in_shape() -> None:
    shared_path("data/lasota-trx-20250304")
    ours, seen = our_frames(), Counter[str]()
    for file, frame in flattened_frames():
        seen[frame["e"]] += 1
        assert list(differences(frame, ours[frame["e"]], f"{file} {frame['e']}", set())) == []
    assert set(seen) == {"depthUpdate", "trade"}
    assert min(seen.values()) > 100


def test_every_stream_and_answer_in_the_captures_is_reproduced_in_shape() -> None:
    shared_path("data/usdm-btc-eth-20240718")
    rig = lived_in()
    ours = our_frames() | {
        "depth": body(rig.public("/fapi/v1/depth", f"symbol={SYMBOL}&limit=1000")),
        "exchangeInfo": body(rig.public("/fapi/v1/exchangeInfo")),
    }
    wrong: dict[str, list[str]] = {}
    seen = Counter[str]()
    for file, name, frame in captured_frames():
        seen[name] += 1
        found = list(differences(frame, ours[name], name, CAPTURED_OLD.get(name, set())))
        found = [text for text in found if not text.endswith("is empty")]
        if found:
            wrong.setdefault(f"{file} {name}", found)
    assert not wrong, wrong
    assert set(seen) >= {
        "depthUpdate",
        "bookTicker",
        "trade",
        "aggTrade",
        "markPriceUpdate",
        "kline",
        "depth",
        "exchangeInfo",
    }, seen


def refusals() -> dict[int, Answer]:
    """One refusal of each recorded kind that this venue gives, by code."""
    rig, order = lived_in(), "/fapi/v1/order"
    poor = WireRig(balances={"USDC": "1"})
    full = WireRig()
    for _ in range(200):
        full.send("POST", order, limit_order())
    away = limit_order(side="SELL", price="64500.0", reduceOnly="true", quantity="5")
    made = [
        rig.send("POST", order, limit_order(price="64100.0")),
        poor.send("POST", order, limit_order(quantity="1")),
        WireRig().send("POST", order, away),
        full.send("POST", order, limit_order()),
        rig.send("GET", order, {"symbol": SYMBOL}, api_key=""),
        rig.send("DELETE", order, {"symbol": SYMBOL, "orderId": 1}),
        rig.send("GET", order, {"symbol": SYMBOL, "orderId": 1}),
        rig.send("POST", "/fapi/v1/marginType", {"symbol": SYMBOL, "marginType": "CROSSED"}),
    ]
    for kind in (FaultKind.BACKEND_TIMEOUT, FaultKind.BANNED):
        rig.exchange.inject(Fault(kind=kind))
        made.append(rig.send("POST", order, limit_order(price="63700.0")))
    assert [answer.body for answer in made if answer.status == 200] == []
    return {body(answer)["code"]: answer for answer in made}


NOT_OF_THIS_VENUE = {-2020, -2021, -2023, -2024, -4067}
"""Of stop orders, of hedge mode, of a liquidation that takes time."""


def test_recorded_refusals_are_reproduced_to_the_word() -> None:
    file = shared_path("data/user-events-and-errors/rest_errors_and_responses.json")
    recorded = [row for row in json.loads(file.read_text())["errors"] if "code" in row.get("body", {})]
    ours, seen = refusals(), set[int]()

    def plain(text: str) -> str:
        return re.sub(r"IP\(.*?\)|\d{13}", "", text)

    for row in recorded:
        code, text = row["body"]["code"], plain(row["body"]["msg"])
        if code in NOT_OF_THIS_VENUE or "request weight" in text:  # an older wording of the ban
            continue
        seen.add(code)
        assert (ours[code].status, plain(body(ours[code])["msg"])) == (row["http"], text)
    assert seen == set(ours)
