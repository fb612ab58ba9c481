"""The page behind a signed link in a message: it asks for confirmation, and its form acts."""

from __future__ import annotations

from werkzeug.exceptions import BadRequest, NotFound

from notifiers import parse_destination
from webhooks.dashboard.pages import group_link
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.inbox import IncidentRecord
from webhooks.messages.act_links import ActLink, parse
from webhooks.views import incident_wording as wording

MAX_NAME = 80
INVALID = "This link is not valid any more. Open the newest message about the incident, or sign in."


def show(visit: Visit, signed: str) -> Page:
    """Show what the link does. Nothing is changed, because programs that scan mail open every link."""
    link = _parse(visit, signed)
    if link.is_for_group:
        return group_link.show(visit, link, author_of(link.destination), INVALID)
    return _page(link, _find(visit, link))


def act(visit: Visit, signed: str) -> Page:
    """Act, unless that was done before, and show the outcome. Raises an HTTPException."""
    link = _parse(visit, signed)
    if link.is_for_group:
        return group_link.act(visit, link, author_of(link.destination), INVALID, lambda: _author(visit, link))
    record = _find(visit, link)
    if problem(link, record):
        return _page(link, record)
    by = _author(visit, link)
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


def _author(visit: Visit, link: ActLink) -> str:
    """Return who acts. Raises BadRequest if several people have the message, and none gives a name."""
    address = author_of(link.destination)
    name = visit.services.redact(visit.field("name", most=MAX_NAME))
    if not address and not name:
        raise BadRequest("Enter your name: others see it in the message.")
    return address or f"{name} ({visit.address(link.destination)})"


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


def author_of(destination: str) -> str:
    """Return the only person who has the message; empty if several people have it."""
    found = parse_destination(destination) if ":" in destination else None
    is_one = found is not None and found.kind == "email" and found.to is not None and "," not in found.to
    return str(found.to) if found and is_one else ""
