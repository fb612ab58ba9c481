"""Start and end of an attempt: the state of its job, and a row in the table `attempts`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from sqlalchemy import Connection, bindparam, insert, select

from webhooks.clock import from_timestamp
from webhooks.errors import LeaseLost
from webhooks.inbox.databases.store import Store
from webhooks.inbox.jobs.attempt_sql import AttemptEnd
from webhooks.inbox.jobs.checkpoints import checkpoint_row
from webhooks.inbox.jobs.tables import attempts
from webhooks.job import Checkpoint, Job, JobState
from webhooks.text import cut

# Characters of an error that are stored.
MAX_ERROR = 4000
# The outcome of an attempt whose worker died while it ran, and of one that ended without a result.
LOST = "lost"
RELEASED = "released"
# It did not fail: what it needs, such as a place in the rate limit, comes later.
HAS_TO_WAIT = "waiting"

INSERT_ATTEMPT = insert(attempts)
# The attempt of an AttemptEnd, with the values of its `recorded`.
RECORDED = select(attempts.c.id).where(
    *(attempts.c[name] == bindparam(name) for name in ("job_id", "number", "worker", "started_at", "outcome"))
)


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
    checkpoints: Iterable[Checkpoint] = (),
) -> Job | None:
    """Give the job its new state and record the attempt. Raises LeaseLost if another worker has the job by now.

    The job is due again in `seconds` and may be attempted `more` times in addition. `then` runs in the same
    transaction, with the connection and the time. The job `start` is started in it as well, and returned if it still
    belongs to its worker. The `checkpoints` are recorded in any case.
    """
    end = attempt_end(
        store, job, state, outcome, error, seconds=seconds, more=more, start=start, checkpoints=checkpoints
    )
    ended, started_at = store.end_attempt(end, then)
    if not ended:
        require_recorded(store, end)
    return None if start is None or started_at is None else replace(start, started_at=from_timestamp(started_at))


def attempt_end(
    store: Store,
    job: Job,
    state: JobState,
    outcome: str,
    error: str | None = None,
    *,
    seconds: float = 0.0,
    more: int = 0,
    start: Job | None = None,
    checkpoints: Iterable[Checkpoint] = (),
) -> AttemptEnd:
    """Return what `end_attempt` stores, without secrets and what a database cannot store."""
    if error:
        # PostgreSQL's text type has no NUL, no database has lone surrogates, and a name from outside may contain both.
        error = store.redact(error).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        error = cut(error, MAX_ERROR)
    rows = tuple(checkpoint_row(store, one) for one in checkpoints)
    return AttemptEnd(job, state, outcome, error, seconds, more, start, rows)


def require_recorded(store: Store, end: AttemptEnd) -> None:
    """Return if the attempt has ended this way already: the connection was lost after the commit. Raises LeaseLost."""
    if end.started_at is None or store.scalar(RECORDED, end.recorded) is None:
        raise LeaseLost(f"job {end.job.id} belongs to another worker now")


def start_attempt(store: Store, job: Job) -> Job:
    """Record that a claimed job starts, and return it. Raises LeaseLost if another worker has the job by now."""
    started_at = store.start_attempt(job)
    if started_at is None:
        raise LeaseLost(f"job {job.id} belongs to another worker now")
    return replace(job, started_at=from_timestamp(started_at))


def lost_attempts(connection: Connection, job_id: int) -> int:
    """Return how many workers died while running the job since its first attempt or its last replay."""
    outcomes = select(attempts.c.number, attempts.c.outcome).where(attempts.c.job_id == job_id)
    losses = 0
    for number, outcome in connection.execute(outcomes.order_by(attempts.c.id.desc())):
        losses += outcome == LOST
        if number == 1:
            break
    return losses
