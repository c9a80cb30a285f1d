"""`raymaker replay`: a journal or a flight recording once more, compared with what the living process left behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.options import JsonOption
from ops.cli.outcome import bad_usage, unconfirmed

if TYPE_CHECKING:
    from ops.journal_replay import Replayed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    journal: Annotated[
        Path | None,
        typer.Argument(metavar="[JOURNAL]", help="A journal, one of its files, or a whole state directory."),
    ] = None,
    recording: Annotated[
        Path | None, typer.Option("--recording", metavar="FILE", help="A flight recording of one actor instead.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Rebuild orders, positions and PnL from a journal, or fly a recording again.

    A journal is compared with every snapshot in it, a recording's answers byte for byte; exit code 4 when they differ. Reads
    only, also while the system runs.
    """
    if (journal is None) == (recording is None):
        raise bad_usage("name a JOURNAL, or a flight recording with --recording.")
    if recording is not None:
        _fly(recording, as_json)
    elif journal is not None:
        _rebuild(journal, as_json)


def _rebuild(journal: Path, as_json: bool) -> None:
    from ops.journal_replay import ReplayRefused, journals_in, replay

    try:
        replayed = [replay(each) for each in journals_in(journal)]
    except ReplayRefused as refused:
        raise bad_usage(f"{refused}.") from None
    if as_json:
        _print_json(replayed)
    else:
        for each in replayed:
            _show(each)
    differing = [each.journal for each in replayed if each.differences]
    if differing:
        raise unconfirmed(f"{', '.join(differing)}: the records do not give what the snapshots hold.")


def _fly(recording: Path, as_json: bool) -> None:
    from actors.runtime.flight_recording import RecordingError
    from ops.flight_replay import fly

    try:
        flown = fly(recording)
    except RecordingError as error:
        raise bad_usage(f"{error}.") from None
    if as_json:
        _print_json(flown)
    else:
        seconds = (flown.ended_ns - flown.began_ns) / 1e9
        print(f"{flown.recording}: {flown.name}, epoch {flown.epoch}, {flown.messages} messages in {seconds:.1f} s")
        print(", ".join(f"{kind} {count}" for kind, count in flown.kinds.items()))
        if flown.failure:
            print(f"it ends as it did then, with {flown.failure}")
    if flown.difference:
        raise unconfirmed(f"the answers differ: {flown.difference}")
    if not as_json:
        print(f"the same answers, byte for byte ({flown.effects_bytes} bytes)")


def _print_json(shown: object) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())


def _show(replayed: Replayed) -> None:
    from ops.cli.table import plain_table, wide_console

    left_out = f" (those before {replayed.first} belong to a snapshot that is not kept)" if replayed.first > 1 else ""
    print(f"{replayed.journal}: {replayed.records} records to {replayed.last}{left_out}")
    if replayed.epochs:
        print(f"epochs {', '.join(map(str, replayed.epochs))}")
    table = plain_table("positions")
    for column in ("symbol", "position", "entry", "realised", "fees", "funding", "net", "fills", "volume", "live"):
        table.add_column(column)
    for row in replayed.symbols:
        figures = (row.position, row.entry_price, row.realised, row.fees, row.funding, row.net)
        table.add_row(row.symbol, *figures, str(row.fills), row.volume, str(row.live_orders))
    wide_console().print(table)
    for order in replayed.orders:
        terms = f"{order.side} {order.quantity} at {order.price}, {order.filled} filled"
        print(f"may live: {order.client_order_id} {order.symbol} {terms}, {order.state}")
    verdict = "no snapshot to compare with" if not replayed.snapshots else f"{replayed.snapshots} snapshots compared"
    print(f"{verdict}: {len(replayed.differences)} differences")
    for difference in replayed.differences:
        print(f"  {difference}")
