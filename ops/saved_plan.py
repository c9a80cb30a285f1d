"""What a state directory says of the system that runs, or ran, on it."""

from __future__ import annotations

import msgspec
from pydantic import ValidationError

from actors.runtime.state_dir import StateDir
from configs.schema import Settings
from protocols.messages.control import SystemPlan


class SavedPlanError(Exception):
    """The plan in the state directory cannot be read; the text says which file and why."""


def saved_plan(state: StateDir) -> SystemPlan | None:
    """The newest plan; None where no system ever ran.

    Raises:
        SavedPlanError: the plan is damaged.
    """
    try:
        return msgspec.msgpack.decode(state.plan_file.read_bytes(), type=SystemPlan)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError) as error:
        raise SavedPlanError(f"{state.plan_file} cannot be read: {error}") from error


def saved_settings(state: StateDir) -> Settings | None:
    """Settings of the newest plan, with the venue's actual addresses; None where no system ever ran.

    Raises:
        SavedPlanError: the plan is damaged.
    """
    plan = saved_plan(state)
    try:
        return None if plan is None else Settings.model_validate_json(plan.settings_json)
    except ValidationError as error:
        raise SavedPlanError(f"{state.plan_file} holds settings of another version: {error}") from error
