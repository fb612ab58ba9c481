"""Sign-in sessions shared by all processes; the values are opaque, encrypted bytes."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, delete, or_, select

from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.store import Store
from webhooks.inbox.server.tables import locks, sessions

log = logging.getLogger(__name__)

# The lock of a crashed process expires after this time; longer than any sign-in may take.
LOCK_SECONDS = 60.0
PAUSE_SECONDS = 0.03


class Sessions:
    """Sessions by key, with one lock for each key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, key: str) -> bytes | None:
        """Return the session stored under the key, or None."""
        value = self._store.scalar(select(sessions.c.value).where(sessions.c.key == key))
        return None if value is None else bytes(value)

    def save(self, key: str, value: bytes) -> None:
        """Store the session under the key, replacing the previous one."""
        row = self._store.upsert(sessions).values(key=key, value=value, saved_at=self._store.now_sql())
        new = {"value": row.excluded.value, "saved_at": row.excluded.saved_at}
        self._store.execute(row.on_conflict_do_update(index_elements=["key"], set_=new))

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Exclude all other threads and processes from this key. Raises TimeoutError after waiting too long."""
        owner = secrets.token_hex(8)
        deadline = time.monotonic() + LOCK_SECONDS + 5
        row = self._store.upsert(locks)
        new = {"owner": row.excluded.owner, "until": row.excluded.until}

        def acquire(connection: Connection) -> bool:
            now = self._store.now_sql()
            values = row.values(key=key, owner=owner, until=now + LOCK_SECONDS)
            # It is the owner already if the connection was lost during the commit, after which this is repeated.
            free = or_(locks.c.until <= now, locks.c.owner == owner)
            take = values.on_conflict_do_update(index_elements=["key"], set_=new, where=free)
            return connection.execute(take.returning(locks.c.owner)).scalar() == owner

        while not self._store.write(acquire):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the lock {key} was not released within {LOCK_SECONDS + 5:g} s")
            time.sleep(PAUSE_SECONDS)
        try:
            yield
        finally:
            try:
                self._store.execute(delete(locks).where(locks.c.key == key, locks.c.owner == owner))
            except StoreUnavailable as error:
                # The work under the lock is done; other processes wait until the lock expires.
                log.warning("Cannot release lock %s, it expires in %.0f s: %s", key, LOCK_SECONDS, error)
