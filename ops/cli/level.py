"""`raymaker level`: a person holds a level of risk, or lifts the hold."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.cli.options import DEFAULT_STATE, StateOption
from ops.cli.outcome import bad_usage, unconfirmed

HOLD_TIMEOUT_S = 10.0
RELEASE = "release"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(level)


def level(
    level: Annotated[
        str, typer.Argument(metavar="LEVEL", help="CAUTION, RESTRICTED or HALTED; release lifts the hold.")
    ],
    subject: Annotated[str, typer.Argument(metavar="[SYMBOL]", help="A symbol; without it the whole account.")] = "",
    state: StateOption = DEFAULT_STATE,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is shown while it lasts.")] = "level command",
) -> None:
    """Hold the level of a symbol or of the account: it rises above it by itself, and never falls below it until released."""
    from ops.cli.asking import ask
    from protocols.messages.control import Answer, HoldLevel
    from protocols.messages.risk import RiskLevel

    allowed = (RiskLevel.CAUTION, RiskLevel.RESTRICTED, RiskLevel.HALTED)
    wanted = next((one for one in allowed if one.value == level.upper()), None)
    if wanted is None and level.lower() != RELEASE:
        hint = "; use emergency-stop for that" if level.upper() == RiskLevel.EMERGENCY else ""
        raise bad_usage(f"{level} cannot be held: name one of {', '.join(allowed)}, or {RELEASE}{hint}.")
    answer = ask(state, HoldLevel(subject=subject.upper() or "account", level=wanted, reason=reason), HOLD_TIMEOUT_S)
    if not isinstance(answer, Answer):
        raise unconfirmed("the supervisor answered something else.")
    if not answer.done:
        raise bad_usage(f"{answer.text}.")
    if not answer.confirmed:
        raise unconfirmed(f"{answer.text}.")
    print(answer.text)
