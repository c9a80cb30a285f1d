"""Scenarios of the synthetic market: each does what its name says, and the venue stays sound under all of them."""

from __future__ import annotations

from functools import cache
from itertools import pairwise, takewhile
from typing import Any, get_args

import msgspec
import pytest
from pydantic import ValidationError
from venue_rig import ACCOUNT, MS, START_NS, SYMBOL, WireRig, body, contract, limit_order, settings

from actors.exchange.exchange import Exchange
from actors.exchange.frames import BookFrame, ContractFrame, DepthFrame, Frame, MarkFrame, PrintFrame, TickerFrame
from actors.exchange.ledger import ContractChanged, FundingPaid, OrderExpired, OrderFilled
from actors.exchange.market import Market
from actors.exchange.scenarios import QUIET_S, SCENARIOS
from actors.exchange.sources import read_model
from actors.exchange.synthetic_market import SyntheticMarket
from configs.schema import ScenarioName
from ops.cli.options import SCENARIO_NAMES

SECOND_NS = 1_000 * MS


@cache
def frames(name: str, seconds: int = 70, model: str = "plain") -> list[Frame]:
    models = {} if model == "plain" else {SYMBOL: read_model(model, "BTC")}
    market = SyntheticMarket([contract()], 1, scenario=SCENARIOS[name], models=models)
    end_ns = START_NS + seconds * SECOND_NS
    return list(takewhile(lambda frame: frame.at_ns < end_ns, market.frames(START_NS)))


def between(name: str, from_s: float, to_s: float) -> list[Frame]:
    first, last = (START_NS + int(at * SECOND_NS) for at in (QUIET_S + from_s, QUIET_S + to_s))
    return [frame for frame in frames(name) if first <= frame.at_ns < last]


def mids(found: list[Frame]) -> list[float]:
    return [(frame.bid + frame.ask) / 2 for frame in found if isinstance(frame, TickerFrame)]


def moved_bps(found: list[Frame]) -> float:
    seen = mids(found)
    return (seen[-1] / seen[0] - 1) * 1e4


def test_the_names_are_those_of_the_configuration_and_of_the_command_line() -> None:
    assert list(SCENARIOS) == list(get_args(ScenarioName)) == SCENARIO_NAMES.split(", ")


def test_a_capture_has_no_scenario() -> None:
    with pytest.raises(ValidationError, match="a capture plays as it was recorded"):
        settings(source="somewhere", scenario="halt")


@pytest.mark.parametrize("model", ["plain", "shipped"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_venue_stays_sound_and_begins_calm(name: str, model: str) -> None:
    exchange = Exchange(settings(), [contract()], [], START_NS)
    market: Market = exchange.venue.markets[SYMBOL]
    for frame in frames(name, model=model):
        exchange.apply(frame)
        bid, ask = market.matcher.best(bids=True), market.matcher.best(bids=False)
        assert bid is not None
        assert ask is not None
        assert 0 < bid < ask
    assert market.book.crossings == 0
    calm, mine = (
        [frame for frame in frames(each, model=model) if frame.at_ns < START_NS + int(QUIET_S * SECOND_NS)]
        for each in ("calm", name)
    )
    assert mine == calm


@pytest.mark.parametrize(
    ("name", "from_s", "to_s", "least_bps", "most_bps"),
    [
        ("trend", 0, 30, 20, 80),
        ("trend", 30, 50, -70, -10),
        ("flash-crash", 0, 3, -800, -300),
        ("gap", 0, 1, -75, -45),
    ],
)
def test_scenarios_bend_a_market_drawn_from_a_model_too(
    name: str, from_s: float, to_s: float, least_bps: float, most_bps: float
) -> None:
    first, last = (START_NS + int((QUIET_S + at) * SECOND_NS) for at in (from_s, to_s))
    found = [frame for frame in frames(name, model="shipped") if first - 100 * MS <= frame.at_ns < last]
    assert least_bps < moved_bps(found) < most_bps


def test_a_sweep_goes_through_the_levels_of_a_market_drawn_from_a_model() -> None:
    first_ns = START_NS + int(QUIET_S * SECOND_NS)
    prints = [
        frame
        for frame in frames("sweep", model="shipped")
        if isinstance(frame, PrintFrame) and first_ns <= frame.at_ns < first_ns + 50 * MS
    ]
    prices = [frame.price_ticks for frame in prints if frame.at_ns == prints[0].at_ns]
    assert prices == sorted(set(prices), reverse=True)
    assert prices[0] - prices[-1] > 60


def test_a_trend_goes_up_and_comes_down() -> None:
    assert moved_bps(between("trend", 0, 30)) > 30
    assert moved_bps(between("trend", 30, 50)) < -20


def test_a_flash_crash_falls_by_percents_in_seconds_and_half_comes_back() -> None:
    assert moved_bps(between("flash-crash", 0, 3)) < -350
    assert moved_bps(between("flash-crash", 4, 23)) > 120


def test_a_gap_has_no_trades_on_its_way() -> None:
    before, after = mids(between("gap", -1, 0))[-1], mids(between("gap", 0.2, 1))[0]
    assert (after / before - 1) * 1e4 < -50
    prints = [frame.price_ticks for frame in between("gap", -1, 1) if isinstance(frame, PrintFrame)]
    assert not [price for price in prints if after + 100 < price < before - 100]


def test_volatility_jumps() -> None:
    def volatility(found: list[Frame]) -> float:
        seen = mids(found)[::20]
        return sum(abs(b / a - 1) for a, b in pairwise(seen)) / len(seen)

    assert volatility(between("volatility-jump", 0, 20)) > 3 * volatility(between("volatility-jump", -20, 0))


def test_orders_that_excite_each_other_do_not_run_away_in_a_volatile_market() -> None:
    found = frames("volatility-jump", model="shipped")
    wild_ns = START_NS + int(QUIET_S * SECOND_NS)
    calm = [frame for frame in found if frame.at_ns < wild_ns]
    wild = [frame for frame in found if wild_ns <= frame.at_ns < wild_ns + 30 * SECOND_NS]
    assert len(wild) / 30 < 10 * len(calm) / QUIET_S


def depth_lots(found: list[Frame]) -> int:
    (last,) = [frame for frame in found if isinstance(frame, TickerFrame)][-1:]
    return last.bid_lots + last.ask_lots


def test_liquidity_goes() -> None:
    empty = between("liquidity-gone", 1, 19)
    tickers = [frame for frame in empty if isinstance(frame, TickerFrame)]
    assert {frame.ask - frame.bid for frame in tickers} >= {8}
    assert max(frame.bid_lots for frame in tickers) < 1_000


def test_a_sweep_trades_through_many_levels_at_one_instant() -> None:
    prints = [frame for frame in between("sweep", 7.9, 8.2) if isinstance(frame, PrintFrame)]
    by_instant: dict[int, set[int]] = {}
    for frame in prints:
        by_instant.setdefault(frame.at_ns, set()).add(frame.price_ticks)
    assert max(len(prices) for prices in by_instant.values()) >= 60


def test_one_way_is_sold() -> None:
    prints = [frame for frame in between("one-way", 0, 50) if isinstance(frame, PrintFrame)]
    assert sum(frame.buyer_is_maker for frame in prints) / len(prints) > 0.85


def test_funding_is_high_and_soon() -> None:
    marks = [frame for frame in between("funding-spike", -1, 30) if isinstance(frame, MarkFrame)]
    assert str(marks[0].funding_rate) == "0.003"
    assert marks[0].next_funding_ns == marks[0].at_ns + 20 * SECOND_NS
    assert marks[0].index_price is not None


class Played(WireRig):
    """A venue under a scenario, with an order that rests far away and a position."""

    def __init__(self, name: str) -> None:
        super().__init__(open_book=False)
        self.source = iter(frames(name, 90))
        self.waiting: Frame | None = None

    def until(self, second: float) -> None:
        end_ns = START_NS + int((QUIET_S + second) * SECOND_NS)
        while True:
            frame = self.waiting or next(self.source)
            if frame.at_ns > end_ns:
                self.waiting = frame
                break
            self.waiting = None
            self.exchange.apply(frame)
        self.now_ns = end_ns
        self.exchange.advance(end_ns)
        self.drain()

    def order(self, **changes: Any) -> Any:
        return body(self.send("POST", "/fapi/v1/order", limit_order(timeInForce="GTC", price="62000.0") | changes))

    def buy(self) -> None:
        self.send("POST", "/fapi/v1/order", {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.010"})

    def listed(self) -> Any:
        return body(self.public("/fapi/v1/exchangeInfo"))["symbols"][0]


def test_funding_is_paid_at_its_time_by_the_long() -> None:
    rig = Played("funding-spike")
    rig.until(-5)
    rig.buy()
    rig.until(21)
    (paid,) = [record for record in rig.output.records if isinstance(record, FundingPaid)]
    assert (paid.account, str(paid.rate), paid.amount < 0) == (ACCOUNT, "0.003", True)


def test_a_halt_refuses_new_orders_and_amends_but_lets_cancel() -> None:
    rig = Played("halt")
    rig.until(-5)
    resting = rig.order(newClientOrderId="r")
    rig.until(5)
    assert rig.listed()["status"] == "PENDING_TRADING"
    assert rig.order()["code"] == -4140
    named = {"symbol": SYMBOL, "orderId": resting["orderId"]}
    amended = rig.send("PUT", "/fapi/v1/order", named | {"side": "BUY", "quantity": "0.020", "price": "62000.0"})
    assert body(amended)["code"] == -5024
    assert body(rig.send("DELETE", "/fapi/v1/order", named))["status"] == "CANCELED"
    rig.until(16)
    assert rig.listed()["status"] == "TRADING"
    assert rig.order()["status"] == "NEW"


def test_a_delisting_lets_reduce_then_settles_and_closes() -> None:
    rig = Played("delist")
    rig.until(-5)
    rig.buy()
    rig.order(newClientOrderId="r")
    rig.until(5)
    assert rig.order()["code"] == -4140
    part = {"side": "SELL", "type": "MARKET", "quantity": "0.004", "reduceOnly": "true"}
    assert body(rig.send("POST", "/fapi/v1/order", {"symbol": SYMBOL} | part))["status"] == "NEW"
    rig.until(16)
    (expired,) = [record for record in rig.output.records if isinstance(record, OrderExpired)]
    assert (expired.client_order_id, expired.reason) == ("r", "7")
    last = [record for record in rig.output.records if isinstance(record, OrderFilled)][-1]
    assert last.client_order_id.startswith("settlement_autoclose-")
    assert (str(last.quantity), str(last.position_after), last.commission) == ("0.006", "0.000", 0)
    rig.until(30)
    assert rig.order()["code"] == -4141
    changes = [record.status for record in rig.output.records if isinstance(record, ContractChanged)]
    assert changes == ["PRE_SETTLE", "SETTLING", "CLOSE"]


def test_the_tick_grows_and_orders_that_rest_keep_their_price() -> None:
    rig = Played("tick-size-change")
    rig.exchange.subscribe("!contractInfo")
    rig.until(-5)
    resting = rig.order(price="62000.1")
    rig.until(5)
    assert rig.listed()["filters"][0]["tickSize"] == "1"
    assert rig.order(price="62000.1")["code"] == -4014
    assert rig.order(price="62001.0")["status"] == "NEW"
    named = {"symbol": SYMBOL, "orderId": resting["orderId"]}
    assert body(rig.send("GET", "/fapi/v1/order", named))["price"] == "62000.1"
    assert all(frame.bid % 10 == 0 for frame in between("tick-size-change", 1, 29) if isinstance(frame, TickerFrame))
    info = [msgspec.json.decode(frame.payload) for frame in rig.output.stream_frames if frame.stream == "!contractInfo"]
    assert info[0]["cs"] == "TRADING"
    rig.until(31)
    assert rig.order(price="62000.1")["status"] == "NEW"


def test_frames_of_a_phase_change_come_in_order_of_time() -> None:
    for name in SCENARIOS:
        times = [frame.at_ns for frame in frames(name)]
        assert times == sorted(times)
        kinds = {type(frame) for frame in frames(name)}
        assert kinds <= {BookFrame, DepthFrame, TickerFrame, PrintFrame, MarkFrame, ContractFrame}
