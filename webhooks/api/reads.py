"""The reads of the API; each returns JSON values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from webhooks.api.call import LARGEST_ID, Call, Refused, cursor_of, number_of, place_of
from webhooks.api.parameters import AuditQuery, EventsQuery, IncidentsQuery, PageQuery, Parameters, RunsQuery
from webhooks.incidents import IncidentFilter
from webhooks.incidents.incident_filter import OPEN_STATES
from webhooks.views import silence_wording
from webhooks.views.formats import iso
from webhooks.views.incident_objects import incident_object
from webhooks.views.incident_story import read_story, story_object
from webhooks.views.json_objects import event_object, hide_in, run_object
from webhooks.views.outages import unavailable_services
from webhooks.views.server_health import read_webhook_health
from webhooks.views.status import read_status, status_object

if TYPE_CHECKING:
    from webhooks.inbox import EventRecord, IncidentRecord
    from webhooks.incidents import Silence

T = TypeVar("T")
# Open incidents in the status.
MAX_OPEN = 200


def status(call: Call, query: Parameters) -> dict[str, Any]:  # noqa: ARG001 - all operations have these arguments
    """Return what is broken now, since when, and who was notified."""
    webhooks = read_webhook_health(call.services, call.now)
    zone = call.services.settings.zone
    found = read_status(
        call.inbox,
        now=call.now,
        zone=zone,
        webhooks=webhooks,
        # Messages of all sites and projects wait for them.
        unavailable=unavailable_services(call.services) if call.sees_everything else None,
        dead_letters=call.whole.dead_letters.total() if call.sees_everything else None,
        site_name=call.site_name,
        limit=MAX_OPEN,
    )
    return status_object(found, call.redact)


def incidents(call: Call, query: IncidentsQuery) -> dict[str, Any]:
    """Return incidents, the newest number first."""
    found = call.inbox.incidents.page(
        IncidentFilter(
            states=query.state,
            kinds=query.kind,
            resources=query.resource,
            projects=query.project,
            owners=query.owner,
            since=query.since,
        ),
        before=number_of(query.cursor),
        limit=query.limit + 1,
    )
    silences = call.silences_of(found)
    return _page(
        found,
        query,
        lambda record: record.id,
        lambda record: incident_object(record, call.redact, silences.get(record.id)),
    )


def get_incident(call: Call, number: int) -> IncidentRecord:
    """Return an incident. Raises UnknownIncident."""
    return call.inbox.incidents.get(number)


def incident(call: Call, query: Parameters, number: int) -> dict[str, Any]:  # noqa: ARG001 - as above
    """Return an incident with its timeline, and why destinations were not notified."""
    record = get_incident(call, number)
    site = call.site_name(record.incident.site_luid)
    story = read_story(call.inbox, record, site=site, now=call.now, when=call.when, address=call.address)
    return story_object(story, call.redact)


def events(call: Call, query: EventsQuery) -> dict[str, Any]:
    """Return events, the newest first."""
    found = call.inbox.events.list(
        event_types=query.type,
        resources=query.resource,
        states=query.state,
        since=query.since,
        before=number_of(query.cursor),
        limit=query.limit + 1,
    )
    return _page(found, query, lambda record: record.event.id or 0, lambda record: event_object(record, call.redact))


def get_event(call: Call, number: int) -> EventRecord:
    """Return an event. Raises Refused if there is none with this number."""
    record = call.inbox.events.get(number) if number <= LARGEST_ID else None
    if record is None:
        raise Refused(404, f"There is no event {number}.")
    return record


def event(call: Call, query: Parameters, number: int) -> dict[str, Any]:  # noqa: ARG001 - as above
    """Return an event with its payload, jobs and attempts."""
    return event_object(get_event(call, number), call.redact)


def runs(call: Call, query: RunsQuery) -> dict[str, Any]:
    """Return runs of one resource or of all, the newest first."""
    before = place_of(query.cursor)
    found, following = call.inbox.runs.page(
        resource_luid=query.resource_luid, since=query.since, before=before, limit=query.limit
    )
    items = [run_object(run, call.redact) for run in found]
    return {"items": items, "next": cursor_of(following[1], following[0]) if following else None}


def silences(call: Call, query: PageQuery) -> dict[str, Any]:
    """Return the silences that have not ended, the newest first."""
    found = call.inbox.silences.list(call.now, before=number_of(query.cursor), limit=query.limit + 1)
    records = call.inbox.incidents.list(IncidentFilter(states=OPEN_STATES), limit=MAX_OPEN)
    return _page(found, query, lambda one: int(one.id), lambda one: silence_object(call, one, records))


def silence_object(call: Call, silence: Silence, records: Sequence[IncidentRecord] | None = None) -> dict[str, Any]:
    """Return a silence with those of the open incidents that it matches; they are read if they are not given."""
    if records is None:
        records = call.inbox.incidents.list(IncidentFilter(states=OPEN_STATES), limit=MAX_OPEN)
    matched = silence_wording.matching(silence, records, call.site_name)
    found: dict[str, Any] = hide_in(silence_wording.silence_object(silence, matched, call.now), call.redact)
    return found


def rule_versions(call: Call, query: Parameters) -> dict[str, Any]:  # noqa: ARG001 - as above
    """Return the versions of the rules, the one in force first."""
    items = [
        {"id": one.id, "digest": one.digest, "source": one.source, "activated_at": iso(one.activated_at)}
        for one in call.whole.rule_versions.list()
    ]
    return {"items": hide_in(items, call.redact), "next": None}


def audit(call: Call, query: AuditQuery) -> dict[str, Any]:
    """Return the audit log, the newest row first."""
    found = call.whole.audit.list(before=number_of(query.cursor), subject=query.subject, limit=query.limit + 1)

    def entry(row: Any) -> dict[str, Any]:
        return {
            "id": row.id,
            "at": iso(row.at),
            "by": row.by,
            "origin": row.origin,
            "act": row.act,
            "subject": row.subject,
            "details": row.details,
            "digest": row.digest,
        }

    return _page(found, query, lambda row: row.id, entry)


def _page(
    found: Sequence[T], query: PageQuery, number: Callable[[T], int], show: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """Return a page of what was found, which has one item more if there is a next page."""
    items = found[: query.limit]
    following = cursor_of(number(items[-1])) if len(found) > len(items) else None
    return {"items": [show(item) for item in items], "next": following}
