"""`raymaker`: the entry point. An emergency stop writes its file here, with the standard library alone, before anything is imported."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from actors.runtime.precedence import go_first
from actors.runtime.shut import write_stop_file

EMERGENCY_STOP = "emergency-stop"


def main() -> None:
    """Run the command of the command line."""
    shut_first(sys.argv[1:], os.environ.get("RAYMAKER_STATE") or "state")
    if sys.argv[1:2] == [EMERGENCY_STOP]:
        go_first()
    from ops.cli.app import app

    code: int | str | None = 1
    try:
        app()
        code = 0
    except SystemExit as end:
        code = end.code
        raise
    finally:
        _end_if_held_up(code)


def _end_if_held_up(code: int | str | None) -> None:
    """A call to Ray that never came back would hold up the end of this process for minutes."""
    from actors.runtime.bounded_call import some_are_left

    if some_are_left():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def shut_first(arguments: list[str], state: str) -> None:
    """Write the stop file if this is a sound emergency stop; the command itself then says so, writes it again, and judges it.

    Args:
        state: the state directory where the arguments name none.
    """
    if arguments[:1] != [EMERGENCY_STOP]:
        return
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--state", default=state)
    parser.add_argument("--reason", default=f"{EMERGENCY_STOP} command")
    parser.add_argument("--config")
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--flatten", action="store_true")
    try:
        known, unknown = parser.parse_known_args(arguments[1:])
    except argparse.ArgumentError:
        return
    is_sound = not unknown and (known.direct or known.config is None)
    if is_sound and Path(known.state).is_dir():
        with contextlib.suppress(OSError):
            write_stop_file(Path(os.path.abspath(known.state)) / "STOP", known.reason)  # noqa: PTH100 - as StateDir does


if __name__ == "__main__":
    main()
