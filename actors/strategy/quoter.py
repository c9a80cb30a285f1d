"""Basic market making on one symbol: fair value, half spread from volatility, inventory skew, a ladder of shrinking sizes.

fair        imbalance-weighted mid of what others show (fair_value.py)
reservation fair * (1 + skew), skew linear in the position and against it (spread.py)
quotes      reservation * (1 -+ half spread), then level by level (ladder.py, sizing.py)
"""

from __future__ import annotations

from actors.strategy.fair_value import fair_price_ticks, others_levels
from actors.strategy.grinding import Grinder, Sight
from actors.strategy.ladder import LadderShape, ask_prices, bid_prices
from actors.strategy.own_orders import OwnOrders
from actors.strategy.position_view import PositionView
from actors.strategy.sizing import Sizer
from actors.strategy.snapshot import SymbolSnapshot
from actors.strategy.spread import half_spread_bps, skew_bps
from configs.schema import StrategySettings
from protocols.arithmetic.volatility import EwmaVolatility
from protocols.messages.market import BookTop, FeedState, FeedStatus, MarkPrice
from protocols.messages.quoting import QuoteTargets
from protocols.messages.requests import OrderRequest, WithdrawRequest
from protocols.messages.risk import FACTOR_ONE_BPS, QuotingTerms, RiskLevel
from protocols.values import Instrument, Level

_MS = 1_000_000

TERMS_AGE_NS_MAX = 3_000_000_000
"""The level of risk is told every second: when it was not heard for so long it is not known."""

FUNDING_AGE_NS_MAX = 60_000_000_000
"""An older estimate of the next funding says nothing."""


class SymbolQuoter:
    """State of one symbol, and the ladder that it wants now."""

    def __init__(
        self,
        instrument: Instrument,
        settings: StrategySettings,
        feed_silence_ns_max: int,
        life: str = "0/0",
        started_ns: int = 0,
    ) -> None:
        """Make a quoter that knows nothing.

        Args:
            life: shard and epoch, which no other life of strategy has.
        """
        self.instrument = instrument
        self.grinder = Grinder(instrument, settings.grinding, f"{instrument.symbol}/{life}/", started_ns)
        self._terms_ns: int | None = None
        self._mark: MarkPrice | None = None
        self.position = PositionView()
        self.own = OwnOrders()
        self._settings = settings
        self._feed_silence_ns_max = feed_silence_ns_max
        self._warm_up_ns = settings.warm_up_ms * _MS
        self._period_ns = settings.quote_period_ms_min * _MS
        self._volatility = EwmaVolatility(settings.volatility_halflife_ms * _MS)
        self._sizer = Sizer(instrument, settings.order_notional, settings.position_notional_max)
        self._shape = LadderShape.of(instrument, settings.levels, settings.level_spacing_bps)
        self._top: BookTop | None = None
        self._update_id_min = 0
        self._feed: FeedStatus | None = None
        self._feed_heard_ns = 0
        self._live_since_ns = 0
        self._targets: QuoteTargets | None = None
        self._told_ns = 0
        self._fair_ticks = self._half_spread_bps = self._skew_bps = 0.0
        self._terms = QuotingTerms(
            instrument_id=instrument.instrument_id,
            level=RiskLevel.NORMAL,
            size_factor_bps=FACTOR_ONE_BPS,
            spread_factor_bps=FACTOR_ONE_BPS,
        )
        self._books = self._told = self._refused = 0

    @property
    def told_ns(self) -> int:
        """When targets were last published."""
        return self._told_ns

    def take_book(self, top: BookTop, stopped: str, now_ns: int) -> QuoteTargets | None:
        """Price a new book; None while the last targets are younger than the least quote period."""
        if top.instrument_version != self.instrument.version:
            self._refused += 1
            return None
        self._books += 1
        self._top = top
        self._volatility.observe((top.bids[0][0] + top.asks[0][0]) / 2, top.received_ns)
        if self._live_since_ns == 0 and self._feed is not None and self._feed.state is FeedState.LIVE:
            self._live_since_ns = now_ns
        if self._period_ns and not stopped and now_ns < self._told_ns + self._period_ns and self._quotes():
            return None
        return self.requote(stopped, now_ns)

    def take_feed(self, status: FeedStatus, now_ns: int) -> bool:
        """Take the feed's state; True when it changed. A book of an older synchronisation is forgotten."""
        before = self._feed.state if self._feed is not None else None
        self._feed = status
        self._feed_heard_ns = now_ns
        if status.state is before:
            return False
        if status.state is FeedState.LIVE:
            self._update_id_min = status.update_id
            if self._live_since_ns == 0 and self._top is not None:
                self._live_since_ns = now_ns
        elif status.state is not FeedState.STALE:
            self._top = None
        return True

    def take_mark(self, mark: MarkPrice) -> None:
        """Take the newest mark price, for its funding."""
        self._mark = mark

    def take_terms(self, terms: QuotingTerms, now_ns: int) -> bool:
        """What the present level of risk asks of quotes; True when it changed. Without a word the last one holds."""
        self._terms_ns = now_ns
        changed, self._terms = terms != self._terms, terms
        self._sizer.take_hard_limit(terms.notional_max)
        return changed

    def change(self, settings: StrategySettings) -> None:
        """Take changed settings; what was learned of the market stays."""
        self._settings = settings
        self._period_ns = settings.quote_period_ms_min * _MS
        self._sizer = Sizer(self.instrument, settings.order_notional, settings.position_notional_max)
        self._sizer.take_hard_limit(self._terms.notional_max)
        self._shape = LadderShape.of(self.instrument, settings.levels, settings.level_spacing_bps)
        self.grinder.change(settings.grinding)

    def take_instrument(self, instrument: Instrument) -> bool:
        """Take new filters of the same tick and lot; whether they are news. Books of the older version are refused from now on."""
        if instrument.version <= self.instrument.version or not instrument.counts_as(self.instrument):
            return False
        self.instrument = instrument
        self._top = None
        self.grinder.take_instrument(instrument)
        self.change(self._settings)
        return True

    def grind(self, stopped: str, now_ns: int) -> list[OrderRequest | WithdrawRequest]:
        """What the inventory-cost engine asks for now. Whatever stops quotes leaves it without a level, and so without a wish."""
        top = self._top
        reason = stopped or self._obstacle(now_ns)
        touch = (top.bids[0][0], top.asks[0][0]) if top is not None and not reason else None
        if touch is not None:
            self.grinder.observe(touch, now_ns)
        is_told = self._terms_ns is not None and now_ns - self._terms_ns <= TERMS_AGE_NS_MAX
        mark = self._mark
        is_fresh = mark is not None and now_ns - mark.received_ns <= FUNDING_AGE_NS_MAX
        sight = Sight(
            level=self._terms.level if is_told and not reason else None,
            position_lots=None if reason else self.position.lots,
            soft_lots=self._sizer.position_lots_max(touch[0]) if touch is not None else 0,
            touch=touch,
            funding_rate=float(mark.funding_rate) if mark is not None and is_fresh else 0.0,
        )
        return self.grinder.step(sight, now_ns)

    def feed_lost(self) -> None:
        """market_data cannot be heard: its next word is awaited."""
        self._feed = None
        self._top = None

    def silent(self, now_ns: int) -> bool:
        """Whether the feed has said nothing for too long, so that the present targets no longer hold."""
        return self._feed is not None and now_ns - self._feed_heard_ns > self._feed_silence_ns_max

    def requote(self, stopped: str, now_ns: int, again: bool = False) -> QuoteTargets | None:
        """The ladder wanted now; None when it was told already and `again` is false. `stopped`: quote nothing, and why."""
        reason = stopped or self._obstacle(now_ns)
        if reason and not again and self._says_nothing(reason):
            return None
        targets = self._nothing(reason) if reason else self._priced()
        if targets == self._targets and not again:
            return None
        self._targets = targets
        self._told_ns = now_ns
        self._told += 1
        return targets

    def due_ns(self) -> int:
        """When a book that waits for the end of the least quote period may be priced; 0 when none waits."""
        top, told = self._top, self._targets
        if not self._period_ns or top is None or told is None or told.book_update_id == top.update_id:
            return 0
        return self._told_ns + self._period_ns if self._quotes() else 0

    def snapshot(self, now_ns: int) -> SymbolSnapshot:
        """What status shows; ages as of `now_ns`."""
        top, targets = self._top, self._targets
        return SymbolSnapshot(
            quoting=self._quotes(),
            reason=targets.reason if targets is not None else "no book yet",
            feed=self._feed.state.value if self._feed is not None else "",
            book_update_id=top.update_id if top is not None else 0,
            book_age_ns=now_ns - top.received_ns if top is not None else -1,
            quote_age_ns=now_ns - self._told_ns if targets is not None else -1,
            mid_ticks=(top.bids[0][0] + top.asks[0][0]) / 2 if top is not None else 0.0,
            fair_ticks=self._fair_ticks,
            volatility_bps=self._volatility.bps_per_root_second(),
            half_spread_bps=self._half_spread_bps,
            skew_bps=self._skew_bps,
            position_lots=self.position.lots,
            position_known=not self.position.unknown(now_ns),
            bids=targets.bids if targets is not None else (),
            asks=targets.asks if targets is not None else (),
            suppressed=self._suppressed(),
            own_orders=len(self.own),
            books=self._books,
            targets=self._told,
            refused=self._refused,
            grinding=self.grinder.view(now_ns),
        )

    def _suppressed(self) -> str:
        """How many levels of each side exposure has left, where it has taken some."""
        told, wanted = self._targets, self._settings.levels
        if told is None or not self._quotes() or (len(told.bids) == wanted and len(told.asks) == wanted):
            return ""
        return f"{len(told.bids)} of {wanted} bids and {len(told.asks)} of {wanted} asks at {self.position.lots} lots"

    def _obstacle(self, now_ns: int) -> str:
        """Why nothing may be quoted; empty when nothing stands in the way."""
        feed = self._feed
        if feed is None:
            return "nothing heard of the feed yet"
        if feed.state is not FeedState.LIVE:
            return f"feed {feed.state}: {feed.reason}" if feed.reason else f"feed {feed.state}"
        if now_ns - self._feed_heard_ns > self._feed_silence_ns_max:
            return "the feed fell silent"
        if self._top is None or self._top.update_id < self._update_id_min:
            return "no book since the feed became live"
        unknown = self.position.unknown(now_ns)
        if unknown:
            return unknown
        return "warming up" if now_ns - self._live_since_ns < self._warm_up_ns else ""

    def _says_nothing(self, reason: str) -> bool:
        """Whether the last targets were empty for this very reason, whatever the book."""
        told = self._targets
        return told is not None and told.reason == reason and not self._quotes()

    def _quotes(self) -> bool:
        """Whether the last targets had a level."""
        told = self._targets
        return told is not None and bool(told.bids or told.asks)

    def _nothing(self, reason: str) -> QuoteTargets:
        top = self._top
        return QuoteTargets(
            instrument_id=self.instrument.instrument_id,
            instrument_version=self.instrument.version,
            book_update_id=top.update_id if top is not None else 0,
            book_received_ns=top.received_ns if top is not None else 0,
            bids=(),
            asks=(),
            reason=reason,
        )

    def _priced(self) -> QuoteTargets:
        top, settings, position = self._top, self._settings, self.position.lots
        assert top is not None, "priced without a book"
        own = self.own
        bids_seen = others_levels(top.bids, own.bids) if own.bids else top.bids
        asks_seen = others_levels(top.asks, own.asks) if own.asks else top.asks
        fair = fair_price_ticks(bids_seen, asks_seen, settings.imbalance_levels)
        half = half_spread_bps(
            self._volatility.bps_per_root_second(),
            settings.volatility_multiplier,
            settings.half_spread_bps_min,
            settings.half_spread_bps_max,
        )
        half = half * self._terms.spread_factor_bps / FACTOR_ONE_BPS
        size_factor_bps = self._terms.size_factor_bps
        best_bid, best_ask = top.bids[0][0], top.asks[0][0]
        skew, reservation = 0.0, fair
        if position:
            skew = skew_bps(position, self._sizer.position_lots_max(best_bid), settings.skew_bps_at_limit)
            reservation = fair * (1.0 + skew * 1e-4)
        bids = self._sizer.sized(bid_prices(reservation, half, best_ask, self._shape), position, size_factor_bps)
        asks = self._sizer.sized(ask_prices(reservation, half, best_bid, self._shape), -position, size_factor_bps)
        self._fair_ticks, self._half_spread_bps, self._skew_bps = fair, half, skew
        return QuoteTargets(
            instrument_id=self.instrument.instrument_id,
            instrument_version=self.instrument.version,
            book_update_id=top.update_id,
            book_received_ns=top.received_ns,
            bids=bids,
            asks=asks,
            half_spread_ticks=round(fair * half * 1e-4),
            skew_ticks=round(fair * skew * 1e-4),
            reason=_why_empty(bids, asks),
        )


def _why_empty(bids: tuple[Level, ...], asks: tuple[Level, ...]) -> str:
    if bids and asks:
        return ""
    sides = "bids" if asks else "asks" if bids else "bids and asks"
    return f"no {sides}: no size within the position limit that the venue takes"
