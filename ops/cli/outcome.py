"""How a command ends: its exit code, and one sentence on stderr when it failed."""

from __future__ import annotations

import enum
import sys
from typing import Any

import typer
import typer.core


class ExitCode(enum.IntEnum):
    """The exit codes of every command; they do not change."""

    DONE = 0
    BAD_USAGE = 2
    NOT_RUNNING = 3
    UNCONFIRMED = 4


class CommandFailed(Exception):
    """Ends a command: `sentence` goes to stderr without a traceback, and the process exits with `code`."""

    def __init__(self, code: ExitCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Commands(typer.core.TyperGroup):
    """The group of all commands: a failure becomes its sentence and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CommandFailed as failure:
            print(f"raymaker: {failure.sentence}", file=sys.stderr)
            raise typer.Exit(int(failure.code)) from None


def bad_usage(sentence: str) -> CommandFailed:
    """The command line or the configuration is wrong, or something it names is missing."""
    return CommandFailed(ExitCode.BAD_USAGE, sentence)


def not_running(sentence: str) -> CommandFailed:
    """There is no system to talk to."""
    return CommandFailed(ExitCode.NOT_RUNNING, sentence)


def unconfirmed(sentence: str) -> CommandFailed:
    """It was done, or begun, but its effect could not be seen."""
    return CommandFailed(ExitCode.UNCONFIRMED, sentence)
