"""Results of the inbox: receipts, events with their jobs, jobs with their attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from webhooks.clock import from_timestamp, parse_time
from webhooks.event import Event, strip_identifiers
from webhooks.inbox.events.tables import EVENT_STATES, RECEIVED
from webhooks.job import Job, JobState

Row = Mapping[str, Any] | RowMapping

# Raised by damaged values.
UNREADABLE = (ValueError, TypeError, RecursionError)
EPOCH = from_timestamp(0)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The id of a stored event, and whether it was stored before."""

    id: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a job. `outcome` is done, skipped, later, dead, released or lost (its worker died)."""

    number: int
    worker: str
    started_at: datetime
    finished_at: datetime
    outcome: str
    error: str | None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job with its history; `attempts_made` includes the attempts before a replay."""

    job: Job
    attempts_made: tuple[Attempt, ...]
    announced_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A stored event with its jobs; `state` is received, planned or ignored."""

    event: Event
    state: str
    duplicates: int
    jobs: tuple[JobRecord, ...]
    # The version of the rules by which it was planned; None before that.
    rules_version: int | None = None


@dataclass(frozen=True, slots=True)
class EventSummary:
    """A stored event in short; `happened_at` is Tableau's time and `received_at` ours, both in seconds since 1970."""

    event_type: str
    resource_luid: Any
    resource_name: Any
    happened_at: float | None
    received_at: float
    site_luid: Any = None


def event_of(row: Row) -> Event:
    """Return the event of a row that has the columns of `queries.EVENT`.

    The event of a damaged row has a `defect` and an empty payload: one row must not stop the others.
    """
    body = _stored_bytes(row["body"])
    payload: dict[str, Any] = {}
    defect = ""
    try:
        payload = strip_identifiers(_json_object(body))
        name = payload["event_type"]
        if not isinstance(name, str):
            raise TypeError("event_type is not a string")
    except (*UNREADABLE, LookupError) as error:
        name, payload = str(row["event_type"]), {}
        defect = f"The stored event cannot be read: {_reason(error)}"
    return Event(
        event_type=name,
        payload=payload,
        body=body,
        fingerprint=_stored_bytes(row["fingerprint"]),
        id=row["event_id"],
        received_at=optional_time(row["received_at"]),
        origin=row["origin"],
        defect=defect,
    )


def summary_of(event: Event) -> EventSummary:
    """Return the event in short."""
    created_at = parse_time(event.created_at)
    return EventSummary(
        event_type=event.event_type,
        resource_luid=event.resource_luid,
        resource_name=event.resource_name,
        happened_at=created_at.timestamp() if created_at else None,
        received_at=event.received_at.timestamp() if event.received_at else 0.0,
        site_luid=event.site_luid,
    )


def job_of(row: Row, event: Event) -> Job:
    """Return the job of a row of the table `jobs`; if the row is damaged, its event has a `defect`."""
    params: dict[str, Any] = {}
    where: dict[str, Any] = {}
    state = JobState.DEAD
    try:
        params, where = _json_object(row["params"]), _json_object(row["conditions"])
        state = JobState(row["state"])
    except UNREADABLE as error:
        event = replace(event, defect=event.defect or f"The stored job cannot be read: {_reason(error)}")
    return Job(
        id=row["id"],
        event=event,
        key=row["key"],
        handler=row["handler"],
        rule=row["rule"],
        params=params,
        where=where,
        state=state,
        attempts=row["attempts"],
        max_attempts=row["max_attempts"],
        due_at=optional_time(row["due_at"]) or EPOCH,
        owner=row["owner"],
        error=row["error"],
        created_at=optional_time(row["created_at"]),
        started_at=optional_time(row["started_at"]),
        finished_at=optional_time(row["finished_at"]),
    )


def event_record(row: Row, event: Event, jobs: tuple[JobRecord, ...]) -> EventRecord:
    """Return the record of an event by its row, which has `state`, `duplicates` and `rules_version`."""
    return EventRecord(
        event,
        EVENT_STATES.get(row["state"], EVENT_STATES[RECEIVED]),
        row["duplicates"],
        jobs,
        row["rules_version"],
    )


def attempt_of(row: Row) -> Attempt:
    """Return the attempt of a row of the table `attempts`."""
    return Attempt(
        number=row["number"],
        worker=row["worker"],
        started_at=optional_time(row["started_at"]) or EPOCH,
        finished_at=optional_time(row["finished_at"]) or EPOCH,
        outcome=row["outcome"],
        error=row["error"],
    )


def optional_time(seconds: float | None) -> datetime | None:
    """Return the time at `seconds` since 1970, or None if it is None or not a time."""
    try:
        return None if seconds is None else from_timestamp(seconds)
    except (*UNREADABLE, OverflowError, OSError):
        return None


def _stored_bytes(value: object) -> bytes:
    # SQLite keeps whatever type was written, for example text by an UPDATE in a shell.
    return bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode("utf-8", "replace")


def _json_object(value: bytes | str) -> dict[str, Any]:
    # Most jobs have no conditions, and many no parameters.
    if value == "{}":
        return {}
    found = json.loads(value)
    if not isinstance(found, dict):
        raise TypeError("not a JSON object")
    return found


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, LookupError) else str(error)
