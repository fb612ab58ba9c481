"""Background work: jobs, the tasks that start them, and runs of flows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from tableau_rest.models.content import Content
from tableau_rest.models.model import NO_REFERENCE, Model, Reference, Source
from tableau_rest.protocol.fields import Data, child, find_objects, objects, text, timestamp

_KINDS = ("workbook", "datasource", "flow", "view", "virtualConnection")
# 3 is "completed" in Tableau's own client.
# https://github.com/tableau/server-client-python/blob/master/tableauserverclient/models/job_item.py
_FINISH_CODES = {0: "Success", 1: "Failed", 2: "Cancelled", 3: "Success"}


def _content(detail: Data) -> Content | None:
    found = next((Content(kind, luid) for kind in _KINDS if (luid := text(child(detail, kind), "id"))), None)
    # The job of a subscription has its LUID in a field and no object for it.
    subscription = text(detail, "subscriptionId")
    return found or (Content("subscription", subscription) if subscription else None)


def _details(data: Data) -> list[Data]:
    """Return the objects that belong to the job's type, such as `extractRefreshJob`."""
    return [value for value in data.values() if isinstance(value, Mapping)]


def _job_content(data: Data) -> Content | None:
    return next(filter(None, map(_content, _details(data))), None)


def _intervals(data: Data) -> tuple[Mapping[str, str], ...]:
    """Return the intervals of a task's schedule, such as `{"weekDay": "Monday"}`; one may be an object for a list."""
    found = objects(child(data, "schedule", "frequencyDetails"), "intervals", "interval")
    return tuple({name: text(one, name) for name in one} for one in found)


def _notes(data: Data) -> str:
    found = [text(item, "notes") for item in (data, *_details(data))]
    found += [text(note, "text") for note in objects(data, "statusNotes", "statusNote")]
    # Servers write line breaks as a backslash and an n; a Windows path may contain the same two characters.
    return re.sub(r"(?:\\r)?\\n(?=[A-Z\s]|at |$)", "\n", next(filter(None, found), "")).strip()


@dataclass(frozen=True)
class Job(Model):
    """A background job, as `job()` returns it.

    `notes` is the reason of a failure in the server's words: it may contain names of servers and people.
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

    JSON: ClassVar[Mapping[str, Source]] = {"notes": _notes, "content": _job_content}

    @property
    def finished(self) -> bool:
        """True if the job has ended, successfully or not; a progress of 100 alone does not say so."""
        return self.completed_at is not None

    @property
    def status(self) -> str:
        """Pending, InProgress, Success, Failed, Cancelled, or Unknown for a finish code that Tableau has added."""
        if not self.finished:
            return "InProgress" if self.started_at else "Pending"
        known = None if self.finish_code is None else _FINISH_CODES.get(self.finish_code)
        return known or ("Failed" if self.notes else "Unknown")


@dataclass(frozen=True)
class BackgroundJob(Model):
    """A job in the list of jobs, which has neither its reason nor its content; `job()` returns both."""

    luid: str
    status: str = ""
    job_type: str = ""
    title: str = ""
    subtitle: str = ""
    priority: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    JSON: ClassVar[Mapping[str, Source]] = {
        "ended_at": lambda data: timestamp(data, "endedAt") or timestamp(data, "completedAt")
    }


@dataclass(frozen=True)
class Task(Model):
    """A refresh or a flow on a schedule. `type` is FullRefresh, IncrementalRefresh or RunFlow.

    `schedule` is empty on Tableau Cloud, where schedules are not shared between tasks; `schedule_state` is Active or
    Suspended, also empty there. `frequency` (Hourly, Daily, Weekly, Monthly), `start`, `end` and `intervals` describe
    the schedule in local times, as far as the server sends them.
    """

    luid: str
    type: str = ""
    content: Content | None = None
    priority: int | None = None
    consecutive_failed_count: int = 0
    schedule: Reference = NO_REFERENCE
    schedule_state: str = ""
    frequency: str = ""
    start: str = ""
    end: str = ""
    intervals: tuple[Mapping[str, str], ...] = ()
    next_run_at: datetime | None = None

    JSON: ClassVar[Mapping[str, Source]] = {
        "content": _content,
        "schedule_state": ("schedule", "state"),
        "frequency": ("schedule", "frequency"),
        "start": ("schedule", "frequencyDetails", "start"),
        "end": ("schedule", "frequencyDetails", "end"),
        "intervals": _intervals,
        "next_run_at": ("schedule", "nextRunAt"),
    }

    @classmethod
    def from_json(cls, data: Data) -> Self:
        """Return the task in an item of a list, which wraps it by its type."""
        inner = next(
            (child(data, name) for name in ("extractRefresh", "flowRun", "runFlow") if child(data, name)), data
        )
        return super().from_json(inner)


@dataclass(frozen=True)
class Schedule(Model):
    """A schedule of Tableau Server. `state` is Active or Suspended, `type` for example Extract or Flow."""

    luid: str
    name: str = ""
    state: str = ""
    type: str = ""
    frequency: str = ""
    next_run_at: datetime | None = None


@dataclass(frozen=True)
class FlowRun(Model):
    """One run of a flow. `status` is Pending, InProgress, Success, Failed or Cancelled."""

    luid: str
    flow_luid: str = ""
    status: str = ""
    progress: int | None = None
    job_luid: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None

    JSON: ClassVar[Mapping[str, Source]] = {"flow_luid": "flowId", "job_luid": "backgroundJobId"}


@dataclass(frozen=True)
class LinkedTask(Model):
    """Flows that run one after the other."""

    luid: str
    steps: int = 0
    schedule: Reference = NO_REFERENCE
    flows: tuple[Reference, ...] = ()

    JSON: ClassVar[Mapping[str, Source]] = {
        "steps": "numSteps",
        "flows": lambda data: tuple(map(Reference.from_json, find_objects(data.get("linkedTaskSteps"), "flow"))),
    }
