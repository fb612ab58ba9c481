"""Named locks that expire, so that only one of many processes does a task."""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, select

from webhooks.inbox.databases.store import Store
from webhooks.inbox.server.tables import locks


class Locks:
    """Leases on tasks, by name."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def acquire(self, task: str, owner: str, seconds: float) -> bool:
        """Return whether `owner` holds the lock for the next `seconds`; acquire it if it is free, extend it if held.

        The lock of a crashed owner expires by itself.
        """
        key, now = f"task {task}", self._store.now_sql()
        free = or_(locks.c.until <= now, locks.c.owner == owner)
        # The usual case, a lock held by another process, costs no write.
        if self._store.scalar(select(locks.c.key).where(locks.c.key == key, ~free)) is not None:
            return False
        row = self._store.upsert(locks).values(key=key, owner=owner, until=now + seconds)
        new = {"owner": row.excluded.owner, "until": row.excluded.until}
        take = row.on_conflict_do_update(index_elements=["key"], set_=new, where=free).returning(locks.c.owner)

        def acquire(connection: Connection) -> bool:
            return connection.execute(take).scalar() == owner

        return self._store.write(acquire)

    def release(self, task: str, owner: str) -> None:
        """Release the lock if `owner` holds it."""
        self._store.execute(delete(locks).where(locks.c.key == f"task {task}", locks.c.owner == owner))
