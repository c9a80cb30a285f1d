"""Carries out the flattening of positions at the venue by REST, with no Ray and no actor: CLEAR first, slices, CLEAR again.

What to send is decided in ops/flattening.py; here the venue is asked, orders are sent once, and the pace stays inside the weight.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, assert_never

import msgspec

from configs.schema import Settings
from ops.direct_venue import DirectVenue, VenueFailure
from ops.emergency_stop import Cleared, cancel_everything
from ops.flattening import (
    FORCED_PREFIXES,
    REDUCE_ONLY_REJECTED,
    Action,
    Cross,
    Ended,
    Flattening,
    Keep,
    Rest,
    Resting,
    View,
    Wait,
    Withdraw,
)
from ops.preflight import PreflightFailed
from protocols.binance_usdm.damage import DamagedPayload
from protocols.binance_usdm.exchange_info import decode_exchange_info
from protocols.binance_usdm.wire_numbers import WireInstrument
from protocols.values import Instrument, Side

POLL_S = 0.25
LOOK_WEIGHT, SYMBOL_WEIGHT, WEIGHT_PER_S_MAX = 5, 8, 20
"""Weight of one look at the account and at one symbol, and what is spent in a second: half of the address's."""

FAILED_LOOKS_MAX = 40
"""So many looks in a row without an answer end it: the venue is away."""

RENEW_SHARE = 3
"""A countdown is renewed when a third of its time is over."""


class Flattened(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended. `flat`: the venue says that no symbol has a position, and that nothing is open."""

    flat: bool
    symbols: dict[str, str]
    cleared: Cleared

    @property
    def text(self) -> str:
        """One sentence about it."""
        return "; ".join([*self.symbols.values(), self.cleared.text])


def instruments_of(venue: DirectVenue, symbols: Sequence[str], account: str) -> tuple[Instrument, ...]:
    """What the venue says of each symbol.

    Raises:
        VenueFailure: it cannot be asked, or one of them cannot be traded there now.
    """
    try:
        return decode_exchange_info(venue.exchange_info(), account, symbols).instruments
    except (DamagedPayload, PreflightFailed) as error:
        raise VenueFailure(f"nothing can be closed: {error}") from error


def flatten(
    venue: DirectVenue,
    symbols: tuple[str, ...],
    settings: Settings,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock_ns: Callable[[], int] = time.monotonic_ns,
) -> Flattened:
    """Close every position of `symbols`, whose open orders were cleared a moment ago, and clear them again.

    `say` is told each step, and every refusal.
    """
    try:
        instruments = instruments_of(venue, symbols, settings.venue.account_alias)
        ended = _Run(venue, instruments, settings, say, sleep, clock_ns).until_ended()
    except VenueFailure as failure:
        ended = {symbol: Ended(flat=False, text=f"{symbol}: {failure}") for symbol in symbols}
    cleared = cancel_everything(venue, symbols, settings.order_manager, say, sleep, clock_ns)
    return Flattened(
        flat=cleared.clear and all(each.flat for each in ended.values()),
        symbols={symbol: each.text for symbol, each in ended.items()},
        cleared=cleared,
    )


class _Symbol:
    """One symbol's decision, its passive order and its countdown."""

    def __init__(self, instrument: Instrument, core: Flattening) -> None:
        self.wire = WireInstrument(instrument)
        self.core = core
        self.resting_id = ""
        self.expected_lots: int | None = None
        self.renewed_ns = 0
        self.told = ""


class _Run:
    def __init__(
        self,
        venue: DirectVenue,
        instruments: Sequence[Instrument],
        settings: Settings,
        say: Callable[[str], None],
        sleep: Callable[[float], None],
        clock_ns: Callable[[], int],
    ) -> None:
        self._venue = venue
        self._settings = settings
        self._say = say
        self._sleep = sleep
        self._clock_ns = clock_ns
        self._prefix = f"flatten-{secrets.token_hex(5)}"
        self._orders = 0
        self._ended: dict[str, Ended] = {}
        began_ms = clock_ns() // 1_000_000
        self._pending = {
            instrument.symbol: _Symbol(instrument, Flattening(instrument, settings.flatten, began_ms))
            for instrument in instruments
        }

    def until_ended(self) -> dict[str, Ended]:
        failed = 0
        while self._pending and failed < FAILED_LOOKS_MAX:
            try:
                positions = self._venue.positions()
                for symbol, each in list(self._pending.items()):
                    self._step(symbol, each, positions.get(symbol, Decimal(0)))
                failed = 0
            except VenueFailure as failure:
                failed += 1
                self._say(f"looking again: {failure}")
            if self._pending:
                pace_s = (LOOK_WEIGHT + SYMBOL_WEIGHT * len(self._pending)) / WEIGHT_PER_S_MAX
                self._sleep(max(POLL_S, pace_s, self._venue.wait_s))
        for symbol in self._pending:
            text = f"{symbol}: the venue did not answer {FAILED_LOOKS_MAX} times in a row: its position is not known"
            self._ended[symbol] = Ended(flat=False, text=text)
        return self._ended

    def _step(self, symbol: str, each: _Symbol, position: Decimal) -> None:
        view = self._look(symbol, each, position)
        action = each.core.decide(view)
        each.expected_lots = view.position_lots
        self._carry_out(symbol, each, action)
        for alert in each.core.alerts:
            self._say(f"ALERT {alert}")
        each.core.alerts.clear()

    def _look(self, symbol: str, each: _Symbol, position: Decimal) -> View:
        instrument = each.wire.instrument
        try:
            lots = instrument.exact_lots(position)
        except ValueError as error:
            raise VenueFailure(str(error)) from error
        rows = self._venue.open_orders(symbol) if each.resting_id else []
        own = next((row for row in rows if row.get("clientOrderId") == each.resting_id), None)
        if own is None:
            each.resting_id = ""
        bid, ask = self._venue.touch(symbol) if lots else (Decimal(0), Decimal(0))
        return View(
            now_ms=self._clock_ns() // 1_000_000,
            position_lots=lots,
            bid_ticks=instrument.ticks_down(bid),
            ask_ticks=instrument.ticks_up(ask),
            mark_price=self._mark(symbol) if lots else None,
            resting=_resting(own, instrument) if own is not None else None,
            liquidating=lots != each.expected_lots and each.expected_lots is not None and self._is_forced(symbol),
        )

    def _mark(self, symbol: str) -> Decimal | None:
        try:
            return self._venue.mark_price(symbol) or None
        except VenueFailure as failure:
            self._say(f"{symbol}: the mark price is not known ({failure}); the touch stands for it")
            return None

    def _is_forced(self, symbol: str) -> bool:
        """Whether the newest order of the symbol is the venue's own."""
        rows = self._venue.recent_orders(symbol)
        newest = max(rows, key=lambda row: int(row.get("updateTime", 0)), default=None)
        return newest is not None and str(newest.get("clientOrderId", "")).startswith(FORCED_PREFIXES)

    def _carry_out(self, symbol: str, each: _Symbol, action: Action) -> None:
        manager = self._settings.order_manager
        match action:
            case Rest():
                self._guard(symbol, each)
                self._place(symbol, each, action.side, action.price_ticks, action.lots, passive=True)
            case Keep():
                if self._clock_ns() - each.renewed_ns >= manager.countdown_ms * 1_000_000 // RENEW_SHARE:
                    self._guard(symbol, each)
            case Withdraw():
                self._withdraw(symbol, each)
            case Cross():
                self._place(symbol, each, action.side, action.price_ticks, action.lots, passive=False)
            case Wait():
                self._tell(each, f"{symbol}: waiting: {action.reason}")
            case Ended():
                self._say(action.text)
                self._ended[symbol] = action
                del self._pending[symbol]
            case _:
                assert_never(action)

    def _guard(self, symbol: str, each: _Symbol) -> None:
        self._venue.countdown(symbol, self._settings.order_manager.countdown_ms)
        each.renewed_ns = self._clock_ns()

    def _withdraw(self, symbol: str, each: _Symbol) -> None:
        """By its id, and where that has no certain answer the whole symbol; the next look tells whether it is gone."""
        window_ms = self._settings.order_manager.cancel_window_ms
        try:
            self._venue.cancel(symbol, each.resting_id, window_ms)
        except VenueFailure:
            self._venue.cancel_all(symbol, window_ms)

    def _place(self, symbol: str, each: _Symbol, side: Side, price_ticks: int, lots: int, *, passive: bool) -> None:
        self._orders += 1
        order_id = f"{self._prefix}-{self._orders}"
        wire, manager = each.wire, self._settings.order_manager
        parameters = [
            ("symbol", symbol),
            ("side", side.value),
            ("type", "LIMIT"),
            ("timeInForce", "GTX" if passive else "IOC"),
            ("quantity", wire.quantities.text(lots)),
            ("price", wire.prices.text(price_ticks)),
            ("reduceOnly", "true"),
            ("newOrderRespType", "ACK" if passive else "RESULT"),
            ("newClientOrderId", order_id),
        ]
        how = "rests" if passive else "crosses"
        self._say(
            f"{symbol}: {side.value} {wire.instrument.quantity(lots)} {how} at {wire.instrument.price(price_ticks)}"
        )
        if passive:
            each.resting_id = order_id
        try:
            answer = self._venue.place(parameters, manager.window_ms if passive else manager.cancel_window_ms)
        except VenueFailure as failure:
            self._not_taken(symbol, each, failure)
            return
        filled = 0 if passive else _lots_of(answer, "executedQty", wire.instrument)
        each.core.answered(filled)

    def _not_taken(self, symbol: str, each: _Symbol, failure: VenueFailure) -> None:
        if failure.unknown:
            self._say(f"{symbol}: no certain answer ({failure}); the position tells")
            each.core.answered(0)
            return
        each.resting_id = ""
        each.core.refused(failure.code, str(failure))
        if failure.code == REDUCE_ONLY_REJECTED:
            self._venue.cancel_all(symbol, self._settings.order_manager.cancel_window_ms)

    def _tell(self, each: _Symbol, text: str) -> None:
        if text != each.told:
            each.told = text
            self._say(f"ALERT {text}")


def _resting(row: dict[str, Any], instrument: Instrument) -> Resting:
    try:
        return Resting(side=Side(str(row.get("side"))), price_ticks=instrument.ticks_down(Decimal(str(row["price"]))))
    except (KeyError, ValueError, ArithmeticError) as error:
        raise VenueFailure(f"an open order cannot be understood: {error!r}") from error


def _lots_of(row: dict[str, Any], name: str, instrument: Instrument) -> int:
    try:
        return instrument.lots_down(Decimal(str(row[name])))
    except (KeyError, ArithmeticError):
        return 0
