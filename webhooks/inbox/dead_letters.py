"""Dead jobs: record them, announce each of them once, requeue them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, insert, select, text, update

from webhooks.inbox.attempts import end_attempt
from webhooks.inbox.checkpoints import MESSAGE_PREFIX, Namespace
from webhooks.inbox.databases.store import Store
from webhooks.inbox.job_rows import insert_jobs, job_row, requeue_jobs
from webhooks.inbox.queries import JOB_QUERY, job_records
from webhooks.inbox.records import JobRecord
from webhooks.inbox.schema import DEAD, OPEN, checkpoints, jobs
from webhooks.job import Job, JobState, NewJob

# The checkpoint of an announcement with the ids of the dead jobs that it includes.
ANNOUNCED = "announced"

DEAD_JOBS = JOB_QUERY.where(text(DEAD)).order_by(jobs.c.finished_at)


class DeadLetters:
    """Jobs that used up their attempts or met a permanent error.

    `announcements` are the jobs that notify someone about a dead job; their event is the dead job's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.announcements: Sequence[NewJob] = ()

    def dead_letter(self, job: Job, error: str) -> None:
        """Mark the job as dead and add its announcement. Raises LeaseLost if another worker has the job by now."""

        def announce(connection: Connection, now: float) -> None:
            self.add_announcements(connection, job, now)

        end_attempt(self._store, job, JobState.DEAD, "dead", error, then=announce)

    def unannounced(self, limit: int = 50, *, except_handler: str = "") -> list[JobRecord]:
        """Return dead jobs that no announcement includes, oldest first."""
        return job_records(self._store.rows(_unannounced(except_handler).limit(limit)))

    def announce(self, announcement: Job, limit: int = 500) -> list[JobRecord]:
        """Return the dead jobs that `announcement` includes, oldest first.

        Each call adds the dead jobs that no announcement includes, until the announcement has sent its first message.
        They become unannounced again only if the announcement dies itself. Jobs that were requeued since then are left
        out.
        """

        def announce(connection: Connection) -> list[JobRecord]:
            included = _included(connection, announcement.id)
            found = _dead_jobs(connection, DEAD_JOBS.where(included)) if included is not None else []
            if connection.execute(select(_has_sent(announcement.id))).scalar():
                return found
            unannounced = _unannounced(announcement.handler).limit(limit).with_for_update(skip_locked=True, of=jobs)
            new = _dead_jobs(connection, unannounced)
            if not new and included is not None:
                return found
            found += new
            ids = [record.job.id for record in found]
            wall = self._store.to_wall(self._store.now(connection))
            connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(announced_at=wall))
            connection.execute(delete(checkpoints).filter_by(**_checkpoint(announcement.id)))
            row = _checkpoint(announcement.id) | {"value": json.dumps(ids), "recorded_at": wall}
            connection.execute(insert(checkpoints).values(row))
            return found

        return self._store.write(announce)

    def requeue(
        self, since: datetime | None = None, limit: int = 1000, *, event_ids: Sequence[int] | None = None
    ) -> int:
        """Make dead jobs ready again and return how many: those that died at or after `since`, of these events."""
        query = select(jobs.c.id).where(text(DEAD)).order_by(jobs.c.finished_at).limit(limit)
        if since is not None:
            query = query.where(jobs.c.finished_at >= since.timestamp())
        if event_ids is not None:
            query = query.where(jobs.c.event_id.in_(event_ids))

        def requeue(connection: Connection) -> int:
            now = self._store.now(connection)
            ids = connection.execute(query).scalars().all()
            return requeue_jobs(connection, ids, now=now, wall=self._store.to_wall(now))

        return self._store.write(requeue)

    def add_announcements(self, connection: Connection, dead: Job, now: float) -> None:
        """Add the announcements for a job that has died, unless one is waiting that will include it.

        If an announcement has died itself, the jobs that it included are unannounced again.
        """
        if dead.handler in {new.handler for new in self.announcements}:
            included = _included(connection, dead.id)
            if included is not None:
                connection.execute(update(jobs).where(included, text(DEAD)).values(announced_at=None))
                connection.execute(delete(checkpoints).filter_by(**_checkpoint(dead.id)))
        wall = self._store.to_wall(now)
        for new in self.announcements:
            if dead.handler == new.handler:
                continue
            row = job_row(dead.event.id, replace(new, key=f"{new.key} {dead.id}"))
            same = and_(jobs.c.handler == new.handler, jobs.c.params == row["params"])
            ready = and_(text(OPEN), jobs.c.state == int(JobState.READY))
            waiting = exists().where(ready, same, ~_has_sent(jobs.c.id))
            if connection.execute(select(waiting)).scalar():
                continue
            # The job may have died, been requeued, and died again.
            existing = select(jobs.c.id).where(jobs.c.event_id == dead.event.id, jobs.c.key == row["key"])
            if (job_id := connection.execute(existing).scalar()) is not None:
                requeue_jobs(connection, [job_id], now=now, wall=wall)
            else:
                insert_jobs(connection, [row | {"due_at": now, "created_at": wall}])


def _checkpoint(announcement_id: int) -> dict[str, Any]:
    return {"job_id": announcement_id, "namespace": Namespace.FRAMEWORK, "key": ANNOUNCED}


def _has_sent(announcement_id: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that the announcement has sent a message, or has tried to with an uncertain result."""
    this = (checkpoints.c.job_id == announcement_id, checkpoints.c.namespace == Namespace.FRAMEWORK)
    return exists().where(*this, checkpoints.c.key.like(f"{MESSAGE_PREFIX}%"))


def _dead_jobs(connection: Connection, query: Select[Any]) -> list[JobRecord]:
    return job_records(connection.execute(query).mappings())


def _included(connection: Connection, announcement_id: int) -> ColumnElement[bool] | None:
    """Return the condition for the dead jobs of the announcement, or None if it has none yet.

    A job that was requeued and has died again since then has another time or none.
    """
    this = select(checkpoints.c.value, checkpoints.c.recorded_at).filter_by(**_checkpoint(announcement_id))
    row = connection.execute(this).first()
    return and_(jobs.c.id.in_(json.loads(row.value)), jobs.c.announced_at == row.recorded_at) if row else None


def _unannounced(except_handler: str) -> Select[Any]:
    return DEAD_JOBS.where(jobs.c.announced_at.is_(None), jobs.c.handler != except_handler)
