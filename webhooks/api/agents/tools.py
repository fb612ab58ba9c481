"""The tools that agents may call: each answers one kind of question with at most 2 KB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from webhooks.access.visitors import Role, permits
from webhooks.api import acts
from webhooks.api.agents.answers import UNTRUSTED, incident_summary, outcomes, short_time, untrusted, write
from webhooks.api.agents.inputs import (
    AcknowledgeInput,
    ExplainInput,
    FreshnessInput,
    IncidentInput,
    ResourceInput,
    SearchInput,
    SilenceInput,
    SnoozeInput,
    WhatsWrongInput,
)
from webhooks.api.call import Call, Refused
from webhooks.api.parameters import AcknowledgeBody, Parameters, SilenceBody, SnoozeBody
from webhooks.api.reads import get_event, get_incident
from webhooks.context import CONDITIONS
from webhooks.job import MISSING
from webhooks.text import cut
from webhooks.views.explanation import explain as explain_event
from webhooks.views.formats import count
from webhooks.views.incident_story import read_story
from webhooks.views.server_health import read_webhook_health
from webhooks.views.status import OPEN_STATES, read_status, summary

MAX_ITEMS = 20


def whats_wrong(call: Call, query: WhatsWrongInput) -> str:
    """Show what is broken now: every open incident with its age, reason, owner, and who was notified."""
    webhooks = read_webhook_health(call.services, call.now)
    status = read_status(call.inbox, now=call.now, zone=call.services.settings.zone, webhooks=webhooks, limit=0)
    found = call.inbox.incidents.page(
        states=OPEN_STATES,
        projects=[query.project] if query.project else [],
        before=query.after,
        limit=MAX_ITEMS,
    )
    items = [incident_summary(call, record, reason=80) for record in found]
    return write(call, {"summary": ". ".join(summary(status)), "items": items})


def incident(call: Call, query: IncidentInput) -> str:
    """Show everything about one incident: what happened, who was notified, why others were not, what was done."""
    record = get_incident(call, query.id)
    site = call.site_name(record.incident.site_luid)
    story = read_story(call.inbox, record, site=site, now=call.now, when=call.when, address=call.address)
    timeline = [f"{short_time(one.at)} {one.kind}: {cut(one.text, 120)}" for one in story.entries]
    unsent = [f"{one.destination or 'no destination'}: {cut(one.text, 120)}" for one in story.unsent]
    answer = {**incident_summary(call, record), "not_notified": unsent, f"timeline_{UNTRUSTED}": timeline[::-1]}
    return write(call, answer, listed=f"timeline_{UNTRUSTED}")


def resource(call: Call, query: ResourceInput) -> str:
    """Show a workbook, data source or flow: its last runs, last success, next run, owner, and open incident."""
    lists = call.inbox.resource_lists
    found = lists.page(names=[query.name], limit=MAX_ITEMS) or lists.page(luids=[query.name.lower()], limit=1)
    if not found:
        raise Refused(404, f"No refresh of {query.name!r} was recorded.")
    if len(found) > 1:
        items = [{"luid": one.luid, UNTRUSTED: untrusted(name=one.name, project=one.project)} for one in found]
        return write(call, {"question": "Several match; which one? Give its LUID.", "items": items})
    content = found[0]
    record = next((one for one in lists.incidents_of(content.luid) if one.incident.is_open), None)
    runs = call.inbox.runs.list(resource_luid=content.luid, limit=20)
    answer = {
        "luid": content.luid,
        "kind": content.kind,
        "last_success": short_time(lists.last_success(content.luid)),
        "next_expected": short_time(lists.next_expected(content.luid, call.now)),
        "open_incident": incident_summary(call, record) if record else None,
        UNTRUSTED: untrusted(name=content.name, project=content.project, owner=content.owner),
        "runs": outcomes(runs),
    }
    return write(call, answer, listed="runs")


def freshness(call: Call, query: FreshnessInput) -> str:
    """Show of what time the data is: the last successful refresh of each content of a project."""
    name, _, luid = query.after.rpartition(" ")
    found = call.inbox.resource_lists.page(
        names=[query.name] if query.name else [],
        projects=[query.project] if query.project else [],
        after=(name, luid) if luid else None,
        limit=MAX_ITEMS,
    )
    items = [
        {
            "luid": one.luid,
            "data_of": short_time(call.inbox.resource_lists.last_success(one.luid)),
            "last_run": {"f": "failed", "s": "succeeded", "r": "running"}.get(one.outcomes[:1], "unknown"),
            UNTRUSTED: untrusted(name=cut(one.name, 80), project=cut(one.project, 80)),
        }
        for one in found
    ]
    following = f"{found[-1].name} {found[-1].luid}" if len(found) == MAX_ITEMS else None
    return write(call, {"items": items} | ({"next": following} if following else {}))


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
            "why": cut(one.reason, 120),
            "jobs": [
                f"{job.job.handler} {job.job.state.word} {cut(job.job.error or '', 100)}".strip() for job in one.jobs
            ],
        }
        for one in decisions
    ]
    about = untrusted(name=str(record.event.resource_name or ""))
    answer = {"event": query.event, "type": record.event.event_type, "state": record.state, UNTRUSTED: about}
    return write(call, {**answer, "items": items})


def webhooks_health(call: Call, query: Parameters) -> str:  # noqa: ARG001 - all tools have these arguments
    """Show whether the server receives events: its webhooks in Tableau, its backlog and its dead letters."""
    health = read_webhook_health(call.services, call.now)
    numbers = call.whole.counts()
    return write(
        call,
        {
            "webhooks": health.state,
            "text": health.text,
            "checked": short_time(health.checked_at),
            "backlog": {name: value for name, value in numbers.items() if value},
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
            limit=MAX_ITEMS,
        )
    except ValueError as error:
        raise Refused(422, f"{error}") from None
    items = [
        {
            "event": record.event.id,
            "type": record.event.event_type,
            "received": short_time(record.event.received_at),
            "jobs": " ".join(sorted({job.job.state.word for job in record.jobs})) or "none",
            UNTRUSTED: untrusted(name=cut(str(record.event.resource_name or ""), 80)),
        }
        for record in found
    ]
    return write(call, {"items": items})


def acknowledge(call: Call, query: AcknowledgeInput) -> str:
    """Acknowledge an incident for the person who asks: no reminders and no escalations until it closes."""
    acts.acknowledge(call, AcknowledgeBody(note=query.note), query.id)
    return write(call, incident_summary(call, get_incident(call, query.id)))


def snooze(call: Call, query: SnoozeInput) -> str:
    """Snooze an incident: no reminders for some hours."""
    acts.snooze(call, SnoozeBody(until=_in(call, query.hours)), query.id)
    return write(call, incident_summary(call, get_incident(call, query.id)))


def refresh_again(call: Call, query: IncidentInput) -> str:
    """Start the refresh of an incident's content in Tableau."""
    acts.refresh(call, Parameters(), query.id)
    return write(call, {"started": True, "incident": query.id, "next": "Call incident in a minute for the result."})


def silence(call: Call, query: SilenceInput) -> str:
    """Send nothing about some content for some hours; its incidents stay visible."""
    matchers = {"project": [query.project], "resource_name": [query.name]}
    given: Any = {field: patterns for field, patterns in matchers.items() if patterns[0]}
    if not given:
        raise Refused(422, "Give a project or a name; everything can be silenced on the pages only.")
    found = acts.add_silence(call, SilenceBody(matchers=given, reason=query.reason, end=_in(call, query.hours)))
    matched = count(len(found["incidents"]), "open incident")
    return write(call, {"silence": found["id"], "until": found["end"], "matches": matched})


def _in(call: Call, hours: float) -> Any:
    """Return the time after some hours, as a body contains it."""
    return (call.now + timedelta(hours=hours)).isoformat()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool; `writes` is whether it changes something. One for `everything` is about the server as a whole."""

    name: str
    run: Callable[..., str]
    takes: type[Parameters]
    role: Role = "viewer"
    everything: bool = False
    # The act of webhooks.access.permissions that it does.
    act: str = ""

    @property
    def writes(self) -> bool:
        """Return whether the tool changes something."""
        return self.role != "viewer"

    def is_for(self, call: Call) -> bool:
        """Return whether the visitor may use the tool."""
        return permits(call.visitor.role, self.role) and (call.sees_everything or not self.everything)

    def refusal(self, call: Call) -> str:
        """Return why the visitor may not use the tool."""
        person = call.visitor
        if not permits(person.role, self.role):
            return f"The role of {person.name} is {person.role}; the tool {self.name} needs the role {self.role}."
        return f"The tool {self.name} needs a role that is not limited to sites or projects, as {person.name} is."

    def as_object(self) -> dict[str, Any]:
        """Return the tool as lists of tools have it."""
        schema = self.takes.model_json_schema()
        hints = {"readOnlyHint": not self.writes, "destructiveHint": False, "openWorldHint": False}
        description = " ".join((self.run.__doc__ or "").split())
        return {"name": self.name, "description": description, "inputSchema": schema, "annotations": hints}


TOOLS: tuple[Tool, ...] = (
    Tool("whats_wrong", whats_wrong, WhatsWrongInput),
    Tool("incident", incident, IncidentInput),
    Tool("resource", resource, ResourceInput),
    Tool("freshness", freshness, FreshnessInput),
    Tool("explain", explain, ExplainInput),
    Tool("webhooks_health", webhooks_health, Parameters, everything=True),
    Tool("search_events", search_events, SearchInput),
    Tool("acknowledge", acknowledge, AcknowledgeInput, "operator", act="acknowledge"),
    Tool("snooze", snooze, SnoozeInput, "operator", act="snooze"),
    Tool("refresh_again", refresh_again, IncidentInput, "operator", act="refresh"),
    Tool("silence", silence, SilenceInput, "operator", act="add silence"),
)
