"""Update incidents of which a message becomes due, or a state ends, by time alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, or_, select, update

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.incidents.updates import lock_incidents, refresh_incidents

ANY_DUE = (
    select(incidents.c.id).where(incidents.c.due_at.is_not(None), incidents.c.due_at <= bindparam("wall")).limit(1)
)


def any_due(store: Store, connection: Connection) -> bool:
    """Return whether an incident is due."""
    return connection.execute(ANY_DUE, {"wall": store.to_wall(store.now(connection))}).first() is not None


def update_due(store: Store, connection: Connection, *, limit: int) -> int:
    """Compute incidents that are due, add jobs for their notices, and return how many there are."""
    now = store.now(connection)
    wall = store.to_wall(now)
    due = (incidents.c.due_at.is_not(None), incidents.c.due_at <= wall)
    ids = connection.execute(select(incidents.c.id).where(*due).limit(limit)).scalars().all()
    lock_incidents(store, connection, ids)
    # Those that another process has not woken meanwhile.
    still_due = select(incidents).where(incidents.c.id.in_(ids), *due).with_for_update(skip_locked=True)
    rows = connection.execute(still_due).mappings().all()
    for row in rows:
        resource = (row["site_luid"], row["resource_luid"])
        connection.execute(update(incidents).where(incidents.c.id == row["id"]).values(due_at=None))
        refresh_incidents(
            connection,
            {resource: from_timestamp(row["opened_at"])},
            {resource: row["event_id"]},
            now=now,
            wall=wall,
            kind=row["kind"],
            cause=f"due {row['due_at']:.0f}",
            always=True,
        )
    return len(rows)


def set_due(connection: Connection, incident_id: int, due_at: datetime) -> None:
    """Store when an incident becomes due by time alone; of several times the earliest one counts."""
    wall = due_at.timestamp()
    earlier = or_(incidents.c.due_at.is_(None), incidents.c.due_at > wall)
    connection.execute(update(incidents).where(incidents.c.id == incident_id, earlier).values(due_at=wall))
