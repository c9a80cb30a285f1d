"""The supervisor's eye on the configuration's file, and the judgement of changes that people want."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from actors.supervisor.commands import ChangeConsidered, ConsiderChange
from configs.loading import ConfigError, load_settings
from configs.reloading import Verdict, changed_file, changed_key
from configs.schema import Settings

PERIOD_S = 1.0
"""How often the file is looked at."""

_Deliver = Callable[[ChangeConsidered], None]
_Stamp = tuple[int, int, int]


class Held(Protocol):
    """What the supervisor's core says of settings."""

    @property
    def settings_json(self) -> str:
        """Those that hold now."""

    @property
    def file_json(self) -> str:
        """Those that the file held when it was read last; empty before."""


def considered(request: ConsiderChange) -> ChangeConsidered:
    """The judgement of one key that a person wants changed."""
    current = Settings.model_validate_json(request.settings_json)
    try:
        verdict = changed_key(current, request.key, request.value, request.confirmed)
    except ConfigError as error:
        return _outcome(request.ask_id, request.settings_json, None, str(error), "raymaker set")
    return _outcome(request.ask_id, request.settings_json, verdict, verdict.refusal(), "raymaker set")


class SettingsWatch:
    """Looks at the file every second; an edit is told once, whether it is understood or not.

    Args:
        path: the file; empty where there is none.
    """

    def __init__(self, path: str, held: Held, deliver: _Deliver) -> None:
        self._path = Path(path)
        self._held = held
        self._deliver = deliver
        self._seen: _Stamp | None = None
        self._offered = ""
        self._is_watching = bool(path)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; returns at once."""
        if self._is_watching:
            self._task = asyncio.get_running_loop().create_task(self._watch(), name="settings file")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def look(self) -> None:
        """Read the file if it was touched since, or if what was told of it was not taken."""
        stamp = self._stamp()
        if stamp == self._seen and self._held.file_json == self._offered:
            return
        self._seen = stamp
        base, source = self._held.settings_json, str(self._path)
        try:
            after = load_settings(self._path, os.environ)
            self._offered = after.model_dump_json()
            if not self._held.file_json:
                self._deliver(_outcome(0, base, None, "", source, self._offered))
                return
            before = Settings.model_validate_json(self._held.file_json)
            verdict = changed_file(Settings.model_validate_json(base), before, after)
        except ConfigError as error:
            self._offered = self._held.file_json
            self._deliver(_outcome(0, base, None, f"nothing changes: {error}", source))
            return
        self._deliver(_outcome(0, base, verdict, verdict.refusal(), source, self._offered))

    async def _watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(PERIOD_S)

    def _stamp(self) -> _Stamp | None:
        with contextlib.suppress(OSError):
            status = self._path.stat()
            return status.st_mtime_ns, status.st_size, status.st_ino
        return None


def _outcome(
    ask_id: int, base_json: str, verdict: Verdict | None, refused: str, source: str, file_json: str = ""
) -> ChangeConsidered:
    return ChangeConsidered(
        ask_id=ask_id,
        base_json=base_json,
        settings_json=verdict.settings.model_dump_json() if verdict is not None and verdict.applied else "",
        changes=tuple(str(change) for change in verdict.applied) if verdict is not None else (),
        refused=refused,
        source=source,
        file_json=file_json,
    )
