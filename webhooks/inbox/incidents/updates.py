"""Compute incidents from runs and acts in the transaction that stores new ones, with jobs for their messages."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.raw_sql import Row, rows
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import events
from webhooks.inbox.incidents.changes import IncidentChanges
from webhooks.inbox.incidents.finding_rows import findings_of
from webhooks.inbox.incidents.records import act_of
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.jobs.rows import insert_jobs, job_row
from webhooks.inbox.notices.notices import notice_job
from webhooks.inbox.runs.rows import ResourceKey
from webhooks.inbox.runs.runs import FIRST_PAGE, RunChange, record_runs, runs_from, runs_since
from webhooks.inbox.runs.sql import newest_of_many
from webhooks.incidents import Act, Incident, RunEvidence
from webhooks.incidents.incident import IncidentKind
from webhooks.incidents.run import TOLERANCE
from webhooks.incidents.state import FLAPPING, state
from webhooks.incidents.state import incidents as incidents_of_findings
from webhooks.incidents.watched import WATCHED, began, watched_incidents

FAILING: IncidentKind = "failing"
# The incidents of a kind of several resources.
OF_RESOURCES = "incidents.resource_luid IN (?*) AND incidents.kind = ?"
OPEN_SINCE = f"SELECT site_luid, resource_luid, opened_at FROM incidents WHERE {OF_RESOURCES} AND closed_at IS NULL"  # noqa: S608 - no values
ACTS = (
    "SELECT acts.*, incidents.site_luid, incidents.resource_luid FROM acts "  # noqa: S608 - no values
    f"JOIN incidents ON incidents.id = acts.incident_id WHERE {OF_RESOURCES} ORDER BY acts.id"
)
AFFECTED = (
    f"SELECT * FROM incidents WHERE {OF_RESOURCES} "  # noqa: S608 - no values
    "AND (closed_at IS NULL OR closed_at >= ? OR key IN (?*)) ORDER BY id"
)
EXISTING = "SELECT id FROM events WHERE id IN (?*)"
NOTICES = "SELECT id, incident_id, destination, rule FROM notices WHERE incident_id IN (?*) ORDER BY id"
# The kinds of incidents that runs open or close.
OF_RUNS = [FAILING, *WATCHED]
RELATED = (
    "SELECT kind, site_luid, resource_luid, closed_at FROM incidents "
    "WHERE resource_luid IN (?*) AND kind IN (?*) AND (closed_at IS NULL OR closed_at >= ?)"
)
# Characters of a cause in a job's key.
MAX_CAUSE = 100


def lock_incidents(store: Store, connection: Connection, incident_ids: Collection[int]) -> None:
    """Let other transactions wait that change the content of these incidents, until the end of this one.

    Before an act, so that what it depends on stays as it is read; all at once and before the row of the audit log,
    so that no two transactions wait for each other.
    """
    contents = select(incidents.c.resource_luid).where(incidents.c.id.in_(incident_ids))
    store.serialize(connection, connection.execute(contents).scalars().all())


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
    for kind, resources in changed.items():
        refresh_incidents(connection, resources, newest, now=now, wall=wall, kind=kind, cause=cause)


def _with_incidents(
    connection: Connection, changes: Mapping[ResourceKey, RunChange]
) -> dict[IncidentKind, dict[ResourceKey, datetime]]:
    """Return the resources of which an incident may change, by its kind, with the time of their earliest change.

    Most refreshes succeed after a success: they are left out after one query for all of them.
    """
    if not changes:
        return {}
    # A failure belongs to an incident that closed this long before.
    margin = (FLAPPING + TOLERANCE).total_seconds()
    since = min(change.since for change in changes.values()).timestamp() - margin
    luids = sorted({resource_luid for _, resource_luid in changes})
    failed = {resource: change.since for resource, change in changes.items() if change.has_failures}
    found: dict[IncidentKind, dict[ResourceKey, datetime]] = {FAILING: failed} if failed else {}
    for row in rows(connection, RELATED, luids, OF_RUNS, since):
        resource = (row["site_luid"], row["resource_luid"])
        closed_at = float("inf") if row["closed_at"] is None else row["closed_at"]
        if resource in changes and closed_at >= changes[resource].since.timestamp() - margin:
            found.setdefault(row["kind"], {})[resource] = changes[resource].since
    return found


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
    if not changed:
        return
    earliest = dict(changed)
    for row in rows(connection, OPEN_SINCE, *_selecting(kind, changed)):
        resource = (row["site_luid"], row["resource_luid"])
        if resource in earliest:
            # The wider of the two.
            earliest[resource] = min(earliest[resource], from_timestamp(row["opened_at"]))
    computed = compute_incidents(connection, earliest, from_timestamp(wall), kind)
    known_events = _existing_events(connection, event_ids, changed, kind)
    changes = IncidentChanges(always=always)
    stored = _affected(connection, earliest, computed, kind)
    for resource, found in computed.items():
        changes.compare(stored[resource], found, known_events[resource])
    changes.write(connection)
    _insert_notice_jobs(connection, changes, cause, {"due_at": now, "created_at": wall}, urgent=urgent)


def _insert_notice_jobs(
    connection: Connection, changes: IncidentChanges, cause: str, times: Mapping[str, float], *, urgent: bool
) -> None:
    """Add a job for each notice of the incidents that have changed, and those that replace notices."""
    events_of = {one: event_id for one, event_id in changes.changed.items() if event_id is not None}
    if not events_of:
        return
    jobs = [
        (row["incident_id"], notice_job(row["id"], row["destination"], row["rule"], cause, urgent=urgent))
        for row in rows(connection, NOTICES, list(events_of))
    ]
    jobs += [(incident_id, job) for incident_id, job in changes.superseded if incident_id in events_of]
    insert_jobs(connection, [{**job_row(events_of[incident_id], job), **times} for incident_id, job in jobs])


def compute_incidents(
    connection: Connection, since: Mapping[ResourceKey, datetime], now: datetime, kind: IncidentKind = FAILING
) -> dict[ResourceKey, tuple[Incident, ...]]:
    """Return the incidents of this kind of each resource that were open at the time given for it, or later."""
    their_acts: dict[ResourceKey, list[Act]] = {resource: [] for resource in since}
    for row in rows(connection, ACTS, *_selecting(kind, since)):
        their_acts.setdefault((row["site_luid"], row["resource_luid"]), []).append(act_of(row))
    newest = newest_of_many(connection, since, FIRST_PAGE) if kind == FAILING else {}
    found = {}
    for resource, earliest in since.items():
        if kind == FAILING:
            runs = runs_since(connection, resource, earliest, FLAPPING, newest[resource])
            found[resource] = state(runs, their_acts[resource], now)
            continue
        findings = findings_of(connection, kind, resource)
        if kind in WATCHED:
            first = min((began(finding) for finding in findings), default=now) - TOLERANCE
            runs = runs_from(connection, resource, first)
            found[resource] = watched_incidents(kind, findings, runs, their_acts[resource], now)
        else:
            found[resource] = incidents_of_findings(kind, findings, their_acts[resource], now)
    return found


def _selecting(kind: IncidentKind, resources: Iterable[ResourceKey]) -> tuple[list[str], IncidentKind]:
    """Return the values that select the incidents of this kind of all these resources."""
    return sorted({resource_luid for _, resource_luid in resources}), kind


def _affected(
    connection: Connection,
    earliest: Mapping[ResourceKey, datetime],
    computed: Mapping[ResourceKey, Sequence[Incident]],
    kind: IncidentKind,
) -> dict[ResourceKey, list[Row]]:
    """Return the rows of the stored incidents that the computed ones replace."""
    first = {
        resource: min([since, *(one.opened_at for one in computed[resource])]).timestamp()
        for resource, since in earliest.items()
    }
    # An incident may have begun earlier than its row says, or later.
    keys = {one.id for incidents_of in computed.values() for one in incidents_of}
    found: dict[ResourceKey, list[Row]] = {resource: [] for resource in earliest}
    for row in rows(connection, AFFECTED, *_selecting(kind, earliest), min(first.values()), sorted(keys)):
        resource = (row["site_luid"], row["resource_luid"])
        if resource in found and (
            row["closed_at"] is None or row["closed_at"] >= first[resource] or row["key"] in keys
        ):
            found[resource].append(row)
    return found


def _existing_events(
    connection: Connection,
    event_ids: Mapping[ResourceKey, int | None],
    resources: Collection[ResourceKey],
    kind: IncidentKind,
) -> dict[ResourceKey, int | None]:
    """Return the event of each resource whose jobs update the notices: the given one, or the last one that exists."""
    wanted = sorted({event_id for resource in resources if (event_id := event_ids.get(resource)) is not None})
    existing = {row["id"] for row in rows(connection, EXISTING, wanted)} if wanted else set()
    found = {}
    for resource in resources:
        event_id = event_ids.get(resource)
        found[resource] = event_id if event_id in existing else _newest_event(connection, resource, kind)
    return found


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
