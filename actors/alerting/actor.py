"""The shell of alerting: the alert log, the webhook, and the spool of what the webhook has not confirmed."""

from __future__ import annotations

import asyncio
from types import UnionType
from typing import Any

from actors.alerting.channels import AlertLog, Webhook
from actors.alerting.core import SHOWN_MAX, AlertingCore
from actors.alerting.records import AlertSettled, AlertSpooled, PostAlert, PostAnswered
from actors.alerting.spool import DeliverySpool
from actors.runtime.shell import Host
from actors.runtime.state_dir import StateDir
from configs.schema import Settings
from configs.webhook import WebhookError, load_webhook_url
from protocols.envelope import Message
from protocols.mailboxes import AlertingMailbox
from protocols.messages.alerts import Alert, Severity
from protocols.messages.control import ActorSpec, ActorState

POSTS_MAX = 4
"""Posts at one time. The core has one under way; more exist only while an old one is given up."""

_LEVELS = {Severity.INFO: "INFO", Severity.WARNING: "WARNING", Severity.CRITICAL: "CRITICAL"}


class AlertingActor:
    """Alerting of the account."""

    mailbox: UnionType = AlertingMailbox

    def __init__(self, spec: ActorSpec, settings: Settings) -> None:
        state_dir = StateDir(spec.state_dir)
        self._settings = settings.alerting
        self._log = AlertLog(state_dir.log("alerts"), settings.logs)
        self._spool = DeliverySpool(state_dir.spool("webhook"), settings.alerting.spool_bytes_max)
        spooled = self._spool.read() if self._settings.has_webhook else []
        self.core = AlertingCore(spec, settings, spooled, self._log.recent(SHOWN_MAX))
        self._host: Host | None = None
        self._webhook: Webhook | None = None
        self._webhook_problem = ""
        self._posts: set[asyncio.Task[None]] = set()

    async def start(self, host: Host) -> None:
        """Be ready for the webhook."""
        self._host = host
        if self._spool.damaged_bytes:
            host.log.warning("{} bytes at the end of the alert spool cannot be understood", self._spool.damaged_bytes)
        if self._settings.has_webhook:
            self._open_webhook(host)

    def call(self, request: Message) -> None:
        """Post an alert."""
        assert isinstance(request, PostAlert), f"alerting has no way to carry out {type(request).__name__}"
        if self._host is None or len(self._posts) >= POSTS_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._post(self._host, request), name="post")
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    def append(self, record: Message) -> None:
        """Write an alert to its log, or what the webhook owes to the spool; a full disk does not stop alerting."""
        match record:
            case Alert():
                self._log.write(record)
                if self._host is not None:
                    text = "{} {}: {} (from {}, {} times)"
                    level = _LEVELS[record.severity]
                    self._host.log.log(
                        level, text, record.code.value, record.subject, record.text, record.source, record.repeats
                    )
            case AlertSpooled() | AlertSettled():
                self._spool.add(record)
            case _:
                raise AssertionError(f"alerting keeps no {type(record).__name__}")

    def state(self) -> ActorState:
        """Where the actor is in its life."""
        return self.core.state() if self._host is not None else ActorState.STARTING

    def extra_snapshot(self) -> dict[str, Any]:
        """What is wrong with the files and the webhook's address, if anything is."""
        return {
            "log_problem": self._log.problem,
            "spool_problem": self._spool.problem,
            "webhook_problem": self._webhook_problem,
            "posts": len(self._posts),
        }

    def replay(self, stream: str, from_seq: int, limit: int) -> list[tuple[int, Message]]:
        """Nothing: alerting publishes nothing."""
        return []

    async def stop(self) -> None:
        """Drop the post under way (it stays in the spool) and close the files."""
        for task in self._posts:
            task.cancel()
        if self._posts:
            await asyncio.wait(self._posts)
        if self._webhook is not None:
            await self._webhook.close()
        self._log.close()
        self._spool.close()

    def _open_webhook(self, host: Host) -> None:
        """Read the address; without one alerts are logged and kept, and it is looked for again with the next attempt."""
        try:
            self._webhook = Webhook(load_webhook_url(self._settings), host.clock)
            self._webhook_problem = ""
        except WebhookError as error:
            if str(error) != self._webhook_problem:
                host.log.error("alerts cannot be posted: {}", error)
            self._webhook_problem = str(error)

    async def _post(self, host: Host, request: PostAlert) -> None:
        if self._webhook is None:
            self._open_webhook(host)
        if self._webhook is None:
            answer = PostAnswered(number=request.number, delivered=False, again=True, text=self._webhook_problem)
        else:
            answer = await self._webhook.post(request)
        host.deliver(answer)
