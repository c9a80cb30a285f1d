"""The page: every row is on it, nothing is loaded from anywhere, and what a run looked like is drawn in its place."""

from __future__ import annotations

import re
from importlib.resources import files

import msgspec
from faulty_ledger import BTC, GONE_AND_BACK, S, filled

from ops.chaos.drawing import drawing
from ops.chaos.matrix import rows
from ops.chaos.measuring import RaisedAlert
from ops.chaos.observing import Scene
from ops.chaos.page import page
from ops.chaos.stage import chaos_settings
from ops.chaos.timeline import NOBODY, AlertAt, GateAt, QuotesAt, StrokeAt, Timeline, timeline_of
from ops.chaos.verdicts import RowRun, judge, not_run
from ops.invariants.history import History, Verdict
from protocols.client_order_id import ClientOrderId
from protocols.messages.journal import EpochBegan, GateChanged
from protocols.values import InstrumentId

OWN = ClientOrderId(install="1", epoch=3, shard=0, symbol_code=0, seq=1).text
SCENE = Scene(
    symbols=(BTC,),
    hurt=(BTC,),
    names=(),
    restarted="",
    lease_ns=S,
    fault_ns=100 * S,
    fault_t=5 * S,
    end_t=10 * S,
    over_t=6 * S,
)
GATE = (
    GateChanged(instrument_id=InstrumentId(f"v:a:{BTC}"), open=True, reason="", changed_ns=90 * S),
    GateChanged(instrument_id=InstrumentId(f"v:a:{BTC}"), open=False, reason="FEED", changed_ns=round(100.4 * S)),
    GateChanged(instrument_id=InstrumentId(f"v:a:{BTC}"), open=True, reason="", changed_ns=102 * S),
)
CHECK = Verdict(name="I1", held=True, checked=1_234, violations=())
BROKEN = Verdict(name="I3", held=False, checked=1, violations=("BTCUSDC: journals say <1>",))


def timeline() -> Timeline:
    ledger = (*GONE_AND_BACK, filled(9, 9, 1))
    own = tuple(
        msgspec.structs.replace(record, client_order_id=OWN) if hasattr(record, "client_order_id") else record
        for record in ledger
    )
    history = History(ledger=own, journals={0: GATE}, instruments={}, install="1")
    alerts = [RaisedAlert(code="FEED_LOST", subject="public", raised_ns=round(100.01 * S), severity="WARNING")]
    return timeline_of(SCENE, history, alerts)


def page_of(*runs: RowRun) -> str:
    known = rows(chaos_settings())
    judged = [judge(known[run.key], run) for run in runs]
    machine = {"processor": "a <fast> one", "cores": 2, "python": "3.11.7"}
    return page([*judged, not_run("22", "", "needs rights")], machine, "abc1234", "body { margin: 0; }")


def test_seconds_are_counted_from_the_fault() -> None:
    seen = timeline()
    assert (seen.from_s, seen.to_s, seen.over_s, seen.back_s) == (-4.0, 5.4, 1.0, None)
    assert seen.quotes == {
        BTC: (QuotesAt(-4.0, 1, 1), QuotesAt(0.2, 0, 1), QuotesAt(0.4, 0, 0), QuotesAt(3.0, 1, 0), QuotesAt(3.5, 1, 1))
    }
    assert seen.gates == {BTC: (GateAt(-4.0, True, ""), GateAt(0.4, False, "FEED"), GateAt(2.0, True, ""))}
    assert seen.fills == {BTC: (4.0,)}
    assert seen.alerts == (AlertAt(0.01, "FEED_LOST", "public", "WARNING"),)


def test_between_two_order_managers_there_is_nobody_and_no_gate() -> None:
    began = EpochBegan(epoch=2, began_ns=103 * S, venue_time_ns=8 * S)
    history = History(ledger=(), journals={0: (*GATE, began)}, instruments={}, install="1")
    gates = timeline_of(SCENE, history, []).gates[BTC]
    assert gates[-2:] == (GateAt(2.0, True, ""), GateAt(2.0, False, NOBODY))


def test_every_row_is_on_the_page_with_its_figures_and_its_reason() -> None:
    shown = page_of(RowRun(key="28", detected_s=0.01, safe_s=0.5, quoting_s=9.0, checks=(CHECK,), timeline=timeline()))
    assert "market sockets reset" in shown and 'href="#row-28"' in shown and 'id="row-28"' in shown
    assert "quoting again: 9.00 s, bound 4.5 s" in shown
    assert "needs rights" in shown
    assert "1,234" in shown


def test_a_broken_check_is_shown_in_its_own_words() -> None:
    shown = page_of(RowRun(key="28", detected_s=0.01, safe_s=0.5, quoting_s=1.0, checks=(BROKEN,)))
    assert "I3 broken: BTCUSDC: journals say &lt;1&gt;" in shown
    assert '<span class="chip failed">FAILED</span>' in shown


def test_nothing_is_loaded_from_anywhere() -> None:
    shown = page_of(RowRun(key="28", checks=(CHECK,), timeline=timeline()))
    assert not re.search(r"<script|<link|src=|url\(|@import|https?://", shown)
    assert "a &lt;fast&gt; one" in shown
    style = files("ops.chaos").joinpath("page.css").read_text("utf-8")
    assert "prefers-color-scheme: dark" in style
    assert not re.search(r"url\(|@import", style)


def test_the_drawing_marks_what_was_noticed_when() -> None:
    picture = drawing(timeline(), RowRun(key="28", safe_s=0.4, quoting_s=3.5))
    assert "<title>safe: 0.40 s</title>" in picture
    assert "<title>quoting: 3.50 s</title>" in picture
    assert "0.40 s: gate shut: FEED" in picture
    assert "FEED_LOST public" in picture
    assert "fill at 4.00 s" in picture


def test_many_strokes_are_drawn_in_the_place_of_one_fault() -> None:
    struck = msgspec.structs.replace(timeline(), strokes=(StrokeAt(1.0, "2", "SIGKILL <x>"),))
    picture = drawing(struck, RowRun(key="for"))
    assert "SIGKILL &lt;x&gt;" in picture
    assert ">fault</text>" not in picture
