"""Delete incidents that closed long ago, in small batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection, delete, select

from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents.tables import acts, incidents
from webhooks.inbox.notices.tables import notices

# Incidents in one transaction, and seconds between two: acknowledgements wait for one.
BATCH = 200
PAUSE_SECONDS = 0.02


def delete_closed(store: Store, before: float, *, stopping: Callable[[], bool]) -> int:
    """Delete incidents that closed before that time (seconds since 1970), with their acts and notices.

    Works in small transactions, and returns how many incidents were deleted.
    """
    old = select(incidents.c.id).where(incidents.c.closed_at < before).limit(BATCH)

    def delete_batch(connection: Connection, ids: Sequence[int]) -> int:
        # It may have been opened again since it was read.
        still_old = connection.execute(old.where(incidents.c.id.in_(ids))).scalars().all()
        for table in (acts, notices):
            connection.execute(delete(table).where(table.c.incident_id.in_(still_old)))
        return connection.execute(delete(incidents).where(incidents.c.id.in_(still_old))).rowcount

    deleted = 0
    while not stopping() and (ids := [row["id"] for row in store.rows(old)]):
        deleted += store.write(partial(delete_batch, ids=ids))
        time.sleep(PAUSE_SECONDS)
    return deleted
