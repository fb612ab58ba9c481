"""Jobs are claimed under a lease, and each ends in exactly one way; whoever lost the lease changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, exists, insert, select, text, update

from webhooks.errors import LeaseLost
from webhooks.inbox.arrivals import add_jobs
from webhooks.inbox.records import event_of, job_of
from webhooks.inbox.schema import OPEN, attempts, events, jobs
from webhooks.inbox.store import Store
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
        rows = self.store.write(lambda connection: self._claim(connection, owner, limit, lease))
        return [job_of(row, event_of(row)) for row in rows]

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

    def postpone(self, job: Job, seconds: float, error: str, *, free: bool = False) -> None:
        """The attempt failed; the job is due again in so many seconds. A `free` attempt may be made once more."""
        self._end(job, JobState.READY, "later", error, seconds=seconds, more=int(free))

    def release(self, job: Job) -> None:
        """Gives the job back unfinished, for a worker that has to stop."""
        self._end(job, JobState.READY, "released")

    def bury(self, job: Job, error: str) -> None:
        """The job is dead, and somebody is going to be told."""
        self._end(job, JobState.DEAD, "dead", error)

    def _claim(self, connection: Connection, owner: str, limit: int, lease: float) -> list[dict[str, Any]]:
        now = self.store.seconds(connection)
        due = connection.execute(DUE, {"now": now, "most": limit}).mappings().all()
        free = [row for row in due if row["state"] == JobState.READY or not self._lost(connection, row, now)]
        if not free:
            return []
        taken = {"owner": owner, "due_at": now + lease, "started_at": now}
        connection.execute(TAKE, {"ids": [row["id"] for row in free], **{f"new_{k}": v for k, v in taken.items()}})
        return [{**row, **taken, "state": JobState.RUNNING, "attempts": row["attempts"] + 1} for row in free]

    def _lost(self, connection: Connection, row: RowMapping, now: float) -> bool:
        """Writes down that a worker died with this job; True if the job has died of it."""
        error = f"worker {row['owner']} stopped without a word"
        tried = {
            "job_id": row["id"],
            "number": row["attempts"],
            "worker": row["owner"] or "",
            "started_at": row["started_at"],
        }
        connection.execute(ATTEMPT, {**tried, "finished_at": now, "outcome": "lost", "error": error})
        losses = select(attempts.c.id).where(attempts.c.job_id == row["id"], attempts.c.outcome == "lost")
        if row["attempts"] < row["max_attempts"] and len(connection.execute(losses).all()) < MAX_LOSSES:
            return False
        values = {"state": JobState.DEAD, "finished_at": now, "error": f"{error}, attempt {row['attempts']}"}
        connection.execute(update(jobs).where(jobs.c.id == row["id"]).values(**values))
        self._announce(connection, row["event_id"], row["handler"], now)
        return True

    def _end(
        self, job: Job, state: JobState, outcome: str, error: str | None = None, *, seconds: float = 0.0, more: int = 0
    ) -> None:
        mine = {"job": job.id, "by": job.owner, "attempt": job.attempts}
        started_at = job.started_at.timestamp() if job.started_at else 0.0
        tried = {"job_id": job.id, "number": job.attempts, "worker": job.owner or "", "started_at": started_at}

        def ending(connection: Connection) -> bool:
            now = self.store.seconds(connection)
            values = {"new_state": state, "new_error": error, "now": now, "new_due_at": now + seconds, "more": more}
            if connection.execute(END, {**mine, **values}).rowcount == 0:
                return False
            connection.execute(ATTEMPT, {**tried, "finished_at": now, "outcome": outcome, "error": error})
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


# Made once: building a statement costs more than running it, and the writers of the machine wait for each other.

DUE = (
    select(jobs, events.c.body, events.c.fingerprint, events.c.received_at)
    .join_from(jobs, events)
    .where(text(OPEN), jobs.c.due_at <= bindparam("now"))
    .order_by(jobs.c.due_at, jobs.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=jobs)
)

TAKE = (
    update(jobs)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=JobState.RUNNING,
        attempts=jobs.c.attempts + 1,
        owner=bindparam("new_owner"),
        due_at=bindparam("new_due_at"),
        started_at=bindparam("new_started_at"),
        finished_at=None,
    )
)

END = (
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

ATTEMPT = insert(attempts)


def _any_due(connection: Connection, store: Store) -> bool:
    due = select(jobs.c.id).where(text(OPEN), jobs.c.due_at <= store.now()).limit(1)
    return connection.execute(due).first() is not None
