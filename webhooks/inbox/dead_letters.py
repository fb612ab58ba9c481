"""Dead jobs that somebody has to be told of, each by one announcement."""

from __future__ import annotations

import json

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, insert, select, text, update

from webhooks.inbox.databases.store import Store, moment
from webhooks.inbox.records import JobRecord, event_of, job_of
from webhooks.inbox.schema import DEAD, events, jobs, steps
from webhooks.job import Job

TOLD = "told"
"""The step of an announcement that holds which jobs it tells of."""


class Deaths:
    """What died, and whose announcement it is in."""

    store: Store

    def untold_dead(self, limit: int = 50, *, except_handler: str = "") -> list[JobRecord]:
        """Dead jobs that no announcement tells of, oldest first."""
        return self.store.read(lambda connection: _records(connection, _untold(except_handler).limit(limit)))

    def tell(self, announcement: Job, limit: int = 500) -> list[JobRecord]:
        """The dead jobs that `announcement` tells of, oldest first: those that were no other's when it first asked.

        They are its own from now on; only if it dies itself are they untold again. What has been replayed meanwhile is
        left out.
        """
        return self.store.write(lambda connection: self._tell(connection, announcement, limit))

    def _tell(self, connection: Connection, announcement: Job, limit: int) -> list[JobRecord]:
        held = _held(connection, announcement.id)
        if held is not None:
            return _records(connection, _dead().where(held))
        untold = _untold(announcement.handler).limit(limit).with_for_update(skip_locked=True, of=jobs)
        found = _records(connection, untold)
        ids = [record.job.id for record in found]
        wall = self.store.wall(self.store.seconds(connection))
        connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(told_at=wall))
        row = {"job_id": announcement.id, "key": TOLD, "value": json.dumps(ids), "recorded_at": wall}
        connection.execute(insert(steps).values(row))
        return found


def untell(connection: Connection, announcement: int) -> None:
    """The announcement has died: nobody has been told of what it held."""
    held = _held(connection, announcement)
    if held is not None:
        connection.execute(update(jobs).where(held, text(DEAD)).values(told_at=None))
        connection.execute(delete(steps).where(steps.c.job_id == announcement, steps.c.key == TOLD))


def _held(connection: Connection, announcement: int) -> ColumnElement[bool] | None:
    """Which jobs are the announcement's, if it has asked; one that died anew since then is another's."""
    asked = select(steps.c.value, steps.c.recorded_at).where(steps.c.job_id == announcement, steps.c.key == TOLD)
    known = connection.execute(asked).first()
    return and_(jobs.c.id.in_(json.loads(known.value)), jobs.c.told_at == known.recorded_at) if known else None


def _dead() -> Select[tuple[object, ...]]:
    return (
        select(jobs, events.c.body, events.c.fingerprint, events.c.received_at)
        .join_from(jobs, events)
        .where(text(DEAD))
        .order_by(jobs.c.finished_at)
    )


def _untold(except_handler: str) -> Select[tuple[object, ...]]:
    return _dead().where(jobs.c.told_at.is_(None), jobs.c.handler != except_handler)


def _records(connection: Connection, found: Select[tuple[object, ...]]) -> list[JobRecord]:
    rows = connection.execute(found).mappings().all()
    return [JobRecord(job_of(row, event_of(row)), (), moment(row["told_at"])) for row in rows]
