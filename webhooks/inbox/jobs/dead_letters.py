"""Dead jobs: record them, announce each of them once, requeue them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, insert, select, text, update

from webhooks.inbox.databases.store import Store
from webhooks.inbox.jobs.announcement_pace import Pace, hasten, next_announcement
from webhooks.inbox.jobs.attempts import end_attempt
from webhooks.inbox.jobs.rows import insert_jobs, job_row, requeue_jobs
from webhooks.inbox.jobs.tables import DEAD, OPEN, checkpoints, jobs
from webhooks.inbox.queries import JOB_QUERY, job_records
from webhooks.inbox.records import JobRecord
from webhooks.inbox.server.state import State
from webhooks.inbox.server.tables import state
from webhooks.job import MESSAGE_PREFIX, Job, JobState, Namespace, NewJob

# The checkpoint of an announcement with the ids of the dead jobs that it includes.
ANNOUNCED = "announced"
# The key in the state of the destinations at which the last announcement failed.
UNDELIVERABLE = "undeliverable dead letters"
# The key in the table `state` of the pace of announcements begins with this.
PACE = "announcement pace "
# Dead jobs in one announcement: SQLite and PostgreSQL accept about three times as many values in a statement.
MAX_ANNOUNCED = 10_000
# Dead jobs that are read with their events, which may be 64 KiB each; a message lists fewer.
MAX_RECORDS = 50

DEAD_JOBS = JOB_QUERY.where(text(DEAD)).order_by(jobs.c.finished_at)


class DeadLetters:
    """Jobs that used up their attempts or met a permanent error.

    `announcements` are the jobs that notify someone about a dead job; their event is the dead job's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state = State(store)
        self.announcements: Sequence[NewJob] = ()

    def dead_letter(self, job: Job, error: str) -> None:
        """Mark the job as dead and add its announcement. Raises LeaseLost if another worker has the job by now."""

        def announce(connection: Connection, now: float) -> None:
            self.add_announcements(connection, job, now)

        end_attempt(self._store, job, JobState.DEAD, "dead", error, then=announce)

    @property
    def undeliverable(self) -> list[str]:
        """The destinations at which the last announcement failed."""
        return list(self._state.get(UNDELIVERABLE) or [])

    @undeliverable.setter
    def undeliverable(self, destinations: Sequence[str]) -> None:
        if sorted(destinations) != sorted(self.undeliverable):
            self._state.set(UNDELIVERABLE, list(destinations))

    def unannounced(self, limit: int = 50, *, except_handler: str = "") -> list[JobRecord]:
        """Return dead jobs that no announcement includes, oldest first."""
        return job_records(self._store.rows(_unannounced(except_handler).limit(limit)))

    def announce(self, announcement: Job, limit: int = MAX_ANNOUNCED) -> list[JobRecord]:
        """Return the first `MAX_RECORDS` dead jobs that `announcement` includes, oldest first; `count` counts them all.

        Each call adds up to `limit` dead jobs that no announcement includes, until the announcement has sent its first
        message; if there are more, another announcement follows. They become unannounced again only if the
        announcement dies itself. Jobs that were requeued since then are left out.
        """

        def announce(connection: Connection) -> list[JobRecord]:
            included = included_in(connection, announcement.id)
            if not connection.execute(select(_has_sent(announcement.id))).scalar():
                query = _unannounced(announcement.handler).with_only_columns(jobs.c.id).limit(limit + 1)
                new = connection.execute(query.with_for_update(skip_locked=True, of=jobs)).scalars().all()
                if new or included is None:
                    included = self._include(connection, announcement.id, included, new[:limit])
                for job_id in new[limit:]:
                    (further,) = _dead_jobs(connection, DEAD_JOBS.where(jobs.c.id == job_id))
                    self.add_announcements(connection, further.job, self._store.now(connection))
            if included is None:
                return []
            return _dead_jobs(connection, DEAD_JOBS.where(included).limit(MAX_RECORDS))

        return self._store.write(announce)

    def _include(
        self, connection: Connection, announcement_id: int, included: ColumnElement[bool] | None, new: Sequence[int]
    ) -> ColumnElement[bool] | None:
        """Add dead jobs to those that the announcement includes, and return the condition for all of them."""
        ids = list(new)
        if included is not None:
            ids += connection.execute(select(jobs.c.id).where(included, text(DEAD))).scalars()
        wall = self._store.to_wall(self._store.now(connection))
        connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(announced_at=wall))
        connection.execute(delete(checkpoints).filter_by(**_checkpoint(announcement_id)))
        row = _checkpoint(announcement_id) | {"value": json.dumps(ids), "recorded_at": wall}
        connection.execute(insert(checkpoints).values(row))
        return included_in(connection, announcement_id)

    def total(self) -> int:
        """Return how many jobs are dead."""
        return int(self._store.scalar(select(func.count()).select_from(jobs).where(text(DEAD))) or 0)

    def count(self, announcement: Job) -> int:
        """Return how many dead jobs `announcement` includes."""

        def count(connection: Connection) -> int:
            included = included_in(connection, announcement.id)
            if included is None:
                return 0
            query = select(func.count()).select_from(jobs).where(included, text(DEAD))
            return int(connection.execute(query).scalar_one())

        return self._store.read(count)

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

    def requeue_jobs(self, job_ids: Sequence[int]) -> int:
        """Make these dead jobs ready again and return how many were dead."""

        def requeue(connection: Connection) -> int:
            now = self._store.now(connection)
            ids = connection.execute(select(jobs.c.id).where(text(DEAD), jobs.c.id.in_(job_ids))).scalars().all()
            return requeue_jobs(connection, ids, now=now, wall=self._store.to_wall(now))

        return self._store.write(requeue)

    def dismiss(self, job_ids: Sequence[int]) -> int:
        """Mark these dead jobs as cancelled and return how many were dead; they are reported and listed no more."""
        dismissed = update(jobs).where(text(DEAD), jobs.c.id.in_(job_ids)).values(state=int(JobState.CANCELLED))
        return self._store.execute(dismissed)

    def add_announcements(self, connection: Connection, dead: Job, now: float) -> None:
        """Add the announcements for a job that has died, unless one is waiting that will include it.

        While jobs keep dying, announcements are due at growing intervals (`announcement_pace`); a waiting one is
        brought forward for a handler that has not failed before.
        If an announcement has died itself, the jobs that it included are unannounced again.
        """
        if dead.handler in {new.handler for new in self.announcements}:
            included = included_in(connection, dead.id)
            if included is not None:
                connection.execute(update(jobs).where(included, text(DEAD)).values(announced_at=None))
                connection.execute(delete(checkpoints).filter_by(**_checkpoint(dead.id)))
        wall = self._store.to_wall(now)
        for new in self.announcements:
            if dead.handler == new.handler:
                continue
            row = job_row(dead.event.id, replace(new, key=f"{new.key} {dead.id}"))
            due_at = self._schedule(connection, PACE + new.key, row, cause=dead.handler, now=now)
            if due_at is None:
                continue
            # The job may have died, been requeued, and died again.
            existing = select(jobs.c.id).where(jobs.c.event_id == dead.event.id, jobs.c.key == row["key"])
            if (job_id := connection.execute(existing).scalar()) is not None:
                requeue_jobs(connection, [job_id], now=due_at, wall=wall)
            else:
                insert_jobs(connection, [row | {"due_at": due_at, "created_at": wall}])

    def _schedule(
        self, connection: Connection, key: str, row: dict[str, Any], *, cause: str, now: float
    ) -> float | None:
        """Return when the announcement `row` is due; None if one is waiting, which is brought forward for a new cause.

        `key` is that of the announcement's pace in the table `state`.
        """
        # The lock lets other processes wait, so that two do not add an announcement each.
        saved = connection.execute(select(state.c.value).where(state.c.key == key).with_for_update()).scalar()
        last = Pace.from_json(json.loads(saved)) if saved else None
        same = and_(jobs.c.handler == row["handler"], jobs.c.params == row["params"])
        ready = and_(text(OPEN), jobs.c.state == int(JobState.READY))
        waiting = connection.execute(select(jobs.c.id).where(ready, same, ~_has_sent(jobs.c.id)).limit(1)).scalar()
        if waiting is None:
            pace = next_announcement(now, last, cause)
        else:
            pace = hasten(now, last or Pace(now), cause)
            # One that has been tried waits for its destination.
            later = (jobs.c.id == waiting, jobs.c.due_at > pace.due_at, jobs.c.attempts == 0)
            connection.execute(update(jobs).where(*later).values(due_at=pace.due_at))
        if pace != last:
            new = {"value": json.dumps(asdict(pace)), "updated_at": self._store.to_wall(now)}
            added = self._store.upsert(state).values(key=key, **new)
            connection.execute(added.on_conflict_do_update(index_elements=["key"], set_=new))
        return pace.due_at if waiting is None else None


def _checkpoint(announcement_id: int) -> dict[str, Any]:
    return {"job_id": announcement_id, "namespace": Namespace.FRAMEWORK, "key": ANNOUNCED}


def _has_sent(announcement_id: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that the announcement has sent a message, or has tried to with an uncertain result."""
    this = (checkpoints.c.job_id == announcement_id, checkpoints.c.namespace == Namespace.FRAMEWORK)
    return exists().where(*this, checkpoints.c.key.like(f"{MESSAGE_PREFIX}%"))


def _dead_jobs(connection: Connection, query: Select[Any]) -> list[JobRecord]:
    return job_records(connection.execute(query).mappings())


def included_in(connection: Connection, announcement_id: int) -> ColumnElement[bool] | None:
    """Return the condition for the dead jobs of the announcement, or None if it has none yet.

    A job that was requeued and has died again since then has another time or none.
    """
    this = select(checkpoints.c.value, checkpoints.c.recorded_at).filter_by(**_checkpoint(announcement_id))
    row = connection.execute(this).first()
    return and_(jobs.c.id.in_(json.loads(row.value)), jobs.c.announced_at == row.recorded_at) if row else None


def _unannounced(except_handler: str) -> Select[Any]:
    return DEAD_JOBS.where(jobs.c.announced_at.is_(None), jobs.c.handler != except_handler)
