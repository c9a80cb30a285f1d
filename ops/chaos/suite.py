"""Rows one after another, each in a process and a folder of its own; nothing of a row is left behind, whatever became of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import psutil

from actors.runtime.ray_cluster import ClusterError, stop_cluster
from actors.runtime.state_dir import StateDir
from ops.chaos.rows import NOT_RUN, Row, rows
from ops.chaos.stage import ROOT, chaos_settings
from ops.chaos.verdicts import Judged, Outcome, RowRun, checked_in_all, judge, not_run, passed
from ops.machine import commit, machine

ROW_S_MAX = 180.0
SEED = 1


class UnknownRow(Exception):
    """A row was asked for that the matrix does not have, or that this suite does not know."""


def chosen(numbers: Sequence[int] | None) -> list[int]:
    """The rows to run, in order; all that are known without a choice.

    Raises:
        UnknownRow: with the rows that there are.
    """
    known = rows(chaos_settings())
    everything = sorted({*known, *NOT_RUN})
    strangers = [number for number in numbers or () if number not in everything]
    if strangers:
        raise UnknownRow(f"row {strangers[0]} is none of {', '.join(map(str, everything))}")
    return everything if numbers is None else list(dict.fromkeys(numbers))


def run_rows(numbers: Sequence[int], keep: bool, say: Callable[[str], None]) -> Iterator[Judged]:
    """Play rows and judge them. The folders of failed rows are kept, those of others only with `keep`; `say` is told where."""
    known = rows(chaos_settings())
    for number in numbers:
        if number not in known:
            yield not_run(number, "", NOT_RUN[number])
            continue
        row = known[number]
        say(f"row {number}: {row.fault}")
        folder = Path(tempfile.mkdtemp(prefix=f"raymaker-chaos-{number}-"))
        try:
            judged = judge(row, _in_a_process(row, folder))
        finally:
            _clear(folder)
        if keep or judged.outcome is Outcome.FAILED:
            say(f"row {number}: its files are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        yield judged


def write_results(path: Path, judged: Sequence[Judged]) -> None:
    """The rows as JSON, with the machine and the commit."""
    content = {
        "machine": machine(),
        "commit": commit(),
        "passed": passed(judged),
        "checked": checked_in_all(judged),
        "rows": msgspec.to_builtins(judged),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _in_a_process(row: Row, folder: Path) -> RowRun:
    command = [sys.executable, "-m", "ops.chaos.run", str(row.number), str(folder), str(SEED)]
    with (folder / "row.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=ROW_S_MAX)
        except subprocess.TimeoutExpired:
            return RowRun(number=row.number, failures=(f"it did not end within {ROW_S_MAX:.0f} s",))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    try:
        return msgspec.json.decode(output.strip().splitlines()[-1] if output.strip() else b"", type=RowRun)
    except msgspec.DecodeError:
        said = (folder / "row.log").read_text(errors="replace").strip().splitlines()
        text = said[-1] if said else "it said nothing"
        return RowRun(number=row.number, failures=(f"its process ended with {process.returncode}: {text}",))


def _clear(folder: Path) -> None:
    """End what a row that did not end by itself has left: its Ray, and its venue."""
    try:
        stop_cluster(StateDir(folder / "state"))
    except ClusterError as error:
        print(error, file=sys.stderr)
    pid_file = folder / "venue.pid"
    if pid_file.exists():
        _end_venue(int(pid_file.read_text("ascii")), folder)


def _end_venue(pid: int, folder: Path) -> None:
    try:
        process = psutil.Process(pid)
        if any(str(folder) in part for part in process.cmdline()):
            process.kill()
    except psutil.NoSuchProcess:
        return
