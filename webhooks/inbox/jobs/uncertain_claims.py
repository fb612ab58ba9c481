"""Jobs that this process has claimed in transactions whose outcome it did not learn.

The connection was lost during the commit, or it took too long. If the transaction was committed after all, the jobs
would wait for the ends of their leases, and then count as those of a dead worker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, text

from webhooks.errors import StoreUnavailable
from webhooks.forks import Lock
from webhooks.inbox.databases.store import Store
from webhooks.inbox.jobs.attempt_sql import AttemptEnd
from webhooks.inbox.jobs.attempts import RECORDED
from webhooks.inbox.jobs.tables import OPEN, attempts, jobs
from webhooks.inbox.queries import JOB_QUERY
from webhooks.inbox.records import event_of, job_of
from webhooks.job import Job, JobState

Rows = list[dict[str, Any]]

# A commit that is still under way may become visible later.
CHECK_SECONDS = 1.0
# The job that was claimed by the statement that ended another one, by the time that this statement has used for both.
CLAIMED_AT_END = JOB_QUERY.where(
    text(OPEN),
    jobs.c.state == JobState.RUNNING,
    jobs.c.owner == bindparam("worker"),
    jobs.c.started_at.in_(RECORDED.with_only_columns(attempts.c.finished_at)),
)
RUNNING = select(jobs.c.id, jobs.c.owner, jobs.c.attempts, jobs.c.due_at).where(
    jobs.c.id.in_(bindparam("ids", expanding=True)),
    jobs.c.state == JobState.RUNNING,
    # Else its lease has ended, and any worker may claim it.
    jobs.c.due_at > bindparam("now"),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The rows that each run of a transaction has claimed, for `lease` seconds each.

    They are looked for until the monotonic time `until`. `end` instead of rows: the job that was claimed by the
    statement that ended this attempt.
    """

    runs: list[Rows]
    lease: float
    until: float
    end: AttemptEnd | None = None


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A job that belongs to this process, and the monotonic time at which it was claimed."""

    job: Job
    claimed_at: float
    urgent: bool


class UncertainClaims:
    """The claims of this process whose outcome is unknown. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._claims: list[Claim] = []
        self._check_at = 0.0

    @contextmanager
    def watch(self, lease: float, end: AttemptEnd | None = None) -> Iterator[list[Rows]]:
        """Yield a list to which each run of a transaction adds the rows that it claims for `lease` seconds.

        `end` is given if the statement that ends an attempt claims a job.

        The result of the last run is that of the transaction. Earlier runs were repeated because their outcome was
        unknown; with StoreUnavailable, it is that of all of them.
        """
        runs: list[Rows] = []
        try:
            yield runs
        except StoreUnavailable:
            # The list itself, as a transaction that took too long may still be run.
            self._add(runs, lease, end)
            raise
        if len(runs) > 1:
            self._add(runs[:-1], lease)

    def look_for(self, end: AttemptEnd, lease: float) -> None:
        """Let `find` look for the job that was claimed by the statement that ended this attempt, which was repeated."""
        self._add([], lease, end)

    def find(self, owner: str) -> Sequence[FoundJob]:
        """Return the jobs that were claimed for `owner` after all, each of them once.

        The worker calls this in each round; the database is asked at most once a second. Raises StoreUnavailable.
        """
        now = time.monotonic()
        if not self._claims or now < self._check_at:
            return []
        self._check_at = now + CHECK_SECONDS
        with self._lock:
            self._claims = [claim for claim in self._claims if now < claim.until]
            claims = list(self._claims)
        for claim in claims:
            if claim.end and not claim.runs and claim.end.job.owner == owner:
                claimed = self._store.rows(CLAIMED_AT_END, claim.end.recorded)
                claim.runs.extend([dict(row)] for row in claimed)
        rows = [(row, claim.lease) for claim in claims for run in claim.runs for row in run if row["owner"] == owner]
        left = self._seconds_left([row["id"] for row, _ in rows])
        found = []
        for row, lease in rows:
            # No other claim has the same due time, and only claims that the worker knows of are renewed.
            seconds = left.get((row["id"], row["owner"], row["attempts"], row["due_at"]))
            if seconds is not None:
                found.append(FoundJob(job_of(row, event_of(row)), now + seconds - lease, bool(row["urgent"])))
        for claim in claims:
            for run in claim.runs:
                run[:] = [row for row in run if all(one.job.id != row["id"] for one in found)]
        return found

    def _seconds_left(self, ids: list[int]) -> dict[tuple[Any, ...], float]:
        """Return the seconds until the leases of running jobs end, by id, owner, attempts and due time."""

        def read(connection: Connection) -> dict[tuple[Any, ...], float]:
            now = self._store.now(connection)
            running = connection.execute(RUNNING, {"ids": ids, "now": now})
            return {tuple(row): row.due_at - now for row in running}

        return self._store.read(read)

    def _add(self, runs: list[Rows], lease: float, end: AttemptEnd | None = None) -> None:
        with self._lock:
            # From now on, because a transaction that took too long may have claimed at its end.
            self._claims.append(Claim(runs, lease, time.monotonic() + lease, end))
            self._check_at = 0.0
