"""Jobs are claimed under a lease, and each ends in exactly one way; whoever lost the lease changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, exists, insert, select, text, update

from webhooks.errors import LeaseLost
from webhooks.inbox.arrivals import add_jobs
from webhooks.inbox.records import event_of, job_of
from webhooks.inbox.schema import OPEN, attempts, events, jobs
from webhooks.inbox.store import Store, instant
from webhooks.job import Job, JobState, NewJob

MAX_LOSSES = 5
"""So many workers may die under one job; then the job is what kills them."""


class Leases:
    """`claim`, `renew`, and the ways a job ends: finish, skip, postpone, bury, release."""

    store: Store
    announcements: Sequence[NewJob] = ()
    """The jobs that tell somebody about a dead one (their events are filled in)."""

    def claim(self, owner: str, limit: int, lease: float) -> list[Job]:
        """Up to `limit` due jobs for `owner`, whose they are for `lease` seconds. Counts the attempt.

        A job whose worker died is due when its lease ends, so taking over is the same statement as normal work.
        """
        if not self.store.read(lambda connection: _any_due(connection, self.store)):
            return []
        return self.store.write(lambda connection: self._claim(connection, owner, limit, lease))

    def renew(self, owner: str, job_ids: Iterable[int], lease: float) -> set[int]:
        """Extends the leases of the owner's running jobs; returns those that are its own no more."""
        ids = set(job_ids)
        mine = and_(jobs.c.id.in_(ids), jobs.c.owner == owner, jobs.c.state == JobState.RUNNING)
        extended = update(jobs).where(mine).values(due_at=self.store.now() + lease).returning(jobs.c.id)
        return ids - set(self.store.write(lambda connection: connection.execute(extended).scalars().all()))

    def finish(self, job: Job) -> None:
        """The job is done. Like all the endings it raises LeaseLost when another worker has the job by now."""
        self._end(job, JobState.DONE, "done")

    def skip(self, job: Job, reason: str) -> None:
        """There was nothing to do, and `reason` says why."""
        self._end(job, JobState.SKIPPED, "skipped", reason)

    def postpone(self, job: Job, due_at: datetime, error: str, *, free: bool = False) -> None:
        """The attempt failed; the job is due again at `due_at`. A `free` attempt may be made once more."""
        more = {"max_attempts": jobs.c.max_attempts + 1} if free else {}
        self._end(job, JobState.READY, "later", error, due_at=due_at.timestamp(), **more)

    def release(self, job: Job) -> None:
        """Gives the job back unfinished, for a worker that has to stop."""
        self._end(job, JobState.READY, "released", due_at=self.store.now())

    def bury(self, job: Job, error: str) -> None:
        """The job is dead, and somebody is going to be told."""
        self._end(job, JobState.DEAD, "dead", error)

    def _claim(self, connection: Connection, owner: str, limit: int, lease: float) -> list[Job]:
        now = _seconds(connection, self.store)
        claimed: list[Job] = []
        for row in _due(connection, now, limit):
            if row["state"] == JobState.RUNNING and self._lost(connection, row, now):
                continue
            taken = {"state": JobState.RUNNING, "owner": owner, "attempts": row["attempts"] + 1}
            times = {"due_at": now + lease, "started_at": now, "finished_at": None}
            connection.execute(update(jobs).where(jobs.c.id == row["id"]).values(**taken, **times))
            claimed.append(job_of({**row, **taken, **times}, event_of(row)))
        return claimed

    def _lost(self, connection: Connection, row: RowMapping, now: float) -> bool:
        """Writes down that a worker died with this job; True if the job has died of it."""
        error = f"worker {row['owner']} stopped without a word"
        _write_attempt(connection, job_of(row, event_of(row)), now, "lost", error)
        losses = select(attempts.c.id).where(attempts.c.job_id == row["id"], attempts.c.outcome == "lost")
        if row["attempts"] < row["max_attempts"] and len(connection.execute(losses).all()) < MAX_LOSSES:
            return False
        values = {"state": JobState.DEAD, "finished_at": now, "error": f"{error}, attempt {row['attempts']}"}
        connection.execute(update(jobs).where(jobs.c.id == row["id"]).values(**values))
        self._announce(connection, row["event_id"], row["handler"], now)
        return True

    def _end(self, job: Job, state: JobState, outcome: str, error: str | None = None, **values: Any) -> None:
        def ending(connection: Connection) -> bool:
            now = _seconds(connection, self.store)
            mine = and_(
                jobs.c.id == job.id,
                jobs.c.owner == job.owner,
                jobs.c.attempts == job.attempts,
                jobs.c.state == JobState.RUNNING,
            )
            ended = {"state": state, "error": error, "finished_at": now, "owner": None, **values}
            if connection.execute(update(jobs).where(mine).values(**ended)).rowcount == 0:
                return False
            _write_attempt(connection, job, now, outcome, error)
            if state is JobState.DEAD and job.event.id is not None:
                self._announce(connection, job.event.id, job.handler, now)
            return True

        if not self.store.write(ending):
            raise LeaseLost(f"job {job.id} belongs to another worker now")

    def _announce(self, connection: Connection, event_id: int, handler: str, now: float) -> None:
        """One announcement waits at a time for each destination; it tells of all dead jobs there are by then."""
        for new in self.announcements:
            waiting = exists().where(jobs.c.key == new.key, jobs.c.state == JobState.READY, text(OPEN))
            if handler == new.handler or connection.execute(select(waiting)).scalar():
                continue
            again = and_(jobs.c.event_id == event_id, jobs.c.key == new.key)
            fresh = {"state": JobState.READY, "attempts": 0, "due_at": now, "finished_at": None}
            if not connection.execute(update(jobs).where(again).values(**fresh)).rowcount:
                row = {"event_id": event_id, "key": new.key, "rule": new.rule, "handler": new.handler}
                texts = {"params": json.dumps(dict(new.params)), "conditions": "{}"}
                add_jobs(connection, [{**row, **texts, **fresh, "max_attempts": new.max_attempts, "created_at": now}])


def _any_due(connection: Connection, store: Store) -> bool:
    due = select(jobs.c.id).where(text(OPEN), jobs.c.due_at <= store.now()).limit(1)
    return connection.execute(due).first() is not None


def _due(connection: Connection, now: float, limit: int) -> Sequence[RowMapping]:
    columns = (events.c.body, events.c.fingerprint, events.c.received_at)
    due = (
        select(jobs, *columns)
        .join_from(jobs, events)
        .where(text(OPEN), jobs.c.due_at <= now)
        .order_by(jobs.c.due_at, jobs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=jobs)
    )
    return connection.execute(due).mappings().all()


def _write_attempt(connection: Connection, job: Job, now: float, outcome: str, error: str | None) -> None:
    row = {
        "job_id": job.id,
        "number": job.attempts,
        "worker": job.owner or "",
        "started_at": (job.started_at or instant(now)).timestamp(),
        "finished_at": now,
        "outcome": outcome,
        "error": error,
    }
    connection.execute(insert(attempts), row)


def _seconds(connection: Connection, store: Store) -> float:
    return float(connection.execute(select(store.now())).scalar_one())
