"""A site of Tableau in memory, with the parts of the client's interface that the watches use. Time is an attribute."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from tableau_rest.errors import ServerError
from tableau_rest.models import BackgroundJob, Content, Datasource, Flow, FlowRun, Job, Task, Workbook
from webhooks.clock import parse_time

MODELS = {"workbook": Workbook, "datasource": Datasource, "flow": Flow}
JOB_TYPES = {"workbook": "refresh_extracts", "datasource": "refresh_extracts", "flow": "run_flow"}
SUBTITLES = {"workbook": "Workbook", "datasource": "Data Source", "flow": ""}


@dataclass
class Site:
    """One site. While it is `down`, every call fails; `calls` counts them by name."""

    luid: str = "5e000000-0000-4000-8000-000000000001"
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    contents: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    jobs: list[BackgroundJob] = field(default_factory=list)
    job_contents: dict[str, Content] = field(default_factory=dict)
    down: bool = False
    calls: Counter[str] = field(default_factory=Counter)
    site_name: str = ""

    def add(self, kind: str, luid: str, name: str, **fields: Any) -> None:
        """Publish content."""
        self.contents[luid] = MODELS[kind](luid, name, **fields)

    def schedule(self, luid: str, next_run_at: datetime | None, *, task: str = "", **fields: Any) -> str:
        """Give content a task, or change the next run of its task; return the task's LUID."""
        name = task or f"task-{luid}"
        kind = self.contents[luid].kind
        values = {"frequency": "Daily", "content": Content(kind, luid), "next_run_at": next_run_at, **fields}
        self.tasks[name] = replace(self.tasks[name], **values) if name in self.tasks else Task(name, **values)
        return name

    def queue(self, luid: str, at: datetime) -> str:
        """Queue a job of the content, and return its LUID."""
        content = self.contents[luid]
        job = BackgroundJob(
            f"job-{len(self.jobs)}",
            status="Pending",
            job_type=JOB_TYPES[content.kind],
            title=content.name,
            subtitle=SUBTITLES[content.kind],
            created_at=at,
        )
        self.job_contents[job.luid] = Content(content.kind, luid)
        self.jobs.append(job)
        return job.luid

    def change(self, job: str, **fields: Any) -> None:
        """Change a job, for example when it starts or ends."""
        number = int(job.removeprefix("job-"))
        self.jobs[number] = replace(self.jobs[number], **fields)

    def run(self, luid: str, begin: datetime, end: datetime | None, status: str = "Success") -> str:
        """Add a job that began and, with an `end`, has ended; return its LUID."""
        job = self.queue(luid, begin)
        if end is None:
            self.change(job, status="InProgress", started_at=begin)
        else:
            self.change(job, status=status, started_at=begin, ended_at=end)
        return job

    def session(self) -> Any:
        """Return the session, which has the site's LUID."""
        self._count("session")
        return SimpleNamespace(site_luid=self.luid)

    def extract_refresh_tasks(self) -> Iterator[Task]:
        """Iterate over the tasks of workbooks and data sources."""
        self._count("tasks")
        return iter([task for task in self.tasks.values() if task.content and task.content.kind != "flow"])

    def flow_tasks(self) -> Iterator[Task]:
        """Iterate over the tasks of flows."""
        self._count("tasks")
        return iter([task for task in self.tasks.values() if task.content and task.content.kind == "flow"])

    def workbooks(self, **_: object) -> Iterator[Any]:
        """Iterate over the workbooks."""
        return self._contents("workbook")

    def datasources(self, **_: object) -> Iterator[Any]:
        """Iterate over the data sources."""
        return self._contents("datasource")

    def flows(self, **_: object) -> Iterator[Any]:
        """Iterate over the flows."""
        return self._contents("flow")

    def jobs_of_types(self, job_types: Any, *filters: Any, page_size: int = 100) -> Iterator[BackgroundJob]:  # noqa: ARG002 - as the client
        """Iterate over the jobs that were queued since the time of the only filter."""
        self._count("jobs")
        (since,) = (parse_time(one.value) for one in filters)
        first = bisect_left(self.jobs, since, key=lambda job: job.created_at)
        return (job for job in self.jobs[first:] if job.job_type in job_types)

    def flow_runs(self, *filters: Any, page_size: int = 100) -> Iterator[FlowRun]:  # noqa: ARG002 - as the client
        """Iterate over the runs of flows that began since the time of the only filter."""
        self._count("flow runs")
        (since,) = (parse_time(one.value) for one in filters)
        first = bisect_left(self.jobs, since, key=lambda job: job.created_at)
        for job in self.jobs[first:]:
            if job.job_type == "run_flow" and job.started_at:
                luid = self.job_contents[job.luid].luid
                yield FlowRun(job.luid, luid, job.status, None, job.luid, job.started_at, job.ended_at)

    def job(self, luid: str) -> Job:
        """Return a job with its content."""
        self._count("job")
        return Job(luid, content=self.job_contents[luid])

    def _contents(self, kind: str) -> Iterator[Any]:
        self._count("contents")
        return iter([one for one in self.contents.values() if one.kind == kind])

    def _count(self, name: str) -> None:
        self.calls[name] += 1
        if self.down:
            raise ServerError("Tableau is down", status=503)
