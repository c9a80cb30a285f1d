"""Somebody's webhook on loopback that fails on demand."""

from __future__ import annotations

import enum
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

BODY_BYTES_MAX = 65_536
HANG_S_MAX = 60.0


class Mood(enum.StrEnum):
    """How posts are answered. HANGING: not at all, until the mood changes."""

    WELL = "well"
    FAILING = "failing"
    HANGING = "hanging"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that was accepted, at the wall clock's `t`."""

    t: int
    code: str
    subject: str


class _Posted(msgspec.Struct):
    code: str = ""
    subject: str = ""


class LocalWebhook:
    """The server, in a thread of its own."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.refused = 0
        self._mood = Mood.WELL
        self._changed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="webhook", daemon=True).start()

    @property
    def url(self) -> str:
        """Where alerts are to be posted."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    def feel(self, mood: Mood) -> None:
        """Answer differently from now on; posts that hang are answered in the new mood."""
        self._mood = mood
        changed, self._changed = self._changed, threading.Event()
        changed.set()

    def end(self) -> None:
        """Stop serving; posts that hang are refused."""
        self.feel(Mood.FAILING)
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: bytes) -> int:
        """Accept or refuse one post; the status of the answer."""
        if self._mood is Mood.HANGING:
            self._changed.wait(HANG_S_MAX)
        if self._mood is not Mood.WELL:
            self.refused += 1
            return 500
        posted = msgspec.json.decode(body, type=_Posted)
        self.deliveries.append(Delivery(t=time.time_ns(), code=posted.code, subject=posted.subject))
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length", "0")), BODY_BYTES_MAX)
                status = webhook.take(self.rfile.read(length))
                try:
                    self.send_response(status)
                    self.end_headers()
                except OSError:
                    return

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is told of a post."""

        return Handler
