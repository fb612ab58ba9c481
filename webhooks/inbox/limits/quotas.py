"""Count what is limited per hour, for all processes and across restarts."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from webhooks.inbox.databases.store import Store
from webhooks.inbox.server.tables import state

PERIOD_SECONDS = 3600.0
# The keys in the table `state` begin with this.
PREFIX = "quota "


class Quotas:
    """Numbers by key. A period begins with the first one after the end of the last period."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, key: str, limit: int, amount: int = 1) -> bool:
        """Count `amount` more, and return True, unless that would exceed `limit` in this period."""
        return self._store.write(lambda connection: self._add(connection, key, amount, limit))

    def give_back(self, key: str, amount: int = 1) -> None:
        """Count `amount` less, for what was taken and not used."""
        self._store.write(lambda connection: self._add(connection, key, -amount))

    def _add(self, connection: Connection, key: str, change: int, limit: int = 0) -> bool:
        wall = self._store.to_wall(self._store.now(connection))
        value = connection.execute(select(state.c.value).where(state.c.key == PREFIX + key).with_for_update()).scalar()
        since, count = json.loads(value) if value else (wall, 0)
        # A beginning in the future comes from a clock that was wrong.
        if not since <= wall < since + PERIOD_SECONDS:
            since, count = wall, 0
        if change > 0 and count + change > limit:
            return False
        saved = {"value": json.dumps([since, max(0, count + change)]), "updated_at": wall}
        row = self._store.upsert(state).values(key=PREFIX + key, **saved)
        connection.execute(row.on_conflict_do_update(index_elements=["key"], set_=saved))
        return True
