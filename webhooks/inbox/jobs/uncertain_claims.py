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

from sqlalchemy import bindparam, select, text

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
    jobs.c.id.in_(bindparam("ids", expanding=True)), jobs.c.state == JobState.RUNNING
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The rows that each run of a transaction has claimed, since the monotonic time `at`, for `lease` seconds.

    `end` instead of rows: the job that was claimed by the statement that ended this attempt.
    """

    runs: list[Rows]
    at: float
    lease: float
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
        at = time.monotonic()
        try:
            yield runs
        except StoreUnavailable:
            # The list itself, as a transaction that took too long may still be run.
            self._add(Claim(runs, at, lease, end))
            raise
        if len(runs) > 1:
            self._add(Claim(runs[:-1], at, lease))

    def look_for(self, end: AttemptEnd, lease: float, at: float) -> None:
        """Let `find` look for the job that was claimed by the statement that ended this attempt, which was repeated.

        It was first run after the monotonic time `at`.
        """
        self._add(Claim([], at, lease, end))

    def find(self, owner: str) -> Sequence[FoundJob]:
        """Return the jobs that were claimed for `owner` after all, each of them once.

        The worker calls this in each round; the database is asked at most once a second. Raises StoreUnavailable.
        """
        now = time.monotonic()
        if not self._claims or now < self._check_at:
            return []
        self._check_at = now + CHECK_SECONDS
        with self._lock:
            # The jobs of older ones are due.
            self._claims = [claim for claim in self._claims if now < claim.at + claim.lease]
            claims = list(self._claims)
        for claim in claims:
            if claim.end and not claim.runs and claim.end.job.owner == owner:
                claimed = self._store.rows(CLAIMED_AT_END, claim.end.recorded)
                claim.runs.extend([dict(row)] for row in claimed)
        rows = [(row, claim.at) for claim in claims for run in claim.runs for row in run if row["owner"] == owner]
        # No other claim has the same due time, and only claims that the worker knows of are renewed.
        running = {
            (row["id"], row["owner"], row["attempts"], row["due_at"])
            for row in self._store.rows(RUNNING, {"ids": [row["id"] for row, _ in rows]})
        }
        found = []
        for row, at in rows:
            if (row["id"], row["owner"], row["attempts"], row["due_at"]) in running:
                found.append(FoundJob(job_of(row, event_of(row)), at, bool(row["urgent"])))
        for claim in claims:
            for run in claim.runs:
                run[:] = [row for row in run if all(one.job.id != row["id"] for one in found)]
        return found

    def _add(self, claim: Claim) -> None:
        with self._lock:
            self._claims.append(claim)
            self._check_at = 0.0
