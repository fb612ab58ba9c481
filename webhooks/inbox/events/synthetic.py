"""Events that the server creates itself: reconciled events and the monitor's alerts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from webhooks.clock import parse_time
from webhooks.event import Event
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import events, synthetic_events
from webhooks.inbox.records import Receipt

# The times of a real event and of its synthetic twin may differ by this much.
TWIN_SECONDS = 120.0
# Values in one statement.
MAX_VALUES = 500


class SyntheticEvents:
    """Events with an origin other than Tableau."""

    def __init__(self, store: Store, news: threading.Event) -> None:
        self._store, self._news = store, news

    def add(self, event: Event, origin: str, happened_at: datetime) -> Receipt:
        """Store an event of our own. A stored event with the same core fields, whatever its origin, is not changed."""
        store = self._store
        receipt = store.write(lambda connection: insert_synthetic(store, connection, event, origin, happened_at))
        self._news.set()
        return receipt

    def stored(self, fingerprints: Sequence[bytes]) -> set[bytes]:
        """Return those of the fingerprints that belong to a stored event."""
        found: set[bytes] = set()
        for start in range(0, len(fingerprints), MAX_VALUES):
            query = select(events.c.fingerprint).where(
                events.c.fingerprint.in_(fingerprints[start : start + MAX_VALUES])
            )
            found |= {bytes(row["fingerprint"]) for row in self._store.rows(query)}
        return found

    def find_twin(self, event: Event) -> int | None:
        """Return the id of the synthetic event that was created in place of this one, or None."""
        table = synthetic_events.c
        same = (table.resource_luid == event.resource_luid, table.event_type == event.event_type)
        query = select(table.event_id, table.happened_at).where(*same, table.event_id != event.id)
        created_at = parse_time(event.created_at)
        for row in self._store.rows(query):
            near = created_at is not None and abs(created_at.timestamp() - row["happened_at"]) <= TWIN_SECONDS
            # The time of what happens to a LUID only once does not matter.
            if near or event.type.happens_once:
                return int(row["event_id"])
        return None


def insert_synthetic(store: Store, connection: Connection, event: Event, origin: str, happened_at: datetime) -> Receipt:
    """Store an event of our own within a transaction."""
    fields = {name: getattr(event, name) for name in ("event_type", "resource_luid", "resource_name", "site_luid")}
    row = store.upsert(events)
    new = row.on_conflict_do_nothing(index_elements=["fingerprint"]).returning(events.c.id)
    wall = store.to_wall(store.now(connection))
    values = {"fingerprint": event.fingerprint, "body": event.body, "received_at": wall, **fields}
    event_id = connection.execute(new, values).scalar()
    if event_id is None:
        stored = select(events.c.id).where(events.c.fingerprint == event.fingerprint)
        return Receipt(int(connection.execute(stored).scalar_one()), duplicate=True)
    about = {"event_type": event.event_type, "resource_luid": event.resource_luid}
    values = {"event_id": event_id, "origin": origin, "happened_at": happened_at.timestamp(), **about}
    connection.execute(insert(synthetic_events).values(values))
    return Receipt(event_id, duplicate=False)
