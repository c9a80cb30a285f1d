"""What the market says: books, marks and signs of life of the feed, and the samples taken of them."""

from __future__ import annotations

from actors.risk_monitor.judge import Judge
from actors.risk_monitor.latches import ACCOUNT
from actors.risk_monitor.picture import Picture
from actors.risk_monitor.soundness import is_sound
from protocols.effects import Effect
from protocols.messages.market import BookTop, FeedStatus, MarkPrice, VenueClock

CLOCK_LEAP_NS_MAX = 3_600_000_000_000
"""The venue's clock does not leap so far against ours; one that did would begin another trading day."""

_MS = 1_000_000


class MarketIntake:
    """Takes what market_data publishes."""

    def __init__(self, picture: Picture, judge: Judge) -> None:
        self._picture = picture
        self._judge = judge
        self._places = {instrument_id: place for place, instrument_id in enumerate(picture.watches)}
        self._sampled_ns = 0
        self._sample_ns = picture.risk.estimators.sample_ms * _MS

    def take_book(self, top: BookTop, now_ns: int) -> list[Effect]:
        """A book moves the indicators of its symbol, breakers, and what depends on all returns together."""
        picture = self._picture
        watch = picture.watches.get(top.instrument_id)
        if watch is None:
            return []
        watch.take_book(top, now_ns)
        picture.account_watch.move(self._places[top.instrument_id], watch.open_return, watch.open_share)
        breakers = picture.breakers
        breakers.take_return(top.instrument_id, watch.open_return, watch.usual_return, now_ns)
        breakers.take_book(top, watch.depth_ratio, watch.knows_depth, now_ns)
        return self._judge.when_crossed(watch, now_ns)

    def take_mark(self, mark: MarkPrice, now_ns: int) -> list[Effect]:
        """A mark values positions; one that cannot be is refused, and the age of the last one goes on."""
        picture = self._picture
        view, watch = picture.symbols.get(mark.instrument_id), picture.watches.get(mark.instrument_id)
        if view is None or watch is None:
            return self._judge.refuse(mark.instrument_id, f"a mark of {mark.instrument_id}, not traded", now_ns)
        if not is_sound(mark.mark_price, mark.funding_rate) or mark.mark_price <= 0:
            text = f"mark price {mark.mark_price}, funding rate {mark.funding_rate}"
            return self._judge.refuse(mark.instrument_id, text, now_ns)
        view.mark_price = mark.mark_price
        view.mark_ns = min(mark.received_ns, now_ns)
        watch.take_mark(mark, now_ns)
        picture.account_watch.revalue()
        return self._judge.when_crossed(watch, now_ns)

    def take_feed(self, status: FeedStatus, now_ns: int) -> list[Effect]:
        """The last sign of life of a feed."""
        watch = self._picture.watches.get(status.instrument_id)
        if watch is not None:
            watch.take_feed(status, now_ns)
        return []

    def take_clock(self, clock: VenueClock, now_ns: int) -> list[Effect]:
        """The venue's clock, by which days begin."""
        known = self._picture.clock
        if clock.error_ns < 0 or (known is not None and abs(clock.offset_ns - known.offset_ns) > CLOCK_LEAP_NS_MAX):
            return self._judge.refuse(ACCOUNT, f"a venue's clock {clock.offset_ns} ns from ours", now_ns)
        self._picture.clock = clock
        return []

    def tick(self, now_ns: int) -> None:
        """What moves with time alone, and the end of a sampling period."""
        picture = self._picture
        for watch in picture.watches.values():
            watch.tick(now_ns)
        if now_ns - self._sampled_ns < self._sample_ns:
            return
        # One period after the other, so that a late timer makes no longer period.
        late = now_ns - self._sampled_ns >= 2 * self._sample_ns
        self._sampled_ns = now_ns if late else self._sampled_ns + self._sample_ns
        picture.account_watch.sample([watch.sample(now_ns) for watch in picture.watches.values()])
        picture.breakers.end_period()
