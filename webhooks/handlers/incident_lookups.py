"""Complete the details of an incident, which its messages show, with what Tableau says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from webhooks.context import Context, Lookup
from webhooks.context.failed_job import NO_REASON, find_failed_job, recorded_reason
from webhooks.context.schedules import find_downstream, find_schedule
from webhooks.incidents import ResourceDetails, RunEvidence
from webhooks.incidents.grouping import OWN_REASONS
from webhooks.messages.event_message import as_sentences
from webhooks.messages.failure_reason import failure_reason

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord


def with_content(lookup: Lookup, details: ResourceDetails, project: str, owner: str) -> ResourceDetails:
    """Return the details with those of the content that was looked up; others stay as they were known before."""
    content = lookup.content
    return replace(
        details,
        project=project or details.project,
        owner=owner or details.owner,
        link=str(getattr(content, "webpage_url", "")) or details.link,
        problem=as_sentences(lookup.problem),
        tags=tuple(getattr(content, "tags", ())) if content else details.tags,
    )


def with_upstream(
    context: Context, lookup: Lookup, record: IncidentRecord, details: ResourceDetails
) -> ResourceDetails:
    """Return the details with the databases that the content reads, and store them; without them where unknown."""
    incident = record.incident
    if details.upstream is not None or lookup.content is None or incident.kind != "failing":
        return details
    if incident.reason_class in OWN_REASONS:
        return details
    from webhooks.context.upstream import find_upstream  # noqa: PLC0415 - commands about rules need no client

    upstream = find_upstream(incident.resource_kind, incident.resource_luid, context.tableau, context.now())
    if upstream is None:
        return details
    found = replace(details, upstream=upstream)
    context.inbox.incidents.save_details(record.id, found)
    return found


def with_schedule(
    context: Context, lookup: Lookup, record: IncidentRecord, details: ResourceDetails
) -> ResourceDetails:
    """Return the details with what Tableau says of the schedule; it is left out where Tableau refuses to say."""
    kind, luid = record.incident.resource_kind, context.luid
    if luid is None or lookup.content is None or kind not in {"workbook", "datasource"}:
        return details
    schedule = find_schedule(luid, context.tableau, context.now(), record.incident.last_failure_at)
    downstream = details.downstream
    if kind == "datasource" and downstream is None:
        workbooks = find_downstream(luid, context.tableau)
        if workbooks is not None:
            # For the page of the data source, which must not wait for Tableau.
            context.inbox.downstream.save(record.incident.resource_luid, workbooks, context.now())
            downstream = len(workbooks)
    return replace(details, strikes=schedule.strikes, next_run_at=schedule.next_run_at, downstream=downstream)


def learn_reason(context: Context, lookup: Lookup, record: IncidentRecord) -> str:
    """Store what Tableau's job list says about the failed run; return why that is unknown, if it is.

    Raises RetryLater while the job list may lag behind.
    """
    run = next((run for run in record.incident.runs if context.event.id in run.event_ids), None)
    if run is None or run.reason:
        return ""
    if context.event.type.from_job_list:
        return recorded_reason(context.event)[1]
    job, problem = find_failed_job(context, lookup)
    if job is None:
        return problem
    reason = failure_reason(job.notes) or NO_REASON
    piece = RunEvidence(
        source="job list",
        site_luid=run.site_luid,
        resource_luid=run.resource_luid,
        resource_kind=run.resource_kind,
        outcome="failed",
        recorded_at=context.now(),
        started_at=job.started_at,
        ended_at=job.completed_at or run.ended_at,
        resource_name=run.resource_name,
        reason=context.redact(reason),
        job_luid=job.luid,
    )
    context.inbox.incidents.learn(piece)
    return ""
