"""The errors by which a handler decides how its job goes on, and the errors of the inbox."""

from __future__ import annotations

from datetime import datetime


class Permanent(Exception):
    """A retry cannot help: the job is dead-lettered at once."""

    permanent = True
    retry_at: datetime | None = None


class RetryLater(Exception):
    """Retry the job at `retry_at` (aware, UTC) or later; without a time the usual back-off decides.

    Jobs that wait for the same time are spread over `spread` seconds; without a number over more after each attempt.
    """

    permanent = False

    def __init__(self, message: str, retry_at: datetime | None = None, *, spread: float | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at
        self.spread = spread


# Handlers written before the rename import it under this name.
Later = RetryLater


class Skip(Exception):
    """Nothing is to be done: the job ends as `skipped`, with the reason."""


class PlanningPaused(Exception):
    """This process cannot use the rules in force, so it plans no events; another process does."""


class LeaseLost(Exception):
    """Another worker has taken this job over; the result of this attempt is discarded."""


class SchemaMismatch(RuntimeError):
    """The database has the schema of an older or newer version; the message says what to do."""


class StoreUnavailable(Exception):
    """The inbox could not read or write in time; an event that is not stored must not be acknowledged."""

    permanent = False
    retry_at: datetime | None = None


class UnknownIncident(LookupError):
    """There is no incident with this number."""
