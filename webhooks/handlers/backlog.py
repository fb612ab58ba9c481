"""Failures that waited together: one job asks Tableau about the content for all of them."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from webhooks.context import Context
from webhooks.handlers.notice import with_address
from webhooks.incidents import evidence
from webhooks.rules.conditions import RUN_FIELDS
from webhooks.rules.matching import needs

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord, NoticeRecord

# Later failures whose jobs are looked for; if none of them has one, a job asks itself.
MOST_LATER = 50


def notice_of_later_failure(context: Context, to: str, record: IncidentRecord) -> NoticeRecord | None:
    """Return the rule's notice if the job of a later failure has asked Tableau about the content, or is going to.

    In a backlog, as of a storm, most of the requests would be about earlier failures. None if this job has to ask.
    """
    if not (record.details.link or record.details.problem) or not _has_later_job(context, record):
        return None
    address = with_address(context, to)
    return next((one for one in record.notices if one.destination == address and one.rule == context.job.rule), None)


def _has_later_job(context: Context, record: IncidentRecord) -> bool:
    """Return whether this action of the rule has asked about a later failure, or has a job that will.

    A later failure may have no job: the rule did not match at its time, or it was not an event. And an open job does
    nothing if its conditions do not hold; those of this job do, also for later failures if they are on the content.
    """
    piece, job = evidence(context.event), context.job
    if piece is None:
        return False
    later = (run for run in record.incident.runs if run.outcome == "failed" and run.at > piece.at)
    newest_first = sorted(later, key=attrgetter("at"), reverse=True)
    event_ids = [event_id for run in newest_first for event_id in run.event_ids if event_id != job.event.id]
    is_about_run = any(needs(job.where, name) for name in RUN_FIELDS)
    conditions = [{}] if is_about_run else [{}, job.where]
    return context.inbox.jobs.has_like(job, event_ids[:MOST_LATER], conditions)
