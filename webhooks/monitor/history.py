"""Import the runs that Tableau's job list still has, so that incidents are right from the first day.

An import sends nothing: notices belong to the jobs of rules, and an import makes no events and no jobs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from tableau_rest.job_types import REFRESH_JOB_TYPES, RUN_FLOW_JOB_TYPES
from tableau_rest.protocol.query import where
from webhooks.clock import from_timestamp
from webhooks.inbox import Inbox
from webhooks.monitor.job_list import PAGE_SIZE
from webhooks.monitor.job_runs import LEARN_PAGE, ContentNames, job_evidence, learn_runs

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import BackgroundJob

log = logging.getLogger(__name__)

STATE = "history import"
HISTORY_DAYS = 30.0
# Seconds that one run of the checks spends on it; the next run continues.
CHECK_SECONDS = 30.0
# Seconds between two transactions: acknowledgements wait for one.
PAUSE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import: how many runs, and how many of them have no unique content of their name.

    `reached` is the time down to which everything is imported, `is_complete` whether that is all that was asked for.
    """

    runs: int
    unknown: int
    reached: datetime
    is_complete: bool


def import_history(
    inbox: Inbox,
    tableau: Tableau,
    *,
    since: datetime,
    now: datetime,
    deadline: float,
    key: str = "",
    on_progress: Callable[[datetime], object] = lambda _: None,
) -> Imported:
    """Store the runs of jobs that were created from `since` on, the newest first, until `deadline` (monotonic).

    The newest runs decide what is open, so an interrupted import is right about that. The next call continues an import
    that was interrupted; importing again changes nothing. `key` is appended to the name of what is remembered,
    `on_progress` gets the time that was reached. Raises TableauError.
    """
    before = inbox.state.get(STATE + key) or {}
    begun = now
    if before and not before["complete"] and before["since"] <= since.timestamp():
        begun = from_timestamp(before["reached"])
    names = ContentNames()
    names.add("workbook", tableau.workbooks(page_size=PAGE_SIZE))
    names.add("datasource", tableau.datasources(page_size=PAGE_SIZE))
    names.add("flow", tableau.flows(page_size=PAGE_SIZE))
    found = _Import(inbox, names, tableau.session().site_luid, since, key, reached=begun)
    filters = where("createdAt", "gte", since), where("createdAt", "lte", begun + timedelta(seconds=1))
    job_types = (*REFRESH_JOB_TYPES, *RUN_FLOW_JOB_TYPES)
    jobs = (
        job for job in tableau.jobs(*filters, sort="createdAt:desc", page_size=PAGE_SIZE) if job.job_type in job_types
    )
    while page := list(islice(jobs, LEARN_PAGE)):
        found.store(page, now)
        on_progress(found.reached)
        # Each import gets further, however short its time is.
        if time.monotonic() >= deadline and found.reached < begun and len(page) == LEARN_PAGE:
            return Imported(found.runs, found.unknown, found.reached, is_complete=False)
        time.sleep(PAUSE_SECONDS)
    found.complete()
    on_progress(since)
    return Imported(found.runs, found.unknown, since, is_complete=True)


@dataclass
class _Import:
    """An import in progress: down to which time everything is stored, and how many runs that were."""

    inbox: Inbox
    names: ContentNames
    site_luid: str
    since: datetime
    key: str
    reached: datetime
    runs: int = 0
    unknown: int = 0

    def store(self, jobs: Sequence[BackgroundJob], now: datetime) -> None:
        """Store the runs of the next jobs, and how far the import is."""
        found = [(job, self.names.find(job)) for job in jobs]
        pieces = [job_evidence(job, *contents[0], self.site_luid, now) for job, contents in found if len(contents) == 1]
        learned = [piece for piece in pieces if piece]
        learn_runs(self.inbox, learned)
        self.runs += len(learned)
        self.unknown += sum(len(contents) != 1 for _, contents in found)
        self.reached = min((job.created_at for job in jobs if job.created_at), default=self.reached)
        self._save(self.reached, complete=False)

    def complete(self) -> None:
        """Remember that nothing is left to be imported."""
        self._save(self.since, complete=True)

    def _save(self, reached: datetime, *, complete: bool) -> None:
        state = {"since": self.since.timestamp(), "reached": reached.timestamp(), "complete": complete}
        self.inbox.state.set(STATE + self.key, state)


class HistoryCheck:
    """Import the history of one site once, in portions; after a refusal by Tableau, not before the next start."""

    def __init__(self, inbox: Inbox, tableau: Callable[[], Tableau], *, days: float, key: str = "") -> None:
        self._inbox, self._tableau, self._days, self._key = inbox, tableau, days, key
        self._done = False

    def run(self, now: datetime) -> None:
        """Continue the import, unless it is complete."""
        before = self._inbox.state.get(STATE + self._key)
        if self._done or (before and before["complete"]):
            self._done = True
            return
        # An import that was interrupted has an end already.
        since = from_timestamp(before["since"]) if before else now - timedelta(days=self._days)
        deadline = time.monotonic() + CHECK_SECONDS
        try:
            found = import_history(self._inbox, self._tableau(), since=since, now=now, deadline=deadline, key=self._key)
        except TableauError as error:
            log.warning("History not imported: %s", error)
            self._done = error.permanent
            return
        log.info(
            "History imported: runs=%d back to %s%s",
            found.runs,
            f"{found.reached:%Y-%m-%d %H:%M} UTC",
            "" if found.is_complete else ", to be continued",
        )
