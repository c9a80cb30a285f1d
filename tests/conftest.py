"""Fixtures and the summary line that every test shares."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Say how many tests were skipped for want of the shared data."""
    skipped = terminalreporter.stats.get("skipped", [])
    absent = [report for report in skipped if "shared data is absent" in str(report.longrepr)]
    terminalreporter.write_line(f"shared data: {len(absent)} tests skipped for want of it")
