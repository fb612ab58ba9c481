"""The end of an attempt: the new state of its job, and a row in the table `attempts`."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, bindparam, insert, select, update

from webhooks.errors import LeaseLost
from webhooks.inbox.databases.store import Store
from webhooks.inbox.schema import attempts, jobs
from webhooks.job import Job, JobState

# The outcome of an attempt whose worker died.
LOST = "lost"

# Built once, because building a statement takes longer than running it, and writers wait for each other.
END_ATTEMPT = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("job"),
        jobs.c.owner == bindparam("by"),
        jobs.c.attempts == bindparam("attempt"),
        jobs.c.state == JobState.RUNNING,
    )
    .values(
        state=bindparam("new_state"),
        error=bindparam("new_error"),
        due_at=bindparam("new_due_at"),
        finished_at=bindparam("now"),
        max_attempts=jobs.c.max_attempts + bindparam("more"),
        owner=None,
    )
)
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
) -> None:
    """Give the job its new state and record the attempt. Raises LeaseLost if another worker has the job by now.

    The job is due again in `seconds` and may be attempted `more` times in addition. `then` runs in the same
    transaction, with the connection and the time.
    """
    # PostgreSQL's text type has no NUL, and an error may contain a name from outside.
    error = error.replace("\0", "\ufffd") if error else error
    started_at = job.started_at.timestamp() if job.started_at else 0.0
    attempt = {"job_id": job.id, "number": job.attempts, "worker": job.owner or "", "started_at": started_at}
    fence = {"job": job.id, "by": job.owner, "attempt": job.attempts}

    def end(connection: Connection) -> bool:
        now = store.now(connection)
        wall = store.to_wall(now)
        new = {"new_state": int(state), "new_error": error, "new_due_at": now + seconds, "more": more, "now": wall}
        if connection.execute(END_ATTEMPT, {**fence, **new}).rowcount == 0:
            return False
        connection.execute(INSERT_ATTEMPT, {**attempt, "finished_at": wall, "outcome": outcome, "error": error})
        if then is not None:
            then(connection, now)
        return True

    if not store.write(end):
        raise LeaseLost(f"job {job.id} belongs to another worker now")


def lost_attempts(connection: Connection, job_id: int) -> int:
    """Return how many workers died while running the job since its first attempt or its last replay."""
    outcomes = select(attempts.c.number, attempts.c.outcome).where(attempts.c.job_id == job_id)
    losses = 0
    for number, outcome in connection.execute(outcomes.order_by(attempts.c.id.desc())):
        losses += outcome == LOST
        if number == 1:
            break
    return losses
