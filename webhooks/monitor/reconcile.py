"""Reconcile after downtime: find out what happened in Tableau meanwhile, and store the events that were missed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tableau_rest.errors import NotFound, TableauError
from tableau_rest.models import BackgroundJob, Content, Datasource, Workbook
from webhooks.clock import from_timestamp
from webhooks.event import RECONCILED
from webhooks.event_types import event_type, refresh_event_type
from webhooks.inbox import EventSummary, Inbox
from webhooks.incidents.evidence import ResourceKind
from webhooks.monitor.job_budget import DETAILS, JobBudget
from webhooks.monitor.job_list import JobList
from webhooks.monitor.job_runs import ContentNames, content_kind, job_evidence, learn_runs
from webhooks.monitor.missed import (
    EndedRefresh,
    ListedContent,
    MissedEvent,
    content_changes,
    has_event,
    was_received,
)
from webhooks.monitor.site_content import SiteContent

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)

CURSOR = "reconcile"
# Younger events may still come by themselves: Tableau tries four times, and its list of jobs lags behind.
GRACE = timedelta(minutes=3)
# After a longer pause all content is listed, because only then is deleted content noticed; and every six hours.
DOWNTIME = timedelta(minutes=15)
FULL_LIST_INTERVAL = timedelta(hours=6)
# What happened earlier is not reported: after a longer downtime it is of no interest.
MAX_AGE = timedelta(days=7)
# Tableau is asked for each missed refresh; a site allows 20,000 such requests a day, for all its clients together.
MAX_JOBS = 200
# Events are compared with those received up to this long before the window.
MARGIN = timedelta(hours=1)
KINDS: tuple[ResourceKind, ...] = ("workbook", "datasource")


@dataclass(frozen=True, slots=True)
class Window:
    """The time that one run covers: from `since` on and before `until`.

    With `full`, all content is listed, not only what changed. `listed_at` is when that was last done.
    """

    since: datetime
    until: datetime
    listed_at: datetime
    full: bool


class Reconciler:
    """Store the events of one site that were missed.

    `key` is appended to the name of the stored cursor, so that each site has one. Only events of the types in `desired`
    are stored. `repaired` returns the event types whose webhooks have just been enabled again: their events of the last
    minutes cannot come by themselves, so `grace` does not apply to them. With a `job_list`, its budget decides how
    often the list is read; a start and a repair do not wait for it. `caught_up` is called with the number of events
    that a run stored, and with the start of its window if that is long ago.
    """

    def __init__(
        self,
        inbox: Inbox,
        tableau: Callable[[], Tableau],
        desired: Collection[str],
        *,
        key: str = "",
        grace: timedelta = GRACE,
        repaired: Callable[[], Collection[str]] = frozenset,
        job_list: JobList | None = None,
        caught_up: Callable[[int, datetime | None], None] = lambda *_: None,
    ) -> None:
        self._inbox, self._tableau, self._desired, self._grace = inbox, tableau, frozenset(desired), grace
        self._content = SiteContent(inbox, tableau)
        self._is_paced = job_list is not None
        self._job_list = job_list or JobList(tableau, JobBudget(inbox, key))
        self._repaired, self._caught_up = repaired, caught_up
        self._stored = 0
        self._cursor = CURSOR + key
        self._first_run = True
        self._urgent: frozenset[str] = frozenset()

    def run(self, now: datetime) -> None:
        """Store what was missed since the last run. The very first run only remembers what is there."""
        self._urgent |= self._desired.intersection(self._repaired())
        if self._is_paced and not self._first_run and not self._urgent and not self._job_list.may_refresh(now):
            return
        # Tableau's times are whole seconds.
        until = (now - self._grace).replace(microsecond=0)
        try:
            window = self._window(now, until)
            if window is None:
                self._content.remember_users()
                for kind in KINDS:
                    self._content.remember(self._content.fetch(kind), until)
            else:
                until = self._reconcile(window, self._desired, now)
                if self._urgent:
                    # Tableau's lists may lag behind, so the next run looks at these minutes again.
                    full = any(event_type(name).content_gone for name in self._urgent)
                    latest = Window(window.until, now, window.listed_at, full=full)
                    self._reconcile(latest, self._urgent, now, remember=False)
                    self._urgent = frozenset()
        except TableauError as error:
            log.warning("Reconciliation skipped: %s", error)
            return
        self._first_run = False
        if window is not None:
            self._caught_up(self._stored, window.since if window.until - window.since > DOWNTIME else None)
            self._stored = 0
        listed_at = now if window is None or window.full else window.listed_at
        self._inbox.state.set(self._cursor, {"until": until.timestamp(), "listed": listed_at.timestamp()})

    def _window(self, now: datetime, until: datetime) -> Window | None:
        cursor = self._inbox.state.get(self._cursor)
        if cursor is None:
            return None
        since = max(from_timestamp(cursor["until"]), now - MAX_AGE)
        listed_at = from_timestamp(cursor["listed"])
        until = max(until, since)
        full = self._first_run or until - since > DOWNTIME or now - listed_at > FULL_LIST_INTERVAL
        return Window(since, until, listed_at, full)

    def _reconcile(self, window: Window, desired: frozenset[str], now: datetime, *, remember: bool = True) -> datetime:
        """Store the missed events of the desired types, and return the time until which all of them are stored.

        What is there now is remembered last, so that a run that is interrupted is repeated; the inbox recognizes events
        that it has already stored. Without `remember`, the next run looks at this window again.
        """
        site_luid = self._content.site_luid()
        arrivals = self._arrivals(site_luid, min(window.since, window.listed_at) - MARGIN)
        if window.full:
            self._content.remember_users()
        listed_jobs = self._job_list.refreshes(window.since, now)
        jobs = [job for job in listed_jobs if job.ended_at and window.since <= job.ended_at < window.until]
        refreshes = _ended_refreshes(jobs)
        looked_up: dict[str, Content] = {}
        missed, until = self._missed_refreshes(refreshes, arrivals, window.until, desired, looked_up)
        listed: list[Workbook | Datasource] = []
        names = ContentNames()
        for kind in KINDS:
            known = self._inbox.resources.on_site(site_luid, kind)
            names.add(kind, known.values())
            contents = self._content.fetch(kind, None if window.full else window.since)
            current = [ListedContent(kind, one.luid, one.name, one.created_at, one.updated_at) for one in contents]
            missed += content_changes(current, known, refreshes, since=window.since, until=window.until)
            if window.full:
                absent = known.keys() - {content.luid for content in contents}
                missed += self._content.deleted(kind, absent, known, window.until)
            listed += contents
            names.add(kind, contents)
        for one in sorted(missed, key=lambda one: one.at):
            if one.event_type in desired and not was_received(one, arrivals):
                receipt = self._inbox.synthetic_events.add(one.as_event(site_luid), RECONCILED, one.at)
                if not receipt.duplicate:
                    self._stored += 1
                    log.info("Missed event reconciled: event=%s type=%s name=%r", receipt.id, one.event_type, one.name)
        self._learn(jobs, names, looked_up, site_luid, now)
        if remember:
            self._content.remember(listed, window.until)
            self._inbox.resources.mark_deleted([one.luid for one in missed if event_type(one.event_type).content_gone])
        return until

    def _arrivals(self, site_luid: str, since: datetime) -> list[EventSummary]:
        """Return the events of the site that were received since then; one that names no site may be of this one."""
        return [
            arrival
            for arrival in self._inbox.events.received_since(since)
            if str(arrival.site_luid or site_luid).lower() == site_luid.lower()
        ]

    def _learn(
        self,
        jobs: Sequence[BackgroundJob],
        names: ContentNames,
        looked_up: Mapping[str, Content],
        site_luid: str,
        now: datetime,
    ) -> None:
        """Store what the jobs say about runs, whether a webhook reported them or not.

        Where several pieces of content have the name of a job, its content is looked up if one of them fails now and
        the budget allows it; else the job is left out.
        """
        pieces = []
        failing: Collection[str] | None = None
        for job in jobs:
            found = names.find(job)
            if job.luid in looked_up:
                found = [(kind, looked_up[job.luid].luid) for kind in KINDS if kind == looked_up[job.luid].kind]
            elif len(found) > 1:
                if failing is None:
                    failing = self._inbox.incidents.failing(site_luid)
                is_needed = any(luid.lower() in failing for _, luid in found)
                content = self._look_up(job, now) if is_needed else None
                found = [one for one in found if content and one[1].lower() == content.luid.lower()]
            if len(found) == 1:
                pieces.append(job_evidence(job, *found[0], site_luid, now))
        learn_runs(self._inbox, [piece for piece in pieces if piece])

    def _look_up(self, job: BackgroundJob, now: datetime) -> Content | None:
        """Return the content of a job; None beyond the budget, or if Tableau does not tell."""
        if self._job_list.budget.take(DETAILS, now):
            with suppress(TableauError):
                return self._tableau().job(job.luid).content
        return None

    def _missed_refreshes(
        self,
        refreshes: list[EndedRefresh],
        arrivals: list[EventSummary],
        until: datetime,
        desired: frozenset[str],
        looked_up: dict[str, Content],
    ) -> tuple[list[MissedEvent], datetime]:
        """Return the refreshes without an event, and the time until which these are all.

        At most MAX_JOBS are looked up. Those have an event in the next run, which therefore gets further. Their content
        is added to `looked_up`, by the LUIDs of the jobs.
        """
        missing = [
            refresh
            for refresh in refreshes
            if desired.intersection(refresh.event_types) and not has_event(refresh, arrivals)
        ]
        if len(missing) > MAX_JOBS:
            log.warning("Many missed refreshes: total=%d, reconciled in this run=%d", len(missing), MAX_JOBS)
            until = missing[MAX_JOBS].at
        missed = []
        for refresh in missing[:MAX_JOBS]:
            with suppress(NotFound):
                content = self._tableau().job(refresh.job_luid).content
                if content is not None and content.kind in KINDS:
                    looked_up[refresh.job_luid] = content
                    name = refresh_event_type(content.kind, refresh.outcome).name
                    missed.append(MissedEvent(name, content.luid, refresh.name, refresh.at))
        return missed, until


def _ended_refreshes(jobs: Iterable[BackgroundJob]) -> list[EndedRefresh]:
    """Return the jobs that webhooks report, oldest first."""
    refreshes = [
        EndedRefresh(job.luid, content_kind(job) or "", job.title, job.status == "Success", job.ended_at)
        for job in jobs
        if job.status in {"Success", "Failed"} and job.ended_at
    ]
    return sorted(refreshes, key=lambda refresh: refresh.at)
