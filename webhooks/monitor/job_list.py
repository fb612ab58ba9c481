"""Read the finished jobs of a site: one query for all checks of a run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from tableau_rest.job_types import REFRESH_JOB_TYPES
from tableau_rest.models import BackgroundJob
from tableau_rest.protocol.query import where
from webhooks.monitor.job_budget import LISTS, JobBudget

if TYPE_CHECKING:
    from tableau_rest import Tableau

# The largest page that Tableau offers.
PAGE_SIZE = 1000
# Successes after a failure that are looked through after a long downtime.
MAX_SUCCESSES = 5 * PAGE_SIZE
# The checks of one run use one reading; a later run needs a new one.
SHARED_FOR = timedelta(minutes=2)
# A longer window has failures only: a site may have run very many jobs meanwhile.
SHARED_WINDOW = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Reading:
    """The jobs that ended from `since` on, as far as they could be read by the time `at`.

    With an `error`, there may be more. With `has_refreshes`, the refreshes are among them.
    """

    jobs: tuple[BackgroundJob, ...]
    since: datetime
    at: datetime
    has_refreshes: bool = False
    error: TableauError | None = None


class JobList:
    """The job list of one site. With `for_refreshes`, a reading includes the refreshes that reconciliation needs."""

    def __init__(self, tableau: Callable[[], Tableau], budget: JobBudget, *, for_refreshes: bool = False) -> None:
        self._tableau, self.budget, self._for_refreshes = tableau, budget, for_refreshes
        self._last: Reading | None = None

    def read(self, job_types: Collection[str], since: datetime, now: datetime, *, failed_only: bool) -> Reading:
        """Return the jobs of these types that ended from `since` on, each once.

        `failed_only` applies to a long window; successes of a short one show that what failed has recovered.
        """
        is_short = now - since <= SHARED_WINDOW
        has_refreshes = self._for_refreshes and is_short
        filters = [where("completedAt", "gte", since)]
        if has_refreshes:
            job_types = {*job_types, *REFRESH_JOB_TYPES}
        if failed_only and not is_short:
            filters.append(where("status", "eq", "Failed"))
        jobs: dict[str, BackgroundJob] = {}
        failure = None
        self.budget.spend(LISTS, now)
        try:
            for job in self._tableau().jobs_of_types(sorted(job_types), *filters, page_size=PAGE_SIZE):
                jobs[job.luid] = job
        except TableauError as error:
            failure = error
        self._spend_pages(len(jobs), now)
        self._last = Reading(tuple(jobs.values()), since, now, has_refreshes, failure)
        return self._last

    def successes(self, job_types: Collection[str], since: datetime, now: datetime) -> list[BackgroundJob]:
        """Return successful jobs of these types that ended from `since` on, at most MAX_SUCCESSES.

        Raises TableauError.
        """
        self.budget.spend(LISTS, now)
        filters = where("completedAt", "gte", since), where("status", "eq", "Success")
        jobs = self._tableau().jobs_of_types(sorted(job_types), *filters, page_size=PAGE_SIZE)
        found = list(islice(jobs, MAX_SUCCESSES))
        self._spend_pages(len(found), now)
        return found

    def may_refresh(self, now: datetime) -> bool:
        """Return whether `refreshes` may be asked: with the reading of this run, or with a query within the budget."""
        return self._is_fresh(now) or self.budget.has(LISTS, now)

    def refreshes(self, since: datetime, now: datetime) -> list[BackgroundJob]:
        """Return the refreshes that ended from `since` on. Raises TableauError."""
        last, is_fresh = self._last, self._is_fresh(now)
        self._last = None
        if last and is_fresh and last.since <= since:
            return [job for job in last.jobs if job.job_type in REFRESH_JOB_TYPES]
        self.budget.spend(LISTS, now)
        jobs = list(self._tableau().refresh_jobs(where("completedAt", "gte", since), page_size=PAGE_SIZE))
        self._spend_pages(len(jobs), now)
        return jobs

    def _is_fresh(self, now: datetime) -> bool:
        last = self._last
        return last is not None and last.has_refreshes and not last.error and now - last.at <= SHARED_FOR

    def _spend_pages(self, count: int, now: datetime) -> None:
        """Count the pages after the first one."""
        if count > PAGE_SIZE:
            self.budget.spend(LISTS, now, (count - 1) // PAGE_SIZE)
