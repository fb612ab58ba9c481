"""When to try a failed job again. Pure: attempts and an error in, a time out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 900.0
MAX_SURPRISES = 5
"""For errors that no client of ours raised, most likely a mistake in a handler: patience would only delay the news."""
PATIENCE = timedelta(days=1)
"""So long a service may go on saying "come back later" before that counts as a failure."""
LONGEST_WAIT = timedelta(days=1)


def next_attempt(
    error: BaseException, *, attempts: int, max_attempts: int, now: datetime, chance: float, surprises: int = 1
) -> datetime | None:
    """When the job that failed with `error` is due again; None: never, it is dead.

    `attempts` counts the failed one; `chance` is a random number from 0 to 1; `surprises` counts the errors so far that
    nobody foresaw, this one included. An error's `permanent` says that trying
    again cannot help, its `retry_at` when the other side wants to see us again.
    """
    used_up = attempts >= max_attempts or (is_surprise(error) and surprises >= MAX_SURPRISES)
    if is_permanent(error) or used_up:
        return None
    wait = timedelta(seconds=backoff(attempts, chance))
    retry_at: datetime | None = getattr(error, "retry_at", None)
    if retry_at is None:
        return now + wait
    # Everybody was told the same time; come back one after the other. A time far away may be a mistake of theirs.
    return min(max(_aware(retry_at), now), now + LONGEST_WAIT) + wait / 2


def _aware(time: datetime) -> datetime:
    """A handler's own error may carry a time without its zone; UTC is meant."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def backoff(attempts: int, chance: float) -> float:
    """Seconds to wait after so many attempts: doubling from one, at most a quarter of an hour, spread by half."""
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, 30))
    return longest * (0.5 + chance / 2)


def is_permanent(error: BaseException) -> bool:
    return bool(getattr(error, "permanent", False))


def is_surprise(error: BaseException) -> bool:
    """Whether this is an error that none of our clients raised."""
    return not hasattr(error, "permanent")


def costs_no_attempt(error: BaseException, *, created_at: datetime, now: datetime) -> bool:
    """Whether this was not a failure but a queue: the other side named a time, and has not done so for too long."""
    return getattr(error, "retry_at", None) is not None and not is_permanent(error) and now - created_at < PATIENCE
