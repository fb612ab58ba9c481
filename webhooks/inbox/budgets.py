"""Budgets of calls to services, for all processes and machines that use this database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, select

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.schema import state

# The keys in the table `state` begin with this.
PREFIX = "budget "


class Limit(Protocol):
    """A limit of a service, such as one message per second in a channel."""

    @property
    def key(self) -> str:
        """The name of what is counted."""

    def reserve(self, used_until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
        """Return when the next call may be made, and the time to store for the call after it."""


class Budgets:
    """One stored time per limit; see notifiers/limits.py."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, limits: Iterable[Limit], *, spare: bool = False) -> datetime | None:
        """Count a call against all limits and return None, or count nothing and return when to ask again.

        `spare`: a call that may wait is made only if none of the limits is in use.
        """
        ordered = sorted(limits, key=lambda limit: limit.key)

        def take(connection: Connection) -> datetime | None:
            wall = self._store.to_wall(self._store.now(connection))
            now = from_timestamp(wall)
            self._store.serialize(connection, [PREFIX + limit.key for limit in ordered])
            keys = [PREFIX + limit.key for limit in ordered]
            rows = connection.execute(select(state.c.key, state.c.value).where(state.c.key.in_(keys)))
            used = {key: from_timestamp(json.loads(value)) for key, value in rows}
            saved, free_at = {}, now
            for limit in ordered:
                used_until = used.get(PREFIX + limit.key)
                start, saved[PREFIX + limit.key] = limit.reserve(used_until, now)
                free_at = max(free_at, start, (used_until or now) if spare else now)
            if free_at > now:
                return free_at
            for key, until in saved.items():
                new = {"value": json.dumps(until.timestamp()), "updated_at": wall}
                row = self._store.upsert(state).values(key=key, **new)
                connection.execute(row.on_conflict_do_update(index_elements=["key"], set_=new))
            return None

        return self._store.write(take) if ordered else None
