"""What only one of many processes does at a time, and what it has to know from one start to the next."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, or_, select

from webhooks.inbox.databases.store import Store, upsert
from webhooks.inbox.schema import locks, notes


class Turns:
    """Leases on tasks, by name, and notes, by key."""

    store: Store

    def hold(self, task: str, owner: str, seconds: float) -> bool:
        """Whether `owner` has the task for the next so many seconds: takes it if it is free, and keeps it by asking
        again in time. A dead owner's lease ends by itself."""
        key, now = f"task {task}", self.store.now()
        free = or_(locks.c.until <= now, locks.c.owner == owner)
        taken = select(locks.c.key).where(locks.c.key == key, ~free)
        if self.store.read(lambda connection: connection.execute(taken).first()):
            return False  # the usual case costs no write

        def take(connection: Connection) -> bool:
            row = upsert(connection, locks).values(key=key, owner=owner, until=now + seconds)
            ours = {"owner": row.excluded.owner, "until": row.excluded.until}
            held = row.on_conflict_do_update(index_elements=["key"], set_=ours, where=free)
            return connection.execute(held.returning(locks.c.owner)).scalar() == owner

        return self.store.write(take)

    def let_go(self, task: str, owner: str) -> None:
        """Another process may have the task at once."""
        mine = delete(locks).where(locks.c.key == f"task {task}", locks.c.owner == owner)
        self.store.write(lambda connection: connection.execute(mine).rowcount)

    def noted(self, key: str) -> Any:
        """The JSON value noted under `key`; None where there is none."""
        found = select(notes.c.value).where(notes.c.key == key)
        value = self.store.read(lambda connection: connection.execute(found).scalar())
        return None if value is None else json.loads(value)

    def note(self, key: str, value: Any) -> None:
        """Keeps a JSON value under `key`, in place of the one before."""
        text = json.dumps(value)

        def keep(connection: Connection) -> None:
            row = upsert(connection, notes).values(key=key, value=text, noted_at=self.store.now())
            newer = {"value": row.excluded.value, "noted_at": row.excluded.noted_at}
            connection.execute(row.on_conflict_do_update(index_elements=["key"], set_=newer))

        self.store.write(keep)
