"""Where all processes share what they signed in to; the values are opaque (and encrypted) bytes."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, delete, select

from webhooks.errors import StoreUnavailable
from webhooks.inbox.databases.store import Store, upsert
from webhooks.inbox.schema import locks, sessions

log = logging.getLogger(__name__)

LOCK_SECONDS = 60.0
"""A lock of a dead process ends after this; longer than any sign-in may take."""
PAUSE_SECONDS = 0.03


class Sessions:
    """Keeps sessions by key, and one lock a key, for every process that uses this inbox."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, key: str) -> bytes | None:
        found = select(sessions.c.value).where(sessions.c.key == key)
        value = self._store.read(lambda connection: connection.execute(found).scalar())
        return None if value is None else bytes(value)

    def save(self, key: str, value: bytes) -> None:
        def keep(connection: Connection) -> None:
            row = upsert(connection, sessions).values(key=key, value=value, saved_at=self._store.now())
            newer = {"value": row.excluded.value, "saved_at": row.excluded.saved_at}
            connection.execute(row.on_conflict_do_update(index_elements=["key"], set_=newer))

        self._store.write(keep)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Excludes every other thread and process from this key. Raises TimeoutError after waiting too long."""
        owner = secrets.token_hex(8)
        deadline = time.monotonic() + LOCK_SECONDS + 5
        while not self._store.write(lambda connection: self._take(connection, key, owner)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the lock {key} stayed taken")
            time.sleep(PAUSE_SECONDS)
        try:
            yield
        finally:
            self._give_back(key, owner)

    def _give_back(self, key: str, owner: str) -> None:
        mine = delete(locks).where(locks.c.key == key, locks.c.owner == owner)
        try:
            self._store.write(lambda connection: connection.execute(mine).rowcount)
        except StoreUnavailable as error:
            # What was done under the lock is done; the others wait until it ends by itself.
            log.warning("The lock on %s could not be given back, it ends in %.0f s: %s", key, LOCK_SECONDS, error)

    def _take(self, connection: Connection, key: str, owner: str) -> bool:
        now = self._store.now()
        row = upsert(connection, locks).values(key=key, owner=owner, until=now + LOCK_SECONDS)
        ours = {"owner": row.excluded.owner, "until": row.excluded.until}
        free = row.on_conflict_do_update(index_elements=["key"], set_=ours, where=locks.c.until <= now)
        return connection.execute(free.returning(locks.c.owner)).scalar() == owner
