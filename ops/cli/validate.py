"""`raymaker validate`: the resolved settings with secrets hidden, or every error with its path."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import typer

from ops.cli.options import ConfigOption, JsonOption
from ops.cli.settings import settings_from

HIDDEN = "<hidden>"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(validate)


def validate(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Print the settings, or every error.

    Resolved with the environment, secrets hidden; each error has its path.
    """
    import json

    import yaml

    shown = hide_secrets(settings_from(config).model_dump(mode="json"))
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")


def hide_secrets(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without what opens a door: a webhook's address is a secret but for its host."""
    alerting = dict(settings["alerting"])
    if alerting.get("webhook_url"):
        alerting["webhook_url"] = f"{urlsplit(alerting['webhook_url']).scheme}://{HIDDEN}"
    return settings | {"alerting": alerting}
