"""One actor's log: JSON lines, bounded, without what libraries say of URLs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import logging, sys
from pathlib import Path
from actors.runtime.logs import open_log
from configs.schema import LogSettings
log = open_log(Path(sys.argv[1]) / "a.jsonl", "a", LogSettings(file_bytes_max=65_536, files_max=3))
logging.getLogger("httpx").info("POST https://x/order?signature=SECRET")
logging.getLogger("asyncio").error("a task %s", "failed")
log.debug("below the level")
log.info("text with {braces}")
if sys.argv[2] == "many":
    for number in range(2_000):
        log.info("line {}", number)
"""


def run(folder: Path, how: str) -> list[Path]:
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", SCRIPT, str(folder), how], check=True, cwd=root)
    return sorted(folder.glob("a*.jsonl"))


def test_lines_are_json_and_say_nothing_of_urls(tmp_path: Path) -> None:
    (file,) = run(tmp_path, "few")
    lines = [json.loads(line)["record"]["message"] for line in file.read_text().splitlines()]
    assert lines == ["asyncio: a task failed", "text with {braces}"]


def test_files_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    files = run(tmp_path, "many")
    assert 1 < len(files) <= 3
    assert all(file.stat().st_size <= 65_536 for file in files)
    newest = (tmp_path / "a.jsonl").read_text().splitlines()[-1]
    assert json.loads(newest)["record"]["message"] == "line 1999"
