"""`python -m ops.chaos.run_for SECONDS FOLDER SEED`: strokes on one live system until the time is over.

Prints a line of JSON for each stroke, and one for the whole run at the end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil

from ops.chaos import faults
from ops.chaos.comparing import differences
from ops.chaos.injections import inject
from ops.chaos.live import Live, Told, alerts_of, ended, verdict
from ops.chaos.matrix import rows
from ops.chaos.measuring import first_alert, quotes_now
from ops.chaos.nemesis import RETURN_S_MAX, Nemesis, Stroke, Struck, check_came_back
from ops.chaos.proxy.handle import ProxyFailed
from ops.chaos.proxy.notes import Note
from ops.chaos.proxy.rules import Effect, Way
from ops.chaos.rows import Row
from ops.chaos.run import THROTTLE_MS
from ops.chaos.stage import Stage, StageFailed, chaos_settings
from ops.chaos.stranger import is_strangers
from ops.chaos.timeline import StrokeAt, timeline_of
from ops.chaos.verdicts import RowRun
from ops.invariants.all import check_all
from ops.invariants.history import Verdict
from ops.launch import Ending, LaunchFailed, RayHostError, launch, shut_down, status_of, wait_until_quoting
from ops.preparation import prepare
from ops.report import live_order_ids
from ops.run_files import read_history
from protocols.messages.alerts import AlertCode
from protocols.messages.control import SystemStatus

STATUS_S_MAX = 30.0
STEADY_S = 2.0
KEY = "for"


class Strokes:
    """Strikes one live system again and again."""

    def __init__(self, live: Live, nemesis: Nemesis, known: dict[str, Row]) -> None:
        self._live = live
        self._nemesis = nemesis
        self._rows = known
        self._began = time.monotonic()
        self.struck: list[Struck] = []
        self.checks: list[Verdict] = []

    def strike_for(self, seconds: float) -> None:
        """Until the time is over, or the system does not come back."""
        self._began = time.monotonic()
        while time.monotonic() - self._began < seconds:
            stroke = self._nemesis.draw()
            self._live.wait(stroke.pause_s)
            struck = self._strike(stroke)
            self.struck.append(struck)
            print(msgspec.json.encode(struck).decode(), flush=True)
            if struck.back_s is None:
                return

    def _strike(self, stroke: Stroke) -> Struck:
        live, row = self._live, self._rows[stroke.key]
        at_s, at_ns = time.monotonic() - self._began, time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        fault = row.fault
        try:
            told = inject(row, live, self._status())
        except (LookupError, psutil.Error) as error:
            return Struck(stroke=stroke, at_s=round(at_s, 1), fault=f"{fault}: it found nobody ({error})", back_s=0.0)
        if stroke.second:
            second = self._rows[stroke.second]
            fault = f"{fault}; then {second.fault}"
            live.wait(stroke.second_after_s)
            faults.kill([actor.pid for actor in self._status().actors if actor.role in second.victims and actor.pid])
        live.proxy.rules()
        self.checks += [check for check in told.checks if not check.held and check.name not in _CHANCE]
        struck_s = time.monotonic()
        back = live.wait(RETURN_S_MAX, lambda: self._quotes() or self._given_up(at_ns))
        halted = self._given_up(at_ns)
        if halted:
            output, code = ended(live.stage.raymaker("resume", "--state", str(live.state.path)))
            self.checks += [] if code == 0 else [verdict("the resume", False, output)]
            back = live.wait(RETURN_S_MAX, self._quotes)
        return Struck(
            stroke=stroke,
            at_s=round(at_s, 1),
            fault=fault,
            back_s=round(time.monotonic() - struck_s, 2) if back else None,
            halted=halted,
        )

    def _given_up(self, since_ns: int) -> bool:
        """A shard that died too often is HALTED with an alert, and a person resumes it."""
        return first_alert(self._live.alerts(), (AlertCode.RESTART_INTENSITY,), (), since_ns) is not None

    def _quotes(self) -> bool:
        """Every symbol rests on both sides, and did so STEADY_S ago and since."""
        deadline = time.monotonic() + STEADY_S
        while quotes_now(self._live.ledger(), self._live.is_ours, self._live.settings.symbols):
            if time.monotonic() > deadline:
                return True
            self._live.wait(0.1)
        return False

    def _status(self) -> SystemStatus:
        """The supervisor may be on its way back."""
        deadline = time.monotonic() + STATUS_S_MAX
        while True:
            try:
                return status_of(self._live.client)
            except RayHostError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


_CHANCE = ("the fault", "the strike")
"""Checks of whether a fault found what it was for: in a run of chance it need not."""


def play_for(seconds: float, folder: Path, seed: int) -> RowRun:
    """The whole run.

    Raises:
        StageFailed, LaunchFailed, ProxyFailed: there was nothing to play on.
    """
    known = rows(chaos_settings())
    with Stage(folder, seed) as stage:
        stage.start_venue()
        stage.start_proxy()
        settings = prepare(stage.settings({"alerting": {"throttle_ms": THROTTLE_MS}}), stage.state)
        live = Live(stage, settings, launch(settings, stage.state, _silent))
        strokes = Strokes(live, Nemesis(known, seed), known)
        told = Told(scene=live.scene(known["1"], ()), checks=[], notes=[])
        try:
            wait_until_quoting(live.client, settings, _silent, lambda: False)
            live.await_quotes()
            told.scene = live.scene(known["1"], ())
            strokes.strike_for(seconds)
            told.scene = msgspec.structs.replace(told.scene, end_t=time.time_ns())
        finally:
            live.proxy.rules()
            ending = shut_down(live.client, stage.state, settings, _silent)
        withheld = _withheld(live.proxy.notes())
    return _run_of(stage, told, strokes, ending, withheld)


def _withheld(notes: Sequence[Note]) -> set[str]:
    """The orders and trades of events that the proxy dropped or damaged."""
    lost = [note for note in notes if note.way is Way.PRIVATE and note.effect in (Effect.DROP, Effect.DAMAGE)]
    return {note.order for note in lost} | {f"trade {note.trade_id}" for note in lost if note.trade_id}


def _run_of(stage: Stage, told: Told, strokes: Strokes, ending: Ending, withheld: set[str]) -> RowRun:
    history = read_history(stage.state, stage.ledger)
    left = len(live_order_ids(record for record in history.ledger if not is_strangers(record)))
    timeline = timeline_of(told.scene, history, alerts_of(stage.state))
    marks = tuple(StrokeAt(each.at_s, each.stroke.key, each.fault) for each in strokes.struck)
    return RowRun(
        key=KEY,
        checks=(
            *check_all(history),
            check_came_back(strokes.struck),
            *strokes.checks,
            verdict("no order at the end", left == 0 and ending.confirmed, f"{left} live: {ending.text}"),
        ),
        notes=(
            f"{len(strokes.struck)} strokes",
            differences(history.ledger, history.journals, withheld).text,
        ),
        timeline=msgspec.structs.replace(timeline, strokes=marks, alerts=()),
    )


def _silent(text: str) -> None:
    """Progress is told by strokes."""


def main(arguments: list[str]) -> int:
    """Play; 0 when it could be played, whatever was seen."""
    seconds, folder, seed = float(arguments[0]), Path(arguments[1]), int(arguments[2])
    try:
        run = play_for(seconds, folder, seed)
    except (StageFailed, LaunchFailed, ProxyFailed, RayHostError) as error:
        run = RowRun(key=KEY, failures=(str(error),))
    print(msgspec.json.encode(run).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
