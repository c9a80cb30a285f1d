"""Why an actor's process ended by itself."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Exit codes of an actor's process."""

    DONE = 0
    CORE_FAILED = 70
    """The core raised, or an effect could not be carried out: a bug of ours."""
    MEMORY_EXCEEDED = 71
    """The supervisor takes more memory than it may."""
    JOURNAL_FAILED = 74
    """The journal could not be written."""
    START_FAILED = 78
    """The actor could not be built or started."""
