"""The page behind a signed link in a message: it asks for confirmation, and its form acts."""

from __future__ import annotations

from werkzeug.exceptions import NotFound

from webhooks.dashboard.link_author import INVALID, author, author_of
from webhooks.dashboard.pages import group_link
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.inbox import IncidentRecord
from webhooks.messages.act_links import ActLink, parse
from webhooks.views import incident_wording as wording


def show(visit: Visit, signed: str) -> Page:
    """Show what the link does. Nothing is changed, because programs that scan mail open every link."""
    link = _parse(visit, signed)
    if link.is_for_group:
        return group_link.show(visit, link)
    return _page(link, _find(visit, link))


def act(visit: Visit, signed: str) -> Page:
    """Act, unless that was done before, and show the outcome. Raises an HTTPException."""
    link = _parse(visit, signed)
    if link.is_for_group:
        return group_link.act(visit, link)
    record = _find(visit, link)
    if problem(link, record):
        return _page(link, record)
    by = author(visit, link)
    visit.services.inbox.incidents.act(link.number, link.act(by, visit.now), origin=f"link {link.destination}")
    return _page(link, visit.services.inbox.incidents.get(link.number), done=True)


def _parse(visit: Visit, signed: str) -> ActLink:
    link = parse(signed, visit.services.settings.link_key, visit.now)
    if link is None:
        raise NotFound(INVALID)
    return link


def _find(visit: Visit, link: ActLink) -> IncidentRecord:
    record = visit.services.inbox.incidents.get(link.number)
    if link.subject not in record.incident.ids:
        raise NotFound(INVALID)
    return record


def _page(link: ActLink, record: IncidentRecord, *, done: bool = False) -> Page:
    values = {
        "link": link,
        "name": wording.name(record.incident),
        "project": record.details.project,
        "reason": record.incident.reason,
        "problem": "" if done else problem(link, record),
        "author": author_of(link.destination),
        "done": done,
    }
    return Page("act_link.html", values)


def problem(link: ActLink, record: IncidentRecord) -> str:
    """Return why there is nothing to do any more; empty if there is."""
    incident = record.incident
    if incident.closed_at:
        return "It is closed: nothing is left to do."
    if incident.state == "acknowledged":
        return f"It is acknowledged already, by {incident.quiet_by}."
    if incident.state == "snoozed" and link.action == "snooze":
        return f"It is snoozed already, by {incident.quiet_by}."
    return ""
