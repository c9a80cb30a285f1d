"""What a person hears who starts on a new state directory although the account was traded before."""

from __future__ import annotations

from pathlib import Path

from account_samples import settings

from actors.runtime.state_dir import StateDir
from ops.launch import unknown_past


def test_a_first_start_on_an_account_without_a_past_is_nothing_to_tell(tmp_path: Path) -> None:
    assert unknown_past(settings(), 0, StateDir(tmp_path / "state")) == ""


def test_a_past_at_the_venue_is_told_with_everything_that_is_not_known_here(tmp_path: Path) -> None:
    told = unknown_past(settings(), 12, StateDir(tmp_path / "state"))
    assert told.startswith(
        f"{tmp_path / 'state'} is a new state directory, but orders of install 1 up to epoch 12 are known"
    )
    for lost in (
        "a stop that is latched",
        "the day's loss",
        "the equity's peak",
        "held levels",
        "agreed of the account",
    ):
        assert lost in told
