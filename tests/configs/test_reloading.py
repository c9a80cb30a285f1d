"""What may change while a system runs: declared keys only, tightening at once, loosening with a person's word, caps never."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from configs.loading import ConfigError, load_settings, parse_settings, with_changes
from configs.reloading import RELOADABLE, Verdict, changed_file, changed_key
from configs.schema import Settings
from configs.schema.limits import Limit

VENUE = {"rest_url": "http://127.0.0.1:1", "stream_url": "ws://127.0.0.1:1", "ws_api_url": "ws://127.0.0.1:1"}


def settings(**sections: Any) -> Settings:
    return Settings.model_validate({"symbols": ["BTCUSDC", "ETHUSDC"], "venue": VENUE, **sections})


def told(verdict: Verdict) -> dict[str, list[str]]:
    return {
        name: [str(change) for change in getattr(verdict, name)]
        for name in ("applied", "loosening", "fixed")
        if getattr(verdict, name)
    }


def test_a_limit_tightens_without_a_word() -> None:
    verdict = changed_key(settings(), "risk.daily_loss_max", "0.5%", confirmed=False)
    assert told(verdict) == {"applied": ["risk.daily_loss_max from 1% to 0.5%"]}
    assert verdict.settings.risk.daily_loss_max == Limit.model_validate("0.5%")


def test_a_limit_loosens_only_with_a_persons_word() -> None:
    verdict = changed_key(settings(), "risk.daily_loss_max", "2%", confirmed=False)
    assert told(verdict) == {"loosening": ["risk.daily_loss_max from 1% to 2%"]}
    assert verdict.settings == settings()
    assert "raymaker set risk.daily_loss_max '2%' --confirm" in verdict.refusal()
    assert told(changed_key(settings(), "risk.daily_loss_max", "2%", confirmed=True)) == {
        "applied": ["risk.daily_loss_max from 1% to 2%"]
    }


def test_another_unit_cannot_be_compared_and_wants_a_word() -> None:
    assert "loosening" in told(changed_key(settings(), "risk.daily_loss_max", "1", confirmed=False))


def test_a_higher_least_spread_is_tighter() -> None:
    assert "applied" in told(changed_key(settings(), "strategy.half_spread_bps_min", "2", confirmed=False))
    assert "loosening" in told(changed_key(settings(), "strategy.half_spread_bps_min", "0.1", confirmed=False))


@pytest.mark.parametrize(("value", "kind"), [("1%", "applied"), ("3%", "loosening")])
def test_a_symbols_first_limit_of_its_own_is_measured_by_the_default(value: str, kind: str) -> None:
    verdict = changed_key(settings(), "risk.symbols.BTCUSDC.position_notional_max", value, confirmed=False)
    assert list(told(verdict)) == [kind]


def test_a_symbol_that_gives_up_a_tighter_limit_loosens() -> None:
    own = settings(risk={"symbols": {"BTCUSDC": {"position_notional_max": "1%"}}})
    assert list(told(changed_file(own, own, settings()))) == ["loosening"]


@pytest.mark.parametrize(
    "key", ["venue.live", "symbols", "shards", "order_manager.window_ms", "hard_caps.daily_loss_max"]
)
def test_what_is_not_declared_needs_a_restart(key: str) -> None:
    values = {"venue.live": "true", "symbols": "[BTCUSDC]", "shards": "2"}
    text = values.get(key, "1000")
    try:
        verdict = changed_key(settings(), key, text, confirmed=True)
    except ConfigError:
        assert key == "venue.live", "a live system without a live address"
        return
    assert "needs a restart" in verdict.refusal()
    assert verdict.settings == settings()


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("risk.daily_los_max", "1%", "did you mean daily_loss_max"),
        ("risk.daily_loss_max", "-1%", "above 0"),
        ("risk.daily_loss_max", ".nan", "finite"),
        ("strategy.levels", "many", "integer"),
        ("strategy.levels", "[", "not YAML"),
        ("strategy.half_spread_bps_min", "99", "above strategy.half_spread_bps_max"),
    ],
)
def test_what_is_refused_says_why(key: str, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        changed_key(settings(), key, text, confirmed=True)


def test_an_edit_of_the_file_changes_only_its_own_keys() -> None:
    running = changed_key(settings(), "risk.daily_loss_max", "0.5%", confirmed=False).settings
    edited = settings(strategy={"levels": 2}, shards=2, risk={"order_notional_max": "1%"})
    verdict = changed_file(running, settings(), edited)
    assert told(verdict) == {
        "applied": ["strategy.levels from 3 to 2"],
        "loosening": ["risk.order_notional_max from 0.5% to 1%"],
        "fixed": ["shards from 1 to 2"],
    }
    assert verdict.settings.risk.daily_loss_max == Limit.model_validate("0.5%")


def test_every_declared_key_exists() -> None:
    dumped = settings(
        risk={
            "symbols": {
                "BTCUSDC": {"position_notional_max": 1, "order_notional_max": 1, "open_orders_max": 1},
            }
        }
    ).model_dump()
    assert [path for path in RELOADABLE if not is_in(dumped, path.replace("*", "BTCUSDC").split("."))] == []


def is_in(section: Any, parts: list[str]) -> bool:
    return not parts or (parts[0] in section and is_in(section[parts[0]], parts[1:]))


def with_caps(folder: Path, caps: str, limits: str = "") -> Path:
    (folder / "caps.yaml").write_text(caps, encoding="utf-8")
    lines = [f"  {key}: {value}" for key, value in VENUE.items()]
    text = "\n".join(["symbols: [BTCUSDC]", "hard_caps_file: caps.yaml", limits, "venue:", *lines])
    (folder / "system.yaml").write_text(text, encoding="utf-8")
    return folder / "system.yaml"


def test_a_limit_above_its_hard_cap_is_refused_at_start(tmp_path: Path) -> None:
    path = with_caps(tmp_path, "daily_loss_max: 25", "risk: {daily_loss_max: 30}")
    with pytest.raises(ConfigError, match=r"risk\.daily_loss_max is 30, above the hard cap of 25"):
        load_settings(path, {})


def test_no_confirmation_reaches_beyond_a_hard_cap(tmp_path: Path) -> None:
    running = load_settings(with_caps(tmp_path, "daily_loss_max: 25", "risk: {daily_loss_max: 20}"), {})
    with pytest.raises(ConfigError, match="above the hard cap"):
        changed_key(running, "risk.daily_loss_max", "30", confirmed=True)
    assert changed_key(running, "risk.daily_loss_max", "24", confirmed=True).applied


def test_an_edit_of_the_hard_caps_changes_nothing_before_a_restart(tmp_path: Path) -> None:
    running = load_settings(with_caps(tmp_path, "daily_loss_max: 25", "risk: {daily_loss_max: 20}"), {})
    edited = load_settings(with_caps(tmp_path, "daily_loss_max: 1000", "risk: {daily_loss_max: 20}"), {})
    verdict = changed_file(running, running, edited)
    assert told(verdict) == {"fixed": ["hard_caps.daily_loss_max from 25 to 1000"]}
    assert verdict.settings.hard_caps == running.hard_caps


def test_hard_caps_stand_in_no_other_place(tmp_path: Path) -> None:
    path = with_caps(tmp_path, "daily_loss_max: 25", "hard_caps: {daily_loss_max: 1000}")
    with pytest.raises(ConfigError, match="hard_caps: belongs into a file of its own"):
        load_settings(path, {})
    with pytest.raises(ConfigError, match="hard_caps"):
        load_settings(with_caps(tmp_path, "daily_loss_max: 25"), {"RAYMAKER__HARD_CAPS__DAILY_LOSS_MAX": "1000"})


def test_settings_that_were_written_out_whole_are_read_again() -> None:
    whole = settings().model_dump(mode="json")
    assert parse_settings(whole, {}, source="a test") == settings()


def test_settings_survive_being_told() -> None:
    first = with_changes(settings(), {"risk": {"symbols": {"BTCUSDC": {"order_notional_max": "0.01 base"}}}}, "a test")
    assert Settings.model_validate_json(first.model_dump_json()) == first
