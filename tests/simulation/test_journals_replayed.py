"""What `raymaker replay` rebuilds from the journals of whole systems, deaths included: the same as the living cores had."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from actors.inventory.core import InventoryCore
from actors.inventory.records import BooksSaved, JournalRecord
from actors.order_manager.core import OrderManagerCore
from actors.runtime.journal import Journal
from actors.runtime.journal_reading import segments
from actors.runtime.ray_cluster import write_durably
from actors.runtime.state_dir import StateDir
from configs.loading import load_settings
from ops.cli.app import app
from ops.journal_replay import Replayed, ReplayRefused, journals_in, replay
from ops.simulation.house import House
from protocols.envelope import Message
from protocols.messages.control import ChildSpec, SystemPlan

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.yaml"
MANAGER = "order_manager-0"
LOOK_S = 4


@dataclass
class Lived:
    """A run on file: its records as they came, and snapshots of the living cores between them."""

    house: House
    snapshots: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)

    def look(self) -> None:
        """Take a snapshot of every core that keeps a journal, as its shell would."""
        manager, inventory = self.house.world.core_of(MANAGER), self.house.world.core_of("inventory")
        if isinstance(manager, OrderManagerCore):
            self._keep(MANAGER, manager.checkpoint())
        if isinstance(inventory, InventoryCore):
            self._keep("inventory", msgspec.msgpack.encode(inventory._account.checkpoint()))

    def _keep(self, name: str, snapshot: bytes) -> None:
        self.snapshots.setdefault(name, []).append((len(self.records(name)), snapshot))

    def records(self, name: str) -> list[Message]:
        return [r for r in self.house.world.journal_of(name) if not isinstance(r, BooksSaved)]

    def write(self, folder: Path) -> StateDir:
        """The journals and the plan as a state directory; each snapshot begins a segment."""
        state = StateDir(folder).create()
        children = tuple(ChildSpec(spec=spec, shell="", start_order=0) for spec in self.house.specs.values())
        settings = self.house.settings.model_dump_json()
        plan = SystemPlan(children=children, settings_json=settings, epoch_floor=0, state_dir=str(folder))
        write_durably(state.plan_file, msgspec.msgpack.encode(plan))
        for name, journal in (
            (MANAGER, Journal(state.journal(0))),
            ("inventory", Journal(state.inventory_journal, JournalRecord)),
        ):
            snapshots = dict(self.snapshots[name])
            for number, record in enumerate(self.records(name), 1):
                journal.append(record)
                if number in snapshots:
                    journal.begin_segment(snapshots[number])
            journal.close()
        return state


def lived(seed: int, *, kills: bool) -> Lived:
    settings = load_settings(DEMO, {})
    run = Lived(House(settings, seed))
    run.house.start()
    for turn in range(6):
        run.house.run_s(LOOK_S)
        run.look()
        if kills and turn in (2, 4):
            run.house.crash_for(MANAGER if turn == 2 else "inventory", 0.3)
    return run


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lived, StateDir]:
    run = lived(3, kills=False)
    return run, run.write(tmp_path_factory.mktemp("quiet") / "state")


@pytest.mark.parametrize("seed", [1, 2])
def test_orders_positions_and_pnl_are_those_of_the_living_cores_also_after_deaths(tmp_path: Path, seed: int) -> None:
    run = lived(seed, kills=True)
    state = run.write(tmp_path / "state")
    manager, inventory = replay(state.journal(0)), replay(state.inventory_journal)
    assert (manager.differences, inventory.differences) == ((), ())
    assert (manager.snapshots, inventory.snapshots) == (len(run.snapshots[MANAGER]), len(run.snapshots["inventory"]))
    assert len(manager.epochs) == 2
    core = run.house.world.core_of("inventory")
    assert isinstance(core, InventoryCore)
    for symbol in inventory.symbols:
        book = core.snapshot().symbols[symbol.symbol]
        assert (symbol.realised, symbol.fees, symbol.fills) == (book.realised, book.fees, book.fills)
    assert sum(symbol.fills for symbol in manager.symbols) > 5
    assert [symbol.position for symbol in manager.symbols] == [symbol.position for symbol in inventory.symbols]


def test_a_journal_alone_is_enough(quiet: tuple[Lived, StateDir], tmp_path: Path) -> None:
    _, state = quiet
    whole = replay(state.journal(0))
    for file in segments(state.journal(0)):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    alone = replay(tmp_path / "shard-0.sqlite")
    without_order = {"symbols": (), "orders": (), "journal": whole.journal}
    assert msgspec.structs.replace(alone, **without_order) == msgspec.structs.replace(whole, **without_order)
    assert sorted(s.position for s in alone.symbols) == sorted(s.position for s in whole.symbols)
    assert sorted(o.client_order_id for o in alone.orders) == sorted(o.client_order_id for o in whole.orders)


def test_replaying_twice_changes_nothing(quiet: tuple[Lived, StateDir]) -> None:
    _, state = quiet
    before = {file: file.read_bytes() for file in segments(state.journal(0))}
    first, second = replay(state.journal(0)), replay(state.journal(0))
    assert first == second
    assert {file: file.read_bytes() for file in segments(state.journal(0))} == before


def test_after_old_segments_were_let_go_it_begins_with_the_first_snapshot_that_is_kept(
    quiet: tuple[Lived, StateDir], tmp_path: Path
) -> None:
    run, state = quiet
    whole = replay(state.journal(0))
    copy = run.write(tmp_path / "state")
    for old in segments(copy.journal(0))[:2]:
        old.unlink()
    rest = replay(copy.journal(0))
    assert (rest.first > 1, rest.last, rest.differences) == (True, whole.last, ())
    assert [symbol.position for symbol in rest.symbols] == [symbol.position for symbol in whole.symbols]


def altered(run: Lived, folder: Path) -> StateDir:
    """The same run with a snapshot that says something else than the records."""
    number, snapshot = run.snapshots[MANAGER][1]
    saved = msgspec.msgpack.decode(snapshot)
    saved[2][0][2] += 7  # position_lots of the first symbol
    changed = Lived(run.house, {**run.snapshots, MANAGER: [(number, msgspec.msgpack.encode(saved))]})
    return changed.write(folder)


def test_a_snapshot_that_the_records_do_not_give_is_told(quiet: tuple[Lived, StateDir], tmp_path: Path) -> None:
    found = replay(altered(quiet[0], tmp_path / "state").journal(0))
    assert found.snapshots == 1
    [difference] = found.differences
    assert difference.startswith(f"after record {quiet[0].snapshots[MANAGER][1][0]}: ")
    assert "position_lots is" in difference


def test_the_command_ends_with_0_4_or_2(quiet: tuple[Lived, StateDir], tmp_path: Path) -> None:
    run, state = quiet
    done = CliRunner().invoke(app, ["replay", str(state.path), "--json"])
    shown = msgspec.json.decode(done.stdout, type=list[Replayed])
    assert (done.exit_code, [each.kind for each in shown]) == (0, ["inventory", "order_manager"])
    assert json.loads(done.stdout)[0]["differences"] == []
    differing = CliRunner().invoke(app, ["replay", str(altered(run, tmp_path / "state").journal(0))])
    assert differing.exit_code == 4
    assert "1 snapshots compared: 1 differences" in differing.stdout
    assert "the records do not give what the snapshots hold" in differing.stderr
    absent = CliRunner().invoke(app, ["replay", str(tmp_path / "nothing.sqlite")])
    assert (absent.exit_code, "holds no journal" in absent.stderr) == (2, True)
    damaged = segments(StateDir(tmp_path / "state").journal(0))[0]
    damaged.write_bytes(damaged.read_bytes()[:5_000])
    refused = CliRunner().invoke(app, ["replay", str(tmp_path / "state")])
    assert (refused.exit_code, "the journal cannot be read" in refused.stderr) == (2, True)


def test_a_path_names_journals_in_several_ways(quiet: tuple[Lived, StateDir]) -> None:
    _, state = quiet
    journals = [state.inventory_journal, state.journal(0)]
    assert journals_in(state.path) == journals_in(state.path / "journals") == journals
    assert journals_in(state.journal(0)) == journals_in(segments(state.journal(0))[0]) == [state.journal(0)]


def test_a_journal_in_which_nothing_was_intended_is_refused_without_a_plan(tmp_path: Path) -> None:
    Journal(tmp_path / "shard-0.sqlite").close()
    with pytest.raises(ReplayRefused, match="no plan lies beside it"):
        replay(tmp_path / "shard-0.sqlite")
