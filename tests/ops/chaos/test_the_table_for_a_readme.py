"""The table in Markdown: a line per row played, with figures, bounds and reasons; the others are named."""

from __future__ import annotations

from ops.chaos.markdown import markdown
from ops.chaos.matrix import rows
from ops.chaos.stage import chaos_settings
from ops.chaos.verdicts import RowRun, judge, not_run
from ops.invariants.history import Verdict

ROWS = rows(chaos_settings())
MACHINE = {"processor": "a processor", "cores": 2, "memory_gb": 8.0, "python": "3.11.7"}
HELD = Verdict(name="I1", held=True, checked=1_005, violations=())
BROKEN = Verdict(name="I3", held=False, checked=2, violations=("a | b",))


def test_passed_late_failed_and_absent_rows_are_all_told() -> None:
    passed = judge(ROWS["1"], RowRun(key="1", detected_s=0.011, safe_s=0.2, quoting_s=1.0, whole=(HELD,)))
    late = judge(ROWS["2"], RowRun(key="2", detected_s=0.6, safe_s=1.0, quoting_s=4.0, whole=(HELD,), after=("1",)))
    failed = judge(ROWS["5"], RowRun(key="5", detected_s=0.1, quoting_s=1.0, checks=(BROKEN,), after=("1", "2")))
    text = markdown([passed, late, failed, not_run("35", "", "elsewhere")], MACHINE, "abc", took_s=125.0)
    assert text.splitlines() == [
        "a processor, 2 cores, 8.0 GB, Python 3.11.7, commit abc; 3 rows in 2 min: 1 passed, 1 late, 1 FAILED. "
        "Seconds after the fault, bounds in brackets.",
        "",
        "| row | fault | detected | safe | quoting again | |",
        "|---|---|---|---|---|---|",
        "| 1 | SIGKILL market data | 0.01 (0.5) | 0.20 (0.6) | 1.00 (5) | passed |",
        "| 2 | SIGKILL order manager | 0.60 (0.5) | 1.00 (2.5) | 4.00 (9.25) | late: detected: 0.60 s, bound 0.5 s |",
        "| 5 | SIGKILL risk monitor | 0.10 (0.5) | not seen | 1.00 (5) | FAILED: safe: not seen; I3 broken: a \\| b |",
        "",
        "Looks of the checks: I1 1,005, I3 2.",
        "",
        "Not played: 35.",
    ]
