"""Delete expired events with their jobs in small batches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection, bindparam, delete, exists, select, text

from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import RECEIVED, events, synthetic_events
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.jobs.tables import OPEN, attempts, checkpoints, jobs, outage_jobs
from webhooks.inbox.limits.tables import action_uses

# Events in one transaction: an acknowledgement waits for one batch, not for all of them.
BATCH = 200
PAUSE_SECONDS = 0.02
# Seconds; a time further in the future was written by a clock that was wrong.
MAX_AHEAD = 86400.0

# Ids are nearly in the order of age, so the time needs no index.
OLDEST = (
    select(events.c.id, events.c.received_at)
    .where(events.c.id > bindparam("last"))
    .order_by(events.c.id)
    .limit(bindparam("batch"))
)


class Retention:
    """Deletion of events by age."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def delete_before(self, before: float, *, stopping: Callable[[], bool] = lambda: False, batch: int = BATCH) -> int:
        """Delete finished events received before that time (seconds since 1970) and return how many.

        Unplanned events, events with open jobs and the last event of each open incident are kept at any age. A deleted
        event that is sent again is new. A row whose time is damaged is as old as the rows around it: it is deleted with
        older ones after it.
        """
        deleted, last = 0, 0
        damaged: list[int] = []
        latest = self._store.read(lambda connection: self._store.to_wall(self._store.now(connection))) + MAX_AHEAD
        while not stopping():
            oldest = self._store.rows(OLDEST, {"last": last, "batch": batch})
            if not oldest:
                break
            expired, recent = [], False
            for row in oldest:
                if not is_time(row["received_at"], latest):
                    damaged.append(row["id"])
                elif row["received_at"] < before:
                    expired += [*damaged, row["id"]]
                    damaged.clear()
                else:
                    recent = True
            if recent and not expired:
                break
            if expired:
                deleted += self._store.write(partial(_delete, event_ids=expired))
            last = oldest[-1]["id"]
            time.sleep(PAUSE_SECONDS)
        return deleted

    def delete_synthetic(
        self, event_type: str, resource_luid: str, *, since: float = -math.inf, before: float = math.inf
    ) -> int:
        """Delete finished events of our own of one type and resource between two times, and return how many.

        The times are those at which they happened, in seconds since 1970.
        """
        table = synthetic_events.c
        same = (table.event_type == event_type, table.resource_luid == resource_luid)
        period = (table.happened_at >= since, table.happened_at < before)
        ids = [row["event_id"] for row in self._store.rows(select(table.event_id).where(*same, *period).limit(BATCH))]
        return self._store.write(partial(_delete, event_ids=ids)) if ids else 0


def is_time(value: object, latest: float) -> bool:
    """Return whether a column holds seconds since 1970 until `latest`; SQLite stores any value in any column."""
    return isinstance(value, int | float) and 0 < value <= latest


def _delete(connection: Connection, event_ids: list[int]) -> int:
    unfinished = exists().where(jobs.c.event_id == events.c.id, text(OPEN))
    in_incident = exists().where(incidents.c.event_id == events.c.id, incidents.c.closed_at.is_(None))
    done = (events.c.state != RECEIVED, ~unfinished, ~in_incident)
    finished = select(events.c.id).where(events.c.id.in_(event_ids), *done)
    ids = connection.execute(finished).scalars().all()
    their_jobs = select(jobs.c.id).where(jobs.c.event_id.in_(ids))
    for table in (checkpoints, attempts, action_uses, outage_jobs):
        connection.execute(delete(table).where(table.c.job_id.in_(their_jobs)))
    connection.execute(delete(jobs).where(jobs.c.event_id.in_(ids)))
    return connection.execute(delete(events).where(events.c.id.in_(ids))).rowcount
