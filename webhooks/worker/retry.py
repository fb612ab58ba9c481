"""Decide when a failed job is retried, and whether its attempt counts (docs/decisions/005-patience.md). Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from webhooks.job import Job

# Seconds until the second, third … attempt; the last one is repeated. The 20 attempts of the default take at least 24 h
# even with the shortest waits, so that no message is lost in an outage of a night.
WAITS = (1.0, 5.0, 30.0, 180.0, 900.0, 1800.0, 7200.0)
# Each wait is shortened by up to this share, so that jobs that failed together are not retried together.
JITTER = 0.1
# Seconds over which jobs are spread that were asked to wait until the same time, after the first, second … attempt.
SPREADS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
# Attempts after unexpected errors: most likely a mistake in a handler, so more attempts would only delay the report.
MAX_UNEXPECTED = 5
# A later time named by the other side may be a mistake.
LONGEST_WAIT = timedelta(days=1)


def next_attempt(
    error: BaseException, *, attempts: int, max_attempts: int, now: datetime, chance: float, unexpected: int = 1
) -> datetime | None:
    """Return when the job that failed with `error` is due again, or None if it is dead.

    `attempts` includes the failed one, `unexpected` counts the unexpected errors so far, including this one; `chance`
    is a random number from 0 to 1. An error's `permanent` says that a retry would fail as well, its `retry_at` when the
    other side accepts one.
    """
    too_many = attempts >= max_attempts or (is_unexpected(error) and unexpected >= MAX_UNEXPECTED)
    if is_permanent(error) or too_many:
        return None
    retry_at: datetime | None = getattr(error, "retry_at", None)
    if retry_at is None:
        return now + timedelta(seconds=WAITS[min(attempts, len(WAITS)) - 1] * (1 - JITTER * chance))
    # A handler's own error may have a time without a zone; UTC is meant.
    named = retry_at if retry_at.tzinfo else retry_at.replace(tzinfo=UTC)
    # Jobs that wait for the same time are spread over some seconds.
    asked = getattr(error, "spread", None)
    spread = float(asked) if isinstance(asked, int | float) else SPREADS[min(attempts, len(SPREADS)) - 1]
    return min(max(named, now), now + LONGEST_WAIT) + timedelta(seconds=spread * chance)


def is_permanent(error: BaseException) -> bool:
    """Return whether the same attempt would fail again."""
    return bool(getattr(error, "permanent", False))


def is_unexpected(error: BaseException) -> bool:
    """Return whether none of the clients raised this error."""
    return not hasattr(error, "permanent")


def costs_no_attempt(error: BaseException, *, job: Job, now: datetime) -> bool:
    """Return whether the other side asked to wait, which is not a failure while it has not gone on for too long."""
    return getattr(error, "retry_at", None) is not None and not is_permanent(error) and job.waits_are_free(now)
