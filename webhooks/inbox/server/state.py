"""A small persistent key-value store for what the server has to know after a restart."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from webhooks.inbox.databases.store import Store
from webhooks.inbox.server.tables import state


class State:
    """JSON values by key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: str) -> Any:
        """Return the value of the key, or None if there is none."""
        value = self._store.scalar(select(state.c.value).where(state.c.key == key))
        return None if value is None else json.loads(value)

    def get_all(self, keys: Collection[str]) -> dict[str, Any]:
        """Return the values of those of the keys that have one, with one statement."""
        rows = self._store.rows(select(state.c.key, state.c.value).where(state.c.key.in_(keys)))
        return {row["key"]: json.loads(row["value"]) for row in rows}

    def set(self, key: str, value: Any) -> None:
        """Store a JSON value under the key, replacing the previous one; secrets in it are masked."""
        stored = json.dumps(self._store.redact.in_value(value))
        row = self._store.upsert(state).values(key=key, value=stored, updated_at=self._store.now_sql())
        new = {"value": row.excluded.value, "updated_at": row.excluded.updated_at}
        self._store.execute(row.on_conflict_do_update(index_elements=["key"], set_=new))
