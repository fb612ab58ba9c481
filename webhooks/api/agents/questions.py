"""The questions that agents may ask: each is answered with at most 2 KB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webhooks.api.agents.answers import UNTRUSTED, incident_summary, outcomes, short_time, untrusted, write
from webhooks.api.agents.inputs import (
    ExplainInput,
    FreshnessInput,
    IncidentInput,
    ResourceInput,
    SearchInput,
    WhatsWrongInput,
)
from webhooks.api.call import Call, Refused
from webhooks.api.parameters import Parameters
from webhooks.api.reads import get_event, get_incident
from webhooks.clock import from_timestamp
from webhooks.context import CONDITIONS
from webhooks.event_types import MONITOR_EVENT_TYPES, RULE_EVENT_TYPES, WATCH_EVENT_TYPES
from webhooks.incidents import IncidentFilter
from webhooks.incidents.incident_filter import OPEN_STATES
from webhooks.job import MISSING
from webhooks.spelling import hint
from webhooks.text import cut
from webhooks.views.explanation import explain as explain_event
from webhooks.views.incident_story import read_story
from webhooks.views.outages import unavailable_services
from webhooks.views.server_health import read_webhook_health
from webhooks.views.status import read_status, summary
from webhooks.views.wording import job_state, job_title

if TYPE_CHECKING:
    from webhooks.inbox.resources.lists import RefreshedContent

MAX_ITEMS = 20
# Services that are unavailable, in the summary.
MAX_SERVICES = 5
# Words of up to this many characters are in too many names to find a similar one.
MIN_WORD = 3
WILDCARDS = "*?!"
KNOWN_TYPES = {*RULE_EVENT_TYPES, *MONITOR_EVENT_TYPES, *WATCH_EVENT_TYPES}
PROJECTS = "The project of content is known once the monitor has listed the site, or once its refresh has failed."
# The figures of the inbox, with the names that an agent reads.
FIGURES = {
    "unplanned": "events_unplanned",
    "oldest_unplanned": "oldest_unplanned_seconds",
    "ready": "jobs_ready",
    "oldest_due": "oldest_job_due_seconds",
    "dead": "dead_letters",
    "unseen": "tableau_unseen_seconds",
}


def whats_wrong(call: Call, query: WhatsWrongInput) -> str:
    """Show what is broken now: every open incident with its age, reason, owner, and who was notified or silenced it.

    Also services that accept no messages, and the number of messages and actions that have failed for good.
    """
    webhooks = read_webhook_health(call.services, call.now)
    status = read_status(
        call.inbox,
        now=call.now,
        zone=call.services.settings.zone,
        webhooks=webhooks,
        # Their messages are of all sites and projects.
        unavailable=unavailable_services(call.services)[:MAX_SERVICES] if call.sees_everything else None,
        dead_letters=call.whole.dead_letters.total() if call.sees_everything else None,
        site_name=call.site_name,
        limit=0,
    )
    found = call.inbox.incidents.page(
        IncidentFilter(states=OPEN_STATES, projects=[query.project] if query.project else []),
        before=query.after,
        limit=MAX_ITEMS + 1,
    )
    items = [incident_summary(call, record, reason=80) for record in found[:MAX_ITEMS]]
    said = ". ".join(f"{part[0].upper()}{part[1:]}" for part in summary(status))
    answer: dict[str, Any] = {"summary": f"{said}."}
    if query.project:
        answer = {"summary_of_all_projects": f"{said}."}
        if not found and not query.after:
            answer["note"] = f"No open incident is known to be in {query.project}. {PROJECTS}"
    if status.unavailable:
        answer["unavailable_services"] = [f"{one.name}: {one.describe(call.when)}" for one in status.unavailable]
    if status.dead_letters:
        answer["dead_letters"] = status.dead_letters
    has_more = len(found) > MAX_ITEMS
    return write(call, {**answer, "items": items}, cursors=[one["id"] for one in items], has_more=has_more)


def incident(call: Call, query: IncidentInput) -> str:
    """Show everything about one incident: what happened, who was notified, why others were not, what was done."""
    record = get_incident(call, query.id)
    site = call.site_name(record.incident.site_luid)
    story = read_story(call.inbox, record, site=site, now=call.now, when=call.when, address=call.address)
    timeline = [f"{short_time(one.at)} {one.kind}: {cut(one.text, 120)}" for one in story.entries]
    unsent = [f"{one.destination or 'no destination'}: {cut(one.text, 120)}" for one in story.unsent]
    answer = {**incident_summary(call, record), f"not_notified_{UNTRUSTED}": unsent}
    return write(call, {**answer, f"timeline_{UNTRUSTED}": timeline[::-1]}, listed=f"timeline_{UNTRUSTED}")


def resource(call: Call, query: ResourceInput) -> str:
    """Show a workbook, data source or flow: its last runs, last success, next run, owner, and open incident."""
    lists = call.inbox.resource_lists
    found = lists.page(names=[query.name], limit=MAX_ITEMS) or lists.page(luids=[query.name.lower()], limit=1)
    question = "Several match; which one? Give its LUID."
    if not found:
        words = [f"*{word}*" for word in query.name.replace("*", " ").split() if len(word) > MIN_WORD]
        found = lists.page(names=[f"*{query.name}*", *words], limit=MAX_ITEMS)
        question = (
            f"No refresh of {query.name!r} was recorded. These names are similar; is it one of them? Give its LUID."
        )
        if not found:
            raise Refused(
                404, f"No refresh of {query.name!r} was recorded. Call freshness for the names of all content."
            )
    elif len(found) == 1:
        return _one_resource(call, found[0])
    items = [
        {"luid": one.luid, UNTRUSTED: untrusted(name=cut(one.name, 80), project=cut(one.project, 80))} for one in found
    ]
    return write(call, {"question": question, "items": items})


def _one_resource(call: Call, content: RefreshedContent) -> str:
    lists = call.inbox.resource_lists
    record = next((one for one in lists.incidents_of(content.luid) if one.incident.is_open), None)
    runs = call.inbox.runs.list(resource_luid=content.luid, limit=20)
    answer = {
        "luid": content.luid,
        "kind": content.kind,
        "last_success": short_time(lists.last_success(content.luid)),
        "next_expected": short_time(lists.next_expected(content.luid, call.now)),
        "open_incident": incident_summary(call, record) if record else None,
        UNTRUSTED: untrusted(
            name=cut(content.name, 80), project=cut(content.project, 80), owner=cut(content.owner, 80)
        ),
        "runs": outcomes(runs),
    }
    return write(call, answer, listed="runs")


def freshness(call: Call, query: FreshnessInput) -> str:
    """Show of what time the data is: the last successful refresh of each content of a project."""
    last = call.inbox.resource_lists.page(luids=[query.after.lower()], limit=1) if query.after else []
    if query.after and not last:
        raise Refused(404, "after: it is not the `next` of an answer.")
    found = call.inbox.resource_lists.page(
        names=[query.name] if query.name else [],
        projects=[query.project] if query.project else [],
        after=(last[0].name, last[0].luid) if last else None,
        limit=MAX_ITEMS + 1,
    )
    items = [
        {
            "luid": one.luid,
            "data_of": short_time(call.inbox.resource_lists.last_success(one.luid)),
            "last_run": {"f": "failed", "s": "succeeded", "r": "running"}.get(one.outcomes[:1], "unknown"),
            UNTRUSTED: untrusted(name=cut(one.name, 80), project=cut(one.project, 80)),
        }
        for one in found[:MAX_ITEMS]
    ]
    answer: dict[str, Any] = {"items": items}
    if not items and not query.after:
        where = " and ".join(
            f"{key} {value!r}" for key, value in (("name", query.name), ("project", query.project)) if value
        )
        answer["note"] = f"No refresh of content {f'with {where} ' if where else ''}was recorded. {PROJECTS}"
    return write(call, answer, cursors=[one["luid"] for one in items], has_more=len(found) > MAX_ITEMS)


def explain(call: Call, query: ExplainInput) -> str:
    """Show why an event was notified or not: the decision of each rule and the state of each job."""
    record = get_event(call, query.event)
    asked = {job.job.id: call.inbox.checkpoints.get(job.job, CONDITIONS) for job in record.jobs if job.job.where}
    conditions = {job_id: str(reason) for job_id, reason in asked.items() if reason is not MISSING}
    plan = call.services.planner.plan(record.event)
    decisions = explain_event(record, plan, conditions, only_matching=not call.sees_everything)
    items = [
        {
            "rule": one.name,
            "verdict": one.verdict,
            f"why_{UNTRUSTED}": cut(one.reason, 120),
            f"jobs_{UNTRUSTED}": [
                f"{job_title(job.job)} {job_state(job)} {cut(job.job.error or '', 100)}".strip() for job in one.jobs
            ],
        }
        # Those that did not match are the first to be left out.
        for one in sorted(decisions, key=lambda one: not one.jobs and one.verdict == "no")
    ]
    about = untrusted(name=str(record.event.resource_name or ""))
    answer = {"event": query.event, "type": record.event.event_type, "state": record.state, UNTRUSTED: about}
    return write(call, {**answer, "items": items})


def webhooks_health(call: Call, query: Parameters) -> str:  # noqa: ARG001 - all tools have these arguments
    """Show whether the server receives events: its webhooks in Tableau, its backlog and its dead letters."""
    health = read_webhook_health(call.services, call.now)
    numbers = call.whole.counts()
    newest = numbers.pop("newest_event", 0)
    has_checks = bool(call.services.settings.webhook_url)
    return write(
        call,
        {
            "webhooks": health.state,
            "text": health.text + ("" if has_checks else ": there are no checks, as WEBHOOK_URL is not set"),
            "checked": short_time(health.checked_at),
            "newest_event": short_time(from_timestamp(newest)) if newest else None,
            **{shown: int(numbers[name]) for name, shown in FIGURES.items()},
        },
    )


def search_events(call: Call, query: SearchInput) -> str:
    """Find events by type, resource, state and time, newest first."""
    try:
        found = call.inbox.events.list(
            event_types=[query.type] if query.type else [],
            resources=[query.resource] if query.resource else [],
            states=[query.state] if query.state else [],
            since=query.since,
            before=query.before,
            limit=MAX_ITEMS + 1,
        )
    except ValueError as error:
        raise Refused(422, f"{error}") from None
    if not found and query.type and query.type not in KNOWN_TYPES and not set(WILDCARDS) & set(query.type):
        raise Refused(422, f"type: no event of the type {query.type!r} was received; {hint(query.type, KNOWN_TYPES)}")
    items = [
        {
            "event": record.event.id,
            "type": record.event.event_type,
            "received": short_time(record.event.received_at),
            "jobs": " ".join(sorted(set(map(job_state, record.jobs)))) or "none",
            UNTRUSTED: untrusted(name=cut(str(record.event.resource_name or ""), 80)),
        }
        for record in found[:MAX_ITEMS]
    ]
    answer: dict[str, Any] = {"items": items}
    if not items:
        days = call.services.settings.retention_days
        answer["note"] = "No such event was received" + (f" in the last {days:g} days." if days else ".")
    return write(call, answer, cursors=[one["event"] for one in items], has_more=len(found) > MAX_ITEMS)
