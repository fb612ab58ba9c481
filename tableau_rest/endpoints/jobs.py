"""Background jobs: get, list, wait, cancel, and find the reason of a failed refresh."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from tableau_rest import errors, models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.job_types import REFRESH_JOB_TYPES, REFRESHES
from tableau_rest.protocol import query
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.query import where

# Seconds between two queries; all programs of a site share 20,000 job queries a day.
# https://help.tableau.com/current/online/en-us/to_site_capacity.htm
POLLS = (5.0, 10.0, 30.0, 60.0)
# Candidates for a failure that are queried one by one.
_MAX_CANDIDATES = 10


class Jobs(Listing):
    """Jobs.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_jobs_tasks_and_schedules.htm
    """

    _accepts_bridge_types = True
    _accepts_job_types = True

    @endpoint("GET jobs/{id}", since="2.6", scope="tableau:jobs:read", codes="404031 NotFound, 400031 BadRequest")
    def job(self, luid: str | HasLuid) -> models.Job:
        """Return a job with its content and, if it failed, the reason in `notes`."""
        return self._get(models.Job, f"jobs/{luid_of(luid)}", "job")

    @endpoint("GET jobs", since="3.1", scope="tableau:jobs:read", codes="403004 Forbidden: administrators only")
    def jobs(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE_SIZE
    ) -> Iterator[models.BackgroundJob]:
        """Iterate over the site's jobs, without reason and content.

        Filters: jobType, status, createdAt, completedAt, title, …
        """
        names, model = ("backgroundJobs", "backgroundJob"), models.BackgroundJob
        return self._list("jobs", names, model, filters, sort=sort, page_size=page_size)

    @endpoint("GET jobs", since="3.1", scope="tableau:jobs:read", codes="403004 Forbidden: administrators only")
    def jobs_of_types(
        self, job_types: Iterable[str], *filters: Filters, page_size: int = query.PAGE_SIZE
    ) -> Iterator[models.BackgroundJob]:
        """Iterate over the site's jobs of these types.

        If the server refuses one of the types in a filter, all jobs are requested from then on, and those of other
        types are left out here.
        """
        wanted = tuple(job_types)
        query.list_parameters(filters, page_size=page_size)  # raises ValueError before the first item
        return self._jobs_of_types(wanted, filters, page_size)

    def _jobs_of_types(
        self, wanted: tuple[str, ...], filters: tuple[Filters, ...], page_size: int
    ) -> Iterator[models.BackgroundJob]:
        if self._accepts_job_types:
            accepted = False
            try:
                for job in self.jobs(where("jobType", "in", wanted), *filters, page_size=page_size):
                    accepted = True
                    yield job
            except errors.BadRequest:
                if accepted:
                    raise
            else:
                return
        for job in self.jobs(*filters, page_size=page_size):
            if job.job_type in wanted:
                yield job
        self._accepts_job_types = False

    @endpoint("GET jobs", since="3.1", scope="tableau:jobs:read", codes="403004 Forbidden: administrators only")
    def refresh_jobs(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE_SIZE
    ) -> Iterator[models.BackgroundJob]:
        """Iterate over the refreshes of extracts among the site's jobs, also those by Tableau Bridge.

        If the server refuses the job types of Bridge in a filter, they are left out from then on.
        """
        query.list_parameters(filters, sort=sort, page_size=page_size)  # raises ValueError before the first item
        return self._refresh_jobs(filters, sort, page_size)

    def _refresh_jobs(
        self, filters: Iterable[Filters], sort: str | Iterable[str], page_size: int
    ) -> Iterator[models.BackgroundJob]:
        if self._accepts_bridge_types:
            accepted = False
            try:
                every = where("jobType", "in", REFRESH_JOB_TYPES)
                for job in self.jobs(every, *filters, sort=sort, page_size=page_size):
                    accepted = True
                    yield job
            except errors.BadRequest:
                if accepted:
                    raise
            else:
                return
        for job in self.jobs(where("jobType", "in", REFRESHES), *filters, sort=sort, page_size=page_size):
            self._accepts_bridge_types = False
            yield job

    @endpoint("GET jobs and GET jobs/{id}", since="3.1", scope="tableau:jobs:read", codes="403004 Forbidden")
    def failed_job(
        self,
        content_luid: str | HasLuid,
        *,
        at: datetime,
        name: str = "",
        tolerance: timedelta = timedelta(minutes=10),
        listed: Sequence[models.BackgroundJob] | None = None,
        details: Callable[[str], models.Job] | None = None,
    ) -> models.Job | None:
        """Return the failed refresh behind an event: the one of this content that ended nearest to `at`.

        `at` is the event's created_at; `name` is its resource_name, which narrows the search. A failure further than
        `tolerance` from `at` is another one. Returns None if no such job is listed (yet): jobs may appear later than
        their event. Does not wait. To look up many failures, pass the failed jobs of `refresh_jobs` as `listed`, and
        a function that returns a job that may be cached as `details`.
        """
        luid = luid_of(content_luid).lower()
        details = details or self.job
        if listed is not None:
            titled = [job for job in listed if job.title == name]
            return _nearest(luid, titled, at, tolerance, details) or _nearest(luid, listed, at, tolerance, details)
        filters = [where("status", "eq", "Failed"), where("createdAt", "gt", at - timedelta(hours=24))]
        if query.is_expressible(name):
            titled = self._newest_refreshes(*filters, where("title", "eq", name))
            if found := _nearest(luid, titled, at, tolerance, details):
                return found
        # A title may be missing or translated.
        return _nearest(luid, self._newest_refreshes(*filters), at, tolerance, details)

    def _newest_refreshes(self, *filters: query.Filter) -> list[models.BackgroundJob]:
        return list(islice(self.refresh_jobs(*filters, sort="createdAt:desc", page_size=100), 100))

    def find_failed_job(
        self,
        content_luid: str | HasLuid,
        *,
        at: datetime,
        name: str = "",
        wait: float = 120.0,
        sleep: Callable[[float], object] | None = None,
    ) -> models.Job | None:
        """Return what `failed_job` finds, queried again after 5, 10, 30, 60, 60, … seconds, `wait` seconds in all.

        `sleep` is called with the seconds of each pause; by default it is the client's own.
        """
        job = self.failed_job(content_luid, at=at, name=name)
        for pause in _pauses(wait):
            if job:
                break
            (sleep or self._sleep)(pause)
            job = self.failed_job(content_luid, at=at, name=name)
        return job

    @endpoint("GET jobs and GET jobs/{id}", since="3.1", scope="tableau:jobs:read", codes="403004 Forbidden")
    def running_job(
        self, content_luid: str | HasLuid, *, name: str = "", details: Callable[[str], models.Job] | None = None
    ) -> models.Job | None:
        """Return the refresh of this content that is running now; None if there is none.

        The list of jobs has names only, so those of this `name`, and the others after them, are queried one by one, ten
        at most. `details` returns a job, by default queried from Tableau.
        """
        luid = luid_of(content_luid).lower()
        listed = list(islice(self.refresh_jobs(where("status", "eq", "InProgress"), sort="createdAt:desc"), 100))
        listed.sort(key=lambda one: one.title != name)
        for candidate in listed[:_MAX_CANDIDATES]:
            job = (details or self.job)(candidate.luid)
            if job.content and job.content.luid.lower() == luid and not job.finished:
                return job
        return None

    def wait_for_job(
        self, luid: str | HasLuid, *, wait: float = 600.0, sleep: Callable[[float], object] | None = None
    ) -> models.Job:
        """Return the job when it has finished; its `status` says how. Raises StillRunning after `wait` seconds."""
        job = self.job(luid)
        for pause in _pauses(wait):
            if job.finished:
                break
            (sleep or self._sleep)(pause)
            job = self.job(luid)
        if job.finished:
            return job
        retry_at = self._clock() + timedelta(seconds=POLLS[-1])
        raise errors.StillRunning(f"Job {job.luid} has not finished after {wait:g} s", retry_at=retry_at)

    @endpoint("PUT jobs/{id}", since="3.1", scope="tableau:jobs:update", codes="404031 NotFound")
    def cancel_job(self, luid: str | HasLuid) -> None:
        """Cancel a job that is queued or running. Possible only for refreshes of extracts and runs of flows."""
        self.request("PUT", f"jobs/{luid_of(luid)}", repeat=True)


def _nearest(
    luid: str,
    listed: Sequence[models.BackgroundJob],
    at: datetime,
    tolerance: timedelta,
    details: Callable[[str], models.Job],
) -> models.Job | None:
    """Return the job of this content that ended nearest to `at`."""

    def distance(ended: datetime | None) -> timedelta:
        return abs(ended - at) if ended else tolerance  # a job without an end may be the one

    near = sorted((distance(job.ended_at), number) for number, job in enumerate(listed))
    for candidate in [listed[number] for away, number in near if away <= tolerance][:_MAX_CANDIDATES]:
        job = details(candidate.luid)
        if job.content and job.content.luid.lower() == luid and distance(job.completed_at) <= tolerance:
            return job
    return None


def _pauses(wait: float) -> Iterator[float]:
    """Yield the pauses between queries, `wait` seconds in all."""
    index, left = 0, wait
    while left > 0:
        pause = min(POLLS[min(index, len(POLLS) - 1)], left)
        yield pause
        index, left = index + 1, left - pause
