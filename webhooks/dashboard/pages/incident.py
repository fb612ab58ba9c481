"""One incident: what happened, in the order of time, and what can be done."""

from __future__ import annotations

from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incident_acts import HOURS
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.views.incident_story import read_story


def show(visit: Visit, number: int) -> Page:
    """Show the incident with its timeline. Raises UnknownIncident."""
    from webhooks.views.rule_preview import notice_message  # noqa: PLC0415 - it imports the clients of other services

    record = visit.inbox.incidents.get(number)
    site = visit.site_name(record.incident.site_luid)
    story = read_story(visit.inbox, record, site=site, now=visit.now, when=visit.when, address=visit.address)
    posted = [notice for notice in record.notices if notice.posted_at]
    notices = [(notice, notice_message(record, notice, visit.now, visit.zone)) for notice in posted]
    title = record.incident.resource_name or record.incident.resource_luid
    values = {
        "record": record,
        "story": story,
        "site": site,
        "title": title,
        "lengths": (*HOURS, "morning"),
        "notices": notices,
        "may_end_silence": story.silence is not None and visit.inbox.scope.includes(story.silence.silence),
    }
    return Page("incident.html", {**frame(visit, "incidents"), **values})
