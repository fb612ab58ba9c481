"""Build the JSON objects of incidents: the field names that other programs rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webhooks.views.formats import iso
from webhooks.views.json_objects import Hide, hide_in
from webhooks.views.silence_wording import active_object

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord, NoticeRecord
    from webhooks.incidents import Act
    from webhooks.incidents.silences import ActiveSilence


def incident_object(record: IncidentRecord, hide: Hide, silence: ActiveSilence | None) -> dict[str, Any]:
    """Return the incident with its notices and acts, and the silence in force for it; `hide` masks secrets."""
    incident, details = record.incident, record.details
    found: dict[str, Any] = {
        "id": record.id,
        "kind": incident.kind,
        "state": incident.state,
        "site_luid": incident.site_luid,
        "resource_luid": incident.resource_luid,
        "resource_kind": incident.resource_kind,
        "resource_name": incident.resource_name,
        "project": details.project,
        "owner": details.owner,
        "link": details.link,
        "opened_at": iso(incident.opened_at),
        "closed_at": iso(incident.closed_at),
        "last_failure_at": iso(incident.last_failure_at),
        "failures": incident.failures,
        "in_a_row": incident.in_a_row,
        "flapping": incident.flapping,
        "strikes": details.strikes,
        "next_run_at": iso(details.next_run_at),
        "reason": incident.reason,
        "reason_class": incident.reason_class,
        "acknowledged_by": incident.quiet_by or None,
        "acknowledged_until": iso(incident.quiet_until),
        "silence": active_object(silence),
        "event": record.event_id,
        "notices": [notice_object(notice) for notice in record.notices],
        "acts": [act_object(act) for act in incident.acts],
    }
    masked: dict[str, Any] = hide_in(found, hide)
    return masked


def notice_object(notice: NoticeRecord) -> dict[str, Any]:
    """Return where the message about an incident is, and since when; nulls before it was sent."""
    message = (notice.posted or {}).get("message") or {}
    return {
        "id": notice.id,
        "destination": notice.destination,
        "rule": notice.rule,
        "posted_at": iso(notice.posted_at),
        "updated_at": iso(notice.updated_at) if notice.posted_at else None,
        "shared": notice.group_id is not None,
        "channel": message.get("channel"),
        "message": message.get("id"),
        "permalink": message.get("permalink") or None,
    }


def act_object(act: Act) -> dict[str, Any]:
    """Return something that a person or an agent did about an incident."""
    return {
        "id": int(act.id),
        "kind": act.kind,
        "at": iso(act.at),
        "by": act.by,
        "until": iso(act.until),
        "text": act.text,
        "job_luid": act.job_luid,
    }
