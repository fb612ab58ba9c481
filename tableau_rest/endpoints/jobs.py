"""Background jobs: look, wait, cancel, and find out why a refresh failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from tableau_rest import errors, models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, Listing
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import child
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.query import where

# Seconds between looks: the whole site shares 20,000 job queries a day.
POLLS = (5.0, 10.0, 30.0, 60.0)
_REFRESHES = ("refresh_extracts", "increment_extracts")
_LOOKED_AT = 10  # candidates of a failure that are queried one by one


class Jobs(Listing):
    """Jobs."""

    @endpoint("GET jobs/{id}", since="2.6", scope="tableau:jobs:read", codes="404031 NotFound, 400031 BadRequest")
    def job(self, luid: str | HasLuid) -> models.Job:
        """One job, with the content it is about and, where it failed, the reason in `notes`."""
        return models.Job.from_json(child(self.request("GET", f"jobs/{luid_of(luid)}"), "job"))

    @endpoint("GET jobs", since="3.1", scope="tableau:jobs:read", codes="403004 Forbidden: administrators only")
    def jobs(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE
    ) -> Iterator[models.BackgroundJob]:
        """The site's jobs, without reason and content. Filters: jobType, status, createdAt, completedAt, title, …"""
        names = ("backgroundJobs", "backgroundJob")
        return self._list("jobs", names, models.BackgroundJob.from_json, filters, sort=sort, page_size=page_size)

    @endpoint("GET jobs and GET jobs/{id}", since="3.1", scope="tableau:jobs:read", codes="403004 Forbidden")
    def failed_job(
        self,
        content_luid: str | HasLuid,
        *,
        at: datetime,
        name: str = "",
        tolerance: timedelta = timedelta(minutes=10),
    ) -> models.Job | None:
        """The failed refresh behind an event: that of this content whose end is nearest to `at`. One look, no waiting.

        `at` is the event's created_at, `name` its resource_name, which narrows the search. None where no such job is
        listed (yet): jobs can appear after their event. A failure further than `tolerance` from `at` is another one.
        """
        luid = luid_of(content_luid).lower()
        since = where("createdAt", "gt", at - timedelta(hours=24))
        filters = [where("jobType", "in", _REFRESHES), where("status", "eq", "Failed"), since]
        titled = [*filters, where("title", "eq", name)] if query.is_expressible(name) else filters
        found = self._nearest(luid, titled, at, tolerance)
        # A title can be missing or translated, so what the name did not find is looked for without it.
        return found or (self._nearest(luid, filters, at, tolerance) if titled is not filters else None)

    def _nearest(self, luid: str, filters: list[query.Filter], at: datetime, tolerance: timedelta) -> models.Job | None:
        def distance(ended: datetime | None) -> timedelta:
            return abs(ended - at) if ended else tolerance  # an end that is not told may be the right one

        listed = islice(self.jobs(*filters, sort="createdAt:desc", page_size=100), 100)
        near = sorted(
            (job for job in listed if distance(job.ended_at) <= tolerance), key=lambda job: distance(job.ended_at)
        )
        for candidate in near[:_LOOKED_AT]:
            job = self.job(candidate.luid)
            if job.content and job.content.luid.lower() == luid and distance(job.completed_at) <= tolerance:
                return job
        return None

    def find_failed_job(
        self,
        content_luid: str | HasLuid,
        *,
        at: datetime,
        name: str = "",
        wait: float = 120.0,
        sleep: Callable[[float], object] | None = None,
    ) -> models.Job | None:
        """Like `failed_job`, looking again after 5, 10, 30, 60, 60, … seconds until `wait` seconds are used up.

        `sleep` is called with the seconds of each pause; by default it is the client's own.
        """
        for pause in _pauses(wait):
            found = self.failed_job(content_luid, at=at, name=name)
            if found or pause is None:
                return found
            (sleep or self._sleep)(pause)
        return None

    def wait_for_job(
        self, luid: str | HasLuid, *, wait: float = 600.0, sleep: Callable[[float], object] | None = None
    ) -> models.Job:
        """The job once it has finished; its `status` says how. Raises StillRunning after `wait` seconds."""
        job = self.job(luid)
        for pause in _pauses(wait):
            if job.finished:
                return job
            if pause is not None:
                (sleep or self._sleep)(pause)
                job = self.job(luid)
        retry_at = self._clock() + timedelta(seconds=POLLS[-1])
        raise errors.StillRunning(f"job {job.luid} has not finished after {wait:g} s", retry_at=retry_at)

    @endpoint("PUT jobs/{id}", since="3.1", scope="tableau:jobs:edit", codes="404031 NotFound")
    def cancel_job(self, luid: str | HasLuid) -> None:
        """Cancels a job that is queued or running; only refreshes of extracts and runs of flows can be."""
        self.request("PUT", f"jobs/{luid_of(luid)}", repeat=True)


def _pauses(wait: float) -> Iterator[float | None]:
    """The pauses between looks, no longer than `wait` in all, and None for the last look."""
    index, left = 0, wait
    while left > 0:
        pause = min(POLLS[min(index, len(POLLS) - 1)], left)
        yield pause
        index, left = index + 1, left - pause
    yield None
