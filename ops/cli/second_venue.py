"""A second simulated venue beside a demo, so that paper trading can be seen without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ops.cli.outcome import bad_usage

SIMULATED = "simulated"
START_S_MAX = 30.0
END_S_MAX = 10.0
_LISTENS = "listens on "
_COMMAND = "from ops.cli.main import main; main()"


@contextmanager
def second_venue(ledger: Path, options: list[str]) -> Iterator[str]:
    """The address of a simulated venue in a process of its own, for as long as the block lasts.

    It is in a session of its own, so that a Ctrl-C that ends the demo reaches it last, and it ends with us however we end.

    Raises:
        CommandFailed: bad usage; it did not come up.
    """
    from actors.runtime.ray_cluster import ending_with

    command = [sys.executable, "-c", _COMMAND, "exchange", "--port", "0", "--ledger", str(ledger), *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=ending_with(os.getpid()),
    )
    assert process.stdout is not None
    gives_up = threading.Timer(START_S_MAX, process.kill)
    gives_up.start()
    try:
        address, said = _address(process.stdout)
        gives_up.cancel()
        if not address:
            raise bad_usage(f"the second simulated venue did not come up: {said or 'it said nothing'}")
        reader = threading.Thread(target=process.stdout.read, daemon=True)
        reader.start()
        yield address
    finally:
        gives_up.cancel()
        process.terminate()
        try:
            process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(lines: IO[str]) -> tuple[str, str]:
    """Where it listens; nothing, and the last it said, when it ended instead."""
    said = ""
    for line in lines:
        said = line.strip()
        if _LISTENS in said:
            return said.partition(_LISTENS)[2].split()[0], said
    return "", said
