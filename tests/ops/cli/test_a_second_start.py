"""A second start on one state directory: one sentence, and nothing heavy is loaded for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from actors.runtime.ray_cluster import take_lock
from actors.runtime.state_dir import StateDir
from configs.keys import write_key_file
from configs.loading import with_changes
from ops.chaos.stage import ROOT, chaos_settings

PROGRAM = """
import sys
sys.argv = ["raymaker", "up", "--config", sys.argv[1], "--state", sys.argv[2]]
from ops.cli.main import main
try:
    main()
finally:
    print("ray was imported" if "ray" in sys.modules else "ray was not imported")
"""


def test_it_is_refused_before_ray_is_imported(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state").create()
    keys, config = tmp_path / "keys", tmp_path / "config.yaml"
    write_key_file(keys, "key", "secret")
    venue = {"keys": {"file": str(keys), "kind": "hmac"}}
    config.write_text(with_changes(chaos_settings(), {"exchange": None, "venue": venue}, "test").model_dump_json())
    lock = take_lock(state)
    try:
        command = [sys.executable, "-c", PROGRAM, str(config), str(state.path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    finally:
        os.close(lock)
    assert (done.returncode, done.stdout) == (2, "ray was not imported\n")
    assert "a system is running on" in done.stderr
