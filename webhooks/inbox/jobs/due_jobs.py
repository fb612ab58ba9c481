"""Claim due jobs within a transaction, and record the attempts of workers that have died."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select, text, update

from webhooks.inbox.databases import raw_sql
from webhooks.inbox.databases.store import Store
from webhooks.inbox.jobs.attempts import INSERT_ATTEMPT, LOST, RELEASED, lost_attempts
from webhooks.inbox.jobs.dead_letters import DeadLetters
from webhooks.inbox.jobs.tables import OPEN, URGENT, jobs
from webhooks.inbox.queries import JOB_QUERY
from webhooks.inbox.records import event_of, job_of
from webhooks.job import JobState

# After this many worker deaths the job is taken to be their cause.
MAX_LOSSES = 5

# Built once, because building a statement takes longer than running it, and writers wait for each other.
DUE = (
    JOB_QUERY.where(text(OPEN), jobs.c.due_at <= bindparam("now"))
    .order_by(jobs.c.due_at, jobs.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=jobs)
)
ANY_DUE = select(jobs.c.id).where(text(OPEN), jobs.c.due_at <= bindparam("now")).limit(1)
# The due jobs, and whether there is one, by urgency; None: of all jobs.
BY_URGENCY = {
    None: (DUE, ANY_DUE),
    True: (DUE.where(text(URGENT)), ANY_DUE.where(text(URGENT))),
    False: (DUE.where(jobs.c.urgent == 0), ANY_DUE.where(jobs.c.urgent == 0)),
}
CLAIM = (
    "UPDATE jobs SET state = ?, attempts = attempts + 1, owner = ?, due_at = ?, started_at = ?, finished_at = NULL "
    "WHERE id IN (?*)"
)


class DueJobs:
    """The jobs that may run now: ready ones, and those of dead workers, whose leases have ended."""

    def __init__(self, store: Store, dead_letters: DeadLetters) -> None:
        self._store, self._dead_letters = store, dead_letters

    def claim(
        self,
        connection: Connection,
        owner: str,
        limit: int,
        lease: float,
        *,
        start: int | None,
        now: float,
        urgent: bool | None,
    ) -> list[dict[str, Any]]:
        """Claim up to `limit` due jobs for `owner`, for `lease` seconds, and return their rows as changed.

        The first `start` of them (None: all) start at once. `urgent` is a key of `BY_URGENCY`.
        """
        claimed: list[dict[str, Any]] = []
        due, _ = BY_URGENCY[urgent]
        for row in raw_sql.query(connection, due, now=now, most=limit):
            max_attempts = row["max_attempts"]
            if row["state"] == JobState.RUNNING and row["started_at"] is None:
                self._record_unstarted_attempt(connection, row, now)
                max_attempts += 1
            elif row["state"] == JobState.RUNNING and not self._record_lost_attempt(connection, row, now, lease):
                continue
            new = {"state": JobState.RUNNING, "attempts": row["attempts"] + 1, "max_attempts": max_attempts}
            claimed.append({**row, **new})
        first = len(claimed) if start is None else start
        for rows, started_at in ((claimed[:first], self._store.to_wall(now)), (claimed[first:], None)):
            if rows:
                ids = [row["id"] for row in rows]
                raw_sql.execute(connection, CLAIM, int(JobState.RUNNING), owner, now + lease, started_at, ids)
                for taken in rows:
                    taken.update(owner=owner, due_at=now + lease, started_at=started_at)
        return claimed

    def _record_unstarted_attempt(self, connection: Connection, row: Mapping[str, Any], now: float) -> None:
        """Record that the worker died before it started this job, which is not counted as an attempt."""
        wall = self._store.to_wall(now)
        error = f"worker {row['owner']} died before it started the job"
        attempt = {"job_id": row["id"], "number": row["attempts"], "worker": row["owner"], "error": error}
        times = {"started_at": wall, "finished_at": wall}
        connection.execute(INSERT_ATTEMPT, {**attempt, **times, "outcome": RELEASED})
        this = update(jobs).where(jobs.c.id == row["id"])
        connection.execute(this.values(max_attempts=jobs.c.max_attempts + 1))

    def _record_lost_attempt(self, connection: Connection, row: Mapping[str, Any], now: float, lease: float) -> bool:
        """Record that the worker died while running this job, and return whether the job may run now.

        A job that was running in more than one crash may be the cause: it is rescheduled alone after a random delay
        and dead-lettered after `MAX_LOSSES` crashes.
        """
        wall = self._store.to_wall(now)
        error = f"worker {row['owner']} died (lease expired)"
        attempt = {"job_id": row["id"], "number": row["attempts"], "worker": row["owner"], "error": error}
        times = {"started_at": row["started_at"], "finished_at": wall}
        connection.execute(INSERT_ATTEMPT, {**attempt, **times, "outcome": LOST})
        losses = lost_attempts(connection, row["id"])
        this = update(jobs).where(jobs.c.id == row["id"])
        if row["attempts"] >= row["max_attempts"] or losses >= MAX_LOSSES:
            dead = {"state": int(JobState.DEAD), "finished_at": wall, "error": f"{error}, attempt {row['attempts']}"}
            connection.execute(this.values(**dead))
            self._dead_letters.add_announcements(connection, job_of(row, event_of(row)), now)
            return False
        if losses > 1:
            delay = random.uniform(0, lease * (losses - 1) / 2)  # noqa: S311 - jitter
            connection.execute(this.values(state=int(JobState.READY), due_at=now + delay, error=error))
            return False
        return True
