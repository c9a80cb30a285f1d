"""`raymaker validate`: the resolved settings, or every error with its path."""

from __future__ import annotations

import typer

from ops.cli.options import ConfigOption, JsonOption
from ops.cli.settings import settings_from


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(validate)


def validate(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Print the settings, or every error.

    Resolved with the environment; secrets are no settings, only the places where they are. Each error has its path.
    """
    import json

    import yaml

    shown = settings_from(config).model_dump(mode="json")
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
