"""What is old goes, in small steps: jobs with all that hangs on them first, then their events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, select, text

from webhooks.inbox.databases.store import Store
from webhooks.inbox.schema import OPEN, RECEIVED, attempts, events, jobs, steps

STEP = 200
"""Events to a transaction: a sender that comes meanwhile waits for one step, not for all."""
PAUSE_SECONDS = 0.02


class Retention:
    """`forget`: the other end of an event's life."""

    store: Store

    def forget(self, before: float, *, stopping: Callable[[], bool] = lambda: False, step: int = STEP) -> int:
        """Deletes the events received before that time (seconds since 1970) that are done with; returns how many.

        Whatever still has something to do stays, however old. An event that was deleted and is sent again is new.
        """
        forgotten, last = 0, 0
        while not stopping():
            looked = self.store.read(lambda connection, last=last: _oldest(connection, last, step))  # type: ignore[misc]
            old = [row["id"] for row in looked if row["received_at"] < before]
            if not old:
                break
            forgotten += self.store.write(lambda connection, old=old: _forget(connection, old))  # type: ignore[misc]
            last = looked[-1]["id"]
            time.sleep(PAUSE_SECONDS)
        return forgotten


OLDEST = (
    select(events.c.id, events.c.received_at)
    .where(events.c.id > bindparam("last"))
    .order_by(events.c.id)
    .limit(bindparam("most"))
)


def _oldest(connection: Connection, last: int, step: int) -> list[Any]:
    """The next events by id, which is nearly their age; so no index on the time is needed."""
    return list(connection.execute(OLDEST, {"last": last, "most": step}).mappings())


def _forget(connection: Connection, old: list[int]) -> int:
    unfinished = exists().where(jobs.c.event_id == events.c.id, text(OPEN))
    ended = select(events.c.id).where(events.c.id.in_(old), events.c.state != RECEIVED, ~unfinished)
    ids = connection.execute(ended).scalars().all()
    theirs = select(jobs.c.id).where(jobs.c.event_id.in_(ids))
    for table in (steps, attempts):
        connection.execute(delete(table).where(table.c.job_id.in_(theirs)))
    connection.execute(delete(jobs).where(jobs.c.event_id.in_(ids)))
    return connection.execute(delete(events).where(events.c.id.in_(ids))).rowcount
