"""Compute incidents from runs and acts in the transaction that stores new ones, with jobs for their messages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.finding_rows import findings_of
from webhooks.inbox.incident_records import act_of, incident_row
from webhooks.inbox.job_rows import insert_jobs, job_row
from webhooks.inbox.notices import notice_job
from webhooks.inbox.runs import ResourceKey, RunChange, record_runs, runs_since
from webhooks.inbox.schema import acts, events, incidents, notices
from webhooks.incidents import Incident, RunEvidence
from webhooks.incidents.incident import IncidentKind
from webhooks.incidents.run import TOLERANCE
from webhooks.incidents.state import FLAPPING, state
from webhooks.incidents.state import incidents as incidents_of_findings

FAILING: IncidentKind = "failing"
RELATED = select(incidents.c.site_luid, incidents.c.resource_luid, incidents.c.closed_at).where(
    incidents.c.resource_luid.in_(bindparam("luids", expanding=True)),
    incidents.c.kind == FAILING,
    or_(incidents.c.closed_at.is_(None), incidents.c.closed_at >= bindparam("since")),
)
# Characters of a cause in a job's key.
MAX_CAUSE = 100


def record_evidence(
    store: Store, connection: Connection, pieces: Sequence[RunEvidence], *, now: float, wall: float
) -> None:
    """Store what is known of runs and the incidents that this changes, with jobs for their notices.

    `now` and `wall` are the time by both clocks.
    """
    newest = {one.resource: one.event_id for one in sorted(pieces, key=lambda one: one.at)}
    store.serialize(connection, [resource_luid for _, resource_luid in newest])
    changed = _with_incidents(connection, record_runs(connection, pieces))
    jobs_of = ", ".join(sorted(one.job_luid for one in pieces if one.event_id is None and one.job_luid))
    cause = jobs_of if len(jobs_of) <= MAX_CAUSE else hashlib.sha256(jobs_of.encode()).hexdigest()
    refresh_incidents(connection, changed, newest, now=now, wall=wall, cause=cause)


def _with_incidents(connection: Connection, changes: Mapping[ResourceKey, RunChange]) -> dict[ResourceKey, datetime]:
    """Return the resources of which an incident may change, with the time of their earliest change.

    Most refreshes succeed after a success: they are left out after one query for all of them.
    """
    if not changes:
        return {}
    # A failure belongs to an incident that closed this long before.
    margin = (FLAPPING + TOLERANCE).total_seconds()
    since = min(change.since for change in changes.values()).timestamp() - margin
    luids = sorted({resource_luid for _, resource_luid in changes})
    related: dict[ResourceKey, float] = {}
    for row in connection.execute(RELATED, {"luids": luids, "since": since}).mappings():
        resource = (row["site_luid"], row["resource_luid"])
        closed_at = float("inf") if row["closed_at"] is None else row["closed_at"]
        related[resource] = max(closed_at, related.get(resource, closed_at))
    return {
        resource: change.since
        for resource, change in changes.items()
        if change.has_failures or related.get(resource, float("-inf")) >= change.since.timestamp() - margin
    }


def refresh_incidents(
    connection: Connection,
    changed: Mapping[ResourceKey, datetime],
    event_ids: Mapping[ResourceKey, int | None],
    *,
    now: float,
    wall: float,
    kind: IncidentKind = FAILING,
    cause: str = "",
    always: bool = False,
    urgent: bool = False,
) -> None:
    """Compute the incidents of one kind of changed resources and store them, with jobs for the notices of those.

    `changed` has the time of each resource's earliest change, `event_ids` the event whose jobs update the notices.
    `now` and `wall` are the time by both clocks. `cause` makes the jobs' keys unique within the event. `always`: also
    for incidents that did not change. `urgent`: a person waits for the change.
    """
    at = from_timestamp(wall)
    job_rows = []
    for resource, since in changed.items():
        oldest_open = connection.execute(
            select(incidents.c.opened_at).where(*own_incidents(resource, kind), incidents.c.closed_at.is_(None))
        ).scalar()
        if oldest_open is not None:
            since = min(since, from_timestamp(oldest_open))  # noqa: PLW2901 - the wider of the two
        computed = compute_incidents(connection, resource, since, at, kind)
        event_id = _existing(connection, event_ids.get(resource)) or _newest_event(connection, resource, kind)
        for incident_id in _store(connection, own_incidents(resource, kind), since, computed, event_id, always=always):
            job_rows += [
                job_row(event_id, notice_job(row["id"], row["destination"], row["rule"], cause, urgent=urgent))
                for row in connection.execute(
                    select(notices.c.id, notices.c.destination, notices.c.rule).where(
                        notices.c.incident_id == incident_id
                    )
                ).mappings()
                if event_id is not None
            ]
    insert_jobs(connection, [row | {"due_at": now, "created_at": wall} for row in job_rows])


def compute_incidents(
    connection: Connection, resource: ResourceKey, since: datetime, now: datetime, kind: IncidentKind = FAILING
) -> tuple[Incident, ...]:
    """Return the resource's incidents of this kind that were open at `since` or later."""
    own = select(incidents.c.id).where(*own_incidents(resource, kind))
    rows = connection.execute(select(acts).where(acts.c.incident_id.in_(own)).order_by(acts.c.id)).mappings()
    if kind != FAILING:
        return incidents_of_findings(kind, findings_of(connection, kind, resource), map(act_of, rows), now)
    return state(runs_since(connection, resource, since, FLAPPING), map(act_of, rows), now)


def _store(
    connection: Connection,
    own: tuple[Any, ...],
    since: datetime,
    computed: Sequence[Incident],
    event_id: int | None,
    *,
    always: bool,
) -> list[int]:
    """Store the computed incidents, and return the ids of those that changed; `own` selects those of the resource."""
    first = min([since, *(one.opened_at for one in computed)]).timestamp()
    affected = or_(incidents.c.closed_at.is_(None), incidents.c.closed_at >= first)
    query = select(incidents).where(*own, affected)
    stored = {row["key"]: row for row in connection.execute(query.order_by(incidents.c.id)).mappings()}
    changed = []
    # Closed ones first: only one may be open at any time.
    for one in sorted(computed, key=lambda one: one.is_open):
        rows = [stored.pop(key) for key in [*stored] if key in one.ids]
        values = incident_row(one)
        if not rows:
            values["event_id"] = event_id
            incident_id = connection.execute(insert(incidents).values(values)).inserted_primary_key[0]  # type: ignore[index]
            changed.append(incident_id)
            continue
        kept = rows[0]
        _join(connection, kept["id"], [row["id"] for row in rows[1:]])
        has_changed = always or len(rows) > 1 or any(kept[name] != value for name, value in values.items())
        if has_changed:
            changed.append(kept["id"])
        if event_id is not None and (has_changed or kept["event_id"] is None):
            values["event_id"] = event_id
        connection.execute(update(incidents).where(incidents.c.id == kept["id"]).values(values))
    if stored:
        # Later evidence has shown that it was no failure.
        connection.execute(delete(incidents).where(incidents.c.id.in_([row["id"] for row in stored.values()])))
    return changed


def _join(connection: Connection, kept: int, others: Sequence[int]) -> None:
    """Move what belongs to incidents that turned out to be one with `kept`, and delete them."""
    for other in others:
        connection.execute(update(acts).where(acts.c.incident_id == other).values(incident_id=kept))
        shown = select(notices.c.destination).where(notices.c.incident_id == kept)
        moved = update(notices).where(notices.c.incident_id == other, notices.c.destination.not_in(shown))
        connection.execute(moved.values(incident_id=kept))
        connection.execute(delete(notices).where(notices.c.incident_id == other))
        connection.execute(delete(incidents).where(incidents.c.id == other))


def _existing(connection: Connection, event_id: int | None) -> int | None:
    """Return the id of the event, or None if the retention has deleted it."""
    if event_id is None:
        return None
    return connection.execute(select(events.c.id).where(events.c.id == event_id)).scalar()


def _newest_event(connection: Connection, resource: ResourceKey, kind: IncidentKind) -> int | None:
    """Return the last event of a resource's incidents that still exists, for jobs that no new event causes."""
    query = (
        select(events.c.id).join(incidents, incidents.c.event_id == events.c.id).where(*own_incidents(resource, kind))
    )
    found: int | None = connection.execute(query.order_by(incidents.c.opened_at.desc()).limit(1)).scalar()
    return found


def own_incidents(resource: ResourceKey, kind: IncidentKind = FAILING) -> tuple[Any, ...]:
    """Return the conditions for the incidents of this kind of a resource."""
    site_luid, resource_luid = resource
    return (
        incidents.c.resource_luid == resource_luid,
        incidents.c.site_luid == site_luid,
        incidents.c.kind == kind,
    )
