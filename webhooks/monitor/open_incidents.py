"""Look up the content and the reason of open incidents that the import of history has found.

Otherwise the jobs of an event do so. Until the content fails again, no event leads to a job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tableau_rest.errors import NotFound, TableauError
from webhooks.context.failed_job import NO_REASON
from webhooks.context.projects import find_path
from webhooks.context.schedules import find_schedule
from webhooks.inbox import Inbox, IncidentRecord
from webhooks.incidents import IncidentFilter, ResourceDetails, RunEvidence
from webhooks.incidents.incident_filter import OPEN_STATES
from webhooks.messages.event_message import as_sentences, format_user
from webhooks.messages.failure_reason import failure_reason
from webhooks.monitor.job_budget import DETAILS, JobBudget

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)

# Incidents that one run of the checks looks up; the next run continues.
MAX_INCIDENTS = 20


class OpenIncidents:
    """Complete the open incidents of one site that no event is about: content, schedule, and reason.

    Job queries stay within the budget; a reason that has to wait for it follows in a later run.
    """

    def __init__(self, inbox: Inbox, tableau: Callable[[], Tableau], budget: JobBudget) -> None:
        self._inbox, self._tableau, self._budget = inbox, tableau, budget

    def run(self, now: datetime) -> None:
        """Look up what is missing. An error that may pass ends this run."""
        incomplete = [
            record
            for record in self._inbox.incidents.list(IncidentFilter(states=OPEN_STATES, kinds=("failing",)))
            if record.event_id is None and not (_has_details(record) and record.incident.reason)
        ]
        if not incomplete:
            return
        try:
            tableau = self._tableau()
            site_luid = tableau.session().site_luid.lower()
            own = [record for record in incomplete if record.incident.site_luid == site_luid]
            for record in own[:MAX_INCIDENTS]:
                if not _has_details(record):
                    self._inbox.incidents.save_details(record.id, _look_up(tableau, record, now))
                if not record.incident.reason:
                    self._learn_reason(tableau, record, now)
        except TableauError as error:
            log.warning("Details of open incidents not looked up: %s", error)

    def _learn_reason(self, tableau: Tableau, record: IncidentRecord, now: datetime) -> None:
        """Store the reason of the last failure whose job is known, if a query is left."""
        runs = self._inbox.incidents.get(record.id).incident.runs
        last = next((run for run in reversed(runs) if run.job_luid), None)
        if last is None or not self._budget.take(DETAILS, now):
            return
        try:
            reason = failure_reason(tableau.job(str(last.job_luid)).notes)
        except TableauError as error:
            if not error.permanent:
                raise
            # Tableau forgets jobs after some time.
            reason = ""
        piece = RunEvidence(
            source="job list",
            site_luid=last.site_luid,
            resource_luid=last.resource_luid,
            resource_kind=last.resource_kind,
            outcome="failed",
            recorded_at=now,
            started_at=last.started_at,
            ended_at=last.ended_at,
            resource_name=last.resource_name,
            reason=self._inbox.store.redact(reason or NO_REASON),
            job_luid=last.job_luid,
        )
        self._inbox.incidents.learn(piece)


def _has_details(record: IncidentRecord) -> bool:
    return bool(record.details.link or record.details.project or record.details.problem)


def _look_up(tableau: Tableau, record: IncidentRecord, now: datetime) -> ResourceDetails:
    """Return what Tableau says of the content and its schedule. Raises an error that may pass."""
    incident, known = record.incident, record.details
    find: dict[str, Callable[[str], Any]] = {
        "workbook": tableau.workbook,
        "datasource": tableau.datasource,
        "flow": tableau.flow,
    }
    try:
        content = find[incident.resource_kind](incident.resource_luid)
        user = tableau.user(content.owner.luid) if content.owner and content.owner.luid else None
        project = find_path(content.project, tableau, now).path if content.project else ""
    except TableauError as error:
        if not error.permanent:
            raise
        gone = "it no longer exists, or the server's Tableau user cannot see it"
        problem = gone if isinstance(error, NotFound) else f"could not look it up in Tableau: {error}"
        return replace(known, problem=as_sentences(problem))
    schedule = find_schedule(incident.resource_luid, tableau, now, incident.last_failure_at)
    return replace(
        known,
        project=project,
        owner=format_user(user) if user else "",
        link=content.webpage_url,
        strikes=schedule.strikes,
        next_run_at=schedule.next_run_at,
    )
