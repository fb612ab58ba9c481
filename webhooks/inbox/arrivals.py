"""Events come in: kept once, then planned into jobs."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, select, text, update

from webhooks.event import Event
from webhooks.inbox.records import Receipt, event_of
from webhooks.inbox.schema import IGNORED, PLANNED, RECEIVED, UNPLANNED, events, jobs
from webhooks.inbox.store import Store, upsert
from webhooks.job import JobState, NewJob

log = logging.getLogger(__name__)

Matching = Callable[[Event], Sequence[NewJob]]

# One statement tells new from duplicate, also when both arrive at once; by hand, because compiling it would cost as
# much as running it.
KEEP = """
INSERT INTO events (fingerprint, body, event_type, resource_luid, resource_name, site_luid, received_at, state)
VALUES (?, ?, ?, ?, ?, ?, {now}, 0)
ON CONFLICT (fingerprint) DO UPDATE SET duplicates = events.duplicates + 1
RETURNING id, duplicates
"""


class Arrivals:
    """`receive` on the way to an acknowledgement, `plan` behind it."""

    store: Store
    news: threading.Event

    def receive(self, event: Event) -> Receipt:
        """Keeps the event and returns when it is on disk. Raises StoreUnavailable when that takes too long."""
        row = (event.fingerprint, event.body, *map(_searchable, _search_fields(event)))
        kept_id, duplicates = self.store.insert(lambda connection: _keep(connection, self.store, row))
        if not duplicates:
            self.news.set()
        return Receipt(kept_id, duplicates > 0)

    def plan(self, matching: Matching, limit: int = 100) -> int:
        """Turns received events into jobs, as `matching` says, or marks them ignored. Returns how many."""
        fresh = self.store.read(lambda connection: _unplanned(connection, limit))
        if not fresh:
            return 0
        plans = [(event, _jobs_for(event, matching)) for event in fresh]
        return self.store.write(lambda connection: self._plan(connection, plans))

    def _plan(self, connection: Connection, plans: list[tuple[Event, Sequence[NewJob]]]) -> int:
        ours = _mark(connection, PLANNED, [event.id for event, new in plans if new])
        ignored = _mark(connection, IGNORED, [event.id for event, new in plans if not new])
        now = self.store.seconds(connection)
        add_jobs(connection, [_row(event, job, now) for event, new in plans if event.id in ours for job in new])
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


def _keep(connection: Connection, store: Store, row: tuple[Any, ...]) -> tuple[int, int]:
    now, values = store.stamp()
    driver: Any = connection.connection.driver_connection
    cursor = driver.execute(_keep_statement(now, store.placeholder), (*row, *values))
    kept: tuple[int, int] | None = cursor.fetchone()
    cursor.close()
    assert kept is not None
    return kept


@cache
def _keep_statement(now: str, placeholder: str) -> str:
    return KEEP.format(now=now).replace("?", placeholder)


def add_jobs(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Inserts jobs; one whose key its event has already is left as it is."""
    if rows:
        insert = upsert(connection, jobs)
        connection.execute(insert.on_conflict_do_nothing(index_elements=["event_id", "key"]), rows)


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
        return [NewJob("planning", "planning", params={"error": f"{type(error).__name__}: {error}"})]


def _row(event: Event, job: NewJob, now: float) -> dict[str, Any]:
    return {
        "event_id": event.id,
        "key": job.key,
        "rule": job.rule,
        "handler": job.handler,
        "params": json.dumps(dict(job.params)),
        "conditions": json.dumps(dict(job.where)),
        "state": JobState.READY,
        "attempts": 0,
        "max_attempts": job.max_attempts,
        "due_at": now,
        "created_at": now,
    }


def _search_fields(event: Event) -> tuple[Any, ...]:
    return event.event_type, event.resource_luid, event.resource_name, event.site_luid


def _searchable(value: Any) -> str | None:
    """A payload's value as text to search by; PostgreSQL's text has no NUL."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("\0", "\ufffd")
