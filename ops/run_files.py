"""The files of a run as one history: the venue's ledger, our journals, the instruments of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from actors.exchange.ledger import LedgerDamagedError, LedgerRecord, decode_lines
from actors.inventory.core import InventoryCore
from actors.inventory.records import JournalRecord
from actors.runtime.journal import JournalError, read_journal
from actors.runtime.journal_aside import put_aside_before
from actors.runtime.journal_reading import segments
from actors.runtime.state_dir import StateDir
from configs.schema import Settings
from ops.invariants.history import History
from ops.report import build_report
from ops.saved_plan import SavedPlanError, saved_plan
from protocols.envelope import Message
from protocols.messages.control import SystemPlan
from protocols.messages.orders import OrderFilled


class RunFilesError(Exception):
    """The files of a run cannot be read; the text says which and why."""


def report_of_run(state: StateDir) -> dict[str, Any]:
    """The report of the run whose files are in `state`, as JSON builtins.

    Raises:
        RunFilesError: a file is missing or damaged.
    """
    return build_report(read_history(state))


def read_history(state: StateDir, ledger: Path | None = None, other_nodes: Sequence[StateDir] = ()) -> History:
    """The history of a run.

    Args:
        ledger: that of a simulated venue which was no part of the system; the system's own otherwise.
        other_nodes: state directories of a cluster's other nodes: shards have journals there too.

    Raises:
        RunFilesError: a file is missing or damaged.
    """
    try:
        plan = saved_plan(state)
    except SavedPlanError as error:
        raise RunFilesError(str(error)) from error
    if plan is None:
        raise RunFilesError(f"{state.plan_file} is missing: no system ran on {state.path}")
    settings = Settings.model_validate_json(plan.settings_json)
    if ledger is None:
        if settings.exchange is None or settings.exchange.ledger is None:
            raise RunFilesError("the run had no simulated venue, and a real one keeps no ledger for us")
        ledger = Path(settings.exchange.ledger)
    return History(
        ledger=_ledger(ledger),
        journals={shard: _journal((state, *other_nodes), shard) for shard in range(settings.shards)},
        instruments={instrument.symbol: instrument for child in plan.children for instrument in child.spec.instruments},
        install=settings.install,
        claimed_positions=_claimed(state, plan, settings),
    )


def _ledger(path: Path) -> tuple[LedgerRecord, ...]:
    try:
        with path.open("rb") as lines:
            return tuple(decode_lines(lines))
    except (OSError, LedgerDamagedError) as error:
        raise RunFilesError(f"the ledger {path} cannot be read: {error}") from error


def _journal(nodes: Sequence[StateDir], shard: int) -> tuple[Message, ...]:
    """The records of a shard, node after node as it moved (a journal is written to last where its shard was last).

    What a lost node booked and nobody heard of any more its successor elsewhere books too, and a frozen one may book what its successor
    does: one truth on two machines, of which the newer stands here.
    """
    kept = [state.journal(shard) for state in nodes]
    paths = [*(folder / path.name for path in kept for folder in put_aside_before(path)), *kept]
    found = [(segments(path), path) for path in paths]
    written = sorted((max(file.stat().st_mtime_ns for file in files), path) for files, path in found if files)
    newest_first: list[list[Message]] = []
    booked: set[tuple[str, int, int]] = set()
    try:
        for _, path in reversed(written):
            records = [record for _, record in read_journal(path) if _execution(record) not in booked]
            booked |= {execution for record in records if (execution := _execution(record)) is not None}
            newest_first.append(records)
    except JournalError as error:
        raise RunFilesError(str(error)) from error
    return tuple(record for records in reversed(newest_first) for record in records)


def _execution(record: Message) -> tuple[str, int, int] | None:
    return (record.instrument_id, record.trade_id, record.venue_order_id) if isinstance(record, OrderFilled) else None


def _claimed(state: StateDir, plan: SystemPlan, settings: Settings) -> dict[str, int]:
    """Positions in lots as inventory's own books and journal have them at the end."""
    spec = next(child.spec for child in plan.children if child.spec.role == "inventory")
    try:
        records = [record for _, record in read_journal(state.inventory_journal, JournalRecord)]
    except JournalError as error:
        raise RunFilesError(str(error)) from error
    shown = InventoryCore(spec, settings, cast(list[JournalRecord], records)).snapshot()
    return {symbol: books.position_lots for symbol, books in shown.symbols.items() if books.known}
