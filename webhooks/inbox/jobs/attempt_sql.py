"""SQL that finds work, and starts and ends attempts; by hand, as SQLAlchemy would take longer than the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from webhooks.inbox.events.tables import UNPLANNED
from webhooks.inbox.jobs.tables import OPEN, URGENT
from webhooks.job import Job, JobState

RUNNING = int(JobState.RUNNING)
_OWN = f"jobs.id = {{0}} AND jobs.owner = {{0}} AND jobs.attempts = {{0}} AND jobs.state = {RUNNING}"

SQLITE_START = f"UPDATE jobs SET started_at = ? WHERE {_OWN.format('?')}"  # noqa: S608 - no values
SQLITE_END = (
    "UPDATE jobs SET state = ?, error = ?, due_at = ?, finished_at = ?, max_attempts = max_attempts + ?, "  # noqa: S608 - no values
    "owner = NULL "
    f"WHERE {_OWN.format('?')}"
)
SQLITE_RECORD = (
    "INSERT INTO attempts (job_id, number, worker, started_at, finished_at, outcome, error) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)


@cache
def find_work(now: str) -> str:
    """Return the query for `Work`; `now` is the SQL for the time. By hand, as a worker asks after each commit."""
    due = f"SELECT 1 FROM jobs WHERE {OPEN} AND jobs.due_at <= {now}"  # noqa: S608 - no values
    return (
        f"SELECT EXISTS ({due} AND {URGENT}), EXISTS ({due} AND jobs.urgent = 0), "  # noqa: S608 - no values
        f"EXISTS (SELECT 1 FROM events WHERE {UNPLANNED})"
    )


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """The end of a job's attempt: its new state, when it is due again, and how many `more` attempts it gets.

    `following` is the claimed job that starts in the same transaction.
    """

    job: Job
    state: JobState
    outcome: str
    error: str | None
    seconds: float
    more: int
    following: Job | None

    @property
    def started_at(self) -> float | None:
        """The start of the attempt in seconds since 1970; None if it ends without having started."""
        return self.job.started_at.timestamp() if self.job.started_at else None


def own(job: Job) -> tuple[int, str | None, int]:
    """Return the values of the condition that the job still belongs to its worker."""
    return job.id, job.owner, job.attempts


def postgres_start(now: str) -> str:
    """Return the statement that starts an attempt; `now` is the SQL for the time. Its values are those of `own`."""
    return f"UPDATE jobs SET started_at = {now} WHERE {_OWN.format('%s')} RETURNING started_at"  # noqa: S608 - no values


def postgres_end(now: str) -> str:
    """Return the statement that does everything with one round trip; `now` is the SQL for the time.

    It returns the time, whether the job belonged to its worker, and when the following job started.
    """
    # A CTE that is used twice is evaluated once, https://www.postgresql.org/docs/current/queries-with.html
    return (
        f"WITH clock AS MATERIALIZED (SELECT {now} AS now), "  # noqa: S608 - no values
        "ended AS (UPDATE jobs SET state = %s, error = %s, due_at = clock.now + %s, finished_at = clock.now, "
        f"max_attempts = max_attempts + %s, owner = NULL FROM clock WHERE {_OWN.format('%s')} RETURNING jobs.id), "
        "recorded AS (INSERT INTO attempts (job_id, number, worker, started_at, finished_at, outcome, error) "
        "SELECT ended.id, %s::integer, %s::text, coalesce(%s::double precision, clock.now), clock.now, "
        "%s::text, %s::text FROM ended, clock), "
        "followed AS (UPDATE jobs SET started_at = clock.now FROM clock, ended "
        f"WHERE {_OWN.format('%s')} RETURNING jobs.started_at) "
        "SELECT clock.now, EXISTS (SELECT 1 FROM ended), (SELECT started_at FROM followed) FROM clock"
    )


def postgres_values(end: AttemptEnd) -> Sequence[Any]:
    """Return the values of `postgres_end` without those of the time, which come first."""
    job = end.job
    return (
        int(end.state),
        end.error,
        end.seconds,
        end.more,
        *own(job),
        job.attempts,
        job.owner or "",
        end.started_at,
        end.outcome,
        end.error,
        *(own(end.following) if end.following else (None, None, None)),
    )


def sqlite_end(driver: Any, end: AttemptEnd, now: float, wall: float) -> tuple[bool, float | None]:
    """Run the statements in the driver's transaction.

    Returns whether the job belonged to its worker, and when the following job started.
    """
    job = end.job
    new = (int(end.state), end.error, now + end.seconds, wall, end.more)
    if driver.execute(SQLITE_END, (*new, *own(job))).rowcount == 0:
        return False, None
    started_at = wall if end.started_at is None else end.started_at
    attempt = (job.id, job.attempts, job.owner or "", started_at, wall, end.outcome, end.error)
    driver.execute(SQLITE_RECORD, attempt)
    return True, sqlite_start(driver, end.following, wall) if end.following else None


def sqlite_start(driver: Any, job: Job, wall: float) -> float | None:
    """Start the job's attempt in the driver's transaction; return when, or None if another worker has the job."""
    return wall if driver.execute(SQLITE_START, (wall, *own(job))).rowcount else None
