"""Store acts on incidents and what they change, within the transaction of the caller."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, insert, select

from webhooks.clock import from_timestamp
from webhooks.inbox.access.audit import append
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import events
from webhooks.inbox.incidents.due import set_due
from webhooks.inbox.incidents.tables import acts, incidents
from webhooks.inbox.incidents.updates import lock_incidents, refresh_incidents
from webhooks.inbox.jobs.rows import insert_jobs, job_row
from webhooks.incidents import Act
from webhooks.job import REFRESH_INCIDENT, NewJob


def lock_acts(store: Store, connection: Connection, act_ids: Collection[int]) -> None:
    """Lock the content of the incidents of these acts; before their rows, so that none waits in a circle.

    Late evidence moves acts to another incident of the same content, with this lock.
    """
    theirs = select(acts.c.incident_id).where(acts.c.id.in_(act_ids))
    lock_incidents(store, connection, connection.execute(theirs).scalars().all())


def insert_act(
    store: Store, connection: Connection, incident_id: int, key: str, act: Act, *, origin: str | None
) -> int:
    """Store an act and its row of the audit log, and return its number.

    `key` is the incident's at that time, `origin` where it was done; None: it has a row already.
    """
    values = {
        "incident_id": incident_id,
        "incident_key": key,
        "kind": act.kind,
        "acted_at": act.at.timestamp(),
        "author": act.by,
        "until": act.until and act.until.timestamp(),
        "text": act.text,
        "job_luid": act.job_luid,
    }
    if act.until:
        # The end of an acknowledgement changes the incident, also if no message has to show it.
        set_due(connection, incident_id, act.until)
    until = f"until {act.until:%Y-%m-%d %H:%M} UTC" if act.until else ""
    details = "; ".join(filter(None, [until, act.text, act.job_luid and f"Tableau job {act.job_luid}"]))
    if origin is not None:
        subject = f"incident {incident_id}"
        append(store, connection, by=act.by, origin=origin, act=act.kind, subject=subject, details=details)
    return int(connection.execute(insert(acts).values(values)).inserted_primary_key[0])  # type: ignore[index]


def refresh_incident(store: Store, connection: Connection, incident_id: int, *, cause: str) -> None:
    """Compute an incident again because of an act, and add urgent jobs for its notices."""
    row = connection.execute(select(incidents).where(incidents.c.id == incident_id)).mappings().one()
    now = store.now(connection)
    resource = (row["site_luid"], row["resource_luid"])
    store.serialize(connection, [row["resource_luid"]])
    refresh_incidents(
        connection,
        {resource: from_timestamp(row["opened_at"])},
        {resource: row["event_id"]},
        now=now,
        wall=store.to_wall(now),
        kind=row["kind"],
        cause=cause,
        always=True,
        urgent=True,
    )


def insert_refresh(
    store: Store, connection: Connection, incident_id: int, event_id: int | None, *, by: str, origin: str
) -> None:
    """Add an urgent job that refreshes the content of an incident, and its row of the audit log.

    The job belongs to the event, or to the last one if it is None.
    """
    now = store.now(connection)
    wall = store.to_wall(now)
    event_id = event_id or connection.execute(select(func.max(events.c.id))).scalar()
    append(store, connection, by=by, origin=origin, act="refresh", subject=f"incident {incident_id}")
    params = {"incident": incident_id, "by": by, "origin": origin}
    job = NewJob(f"refresh {incident_id} {wall}", REFRESH_INCIDENT, params=params, max_attempts=5, urgent=True)
    insert_jobs(connection, [job_row(event_id, job) | {"due_at": now, "created_at": wall}])
