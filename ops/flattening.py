"""What to do next to close one position, decided from what the venue says of it now. Pure: told the time, asks nothing itself.

Every order is reduce-only and sized anew from the venue's own position, whoever opened it, so that no repetition, late acceptance or
foreign trade can turn the position around.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from configs.schema import FlattenSettings
from protocols.binance_usdm.filters import price_band_ticks
from protocols.values import Instrument, Side

REDUCE_ONLY_REJECTED = -2022
"""The position is gone, or other reduce-only orders cover it: the next look at the position tells."""

WOULD_TAKE = -5022
"""A post-only order was refused because the price had moved: quietly tried again."""

IN_LIQUIDATION = -2023
"""The venue's code for an account that it is liquidating."""

FORCED_PREFIXES = ("autoclose-", "adl_autoclose", "settlement_autoclose-", "delivery_autoclose-")
"""How the ids of the venue's own orders begin (facts section 6.2)."""

_BPS = Decimal(10_000)


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """Our own passive order, as the venue lists it."""

    side: Side
    price_ticks: int


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says of one symbol at `now_ms`. Ticks are 0 where a side of the book is empty, the mark None when unknown."""

    now_ms: int
    position_lots: int
    bid_ticks: int
    ask_ticks: int
    mark_price: Decimal | None
    resting: Resting | None = None
    liquidating: bool = False


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """Place a post-only, reduce-only order under a fresh countdown."""

    side: Side
    price_ticks: int
    lots: int


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """Let the passive order rest, and renew the countdown over it."""


class Withdraw(msgspec.Struct, frozen=True, kw_only=True):
    """Cancel the passive order; the position is looked at before anything else is sent."""


class Cross(msgspec.Struct, frozen=True, kw_only=True):
    """Place an immediate-or-cancel, reduce-only order."""

    side: Side
    price_ticks: int
    lots: int


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing can be sent now; look again."""

    reason: str


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing more is to be done. `flat`: the venue says that no position is left."""

    flat: bool
    text: str


Action = Rest | Keep | Withdraw | Cross | Wait | Ended


class Flattening:
    """Closes the position of one symbol, step by step.

    Args:
        began_ms: when it began, on the clock of the views.
    """

    def __init__(self, instrument: Instrument, settings: FlattenSettings, began_ms: int) -> None:
        self._instrument = instrument
        self._settings = settings
        self._passive_until_ms = began_ms + settings.passive_ms if settings.urgency == "passive" else began_ms
        self._patient_until_ms = self._passive_until_ms + settings.patience_ms
        self._idle = 0
        self._refusals = 0
        self._lots_left = 0
        self._ended: Ended | None = None
        self.alerts: list[str] = []
        """What a person must hear of, oldest first; the caller takes them out."""

    def decide(self, view: View) -> Action:
        """The next step."""
        if self._ended is not None:
            return self._ended
        self._note_progress(view)
        if view.liquidating:
            return self._end(False, "the venue is liquidating the account: left to it")
        if view.position_lots == 0:
            return Withdraw() if view.resting is not None else self._end(True, "flat")
        if view.now_ms >= self._patient_until_ms or self._refusals > self._settings.refusals_max:
            return Withdraw() if view.resting is not None else self._give_up(view)
        side = Side.SELL if view.position_lots > 0 else Side.BUY
        if view.resting is not None:
            return self._keep_or_withdraw(view, view.resting, side)
        if abs(view.position_lots) < self._instrument.quantity_lots_min:
            left = self._instrument.quantity(view.position_lots)
            return self._end(False, f"{left} is less than the venue's least quantity and cannot be closed by an order")
        if not (view.bid_ticks and view.ask_ticks):
            return Wait(reason="the book is empty on one side")
        if view.now_ms < self._passive_until_ms:
            price_ticks = view.ask_ticks if side is Side.SELL else view.bid_ticks
            return Rest(side=side, price_ticks=price_ticks, lots=self._slice_lots(view, price_ticks))
        return self._cross(view, side)

    def answered(self, filled_lots: int) -> None:
        """The venue took the last order, or may have; what it did to the position is seen in the next view."""
        self._idle = 0 if filled_lots else self._idle + 1

    def refused(self, code: int, text: str) -> None:
        """The venue refused the last order for certain. It goes on, and a person hears of it."""
        if code == IN_LIQUIDATION:
            self._end(False, "the venue is liquidating the account: left to it")
            return
        self._refusals += 1
        if code not in (REDUCE_ONLY_REJECTED, WOULD_TAKE):
            self.alerts.append(f"{self._instrument.symbol}: a slice was refused ({code}): {text}")

    def _note_progress(self, view: View) -> None:
        """A position that shrinks begins the patience anew: only one that does not move is given up."""
        lots = abs(view.position_lots)
        if self._lots_left and lots < self._lots_left:
            self._refusals = 0
            self._patient_until_ms = max(self._patient_until_ms, view.now_ms + self._settings.patience_ms)
        self._lots_left = lots

    def _keep_or_withdraw(self, view: View, resting: Resting, side: Side) -> Action:
        best_ticks = view.ask_ticks if side is Side.SELL else view.bid_ticks
        is_best = not best_ticks or (resting.price_ticks - best_ticks) * side.sign >= 0
        if resting.side is side and is_best and view.now_ms < self._passive_until_ms:
            return Keep()
        return Withdraw()

    def _cross(self, view: View, side: Side) -> Action:
        """A price beyond the touch by a little, by more while nothing fills, inside our band and the venue's."""
        instrument, settings = self._instrument, self._settings
        allowance = Decimal(settings.crossing_bps) * 2 ** min(self._idle, 16) / _BPS
        band = Decimal(settings.price_band_bps_max) / _BPS
        touch_ticks = view.bid_ticks if side is Side.SELL else view.ask_ticks
        reference = view.mark_price if view.mark_price else instrument.price(touch_ticks)
        sell_ticks_min, buy_ticks_max = price_band_ticks(instrument, reference)
        if side is Side.SELL:
            wanted = instrument.ticks_up(instrument.price(touch_ticks) * (1 - allowance))
            lowest = max(sell_ticks_min, instrument.ticks_up(reference * (1 - band)), instrument.price_ticks_min)
            price_ticks, is_outside = max(wanted, lowest), lowest > touch_ticks
        else:
            wanted = instrument.ticks_down(instrument.price(touch_ticks) * (1 + allowance))
            highest = min(buy_ticks_max, instrument.ticks_down(reference * (1 + band)), instrument.price_ticks_max)
            price_ticks, is_outside = min(wanted, highest), highest < touch_ticks
        if is_outside:
            return Wait(reason="the touch is outside of the price band around the mark")
        return Cross(side=side, price_ticks=price_ticks, lots=self._slice_lots(view, price_ticks))

    def _slice_lots(self, view: View, price_ticks: int) -> int:
        """At most a slice's notional; what would be left below the venue's least quantity goes with it."""
        instrument = self._instrument
        whole = abs(view.position_lots)
        of_one = instrument.notional(price_ticks, 1)
        at_most = min(int(self._settings.slice_notional_max / of_one), instrument.quantity_lots_max)
        lots = min(whole, max(at_most, instrument.quantity_lots_min))
        rest = whole - lots
        if not 0 < rest < instrument.quantity_lots_min:
            return lots
        return whole if whole <= instrument.quantity_lots_max else lots - instrument.quantity_lots_min

    def _give_up(self, view: View) -> Ended:
        left = self._instrument.quantity(view.position_lots)
        why = (
            f"{self._refusals} orders in a row were refused"
            if self._refusals > self._settings.refusals_max
            else f"the position did not shrink for {self._settings.patience_ms} ms"
        )
        return self._end(False, f"{left} is left: {why}")

    def _end(self, flat: bool, text: str) -> Ended:
        self._ended = Ended(flat=flat, text=f"{self._instrument.symbol}: {text}")
        return self._ended
