"""A maker without skill on the recorded market: it earns no more than the market paid its makers, and speed, queue and fees cost it."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from itertools import takewhile
from typing import NamedTuple

import pytest
from shared_data import shared_path
from tape_replay import Got, Quotes, TouchReplay, Traded, read_tape
from venue_makers import (
    SECOND_NS,
    Desk,
    Mids,
    Rule,
    both_touches,
    fills_of,
    generous,
    markout_bps,
    prints_as_trades,
    profit,
    trade_by,
)
from venue_rig import MS, START_NS, contract

from actors.exchange import ledger
from actors.exchange.contracts import Contract
from actors.exchange.frames import BookFrame, Frame, PrintFrame, TickerFrame
from actors.exchange.sources import open_source, read_model
from actors.exchange.synthetic_market import SyntheticMarket
from actors.exchange.venue import Venue

FOLDER = "data/usdm-btc-eth-20240718"
LOTS = {"BTCUSDT": 10, "ETHUSDT": 100}
TAPE_MARKOUT_BPS = {"BTCUSDT": -0.25, "ETHUSDT": -0.12}
LATENCIES_MS = (0, 2, 10, 50, 200)
BUSY_S = (180, 220)
FORESIGHT_NS = 100 * MS
symbols = pytest.mark.parametrize("symbol", LOTS)
pytestmark = pytest.mark.timeout(600)


class Recording(NamedTuple):
    contract: Contract
    frames: list[Frame]
    mids: Mids
    tick: float
    lot: float


@cache
def recorded() -> dict[str, Recording]:
    source = open_source(generous(source=str(shared_path(FOLDER)), loop=False))
    frames = [*source.opening(START_NS), *source.frames(START_NS)]
    found = {}
    for listed in source.contracts:
        mine = [frame for frame in frames if getattr(frame, "symbol", "") == listed.symbol]
        tick, lot = float(listed.tick_size), float(listed.lot_size)
        found[listed.symbol] = Recording(listed, mine, Mids(mine, listed.symbol, tick), tick, lot)
    return found


@cache
def raw_tape(symbol: str) -> list[Quotes | Traded]:
    return read_tape(shared_path(FOLDER), symbol, recorded()[symbol].tick)


@cache
def busy_frames(symbol: str) -> list[Frame]:
    """The busy part of the recording, opened with the book as it stands at its beginning."""
    recording = recorded()[symbol]
    first_ns, last_ns = (START_NS + second * SECOND_NS for second in BUSY_S)
    venue = Venue(generous(), [recording.contract], START_NS)
    for frame in recording.frames:
        if frame.at_ns < first_ns:
            venue.apply(frame)
    book = venue.markets[symbol].book
    opening = BookFrame(symbol, first_ns, book.market_ns, list(book.bids.levels()), list(book.asks.levels()))
    return [opening, *(frame for frame in recording.frames if first_ns <= frame.at_ns <= last_ns)]


def trade_busily(symbol: str, rule: Rule, latency_ms: float, **changes: object) -> Desk:
    venue = generous(order_latency_ms=latency_ms, **changes)
    return trade_by(rule, busy_frames(symbol), recorded()[symbol].contract, venue, lots=LOTS[symbol])


@cache
def touch_maker(symbol: str) -> Desk:
    recording = recorded()[symbol]
    venue = generous(order_latency_ms=2)
    return trade_by(both_touches, recording.frames, recording.contract, venue, lots=LOTS[symbol])


@cache
def hasty_touch_maker(symbol: str, latency_ms: int) -> Desk:
    return trade_busily(symbol, both_touches, latency_ms)


def volume(desk: Desk) -> float:
    return sum(fill.quantity for fill in fills_of(desk))


@symbols
def test_a_maker_without_skill_does_no_better_than_the_tapes_average_maker(symbol: str) -> None:
    recording, fills = recorded()[symbol], fills_of(touch_maker(symbol))
    tape = prints_as_trades(recording.frames, symbol, recording.tick, recording.lot)
    average = markout_bps(tape, recording.mids)
    assert average == pytest.approx(TAPE_MARKOUT_BPS[symbol], abs=0.01)
    assert len(fills) > 500
    assert markout_bps(fills, recording.mids) <= average


@symbols
def test_its_fills_lie_between_a_replay_that_fills_only_beyond_its_price_and_one_without_a_queue(symbol: str) -> None:
    recording, desk = recorded()[symbol], touch_maker(symbol)
    quantity = LOTS[symbol] * recording.lot
    least, most = (
        TouchReplay(quantity, 2 * MS, generous=generous_replay).play(raw_tape(symbol))
        for generous_replay in (False, True)
    )
    assert sum(got.quantity for got in least) <= volume(desk) <= sum(got.quantity for got in most)
    ours = markout_bps(fills_of(desk), recording.mids)
    assert tape_markout_bps(symbol, least) <= ours <= tape_markout_bps(symbol, most)


def tape_markout_bps(symbol: str, got: list[Got]) -> float:
    quotes = [event for event in raw_tape(symbol) if isinstance(event, Quotes)]
    times = [event.at_ns for event in quotes]
    gained = traded = 0.0
    for each in got:
        later_ns = each.at_ns + SECOND_NS
        if later_ns <= times[-1]:
            then = quotes[bisect_right(times, later_ns) - 1]
            gained += each.sign * ((then.bid + then.ask) / 2 / each.price - 1) * 1e4 * each.quantity * each.price
            traded += each.quantity * each.price
    return gained / traded


class QueueWatch:
    """Counts the queue ahead of each order on its own, in the order's favour: prints and every fall of the level shorten it."""

    def __init__(self, rule: Rule) -> None:
        self.checked = 0
        self._rule = rule
        self._ahead: dict[str, int] = {}
        self._price: dict[str, int] = {}

    def __call__(self, desk: Desk, frame: Frame) -> None:
        filled: dict[str, int] = {}
        for record in desk.heard:
            match record:
                case ledger.OrderAccepted():
                    self._price[record.client_order_id] = int(record.price / desk.contract.tick_size)
                    self._ahead[record.client_order_id] = int(record.queue_ahead / desk.contract.lot_size)
                case ledger.OrderFilled():
                    lots = int(record.quantity / desk.contract.lot_size)
                    filled[record.client_order_id] = filled.get(record.client_order_id, 0) + lots
                case ledger.OrderCanceled() | ledger.OrderExpired():
                    self._ahead.pop(record.client_order_id, None)
                case _:
                    pass
        if isinstance(frame, PrintFrame):
            self._judge(frame, filled)
        else:
            self._shorten(desk)
        self._rule(desk, frame)

    def _judge(self, frame: PrintFrame, filled: dict[str, int]) -> None:
        at_price = {name: lots for name, lots in filled.items() if self._price[name] == frame.price_ticks}
        assert sum(at_price.values()) <= frame.lots, "a print's volume was used more than once"
        for name, lots in at_price.items():
            assert lots <= max(0, frame.lots - self._ahead[name]), f"{name} was filled before the queue ahead of it"
            self.checked += 1
        for name in self._ahead:
            if self._price[name] == frame.price_ticks and name.startswith("BUY") == frame.buyer_is_maker:
                self._ahead[name] = max(0, self._ahead[name] - frame.lots)

    def _shorten(self, desk: Desk) -> None:
        book = desk.exchange.venue.markets[desk.contract.symbol].book
        for name, ahead in self._ahead.items():
            self._ahead[name] = min(ahead, book.side(bids=name.startswith("BUY")).lots(self._price[name]))


@symbols
def test_fills_on_a_print_never_exceed_the_print_less_the_queue_ahead(symbol: str) -> None:
    def two_orders_a_touch(desk: Desk, frame: Frame) -> None:
        for slot in ("BUY", "SELL", "BUY-second", "SELL-second"):
            desk.want(slot, desk.best(slot))

    watch = QueueWatch(two_orders_a_touch)
    trade_busily(symbol, watch, 2)
    assert watch.checked > 20


@symbols
def test_fills_fall_with_the_latency_of_orders(symbol: str) -> None:
    volumes = [volume(hasty_touch_maker(symbol, latency_ms)) for latency_ms in LATENCIES_MS]
    assert volumes == sorted(volumes, reverse=True)
    assert volumes[0] > volumes[-1] > 0


@symbols
def test_even_foresight_earns_less_the_later_its_orders_arrive(symbol: str) -> None:
    """A taker that knows the price of 100 ms later loses its gain as its orders come later; beyond the 100 ms there is none."""
    gains = []
    for latency_ms in LATENCIES_MS:
        seer = Foresight(recorded()[symbol])
        gains.append(seer.gain(trade_busily(symbol, seer, latency_ms)))
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 0 >= gains[-1]


class Foresight:
    """Before a move of more than five ticks beyond the touch, take the touch; what it sees is the recording alone."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._arrived_ns: dict[str, int] = {}
        self._ready_ns = 0

    def __call__(self, desk: Desk, frame: Frame) -> None:
        if not isinstance(frame, TickerFrame) or frame.at_ns < self._ready_ns:
            return
        arrival_ns = frame.at_ns + FORESIGHT_NS
        later = self._recording.mids.at(arrival_ns) / self._recording.tick
        if later > frame.ask + 5:
            name = desk.take("BUY", frame.ask)
        elif later < frame.bid - 5:
            name = desk.take("SELL", frame.bid)
        else:
            return
        self._arrived_ns[name] = self._ready_ns = arrival_ns

    def gain(self, desk: Desk) -> float:
        """Its fills against the mid that it knew, or the mid of the fill where that came later."""
        return sum(
            fill.sign
            * fill.quantity
            * (self._recording.mids.at(max(fill.at_ns, self._arrived_ns[fill.name])) - fill.price)
            for fill in fills_of(desk)
        )


@symbols
def test_quotes_come_too_late_to_be_post_only_on_the_recording_too(symbol: str) -> None:
    """What a market drawn from the shipped model refuses for it is no more than what the recorded one would have."""
    desk, listed = touch_maker(symbol), contract(symbol.replace("USDT", "USDC"))
    answered = too_late = 0
    for seed in (1, 2):
        models = {listed.symbol: read_model("shipped", listed.base_asset)}
        drawn = SyntheticMarket([listed], seed, models=models).frames(START_NS)
        frames = takewhile(lambda frame: frame.at_ns < START_NS + 120 * SECOND_NS, drawn)
        synthetic = trade_by(both_touches, frames, listed, generous(order_latency_ms=2), lots=LOTS[symbol])
        answered, too_late = answered + synthetic.answered, too_late + synthetic.too_late
    assert answered > 200
    assert 0 < too_late / answered <= desk.too_late / desk.answered < 0.25


class ForesightedMaker:
    """Joins a touch only while the mid of a second later is beyond it: it earns, so that what is taken from it shows in its profit."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __call__(self, desk: Desk, frame: Frame) -> None:
        later = self._recording.mids.at(frame.at_ns + SECOND_NS) / self._recording.tick
        bid, ask = desk.best("BUY"), desk.best("SELL")
        desk.want("BUY", bid if bid is not None and later > bid + 0.6 else None)
        desk.want("SELL", ask if ask is not None and later < ask - 0.6 else None)

    def gain(self, desk: Desk) -> float:
        """Its fills against the mid that it knew."""
        mids = self._recording.mids
        return sum(
            fill.sign * fill.quantity * (mids.at(fill.at_ns + SECOND_NS) - fill.price) for fill in fills_of(desk)
        )


@symbols
def test_the_profit_of_a_maker_that_knows_the_next_second_falls_with_latency_and_with_pessimism(symbol: str) -> None:
    rule = ForesightedMaker(recorded()[symbol])
    gains = {
        model: [rule.gain(trade_busily(symbol, rule, latency_ms, queue_model=model)) for latency_ms in (0, 2, 50, 200)]
        for model in ("pessimistic", "probabilistic")
    }
    for falling in gains.values():
        assert falling == sorted(falling, reverse=True)
        assert falling[0] > 2 * falling[-1] >= 0
    assert all(low <= high for low, high in zip(*gains.values(), strict=True))
    assert gains["pessimistic"][0] < gains["probabilistic"][0]


@symbols
def test_fees_change_no_fill_and_are_taken_from_the_profit_in_full(symbol: str) -> None:
    recording, free = recorded()[symbol], hasty_touch_maker(symbol, 2)
    notional = sum(fill.price * fill.quantity for fill in fills_of(free))
    last_mid = recording.mids.at(START_NS + BUSY_S[1] * SECOND_NS)
    for rate in ("0.0001", "0.0002"):
        fees = {"USDT": {"maker": rate, "taker": rate}}
        dear = trade_busily(symbol, both_touches, 2, fees=fees)
        assert fills_of(dear) == fills_of(free)
        assert profit(dear, last_mid) == pytest.approx(profit(free, last_mid) - float(rate) * notional, abs=1e-4)


def other_lots(desk: Desk) -> float:
    """What the model that gave no fills would have given."""
    records = [record for record in desk.records if isinstance(record, ledger.OtherModelFilled)]
    return float(sum(record.quantity for record in records))


@symbols
def test_fills_and_what_each_brings_fall_with_the_pessimism_of_the_queue(symbol: str) -> None:
    """The same rule under each model, and in each run the same orders under both."""
    pessimistic = hasty_touch_maker(symbol, 2)
    probabilistic = trade_busily(symbol, both_touches, 2, queue_model="probabilistic")
    assert 0 < volume(pessimistic) < volume(probabilistic)
    mids = recorded()[symbol].mids
    assert markout_bps(fills_of(pessimistic), mids) < markout_bps(fills_of(probabilistic), mids) < 0
    assert volume(pessimistic) < other_lots(pessimistic)
    assert other_lots(probabilistic) <= volume(probabilistic)
