"""The messages that destinations show of an incident, or would show of an event.

Examples replace what only Tableau knows of an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from notifiers import Message
from webhooks.clock import parse_time
from webhooks.destinations import ROUTES, destinations_of
from webhooks.event import Event
from webhooks.handlers.notice import details_of
from webhooks.handlers.notify import NotifyParams
from webhooks.incidents import Finding, Incident, evidence, incidents, runs, state
from webhooks.messages.event_message import Details, as_sentences, as_text, event_message
from webhooks.messages.incident_message import IncidentDetails, incident_message
from webhooks.messages.incident_values import template_values
from webhooks.messages.templates import render_or_standard
from webhooks.monitor.watches.recorder import EVENT_TYPES

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord, NoticeRecord

PROJECT, OWNER, LINK = "Finance/Reports", "Ann Lee (ann@example.org)", "https://tableau.example/#/workbooks/1"
REASON = "ORA-01017: invalid username/password; logon denied"
TAGS = ("gold",)


def preview_message(event: Event, params: NotifyParams, rule: str, now: datetime, zone: tzinfo) -> Message:
    """Return the first message about the event: about its incident if it opens one, else about itself."""
    if event.type.from_watch and not params.each:
        return _preview_incident(_found(event, now), event, params, rule=rule, now=now, zone=zone)
    piece = None if params.each else evidence(event)
    if piece is None or piece.outcome != "failed":
        reason = REASON if event.type.verb == "failed" else ""
        content = SimpleNamespace(name=as_text(event.resource_name), webpage_url=LINK, tags=TAGS)
        known = event.type.has_owner_and_project
        details = Details(
            content if known else None, project=PROJECT if known else "", owner=OWNER if known else "", reason=reason
        )
        return event_message(event, details, rule=rule, title=params.title, text=params.text, zone=zone)
    (incident,) = state(runs([replace(piece, reason=REASON)]), (), now)
    return _preview_incident(incident, event, params, rule=rule, now=now, zone=zone)


def _found(event: Event, now: datetime) -> Incident:
    """Return the incident that opens with what a watch has found."""
    kind = next(kind for kind, name in EVENT_TYPES.items() if name == event.event_type)
    luid, name = str(event.resource_luid or ""), as_text(event.resource_name)
    found = Finding.of_check(
        luid,
        parse_time(event.created_at) or now,
        problem=True,
        name=name,
        reason=as_text(event.payload.get("reason")),
        site_luid=str(event.site_luid or ""),
        resource_kind=str(event.payload.get("resource") or "").lower(),
    )
    (incident,) = incidents(kind, [found], (), now)
    return incident


def _preview_incident(
    incident: Incident, event: Event, params: NotifyParams, *, rule: str, now: datetime, zone: tzinfo
) -> Message:
    shown = IncidentDetails(number=1, rule=rule, project=PROJECT, owner=OWNER, link=LINK, advice=event.type.advice)
    values = template_values(incident, shown, now, tags=TAGS, zone=zone)
    return _composed(incident, shown, {"title": params.title or "", "text": params.text or ""}, values, zone)


def destination_words(params: NotifyParams) -> str:
    """Return where the messages go: the destination, or `routes` with all that a project can have."""
    if params.to != ROUTES:
        return params.to
    return f"{params.to} ({', '.join(destinations_of(params.model_dump()))})"


def notice_message(record: IncidentRecord, notice: NoticeRecord, now: datetime, zone: tzinfo) -> Message:
    """Return the message about an incident as its destination shows it, without buttons and mentions."""
    details = details_of(record, notice.rule)
    values = template_values(record.incident, details, now, tags=record.details.tags or (), zone=zone)
    return _composed(record.incident, details, notice.template, values, zone)


def _composed(
    incident: Incident, shown: IncidentDetails, template: Mapping[str, str], values: Mapping[str, Any], zone: tzinfo
) -> Message:
    own = [render_or_standard(key, template.get(key, ""), values, "") for key in ("title", "text")]
    (title, _), (text, _) = own
    problem = "\n".join(filter(None, [shown.problem, as_sentences(*(problem for _, problem in own))]))
    return incident_message(incident, replace(shown, problem=problem), title=title, text=text, zone=zone)
