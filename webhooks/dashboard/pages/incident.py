"""One incident: what happened, in the order of time, and what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incident_acts import HOURS
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.views.incident_story import read_story

if TYPE_CHECKING:
    from notifiers import Message
    from webhooks.inbox import IncidentRecord, NoticeRecord


def show(visit: Visit, number: int) -> Page:
    """Show the incident with its timeline. Raises UnknownIncident."""
    record = visit.inbox.incidents.get(number)
    site = visit.site_name(record.incident.site_luid)
    story = read_story(visit.inbox, record, site=site, now=visit.now, when=visit.when, address=visit.address)
    notices = [(notice, _message(visit, record, notice)) for notice in record.notices if notice.posted_at]
    title = record.incident.resource_name or record.incident.resource_luid
    values = {
        "record": record,
        "story": story,
        "site": site,
        "title": title,
        "lengths": (*HOURS, "morning"),
        "notices": notices,
    }
    return Page("incident.html", {**frame(visit, "incidents"), **values})


def _message(visit: Visit, record: IncidentRecord, notice: NoticeRecord) -> Message:
    from webhooks.views.rule_preview import notice_message  # noqa: PLC0415 - it imports the clients of other services

    return notice_message(record, notice, visit.now, visit.zone)
