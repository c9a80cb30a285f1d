"""Runs one actor in this process, without Ray: `python -m actors.runtime SPEC_FILE PACKAGE.MODULE:SHELL`.

SPEC_FILE holds an ActorSpec in MessagePack. SIGTERM and SIGINT drain the actor, bounded by `supervision.drain_timeout_ms`.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from actors.runtime.exit_codes import ExitCode
from actors.runtime.process import ActorProcess
from actors.runtime.shell import Shell
from configs.schema import Settings
from protocols.messages.control import ActorSpec, ActorState, Drain

DRAIN_LOOK_S = 0.02


async def serve(spec: ActorSpec, shell_path: str) -> ActorProcess:
    """Build and start an actor that owns this process.

    Raises:
        Exception: whatever kept it from starting.
    """
    settings = Settings.model_validate_json(spec.config_json)
    module, _, name = shell_path.partition(":")
    shell: Shell = getattr(importlib.import_module(module), name)(spec, settings)
    process = ActorProcess(spec, shell, settings)
    await process.start()
    return process


async def _run(spec: ActorSpec, shell_path: str) -> ExitCode:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    try:
        process = await serve(spec, shell_path)
    except Exception as error:  # noqa: BLE001 - the one place that tells the person why it does not start
        print(f"{spec.name} did not start: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return ExitCode.START_FAILED
    await ending.wait()
    process.deliver(Drain())
    settings = Settings.model_validate_json(spec.config_json)
    deadline = loop.time() + settings.supervision.drain_timeout_ms / 1_000
    while process.vitals().state is not ActorState.STOPPED and loop.time() < deadline:  # noqa: ASYNC110 - bounded
        await asyncio.sleep(DRAIN_LOOK_S)
    await process.stop()
    return ExitCode.DONE


def main(arguments: list[str]) -> int:
    """Run the actor of the command line until a signal; returns the exit code."""
    if len(arguments) != 2:
        print("usage: python -m actors.runtime SPEC_FILE PACKAGE.MODULE:SHELL", file=sys.stderr)
        return 2
    spec = msgspec.msgpack.decode(Path(arguments[0]).read_bytes(), type=ActorSpec)
    return uvloop.run(_run(spec, arguments[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
