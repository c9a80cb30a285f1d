"""The breakers of the account (the venue's API, losses) and of each symbol (jumps, gaps, liquidity), and what they ask for."""

from __future__ import annotations

import math
from collections.abc import Iterable

from actors.risk_monitor.breakers import Breaker, BreakerState
from actors.risk_monitor.levels import Verdict
from configs.schema import BreakerSettings
from protocols.messages.market import BookTop
from protocols.messages.orders import RateUsage
from protocols.messages.risk import RiskLevel
from protocols.values import InstrumentId

_MS = 1_000_000

_Named = tuple[str, str, Breaker]
"""A breaker with its name for people, and the name on file of the number that opens it."""


class _SymbolBreakers:
    def __init__(self, settings: BreakerSettings) -> None:
        window_ns, timeout_ns = settings.market_window_ms * _MS, settings.timeout_ms * _MS
        self.jumps = Breaker(settings.jumps_max, window_ns, timeout_ns, settings.trial_orders)
        self.gaps = Breaker(settings.gaps_max, window_ns, timeout_ns, settings.trial_orders)
        self.liquidity = Breaker(settings.thin_books_max, window_ns, timeout_ns, settings.trial_orders)
        self.mid = 0.0
        self.has_jumped = False
        self.named: tuple[_Named, ...] = (
            ("price jumps", "price_jump", self.jumps),
            ("price gaps", "price_gap", self.gaps),
            ("liquidity", "depth_ratio", self.liquidity),
        )


class BreakerBoard:
    """Every breaker, fed by what the core hears."""

    def __init__(self, instrument_ids: Iterable[InstrumentId], settings: BreakerSettings) -> None:
        self._settings = settings
        timeout_ns = settings.timeout_ms * _MS
        self._api = Breaker(settings.api_failures_max, settings.api_window_ms * _MS, timeout_ns, settings.trial_orders)
        self._losses = Breaker(1, timeout_ns, settings.loss_timeout_ms * _MS, settings.trial_orders)
        self._account: tuple[_Named, ...] = (
            ("venue API", "api_failures", self._api),
            ("losses", "loss_share", self._losses),
        )
        self._symbols = {instrument_id: _SymbolBreakers(settings) for instrument_id in instrument_ids}
        self._totals: dict[int, tuple[int, int]] = {}
        self._equity: list[tuple[int, float]] = []
        self.has_opened = False
        """Whether one opened since the verdicts were last asked: they are wanted now, not at the next timer."""

    def take_book(self, top: BookTop, depth_ratio: float, is_warm: bool, now_ns: int) -> None:
        """A mid that leaves the one before by too much is a gap; an empty book is no market."""
        found = self._symbols[top.instrument_id]
        if not top.bids or not top.asks:
            return
        mid = (top.bids[0][0] + top.asks[0][0]) / 2
        if found.mid > 0 and mid > 0:
            gap_bps = abs(mid - found.mid) / found.mid * 1e4
            if gap_bps > self._settings.gap_bps_max:
                text = f"the price moved {gap_bps:.1f} bps from one book to the next"
                self._open(found.gaps, text, now_ns, value=gap_bps, threshold=self._settings.gap_bps_max)
        found.mid = mid
        if is_warm:
            self._take_depth(found.liquidity, depth_ratio, now_ns)

    def take_return(self, instrument_id: InstrumentId, log_return: float, usual: float, now_ns: int) -> None:
        """A move within one sampling period, so far, of many times the usual one (its standard deviation) is a jump, once a period."""
        found = self._symbols[instrument_id]
        if found.has_jumped or usual <= 0 or not math.isfinite(log_return):
            return
        is_large = abs(log_return) * 1e4 > self._settings.jump_bps_min
        if is_large and abs(log_return) > self._settings.jump_sigmas * usual:
            found.has_jumped = True
            sigmas = abs(log_return) / usual
            text = f"the price jumped {abs(log_return) * 1e4:.1f} bps, {sigmas:.0f} times the usual"
            self._open(found.jumps, text, now_ns, value=sigmas, threshold=self._settings.jump_sigmas)

    def end_period(self) -> None:
        """The next sampling period begins."""
        for found in self._symbols.values():
            found.has_jumped = False

    def take_usage(self, usage: RateUsage, now_ns: int) -> None:
        """Calls that failed and calls that went well since the last report of the shard."""
        answers, failures = self._totals.get(usage.shard, (usage.answers_total, usage.failures_total))
        self._totals[usage.shard] = (usage.answers_total, usage.failures_total)
        failed, answered = usage.failures_total - failures, usage.answers_total - answers
        if failed > 0:
            text = f"{failed} of {answered} calls to the venue failed"
            lately = self._api.recent(now_ns) + failed
            self._open(self._api, text, now_ns, failed, value=lately, threshold=self._settings.api_failures_max)
        elif answered > 0:
            self._api.succeeded(now_ns, answered)

    def take_equity(self, equity: float, now_ns: int) -> None:
        """A fall of equity within the window, as a share of it, is a loss that comes too fast."""
        window_ns = self._settings.loss_window_ms * _MS
        self._equity = [(at_ns, value) for at_ns, value in self._equity if now_ns - at_ns <= window_ns][-self._KEPT :]
        self._equity.append((now_ns, equity))
        highest = max(value for _, value in self._equity)
        if highest > 0 and (highest - equity) / highest > self._settings.loss_share_max:
            share = (highest - equity) / highest
            text = f"{share:.2%} of equity was lost within {window_ns // 10**9} s"
            self._open(self._losses, text, now_ns, value=share, threshold=self._settings.loss_share_max)
            self._equity = [(now_ns, equity)]

    _KEPT = 512
    """Equities of the window that are kept; they come four times a second."""

    def forget_equity(self) -> None:
        """A deposit or withdrawal: what was before cannot be compared."""
        self._equity.clear()

    def account(self, now_ns: int) -> list[Verdict]:
        """What the account's breakers ask for."""
        self.has_opened = False
        return _verdicts(self._account, now_ns)

    def symbol(self, instrument_id: InstrumentId, now_ns: int) -> list[Verdict]:
        """What a symbol's breakers ask for."""
        return _verdicts(self._symbols[instrument_id].named, now_ns)

    def trial_orders(self, instrument_id: InstrumentId) -> int:
        """How many orders may be open while a breaker is half open; 0: no breaker says anything."""
        for named in (self._account, self._symbols[instrument_id].named):
            for _, _, breaker in named:
                if breaker.state is BreakerState.HALF_OPEN:
                    return self._settings.trial_orders
        return 0

    def numbers(self) -> dict[str, str]:
        """Every breaker by its name, and the name on file of the number that opens it."""
        named = [*self._account, *(named for found in self._symbols.values() for named in found.named)]
        return {name: number for name, number, _ in named}

    def views(self) -> dict[str, str]:
        """State of every breaker that is not closed, with its reason."""
        named = {name: breaker for name, _, breaker in self._account}
        for instrument_id, found in self._symbols.items():
            named |= {f"{name} {instrument_id}": breaker for name, _, breaker in found.named}
        return {n: f"{b.state}: {b.reason}" for n, b in named.items() if b.state is not BreakerState.CLOSED}

    def _take_depth(self, breaker: Breaker, depth_ratio: float, now_ns: int) -> None:
        """While it is open, what is not back yet keeps it open: two thresholds, so that it does not flutter."""
        settings = self._settings
        is_open = breaker.state is BreakerState.OPEN
        if depth_ratio < (settings.depth_ratio_back if is_open else settings.depth_ratio_min):
            text = f"the book is empty against its usual ({depth_ratio:.2g})"
            self._open(breaker, text, now_ns, value=depth_ratio, threshold=settings.depth_ratio_min)

    def _open(
        self, breaker: Breaker, reason: str, now_ns: int, count: int = 1, *, value: float, threshold: float
    ) -> None:
        was_open = breaker.state is BreakerState.OPEN
        breaker.failed(reason, now_ns, count)
        if breaker.state is BreakerState.OPEN and not was_open:
            breaker.value, breaker.threshold = f"{value:.6g}", f"{threshold:g}"
            self.has_opened = True


def _verdicts(named: Iterable[_Named], now_ns: int) -> list[Verdict]:
    found = []
    for name, indicator, breaker in named:
        # A closed one stays closed until something fails.
        if breaker.state is BreakerState.CLOSED:
            continue
        verdict = _verdict(name, indicator, breaker, now_ns)
        if verdict is not None:
            found.append(verdict)
    return found


def _verdict(name: str, indicator: str, breaker: Breaker, now_ns: int) -> Verdict | None:
    match breaker.tick(now_ns):
        case BreakerState.OPEN:
            text = f"the breaker of {name} is open: {breaker.reason}"
            return _of(RiskLevel.HALTED, text, indicator, breaker)
        case BreakerState.HALF_OPEN:
            text = f"the breaker of {name} is half open: {breaker.reason}"
            return _of(RiskLevel.CAUTION, text, indicator, breaker)
        case _:
            return None


def _of(level: RiskLevel, text: str, indicator: str, breaker: Breaker) -> Verdict:
    return Verdict(level, text, None, indicator, breaker.value, breaker.threshold, passing=True)
