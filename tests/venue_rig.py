"""A small venue for tests: one BTCUSDC market around 64,000.0, no latency, one account."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec

from actors.exchange import ledger
from actors.exchange.api import Answer, RestRequest
from actors.exchange.authentication import hmac_credential
from actors.exchange.book import Level
from actors.exchange.contracts import Contract, known_contract
from actors.exchange.exchange import Exchange, Output
from actors.exchange.frames import BookFrame, DepthFrame, Frame, PrintFrame, TickerFrame
from actors.exchange.orders import Order, OrderRequest
from actors.exchange.venue import Venue
from configs.schema import ExchangeSettings

SYMBOL = "BTCUSDC"
START_NS = 1_800_000_000_000_000_000
MS = 1_000_000
KEY, SECRET, ACCOUNT = "test-key", "test-secret", "main"
BIDS: list[Level] = [(640_000, 10), (639_999, 20), (639_990, 50)]
ASKS: list[Level] = [(640_001, 10), (640_002, 20), (640_010, 50)]


def contract(symbol: str = SYMBOL) -> Contract:
    found = known_contract(symbol, 200)
    assert found is not None
    return found


def settings(**changes: Any) -> ExchangeSettings:
    quiet = {"order_latency_ms": 0, "feed_latency_ms": 0, "latency_jitter_ms": 0}
    return ExchangeSettings.model_validate(quiet | changes)


class Market:
    """Frames of the recorded market, one millisecond apart unless told."""

    def __init__(self, symbol: str = SYMBOL) -> None:
        self.symbol = symbol
        self.now_ns = START_NS
        self.update_id = 0

    def book(self, bids: list[Level] | None = None, asks: list[Level] | None = None) -> BookFrame:
        at = self._next()
        return BookFrame(self.symbol, at, at, BIDS if bids is None else bids, ASKS if asks is None else asks)

    def depth(self, bids: list[Level] = [], asks: list[Level] = [], market_ns: int = 0) -> DepthFrame:  # noqa: B006
        at = self._next()
        return DepthFrame(self.symbol, at, market_ns or at, self.update_id, bids, asks)

    def ticker(self, bid: Level, ask: Level, market_ns: int = 0) -> TickerFrame:
        at = self._next()
        return TickerFrame(self.symbol, at, market_ns or at, self.update_id, *bid, *ask)

    def sold(self, price_ticks: int, lots: int, market_ns: int = 0) -> PrintFrame:
        """A seller hit the bid."""
        at = self._next()
        return PrintFrame(self.symbol, at, market_ns or at, price_ticks, lots, True)

    def bought(self, price_ticks: int, lots: int, market_ns: int = 0) -> PrintFrame:
        """A buyer lifted the ask."""
        at = self._next()
        return PrintFrame(self.symbol, at, market_ns or at, price_ticks, lots, False)

    def _next(self) -> int:
        self.now_ns += MS
        self.update_id += 1
        return self.now_ns


class VenueRig:
    """A venue with an open book and an account."""

    def __init__(self, *, open_book: bool = True, **changes: Any) -> None:
        self.settings = settings(**changes)
        self.venue = Venue(self.settings, [contract()], START_NS)
        self.market = Market()
        self.account = self.venue.account(ACCOUNT)
        self.count = 0
        if open_book:
            self.apply(self.market.book())

    def apply(self, *frames: Frame) -> None:
        for frame in frames:
            self.venue.apply(frame)

    def place(self, side: str, price_ticks: int, lots: int, account: str = ACCOUNT, **changes: Any) -> Order:
        self.count += 1
        fields: dict[str, Any] = {
            "symbol": SYMBOL,
            "side": side,
            "type": "LIMIT",
            "time_in_force": "GTC",
            "price_ticks": price_ticks,
            "lots": lots,
            "reduce_only": False,
            "client_order_id": f"c{self.count}",
        }
        return self.venue.place(self.venue.account(account), OrderRequest(**(fields | changes)))

    def market_order(self, side: str, lots: int, account: str = ACCOUNT, **changes: Any) -> Order:
        return self.place(side, 0, lots, account, type="MARKET", **changes)

    def fills(self) -> list[ledger.OrderFilled]:
        return [record for record in self.records() if isinstance(record, ledger.OrderFilled)]

    def records(self) -> list[ledger.LedgerRecord]:
        return self.venue.outcome.records

    def event_kinds(self) -> list[str]:
        kinds = []
        for event in self.venue.outcome.events:
            body = msgspec.json.decode(event.payload)
            kinds.append(f"{event.kind} {body['o']['x']}" if event.kind == "ORDER_TRADE_UPDATE" else event.kind)
        return kinds


class WireRig:
    """A venue behind its API, with a key, spoken to by REST requests without sockets."""

    def __init__(self, *, symbol: str = SYMBOL, open_book: bool = True, **changes: Any) -> None:
        credentials = [hmac_credential(KEY, SECRET, ACCOUNT)]
        self.exchange = Exchange(settings(**changes), [contract(symbol)], credentials, START_NS)
        self.market = Market(symbol)
        self.tickets: dict[int, Answer] = {}
        self.output = Output()
        if open_book:
            self.exchange.apply(self.market.book())
        self.now_ns = self.market.now_ns

    def send(self, method: str, path: str, params: dict[str, Any] | None = None, **changes: Any) -> Answer:
        """Sign and send; the answer after all latencies."""
        named = dict(params or {})
        named.setdefault("timestamp", self.now_ns // MS)
        query = urlencode(named)
        signature = sign(query)
        fields: dict[str, Any] = {
            "method": method,
            "path": path,
            "raw_query": f"{query}&signature={signature}",
            "api_key": KEY,
        }
        return self.send_raw(RestRequest(**(fields | changes)))

    def public(self, path: str, query: str = "") -> Answer:
        return self.send_raw(RestRequest(method="GET", path=path, raw_query=query))

    def send_raw(self, request: RestRequest) -> Answer:
        ticket = self.exchange.receive_rest(request, self.now_ns)
        for _ in range(1_000):
            self.exchange.advance(self.now_ns)
            self.drain()
            if ticket in self.tickets:
                return self.tickets.pop(ticket)
            due = self.exchange.next_due_ns
            assert due is not None
            self.now_ns = max(self.now_ns, due)
        raise AssertionError("no answer")

    def drain(self) -> Output:
        output = self.exchange.drain()
        self.tickets.update(output.answers)
        for name in ("records", "ws_answers", "logons", "user_frames", "stream_frames"):
            getattr(self.output, name).extend(getattr(output, name))
        return output

    def apply(self, *frames: Frame) -> None:
        for frame in frames:
            self.exchange.apply(frame)
            self.now_ns = max(self.now_ns, frame.at_ns)
            self.market.now_ns = max(self.market.now_ns, self.now_ns)
        self.exchange.advance(self.now_ns)
        self.drain()

    def wait(self, milliseconds: int) -> None:
        self.now_ns += milliseconds * MS
        self.market.now_ns = max(self.market.now_ns, self.now_ns)
        self.exchange.advance(self.now_ns)
        self.drain()


def sign(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def body(answer: Answer) -> Any:
    return msgspec.json.decode(answer.body)


def limit_order(**changes: Any) -> dict[str, Any]:
    """Parameters of a sound post-only buy at the touch."""
    order = {
        "symbol": SYMBOL,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTX",
        "quantity": "0.010",
        "price": "64000.0",
    }
    return {name: value for name, value in (order | changes).items() if value is not None}


def decimal(text: str) -> Decimal:
    return Decimal(text)
