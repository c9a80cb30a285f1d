"""The webhook's address: where it is read, and that no text shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from configs.schema import AlertingSettings
from configs.webhook import WebhookError, load_webhook_url

URL = "https://hooks.example/T000/secret-token"


def refusal(settings: AlertingSettings, environ: dict[str, str]) -> str:
    with pytest.raises(WebhookError) as caught:
        load_webhook_url(settings, environ)
    return str(caught.value)


def test_without_a_webhook_there_is_no_address() -> None:
    assert load_webhook_url(AlertingSettings(), {"HOOK": URL}) == ""
    assert not AlertingSettings().has_webhook


def test_the_address_comes_from_the_named_variable() -> None:
    settings = AlertingSettings(webhook_env="HOOK")
    assert settings.has_webhook
    assert load_webhook_url(settings, {"HOOK": f"{URL}\n"}) == URL


def test_the_address_comes_from_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "hook"
    path.write_text(f"{URL}\n")
    path.chmod(0o600)
    assert load_webhook_url(AlertingSettings(webhook_file=str(path)), {}) == URL
    path.chmod(0o644)
    assert refusal(AlertingSettings(webhook_file=str(path)), {}) == (
        f"the webhook file {path} is open to others (mode 0644): chmod 600 it"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty: put the webhook's address there"),
        (b"\xff\xfe", "is no text"),
        (b"x" * 20_000, "is longer than 16384 bytes"),
    ],
)
def test_a_file_that_holds_no_address_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "hook"
    path.write_bytes(content)
    path.chmod(0o600)
    assert refusal(AlertingSettings(webhook_file=str(path)), {}) == f"the webhook file {path} {reason}"


def test_a_variable_that_is_missing_or_holds_no_address_is_refused_without_showing_it() -> None:
    settings = AlertingSettings(webhook_env="HOOK")
    name = "the variable HOOK (alerting.webhook_env)"
    assert refusal(settings, {}) == f"{name} is empty: put the webhook's address there"
    assert refusal(settings, {"HOOK": "secret-token"}) == f"{name} holds no http address"


def test_an_address_in_place_of_a_name_is_refused_without_showing_it() -> None:
    with pytest.raises(ValidationError) as caught:
        AlertingSettings(webhook_env=URL)
    assert caught.value.errors()[0]["msg"] == (
        "Value error, must be the name of an environment variable that holds the address"
    )


def test_two_places_for_one_address_are_refused() -> None:
    with pytest.raises(ValidationError, match="set one of them"):
        AlertingSettings(webhook_env="HOOK", webhook_file="/hook")
