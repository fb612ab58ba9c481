"""Count what actions do, so that their limits hold for all processes and machines."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, func, literal, or_, select

from webhooks.inbox.databases.store import Store
from webhooks.inbox.jobs.tables import jobs
from webhooks.inbox.limits.tables import action_uses
from webhooks.job import OPEN_STATES, Job, JobState


class ActionUses:
    """The uses of actions by a key, which names the action and what it changes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, job: Job, key: str, limit: int, since: datetime) -> int | None:
        """Count a use by the job and return None, or count nothing and return how many other uses there are.

        Others are jobs that were done since that time, and jobs that still run or wait. A job that was skipped, was
        cancelled or is dead does not count any more. A job whose use is counted already may go on.
        """
        ended = and_(jobs.c.state == int(JobState.DONE), jobs.c.finished_at >= since.timestamp())
        others = (
            select(func.count())
            .select_from(action_uses.join(jobs, jobs.c.id == action_uses.c.job_id))
            .where(action_uses.c.key == key, jobs.c.id != job.id, or_(jobs.c.state.in_(OPEN_STATES), ended))
            .scalar_subquery()
        )
        row = select(literal(job.id), literal(key)).where(others < limit)
        insert = self._store.upsert(action_uses).from_select(["job_id", "key"], row).on_conflict_do_nothing()
        own = select(action_uses.c.job_id).where(action_uses.c.job_id == job.id)

        def count(connection: Connection) -> int | None:
            self._store.serialize(connection, [f"use {key}"])
            connection.execute(insert)
            if connection.execute(own).scalar() is not None:
                return None
            return int(connection.execute(select(others)).scalar() or 0)

        return self._store.write(count)
