"""`raymaker chaos` without a system: what it refuses, what it says of rows that it cannot run, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from faulty_ledger import QUOTED, accepted
from typer.testing import CliRunner

from actors.exchange.ledger import encode
from ops.chaos.matrix import NOT_RUN, rows
from ops.chaos.rows import order_of
from ops.chaos.run import LIMITS
from ops.chaos.stage import LedgerTail, Stage, chaos_settings
from ops.chaos.suite import run_rows, write_results
from ops.chaos.verdicts import Outcome, RowRun, judge
from ops.cli.app import app
from ops.invariants.history import Verdict


def ran(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["chaos", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--rows", "1,two"), "raymaker: --rows 1,two is not a list of rows like 1,2,30b.\n"),
        (("--rows", "99"), "raymaker: row 99 is none of 1, 2, 3, 3b, 4"),
        (("--rows", "1", "--for", "10m"), "raymaker: --for draws its own rows: leave out --rows.\n"),
        (("--for", "10"), "raymaker: --for 10 is not a time like 90s, 10m or 1h, of at most a day.\n"),
        (("--for", "25h"), "raymaker: --for 25h is not a time like 90s, 10m or 1h, of at most a day.\n"),
        (("--page", "/nowhere/a.html"), "raymaker: the folder of --page /nowhere/a.html does not exist.\n"),
        (("--json", "/nowhere/chaos.json"), "raymaker: the folder of --json /nowhere/chaos.json does not exist.\n"),
    ],
)
def test_bad_usage_is_refused_before_anything_starts(arguments: tuple[str, ...], sentence: str) -> None:
    code, out, err = ran(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(sentence)


def test_rows_that_cannot_run_are_told_and_never_a_success(tmp_path: Path) -> None:
    file = tmp_path / "chaos.json"
    code, out, err = ran("--rows", ",".join(NOT_RUN), "--json", str(file))
    assert code == 4
    assert err.endswith("raymaker: no row could be run.\n")
    assert [f"row {key}: {why}" in out for key, why in NOT_RUN.items()] == [True] * len(NOT_RUN)
    written = json.loads(file.read_text())
    assert written["passed"] is False
    assert [(row["key"], row["outcome"]) for row in written["rows"]] == [
        (key, "not run") for key in sorted(NOT_RUN, key=order_of)
    ]
    assert set(written) == {"machine", "commit", "took_s", "passed", "checked", "rows"}


def test_the_results_on_file_hold_bounds_figures_and_checks(tmp_path: Path) -> None:
    check = Verdict(name="I1", held=True, checked=5, violations=())
    run = RowRun(key="2", detected_s=0.1, safe_s=1.0, quoting_s=4.0, checks=(check,), notes=("seen",))
    judged = judge(rows(chaos_settings())["2"], run)
    write_results(tmp_path / "chaos.json", [judged], took_s=3.0)
    written = json.loads((tmp_path / "chaos.json").read_text())
    assert written["passed"] is True
    assert written["checked"] == {"I1": 5}
    assert written["rows"][0]["outcome"] == "passed"
    assert written["rows"][0]["bounds"] == {"detected_s": 0.5, "safe_s": 2.5, "quoting_s": 9.25}
    assert written["rows"][0]["run"]["safe_s"] == 1.0


def test_a_row_that_is_not_run_starts_nothing() -> None:
    said: list[str] = []
    assert [each.outcome for each in run_rows([next(iter(NOT_RUN))], keep=False, say=said.append)] == [Outcome.NOT_RUN]
    assert said == []


def test_a_ledger_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    tail = LedgerTail(path)
    assert tail.read() == []
    first, second = (encode(record) for record in QUOTED)
    with path.open("ab") as file:
        file.write(first + second[:30])
        file.flush()
        assert tail.read() == [QUOTED[0]]
        file.write(second[30:] + encode(accepted(3, 3, "BUY")))
    assert tail.read() == [*QUOTED, accepted(3, 3, "BUY")]


@pytest.mark.parametrize("changes", [{}, LIMITS])
def test_the_configuration_of_a_row_is_the_demos_on_a_venue_of_its_own(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    settings = Stage(tmp_path, seed=1).settings(changes)
    assert settings.exchange is None
    assert settings.symbols == ("BTCUSDC", "ETHUSDC")
    assert settings.venue.rest_url == "http://127.0.0.1:0"
    assert json.loads((tmp_path / "chaos.yaml").read_text())["name"] == "chaos"
    tolerance = 0.0 if changes else chaos_settings().order_manager.price_tolerance_bps
    assert settings.order_manager.price_tolerance_bps == tolerance
