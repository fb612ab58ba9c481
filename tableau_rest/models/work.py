"""Background work: jobs, the tasks that start them, and runs of flows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from tableau_rest.models.content import NO_REFERENCE, Content, Reference
from tableau_rest.protocol.fields import Data, child, find_objects, number, objects, text, timestamp

_KINDS = ("workbook", "datasource", "flow", "view", "virtualConnection")
_STATES = {0: "Success", 1: "Failed", 2: "Cancelled", 3: "Success"}  # 3 is "completed" in Tableau's own client


@dataclass(frozen=True)
class Job:
    """A background job, as `job()` tells it.

    `notes` is the reason of a failure in the server's words: it may hold names of servers and people.
    """

    luid: str
    type: str = ""
    mode: str = ""
    progress: int | None = None
    finish_code: int | None = None
    notes: str = ""
    content: Content | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Done, well or badly. A progress of 100 alone does not say so."""
        return self.completed_at is not None

    @property
    def status(self) -> str:
        """Pending, InProgress, Success, Failed or Cancelled."""
        if self.finished:
            return _STATES.get(
                -1 if self.finish_code is None else self.finish_code, "Failed" if self.notes else "Success"
            )
        return "InProgress" if self.started_at else "Pending"

    @classmethod
    def from_json(cls, data: Data) -> Self:
        details = [value for value in data.values() if isinstance(value, dict)]
        return cls(
            luid=text(data, "id"),
            type=text(data, "type"),
            mode=text(data, "mode"),
            progress=number(data, "progress"),
            finish_code=number(data, "finishCode"),
            notes=_notes(data, details),
            content=next(filter(None, map(_content, details)), None),
            created_at=timestamp(data, "createdAt"),
            started_at=timestamp(data, "startedAt"),
            completed_at=timestamp(data, "completedAt"),
        )


def _content(detail: Data) -> Content | None:
    return next((Content(kind, luid) for kind in _KINDS if (luid := text(child(detail, kind), "id"))), None)


def _notes(data: Data, details: Sequence[Data]) -> str:
    said = [text(data, "notes"), *(text(detail, "notes") for detail in details)]
    said += [text(note, "text") for note in objects(data, "statusNotes", "statusNote")]
    # Servers write line breaks as a backslash and an n; a Windows path may hold the same two characters.
    return re.sub(r"(?:\\r)?\\n(?=[A-Z\s]|at |$)", "\n", next(filter(None, said), "")).strip()


@dataclass(frozen=True)
class BackgroundJob:
    """A job as the list tells it: neither its reason nor its content is in there; ask `job()` for them."""

    luid: str
    status: str = ""
    job_type: str = ""
    title: str = ""
    subtitle: str = ""
    priority: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            status=text(data, "status"),
            job_type=text(data, "jobType"),
            title=text(data, "title"),
            subtitle=text(data, "subtitle"),
            priority=number(data, "priority"),
            created_at=timestamp(data, "createdAt"),
            started_at=timestamp(data, "startedAt"),
            ended_at=timestamp(data, "endedAt") or timestamp(data, "completedAt"),
        )


@dataclass(frozen=True)
class Task:
    """A refresh or a flow on a schedule. `type` is FullRefresh, IncrementalRefresh or RunFlow."""

    luid: str
    type: str = ""
    content: Content | None = None
    priority: int | None = None
    consecutive_failed_count: int = 0
    schedule: Reference = NO_REFERENCE  # empty on Cloud, where every task has a schedule of its own
    frequency: str = ""
    next_run_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        inner = child(data, "extractRefresh") or child(data, "flowRun") or child(data, "runFlow") or data
        schedule = child(inner, "schedule")
        return cls(
            luid=text(inner, "id"),
            type=text(inner, "type"),
            content=_content(inner),
            priority=number(inner, "priority"),
            consecutive_failed_count=number(inner, "consecutiveFailedCount") or 0,
            schedule=Reference.from_json(schedule),
            frequency=text(schedule, "frequency"),
            next_run_at=timestamp(schedule, "nextRunAt"),
        )


@dataclass(frozen=True)
class FlowRun:
    """One run of a flow. `status` is Pending, InProgress, Success, Failed or Cancelled."""

    luid: str
    flow_luid: str = ""
    status: str = ""
    progress: int | None = None
    job_luid: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            flow_luid=text(data, "flowId"),
            status=text(data, "status"),
            progress=number(data, "progress"),
            job_luid=text(data, "backgroundJobId"),
            started_at=timestamp(data, "startedAt"),
            completed_at=timestamp(data, "completedAt"),
        )


@dataclass(frozen=True)
class LinkedTask:
    """Flows that run one after the other."""

    luid: str
    steps: int = 0
    schedule: Reference = NO_REFERENCE
    flows: tuple[Reference, ...] = ()

    @classmethod
    def from_json(cls, data: Data) -> Self:
        return cls(
            luid=text(data, "id"),
            steps=number(data, "numSteps") or 0,
            schedule=Reference.from_json(child(data, "schedule")),
            flows=tuple(map(Reference.from_json, find_objects(data.get("linkedTaskSteps"), "flow"))),
        )
