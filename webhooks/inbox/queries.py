"""Queries for events and jobs, and their conversion to records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, Select, or_, select, text

from webhooks.inbox.events.tables import EVENT_STATES, events, synthetic_events
from webhooks.inbox.jobs.tables import DEAD, OPEN, attempts, jobs
from webhooks.inbox.records import (
    Attempt,
    EventRecord,
    JobRecord,
    attempt_of,
    event_of,
    event_record,
    job_of,
    optional_time,
)
from webhooks.job import OPEN_STATES, STATES, JobState

JOB_STATES = {state.word: state for state in JobState}
# Few jobs are open or dead, most are done.
RARE = {JobState.READY.word, JobState.RUNNING.word, JobState.DEAD.word}

# The columns and the table of `event_of`.
EVENT = (
    events.c.id.label("event_id"),
    events.c.body,
    events.c.event_type,
    events.c.fingerprint,
    events.c.received_at,
    synthetic_events.c.origin,
)
EVENTS: FromClause = events.outerjoin(synthetic_events, synthetic_events.c.event_id == events.c.id)
EVENT_QUERY: Select[Any] = select(*EVENT).select_from(EVENTS)
# Jobs with their events; the column `event_id` is the job's.
JOB_QUERY: Select[Any] = select(jobs, *EVENT[1:]).select_from(
    jobs.join(events).outerjoin(synthetic_events, synthetic_events.c.event_id == events.c.id)
)
RECORD_QUERY: Select[Any] = select(*EVENT, events.c.state, events.c.duplicates, events.c.rules_version).select_from(
    EVENTS
)


def job_records(rows: Iterable[RowMapping]) -> list[JobRecord]:
    """Return the jobs of rows of JOB_QUERY, without their attempts."""
    return [JobRecord(job_of(row, event_of(row)), (), optional_time(row["announced_at"])) for row in rows]


def event_records(connection: Connection, query: Select[Any]) -> list[EventRecord]:
    """Return the events of a query based on RECORD_QUERY, with their jobs and attempts."""
    rows = connection.execute(query).mappings().all()
    if not rows:
        return []
    stored = {row["event_id"]: event_of(row) for row in rows}
    condition = jobs.c.event_id.in_(list(stored))
    job_rows = connection.execute(select(jobs).where(condition).order_by(jobs.c.id)).mappings().all()
    attempts_by_job: dict[int, list[Attempt]] = defaultdict(list)
    all_attempts = select(attempts).join_from(attempts, jobs).where(condition).order_by(attempts.c.id)
    for row in connection.execute(all_attempts).mappings():
        attempts_by_job[row["job_id"]].append(attempt_of(row))
    jobs_by_event: dict[int, list[JobRecord]] = defaultdict(list)
    for row in job_rows:
        job = job_of(row, stored[row["event_id"]])
        record = JobRecord(job, tuple(attempts_by_job[row["id"]]), optional_time(row["announced_at"]))
        jobs_by_event[row["event_id"]].append(record)
    return [event_record(row, stored[row["event_id"]], tuple(jobs_by_event.get(row["event_id"], ()))) for row in rows]


def event_filters(
    *,
    event_types: Collection[str],
    resources: Collection[str],
    states: Collection[str],
    since: datetime | None,
    after: int | None,
    before: int | None,
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a search for events; of several values, one has to match.

    Raises ValueError for an unknown state.
    """
    if event_types:
        yield events.c.event_type.in_(event_types)
    if resources:
        yield resource_filter(events, resources)
    if states:
        yield or_(*(_state_filter(state) for state in states))
    if since:
        yield events.c.received_at >= since.timestamp()
    if after is not None:
        yield events.c.id > after
    if before is not None:
        yield events.c.id < before


def resource_filter(table: FromClause, resources: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a row is about one of the resources: LUIDs, or names with `*` and `?` in any case."""
    return or_(table.c.resource_luid.in_(resources), *(name_filter(table.c.resource_name, name) for name in resources))


def name_filter(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Return the condition that a name matches a pattern with `*` and `?`, in any case."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.ilike(escaped.replace("*", "%").replace("?", "_"), escape="\\")


def _state_filter(state: str) -> ColumnElement[bool]:
    for number, name in EVENT_STATES.items():
        if name == state:
            return events.c.state == number
    if state not in JOB_STATES:
        raise ValueError(f"Unknown state '{state}'. Choose one of: {', '.join(STATES)}")
    # The number is part of the text, so that a partial index can be used.
    condition = text(f"jobs.state = {JOB_STATES[state].value}")
    if state in RARE:
        index = text(OPEN) if JOB_STATES[state] in OPEN_STATES else text(DEAD)
        return events.c.id.in_(select(jobs.c.event_id).where(index, condition))
    return select(jobs.c.id).where(jobs.c.event_id == events.c.id, condition).exists()
