"""What the inbox gives back when somebody asks: events with their jobs, jobs with their attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from webhooks.clock import from_timestamp
from webhooks.event import Event
from webhooks.inbox.databases.store import moment
from webhooks.inbox.schema import EVENT_STATES
from webhooks.job import Job, JobState

Row = Mapping[str, Any] | RowMapping


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender is told: the event's id, and whether we had it already."""

    id: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a job. `outcome` is done, skipped, later, dead, released or lost (its worker died)."""

    number: int
    worker: str
    started_at: datetime
    finished_at: datetime
    outcome: str
    error: str | None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job with its history; `attempts_made` also holds the tries before a replay."""

    job: Job
    attempts_made: tuple[Attempt, ...]
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A kept event; `state` is received, planned or ignored."""

    event: Event
    state: str
    duplicates: int
    jobs: tuple[JobRecord, ...]


def event_of(row: Row) -> Event:
    """The event of a row that has `event_id`, `body`, `fingerprint` and `received_at`."""
    body = bytes(row["body"])
    payload = json.loads(body)
    received_at = from_timestamp(row["received_at"])
    return Event(payload["event_type"], payload, body, bytes(row["fingerprint"]), row["event_id"], received_at)


def job_of(row: Row, event: Event) -> Job:
    return Job(
        id=row["id"],
        event=event,
        key=row["key"],
        handler=row["handler"],
        rule=row["rule"],
        params=json.loads(row["params"]),
        where=json.loads(row["conditions"]),
        state=JobState(row["state"]),
        attempts=row["attempts"],
        max_attempts=row["max_attempts"],
        due_at=from_timestamp(row["due_at"]),
        owner=row["owner"],
        error=row["error"],
        created_at=moment(row["created_at"]),
        started_at=moment(row["started_at"]),
        finished_at=moment(row["finished_at"]),
    )


def event_record(row: Row, jobs: tuple[JobRecord, ...]) -> EventRecord:
    return EventRecord(event_of(row), EVENT_STATES[row["state"]], row["duplicates"], jobs)


def attempt_of(row: Row) -> Attempt:
    return Attempt(
        number=row["number"],
        worker=row["worker"],
        started_at=from_timestamp(row["started_at"]),
        finished_at=from_timestamp(row["finished_at"]),
        outcome=row["outcome"],
        error=row["error"],
    )
