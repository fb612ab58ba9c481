"""The errors a handler raises to say what should become of its job, and the store's own."""

from __future__ import annotations

from datetime import datetime


class Permanent(Exception):
    """Trying again cannot help: the job is dead at once."""

    permanent = True
    retry_at: datetime | None = None


class RetryLater(Exception):
    """Try again, and not before `retry_at` (aware, UTC); without one the usual back-off decides."""

    permanent = False

    def __init__(self, message: str, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at


# Handlers written before the rename import it under this name.
Later = RetryLater


class Skip(Exception):
    """There is nothing to do here: the job ends as `skipped`, with the reason."""


class LeaseLost(Exception):
    """Another worker has taken this job over; whatever this one still does is in vain."""


class StoreUnavailable(Exception):
    """The inbox could not write in time; nobody may be told that an event is safe."""

    permanent = False
    retry_at: datetime | None = None
