"""The webhook's address: often a secret in itself, so it is read by alerting alone, from where the configuration says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from configs.private_file import PrivateFileError, read_private_file
from configs.schema import AlertingSettings


class WebhookError(Exception):
    """The address cannot be had; the text is one sentence that says what to set, and holds no part of it."""


def load_webhook_url(settings: AlertingSettings, environ: Mapping[str, str] | None = None) -> str:
    """The address that alerts are posted to; "" where none is configured.

    Raises:
        WebhookError: the variable or the file is missing, empty, readable by others, or holds no http address.
    """
    if settings.webhook_file is not None:
        origin = f"the webhook file {settings.webhook_file}"
        try:
            url = read_private_file(Path(settings.webhook_file)).strip()
        except PrivateFileError as error:
            raise WebhookError(f"{origin} {error}") from error
    elif settings.webhook_env is not None:
        origin = f"the variable {settings.webhook_env} (alerting.webhook_env)"
        url = (os.environ if environ is None else environ).get(settings.webhook_env, "").strip()
    else:
        return ""
    if not url:
        raise WebhookError(f"{origin} is empty: put the webhook's address there")
    if not url.startswith(("https://", "http://")) or not url.isprintable() or " " in url:
        raise WebhookError(f"{origin} holds no http address")
    return url
