"""A capture that starts again jumps back in price: nobody can trade on both sides of the jump, and ids and times go on."""

from __future__ import annotations

from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from account_samples import instrument
from capture_lines import EVENT_MS, price, stamped, streamed
from venue_makers import Desk, Mids, both_touches, generous, profit, trade_by
from venue_rig import ACCOUNT, START_NS, contract

from actors.exchange import ledger
from actors.exchange.errors import VenueRefusal
from actors.exchange.frames import Frame, SeamFrame, TickerFrame
from actors.exchange.orders import OrderRequest
from actors.exchange.sources import open_source
from actors.exchange.venue import Venue
from ops.invariants.history import History
from ops.report import build_report

CALM_TICKS, JUMP_TICKS = 640_000, 5_000
LOOPS = 3


def rising_capture(mark: str | None = None) -> bytes:
    """Twenty steps up, JUMP_TICKS in all, with sells and buys at the touch in between: a loop falls back by all of it."""
    bid = CALM_TICKS
    book = {"lastUpdateId": 1, "T": EVENT_MS, "bids": [[price(bid), "1.000"]], "asks": [[price(bid + 1), "1.000"]]}
    lines = [stamped(0, book)]
    for step in range(1, 21):
        bid, at_ms = CALM_TICKS + step * JUMP_TICKS // 20, step * 200
        best = {"b": price(bid), "B": "1.000", "a": price(bid + 1), "A": "1.000"}
        lines.append(streamed(at_ms, "bookTicker", e="bookTicker", u=step + 1, **best))
        for after_ms, side in ((60, True), (90, False)):
            at = price(bid if side else bid + 1)
            lines.append(streamed(at_ms + after_ms, "trade", e="trade", t=step, p=at, q="1.005", X="MARKET", m=side))
        if mark is not None:
            lines.append(streamed(at_ms + 95, "markPrice@1s", e="markPriceUpdate", p=mark, i=mark, r="0.0001"))
    return b"".join(lines)


def looped(tmp_path: Path, capture: bytes) -> list[Frame]:
    """LOOPS passes over a capture, the last with its seam."""
    path = tmp_path / "looped.txt"
    path.write_bytes(capture)
    source = open_source(generous(source=str(path)))
    opening = source.opening(START_NS)
    endless = source.frames(START_NS)
    passes = list(takewhile(lambda frame: not (isinstance(frame, SeamFrame) and frame.loop == LOOPS), endless))
    return [*opening, *passes, SeamFrame(passes[-1].at_ns + 1, LOOPS)]


def buys_and_holds(desk: Desk, frame: Frame) -> None:
    """Hold what the last seconds before the seam are bought for, so that the fall at the seam would hurt and the rise please."""
    desk.want("BUY", desk.best("BUY"))


def sells_and_holds(desk: Desk, frame: Frame) -> None:
    """Hold a short position over the seam: the fall back to the start would be its gain."""
    desk.want("SELL", desk.best("SELL"))


def traded(rule: Any, frames: list[Frame]) -> Desk:
    frames = [frame for frame in frames if not isinstance(frame, SeamFrame) or frame.loop <= LOOPS]
    return trade_by(rule, frames, contract("BTCUSDT"), generous(order_latency_ms=2), lots=10)


def seams(desk: Desk) -> list[ledger.SeamClosed]:
    return [record for record in desk.records if isinstance(record, ledger.SeamClosed)]


@pytest.mark.parametrize("rule", [buys_and_holds, sells_and_holds, both_touches])
def test_each_pass_is_worth_the_same_and_nothing_comes_of_the_jump(tmp_path: Path, rule: Any) -> None:
    frames = looped(tmp_path, rising_capture())
    desk = traded(rule, frames)
    worth, wallets = [], [Decimal("1000000000")]
    for record in desk.records:
        if isinstance(record, ledger.SeamClosed):
            wallets.append(record.wallet_after)
            worth.append(wallets[-1] - wallets[-2])
    if rule is both_touches:
        assert all(gained <= 0 for gained in worth)
        return
    assert len(worth) == LOOPS
    assert len(set(worth)) == 1
    assert (worth[0] > 0) == (rule is buys_and_holds), "the recorded rise is the buyer's, the jump back nobody's"


def test_positions_close_at_the_mid_before_the_jump_rounded_against_their_owner(tmp_path: Path) -> None:
    frames = looped(tmp_path, rising_capture())
    last = [frame for frame in frames if isinstance(frame, TickerFrame)][-1]
    long, short = traded(buys_and_holds, frames), traded(sells_and_holds, frames)
    assert {record.price for record in seams(long)} == {Decimal(last.bid) / 10}
    assert {record.price for record in seams(short)} == {Decimal(last.ask) / 10}
    assert {record.position_after for record in [*seams(long), *seams(short)]} == {Decimal(0)}


def test_a_mark_price_away_from_the_mid_pays_nobody_at_the_seam(tmp_path: Path) -> None:
    plain = traded(sells_and_holds, looped(tmp_path, rising_capture()))
    marked = traded(sells_and_holds, looped(tmp_path, rising_capture(mark="60000.00000000")))
    assert [record.price for record in seams(marked)] == [record.price for record in seams(plain)]


def test_no_order_survives_the_seam_and_none_is_taken_before_the_new_book(tmp_path: Path) -> None:
    frames = looped(tmp_path, rising_capture())
    venue = Venue(generous(), [contract("BTCUSDT")], START_NS)
    account = venue.account(ACCOUNT)
    place: dict[str, Any] = {"symbol": "BTCUSDT", "type": "LIMIT", "reduce_only": False, "lots": 10}
    refusals = 0
    for count, frame in enumerate(frames):
        venue.apply(frame)
        if isinstance(frame, SeamFrame):
            assert not account.live
            for side, kind in (("BUY", "GTC"), ("SELL", "IOC")):
                with pytest.raises(VenueRefusal) as refused:
                    request = OrderRequest(
                        side=side, time_in_force=kind, price_ticks=CALM_TICKS, client_order_id=f"{side}{count}", **place
                    )
                    venue.place(account, request)
                assert refused.value.code == -4140
                refusals += 1
        elif venue.markets["BTCUSDT"].is_open and not account.live:
            request = OrderRequest(
                side="BUY", time_in_force="GTX", price_ticks=CALM_TICKS - 100, client_order_id=f"rest{count}", **place
            )
            venue.place(account, request)
    assert refusals == 2 * LOOPS


def test_ids_and_times_keep_growing_over_the_seams(tmp_path: Path) -> None:
    desk = traded(both_touches, looped(tmp_path, rising_capture()))
    records = [record for record in desk.records if isinstance(record, ledger.OrderFilled | ledger.SeamClosed)]
    loops = [record.loop for record in records if isinstance(record, ledger.SeamClosed)]
    assert loops == sorted(set(loops))
    for numbers in ([record.t for record in records], [record.trade_id for record in records]):
        assert numbers == sorted(numbers)
    assert len({record.trade_id for record in records}) == len(records)
    assert len({record.order_id for record in records if isinstance(record, ledger.SeamClosed)}) == len(loops)


def test_a_loss_that_is_held_until_the_seam_stays_in_the_report(tmp_path: Path) -> None:
    frames = looped(tmp_path, rising_capture())
    desk = traded(sells_and_holds, frames)
    mids = Mids(frames, "BTCUSDT", 0.1)
    report = build_report(
        History(
            ledger=tuple(desk.records),
            journals={},
            instruments={"BTCUSDT": instrument()},
            install="1",
            claimed_positions={},
        )
    )
    gross = float(report["symbols"]["BTCUSDT"]["pnl"]["gross"])
    assert gross < 0
    assert gross == pytest.approx(profit(desk, mids.mids[-1]))
