"""Settings for commands: loaded with the environment's overrides, and refused as one readable failure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.cli.outcome import bad_usage

if TYPE_CHECKING:
    from actors.runtime.state_dir import StateDir
    from configs.schema import ExchangeSettings, Settings


def settings_from(path: Path, changes: dict[str, Any] | None = None) -> Settings:
    """Settings of a file, under the environment's overrides, under `changes` of the command line.

    Raises:
        CommandFailed: bad usage, with every error and its path.
    """
    from configs.loading import ConfigError, load_settings, with_changes

    try:
        settings = load_settings(path, os.environ)
        return with_changes(settings, changes, source=f"{path} and the command line") if changes else settings
    except ConfigError as error:
        raise bad_usage(str(error)) from None


def prepared(settings: Settings, state: StateDir) -> Settings:
    """The settings with what is known before anything is started, on a created state directory.

    Raises:
        CommandFailed: bad usage; keys are missing, a port is taken, the directory cannot be used, or a system runs on it.
    """
    from actors.runtime.ray_cluster import ClusterError, NotRunning, running_cluster
    from ops.preparation import StartRefused, prepare

    try:
        running_cluster(state)
    except NotRunning:
        pass
    except ClusterError as error:
        raise bad_usage(f"{error}.") from None
    else:
        raise bad_usage(
            f"a system is running on {state.path} already: stop it with `raymaker down`, or choose another --state."
        )
    try:
        return prepare(settings, state)
    except StartRefused as error:
        raise bad_usage(f"{error}.") from None


def check_live(settings: Settings, alias: str | None) -> None:
    """Real money must be asked for by name.

    Raises:
        CommandFailed: bad usage; the venue is live and `alias` is not its account's, or it is not live and an alias was given.
    """
    venue = settings.venue
    if venue.live and alias != venue.account_alias:
        given = "it was not given" if alias is None else f"not --live {alias}"
        raise bad_usage(
            f"{venue.rest_url} trades real money: say --live {venue.account_alias} to start on that account ({given})."
        )
    if alias is not None and not venue.live:
        raise bad_usage(f"--live {alias} was given but venue.live is false in the configuration.")


def exchange_settings(options: dict[str, Any], named: dict[str, Any] | None = None) -> ExchangeSettings:
    """Settings of a simulated venue from the command line alone: from options, and from those that --set names.

    Raises:
        CommandFailed: bad usage, with every error and its option.
    """
    from pydantic import ValidationError

    from configs.schema import ExchangeSettings

    try:
        return ExchangeSettings.model_validate(options | (named or {}))
    except ValidationError as error:
        reasons = "; ".join(
            f"--{'set ' if each['loc'] and each['loc'][0] in (named or {}) else ''}{'.'.join(map(str, each['loc']))}: {each['msg']}"
            for each in error.errors()
        )
        raise bad_usage(f"{reasons}.") from None
