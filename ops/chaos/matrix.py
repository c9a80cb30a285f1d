"""Every row that the suite knows: those that it runs, and those that it cannot, with the reason."""

from __future__ import annotations

from configs.schema import Settings
from ops.chaos.command_rows import COMMAND_ROWS
from ops.chaos.death_rows import death_rows
from ops.chaos.network_rows import network_rows
from ops.chaos.node_rows import node_rows
from ops.chaos.rows import Row, order_of
from ops.chaos.venue_rows import venue_rows
from ops.chaos.want_rows import want_rows

MINIMUM = (1, 2, 3, 5, 6, 9, 13, 14, 16, 17, 19, 23, 25, 27, 28, 29, 33, 36, 37, 38, 41, 45, 54, 60)
"""Rows that the matrix asks of every run."""

_ELSEWHERE = "not on live processes: played in simulation, or in tests of its own"
NOT_RUN = {
    **dict.fromkeys(("52", "53", "63"), _ELSEWHERE),
    "62": "there is no such sink: nothing is written but to the state directory and the webhook",
    "64": "no version adopts the actors of another one: stop, install, start",
}
"""Rows that are not injected on live processes, and why. They are never counted as passed."""


def rows(settings: Settings) -> dict[str, Row]:
    """Every row that can be run, by its key, in the matrix' order."""
    listed = (
        *death_rows(settings),
        *want_rows(settings),
        *COMMAND_ROWS,
        *network_rows(settings),
        *venue_rows(settings),
        *node_rows(settings),
    )
    return {row.key: row for row in sorted(listed, key=lambda row: order_of(row.key))}
