"""The public side of one symbol: book with our orders in it, prints, mark price and funding, and their publication."""

from __future__ import annotations

from collections import deque
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from actors.exchange.accounts import CENT
from actors.exchange.book import Book, Level
from actors.exchange.brackets import Brackets, brackets_of
from actors.exchange.candle_shapes import candle_event, day_event, mini_day_event
from actors.exchange.contracts import Contract, numbers_of
from actors.exchange.frames import MarkFrame
from actors.exchange.klines import INTERVALS_MS, Candle, Candles
from actors.exchange.matching import Matcher
from actors.exchange.reference_prices import ReferencePrices
from actors.exchange.scenarios import TRADING
from actors.exchange.streams import (
    DEPTH_INTERVALS_MS,
    PARTIAL_KIND,
    PARTIAL_LEVELS,
    DepthFeed,
    Publisher,
    Top,
    contract_info_payload,
    mark_price_payload,
    partial_depth_payload,
    trade_payload,
)
from actors.exchange.voice import WIRE, WireVoice

HOUR_NS = 3_600 * 1_000_000_000
FUNDING_INTERVAL_NS = 8 * HOUR_NS
TRADES_KEPT_MAX = 1_000
TICKER_MS = 2_000
DAY_MS = 86_400_000
FUNDINGS_KEPT_MAX = 1_000
DIRECT_FLUSH_NS = 10_000_000
"""How long a change by our own orders waits at most for the recording's next diff on `@depth@0ms`."""


class PublicTrade(NamedTuple):
    """One public trade."""

    trade_id: int
    price_ticks: int
    lots: int
    buyer_is_maker: bool
    time_ms: int


class Funding(NamedTuple):
    """A past funding time."""

    time_ms: int
    rate: Decimal
    mark_price: Decimal


class UpdateIds:
    """The venue's one counter of book updates, shared by all symbols."""

    def __init__(self, first: int) -> None:
        self.last = first

    def take(self, count: int) -> tuple[int, int]:
        """The next `count` ids: first and last."""
        first = self.last + 1
        self.last += count
        return first, self.last


class Market:
    """One symbol."""

    def __init__(
        self,
        contract: Contract,
        publisher: Publisher,
        ids: UpdateIds,
        trade_id: int,
        now_ns: int,
        *,
        probabilistic: bool = False,
        voice: WireVoice = WIRE,
    ) -> None:
        self.contract = contract
        self._notional_min_first = contract.notional_min
        self.numbers = numbers_of(contract)
        self.book = Book()
        self.matcher = Matcher(self.book, probabilistic=probabilistic)
        self.update_id = ids.last
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT_MAX)
        self.fundings: deque[Funding] = deque(maxlen=FUNDINGS_KEPT_MAX)
        self.next_funding_ns = (now_ns // FUNDING_INTERVAL_NS + 1) * FUNDING_INTERVAL_NS
        self.flush_due_ns = 0
        self.status = TRADING
        self.stale = False
        """The source does not know this market just now: nothing is matched, and the streams say nothing."""
        self.tick_multiple = 1
        self.brackets = brackets_of(contract.base_asset)
        self.liquidations: list[dict[str, Any]] = []
        self.candles: Candles[int] = Candles()
        self.mark_candles: Candles[float] = Candles()
        self.index_candles: Candles[float] = Candles()
        self.premium_candles: Candles[float] = Candles()
        self._publisher = publisher
        self._voice = voice
        self._ids = ids
        self._trade_id = trade_id
        self._reference = ReferencePrices(contract)
        self._last_mid = Decimal(0)
        self._mid_of = 0
        """Best bid plus best ask that the last mid is of."""
        self._top: Top | None = None
        self._feeds: dict[str, DepthFeed] = {}
        self._partial_id = 0
        self._name = contract.symbol.lower()
        self._top_stream = f"{self._name}@bookTicker"
        self._candle_trade_id = 0

    def next_trade_id(self) -> int:
        """A new trade id; ids of a symbol grow by one."""
        self._trade_id += 1
        return self._trade_id

    def skip_trade_ids(self, up_to: int) -> None:
        """Ids up to this one were given out by an earlier run."""
        self._trade_id = max(self._trade_id, up_to)

    def change_filters(self) -> None:
        """Double the least notional, or bring it back; orders that rest are not asked again."""
        first, now = self._notional_min_first, self.contract.notional_min
        changed = first * 2 if now == first else first
        self.contract = msgspec.structs.replace(self.contract, notional_min=changed)

    @property
    def is_open(self) -> bool:
        """Whether the book has both sides."""
        return self.book.bids.best() is not None and self.book.asks.best() is not None

    @property
    def mark_price(self) -> Decimal:
        """What positions are valued at: as recorded, or by the venue's rule, else the mid."""
        return self._reference.mark(self.mid_price)

    @property
    def mid_price(self) -> Decimal:
        """The mid of the recorded book (the last known one when a side is empty)."""
        bid, ask = self.book.bids.best(), self.book.asks.best()
        if bid is not None and ask is not None and bid + ask != self._mid_of:
            self._mid_of = bid + ask
            self._last_mid = (self.contract.price(self._mid_of) / 2).quantize(CENT, ROUND_HALF_UP)
        return self._last_mid

    @property
    def index_price(self) -> Decimal:
        """The recorded index price, else the mark price."""
        return self._reference.index(self.mid_price)

    @property
    def funding_rate(self) -> Decimal:
        """The rate of the next funding, as it stands."""
        return self._reference.funding_rate

    @property
    def last_price_ticks(self) -> int | None:
        """Price of the newest public trade."""
        return self.trades[-1].price_ticks if self.trades else None

    def apply_mark(self, frame: MarkFrame) -> None:
        """Take over what the source says about mark price and funding."""
        self._reference.apply(frame)
        if frame.next_funding_ns is not None and frame.next_funding_ns > frame.at_ns:
            self.next_funding_ns = frame.next_funding_ns

    def sample_prices(self, now_ns: int) -> None:
        """Once a second: what the venue derives from index, book and last price."""
        if self.stale:
            return
        last = self.last_price_ticks
        if self._reference.follows_index:
            hours_left = Decimal(max(0, self.next_funding_ns - now_ns)) / HOUR_NS
            last_price = self.contract.price(last) if last is not None else None
            self._reference.sample(self.mid_price, last_price, hours_left, self.book.bids, self.book.asks)
        mark, index, now_ms = float(self.mark_price), float(self.index_price), now_ns // 1_000_000
        if mark:
            self.mark_candles.sample(now_ms, mark)
            self.index_candles.sample(now_ms, index)
            self.premium_candles.sample(now_ms, mark / index - 1)

    def fund(self, now_ns: int) -> Funding:
        """A funding time: what was paid at, remembered; the next one is planned."""
        funding = Funding(now_ns // 1_000_000, self.funding_rate, self.mark_price)
        self.fundings.append(funding)
        self.next_funding_ns += FUNDING_INTERVAL_NS
        self._reference.funded()
        return funding

    def change_contract(self, status: str, tick_multiple: int, now_ns: int) -> None:
        """Another status or tick, told to whoever follows the contracts."""
        self.status, self.tick_multiple = status, tick_multiple
        payload = contract_info_payload(self.contract.symbol, status, now_ns // 1_000_000)
        self._publisher.publish_if_wanted("!contractInfo", payload)

    def change_terms(self, contract: Contract | None, brackets: Brackets | None, now_ns: int) -> None:
        """Other bounds or brackets; brackets are told to whoever follows the contracts. Orders that rest are not asked again."""
        if contract is not None:
            self.contract = contract
            self._notional_min_first = contract.notional_min
        if brackets is not None:
            self.brackets = brackets
            rows = [
                {
                    "bs": row.number,
                    "bnf": int(row.notional_floor),
                    "bnc": int(row.notional_cap),
                    "mmr": float(row.maintenance_rate),
                    "cf": float(row.cumulative),
                    "mi": after.leverage_max + 1 if after is not None else 1,
                    "ma": row.leverage_max,
                }
                for row, after in zip(brackets.rows, [*brackets.rows[1:], None], strict=True)
            ]
            payload = contract_info_payload(self.contract.symbol, self.status, now_ns // 1_000_000, rows)
            self._publisher.publish_if_wanted("!contractInfo", payload)

    def published_levels(self, *, bids: bool, limit: int) -> list[Level]:
        """The best `limit` levels, our orders included."""
        side = self.book.side(bids=bids)
        own = self.matcher.own_prices(bids=bids)
        if not own:
            return list(islice(side.levels(), limit))
        merged = dict(islice(side.levels(), limit))
        for price in own:
            merged[price] = self.matcher.displayed_lots(price, bids=bids)
        return sorted(merged.items(), reverse=bids)[:limit]

    def publish_changes(self, now_ns: int, *, flush: bool) -> None:
        """Number what changed in the book, publish the best prices, and the immediate diff stream when `flush` is set.

        While the market is stale the changes wait, so that the first diff after it leads from what subscribers know to what is.
        """
        if self.stale:
            return
        bids, asks = self.book.bids.changed, self.book.asks.changed
        if bids or asks:
            first, last = self._ids.take(len(bids) + len(asks))
            self.update_id = last
            for feed in self._feeds.values():
                feed.collect(bids, asks, first, last)
            bids.clear()
            asks.clear()
            self._publish_top(now_ns)
        direct = self._feeds.get("depth@0ms")
        if direct is not None and direct.pending:
            if flush:
                self.flush_direct(now_ns)
            elif self.flush_due_ns == 0:
                self.flush_due_ns = now_ns + DIRECT_FLUSH_NS

    def flush_direct(self, now_ns: int) -> None:
        """Send what `@depth@0ms` has collected."""
        self.flush_due_ns = 0
        if self.stale:
            return
        direct = self._feeds.get("depth@0ms")
        if direct is not None and direct.pending:
            self._flush(direct, now_ns)

    def publish_interval(self, now_ns: int, elapsed_ms: int) -> None:
        """Serve the streams with an interval; `elapsed_ms` is the venue's time in a multiple of 50 ms."""
        if self.stale:
            return
        for feed in self._feeds.values():
            if feed.interval_ms and elapsed_ms % feed.interval_ms == 0 and feed.pending:
                self._flush(feed, now_ns)
        for suffix, interval_ms in (("@100ms", 100), ("", 250), ("@500ms", 500)):
            if elapsed_ms % interval_ms == 0:
                self._publish_partial(now_ns, suffix)
        if elapsed_ms % 250 == 0:
            self._publish_candles(now_ns // 1_000_000)
        if elapsed_ms % TICKER_MS == 0:
            self._publish_day(now_ns // 1_000_000)

    def publish_mark(self, now_ns: int, *, every_third: bool, for_all: bool) -> str | None:
        """Send the mark price streams; returns the payload where the all-symbols stream wants it. A stale market says nothing."""
        wants, stream = self._publisher.wants, f"{self._name}@markPrice"
        if self.stale or not (for_all or wants(f"{stream}@1s") or (every_third and wants(stream))):
            return None
        mark, index = f"{self.mark_price:.8f}", f"{self.index_price:.8f}"
        payload = mark_price_payload(
            self.contract.symbol,
            mark,
            index,
            f"{self.funding_rate:.8f}",
            self.next_funding_ns // 1_000_000,
            now_ns // 1_000_000,
        )
        self._publisher.publish_if_wanted(f"{stream}@1s", payload)
        if every_third:
            self._publisher.publish_if_wanted(stream, payload)
        return payload if for_all else None

    def publish_liquidations(self, now_ms: int) -> None:
        """Once a second: the largest liquidation of that second."""
        if not self.liquidations:
            return
        largest = max(self.liquidations, key=lambda order: Decimal(order["z"]) * Decimal(order["ap"]))
        payload = msgspec.json.encode({"e": "forceOrder", "E": now_ms, "o": largest}).decode()
        self.liquidations.clear()
        self._publisher.publish_if_wanted(f"{self._name}@forceOrder", payload)
        self._publisher.publish_if_wanted("!forceOrder@arr", payload)

    def publish_trade(self, price_ticks: int, lots: int, *, buyer_is_maker: bool, trade_id: int, now_ns: int) -> None:
        """A public trade happened."""
        now_ms = now_ns // 1_000_000
        self.trades.append(PublicTrade(trade_id, price_ticks, lots, buyer_is_maker, now_ms))
        self.candles.trade(now_ms, price_ticks, lots, price_ticks * lots, trade_id, taken=not buyer_is_maker)
        wants = self._publisher.wants
        plain, aggregated = f"{self._name}@trade", f"{self._name}@aggTrade"
        symbol, numbers = self.contract.symbol, self.numbers
        if wants(plain):
            price, quantity = numbers.price_text(price_ticks), numbers.quantity_text(lots)
            self._publisher.publish(
                plain, trade_payload(symbol, trade_id, price, quantity, buyer_is_maker=buyer_is_maker, now_ms=now_ms)
            )
        if wants(aggregated):
            self._publisher.publish(
                aggregated,
                self._voice.aggregate_trade(
                    symbol, trade_id, price_ticks, lots, numbers, buyer_is_maker=buyer_is_maker, now_ms=now_ms
                ),
            )

    def follow(self, stream_kind: str) -> None:
        """Start or stop collecting for a diff stream, as its subscribers come and go."""
        if stream_kind not in DEPTH_INTERVALS_MS:
            return
        if not self._publisher.wants(f"{self._name}@{stream_kind}"):
            self._feeds.pop(stream_kind, None)
        elif stream_kind not in self._feeds:
            self._feeds[stream_kind] = DepthFeed(
                f"{self._name}@{stream_kind}", DEPTH_INTERVALS_MS[stream_kind], self.update_id
            )

    def _flush(self, feed: DepthFeed, now_ns: int) -> None:
        diff = feed.flush(self.matcher)
        payload = self._voice.book_diff(self.contract.symbol, diff, self.numbers, now_ns // 1_000_000)
        self._publisher.publish(feed.stream, payload)

    def _publish_candles(self, now_ms: int) -> None:
        """Candles that are open, while a trade has changed them since."""
        if self._candle_trade_id == self._trade_id or not self.trades:
            return
        self._candle_trade_id = self._trade_id
        if not self._publisher.wants_kind("kline") and not self._publisher.wants_kind("continuousKline"):
            return
        for interval, interval_ms in INTERVALS_MS.items():
            plain = f"{self._name}@kline_{interval}"
            continuous = f"{self._name}_perpetual@continuousKline_{interval}"
            if not self._publisher.wants(plain) and not self._publisher.wants(continuous):
                continue
            candle = self.candles.last(interval_ms)
            if candle is not None:
                body = candle_event(candle, self.contract, self.numbers, interval)
                symbol = self.contract.symbol
                event: dict[str, Any] = {"e": "kline", "E": now_ms, "s": symbol, "k": {"s": symbol} | body}
                self._publisher.publish_if_wanted(plain, msgspec.json.encode(event).decode())
                event = {"e": "continuous_kline", "E": now_ms, "ps": symbol, "ct": "PERPETUAL", "k": body}
                self._publisher.publish_if_wanted(continuous, msgspec.json.encode(event).decode())

    def _publish_day(self, now_ms: int) -> None:
        """The day's statistics, long and short."""
        for kind, build in (("ticker", day_event), ("miniTicker", mini_day_event)):
            stream, everybody = f"{self._name}@{kind}", f"!{kind}@arr"
            if self._publisher.wants(stream) or self._publisher.wants(everybody):
                payload = msgspec.json.encode(build(self.day(now_ms), self.contract, self.numbers, now_ms)).decode()
                self._publisher.publish_if_wanted(stream, payload)
                self._publisher.publish_if_wanted(everybody, f"[{payload}]")

    def day(self, now_ms: int) -> Candle[int]:
        """The last 24 hours as one candle; without trades one of the mark price."""
        found = self.candles.since(now_ms - DAY_MS)
        if found is not None:
            return found
        ticks = int(self.mark_price / self.contract.tick_size)
        return Candle(now_ms, ticks, ticks, ticks, ticks)

    def _publish_partial(self, now_ns: int, suffix: str) -> None:
        for levels in PARTIAL_LEVELS if self._publisher.wants_kind(PARTIAL_KIND) else ():
            stream = f"{self._name}@depth{levels}{suffix}"
            if self._publisher.wants(stream):
                payload = partial_depth_payload(
                    self.contract.symbol,
                    self.published_levels(bids=True, limit=levels),
                    self.published_levels(bids=False, limit=levels),
                    self.numbers,
                    self.update_id,
                    self._partial_id,
                    now_ns // 1_000_000,
                )
                self._publisher.publish(stream, payload)
        self._partial_id = self.update_id

    def _publish_top(self, now_ns: int) -> None:
        stream = self._top_stream
        if not self._publisher.wants(stream) and not self._publisher.wants("!bookTicker"):
            self._top = None
            return
        bid, ask = self.matcher.best(bids=True), self.matcher.best(bids=False)
        if bid is None or ask is None:
            return
        top = (bid, self.matcher.displayed_lots(bid, bids=True), ask, self.matcher.displayed_lots(ask, bids=False))
        if top != self._top:
            self._top = top
            symbol = self.contract.symbol
            payload = self._voice.book_ticker(symbol, top, self.numbers, self.update_id, now_ns // 1_000_000)
            self._publisher.publish_if_wanted(stream, payload)
            self._publisher.publish_if_wanted("!bookTicker", payload)
