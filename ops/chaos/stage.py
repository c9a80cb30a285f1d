"""Where a row is played: a state directory, the venue as a process of its own, and the configuration that joins them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from actors.exchange.ledger import LedgerRecord, decode
from actors.exchange.server import DEMO_KEY, DEMO_SECRET
from actors.runtime.state_dir import StateDir
from configs.cluster_secret import VARIABLE, keep_cluster_secret
from configs.keys import write_key_file
from configs.loading import load_settings, with_changes
from configs.schema import Settings
from ops.chaos.flights import RECORDED
from ops.chaos.precedence import serve_first
from ops.chaos.proxy.handle import Proxy
from ops.chaos.webhook import LocalWebhook

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-c", "from ops.cli.main import main; main()")
LISTEN_S_MAX = 20.0
END_S_MAX = 10.0
CHAOS_SECRET = "no secret at all, for everything of it is on loopback"


class StageFailed(Exception):
    """The venue or the system did not come up, or did not go down; the text says which."""


class Stage:
    """One folder with everything of one row. As a context manager it ends venue, proxy and webhook."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.state = StateDir(folder / "state").create()
        self.ledger = folder / "ledger.jsonl"
        self.config = folder / "chaos.yaml"
        self.venue_pid_file = folder / "venue.pid"
        self.tail = LedgerTail(self.ledger)
        self._log = folder / "venue.log"
        self._keys = folder / "venue.keys"
        self._seed = seed
        self._port = 0
        self._venue: subprocess.Popen[bytes] | None = None
        self._folder = folder
        self._node: subprocess.Popen[str] | None = None
        self.other_state = StateDir(folder / "other-node")
        """State directory of the second node, where there is one."""
        self.proxy: Proxy | None = None
        self.webhook: LocalWebhook | None = None

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        if self.webhook is not None:
            self.webhook.end()
        self.end_node()
        if self.proxy is not None:
            self.proxy.end()
        self.end_venue()

    def start_proxy(self) -> Proxy:
        """Put the proxy between the venue, which listens, and the system to come.

        Raises:
            ProxyFailed: it did not begin.
        """
        self.proxy = Proxy(self._port, self._folder)
        return self.proxy

    @property
    def venue_url(self) -> str:
        """The venue itself, whatever stands between it and the system."""
        return f"http://127.0.0.1:{self._port}"

    def start_webhook(self) -> dict[str, object]:
        """Start a local webhook; returns what the settings of alerting say of it."""
        self.webhook = LocalWebhook()
        file = self._folder / "webhook"
        file.touch(0o600)
        file.write_text(self.webhook.url, "utf-8")
        return {"webhook_file": str(file)}

    def two_nodes(self) -> dict[str, object]:
        """The section of the settings for two nodes on this machine; the shard goes to the second."""
        self.other_state.create()
        for state in (self.state, self.other_state):
            keep_cluster_secret(state.cluster_secret, make=True, environ={VARIABLE: CHAOS_SECRET})
        net = f"127.{random.randint(1, 250)}.{random.randint(0, 250)}"
        nodes = [{"name": "first", "host": f"{net}.2"}, {"name": "second", "host": f"{net}.3", "shards": [0]}]
        return {"cluster": {"nodes": nodes, "ray_port": _free_ray_port()}}

    def start_node(self) -> None:
        """Start the second node; it waits for the head of the system to come."""
        arguments = ("--config", str(self.config), "--state", str(self.other_state.path))
        self._node = self.raymaker("node", "second", *arguments)

    def end_node(self) -> int:
        """End the second node, if it runs; its exit code."""
        if self._node is None:
            return 0
        if self._node.poll() is None:
            self._node.send_signal(signal.SIGTERM)
            try:
                self._node.communicate(timeout=END_S_MAX)
            except subprocess.TimeoutExpired:
                self._node.kill()
                self._node.communicate()
        return self._node.returncode

    def start_venue(self) -> None:
        """Start the venue, on the port it had before if it ran before; returns when it listens.

        Raises:
            StageFailed: it did not.
        """
        with self._log.open("ab") as log:
            told = log.tell()
            arguments = ("--port", str(self._port), "--ledger", str(self.ledger), "--seed", str(self._seed))
            # The plain market moves both symbols within a second, so that quoting again shows in orders soon.
            market = ("--symbols", ",".join(chaos_settings().symbols), "--model", "plain")
            self._venue = subprocess.Popen(
                [*COMMAND, "exchange", "--faults", *arguments, *market],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.venue_pid_file.write_text(str(self._venue.pid), "ascii")
        deadline = time.monotonic() + LISTEN_S_MAX
        while time.monotonic() < deadline and self._venue.poll() is None:
            said = self._log.read_bytes()[told:].decode(errors="replace")
            if "listens on http://" in said:
                self._port = int(said.partition("listens on http://")[2].split()[0].rpartition(":")[2])
                serve_first(self._venue.pid)
                return
            time.sleep(0.02)
        raise StageFailed(f"the venue did not listen: {self._log.read_text(errors='replace')[-500:]}")

    def kill_venue(self) -> None:
        """SIGKILL, verified."""
        assert self._venue is not None
        self._venue.kill()
        self._venue.wait(END_S_MAX)

    def end_venue(self) -> None:
        """End the venue's process, if it runs."""
        if self._venue is not None and self._venue.poll() is None:
            self._venue.send_signal(signal.SIGTERM)
            try:
                self._venue.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                self.kill_venue()

    def settings(self, changes: dict[str, object]) -> Settings:
        """The demo's settings on this venue (through the proxy, where there is one), also written as a file for the command line."""
        write_key_file(self._keys, DEMO_KEY, DEMO_SECRET)
        at = f"127.0.0.1:{self._port if self.proxy is None else self.proxy.port}"
        venue = {
            "rest_url": f"http://{at}",
            "stream_url": f"ws://{at}",
            "ws_api_url": f"ws://{at}/ws-fapi/v1",
            "keys": {"file": str(self._keys), "kind": "hmac"},
        }
        settings = with_changes(
            chaos_settings(),
            {"name": "chaos", "exchange": None, "venue": venue, "recording": {"actors": RECORDED}, **changes},
            source="chaos",
        )
        self.config.write_text(settings.model_dump_json(), "utf-8")
        return settings

    def raymaker(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of the command line."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )


def chaos_settings() -> Settings:
    """What every row runs with, the venue's addresses excepted: the demo's configuration."""
    return load_settings(ROOT / "configs" / "demo.yaml", {})


def _free_ray_port() -> int:
    """Ray's head listens on every address of the machine, and not where it expects ports of workers (above 10,000)."""
    while True:
        port = random.randint(6_400, 9_900)
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port


class LedgerTail:
    """Reads a ledger that is being written; a line counts when its newline is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._rest = b""
        self.records: list[LedgerRecord] = []

    def read(self) -> list[LedgerRecord]:
        """Everything so far."""
        if self._file is None:
            if not self._path.exists():
                return self.records
            self._file = self._path.open("rb")
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        self.records.extend(decode(line) for line in lines if line.strip())
        return self.records
