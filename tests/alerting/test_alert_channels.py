"""Where alerts go: the log of JSON lines, the spool, the webhook."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from account_samples import START_NS, settings, spec
from aiohttp import web
from loguru import logger

from actors.alerting.actor import AlertingActor
from actors.alerting.channels import AlertLog, Webhook
from actors.alerting.records import AlertSettled, AlertSpooled, PostAlert, PostAnswered
from actors.alerting.spool import DeliverySpool
from actors.runtime.state_dir import StateDir
from configs.schema import LogSettings
from protocols.effects import TimerFired
from protocols.envelope import Message
from protocols.messages.alerts import Alert, AlertCode, Severity
from protocols.messages.control import ActorState


class FixedClock:
    """Time as the test sets it."""

    ns = START_NS

    def now_ns(self) -> int:
        return self.ns


class HostDouble:
    """Hands every message to the core and carries out nothing but what the shell does."""

    def __init__(self, shell: AlertingActor) -> None:
        self.clock = FixedClock()
        self.log: Any = logger
        self.origin_ns = 0
        self._shell = shell
        self.delivered: asyncio.Queue[Message] = asyncio.Queue()

    def deliver(self, message: Message, origin_ns: int = 0) -> None:
        carry_out(self._shell, self._shell.core.handle(message, self.clock.now_ns()))  # type: ignore[arg-type]
        self.delivered.put_nowait(message)


def carry_out(shell: AlertingActor, effects: list[Any]) -> None:
    for effect in effects:
        if hasattr(effect, "record"):
            shell.append(effect.record)
        elif hasattr(effect, "request"):
            shell.call(effect.request)


def alert(subject: str = "BTCUSDC", severity: Severity = Severity.WARNING, text: str = "stale") -> Alert:
    return Alert(
        code=AlertCode.FEED_STALE, severity=severity, subject=subject, text=text, raised_ns=START_NS, source="x"
    )


def spooled(number: int, severity: Severity = Severity.WARNING, text: str = "stale") -> AlertSpooled:
    return AlertSpooled(number=number, alert=alert(str(number), severity, text))


def test_an_alert_is_one_json_line_with_named_fields(tmp_path: Path) -> None:
    log = AlertLog(tmp_path / "alerts.jsonl", LogSettings())
    log.write(alert())
    line = json.loads((tmp_path / "alerts.jsonl").read_text())
    assert line.pop("time").endswith("Z")
    assert line == {
        "code": "FEED_STALE",
        "severity": "WARNING",
        "subject": "BTCUSDC",
        "text": "stale",
        "source": "x",
        "repeats": 1,
        "raised_ns": START_NS,
    }


def test_the_alert_log_turns_over_and_keeps_so_many_files(tmp_path: Path) -> None:
    log = AlertLog(tmp_path / "alerts.jsonl", LogSettings(file_bytes_max=65_536, files_max=2))
    for number in range(100):
        log.write(alert(str(number), text="x" * 2_000))
    log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["alerts.jsonl", "alerts.jsonl.1"]
    assert all(path.stat().st_size <= 65_536 for path in tmp_path.iterdir())


def test_one_file_is_enough_where_one_is_configured(tmp_path: Path) -> None:
    log = AlertLog(tmp_path / "alerts.jsonl", LogSettings(file_bytes_max=65_536, files_max=1))
    for number in range(100):
        log.write(alert(str(number), text="x" * 2_000))
    assert [path.name for path in tmp_path.iterdir()] == ["alerts.jsonl"]


def test_the_last_alerts_are_read_back_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    log = AlertLog(path, LogSettings())
    for number in range(5):
        log.write(alert(str(number)))
    log.close()
    with path.open("ab") as file:
        file.write(b'{"time": "torn')
    assert log.recent(3) == [alert("3"), alert("4")]


def test_an_alert_log_that_does_not_exist_has_nothing(tmp_path: Path) -> None:
    assert AlertLog(tmp_path / "alerts.jsonl", LogSettings()).recent(3) == []


def test_a_disk_that_does_not_take_a_line_is_told_and_not_fatal(tmp_path: Path) -> None:
    log = AlertLog(tmp_path / "missing" / "alerts.jsonl", LogSettings())
    log.write(alert())
    assert "cannot be written: No such file or directory" in log.problem


def test_what_is_not_settled_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "webhook.alerts"
    spool = DeliverySpool(path, 65_536)
    for record in (spooled(1), spooled(2), AlertSettled(number=1), spooled(3)):
        spool.add(record)
    spool.close()
    assert DeliverySpool(path, 65_536).read() == [spooled(2), spooled(3)]


def test_a_torn_spool_loses_only_its_end_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "webhook.alerts"
    spool = DeliverySpool(path, 65_536)
    spool.add(spooled(1))
    spool.add(spooled(2))
    spool.close()
    path.write_bytes(path.read_bytes()[:-3])
    again = DeliverySpool(path, 65_536)
    assert again.read() == [spooled(1)]
    assert again.damaged_bytes > 0
    again.add(spooled(3))
    again.close()
    assert DeliverySpool(path, 65_536).read() == [spooled(1), spooled(3)]


def test_the_spool_is_bounded_and_keeps_the_gravest(tmp_path: Path) -> None:
    path = tmp_path / "webhook.alerts"
    spool = DeliverySpool(path, 65_536)
    spool.add(spooled(1, Severity.CRITICAL))
    for number in range(2, 300):
        spool.add(spooled(number, Severity.INFO, "x" * 1_000))
    spool.close()
    assert path.stat().st_size <= 65_536
    assert spooled(1, Severity.CRITICAL) in DeliverySpool(path, 65_536).read()


def test_a_spool_that_cannot_be_used_is_told_and_not_fatal(tmp_path: Path) -> None:
    spool = DeliverySpool(tmp_path, 65_536)
    assert spool.read() == []
    assert "cannot be read" in spool.problem
    lost = DeliverySpool(tmp_path / "missing" / "webhook.alerts", 65_536)
    assert lost.read() == []
    lost.add(spooled(1))
    assert "cannot be written" in lost.problem


class Hook:
    """A webhook on loopback that answers what it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.received: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.received.append(await request.json())
        return web.Response(status=self.status, headers=self.headers)

    async def serve(self) -> tuple[web.AppRunner, str]:
        app = web.Application()
        app.router.add_post("/hook", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        return runner, f"http://127.0.0.1:{port}/hook"


@pytest.mark.parametrize(
    ("status", "headers", "answer"),
    [
        (204, {}, PostAnswered(number=1, delivered=True, again=False)),
        (500, {}, PostAnswered(number=1, delivered=False, again=True, text="HTTP 500")),
        (400, {}, PostAnswered(number=1, delivered=False, again=False, text="HTTP 400")),
        (
            429,
            {"Retry-After": "7"},
            PostAnswered(
                number=1, delivered=False, again=True, text="HTTP 429", not_before_ns=START_NS + 7_000_000_000
            ),
        ),
        (503, {"Retry-After": "soon"}, PostAnswered(number=1, delivered=False, again=True, text="HTTP 503")),
        (
            503,
            {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"},
            PostAnswered(number=1, delivered=False, again=True, text="HTTP 503"),
        ),
    ],
)
async def test_the_webhooks_answer_decides_whether_to_try_again(
    status: int, headers: dict[str, str], answer: PostAnswered
) -> None:
    hook = Hook()
    hook.status, hook.headers = status, headers
    runner, url = await hook.serve()
    webhook = Webhook(url, FixedClock())
    assert await webhook.post(PostAlert(number=1, alert=alert())) == answer
    assert hook.received[0]["text"] == "stale"
    assert hook.received[0]["summary"] == "[WARNING] FEED_STALE BTCUSDC: stale"
    await webhook.close()
    await runner.cleanup()


async def test_a_webhook_that_cannot_be_reached_is_tried_again_and_its_url_is_in_no_text() -> None:
    webhook = Webhook("http://127.0.0.1:1/secret", FixedClock())
    answer = await webhook.post(PostAlert(number=1, alert=alert()))
    assert answer == PostAnswered(number=1, delivered=False, again=True, text="ConnectError")
    await webhook.close()


@pytest.mark.parametrize("url", ["nowhere://127.0.0.1", "http://127.0.0.1:port"])
async def test_a_url_that_is_none_is_refused_for_good(url: str) -> None:
    webhook = Webhook(url, FixedClock())
    answer = await webhook.post(PostAlert(number=1, alert=alert()))
    assert answer == PostAnswered(number=1, delivered=False, again=False, text="its URL cannot be used")
    await webhook.close()


async def test_the_shell_logs_delivers_and_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook()
    runner, url = await hook.serve()
    monkeypatch.setenv("HOOK", url)
    state_dir = StateDir(tmp_path).create()
    shell = AlertingActor(spec("alerting", state_dir=str(tmp_path)), settings(alerting={"webhook_env": "HOOK"}))
    host = HostDouble(shell)
    assert shell.state() is ActorState.STARTING
    await shell.start(host)
    host.deliver(alert())
    while not isinstance(await asyncio.wait_for(host.delivered.get(), 10), PostAnswered):
        pass
    assert shell.state() is ActorState.RUNNING
    assert shell.core.snapshot().delivered == 1
    assert shell.extra_snapshot()["log_problem"] == shell.extra_snapshot()["spool_problem"] == ""
    assert shell.replay("events", 0, 10) == []
    await shell.stop()
    await runner.cleanup()
    again = AlertingActor(spec("alerting", state_dir=str(tmp_path)), settings(alerting={"webhook_env": "HOOK"}))
    assert [shown.subject for shown in again.core.snapshot().alerts] == ["BTCUSDC"]
    assert again.core.snapshot().waiting == 0
    assert state_dir.log("alerts").exists()


async def test_a_shell_without_an_address_keeps_alerts_until_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Hook()
    runner, url = await hook.serve()
    StateDir(tmp_path).create()
    monkeypatch.delenv("HOOK", raising=False)
    shell = AlertingActor(
        spec("alerting", state_dir=str(tmp_path)), settings(alerting={"webhook_env": "HOOK", "retry_delay_ms": 1})
    )
    host = HostDouble(shell)
    await shell.start(host)
    host.deliver(alert())
    answer = await _answered(host)
    text = "the variable HOOK (alerting.webhook_env) is empty: put the webhook's address there"
    assert answer == PostAnswered(number=answer.number, delivered=False, again=True, text=text)
    assert shell.extra_snapshot()["webhook_problem"] == text
    monkeypatch.setenv("HOOK", url)
    host.clock.ns += 10_000_000
    host.deliver(TimerFired(name="alerting"))
    assert (await _answered(host)).delivered
    assert shell.extra_snapshot()["webhook_problem"] == ""
    await shell.stop()
    await runner.cleanup()


async def _answered(host: HostDouble) -> PostAnswered:
    while True:
        message = await asyncio.wait_for(host.delivered.get(), 10)
        if isinstance(message, PostAnswered):
            return message


async def test_a_shell_that_stops_keeps_what_is_on_its_way_in_the_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StateDir(tmp_path).create()
    monkeypatch.setenv("HOOK", "http://127.0.0.1:1/hook")
    section = {"webhook_env": "HOOK"}
    shell = AlertingActor(spec("alerting", state_dir=str(tmp_path)), settings(alerting=section))
    host = HostDouble(shell)
    await shell.start(host)
    host.deliver(alert())
    await shell.stop()
    again = AlertingActor(spec("alerting", state_dir=str(tmp_path)), settings(alerting=section))
    assert again.core.snapshot().waiting == 1
    await again.stop()
