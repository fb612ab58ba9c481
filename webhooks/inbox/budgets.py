"""Budgets of calls to services, for all processes and machines that use this database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, select

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.schema import state

# The keys in the table `state` begin with this.
PREFIX = "budget "
# A call that had to wait is expected to be made within this time after the one that it was given.
GRACE = timedelta(seconds=2)


class Limit(Protocol):
    """A limit of a service, such as one message per second in a channel."""

    @property
    def key(self) -> str:
        """The name of what is counted."""

    def reserve(self, used_until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
        """Return when the next call may be made, and the time to store for the call after it."""


class Budgets:
    """For each limit, the time until which it is used, and how urgent the calls are that wait for it.

    See notifiers/limits.py for the arithmetic.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, limits: Iterable[Limit], *, rank: int = 0, spare: bool = False) -> datetime | None:
        """Count a call against all limits and return None, or count nothing and return when to ask again.

        A call that has to wait goes before those with a higher `rank`, whichever process makes them. `spare`: a call
        that may wait is made only if none of the limits is in use.
        """
        ordered = sorted(limits, key=lambda limit: limit.key)

        def take(connection: Connection) -> datetime | None:
            wall = self._store.to_wall(self._store.now(connection))
            now = from_timestamp(wall)
            keys = [PREFIX + limit.key for limit in ordered]
            self._store.serialize(connection, keys)
            rows = connection.execute(select(state.c.key, state.c.value).where(state.c.key.in_(keys)))
            known = {key: json.loads(value) for key, value in rows}
            used = {key: from_timestamp(value["until"]) for key, value in known.items()}
            waiting = {key: _waiting(known.get(key), wall) for key in keys}
            reserved, free_at = {}, now
            for limit, key in zip(ordered, keys, strict=True):
                start, reserved[key] = limit.reserve(used.get(key), now)
                free_at = max(free_at, start, (used.get(key) or now) if spare else now)
            turn = max([until for each in waiting.values() for other, until in each.items() if other < rank], default=0)
            again = max(free_at, from_timestamp(turn))
            is_refused = again > now
            for key in keys:
                if is_refused:
                    waiting[key][rank] = (again + GRACE).timestamp()
                until = used.get(key, now) if is_refused else reserved[key]
                new = {
                    "value": json.dumps({"until": until.timestamp(), "waiting": waiting[key]}),
                    "updated_at": wall,
                }
                row = self._store.upsert(state).values(key=key, **new)
                connection.execute(row.on_conflict_do_update(index_elements=["key"], set_=new))
            return again if is_refused else None

        return self._store.write(take) if ordered else None


def _waiting(known: dict[str, Any] | None, wall: float) -> dict[int, float]:
    """Return until when calls are expected that had to wait, by their ranks."""
    found = known["waiting"] if known else {}
    return {int(rank): until for rank, until in found.items() if until > wall}
