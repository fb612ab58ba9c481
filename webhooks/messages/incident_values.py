"""The values that a rule's own `title` and `text` know of an incident. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from notifiers import Timestamp
from webhooks.event_types import event_type
from webhooks.incidents import Incident
from webhooks.incidents.wording import duration
from webhooks.messages.incident_message import IncidentDetails, incident_values
from webhooks.messages.templates import FIELDS


def template_values(
    incident: Incident, details: IncidentDetails, now: datetime, *, tags: Sequence[str] = (), zone: tzinfo = UTC
) -> dict[str, Any]:
    """Return the values of PLACEHOLDERS and of FIELDS; times are texts in `zone`."""
    plain = incident_values(incident, details, zone)
    failed = next((run for run in reversed(incident.runs) if run.outcome == "failed"), None)
    meaning = event_type(plain["event_type"])
    event = {"type": meaning.name, "headline": meaning.headline, "created_at": plain["created_at"]}
    resource = {name: plain[name] for name in ("name", "project", "owner", "link")}
    resource |= {"luid": incident.resource_luid, "site_luid": incident.site_luid}
    return {
        **plain,
        "event": {**FIELDS["event"], **event, "advice": details.advice},
        "resource": {**resource, "kind": incident.resource_kind, "tags": tuple(tags)},
        "incident": {
            "number": details.number,
            "kind": incident.kind,
            "state": incident.state,
            "failures": incident.failures,
            "in_a_row": incident.in_a_row,
            "opened_at": _at(incident.opened_at, zone),
            "closed_at": _at(incident.closed_at, zone),
            "duration": duration(incident.duration(incident.closed_at or now)),
            "quiet_by": incident.quiet_by,
            "strikes": details.strikes or 0,
            "next_run_at": _at(details.next_run_at, zone),
            "downstream": details.downstream or 0,
        },
        "run": {
            "started_at": _at(failed.started_at if failed else None, zone),
            "ended_at": _at(failed.ended_at if failed else None, zone),
            "outcome": "failed" if failed else "",
            "reason": plain["reason"],
            "reason_class": incident.reason_class or "unknown",
            "job_luid": (failed and failed.job_luid) or "",
        },
    }


def _at(moment: datetime | None, zone: tzinfo) -> str:
    return str(Timestamp(moment, zone)) if moment else ""
