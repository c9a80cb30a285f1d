"""Models of markets: fitted on what they drew themselves, read and refused as files, and held against the recording they came from."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from shared_data import shared_path
from venue_makers import interval_99
from venue_rig import START_NS, contract, settings

from actors.exchange.calibration import _moves, first_fit, synthetic_frames
from actors.exchange.contracts import Contract
from actors.exchange.errors import SourceError
from actors.exchange.excitation import Excitation, Happening, fit
from actors.exchange.frames import BookFrame, DepthFrame, PrintFrame, TickerFrame
from actors.exchange.market_model import Arrivals, MarketModel, ModelError, Pace, decode, drawn, encode
from actors.exchange.market_statistics import figures, markouts, pooled_markouts
from actors.exchange.pace import PacedClock
from actors.exchange.seeded import SeededNumbers
from actors.exchange.sources import open_source, read_model
from actors.exchange.tape import Tape, read_tape

CAPTURE = "data/usdm-btc-eth-20240718"
SEEDS = range(501, 513)
RUN_S = 480
TOLERANCES = {
    "share of time at one tick (%)": 0.005,
    "at the touch (thousand)": 0.08,
    "1 to 4 ticks behind (thousand)": 0.2,
    "20 to 99 ticks behind (thousand)": 0.12,
    "100 to 199 ticks behind (thousand)": 0.06,
    "over 1 s (bps per root s)": 0.2,
    "over 5 s (bps per root s)": 0.2,
    "over 30 s (bps per root s)": 0.3,
    "variance by mean of orders in 0.1 s": 0.3,
    "variance by mean of orders in 1 s": 0.3,
    "variance by mean of orders in 10 s": 0.35,
    "median order (quote)": 0.2,
    "seconds in which the mid moved (%)": 0.25,
    "orders a second": 0.12,
    "average order": 0.15,
    "99 % of orders are below": 0.35,
    "autocorrelation of sides, lag 1": 0.15,
    "autocorrelation of sides, lag 5": 0.2,
    "changes of the best levels a second": 0.12,
    "withdrawn from a touch a second by what stands there (%)": 0.12,
    "orders that the price follows, less those it leaves, 1 s (%)": 0.3,
}
"""How far the average of the synthetic runs may lie from the recording, as a part of it."""

pytestmark = pytest.mark.timeout(600)
assets = pytest.mark.parametrize("asset", ["BTC", "ETH"])


@cache
def shipped(asset: str) -> MarketModel:
    return read_model("shipped", asset)


@cache
def recorded(asset: str) -> tuple[Contract, Tape]:
    source = open_source(settings(source=str(shared_path(CAPTURE)), symbols=(f"{asset}USDT",), loop=False))
    (listed,) = source.contracts
    frames = [*source.opening(START_NS), *source.frames(START_NS)]
    return listed, read_tape(frames, listed)


@cache
def synthetic(asset: str) -> list[Tape]:
    listed = contract(f"{asset}USDC")
    return [read_tape(synthetic_frames(shipped(asset), listed, seed, RUN_S), listed) for seed in SEEDS]


@assets
def test_the_makers_markout_curve_is_the_recordings(asset: str) -> None:
    """Within the recording's own standard error, that of the synthetic runs included."""
    pairs = list(zip(markouts(recorded(asset)[1]), pooled_markouts(synthetic(asset)), strict=True))
    assert [tape.horizon_s for tape, _ in pairs] == [1, 5, 30]
    for tape, ours in pairs:
        assert abs(ours.bps - tape.bps) <= tape.error_bps, (tape, ours)


@assets
def test_whoever_makes_the_tapes_trades_loses_by_volume_at_99_percent(asset: str) -> None:
    first = pooled_markouts(synthetic(asset))[0]
    assert first.horizon_s == 1
    assert first.bps + 2.576 * first.error_bps < 0


@assets
def test_whoever_follows_the_price_gains_no_more_than_on_the_recording(asset: str) -> None:
    """What the next seconds bring to who goes with the last ones (bps): by nothing that shows at 99 % easier to foresee than it was."""
    for horizon_s in (1, 5, 15):
        gains = [gain_of_following_bps(tape, horizon_s) for tape in synthetic(asset)]
        mean, least, _ = interval_99(gains)
        assert least <= gain_of_following_bps(recorded(asset)[1], horizon_s), horizon_s
        assert mean < 1.0, "less than the fee of a plain account"


def gain_of_following_bps(tape: Tape, horizon_s: float) -> float:
    mids = tape.quotes.mid_at(np.arange(0, tape.seconds, 0.1)) * tape.tick / tape.price * 1e4
    steps = round(horizon_s * 10)
    before, after = mids[steps:-steps] - mids[: -2 * steps], mids[2 * steps :] - mids[steps:-steps]
    return float((np.sign(before) * after)[before != 0].mean())


@assets
def test_the_synthetic_market_has_the_recordings_figures(asset: str) -> None:
    of_runs = [figures(tape) for tape in synthetic(asset)]
    apart = {}
    for index, figure in enumerate(figures(recorded(asset)[1])):
        if figure.name in TOLERANCES:
            mean = sum(run[index].value for run in of_runs) / len(of_runs)
            apart[figure.name] = abs(mean / figure.value - 1)
    assert set(apart) == set(TOLERANCES)
    assert {name: part for name, part in apart.items() if part > TOLERANCES[name]} == {}


def test_arrivals_are_fitted_back_from_what_they_drew() -> None:
    true = Arrivals(
        base_rate=1.0,
        decay_s=(0.1, 2.0),
        plain_branching=(0.2, 0.3),
        informed_branching=(0.5, 1.0),
        informed_share=(0.05, 0.05, 0.05, 0.3, 0.1),
    )
    drawing = Excitation(true, SeededNumbers(5))
    happenings = list(takewhile(lambda each: each.at_s < 1_500, iter(lambda: drawing.next(1.0, None), None)))
    assert len(happenings) / 1_500 == pytest.approx(sum(true.rates), rel=0.1)
    assert sum(each.informed for each in happenings) / 1_500 == pytest.approx(true.rates[1], rel=0.15)
    found = fit(happenings, 1_500, true.decay_s)
    assert found.base_rate == pytest.approx(true.base_rate, rel=0.15)
    assert sum(found.plain_branching) == pytest.approx(0.5, abs=0.1)
    assert sum(found.informed_branching) == pytest.approx(1.5, abs=0.3)
    assert found.informed_share[3] == pytest.approx(0.3, abs=0.1)


def test_the_markets_clock_runs_unevenly_and_on_average_as_ours() -> None:
    clock = PacedClock(Pace(stretch_s=20, spread=0.5), SeededNumbers(7))
    seconds = [clock.real_s(own_s) for own_s in range(40_000)]
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(40_000, rel=0.05)
    paces = 100 / np.diff(seconds[::100])
    assert np.std(np.log(paces)) > 0.2
    steady = PacedClock(Pace(stretch_s=20, spread=0), SeededNumbers(7))
    assert [steady.real_s(own_s) for own_s in range(100)] == pytest.approx(list(range(100)))


def test_runs_repeat_the_side_of_the_run_before_more_often_than_not() -> None:
    moves = _moves(synthetic("BTC")[0])
    signs = np.sign(moves.ticks)
    assert 0.35 < float((signs[1:] * signs[:-1]).mean()) < 0.8


def test_arrivals_without_excitation_are_found_to_have_none() -> None:
    numbers, at_s, happenings = SeededNumbers(3), 0.0, []
    while (at_s := at_s + numbers.exponential(0.2)) < 1_000:
        happenings.append(Happening(at_s, False))
    found = fit(happenings, 1_000, (0.1, 2.0))
    assert sum(found.plain_branching) < 0.12
    assert found.base_rate == pytest.approx(5, rel=0.12)


@assets
def test_a_first_fit_of_a_synthetic_tape_finds_what_it_was_drawn_from(asset: str) -> None:
    model, listed = shipped(asset), contract(f"{asset}USDC")
    found = first_fit(read_tape(synthetic_frames(model, listed, 77, 300), listed), listed, "a synthetic tape")
    assert found.touch.changes_per_s == pytest.approx(model.touch.changes_per_s, rel=0.15)
    assert found.informed.gap_ms == pytest.approx(model.informed.gap_ms, rel=0.5)
    assert drawn(found.order_notional, 0.9) == pytest.approx(drawn(model.order_notional, 0.9), rel=0.4)
    assert drawn(found.informed.ticks, 0.5) == pytest.approx(drawn(model.informed.ticks, 0.5), rel=0.4)
    assert [band.occupied for band in found.depth] == pytest.approx([band.occupied for band in model.depth], abs=0.25)


@assets
def test_the_same_seed_draws_the_same_market(asset: str) -> None:
    first, second, other = (
        list(synthetic_frames(shipped(asset), contract(f"{asset}USDC"), seed, 20)) for seed in (1, 1, 2)
    )
    assert first == second != other
    times = [frame.at_ns for frame in first]
    assert times == sorted(times)
    assert {type(frame) for frame in first} == {BookFrame, DepthFrame, PrintFrame, TickerFrame}


@assets
def test_diffs_lead_to_the_book_that_best_prices_tell(asset: str) -> None:
    sides: dict[bool, dict[int, int]] = {True: {}, False: {}}
    checked = 0
    best: TickerFrame | None = None
    for frame in synthetic_frames(shipped(asset), contract(f"{asset}USDC"), 9, 60):
        match frame:
            case TickerFrame():
                best = frame
            case BookFrame() | DepthFrame():
                for is_bid, levels in ((True, frame.bids), (False, frame.asks)):
                    for price, lots in levels:
                        sides[is_bid][price] = lots
                        if not lots:
                            del sides[is_bid][price]
                if best is not None:
                    assert (best.bid, best.bid_lots) == max(sides[True].items())
                    assert (best.ask, best.ask_lots) == min(sides[False].items())
                    checked += 1
            case _:
                pass
    assert checked > 500


def test_a_model_survives_its_file() -> None:
    assert decode(encode(shipped("BTC")), "file") == shipped("BTC")


@assets
def test_shipped_models_say_where_they_came_from(asset: str) -> None:
    assert "2024-07-18" in shipped(asset).fitted_on
    file = Path(str(importlib.resources.files("configs").joinpath("markets", f"{asset.lower()}.yaml")))
    assert file.read_bytes() == encode(shipped(asset))


def changed(**changes: Any) -> bytes:
    document = msgspec.to_builtins(shipped("BTC"))
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = document
        for folder in folders:
            place = place[folder]
        place[last] = value
    return msgspec.yaml.encode(document)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (changed(price=-1), r"`\$.price`"),
        (changed(unknown=1), "unknown"),
        (changed(arrivals__base_rate=0), r"\$.arrivals.base_rate"),
        (changed(arrivals__decay_s=[1.0]), "not the same length"),
        (changed(arrivals__plain_branching=[0.9, 0.9, 0.9]), "would never end"),
        (changed(sign_memory=[0.7, 0.7]), "sign_memory adds up to more than 1"),
        (changed(informed__memory=[0.7, 0.7]), "informed.memory adds up to more than 1"),
        (changed(pace__spread=3), r"\$.pace.spread"),
        (changed(order_notional=list(range(12, 0, -1))), "order_notional: quantiles must not fall"),
        (changed(informed__ticks=[1.0]), r"\$.informed.ticks"),
        (b"- a list", "object"),
        (b"{", "model.yaml is no model of a market"),
    ],
)
def test_what_is_wrong_in_a_model_is_said_with_its_place(text: bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        decode(text, "model.yaml")


def test_a_model_file_is_for_the_contracts_of_its_asset(tmp_path: Path) -> None:
    file = tmp_path / "btc.yaml"
    file.write_bytes(changed(price=50_000))
    source = open_source(settings(model=str(file)))
    assert source.name == "synthetic, calm, btc.yaml model, seed 1"
    bids = {frame.symbol: frame.bids[-1][0] for frame in source.opening(START_NS) if isinstance(frame, BookFrame)}
    assert bids["BTCUSDC"] == 500_000
    assert bids["ETHUSDC"] == pytest.approx(shipped("ETH").price * 100, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [(None, "cannot be read"), (b"price: 3", "no model"), (changed(tick_size="0.5"), "ticks of 0.5")],
)
def test_a_model_that_cannot_be_used_is_a_sentence(tmp_path: Path, text: bytes | None, reason: str) -> None:
    file = tmp_path / "model.yaml"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(SourceError, match=reason):
        open_source(settings(model=str(file)))


def test_too_little_is_said() -> None:
    listed = contract()

    def short() -> Iterator[Any]:
        yield from list(synthetic_frames(shipped("BTC"), listed, 1, 5))

    with pytest.raises(ValueError, match=r"too few; at least 1,000 and 200"):
        read_tape(short(), listed)
