"""One rotating JSON log file per actor, bounded in size and number.

Lines are written in the caller's turn (a queue and a thread cost more), so nothing logs between a decision and its bytes: the host
writes a core's lines after the effects have been carried out.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from configs.schema import LogSettings

if TYPE_CHECKING:
    from loguru import Logger

SPEAKS_OF_URLS = ("httpx", "httpcore", "websockets")
"""Libraries whose lines hold URLs, hence signatures and keys: only their warnings are kept."""


def open_log(path: Path, name: str, settings: LogSettings) -> Logger:
    """Send this process's lines to `path`; lines of libraries that use the standard library's logging come too, from WARNING.

    Values of variables are left out of tracebacks: they may be secrets.
    """
    logger.remove()
    logger.add(
        path,
        level=settings.level,
        serialize=True,
        rotation=settings.file_bytes_max,
        retention=settings.files_max - 1,
        backtrace=False,
        diagnose=False,
        catch=True,
    )
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
    for library in SPEAKS_OF_URLS:
        logging.getLogger(library).setLevel(logging.WARNING)
    return logger.bind(actor=name)


def open_console(name: str, level: str = "INFO") -> Logger:
    """Send this process's lines to standard error, for a process without a state directory."""
    logger.remove()
    logger.add(sys.stderr, level=level, backtrace=False, diagnose=False, format="{time:HH:mm:ss.SSS} {level} {message}")
    return logger.bind(actor=name)


class _ToLoguru(logging.Handler):
    """Hands lines of the standard library's logging to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.opt(exception=record.exc_info).log(record.levelname, "{}: {}", record.name, record.getMessage())
