"""What a journal raises; apart from the journal itself, so that who only carries these errors needs no database."""

from __future__ import annotations


class JournalError(Exception):
    """A journal cannot be opened or read; the text names the file and says what to do."""


class JournalFailed(Exception):
    """A write or sync failed: what was promised cannot be kept, so the process must end."""
