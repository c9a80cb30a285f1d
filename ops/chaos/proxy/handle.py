"""The suite's end of the proxy: starts its process, tells it rules, reads what it wrote down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from ops.chaos.precedence import serve_first
from ops.chaos.proxy.notes import Note, read_notes
from ops.chaos.proxy.relay import Command, Done
from ops.chaos.proxy.rules import Rule, Way

END_S_MAX = 5.0
ROOT = Path(__file__).resolve().parents[3]

_done = msgspec.json.Decoder(Done)


class ProxyFailed(Exception):
    """The proxy ended, or never began; the text says what it said last."""


class Proxy:
    """A running proxy process. It ends with this one, for its commands come over a pipe."""

    def __init__(self, venue_port: int, folder: Path) -> None:
        """Start it; its notes and its complaints are kept in `folder`.

        Raises:
            ProxyFailed: it did not begin.
        """
        self._notes = folder / "proxy.jsonl"
        self._log = folder / "proxy.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ops.chaos.proxy", str(venue_port), str(self._notes)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.port = self._answer().port
        serve_first(self._process.pid)

    def rules(self, *rules: Rule) -> Done:
        """Put these rules in the place of all others; without any, everything passes."""
        return self._tell(Command(rules=rules))

    def reset(self, *ways: Way) -> Done:
        """RST on every connection of these ways."""
        return self._tell(Command(reset=ways))

    def look(self) -> Done:
        """How many units the rules in force have treated."""
        return self._tell(Command())

    def notes(self) -> list[Note]:
        """Everything written down so far."""
        return read_notes(self._notes.read_bytes().splitlines()) if self._notes.exists() else []

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, command: Command) -> Done:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(command) + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._failed() from None
        return self._answer()

    def _answer(self) -> Done:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failed()
        return _done.decode(line)

    def _failed(self) -> ProxyFailed:
        return ProxyFailed(f"the proxy ended: {self._log.read_text(errors='replace')[-500:]}")
