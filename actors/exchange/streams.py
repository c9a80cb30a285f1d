"""Market streams: what subscribers of each stream name are sent (facts sections 5.1 and 5.2).

A payload is built only while somebody wants its stream, once for all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from actors.exchange.book import Level
from actors.exchange.contracts import WireNumbers
from actors.exchange.matching import Matcher

DEPTH_INTERVALS_MS = {"depth@0ms": 0, "depth@100ms": 100, "depth": 250, "depth@250ms": 250, "depth@500ms": 500}
PARTIAL_LEVELS = (5, 10, 20)
PARTIAL_KIND = "depth of the top"
Top = tuple[int, int, int, int]
"""Best bid and its lots, best ask and its lots."""

DELIVERY_MS, ONBOARD_MS = 4133404800000, 1569398400000


class StreamFrame(NamedTuple):
    """A payload for the subscribers of one stream name: bytes, but where another voice than the wire's speaks."""

    stream: str
    payload: Any


class Publisher:
    """Who wants what, and what was published since the last drain."""

    def __init__(self) -> None:
        self._wanted: dict[str, int] = {}
        self._kinds: Counter[str] = Counter()
        self.frames: list[StreamFrame] = []

    def subscribe(self, stream: str) -> None:
        """One subscriber more."""
        if stream not in self._wanted:
            self._kinds[_kind_of(stream)] += 1
        self._wanted[stream] = self._wanted.get(stream, 0) + 1

    def unsubscribe(self, stream: str) -> None:
        """One subscriber less."""
        left = self._wanted.get(stream, 0) - 1
        if left > 0:
            self._wanted[stream] = left
        elif self._wanted.pop(stream, None) is not None:
            self._kinds[_kind_of(stream)] -= 1

    def wants(self, stream: str) -> bool:
        """Whether anybody is subscribed."""
        return stream in self._wanted

    def wants_kind(self, kind: str) -> bool:
        """Whether anybody is subscribed to a stream of this kind, of any symbol and interval."""
        return self._kinds[kind] > 0

    def publish(self, stream: str, payload: Any) -> None:
        """Give a payload to the stream's subscribers: the text of the wire, or what another voice made."""
        self.frames.append(StreamFrame(stream, payload.encode() if type(payload) is str else payload))

    def publish_if_wanted(self, stream: str, payload: Any) -> None:
        """The same, when somebody is subscribed."""
        if stream in self._wanted:
            self.publish(stream, payload)


class DepthDiff(NamedTuple):
    """Present lots of the prices that changed with the update ids first..last; `previous_id` is the last of the event before."""

    bids: list[Level]
    asks: list[Level]
    first_id: int
    last_id: int
    previous_id: int


class DepthFeed:
    """One diff stream of a symbol with its own chain: `pu` is the `u` of the event before it in this stream."""

    def __init__(self, stream: str, interval_ms: int, last_id: int) -> None:
        self.stream = stream
        self.interval_ms = interval_ms
        self._bids: set[int] = set()
        self._asks: set[int] = set()
        self._first_id = 0
        self._last_id = last_id
        self._previous_id = last_id

    @property
    def pending(self) -> bool:
        """Whether there is something to send."""
        return bool(self._bids or self._asks)

    def collect(self, bids: Iterable[int], asks: Iterable[int], first_id: int, last_id: int) -> None:
        """Levels changed with the update ids first..last."""
        if not self.pending:
            self._first_id = first_id
        self._bids.update(bids)
        self._asks.update(asks)
        self._last_id = last_id

    def flush(self, matcher: Matcher) -> DepthDiff:
        """What is to be sent."""
        bids = matcher.displayed_levels(sorted(self._bids), bids=True)
        asks = matcher.displayed_levels(sorted(self._asks), bids=False)
        previous, self._previous_id = self._previous_id, self._last_id
        self._bids.clear()
        self._asks.clear()
        return DepthDiff(bids, asks, self._first_id, self._last_id, previous)


def depth_diff_payload(symbol: str, diff: DepthDiff, numbers: WireNumbers, now_ms: int) -> str:
    """`<s>@depth` and its kin."""
    return (
        f'{{"e":"depthUpdate","E":{now_ms},"T":{now_ms},"s":"{symbol}","ps":"{symbol}","st":1,'
        f'"U":{diff.first_id},"u":{diff.last_id},"pu":{diff.previous_id},'
        f'"b":[{_levels(diff.bids, numbers)}],"a":[{_levels(diff.asks, numbers)}]}}'
    )


def partial_depth_payload(
    symbol: str,
    bids: Iterable[tuple[int, int]],
    asks: Iterable[tuple[int, int]],
    numbers: WireNumbers,
    update_id: int,
    previous_id: int,
    now_ms: int,
) -> str:
    """`<s>@depth<N>`: the complete top levels."""
    return (
        f'{{"e":"depthUpdate","E":{now_ms},"T":{now_ms},"s":"{symbol}","ps":"{symbol}","st":1,"U":{update_id},"u":{update_id},'
        f'"pu":{previous_id},"b":[{_levels(bids, numbers)}],"a":[{_levels(asks, numbers)}]}}'
    )


def book_ticker_payload(symbol: str, top: Top, numbers: WireNumbers, update_id: int, now_ms: int) -> str:
    """`<s>@bookTicker`."""
    bid, bid_lots, ask, ask_lots = top
    return (
        f'{{"e":"bookTicker","u":{update_id},"s":"{symbol}","ps":"{symbol}","b":"{numbers.price_text(bid)}",'
        f'"B":"{numbers.quantity_text(bid_lots)}","a":"{numbers.price_text(ask)}","A":"{numbers.quantity_text(ask_lots)}",'
        f'"T":{now_ms},"E":{now_ms},"st":1}}'
    )


def trade_payload(symbol: str, trade_id: int, price: str, quantity: str, *, buyer_is_maker: bool, now_ms: int) -> str:
    """`<s>@trade`."""
    return (
        f'{{"e":"trade","E":{now_ms},"T":{now_ms},"s":"{symbol}","t":{trade_id},"p":"{price}","q":"{quantity}",'
        f'"X":"MARKET","m":{_bool(buyer_is_maker)}}}'
    )


def aggregate_trade_payload(
    symbol: str, trade_id: int, price: str, quantity: str, *, buyer_is_maker: bool, now_ms: int
) -> str:
    """`<s>@aggTrade`; this venue aggregates nothing, so first and last trade are the same."""
    return (
        f'{{"e":"aggTrade","E":{now_ms},"s":"{symbol}","a":{trade_id},"p":"{price}","q":"{quantity}","nq":"{quantity}",'
        f'"f":{trade_id},"l":{trade_id},"T":{now_ms},"m":{_bool(buyer_is_maker)},"st":1}}'
    )


def mark_price_payload(symbol: str, mark: str, index: str, rate: str, next_funding_ms: int, now_ms: int) -> str:
    """`<s>@markPrice`."""
    return (
        f'{{"e":"markPriceUpdate","E":{now_ms},"s":"{symbol}","p":"{mark}","ap":"{mark}","P":"{mark}","i":"{index}",'
        f'"r":"{rate}","T":{next_funding_ms},"st":1}}'
    )


def contract_info_payload(symbol: str, status: str, now_ms: int, brackets: list[dict[str, Any]] | None = None) -> str:
    """`!contractInfo` after a change of status, tick or brackets; only the last has rows."""
    rows = "" if brackets is None else f',"bks":{msgspec.json.encode(brackets).decode()}'
    return (
        f'{{"e":"contractInfo","E":{now_ms},"s":"{symbol}","ps":"{symbol}","ct":"PERPETUAL",'
        f'"dt":{DELIVERY_MS},"ot":{ONBOARD_MS},"cs":"{status}"{rows}}}'
    )


def _kind_of(stream: str) -> str:
    """`kline` of `btcusdc@kline_1m`; those of the top of the book are one kind."""
    kind = stream.partition("@")[2].partition("@")[0].partition("_")[0]
    return PARTIAL_KIND if kind in _PARTIAL_NAMES else kind


_PARTIAL_NAMES = frozenset(f"depth{levels}" for levels in PARTIAL_LEVELS)


def _levels(levels: Iterable[Level], numbers: WireNumbers) -> str:
    price_text, quantity_text = numbers.price_text, numbers.quantity_text
    return ",".join([f'["{price_text(price)}","{quantity_text(lots)}"]' for price, lots in levels])


def _bool(value: bool) -> str:
    return "true" if value else "false"
