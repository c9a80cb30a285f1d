"""`raymaker reconcile`: compare everything with the venue now, and say how long it took and what differed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from ops.cli.options import DEFAULT_STATE, JsonOption, StateOption
from ops.cli.outcome import unconfirmed

if TYPE_CHECKING:
    from protocols.messages.control import SystemStatus

RECONCILE_TIMEOUT_S = 15.0
POLL_S = 0.25


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(reconcile)


def reconcile(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Compare open orders, executions, positions and balances with the venue.

    What differs has been resolved towards the venue, journaled and alerted; it is only shown here.
    """
    import json

    from ops.cli.asking import Asking
    from protocols.messages.control import Answer, GetStatus, Reconcile, SystemStatus

    token = time.time_ns()
    with Asking(state) as asking:
        answer = asking.ask(Reconcile(token=token))
        if not isinstance(answer, Answer) or not answer.done or not answer.confirmed:
            raise unconfirmed(
                f"{answer.text if isinstance(answer, Answer) else 'the supervisor answered something else'}."
            )
        ends_s = time.monotonic() + RECONCILE_TIMEOUT_S
        while True:
            status = asking.ask(GetStatus())
            assert isinstance(status, SystemStatus)
            found, missing = comparisons(status, token)
            if not missing or time.monotonic() > ends_s:
                break
            time.sleep(POLL_S)
    if as_json:
        print(json.dumps({"compared": found, "missing": missing}, indent=2))
    else:
        for line in told(found):
            print(line)
    if missing:
        raise unconfirmed(f"no result from {', '.join(missing)} within {RECONCILE_TIMEOUT_S:g} s.")


def comparisons(status: SystemStatus, token: int) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """What each symbol (and "account": balances, and inventory's positions) found under a token, and who has not ended yet."""
    found: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    for actor in status.actors:
        if actor.role == "order_manager":
            symbols: Any = actor.snapshot.get("symbols", {})
            for symbol, view in symbols.items():
                row = {"took_ms": view["reconcile_took_ms"], "differences": list(view["reconcile_differences"])}
                _sort_in(symbol, view["reconcile_token"] == token, row, found, missing)
            if not symbols:
                missing.append(actor.name)
        elif actor.role == "inventory":
            books: Any = actor.snapshot.get("reconciled", {"token": 0, "took_ms": 0, "differences": ()})
            row = {"took_ms": books["took_ms"], "differences": list(books["differences"])}
            _sort_in("account", books["token"] == token, row, found, missing)
    return dict(sorted(found.items())), sorted(missing)


def told(found: dict[str, dict[str, Any]]) -> list[str]:
    """The result in lines for people."""
    lines = []
    for name, row in found.items():
        what = "; ".join(row["differences"]) if row["differences"] else "no difference"
        lines.append(f"{name}: {what} ({row['took_ms']} ms)")
    return lines


def _sort_in(
    name: str, is_done: bool, row: dict[str, Any], found: dict[str, dict[str, Any]], missing: list[str]
) -> None:
    if is_done:
        found[name] = row
    else:
        missing.append(name)
