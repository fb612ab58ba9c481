"""Names of people who have pressed buttons in Slack, so that their next act has the full name at once."""

from __future__ import annotations

import json

from sqlalchemy import Connection, delete, select

from webhooks.inbox.databases.store import Store
from webhooks.inbox.server.tables import state

# The keys in the table `state` begin with this; Slack's id of the person follows.
PREFIX = "slack person "
# Names of people who have not pressed a button for this many seconds are deleted.
REMEMBERED = 90 * 86_400.0


def known_name(connection: Connection, user: str) -> str:
    """Return the name that the last press of this person led to; empty if there is none."""
    value = connection.execute(select(state.c.value).where(state.c.key == PREFIX + user)).scalar()
    return "" if value is None else str(json.loads(value))


def remember_name(store: Store, connection: Connection, user: str, name: str) -> None:
    """Store the name of a person, and delete those that are old."""
    wall = store.to_wall(store.now(connection))
    old = (state.c.key.like(f"{PREFIX}%"), state.c.updated_at < wall - REMEMBERED)
    connection.execute(delete(state).where(*old))
    row = store.upsert(state).values(key=PREFIX + user, value=json.dumps(name), updated_at=wall)
    new = {"value": row.excluded.value, "updated_at": row.excluded.updated_at}
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_=new))
