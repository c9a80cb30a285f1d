"""Rows one after another, each in a process and a folder of its own; nothing of a row is left behind, whatever became of it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec
import psutil

from actors.runtime.ray_cluster import ClusterError, stop_cluster
from actors.runtime.state_dir import StateDir
from ops.chaos.matrix import NOT_RUN, rows
from ops.chaos.nemesis import Struck
from ops.chaos.page import page
from ops.chaos.rows import Row, order_of
from ops.chaos.stage import ROOT, chaos_settings
from ops.chaos.verdicts import Judged, Outcome, RowRun, checked_in_all, judge, judge_run_for, not_run, passed
from ops.machine import commit, machine

ROW_S_MAX = 180.0
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


def run_rows(keys: Sequence[str], keep: bool, say: Callable[[str], None]) -> Iterator[Judged]:
    """Play rows and judge them. The folders of failed rows are kept, those of others only with `keep`; `say` is told where."""
    known = rows(chaos_settings())
    for key in keys:
        if key not in known:
            yield not_run(key, "", NOT_RUN[key])
            continue
        row = known[key]
        say(f"row {key}: {row.fault}")
        folder = Path(tempfile.mkdtemp(prefix=f"raymaker-chaos-{key}-"))
        try:
            judged = judge(row, _in_a_process(row, folder))
        finally:
            _clear(folder)
        if keep or judged.outcome is Outcome.FAILED:
            say(f"row {key}: its files are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        yield judged


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


def write_page(path: Path, judged: Sequence[Judged]) -> None:
    """The rows as a page of HTML."""
    style = files("ops.chaos").joinpath("page.css").read_text("utf-8")
    path.write_text(page(judged, machine(), commit(), style), "utf-8")


def _in_a_process(row: Row, folder: Path) -> RowRun:
    command = [sys.executable, "-m", "ops.chaos.run", row.key, str(folder), str(SEED)]
    with (folder / "row.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=ROW_S_MAX)
        except subprocess.TimeoutExpired:
            return RowRun(key=row.key, failures=(f"it did not end within {ROW_S_MAX:.0f} s",))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return _decoded(row.key, output.strip().splitlines()[-1] if output.strip() else b"", process.returncode, folder)


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
