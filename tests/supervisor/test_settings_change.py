"""Settings that change while the system runs: judged, on file, journaled, told, and kept for who starts later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from supervised_world import SupervisedWorld

from actors.runtime.line_journal import LineJournal
from actors.supervisor import commands as c
from actors.supervisor.sources import SettingsWatch, considered
from configs.loading import load_settings
from protocols.messages.alerts import AlertCode
from protocols.messages.control import Answer, ChangeSetting, SettingsChanged

NEW = '{"new": "settings"}'
TIGHTER = ChangeSetting(key="risk.daily_loss_max", value="0.5%", confirmed=False)
YAML = """
symbols: [BTCUSDC]
venue: {rest_url: "http://127.0.0.1:1", stream_url: "ws://127.0.0.1:1", ws_api_url: "ws://127.0.0.1:1"}
"""


def judged(world: SupervisedWorld, **changes: Any) -> c.ChangeConsidered:
    fields: dict[str, Any] = {
        "ask_id": 1,
        "base_json": world.core.settings_json,
        "settings_json": NEW,
        "changes": ("risk.daily_loss_max from 1% to 0.5%",),
        "refused": "",
        "source": "raymaker set",
    }
    return c.ChangeConsidered(**{**fields, **changes})


def asked_and_judged(world: SupervisedWorld, **changes: Any) -> None:
    world.hook = lambda request: isinstance(request, c.ConsiderChange)
    world.ask(TIGHTER)
    world.hook = lambda request: False
    world.give(judged(world, **changes))


def test_a_change_is_journaled_and_on_file_before_anybody_is_told() -> None:
    world = SupervisedWorld()
    world.history.clear()
    asked_and_judged(world)
    assert world.history[:2] == ["settings journaled", "desired"]
    message = SettingsChanged(settings_json=NEW, changes=("risk.daily_loss_max from 1% to 0.5%",))
    concerned = [
        name for name in world.processes if name.split("-")[0] in ("risk_monitor", "order_manager", "strategy")
    ]
    assert all(world.told(name, SettingsChanged) == [message] for name in concerned)
    assert not world.told("inventory", SettingsChanged)
    assert world.alert_codes() == [AlertCode.SETTINGS_CHANGED]
    text = "risk.daily_loss_max from 1% to 0.5%; until the next start: write it into the configuration to keep it"
    assert world.answers[1] == Answer(done=True, confirmed=True, text=text)


def test_who_starts_later_starts_with_the_changed_settings() -> None:
    world = SupervisedWorld()
    asked_and_judged(world)
    world.die("strategy-0")
    world.run(3_000)
    assert world.specs["strategy-0"].config_json == NEW


def test_what_is_refused_changes_nothing_and_says_why() -> None:
    world = SupervisedWorld()
    world.history.clear()
    asked_and_judged(world, settings_json="", changes=(), refused="shards from 1 to 2 needs a restart of the system")
    assert world.answers[1] == Answer(
        done=False, confirmed=False, text="shards from 1 to 2 needs a restart of the system"
    )
    assert (world.history, world.alert_codes()) == ([], [])


def test_a_change_judged_by_settings_that_hold_no_more_is_not_carried_out() -> None:
    world = SupervisedWorld()
    asked_and_judged(world, base_json="{}")
    assert world.answers[1] == Answer(
        done=False, confirmed=False, text="the settings changed at the same moment: try again"
    )


def test_an_edit_that_is_refused_raises_an_alert() -> None:
    world = SupervisedWorld()
    world.give(judged(world, ask_id=0, settings_json="", changes=(), refused="nothing changes: x", source="a.yaml"))
    assert world.alert_codes() == [AlertCode.SETTINGS_REFUSED]


def test_a_key_is_judged_over_the_settings_that_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(YAML, encoding="utf-8")
    base = load_settings(path, {}).model_dump_json()
    request = c.ConsiderChange(ask_id=7, key="strategy.levels", value="2", confirmed=False, settings_json=base)
    answer = considered(request)
    assert (answer.ask_id, answer.base_json, answer.changes, answer.refused) == (
        7,
        base,
        ("strategy.levels from 3 to 2",),
        "",
    )
    wrong = considered(msgspec.structs.replace(request, key="strategy.level"))
    assert (wrong.settings_json, wrong.changes) == ("", ())
    assert "did you mean levels" in wrong.refused


class Core:
    """What the watch sees of the supervisor's core, which takes everything at once."""

    def __init__(self, settings_json: str) -> None:
        self.settings_json = settings_json
        self.file_json = ""
        self.heard: list[c.ChangeConsidered] = []

    def take(self, told: c.ChangeConsidered) -> None:
        self.heard.append(told)
        self.file_json = told.file_json or self.file_json
        self.settings_json = told.settings_json or self.settings_json


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Core, SettingsWatch]:
    for name in [name for name in __import__("os").environ if name.startswith("RAYMAKER__")]:
        monkeypatch.delenv(name)
    path = tmp_path / "a.yaml"
    path.write_text(YAML, encoding="utf-8")
    core = Core(load_settings(path, {}).model_dump_json())
    watch = SettingsWatch(str(path), core, core.take)
    watch.look()
    return path, core, watch


def test_the_first_look_changes_nothing(watched: tuple[Path, Core, SettingsWatch]) -> None:
    path, core, watch = watched
    watch.look()
    assert [(told.changes, told.refused) for told in core.heard] == [((), "")]
    assert core.file_json == load_settings(path, {}).model_dump_json()


def test_an_edit_is_told_once(watched: tuple[Path, Core, SettingsWatch]) -> None:
    path, core, watch = watched
    path.write_text(YAML + "strategy: {levels: 2}\n", encoding="utf-8")
    watch.look()
    watch.look()
    assert [told.changes for told in core.heard[1:]] == [("strategy.levels from 3 to 2",)]


def test_an_edit_that_is_not_understood_is_told_once_and_its_repair_counts(
    watched: tuple[Path, Core, SettingsWatch],
) -> None:
    path, core, watch = watched
    path.write_text(YAML + "strategy: {levels: many}\n", encoding="utf-8")
    watch.look()
    watch.look()
    path.write_text(YAML + "strategy: {levels: 1}\n", encoding="utf-8")
    watch.look()
    assert [(told.changes, "strategy.levels" in told.refused) for told in core.heard[1:]] == [
        ((), True),
        (("strategy.levels from 3 to 1",), False),
    ]


def test_a_file_that_is_gone_is_told_once(watched: tuple[Path, Core, SettingsWatch]) -> None:
    path, core, watch = watched
    path.unlink()
    watch.look()
    watch.look()
    assert ["cannot be read" in told.refused for told in core.heard[1:]] == [True]


def test_an_edit_that_was_not_taken_is_told_again(watched: tuple[Path, Core, SettingsWatch]) -> None:
    path, core, watch = watched
    kept = core.file_json
    path.write_text(YAML + "strategy: {levels: 2}\n", encoding="utf-8")
    watch.look()
    core.file_json = kept
    core.settings_json = kept
    watch.look()
    assert [told.changes for told in core.heard[1:]] == [("strategy.levels from 3 to 2",)] * 2


def test_changes_are_lines_of_json(tmp_path: Path) -> None:
    journal = LineJournal(tmp_path / "settings.jsonl", "a change of settings")
    for number in (1, 2):
        journal.write(c.SettingsJournaled(changes=("a from 1 to 2",), source="raymaker set", changed_ns=number))
    lines = (tmp_path / "settings.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line) for line in lines] == [
        {"changes": ["a from 1 to 2"], "source": "raymaker set", "changed_ns": number} for number in (1, 2)
    ]
