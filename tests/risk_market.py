"""A risk monitor that sees a market: books, feed states, and a calm time before anything happens."""

from __future__ import annotations

from account_samples import BTC, ETH, MS
from risk_monitor_rig import Driver

from protocols.messages.market import BookTop, FeedState, FeedStatus
from protocols.values import Level


def book(now_ns: int, mid: int = 500_000, half: int = 1, lots: int = 100, instrument_id: str = BTC) -> BookTop:
    bids: tuple[Level, ...] = ((mid - half, lots),)
    asks: tuple[Level, ...] = ((mid + half, lots),)
    return BookTop(
        instrument_id=instrument_id,  # type: ignore[arg-type]
        instrument_version=1,
        update_id=1,
        venue_time_ns=now_ns,
        received_ns=now_ns,
        bids=bids,
        asks=asks,
    )


class Market(Driver):
    """A risk monitor that sees a calm market for a while."""

    def calm(self, seconds: int = 70) -> Market:
        self.healthy()
        for _ in range(seconds * 2):
            self.pass_ms(500)
        self.effects.clear()
        return self

    def pass_ms(self, milliseconds: int, mid: int = 500_000, lots: int = 100) -> None:
        """Time passes; everybody speaks once, BTC at this mid (the mark with it) and depth."""
        self.now_ns += milliseconds * MS
        self.refresh(btc_mark=str(mid / 10))
        for instrument_id, ticks, depth in ((BTC, mid, lots), (ETH, 25_000, 100)):
            self.tell(book(self.now_ns, mid=ticks, lots=depth, instrument_id=instrument_id))
            self.tell(self.alive(instrument_id))
        self.ask()
        self.tell_timer()

    def alive(self, instrument_id: str) -> FeedStatus:
        return FeedStatus(
            instrument_id=instrument_id,  # type: ignore[arg-type]
            state=FeedState.LIVE,
            update_id=1,
            confirmed_ns=self.now_ns,
            since_ns=0,
        )

    def seen(self, symbol: str = "BTCUSDC") -> dict[str, float]:
        return {name: view.value for name, view in self.core.snapshot().symbols[symbol].indicators.items()}

    def account(self) -> dict[str, float]:
        return {name: view.value for name, view in self.core.snapshot().indicators.items()}

    def level(self, symbol: str = "BTCUSDC") -> str:
        return self.core.snapshot().symbols[symbol].level
