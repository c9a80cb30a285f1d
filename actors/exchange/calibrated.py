"""The synthetic market that draws from a model: orders that excite each other, walls at the touch over a thin book, moves in jumps.

Informed orders come in runs, with jumps of the fair price: the wall before such an order is withdrawn but for what it takes, it goes
through the levels behind, and quotes settle at the new price a moment later. Other orders trade at the touch and move nothing. Quotes are
revised without a trade too. The market's clock runs faster and slower by stretches. Everything follows from the seed.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from math import sqrt

from actors.exchange.contracts import Contract
from actors.exchange.excitation import Excitation
from actors.exchange.frames import Frame, PrintFrame
from actors.exchange.market_model import MarketModel, drawn
from actors.exchange.pace import PacedClock
from actors.exchange.scenarios import Scenario
from actors.exchange.seeded import SeededNumbers
from actors.exchange.synthetic import CALM, Flow, Happening, SyntheticSymbol

NS = 1_000_000_000
STEP_MS = 50
AHEAD_OF_SQUARES = 0.25
"""How much of the move is ahead of what is taken beyond the touch where it grows with the square of the distance."""

TICKS_A_JUMP_MAX = 100_000


class CalibratedSymbol(SyntheticSymbol):
    """One contract's market, drawn from its model."""

    def __init__(self, contract: Contract, seed: int, model: MarketModel, scenario: Scenario = CALM) -> None:
        flow = Flow(step_ms=STEP_MS, levels=model.levels)
        super().__init__(contract, seed, flow, scenario, price=model.price)
        self._model = model
        self._excitation = Excitation(model.arrivals, self._numbers)
        self._clock = PacedClock(model.pace, self._numbers)
        self._sides = _Sides(model.sign_memory, self._numbers)
        self._run_sides = _Sides(model.informed.memory, self._numbers)
        self._firsts = [band.first_tick for band in model.depth]
        ends = [*self._firsts[1:], model.levels]
        self._widths = [end - first for first, end in zip(self._firsts, ends, strict=True)]
        self._band_rates = list(
            itertools.accumulate(
                band.changes_per_s * width for band, width in zip(model.depth, self._widths, strict=True)
            )
        )
        # What is taken beyond the touch grows with a power of the distance: its average there is (power + 1) / (power + 2) of the way.
        ahead = model.informed.ahead
        self._touch_share = max(0.0, (ahead - AHEAD_OF_SQUARES) / (1 - AHEAD_OF_SQUARES))
        self._steepness = 1 / min(ahead, AHEAD_OF_SQUARES) - 2
        self._planned: list[tuple[int, int, Happening]] = []
        self._order = itertools.count()
        self._origin_ns = 0

    def _pass_time(self, start_ns: int, end_ns: int) -> Iterator[Frame]:
        if not self._planned:
            self._origin_ns = start_ns
            self._plan_happening()
            self._plan_touch(start_ns)
            self._plan_depth(start_ns)
        drift = self._phase.drift_bps * 1e-4 * self._flow.step_ms / 1_000
        if drift:
            self._fair *= 1 + drift
        if self._fair_bid() != self._bid:
            self._plan(start_ns, self._settle)
        while self._planned[0][0] < end_ns:
            at_ns, _, happen = heapq.heappop(self._planned)
            yield from happen(max(at_ns, start_ns))

    def _plan(self, at_ns: int, happening: Happening) -> None:
        heapq.heappush(self._planned, (at_ns, next(self._order), happening))

    def _plan_happening(self) -> None:
        """What comes next by the excitation: an informed order, another order, or quotes revised."""
        happening = self._excitation.next(self._phase.trade_factor, self._phase.informed_share)

        def happen(at_ns: int) -> Iterator[Frame]:
            self._plan_happening()
            if happening.informed:
                self._plan_informed(at_ns)
            elif self._numbers.chance(self._model.revised_share):
                yield from self._revise(at_ns)
            else:
                yield from self._plain_order(at_ns)

        self._plan(self._origin_ns + int(self._clock.real_s(happening.at_s) * NS), happen)

    def _plan_touch(self, at_ns: int) -> None:
        rate = self._model.touch.changes_per_s * self._phase.change_factor
        self._plan(at_ns + int(self._numbers.exponential(NS / rate)), self._change_touch)

    def _plan_depth(self, at_ns: int) -> None:
        rate = self._band_rates[-1] * self._phase.change_factor
        self._plan(at_ns + int(self._numbers.exponential(NS / rate)), self._change_depth)

    def _plain_order(self, at_ns: int) -> Iterator[Frame]:
        """An order of no insight: at the touch, and something is left of it."""
        lots = self._lots(drawn(self._model.order_notional, self._numbers.uniform()))
        yield from self._at_touch(at_ns, lots, is_buy=self._sides.next(self._buys))

    def _at_touch(self, at_ns: int, lots: int, *, is_buy: bool) -> Iterator[Frame]:
        """An order that leaves something of the best level."""
        side = self._asks if is_buy else self._bids
        price = self._best(on_bid=not is_buy)
        lots = min(lots, side[price] - 1)
        if lots < 1:
            return
        yield PrintFrame(self._contract.symbol, at_ns, at_ns, price * self._multiple, lots, not is_buy)
        self._set(price, side[price] - lots, on_bid=not is_buy)
        yield self._ticker(at_ns)

    def _plan_informed(self, at_ns: int) -> None:
        """A run of orders that know where the price goes: the first are small, the last one takes what is left of it."""
        model, numbers = self._model.informed, self._numbers
        move, size = numbers.uniform(), numbers.uniform()
        if numbers.chance(model.size_follows_move):
            size = move
        jump = self._jump(model.ticks, move)
        first = int(drawn(model.orders, numbers.uniform())) - 1
        notional = drawn(model.notional, size)
        share = notional / (first + 1)
        is_buy = self._run_sides.next(self._buys)
        self._sides.note(is_buy)
        if size >= 1 - model.ending_share:
            self._run_sides.forget()
        sweeping = [numbers.chance(model.sweeping_share) for _ in range(first)]
        part = max(1, jump // (sum(sweeping) + 1))
        for sweeps in sweeping:
            taken = min(share, sqrt(share * drawn(self._model.order_notional, numbers.uniform())))
            notional -= taken
            lots = self._lots(taken)
            if sweeps and jump > part:
                jump -= part
                self._plan(at_ns, partial(self._sweep, at_touch=1, beyond=lots, jump=part, is_buy=is_buy))
            else:
                self._plan(at_ns, partial(self._at_touch, lots=lots, is_buy=is_buy))
            at_ns += int(numbers.exponential(model.gap_ms * 1e6))
        at_touch = self._lots(notional * self._touch_share)
        beyond = int(notional * (1 - self._touch_share) / self._lot_notional)
        self._plan(at_ns, partial(self._sweep, at_touch=at_touch, beyond=beyond, jump=jump, is_buy=is_buy))

    def _sweep(self, at_ns: int, at_touch: int, beyond: int, jump: int, *, is_buy: bool) -> Iterator[Frame]:
        """The wall is withdrawn but for what the order takes; it goes through the levels behind; quotes settle at the new price.

        What it takes there is what comes forward to meet it, not only what was shown.
        """
        side, toward = (self._asks, 1) if is_buy else (self._bids, -1)
        touch = self._best(on_bid=not is_buy)
        behind = [step for step in range(1, jump) if touch + step * toward in side] if beyond else []
        if behind:
            self._set(touch, min(at_touch, side[touch]), on_bid=not is_buy)
            yield self._ticker(at_ns)
        else:
            at_touch = min(at_touch, side[touch] - 1)
        weights = [step**self._steepness for step in behind]
        total = sum(weights)
        shares = [(step, max(1, int(beyond * weight / total))) for step, weight in zip(behind, weights, strict=True)]
        for step, lots in ((0, at_touch), *shares):
            price = touch + step * toward
            if lots >= 1:
                yield PrintFrame(self._contract.symbol, at_ns, at_ns, price * self._multiple, lots, not is_buy)
            if behind:
                self._set(price, 0, on_bid=not is_buy)
        if not behind:
            self._set(touch, side[touch] - at_touch, on_bid=not is_buy)
        if not self._phase.drift_bps:  # else the drift is the move, and orders only run ahead of it
            self._fair += toward * jump * self._multiple
        yield self._ticker(at_ns)
        self._plan(at_ns + int(self._model.settle_ms * 1e6), self._settle)

    def _sweep_through(self, at_ns: int, levels: int, *, is_buy: bool) -> Iterator[Frame]:
        side, toward = (self._asks, 1) if is_buy else (self._bids, -1)
        touch = self._best(on_bid=not is_buy)
        for price in range(touch, touch + levels * toward, toward):
            if lots := side.get(price, 0):
                yield PrintFrame(self._contract.symbol, at_ns, at_ns, price * self._multiple, lots, not is_buy)
                self._set(price, 0, on_bid=not is_buy)
        yield self._ticker(at_ns)

    def _revise(self, at_ns: int) -> Iterator[Frame]:
        """Quotes move without a trade."""
        jump = self._jump(self._model.revised_ticks, self._numbers.uniform())
        self._fair += (jump if self._buys() else -jump) * self._multiple
        yield from self._settle(at_ns)

    def _jump(self, table: tuple[float, ...], uniform: float) -> int:
        ticks = drawn(table, uniform) * self._phase.volatility_factor / self._multiple
        whole = int(ticks)
        return min(max(1, whole + self._numbers.chance(ticks - whole)), TICKS_A_JUMP_MAX)

    def _settle(self, at_ns: int) -> Iterator[Frame]:
        target = self._fair_bid()
        if target != self._bid or not self._bids.get(target) or not self._asks.get(target + self._spread):
            self._move_to(target)
            yield self._ticker(at_ns)

    def _fair_bid(self) -> int:
        return int(self._fair / self._multiple) - (self._spread - 1) // 2

    def _change_touch(self, at_ns: int) -> Iterator[Frame]:
        """An order comes to a best level or leaves it, the more often the one that leads back to the usual size."""
        self._plan_touch(at_ns)
        model = self._model.touch
        on_bid = self._numbers.chance(0.5)
        side = self._bids if on_bid else self._asks
        price = self._best(on_bid=on_bid)
        usual, standing = self._lots(model.notional * self._phase.depth_factor), side[price]
        uniform = self._numbers.uniform()
        if self._numbers.chance(usual / (usual + standing)):
            lots = standing + self._lots(drawn(model.added_notional, uniform))
        else:
            lots = standing - self._lots(drawn(model.removed_notional, uniform))
        if lots >= 1:
            self._set(price, lots, on_bid=on_bid)
            yield self._ticker(at_ns)

    def _change_depth(self, at_ns: int) -> Iterator[Frame]:
        """A level behind the touch becomes another; the next diff tells it."""
        self._plan_depth(at_ns)
        band = bisect_right(self._band_rates, self._numbers.uniform() * self._band_rates[-1])
        band = min(band, len(self._widths) - 1)
        depth = self._firsts[band] + self._numbers.below(self._widths[band])
        on_bid = self._numbers.chance(0.5)
        price = self._best(on_bid=on_bid) + (-depth if on_bid else depth)
        self._set(price, self._level_lots(depth), on_bid=on_bid)
        return iter(())

    def _best(self, *, on_bid: bool) -> int:
        """The best price of a side, which after a sweep lies behind the quoted one."""
        side, step = (self._bids, -1) if on_bid else (self._asks, 1)
        price = self._bid if on_bid else self._bid + self._spread
        for _ in range(self._flow.levels):
            if price in side:
                return price
            price += step
        self._set(price, self._fresh_lots(), on_bid=on_bid)
        return price

    def _touch(self) -> tuple[int, int]:
        return self._best(on_bid=True), self._best(on_bid=False)

    def _move_to(self, bid: int) -> None:
        """The touch moves: new walls, thin levels where the old ones were and where the price went."""
        levels, spread = self._flow.levels, self._spread
        distance = bid - self._bid
        if abs(distance) >= levels:
            self._rebuild(bid)
            return
        before, self._bid = self._bid, bid
        up = distance > 0
        for price in range(min(before, bid), max(before, bid) + 1):
            on_bid, at = up, price if up else price + spread
            depth = bid - at if up else at - bid - spread
            if depth >= 0:
                self._set(at, self._level_lots(depth), on_bid=on_bid)
            gone = price + spread if up else price
            if (gone < bid + spread) if up else (gone > bid):
                self._set(gone, 0, on_bid=not on_bid)
        for step in range(abs(distance)):
            self._set(bid - levels - step if up else bid + spread + levels + step, 0, on_bid=up)
            far = levels - 1 - step
            price = bid + spread + far if up else bid - far
            self._set(price, self._level_lots(far), on_bid=not up)
        self._set(bid, self._fresh_lots(), on_bid=True)
        self._set(bid + spread, self._fresh_lots(), on_bid=False)

    def _fresh_lots(self) -> int:
        return self._lots(self._numbers.exponential(self._model.touch.fresh_notional * self._phase.depth_factor))

    def _level_lots(self, depth: int) -> int:
        """A random size of a level, none where the model has gaps."""
        if depth == 0:
            return self._lots(self._numbers.exponential(self._model.touch.notional * self._phase.depth_factor))
        band = self._model.depth[bisect_right(self._firsts, depth) - 1]
        if not self._numbers.chance(band.occupied):
            return 0
        return self._lots(self._numbers.exponential(band.notional / band.occupied * self._phase.depth_factor))


class _Sides:
    """Sides that repeat earlier ones, each as often as the memory says of its distance."""

    def __init__(self, memory: tuple[float, ...], numbers: SeededNumbers) -> None:
        self._numbers = numbers
        self._repeats = list(itertools.accumulate(memory))
        self._earlier: list[bool] = []
        self.forget()

    def next(self, otherwise: Callable[[], bool]) -> bool:
        """Whether the next one buys; `otherwise` is asked where none is repeated."""
        is_buy = self.drawn(otherwise)
        self.note(is_buy)
        return is_buy

    def drawn(self, otherwise: Callable[[], bool]) -> bool:
        """What `next` says, without remembering it."""
        lag = bisect_right(self._repeats, self._numbers.uniform())
        return self._earlier[lag] if lag < len(self._earlier) else otherwise()

    def note(self, is_buy: bool) -> None:
        """Remember a side."""
        if self._earlier:
            self._earlier = [is_buy, *self._earlier[:-1]]

    def forget(self) -> None:
        """Let either side be as likely as the other."""
        self._earlier = [self._numbers.chance(0.5) for _ in self._repeats]
