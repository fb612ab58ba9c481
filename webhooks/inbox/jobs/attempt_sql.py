"""SQL that finds work, starts and ends attempts, and records checkpoints.

It is written by hand, because SQLAlchemy would take longer than the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from webhooks.inbox.events.tables import UNPLANNED
from webhooks.inbox.jobs.tables import OPEN, URGENT, jobs
from webhooks.inbox.queries import JOB_QUERY
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


# A CTE that changes data is always run, https://www.postgresql.org/docs/current/queries-with.html
_RECORDED = (
    ", checkpointed AS (INSERT INTO checkpoints (job_id, namespace, key, value, recorded_at) "
    "SELECT %s::bigint, one.namespace, one.key, one.value, clock.now "
    "FROM clock, unnest(%s::text[], %s::text[], %s::text[]) AS one (namespace, key, value) "
    "ON CONFLICT (job_id, namespace, key) DO NOTHING)"
)

# The columns of a claimed job, as in `queries.JOB_QUERY`.
JOB_COLUMNS = tuple(str(column.key) for column in JOB_QUERY.selected_columns)
_OF_EVENT = [column for column in JOB_QUERY.selected_columns if column.table is not jobs]
_OF_JOB = [str(column) for column in jobs.c]
# The first due job for which no person waits. With a limit of one, PostgreSQL reads the index in its order even if its
# statistics are wrong. If it is the job of a dead worker, none is claimed: its last attempt has to be recorded first.
_CLAIMED = (
    f", due AS (SELECT jobs.id, jobs.state, {', '.join(map(str, _OF_EVENT))} FROM jobs "  # noqa: S608 - no values
    "JOIN events ON events.id = jobs.event_id LEFT JOIN synthetic_events ON synthetic_events.event_id = events.id "
    f"WHERE {OPEN} AND jobs.urgent = 0 AND jobs.due_at <= (SELECT now FROM clock) "
    "ORDER BY jobs.due_at, jobs.id LIMIT 1 FOR UPDATE OF jobs SKIP LOCKED), "
    f"claimed AS (UPDATE jobs SET state = {RUNNING}, attempts = jobs.attempts + 1, owner = %s, "
    "due_at = clock.now + %s, started_at = clock.now, finished_at = NULL FROM clock, ended, due "
    f"WHERE jobs.id = due.id AND due.state = {int(JobState.READY)} "
    f"RETURNING {', '.join((*_OF_JOB, *(f'due.{column.key}' for column in _OF_EVENT)))})"
)


@cache
def find_work(now: str) -> str:
    """Return the query for `Work`; `now` is the SQL for the time. By hand, as a worker asks after each commit."""
    due = f"SELECT 1 FROM jobs WHERE {OPEN} AND jobs.due_at <= {now}"  # noqa: S608 - no values
    return (
        f"SELECT EXISTS ({due} AND {URGENT}), EXISTS ({due} AND jobs.urgent = 0), "  # noqa: S608 - no values
        f"EXISTS (SELECT 1 FROM events WHERE {UNPLANNED})"
    )


@cache
def set_checkpoint(placeholder: str, now: str) -> str:
    """Return the statement that records a value; one that is already recorded is not replaced.

    `placeholder` is the driver's mark for a value, `now` the SQL for the time.
    """
    return (
        f"INSERT INTO checkpoints (job_id, namespace, key, value, recorded_at) VALUES ({placeholder}, {placeholder}, "  # noqa: S608 - no values
        f"{placeholder}, {placeholder}, {now}) ON CONFLICT (job_id, namespace, key) DO NOTHING RETURNING job_id"
    )


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """The end of a job's attempt: its new state, when it is due again, and how many `more` attempts it gets.

    `following` is the claimed job that starts in the same transaction. The `checkpoints`, each with its namespace, key
    and JSON, are recorded even if another worker has the job by now: they are about what has happened.
    """

    job: Job
    state: JobState
    outcome: str
    error: str | None
    seconds: float
    more: int
    following: Job | None
    checkpoints: tuple[tuple[str, str, str], ...] = ()

    @property
    def started_at(self) -> float | None:
        """The start of the attempt in seconds since 1970; None if it ends without having started."""
        return self.job.started_at.timestamp() if self.job.started_at else None

    @property
    def recorded(self) -> dict[str, Any]:
        """The values that identify the row of the ended attempt."""
        job, at = self.job, self.started_at
        return {
            "job_id": job.id,
            "number": job.attempts,
            "worker": job.owner,
            "started_at": at,
            "outcome": self.outcome,
        }


def own(job: Job) -> tuple[int, str | None, int]:
    """Return the values of the condition that the job still belongs to its worker."""
    return job.id, job.owner, job.attempts


def postgres_start(now: str) -> str:
    """Return the statement that starts an attempt; `now` is the SQL for the time. Its values are those of `own`."""
    return f"UPDATE jobs SET started_at = {now} WHERE {_OWN.format('%s')} RETURNING started_at"  # noqa: S608 - no values


@cache
def postgres_end(now: str, *, checkpoints: bool = False, claim: bool = False) -> str:
    """Return the statement that does everything with one round trip; `now` is the SQL for the time.

    With `checkpoints` it records some. It returns the time, whether the job belonged to its worker, and when the
    following job started. With `claim` it claims a due job and returns its JOB_COLUMNS as well; the new owner and the
    seconds of the lease are its last values.
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
        f"WHERE {_OWN.format('%s')} RETURNING jobs.started_at)"
        f"{_RECORDED if checkpoints else ''}{_CLAIMED if claim else ''} "
        "SELECT clock.now, EXISTS (SELECT 1 FROM ended), (SELECT started_at FROM followed)"
        f"{', claimed.* FROM clock LEFT JOIN claimed ON true' if claim else ' FROM clock'}"
    )


def postgres_values(end: AttemptEnd) -> Sequence[Any]:
    """Return the values of `postgres_end` without those of the time, which come first."""
    job = end.job
    checkpoints = (job.id, *map(list, zip(*end.checkpoints, strict=True))) if end.checkpoints else ()
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
        *checkpoints,
    )


def sqlite_end(driver: Any, end: AttemptEnd, now: float, wall: float) -> tuple[bool, float | None]:
    """Run the statements in the driver's transaction.

    Returns whether the job belonged to its worker, and when the following job started.
    """
    job = end.job
    for checkpoint in end.checkpoints:
        driver.execute(set_checkpoint("?", "?"), (job.id, *checkpoint, wall))
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
