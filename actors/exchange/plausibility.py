"""What a recorded line may say after the lines before it: numbers that no market could show are damage, not news.

A damaged number that still reads as a number would fill orders (a trade at a tenth of the price) or freeze the book (an update id from
the far future). The venue's own rules bound what is possible: it refuses orders far off the mark, so no trade is far off the last price.
Where a recording really goes on elsewhere, the new state is believed after REFUSED_IN_A_ROW_MAX lines.
"""

from __future__ import annotations

from actors.exchange.book import Level
from actors.exchange.captures import DamagedLineError

PRICE_RATIO_MAX = 1.1
UPDATE_ID_STEP_MAX = 1_000_000_000
CLOCKS_APART_NS_MAX = 60_000_000_000
REFUSED_IN_A_ROW_MAX = 100


class Plausibility:
    """The state of one recorded symbol against which its next line is judged. All checks raise DamagedLineError."""

    def __init__(self) -> None:
        self._price_ticks = 0
        self._update_id = 0
        self._refused = 0

    def check_best(self, bid: Level, ask: Level) -> None:
        """Best prices: both stand, do not cross, and are near the last price."""
        if min(*bid, *ask) <= 0 or bid[0] >= ask[0]:
            raise DamagedLineError(f"its best prices are crossed or empty (bid {bid[0]}, ask {ask[0]} in ticks)")
        self.check_price(bid[0])
        self.check_price(ask[0])

    def check_price(self, price_ticks: int) -> None:
        """A price at which something stands or traded now."""
        last = self._price_ticks
        if last and not last / PRICE_RATIO_MAX <= price_ticks <= last * PRICE_RATIO_MAX:
            self._refuse(f"its price ({price_ticks} ticks) is more than 10 % away from the last one ({last} ticks)")
        self._price_ticks = price_ticks
        self._refused = 0

    def check_update_id(self, update_id: int) -> None:
        """An update id that does not run away."""
        if self._update_id and update_id > self._update_id + UPDATE_ID_STEP_MAX:
            self._refuse(f"its update id {update_id} is far beyond the last one ({self._update_id})")
        self._update_id = max(self._update_id, update_id)

    def check_levels(self, levels: list[Level]) -> None:
        """Levels of a book: positive prices, and sizes that are not negative."""
        if any(price <= 0 or lots < 0 for price, lots in levels):
            raise DamagedLineError("a level has no price or a negative quantity")

    def check_clocks(self, market_ns: int, expected_ns: int) -> None:
        """The venue's time in a frame agrees with its time of receipt."""
        if abs(market_ns - expected_ns) > CLOCKS_APART_NS_MAX:
            raise DamagedLineError(
                f"its transaction time ({market_ns // 1_000_000} ms) does not belong to its time of receipt"
            )

    def _refuse(self, reason: str) -> None:
        self._refused += 1
        if self._refused <= REFUSED_IN_A_ROW_MAX:
            raise DamagedLineError(reason)
        self._refused, self._price_ticks, self._update_id = 0, 0, 0
