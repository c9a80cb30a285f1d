"""`python -m ops.stop_arm [--flatten] STATE SYMBOL...`: what the supervisor runs when no order manager can clear its symbols.

It cancels at the venue by REST with the stop's key, and exits 0 only when the venue twice showed no open order; with --flatten
also only when no position is left. Without symbols it serves every one of the plan.
"""

from __future__ import annotations

import sys

from actors.runtime.state_dir import StateDir
from configs.keys import ApiKeyError
from ops.direct_venue import DirectVenue
from ops.emergency_stop import cancel_everything, stop_keys
from ops.flatten import flatten
from ops.saved_plan import SavedPlanError, saved_settings

CLEAR, NOT_CLEAR, BAD_USAGE = 0, 4, 2
FLATTEN = "--flatten"


def main(arguments: list[str]) -> int:
    """Clear the symbols named after the state directory; all of the plan's when none is named."""
    is_closing = arguments[:1] == [FLATTEN]
    arguments = arguments[is_closing:]
    if not arguments:
        print("name the state directory")
        return BAD_USAGE
    try:
        settings = saved_settings(StateDir(arguments[0]))
        if settings is None:
            print(f"{arguments[0]} holds no plan of a system")
            return BAD_USAGE
        keys = stop_keys(settings.venue)
    except (SavedPlanError, ApiKeyError) as error:
        print(error)
        return BAD_USAGE
    symbols = tuple(arguments[1:]) or settings.symbols
    with DirectVenue(settings.venue.rest_url, keys, settings.venue.request_timeout_ms) as venue:
        cleared = cancel_everything(venue, symbols, settings.order_manager, say=_say)
        print(cleared.text)
        if not cleared.clear or not is_closing:
            return CLEAR if cleared.clear else NOT_CLEAR
        flattened = flatten(venue, symbols, settings, say=_say)
    print(flattened.text)
    return CLEAR if flattened.flat else NOT_CLEAR


def _say(line: str) -> None:
    """At once: the supervisor hears each line as it comes."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
