"""Start and end of an attempt: the state of its job, and a row in the table `attempts`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, bindparam, insert, select, update

from webhooks.clock import from_timestamp
from webhooks.errors import LeaseLost
from webhooks.inbox.databases.store import Store
from webhooks.inbox.schema import attempts, jobs
from webhooks.job import Job, JobState
from webhooks.text import cut

# Characters of an error that are stored.
MAX_ERROR = 4000
# The outcome of an attempt whose worker died while it ran, and of one that ended without a result.
LOST = "lost"
RELEASED = "released"

# Built once, because building a statement takes longer than running it, and writers wait for each other.
OWN_JOB = update(jobs).where(
    jobs.c.id == bindparam("job"),
    jobs.c.owner == bindparam("by"),
    jobs.c.attempts == bindparam("attempt"),
    jobs.c.state == JobState.RUNNING,
)
END_ATTEMPT = OWN_JOB.values(
    state=bindparam("new_state"),
    error=bindparam("new_error"),
    due_at=bindparam("new_due_at"),
    finished_at=bindparam("now"),
    max_attempts=jobs.c.max_attempts + bindparam("more"),
    owner=None,
)
START_ATTEMPT = OWN_JOB.values(started_at=bindparam("now"))
INSERT_ATTEMPT = insert(attempts)


def end_attempt(
    store: Store,
    job: Job,
    state: JobState,
    outcome: str,
    error: str | None = None,
    *,
    seconds: float = 0.0,
    more: int = 0,
    then: Callable[[Connection, float], None] | None = None,
    start: Job | None = None,
) -> Job | None:
    """Give the job its new state and record the attempt. Raises LeaseLost if another worker has the job by now.

    The job is due again in `seconds` and may be attempted `more` times in addition. `then` runs in the same
    transaction, with the connection and the time. The job `start` is started in it as well, and returned if it still
    belongs to its worker.
    """
    # PostgreSQL's text type has no NUL, and an error may contain a name from outside.
    error = cut(store.redact(error).replace("\0", "\ufffd"), MAX_ERROR) if error else error
    attempt = {"job_id": job.id, "number": job.attempts, "worker": job.owner or ""}
    fence = {"job": job.id, "by": job.owner, "attempt": job.attempts}

    def end(connection: Connection) -> tuple[bool, Job | None]:
        now = store.now(connection)
        wall = store.to_wall(now)
        started_at = job.started_at.timestamp() if job.started_at else wall
        new = {"new_state": int(state), "new_error": error, "new_due_at": now + seconds, "more": more, "now": wall}
        if connection.execute(END_ATTEMPT, {**fence, **new}).rowcount == 0:
            return False, None
        times = {"started_at": started_at, "finished_at": wall}
        connection.execute(INSERT_ATTEMPT, {**attempt, **times, "outcome": outcome, "error": error})
        if then is not None:
            then(connection, now)
        return True, start_attempt(connection, start, wall) if start else None

    ended, started = store.write(end)
    if not ended:
        raise LeaseLost(f"job {job.id} belongs to another worker now")
    return started


def start_attempt(connection: Connection, job: Job, wall: float) -> Job | None:
    """Record that a claimed job starts, and return it; None if another worker has the job by now."""
    fence = {"job": job.id, "by": job.owner, "attempt": job.attempts}
    if connection.execute(START_ATTEMPT, {**fence, "now": wall}).rowcount == 0:
        return None
    return replace(job, started_at=from_timestamp(wall))


def lost_attempts(connection: Connection, job_id: int) -> int:
    """Return how many workers died while running the job since its first attempt or its last replay."""
    outcomes = select(attempts.c.number, attempts.c.outcome).where(attempts.c.job_id == job_id)
    losses = 0
    for number, outcome in connection.execute(outcomes.order_by(attempts.c.id.desc())):
        losses += outcome == LOST
        if number == 1:
            break
    return losses
