"""A job: the promise that one handler will do its part about one event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from webhooks.event import Event


class JobState(IntEnum):
    """Where a job is. The numbers are in the database: never change one."""

    READY = 0
    RUNNING = 1
    DONE = 2
    SKIPPED = 3
    DEAD = 4
    CANCELLED = 5

    @property
    def word(self) -> str:
        return self.name.lower()


OPEN_STATES = (JobState.READY, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class NewJob:
    """What planning makes: one handler for one event, because of one rule (or of `@on`, then `rule` is None).

    `key` is unique within the event, so that planning twice cannot make twins. `where` holds the conditions that only
    Tableau can answer (project, owner, tags); the job looks at them before it runs.
    """

    key: str
    handler: str
    rule: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    max_attempts: int = 20


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands in the inbox, with its event. `attempts` counts the running one; times are aware, UTC.

    `due_at` says when a ready job may run and when a running job's lease ends.
    """

    id: int
    event: Event
    key: str
    handler: str
    rule: str | None
    params: Mapping[str, Any]
    where: Mapping[str, Any]
    state: JobState
    attempts: int
    max_attempts: int
    due_at: datetime
    owner: str | None = None
    error: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
