"""The order of jobs of one handler about one resource, for handlers that ask for it."""

from __future__ import annotations

from sqlalchemy import exists, or_, select, text

from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import UNPLANNED, events
from webhooks.inbox.jobs.tables import OPEN, jobs
from webhooks.job import Job


class Turns:
    """Find out whether an earlier event about the same resource has to come first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def is_first(self, job: Job) -> bool:
        """Return whether no earlier event about the job's resource is unplanned or has an open job of its handler."""
        same = events.c.resource_luid == job.event.resource_luid
        earlier = events.c.id < job.event.id
        unplanned = select(events.c.id).where(text(UNPLANNED), same, earlier)
        waiting = (
            select(jobs.c.id)
            .join(events, jobs.c.event_id == events.c.id)
            .where(text(OPEN), jobs.c.handler == job.handler, same, earlier)
        )
        return not self._store.scalar(select(or_(exists(unplanned), exists(waiting))))
