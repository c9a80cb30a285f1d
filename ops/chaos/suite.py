"""Rows one after another, each in a process and a folder of its own; nothing of a row is left behind, whatever became of it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec
import psutil

from actors.runtime.ray_cluster import ClusterError, stop_cluster
from actors.runtime.state_dir import StateDir
from ops.chaos.markdown import markdown
from ops.chaos.matrix import NOT_RUN, rows
from ops.chaos.nemesis import Struck
from ops.chaos.page import page
from ops.chaos.rows import Row, order_of
from ops.chaos.stage import ROOT, chaos_settings
from ops.chaos.systems import dealt
from ops.chaos.verdicts import Began, Judged, Outcome, RowRun, checked_in_all, judge, judge_run_for, not_run, passed
from ops.machine import commit, machine

SILENT_S_MAX = 400.0
"""A system starts, a row is played, or a system ends within this; the process of one that says nothing for longer is killed."""

SEED = 1
KEY = "for"


class UnknownRow(Exception):
    """A row was asked for that the matrix does not have, or that this suite does not know."""


def chosen(wanted: Sequence[str] | None) -> list[str]:
    """The keys of the rows to run, in order; all that are known without a choice. A number means all of its variants.

    Raises:
        UnknownRow: with the rows that there are.
    """
    everything = sorted({*rows(chaos_settings()), *NOT_RUN}, key=order_of)
    if wanted is None:
        return everything
    found: dict[str, None] = {}
    for text in wanted:
        fitting = [key for key in everything if text in (key, str(order_of(key)[0]))]
        if not fitting:
            raise UnknownRow(f"row {text} is none of {', '.join(everything)}")
        found.update(dict.fromkeys(fitting))
    return list(found)


def run_rows(keys: Sequence[str], keep: bool, say: Callable[[str], None], alone: bool = False) -> Iterator[Judged]:
    """Play rows and judge them. The folders of failed rows are kept, those of others only with `keep`; `say` is told where.

    Args:
        alone: each row on a system of its own, not several on one.
    """
    known = rows(chaos_settings())
    for key in keys:
        if key not in known:
            yield not_run(key, "", NOT_RUN[key])
    played = [key for key in keys if key in known]
    left: list[tuple[str, ...]] = [(key,) for key in played] if alone else dealt(played)
    while left:
        group = left.pop(0)
        folder = Path(tempfile.mkdtemp(prefix=f"raymaker-chaos-{group[0]}-"))
        try:
            runs = _in_a_process([known[key] for key in group], folder, say)
        finally:
            _clear(folder)
        judged = [judge(known[run.key], run) for run in runs]
        if keep or any(each.outcome is Outcome.FAILED for each in judged):
            say(f"rows {', '.join(group)}: their files are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        yield from judged
        told = {run.key for run in runs}
        if rest := tuple(key for key in group if key not in told):
            left.insert(0, rest)


def run_for(seconds: float, seed: int, keep: bool, say: Callable[[str], None]) -> tuple[Judged, list[Struck]]:
    """Strokes on one system for so long; `say` is told each, and where the files are kept."""
    folder = Path(tempfile.mkdtemp(prefix="raymaker-chaos-for-"))
    command = [sys.executable, "-m", "ops.chaos.run_for", str(seconds), str(folder), str(seed)]
    struck: list[Struck] = []
    last = b""
    try:
        with (folder / "row.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    last = line
                    with contextlib.suppress(msgspec.DecodeError):
                        struck.append(msgspec.json.decode(line, type=Struck))
                        say(_told(struck[-1]))
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
    finally:
        _clear(folder)
    run = _decoded(KEY, last, process.returncode, folder)
    judged = judge_run_for(f"strokes of seed {seed} for {seconds:g} s", run)
    if keep or judged.outcome is Outcome.FAILED:
        say(f"its files are kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return judged, struck


def _told(struck: Struck) -> str:
    back = "did not come back" if struck.back_s is None else f"quoting again {struck.back_s:.1f} s later"
    if struck.halted:
        back = f"HALTED with an alert, resumed, {back}"
    return f"{struck.at_s:6.1f} s  row {struck.stroke.key}: {struck.fault}: {back}"


def write_results(path: Path, judged: Sequence[Judged], took_s: float) -> None:
    """The rows as JSON, with the machine, the commit and how long it took."""
    content = {
        "machine": machine(),
        "commit": commit(),
        "took_s": round(took_s, 1),
        "passed": passed(judged),
        "checked": checked_in_all(judged),
        "rows": msgspec.to_builtins(judged),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def write_page(path: Path, judged: Sequence[Judged]) -> None:
    """The rows as a page of HTML."""
    style = files("ops.chaos").joinpath("page.css").read_text("utf-8")
    path.write_text(page(judged, machine(), commit(), style), "utf-8")


def write_markdown(path: Path, judged: Sequence[Judged], took_s: float) -> None:
    """The rows as a table in Markdown."""
    path.write_text(markdown(judged, machine(), commit(), took_s), "utf-8")


def _in_a_process(group: Sequence[Row], folder: Path, say: Callable[[str], None]) -> list[RowRun]:
    """What became of the rows of one system, up to the one after which it could not go on; of one row at least.

    Where the process itself ends without a word on them, the row that it was at has failed, and the others are to be played again.
    """
    command = [sys.executable, "-m", "ops.chaos.run", ",".join(row.key for row in group), str(folder), str(SEED)]
    runs: list[RowRun] = []
    last = group[0]
    with (folder / "row.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        overdue = _ending(process)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                overdue.cancel()
                overdue = _ending(process)
                match _told_by(line):
                    case Began(key=key):
                        last = next(row for row in group if row.key == key)
                        say(f"row {key}: {last.fault}")
                    case RowRun() as run:
                        runs.append(run)
                    case None:
                        pass
            process.wait()
        finally:
            overdue.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
    if not runs:
        said = (folder / "row.log").read_text(errors="replace").strip().splitlines()
        failure = f"its process ended with {process.returncode}: {said[-1] if said else 'it said nothing'}"
        runs = [RowRun(key=last.key, failures=(failure,))]
    return runs


def _ending(process: subprocess.Popen[bytes]) -> threading.Timer:
    """Kills it unless it says something before."""
    overdue = threading.Timer(SILENT_S_MAX, process.kill)
    overdue.start()
    return overdue


def _told_by(line: bytes) -> Began | RowRun | None:
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(line, type=Began | RowRun)
    return None


def _decoded(key: str, line: bytes, code: int, folder: Path) -> RowRun:
    try:
        return msgspec.json.decode(line, type=RowRun)
    except msgspec.DecodeError:
        said = (folder / "row.log").read_text(errors="replace").strip().splitlines()
        text = said[-1] if said else "it said nothing"
        return RowRun(key=key, failures=(f"its process ended with {code}: {text}",))


def _clear(folder: Path) -> None:
    """End what a row that did not end by itself has left: its Ray, and its venue."""
    for state in ("state", "other-node"):
        try:
            stop_cluster(StateDir(folder / state))
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
