"""Where alerts go: a rotating file of JSON lines, and a webhook."""

from __future__ import annotations

import email.utils
import itertools
import time
from pathlib import Path
from typing import BinaryIO

import httpx
import msgspec

from actors.alerting.records import PostAlert, PostAnswered
from actors.runtime.shell import Clock
from configs.schema import LogSettings
from protocols.messages.alerts import Alert, AlertCode, Severity

POST_TIMEOUT_S = 5.0
RETRY_AFTER_S_MAX = 3_600


class _PlainAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as an object with named fields. `time` is the wall clock, for people; `raised_ns` the clock of the node that raised it."""

    time: str
    code: str
    severity: str
    subject: str
    text: str
    source: str
    repeats: int
    raised_ns: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_PlainAlert)


class AlertLog:
    """Appends each alert as one JSON line; the file is turned over when it is full, and only so many are kept.

    A disk that does not take a line costs that line: `problem` says so, and the process's own log has the alert as well.
    """

    def __init__(self, path: Path, settings: LogSettings) -> None:
        self._path = path
        self._bytes_max = settings.file_bytes_max
        self._files_max = settings.files_max
        self._file: BinaryIO | None = None
        self._length = 0
        self.problem = ""

    def recent(self, count: int) -> list[Alert]:
        """The last alerts of the newest file, oldest first; lines that cannot be understood are left out."""
        try:
            with self._path.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(file.tell() - count * 4_096, 0))
                lines = file.read().splitlines()[-count:]
        except OSError:
            return []
        found = []
        for line in lines:
            try:
                plain = _decoder.decode(line)
                found.append(_alert(plain))
            except (msgspec.MsgspecError, ValueError):
                continue
        return found

    def write(self, alert: Alert) -> None:
        """Write one line."""
        line = _encoder.encode(_plain(alert)) + b"\n"
        try:
            if self._file is not None and self._length + len(line) > self._bytes_max:
                self._turn_over()
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
                self._length = self._path.stat().st_size
            self._file.write(line)
            self._length += len(line)
            self.problem = ""
        except OSError as error:
            self.close()
            self.problem = f"{self._path} cannot be written: {error.strerror}"

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _turn_over(self) -> None:
        self.close()
        older = [self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._files_max)]
        names = [self._path, *older]
        for newer, old in reversed(list(itertools.pairwise(names))):
            if newer.exists():
                newer.replace(old)
        if not older:
            self._path.unlink(missing_ok=True)


class Webhook:
    """Posts alerts as JSON, one request each, with a bound on every step. Its URL is a secret: no text holds it."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(POST_TIMEOUT_S),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "raymaker"},
        )

    async def post(self, request: PostAlert) -> PostAnswered:
        """Give an alert to the webhook; never raises for what the network or the other side does."""
        alert = request.alert
        summary = f"[{alert.severity}] {alert.code} {alert.subject}: {alert.text}"
        body = {"summary": summary, **msgspec.to_builtins(_plain(alert))}
        try:
            async with self._http.stream("POST", self._url, json=body) as response:
                return self._judged(request.number, response)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return PostAnswered(number=request.number, delivered=False, again=False, text="its URL cannot be used")
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            return PostAnswered(number=request.number, delivered=False, again=True, text=type(error).__name__)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _judged(self, number: int, response: httpx.Response) -> PostAnswered:
        status = response.status_code
        if 200 <= status < 300:
            return PostAnswered(number=number, delivered=True, again=False)
        # Only the alert's own fault makes a repetition useless; anything else may pass.
        again = status not in (400, 413, 422)
        wait_ns = _retry_after_s(response.headers.get("Retry-After", "")) * 1_000_000_000
        not_before_ns = self._clock.now_ns() + wait_ns if wait_ns else 0
        return PostAnswered(
            number=number, delivered=False, again=again, text=f"HTTP {status}", not_before_ns=not_before_ns
        )


def _retry_after_s(text: str) -> int:
    """Seconds of a Retry-After header, 0 where it says nothing usable."""
    if text.isascii() and text.isdigit() and len(text) <= 6:
        return min(int(text), RETRY_AFTER_S_MAX)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0
    return max(0, min(int(at.timestamp() - time.time()), RETRY_AFTER_S_MAX))


def _plain(alert: Alert) -> _PlainAlert:
    return _PlainAlert(
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        code=alert.code.value,
        severity=alert.severity.value,
        subject=alert.subject,
        text=alert.text,
        source=alert.source,
        repeats=alert.repeats,
        raised_ns=alert.raised_ns,
    )


def _alert(plain: _PlainAlert) -> Alert:
    return Alert(
        code=AlertCode(plain.code),
        severity=Severity(plain.severity),
        subject=plain.subject,
        text=plain.text,
        raised_ns=plain.raised_ns,
        source=plain.source,
        repeats=plain.repeats,
    )
