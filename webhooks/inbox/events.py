"""Events come in: kept once, then planned into jobs."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox.databases.store import Store
from webhooks.inbox.records import Receipt, event_of
from webhooks.inbox.schema import IGNORED, PLANNED, RECEIVED, UNPLANNED, events, jobs
from webhooks.job import JobState, NewJob

log = logging.getLogger(__name__)

ROWS = 500
"""Jobs in one transaction, or a few more: acknowledgements wait for it."""
Matching = Callable[[Event], Sequence[NewJob]]
Plans = Mapping[int | None, list[dict[str, Any]]]
"""The rows of jobs for each event, by its id; none for one that is ignored."""


class Arrivals:
    """`receive` on the way to an acknowledgement, `plan` behind it."""

    store: Store
    news: threading.Event
    away: bool = False

    def receive(self, event: Event) -> Receipt:
        """Keeps the event and returns when it is on disk. Raises StoreUnavailable when that takes too long."""
        row = (event.fingerprint, event.body, *map(_searchable, _search_fields(event)))
        try:
            kept_id, duplicates = self.store.keep(row)
        except StoreUnavailable as error:
            self._away(error)
            raise
        if self.away:
            self._back()
        if not duplicates:
            self.news.set()
        return Receipt(kept_id, duplicates > 0)

    def _away(self, error: StoreUnavailable) -> None:
        """Says it once: while the database is away every sender tries again and again."""
        if not self.away:
            self.away = True
            log.error("Events cannot be kept, senders are asked to come again: %s", error)

    def _back(self) -> None:
        self.away = False
        log.warning("Events are kept again")

    def plan(self, matching: Matching, limit: int = 100) -> int:
        """Turns received events into jobs, as `matching` says, or marks them ignored. Returns how many."""
        return self.put(self.plans(matching, limit))

    def plans(self, matching: Matching, limit: int) -> Plans:
        """The jobs of events that nobody has planned yet, of `limit` at most; nothing is written down.

        Everything but the SQL is done here, outside the transaction: other processes wait for that.
        """
        fresh = self.store.read(lambda connection: _unplanned(connection, limit))
        plans: dict[int | None, list[dict[str, Any]]] = {}
        left = ROWS
        for event in fresh:
            plans[event.id] = [job_row(event.id, job) for job in _jobs_for(event, matching)]
            left -= len(plans[event.id])
            if left <= 0:
                break
        return plans

    def put(self, plans: Plans) -> int:
        """Writes the plans down, but those with which another process was first. Returns how many."""
        return self.store.write(lambda c: self._put(c, plans, self.store.seconds(c))) if plans else 0

    def _put(self, connection: Connection, plans: Plans, now: float) -> int:
        ours = _mark(connection, PLANNED, [event_id for event_id, rows in plans.items() if rows])
        ignored = _mark(connection, IGNORED, [event_id for event_id, rows in plans.items() if not rows])
        times = {"due_at": now, "created_at": self.store.wall(now)}
        add_jobs(connection, [row | times for event_id, rows in plans.items() if event_id in ours for row in rows])
        return len(ours) + len(ignored)


MARK = (
    update(events)
    .where(events.c.id.in_(bindparam("ids", expanding=True)), events.c.state == RECEIVED)
    .values(state=bindparam("planned_as"))
    .returning(events.c.id)
)


def _mark(connection: Connection, state: int, ids: list[int | None]) -> set[int]:
    """Gives received events their state; returns those that no other process was first with."""
    if not ids:
        return set()
    return set(connection.execute(MARK, {"ids": ids, "planned_as": state}).scalars())


def add_jobs(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Inserts jobs; one whose key its event has already is left as it is."""
    if rows:
        connection.execute(ADD_JOBS[connection.dialect.name], rows)


ADD_JOBS = {
    name: dialect.insert(jobs).on_conflict_do_nothing(index_elements=["event_id", "key"])
    for name, dialect in {"postgresql": postgresql, "sqlite": sqlite}.items()
}


UNPLANNED_EVENTS = (
    select(events.c.id.label("event_id"), events.c.body, events.c.fingerprint, events.c.received_at)
    .where(text(UNPLANNED))
    .order_by(events.c.id)
    .limit(bindparam("most"))
)


def _unplanned(connection: Connection, limit: int) -> list[Event]:
    return [event_of(row) for row in connection.execute(UNPLANNED_EVENTS, {"most": limit}).mappings()]


def _jobs_for(event: Event, matching: Matching) -> Sequence[NewJob]:
    """What `matching` says; if it fails, one job that is dead from the start, so that somebody is told."""
    try:
        return matching(event)
    except Exception as error:
        log.exception("Planning event %s failed", event.id)
        return [NewJob("planning_failed", "planning_failed", params={"error": f"{type(error).__name__}: {error}"})]


def job_row(event_id: int | None, job: NewJob) -> dict[str, Any]:
    """A new job's columns, without its times."""
    return {
        "event_id": event_id,
        "key": job.key,
        "rule": job.rule,
        "handler": job.handler,
        "params": json.dumps(dict(job.params)),
        "conditions": json.dumps(dict(job.where)),
        "state": int(JobState.READY),
        "attempts": 0,
        "max_attempts": job.max_attempts,
    }


def _search_fields(event: Event) -> tuple[Any, ...]:
    return event.event_type, event.resource_luid, event.resource_name, event.site_luid


def _searchable(value: Any) -> str | None:
    """A payload's value as text to search by; PostgreSQL's text has no NUL."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("\0", "\ufffd")
