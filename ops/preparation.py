"""What can be known before anything is started: the state directory, the keys, the ports, and the simulated venue's market."""

from __future__ import annotations

import secrets
import socket

from actors.exchange.errors import SourceError
from actors.exchange.sources import open_source
from actors.runtime.state_dir import StateDir, StateDirError
from configs.keys import ApiKeyError, load_keys, write_key_file
from configs.loading import with_changes
from configs.schema import Settings
from configs.webhook import WebhookError, load_webhook_url

METRICS_HOST = "127.0.0.1"


class StartRefused(Exception):
    """Nothing was started; the text says what is missing or taken."""


def prepare(settings: Settings, state: StateDir) -> Settings:
    """Settings with the simulated venue's port and keys filled in; nothing is started. Without a simulated venue they stay.

    Raises:
        StartRefused: the keys or the webhook's address are missing, a port is taken, the market's source or the state directory
            cannot be used.
    """
    try:
        state.create()
        if settings.supervision.metrics_port:
            _free_port(METRICS_HOST, settings.supervision.metrics_port)
        if settings.exchange is not None:
            settings = _with_own_venue(settings, state)
        for source in (settings.venue.keys, settings.venue.stop_keys, settings.risk.keys):
            if source is not None:
                load_keys(source)
        load_webhook_url(settings.alerting)
    except (StateDirError, ApiKeyError, WebhookError, SourceError) as error:
        raise StartRefused(str(error)) from error
    return settings


def _with_own_venue(settings: Settings, state: StateDir) -> Settings:
    """The simulated venue listens on a port that is known before it starts, and takes the key made for it here."""
    exchange = settings.exchange
    assert exchange is not None
    open_source(exchange)
    key_file = state.path / "venue.keys"
    if not key_file.exists():
        write_key_file(key_file, secrets.token_hex(16), secrets.token_hex(32))
    port = _free_port(exchange.host, exchange.port)
    at = f"[{exchange.host}]:{port}" if ":" in exchange.host else f"{exchange.host}:{port}"
    changes = {
        "exchange": {"port": port, "ledger": exchange.ledger or str(state.ledger_file)},
        "venue": {
            "rest_url": f"http://{at}",
            "stream_url": f"ws://{at}",
            "ws_api_url": f"ws://{at}/ws-fapi/v1",
            "wallet_url": f"http://{at}",
            "keys": {"file": str(key_file), "kind": "hmac"},
        },
    }
    return with_changes(settings, changes, source="the simulated venue")


def _free_port(host: str, port: int) -> int:
    """`port` itself, or any free one for 0.

    Raises:
        StartRefused: it is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartRefused(f"port {port} of {host} cannot be used: {error.strerror}") from error
        free: int = probe.getsockname()[1]
        return free
