"""`python -m ops.tell_stop STATE REASON`: tells the supervisor of an emergency stop and prints what came of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ops.cli.asking import ask
from ops.cli.outcome import CommandFailed
from protocols.messages.control import Answer, EmergencyStop

TOLD_TIMEOUT_S = 15.0
NICENESS = 10
"""The stop file has told the supervisor already: what is done at the venue meanwhile goes first."""


def main(arguments: list[str]) -> None:
    """Tell, once."""
    os.nice(NICENESS)
    state, reason = arguments
    try:
        answer = ask(Path(state), EmergencyStop(reason=reason), TOLD_TIMEOUT_S)
    except CommandFailed as failure:
        print(f"the supervisor was not told ({failure.sentence}); the venue's word stands.")
        return
    print(f"told the supervisor: {answer.text if isinstance(answer, Answer) else 'no answer'}")


if __name__ == "__main__":
    main(sys.argv[1:])
