"""A seeded synthetic market: one-tick spread, a book of contiguous levels, two-sided informed and uninformed flow.

A hidden fair value walks at random. While it stays inside the spread, uninformed orders trade at the touch, and levels grow and
shrink. When it leaves the spread, the book follows: either an informed order sweeps the levels in its way (prints, and makers who stood
there lose), or quotes are revised without a trade. Everything follows from the seed. A scenario bends these forces phase by phase.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from actors.exchange.contracts import Contract
from actors.exchange.frames import (
    BookFrame,
    ContractFrame,
    DepthFrame,
    Frame,
    MarkFrame,
    PrintFrame,
    TickerFrame,
)
from actors.exchange.scenarios import REDUCE_ONLY, SCENARIOS, TRADING, Phase, Scenario
from actors.exchange.seeded import SeededNumbers

START_PRICES = {"BTCUSDC": 64_000.0, "ETHUSDC": 3_400.0, "BTCUSDT": 64_000.0, "ETHUSDT": 3_400.0}
START_PRICE = 100.0
SWEEP_LEVELS_MAX = 12
OPEN = (TRADING, REDUCE_ONLY)
CALM = SCENARIOS["calm"]

Happening = Callable[[int], Iterator[Frame]]


@dataclass(frozen=True, slots=True)
class Flow:
    """Strength of the market's forces. Rates are per second, volatility in basis points of the price per root second.

    The book is told once a step, `levels` on each side.
    """

    step_ms: int = 50
    levels: int = 250
    volatility_bps: float = 0.2
    trade_rate: float = 5.0
    change_rate: float = 25.0
    informed_share: float = 0.35
    persistence: float = 0.6
    touch_notional: float = 60_000.0
    trade_notional: float = 4_000.0

    def under(self, phase: Phase) -> Flow:
        """The forces as a phase bends them."""
        return replace(
            self,
            volatility_bps=self.volatility_bps * phase.volatility_factor,
            trade_rate=self.trade_rate * phase.trade_factor,
            change_rate=self.change_rate * phase.change_factor,
            touch_notional=self.touch_notional * phase.depth_factor,
            informed_share=self.informed_share if phase.informed_share is None else phase.informed_share,
        )


class SyntheticSymbol:
    """The market of one contract; `step` advances it by the flow's step and says what happened."""

    def __init__(
        self,
        contract: Contract,
        seed: int,
        flow: Flow | None = None,
        scenario: Scenario = CALM,
        price: float | None = None,
    ) -> None:
        self._contract = contract
        self._scenario = scenario
        self._base = flow if flow is not None else Flow()
        self._phase_number, self._phase = 0, scenario.phases[0]
        self._imposed: deque[Phase] = deque()
        self._imposed_ms = 0.0
        self._imposed_count = 0
        self._flow = self._base.under(self._phase)
        self._elapsed_ms = 0
        self._multiple = 1
        self._spread = 1
        self._numbers = SeededNumbers(seed ^ zlib.crc32(contract.symbol.encode()))
        price = price or START_PRICES.get(contract.symbol, START_PRICE)
        self._fair = price / float(contract.tick_size)
        self._bid = int(self._fair)
        self._lot_notional = price * float(contract.lot_size)
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._changed_bids: set[int] = set()
        self._changed_asks: set[int] = set()
        self._update_id = 0
        self._last_was_buy = True

    def open(self, at_ns: int) -> BookFrame:
        """The first book."""
        for depth in range(self._flow.levels):
            self._set(self._bid - depth, self._level_lots(depth), on_bid=True)
            self._set(self._bid + 1 + depth, self._level_lots(depth), on_bid=False)
        return self._book(at_ns)

    @property
    def step_ns(self) -> int:
        """How much time a step takes."""
        return self._base.step_ms * 1_000_000

    def impose(self, phases: Iterable[Phase]) -> None:
        """Let these phases come next, whatever the scenario says; it goes on after them."""
        self._imposed = deque(phases)
        self._imposed_ms = 0.0

    @property
    def is_imposed(self) -> bool:
        """Whether phases of `impose` are still to come or going on."""
        return bool(self._imposed)

    def step(self, start_ns: int, step_ms: int | None = None) -> list[Frame]:
        """What happens in the next step from `start_ns`, in order of time; it is as long as the flow's, or `step_ms`."""
        frames: list[Frame] = self._enter_phase(start_ns)
        step_ms = step_ms or self._base.step_ms
        if step_ms != self._flow.step_ms:
            self._flow = replace(self._flow, step_ms=step_ms)
        self._elapsed_ms += step_ms
        self._imposed_ms += step_ms
        if self._phase.status not in OPEN:
            return frames + self._marks(start_ns)
        if self._phase.funding_rate is not None:
            frames += self._marks(start_ns)
        end_ns = start_ns + self._flow.step_ms * 1_000_000 - 1
        frames.extend(self._pass_time(start_ns, end_ns))
        if self._changed_bids or self._changed_asks:
            frames.append(self._diff(end_ns))
        return frames

    def _pass_time(self, start_ns: int, end_ns: int) -> Iterator[Frame]:
        """What happens in a step of an open market but for the diff that ends it, in order of time."""
        flow, seconds = self._flow, self._flow.step_ms / 1_000
        self._fair *= 1 + self._numbers.normal() * flow.volatility_bps * 1e-4 * seconds**0.5
        if self._phase.drift_bps:
            self._fair *= 1 + self._phase.drift_bps * 1e-4 * seconds
        events = self._times(start_ns, flow.trade_rate, self._uninformed_trade)
        events += self._times(start_ns, flow.change_rate, self._change_level)
        events.append((start_ns + self._numbers.below(flow.step_ms * 1_000_000), self._follow_fair))
        events.sort(key=lambda event: event[0])
        for at_ns, happen in events:
            yield from happen(at_ns)

    def _enter_phase(self, at_ns: int) -> list[Frame]:
        """Take up the phase of this moment; what changes with it is said first."""
        number, phase = self._next_phase()
        if number == self._phase_number:
            return []
        before, self._phase_number, self._phase = self._phase, number, phase
        self._flow = self._base.under(phase)
        frames: list[Frame] = []
        if (before.status, before.tick_multiple) != (phase.status, phase.tick_multiple):
            frames.append(ContractFrame(self._contract.symbol, at_ns, phase.status, phase.tick_multiple))
        if before.funding_rate is not None or phase.funding_rate is not None:
            frames += self._marks(at_ns, begins=True)
        if phase.status not in OPEN:
            return frames
        if phase.sweep_levels:
            frames += self._sweep_through(at_ns, abs(phase.sweep_levels), is_buy=phase.sweep_levels > 0)
        self._fair *= 1 + phase.jump_bps * 1e-4
        if phase.tick_multiple != self._multiple:
            self._multiple, self._spread = phase.tick_multiple, phase.spread_ticks
            self._fair_to_bid()
            self._rebuild(self._bid)
            frames.append(self._book(at_ns))
        elif (before.depth_factor, before.spread_ticks) != (phase.depth_factor, phase.spread_ticks):
            self._spread = phase.spread_ticks
            self._rebuild(self._bid)
        return frames

    def _sweep_through(self, at_ns: int, levels: int, *, is_buy: bool) -> Iterator[Frame]:
        """One order through so many levels."""
        for _ in range(levels):
            price = self._bid + self._spread if is_buy else self._bid
            yield from self._hit(at_ns, price, (self._asks if is_buy else self._bids).get(price, 1), is_buy=is_buy)

    def _next_phase(self) -> tuple[int, Phase]:
        """The phase of this moment and its number, those that are imposed first (numbered downwards, so that none is taken for another)."""
        while self._imposed and self._imposed_ms >= self._imposed[0].seconds * 1_000:
            self._imposed_ms -= self._imposed.popleft().seconds * 1_000
            self._imposed_count += 1
        if self._imposed:
            return -1 - self._imposed_count, self._imposed[0]
        return self._scenario.phase_at(self._elapsed_ms / 1_000)

    def _marks(self, at_ns: int, *, begins: bool = False) -> list[Frame]:
        """Once a second, or a step where that is longer: index and funding of a phase that has its own; the mark follows the mid."""
        if not begins and self._flow.step_ms < 1_000 and self._elapsed_ms % 1_000:
            return []
        phase = self._phase
        index = None
        if phase.premium_bps:
            price = self._fair * float(self._contract.tick_size) / (1 + phase.premium_bps * 1e-4)
            index = Decimal(f"{price:.8f}")
        rate = Decimal("0.0001") if phase.funding_rate is None else Decimal(str(phase.funding_rate))
        due_ns = at_ns + int(phase.funding_in_s * 1e9) if begins and phase.funding_in_s else None
        return [MarkFrame(self._contract.symbol, at_ns, None, index, rate, due_ns)]

    def _times(self, start_ns: int, rate: float, happen: Happening) -> list[tuple[int, Happening]]:
        times: list[tuple[int, Happening]] = []
        at_ns, end_ns = float(start_ns), start_ns + self._flow.step_ms * 1_000_000
        while (at_ns := at_ns + self._numbers.exponential(1e9 / rate)) < end_ns:
            times.append((int(at_ns), happen))
        return times

    def _uninformed_trade(self, at_ns: int) -> Iterator[Frame]:
        """An order of no particular insight: at the touch, clustered by side, seldom larger than what stands there."""
        is_buy = self._last_was_buy if self._numbers.chance(self._flow.persistence) else self._buys()
        self._last_was_buy = is_buy
        price = self._bid + self._spread if is_buy else self._bid
        lots = self._lots(self._numbers.exponential(self._flow.trade_notional))
        yield from self._hit(at_ns, price, lots, is_buy=is_buy)
        yield self._ticker(at_ns)

    def _change_level(self, at_ns: int) -> Iterator[Frame]:
        """A level near the touch grows or shrinks."""
        depth = min(int(self._numbers.exponential(4.0)), self._flow.levels - 1)
        on_bid = self._numbers.chance(0.5)
        price = self._bid - depth if on_bid else self._bid + self._spread + depth
        self._set(price, self._level_lots(depth), on_bid=on_bid)
        if depth == 0:
            yield self._ticker(at_ns)

    def _follow_fair(self, at_ns: int) -> Iterator[Frame]:
        """The book moves to the fair value, by a sweep or by revised quotes."""
        target = int(self._fair / self._multiple) - (self._spread - 1) // 2
        distance = target - self._bid
        if distance == 0:
            return
        is_buy = distance > 0
        if self._numbers.chance(self._flow.informed_share):
            for _ in range(min(abs(distance), SWEEP_LEVELS_MAX)):
                price = self._bid + self._spread if is_buy else self._bid
                lots = (self._asks if is_buy else self._bids).get(price, 1)
                yield from self._hit(at_ns, price, lots, is_buy=is_buy)
        self._move_to(target)
        yield self._ticker(at_ns)

    def _hit(self, at_ns: int, price: int, lots: int, *, is_buy: bool) -> Iterator[Frame]:
        """An aggressive order takes at most one level; an emptied touch moves the book by a tick."""
        side = self._asks if is_buy else self._bids
        standing = side.get(price, 0)
        traded = min(max(1, lots), standing)
        if traded == 0:
            return
        yield PrintFrame(self._contract.symbol, at_ns, at_ns, price * self._multiple, traded, not is_buy)
        self._set(price, standing - traded, on_bid=not is_buy)
        if traded == standing:
            self._move_to(self._bid + (1 if is_buy else -1))

    def _buys(self) -> bool:
        return self._numbers.chance(self._phase.buy_share)

    def _fair_to_bid(self) -> None:
        self._bid = int(self._fair / self._multiple) - (self._spread - 1) // 2

    def _move_to(self, bid: int) -> None:
        """Make `bid` the best bid and the ask a spread above it, with `levels` on both sides."""
        levels = self._flow.levels
        if abs(bid - self._bid) > levels:
            self._rebuild(bid)
            return
        behind = self._spread - 1 + levels
        while self._bid < bid:
            self._bid += 1
            self._set(self._bid + self._spread - 1, 0, on_bid=False)
            self._set(self._bid, self._level_lots(0), on_bid=True)
            self._set(self._bid - levels, 0, on_bid=True)
            self._set(self._bid + behind, self._level_lots(levels), on_bid=False)
        while self._bid > bid:
            self._set(self._bid, 0, on_bid=True)
            self._set(self._bid + self._spread - 1, self._level_lots(0), on_bid=False)
            self._set(self._bid + behind, 0, on_bid=False)
            self._bid -= 1
            self._set(self._bid - levels + 1, self._level_lots(levels), on_bid=True)
        for on_bid, price in ((True, self._bid), (False, self._bid + self._spread)):
            if not (self._bids if on_bid else self._asks).get(price):
                self._set(price, self._level_lots(0), on_bid=on_bid)

    def _rebuild(self, bid: int) -> None:
        """Another book: far away, thinner, or with another spread."""
        for on_bid in (True, False):
            for price in list(self._bids if on_bid else self._asks):
                self._set(price, 0, on_bid=on_bid)
        self._bid = bid
        for depth in range(self._flow.levels):
            self._set(bid - depth, self._level_lots(depth), on_bid=True)
            self._set(bid + self._spread + depth, self._level_lots(depth), on_bid=False)

    def _set(self, price: int, lots: int, *, on_bid: bool) -> None:
        side, changed = (self._bids, self._changed_bids) if on_bid else (self._asks, self._changed_asks)
        if lots:
            side[price] = lots
        else:
            side.pop(price, None)
        changed.add(price)

    def _book(self, at_ns: int) -> BookFrame:
        self._changed_bids.clear()
        self._changed_asks.clear()
        unit = self._multiple
        return BookFrame(
            self._contract.symbol,
            at_ns,
            at_ns,
            [(price * unit, lots) for price, lots in sorted(self._bids.items())],
            [(price * unit, lots) for price, lots in sorted(self._asks.items())],
        )

    def _diff(self, at_ns: int) -> DepthFrame:
        self._update_id += 1
        frame = DepthFrame(
            self._contract.symbol,
            at_ns,
            at_ns,
            self._update_id,
            [(price * self._multiple, self._bids.get(price, 0)) for price in sorted(self._changed_bids)],
            [(price * self._multiple, self._asks.get(price, 0)) for price in sorted(self._changed_asks)],
        )
        self._changed_bids.clear()
        self._changed_asks.clear()
        return frame

    def _touch(self) -> tuple[int, int]:
        """The best bid and the best ask that there are."""
        return self._bid, self._bid + self._spread

    def _ticker(self, at_ns: int) -> TickerFrame:
        self._update_id += 1
        (bid, ask), unit = self._touch(), self._multiple
        return TickerFrame(
            self._contract.symbol,
            at_ns,
            at_ns,
            self._update_id,
            bid * unit,
            self._bids[bid],
            ask * unit,
            self._asks[ask],
        )

    def _level_lots(self, depth: int) -> int:
        """A random size; levels behind the touch are thinner on average, as contiguous ticks are."""
        mean = self._flow.touch_notional if depth == 0 else self._flow.touch_notional / 4
        return self._lots(self._numbers.exponential(mean))

    def _lots(self, notional: float) -> int:
        return max(1, int(notional / self._lot_notional))
