"""`raymaker set`: one key of the configuration, changed while the system runs."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.cli.options import DEFAULT_STATE, StateOption
from ops.cli.outcome import bad_usage, unconfirmed

SET_TIMEOUT_S = 10.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("set")(set_key)


def set_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Such as risk.daily_loss_max.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Written as in the configuration.")],
    confirm: Annotated[bool, typer.Option("--confirm", help="Let it loosen a limit.")] = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Change one setting of a running system: tightening holds at once, loosening needs --confirm. It lasts until the next start."""
    from ops.cli.asking import ask
    from protocols.messages.control import Answer, ChangeSetting

    answer = ask(state, ChangeSetting(key=key, value=value, confirmed=confirm), SET_TIMEOUT_S)
    if not isinstance(answer, Answer):
        raise unconfirmed("the supervisor answered something else.")
    if not answer.done:
        raise bad_usage(f"{answer.text}.")
    if not answer.confirmed:
        raise unconfirmed(f"{answer.text}.")
    print(answer.text)
