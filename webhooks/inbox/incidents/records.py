"""Incidents as they are read from rows and written to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.raw_sql import Row
from webhooks.inbox.incidents.tables import acts
from webhooks.inbox.notices.notices import NoticeRecord, notice_of
from webhooks.inbox.notices.tables import notices
from webhooks.inbox.records import optional_time
from webhooks.incidents import Act, Incident, ResourceDetails

# The columns of an incident that follow from its runs and acts.
INCIDENT_COLUMNS = (
    "key",
    "kind",
    "state",
    "site_luid",
    "resource_luid",
    "resource_kind",
    "resource_name",
    "opened_at",
    "closed_at",
    "failures",
    "in_a_row",
    "last_failure_at",
    "reason",
    "reason_class",
    "flapping",
    "quiet_until",
    "quiet_by",
)


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """A stored incident with its number, its acts and its notices; `incident` has no runs if it comes from a list."""

    id: int
    incident: Incident
    details: ResourceDetails
    event_id: int | None
    due_at: datetime | None
    notices: tuple[NoticeRecord, ...] = ()


def incident_records(
    connection: Connection, rows: Sequence[RowMapping], *, complete: bool = True
) -> list[IncidentRecord]:
    """Return the incidents of rows without their runs; with their acts and notices if `complete`."""
    ids = [row["id"] for row in rows] if complete else []
    their_acts: dict[int, list[Act]] = {}
    for act in connection.execute(select(acts).where(acts.c.incident_id.in_(ids)).order_by(acts.c.id)).mappings():
        their_acts.setdefault(act["incident_id"], []).append(act_of(act))
    their_notices: dict[int, list[NoticeRecord]] = {}
    query = select(notices).where(notices.c.incident_id.in_(ids)).order_by(notices.c.id)
    for notice in connection.execute(query).mappings():
        their_notices.setdefault(notice["incident_id"], []).append(notice_of(notice))
    return [
        IncidentRecord(
            id=row["id"],
            incident=incident_of(row, their_acts.get(row["id"], ())),
            details=_details(row),
            event_id=row["event_id"],
            due_at=optional_time(row["due_at"]),
            notices=tuple(their_notices.get(row["id"], ())),
        )
        for row in rows
    ]


def incident_of(row: RowMapping, their_acts: Sequence[Act] = ()) -> Incident:
    """Return the incident of a row, without its runs."""
    return Incident(
        id=row["key"],
        ids=frozenset({row["key"]}),
        kind=row["kind"],
        state=row["state"],
        site_luid=row["site_luid"],
        resource_luid=row["resource_luid"],
        resource_kind=row["resource_kind"],
        resource_name=row["resource_name"],
        opened_at=from_timestamp(row["opened_at"]),
        closed_at=optional_time(row["closed_at"]),
        recorded_at=from_timestamp(row["opened_at"]),
        failures=row["failures"],
        in_a_row=row["in_a_row"],
        last_failure_at=optional_time(row["last_failure_at"]),
        reason=row["reason"],
        reason_class=row["reason_class"],
        flapping=bool(row["flapping"]),
        quiet_until=optional_time(row["quiet_until"]),
        quiet_by=row["quiet_by"],
        acts=tuple(their_acts),
    )


def _details(row: RowMapping) -> ResourceDetails:
    return ResourceDetails(
        project=row["project"],
        owner=row["owner"],
        link=row["link"],
        problem=row["problem"],
        strikes=row["strikes"],
        next_run_at=optional_time(row["next_run_at"]),
        downstream=row["downstream"],
        tags=optional_texts(row["tags"]),
        upstream=optional_texts(row["upstream"]),
    )


def optional_texts(stored: str | None) -> tuple[str, ...] | None:
    """Return a stored list of texts; None if there is none."""
    return None if stored is None else tuple(json.loads(stored))


def details_row(details: ResourceDetails) -> dict[str, Any]:
    """Return the columns of what Tableau says of the resource."""
    return {
        **asdict(details),
        "next_run_at": details.next_run_at and details.next_run_at.timestamp(),
        "tags": None if details.tags is None else json.dumps(details.tags),
        "upstream": None if details.upstream is None else json.dumps(details.upstream),
    }


def incident_row(incident: Incident) -> dict[str, Any]:
    """Return the columns of an incident that follow from its runs and acts."""
    return {
        "key": incident.id,
        "kind": incident.kind,
        "state": incident.state,
        "site_luid": incident.site_luid,
        "resource_luid": incident.resource_luid,
        "resource_kind": incident.resource_kind,
        "resource_name": incident.resource_name,
        "opened_at": incident.opened_at.timestamp(),
        "closed_at": incident.closed_at and incident.closed_at.timestamp(),
        "failures": incident.failures,
        "in_a_row": incident.in_a_row,
        "last_failure_at": incident.last_failure_at and incident.last_failure_at.timestamp(),
        "reason": incident.reason,
        "reason_class": incident.reason_class,
        "flapping": int(incident.flapping),
        "quiet_until": incident.quiet_until and incident.quiet_until.timestamp(),
        "quiet_by": incident.quiet_by,
    }


def act_of(row: RowMapping | Row) -> Act:
    """Return the act of a row."""
    return Act(
        id=str(row["id"]),
        kind=row["kind"],
        incident=row["incident_key"],
        at=from_timestamp(row["acted_at"]),
        by=row["author"],
        until=optional_time(row["until"]),
        text=row["text"],
        job_luid=row["job_luid"],
    )
