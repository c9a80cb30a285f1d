"""After a run: the flight recordings of its actors are flown again, and every answer must be the same, byte for byte."""

from __future__ import annotations

from actors.runtime.flight_recording import RecordingError, recordings
from actors.runtime.state_dir import StateDir
from ops.flight_replay import fly
from ops.invariants.history import Verdict

RECORDED = ("order_manager", "strategy", "risk_monitor")
"""Roles that are recorded in every run of the suite."""

NAME = "recordings"


def check_flights(state: StateDir) -> Verdict:
    """Fly the newest recording of every actor that has one; messages are what is counted."""
    names = sorted({path.name.split(".")[0] for path in state.recordings.glob("*.flight")})
    checked, violations = 0, []
    for name in names:
        try:
            flown = fly(recordings(state.recordings, name)[-1])
        except RecordingError as error:
            violations.append(str(error))
            continue
        checked += flown.messages
        if flown.difference:
            violations.append(f"{name}: {flown.difference}")
    return Verdict(name=NAME, held=not violations, checked=checked, violations=tuple(violations))
