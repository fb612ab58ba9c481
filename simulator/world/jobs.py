"""The jobs of a Tableau site, and the tasks and schedules that start them. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Job:
    """A background job: a refresh, a flow run, a subscription. From `visible_at` on the list shows its end."""

    luid: str
    # RefreshExtract, RunFlow …: the name in a single job.
    type: str
    # refresh_extracts, run_flow …: the name in the list.
    job_type: str
    title: str
    subtitle: str
    content_kind: str
    content: str
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    visible_at: datetime | None = None
    # Until `visible_at` the job is not listed at all, instead of being listed as running.
    absent: bool = False
    # 0 success, 1 failed, 2 cancelled
    finish_code: int | None = None
    notes: str = ""
    priority: int = 50
    flow_run: str = ""
    task: str = ""

    def status(self, now: datetime) -> str:
        """Return the status in the list of jobs."""
        if self.finished(now):
            return {0: "Success", 1: "Failed", 2: "Cancelled"}[self.finish_code or 0]
        return "InProgress" if self.started_at else "Pending"

    def finished(self, now: datetime) -> bool:
        """Return whether a caller can see the end of this job by now."""
        return self.finish_code is not None and not (self.visible_at and now < self.visible_at)


@dataclass
class Task:
    """A refresh or a flow on a schedule."""

    luid: str
    # extractRefresh or flowRun: the element in responses
    kind: str
    # FullRefresh, IncrementalRefresh, RunFlowTask
    type: str
    content_kind: str
    content: str
    frequency: str
    next_run_at: datetime
    schedule: str
    consecutive_failed_count: int = 0
    priority: int = 50
    # It is due, and the backgrounder does not start it.
    is_stuck: bool = False
    # What the description of its schedule has instead of the usual; what is None is left out.
    described: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Schedule:
    """A schedule of Tableau Server, which several tasks share."""

    luid: str
    name: str
    # Extract or Flow
    type: str
    frequency: str
    state: str = "Active"


@dataclass
class LinkedTask:
    """Flows that run one after the other."""

    luid: str
    schedule: str
    # (step LUID, flow run task LUID, flow LUID)
    steps: list[tuple[str, str, str]]


@dataclass
class FlowRun:
    """One run of a flow; its job has the result."""

    luid: str
    flow: str
    job: str
