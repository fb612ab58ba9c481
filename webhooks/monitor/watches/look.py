"""Ask Tableau's job list before anything is concluded from the absence of events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tableau_rest.errors import NotFound, TableauError
from tableau_rest.job_types import REFRESH_JOB_TYPES, RUN_FLOW_JOB_TYPES
from tableau_rest.models import BackgroundJob
from tableau_rest.protocol.query import where
from webhooks.incidents import RunEvidence
from webhooks.incidents.evidence import ResourceKind
from webhooks.monitor.job_budget import WATCHES, JobBudget
from webhooks.monitor.job_list import PAGE_SIZE
from webhooks.monitor.job_runs import content_kind, job_evidence
from webhooks.monitor.watches.catalog import Catalog

if TYPE_CHECKING:
    from tableau_rest import Tableau

# Two looks are this far apart, so that many missed refreshes of one night share them.
LOOK_SECONDS = 100.0
# Jobs are listed by the time when they were queued.
MARGIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Look:
    """The jobs of a site that were queued from `since` on, as they were listed at `at`."""

    at: datetime
    since: datetime
    jobs: tuple[BackgroundJob, ...]
    # The content of jobs that was looked up one by one.
    contents: dict[str, str] = field(default_factory=dict)
    by_title: dict[str, list[BackgroundJob]] = field(default_factory=dict)
    # The runs of flows by the LUID of the flow; None if they could not be read.
    of_flows: dict[str, list[BackgroundJob]] | None = None

    def __post_init__(self) -> None:
        for job in self.jobs:
            self.by_title.setdefault(job.title, []).append(job)


class JobLooks:
    """Looks at the job list of one site, within the budget of the monitor."""

    def __init__(self, tableau: Callable[[], Tableau], budget: JobBudget) -> None:
        self._tableau, self._budget = tableau, budget
        self._asked_at: datetime | None = None

    def take(self, since: datetime, now: datetime, kinds: Collection[ResourceKind]) -> Look | None:
        """Return the refreshes that were queued from `since` on, as far as content of these kinds needs them.

        Return None if it has to wait. Runs of flows have a list of their own, which is not counted among the queries of
        jobs. Raises TableauError.
        """
        if self._asked_at is not None and 0 <= (now - self._asked_at).total_seconds() < LOOK_SECONDS:
            return None
        since = (since - MARGIN).replace(microsecond=0)
        needs_jobs = bool(set(kinds) - {"flow"})
        if needs_jobs and not self._budget.take(WATCHES, now):
            return None
        self._asked_at = now
        of_flows = self._flow_runs(since) if "flow" in kinds else None
        if not needs_jobs:
            return Look(now, since, (), of_flows=of_flows)
        try:
            jobs = list(
                self._tableau().jobs_of_types(REFRESH_JOB_TYPES, where("createdAt", "gte", since), page_size=PAGE_SIZE)
            )
        except TableauError as error:
            if not error.permanent:
                # Tableau was not reached, or did not respond: that is no query.
                self._budget.spend(WATCHES, now, -1)
            raise
        if len(jobs) > PAGE_SIZE:
            self._budget.spend(WATCHES, now, (len(jobs) - 1) // PAGE_SIZE)
        return Look(now, since, tuple(jobs), of_flows=of_flows)

    def _flow_runs(self, since: datetime) -> dict[str, list[BackgroundJob]] | None:
        """Return the runs of flows as jobs; None if Tableau refuses the list. Raises an error that may pass."""
        found: dict[str, list[BackgroundJob]] = {}
        try:
            for run in self._tableau().flow_runs(where("startedAt", "gte", since), page_size=PAGE_SIZE):
                job = BackgroundJob(
                    run.job_luid or run.luid,
                    status=run.status,
                    job_type=RUN_FLOW_JOB_TYPES[0],
                    created_at=run.started_at,
                    started_at=run.started_at,
                    ended_at=run.completed_at,
                )
                found.setdefault(run.flow_luid.lower(), []).append(job)
        except TableauError as error:
            if not error.permanent:
                raise
            return None
        return found

    def jobs_of(
        self, look: Look, luid: str, kind: ResourceKind, names: Collection[str], catalog: Catalog
    ) -> list[BackgroundJob] | None:
        """Return the jobs of one piece of content; None if it cannot be known which content some of them have.

        The list has names only. Where several pieces of content share one, the jobs are queried one by one.
        """
        if kind == "flow":
            return None if look.of_flows is None else look.of_flows.get(luid, [])
        found = []
        for job in (job for name in sorted(names) for job in look.by_title.get(name, ())):
            job_kind = content_kind(job)
            if job_kind not in {None, kind}:
                continue
            namesakes = {one for each in ((job_kind,) if job_kind else ("workbook", "datasource"))
                         for one in catalog.namesakes(each, job.title)}  # fmt: skip
            if namesakes - {luid}:
                known = self._content_of(look, job, look.at)
                if known is None:
                    return None
                if known != luid:
                    continue
            found.append(job)
        return found

    def _content_of(self, look: Look, job: BackgroundJob, now: datetime) -> str | None:
        """Return the LUID of a job's content, an empty text if it has none; None if that is not known now."""
        if job.luid not in look.contents:
            if not self._budget.take(WATCHES, now):
                return None
            try:
                content = self._tableau().job(job.luid).content
            except NotFound:
                content = None
            except TableauError:
                return None
            look.contents[job.luid] = content.luid.lower() if content else ""
        return look.contents[job.luid]


def queued_since(jobs: Iterable[BackgroundJob]) -> datetime | None:
    """Return since when the first of the jobs that are not started has been queued; None without one."""
    return min((job.created_at for job in jobs if job.status == "Pending" and job.created_at), default=None)


def evidence_of(
    jobs: Iterable[BackgroundJob], luid: str, kind: ResourceKind, site_luid: str, now: datetime
) -> Sequence[RunEvidence]:
    """Return what the jobs say about runs of the content, also of one that is running now."""
    found = []
    for job in jobs:
        piece = job_evidence(job, kind, luid, site_luid, now)
        if piece is None and job.started_at is not None and job.status == "InProgress":
            piece = RunEvidence(
                source="job list",
                site_luid=site_luid.lower(),
                resource_luid=luid,
                resource_kind=kind,
                outcome="running",
                recorded_at=now,
                started_at=job.started_at,
                resource_name=job.title,
                job_luid=job.luid,
            )
        if piece is not None:
            found.append(piece)
    return found
