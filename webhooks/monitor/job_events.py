"""Store events about failed flows, subscriptions and Bridge refreshes, which only Tableau's job list shows.

A job makes one event, however often it is read: the fingerprint of the event is that of the job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tableau_rest.errors import NotFound, TableauError
from tableau_rest.job_types import BRIDGE_REFRESHES, RUN_FLOW_JOB_TYPES, SUBSCRIPTION_JOB_TYPES
from tableau_rest.models import BackgroundJob, Job
from tableau_rest.protocol.query import is_expressible, where
from webhooks.clock import from_timestamp
from webhooks.event import JOB_FIELD, REASON_FIELD, RECONCILED, Event, build, job_fingerprint
from webhooks.event_types import (
    BRIDGE_REFRESH_FAILED,
    FLOW_RUN_FAILED,
    FLOW_RUN_SUCCEEDED,
    JOB_LIST_CHECK_FAILED,
    SUBSCRIPTION_FAILED,
    event_type,
)
from webhooks.incidents import evidence
from webhooks.messages.failure_reason import failure_reason
from webhooks.monitor import sight
from webhooks.monitor.alerts import Alert, Alerts
from webhooks.monitor.job_budget import DETAILS, LISTS
from webhooks.monitor.job_list import SHARED_WINDOW, JobList
from webhooks.monitor.job_runs import content_kind, job_evidence, learn_runs
from webhooks.monitor.sight import Sight
from webhooks.registration.job_list import CONSEQUENCE, PROBLEM

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)

CURSOR = "job list"
# Tableau's list may show the end of a job late, and its clock may differ from ours.
OVERLAP = timedelta(minutes=30)
# What ended earlier is not reported: after a longer downtime it is of no interest.
MAX_AGE = timedelta(days=7)
# While a single job cannot be read, its event waits this long, and is then stored without its details.
DETAIL_PATIENCE = timedelta(minutes=30)

# The event type by the type of a job and its status in the list.
OUTCOMES = {
    **{(one, "Failed"): FLOW_RUN_FAILED for one in RUN_FLOW_JOB_TYPES},
    **{(one, "Success"): FLOW_RUN_SUCCEEDED for one in RUN_FLOW_JOB_TYPES},
    **{(one, "Failed"): SUBSCRIPTION_FAILED for one in SUBSCRIPTION_JOB_TYPES},
    **{(one, "Failed"): BRIDGE_REFRESH_FAILED for one in BRIDGE_REFRESHES},
}
NAMED_KINDS = ("flow", "workbook", "datasource")


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that leads to an event of the type `event_type`."""

    event_type: str
    listed: BackgroundJob
    fingerprint: bytes
    at: datetime


class JobListCheck:
    """Store the events of one site that come from its job list.

    `desired` returns the event types that rules and handlers need from it; if there are none, Tableau is not asked.
    """

    def __init__(
        self,
        alerts: Alerts,
        tableau: Callable[[], Tableau],
        desired: Callable[[], Collection[str]],
        job_list: JobList,
        sight: Sight | None = None,
    ) -> None:
        self._alerts, self._tableau, self._desired, self._job_list = alerts, tableau, desired, job_list
        self._inbox = alerts.inbox
        self._sight = sight or Sight(alerts)
        self._first_run = True

    def run(self, now: datetime) -> None:
        """Store what ended since the last complete reading. The very first run only begins to count.

        An error is remembered and never taken as "no failures": the next run reads the same time again.
        """
        desired = frozenset(self._desired())
        if not desired:
            # A rule that is added later must not report what happened while there was none.
            for name in (CURSOR, PROBLEM, JOB_LIST_CHECK_FAILED):
                if self._alerts.recall(name) is not None:
                    self._alerts.remember(name, None)
            self._sight.drop(sight.JOB_LIST)
            return
        if not self._first_run and not self._job_list.budget.has(LISTS, now):
            return
        self._first_run = False
        try:
            self._read(desired, now)
        except TableauError as error:
            log.warning("Job list not read, trying again: %s", error)
            before = self._alerts.recall(PROBLEM) or {"since": now.timestamp()}
            text = self._inbox.store.redact(str(error))
            self._alerts.remember(PROBLEM, {**before, "text": text, "refused": error.permanent})
            advice = f"Until this is fixed, {CONSEQUENCE}. Run flask doctor."
            alert = Alert(JOB_LIST_CHECK_FAILED, "Tableau's job list cannot be read", f"{error} {advice}")
            self._sight.lost(sight.JOB_LIST, alert, error, now)
        else:
            if self._alerts.recall(PROBLEM) is not None:
                log.info("Job list readable again")
                self._alerts.remember(PROBLEM, None)
            self._alerts.forget(JOB_LIST_CHECK_FAILED)
            self._sight.found(sight.JOB_LIST)

    def _read(self, desired: frozenset[str], now: datetime) -> None:
        """Store the events since the last complete reading, and remember that this one is complete."""
        cursor = self._alerts.recall(CURSOR) or {"until": now.timestamp(), "from": now.timestamp()}
        self._alerts.remember(CURSOR, cursor)
        until = from_timestamp(cursor["until"])
        if until < now - MAX_AGE:
            log.warning(
                "Job list not read since %s: what ended more than %d days ago is not reported", until, MAX_AGE.days
            )
        since = max(until - OVERLAP, from_timestamp(cursor["from"]), now - MAX_AGE).replace(microsecond=0)
        types = {job_type for (job_type, _), name in OUTCOMES.items() if name in desired}
        reading = self._job_list.read(types, since, now, failed_only=FLOW_RUN_SUCCEEDED not in desired)
        ended = _ended_jobs(reading.jobs, desired, since)
        failed_at = min((one.at for one in ended if event_type(one.event_type).verb == "failed"), default=None)
        successes = [job for job in reading.jobs if job.status == "Success" and job.job_type in types]
        if failed_at and now - since > SHARED_WINDOW:
            successes += self._job_list.successes(types, failed_at, now)
        postponed = self._store(ended, successes, now)
        if error := reading.error or postponed:
            raise error
        self._alerts.remember(CURSOR, {**cursor, "until": max(until, now).timestamp()})

    def _store(self, jobs: list[EndedJob], successes: Sequence[BackgroundJob], now: datetime) -> TableauError | None:
        """Store the events that are not stored yet, oldest first; return the error if one has to wait."""
        known = self._inbox.synthetic_events.stored([job.fingerprint for job in jobs])
        new = [job for job in jobs if job.fingerprint not in known]
        if not new and not successes:
            return None
        site_luid = self._tableau().session().site_luid
        finder = Finder(self._tableau())
        # First, so that no message is sent about a failure that a success has followed already.
        self._learn_successes(successes, new, finder, site_luid, now)
        postponed, pieces = None, []
        for ended in new:
            try:
                detail, luid = self._look_up(ended, finder, now)
            except TableauError as error:
                if now - ended.at <= DETAIL_PATIENCE:
                    log.warning("Job postponed: tableau_job=%s type=%s: %s", ended.listed.luid, ended.event_type, error)
                    postponed = error
                    continue
                detail, luid = None, ""
            event = self._event(ended, detail, luid, site_luid)
            receipt = self._inbox.synthetic_events.add(event, RECONCILED, ended.at)
            if not receipt.duplicate:
                log.info(
                    "Event from the job list: event=%s type=%s name=%r",
                    receipt.id,
                    ended.event_type,
                    ended.listed.title,
                )
            piece = evidence(replace(event, id=receipt.id))
            if piece:
                kind, luid = piece.resource_kind, piece.resource_luid
                pieces.append(job_evidence(ended.listed, kind, luid, site_luid, now, reason=piece.reason))
        learn_runs(self._inbox, [piece for piece in pieces if piece])
        return postponed

    def _learn_successes(
        self,
        successes: Iterable[BackgroundJob],
        new: Iterable[EndedJob],
        finder: Finder,
        site_luid: str,
        now: datetime,
    ) -> None:
        """Store the successes of content that fails, or has failed in this reading; others have no incident."""
        failing = {*self._inbox.incidents.failing(site_luid).values()}
        failing |= {(_kind(one), one.listed.title) for one in new if event_type(one.event_type).verb == "failed"}
        pieces = []
        for job in successes:
            kind = content_kind(job) or "datasource"
            if (kind, job.title) in failing and (luid := finder.find(kind, job.title)):
                pieces.append(job_evidence(job, kind, luid, site_luid, now))
        learn_runs(self._inbox, [piece for piece in pieces if piece])

    def _look_up(self, ended: EndedJob, finder: Finder, now: datetime) -> tuple[Job | None, str]:
        """Return the job with its reason, and the LUID of its content; None and "" if they are unknown.

        Beyond the budget for single jobs, the content is found by its name, and the reason is left out. Raises an error
        that may pass.
        """
        succeeded = event_type(ended.event_type).verb == "succeeded"
        # A success has no reason, so that its job need not be queried.
        luid = finder.find(_kind(ended), ended.listed.title) if succeeded else ""
        if luid:
            return None, luid
        if self._job_list.budget.take(DETAILS, now):
            try:
                detail = self._tableau().job(ended.listed.luid)
            except TableauError as error:
                if not error.permanent:
                    raise
                if not isinstance(error, NotFound):
                    log.warning("Job cannot be read: tableau_job=%s: %s", ended.listed.luid, error)
            else:
                return detail, detail.content.luid if detail.content else ""
        return None, finder.find(_kind(ended), ended.listed.title)

    def _event(self, ended: EndedJob, detail: Job | None, luid: str, site_luid: str) -> Event:
        resource = str(event_type(ended.event_type).resource)
        if ended.event_type == BRIDGE_REFRESH_FAILED:
            resource = (detail.content.kind if detail and detail.content else _kind(ended)).upper()
        fields = {"resource_luid": luid, JOB_FIELD: ended.listed.luid}
        if detail is not None and event_type(ended.event_type).verb == "failed":
            # Notes may contain passwords, and stored events are shown in many places.
            fields[REASON_FIELD] = self._inbox.store.redact(failure_reason(detail.notes))
        event = build(
            ended.event_type,
            origin=RECONCILED,
            resource=resource,
            resource_name=ended.listed.title,
            site_luid=site_luid,
            created_at=f"{ended.at:%Y-%m-%dT%H:%M:%S}Z",
            **{name: value for name, value in fields.items() if value or name == REASON_FIELD},
        )
        return replace(event, fingerprint=ended.fingerprint)


class Finder:
    """Find content by its name: this costs no job query. Remembers what it found."""

    def __init__(self, tableau: Tableau) -> None:
        self._tableau = tableau
        self._found: dict[tuple[str, str], str] = {}

    def find(self, kind: str, name: str) -> str:
        """Return the LUID of the only content of that kind and name, else "". Raises an error that may pass."""
        if kind not in NAMED_KINDS or not is_expressible(name):
            return ""
        if (kind, name) not in self._found:
            lists: dict[str, Callable[..., Iterable[Any]]] = {
                "flow": self._tableau.flows,
                "workbook": self._tableau.workbooks,
                "datasource": self._tableau.datasources,
            }
            try:
                luids = [content.luid for content in lists[kind](where("name", "eq", name)) if content.name == name]
            except TableauError as error:
                if not error.permanent:
                    raise
                luids = []
            self._found[kind, name] = luids[0] if len(luids) == 1 else ""
        return self._found[kind, name]


def _ended_jobs(jobs: Iterable[BackgroundJob], desired: Collection[str], since: datetime) -> list[EndedJob]:
    """Return the jobs that lead to a desired event, oldest first."""
    found = []
    for job in jobs:
        name = OUTCOMES.get((job.job_type, job.status))
        at = job.ended_at or job.started_at or job.created_at
        if name in desired and name is not None and at is not None and at >= since:
            # The time of a job's creation never changes.
            fingerprint = job_fingerprint(name, job.luid, (job.created_at or at).isoformat())
            found.append(EndedJob(name, job, fingerprint, at))
    return sorted(found, key=lambda one: one.at)


def _kind(ended: EndedJob) -> str:
    """Return the kind of the content as far as the list tells."""
    kind = event_type(ended.event_type).kind
    return kind or ("workbook" if ended.listed.subtitle == "Workbook" else "datasource")
