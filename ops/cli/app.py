"""The commands of `raymaker`: one file per group of them.

Exit codes: 0 done, 2 bad usage or configuration, 3 not running, 4 could not be confirmed. What a command needs is imported when it
runs, so that help and the emergency stop are quick.
"""

from __future__ import annotations

import typer

from ops.cli import (
    chaos,
    control,
    demo,
    exchange,
    level,
    node,
    reading,
    reconcile,
    replay,
    risk,
    set_key,
    simulate,
    stopping,
    up,
    validate,
)
from ops.cli.outcome import Commands

app = typer.Typer(
    name="raymaker",
    cls=Commands,
    help="A market maker for perpetual futures whose every part is a Ray actor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for group in (
    demo,
    up,
    node,
    reading,
    reconcile,
    risk,
    control,
    level,
    set_key,
    stopping,
    exchange,
    validate,
    replay,
    simulate,
    chaos,
):
    group.register(app)
