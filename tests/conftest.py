"""What every test shares: nothing but loopback is reached, properties repeat, and absent data is counted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loopback_guard
import pytest
from hypothesis import HealthCheck, settings

# The same examples on every run and on no clock: a busy machine must not fail a law.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Guard this process and, through the environment, every Python process that a test starts."""
    record, path = tempfile.mkstemp(prefix="stray-connections-")
    os.close(record)
    os.environ[loopback_guard.STRAY_FILE] = path
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    loopback_guard.install()


def pytest_unconfigure(config: pytest.Config) -> None:
    Path(os.environ.pop(loopback_guard.STRAY_FILE)).unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def only_loopback() -> Iterator[Path]:
    """Fail the test in which this process or a child was about to reach another machine; gives the file that says so."""
    record = Path(os.environ[loopback_guard.STRAY_FILE])
    yield record
    if record.stat().st_size:
        strays = record.read_text(encoding="utf-8")
        os.truncate(record, 0)
        pytest.fail(f"tests may reach loopback only:\n{strays}")


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Say how many tests were skipped for want of the shared data."""
    skipped = terminalreporter.stats.get("skipped", [])
    absent = [report for report in skipped if "shared data is absent" in str(report.longrepr)]
    terminalreporter.write_line(f"shared data: {len(absent)} tests skipped for want of it")
