"""Everything the order manager keeps of one symbol."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from actors.order_manager.order_table import OrderTable
from actors.order_manager.outbox import Outbox
from configs.schema import OrderManagerSettings
from protocols.client_order_id import base36, client_order_id_prefix
from protocols.messages.market import BookTop, FeedState, FeedStatus, MarkPrice
from protocols.messages.orders import DenialCode
from protocols.messages.quoting import QuoteTargets
from protocols.values import Instrument, InstrumentId, Side

PRICES_MAX = 1_000
"""Prices remembered as decimals."""

NOTIONAL_SCALE = 10**12
"""Notional on the order path is an integer in 10^-12 of the quote currency."""


def scaled_notional(amount: Decimal) -> int:
    """An amount of quote currency as a scaled integer, rounded down."""
    return int(amount * NOTIONAL_SCALE)


class Symbol:
    """One symbol: instrument, orders, newest market and targets, halts, denials."""

    def __init__(
        self,
        instrument: Instrument,
        *,
        install: str,
        epoch: int,
        shard: int,
        symbol_code: int,
        settings: OrderManagerSettings,
        price_band_bps_max: float,
        outbox: Outbox,
    ) -> None:
        self.instrument = instrument
        self.instrument_id: InstrumentId = instrument.instrument_id
        self.name = instrument.symbol
        self.table = OrderTable(
            instrument.instrument_id, outbox, settings.finished_orders_max, settings.tombstone_ms * 1_000_000
        )
        self.prefix = client_order_id_prefix(install, epoch, shard, symbol_code)
        self.seq = 0
        self._id_block, self._id_head = 0, self.prefix
        self.newest_id = (0, 0)
        """(epoch, number) of the newest intent in the journal that was loaded."""
        self.adopted_venue_ns = 0
        """The venue's time of the last position that was adopted."""
        self.targets: QuoteTargets | None = None
        self.targets_ns = 0
        self.top: BookTop | None = None
        self.status: FeedStatus | None = None
        self.mark: MarkPrice | None = None
        self.makes_way: dict[Side, int] = {}
        """By side: quotes at this price and beyond are not wanted, for a request that waits would meet them."""
        self.halted = ""
        self.shut_until_ns = 0
        """The venue said that the symbol does not trade: until then nothing is quoted."""
        self.feed_was_lost = False
        self.unexplained = False
        """Something happened that our tables do not explain: the venue is asked soon."""
        self.foreign_open = 0
        """Open orders of somebody else in the newest list."""
        self.recovered = False
        self.synchronised = False
        self.gate_open = False
        self.gate_reasons: tuple[str, ...] = ("not yet evaluated",)
        self.gate_was_told = False
        self.agreed: tuple[int, int] | None = None
        """Position and last trade id on which we and the venue agreed last, as it was told."""
        self.told_lots: int | None = None
        self.told_ns = 0
        self.denials: Counter[DenialCode] = Counter()
        self.denied_until_ns: dict[tuple[Side, int], int] = {}
        """By side and rank: a level that was denied is not tried again before."""
        self.wait_for_book: dict[Side, int] = {Side.BUY: 0, Side.SELL: 0}
        self.wait_until_ns: dict[Side, int] = {Side.BUY: 0, Side.SELL: 0}
        self.faults_in_a_row = self.overloads_in_a_row = 0
        self._prices: dict[int, Decimal] = {}
        self.band_low_ticks = self.band_high_ticks = 0
        self.take_instrument(instrument)
        self.change(settings, price_band_bps_max)

    def take_instrument(self, instrument: Instrument) -> None:
        """Count in the ticks and lots of this instrument from now on; the caller has converted what was counted before."""
        self.instrument = instrument
        self.notional_unit = scaled_notional(instrument.tick_size * instrument.lot_size)
        self.notional_min = scaled_notional(instrument.notional_min)
        self.buy_ticks_max = instrument.price_ticks_max
        self.sell_ticks_min = instrument.price_ticks_min
        self.reference_ticks = 0
        self.top = self.targets = None
        self._prices.clear()
        if self.mark is not None:
            self.take_mark(self.mark)

    def change(self, settings: OrderManagerSettings, price_band_bps_max: float) -> None:
        """Take the width of the band and the tolerance of prices."""
        self.tolerance_share = settings.price_tolerance_bps / 10_000
        self._band_share = price_band_bps_max / 10_000
        self._set_band()

    def next_client_order_id(self) -> str:
        """Allocate the next id of this incarnation. All but its last digit is made once for 36 of them."""
        self.seq += 1
        block, digit = divmod(self.seq, 36)
        if block != self._id_block:
            self._id_block, self._id_head = block, self.prefix + base36(block)
        return self._id_head + base36(digit)

    def exact_price(self, price_ticks: int) -> Decimal:
        """Ticks to quote currency; the prices of late are remembered."""
        known = self._prices.get(price_ticks)
        if known is None:
            if len(self._prices) >= PRICES_MAX:
                self._prices.clear()
            known = self._prices[price_ticks] = self.instrument.price(price_ticks)
        return known

    def take_top(self, top: BookTop) -> None:
        """Take the newest book. Its middle stands for the mark until there is one."""
        self.top = top
        if self.mark is None:
            self.reference_ticks = (top.bids[0][0] + top.asks[0][0]) // 2
            self._set_band()

    def take_mark(self, mark: MarkPrice) -> None:
        """Take the newest mark price; the venue's own price bands follow it."""
        self.mark = mark
        instrument = self.instrument
        up = instrument.ticks_down(mark.mark_price * instrument.price_multiplier_up)
        down = instrument.ticks_up(mark.mark_price * instrument.price_multiplier_down)
        self.buy_ticks_max = min(up, instrument.price_ticks_max)
        self.sell_ticks_min = max(down, instrument.price_ticks_min)
        self.reference_ticks = instrument.ticks_up(mark.mark_price)
        self._set_band()

    def _set_band(self) -> None:
        """Our own price band: what is so far from the mark is a slip, whoever wants it."""
        width = int(self.reference_ticks * self._band_share)
        self.band_low_ticks, self.band_high_ticks = self.reference_ticks - width, self.reference_ticks + width

    def book_age_ns(self, now_ns: int) -> int:
        """Age of the book behind the targets: since its receipt, or since the feed last confirmed that it is the newest."""
        targets, status = self.targets, self.status
        if targets is None:
            return now_ns
        fresh_ns = targets.book_received_ns
        if (
            status is not None
            and status.state is FeedState.LIVE
            and targets.book_update_id >= status.update_id
            and status.confirmed_ns > fresh_ns
        ):
            fresh_ns = status.confirmed_ns
        return max(now_ns - fresh_ns, 0)

    def worst_notional(self) -> int:
        """Scaled notional of the worse of the two sides' worst cases at the reference price."""
        table, exposure = self.table, self.table.exposure
        lots = max(table.position_lots + exposure.buy_lots, exposure.sell_lots - table.position_lots, 0)
        return lots * self.reference_ticks * self.notional_unit

    def tolerance_ticks(self, price_ticks: int) -> int:
        """How many ticks from a wanted price are close enough."""
        return int(price_ticks * self.tolerance_share)
