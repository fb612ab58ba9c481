"""Budgets of calls to services, for all processes and machines that use this database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from webhooks.clock import from_timestamp
from webhooks.inbox.databases import raw_sql
from webhooks.inbox.databases.store import Store
from webhooks.inbox.limits.limit_sql import EARLY, LOST, Rate
from webhooks.inbox.limits.slots import (
    DELETE,
    LATE,
    MAX_AGE,
    OWN,
    Call,
    Limit,
    Usage,
    find_slot,
    take_slot,
)
from webhooks.job import Job

# The keys in the table `state` begin with this.
PREFIX = "limit "

STORED = "SELECT key, value FROM state WHERE key IN (?*)"
SAVE = (
    "INSERT INTO state (key, value, updated_at) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"
)


class Budgets:
    """For each limit, the time until which it is used, and the calls that wait for it.

    See notifiers/limits.py for the arithmetic, and docs/decisions/033-slots.md for who goes first.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, limits: Iterable[Limit]) -> datetime | None:
        """Count a call against all limits and return None, or count nothing and return when it could be made."""
        wall, seconds = self._ask(limits)
        return None if seconds is None else from_timestamp(wall + seconds)

    def reserve(self, limits: Iterable[Limit], job: Job, *, rank: int = 0, spare: bool = False) -> timedelta | None:
        """Count a call of a job against all limits and return None, or count nothing and return how long to wait.

        A job that has to wait has a slot from then on, and finds the limits free if it asks again at that time. Slots
        are given in the order of `rank`, then of asking, whichever process asks. `spare`: the call is made only if
        none of the limits is in use, and has to wait longer otherwise.
        """
        _, seconds = self._ask(limits, job, rank, spare=spare)
        return None if seconds is None else timedelta(seconds=seconds)

    def give_back(self, limits: Iterable[Limit]) -> None:
        """Take back a counted call, which the service has not processed."""
        ordered = sorted(limits, key=lambda limit: limit.key)

        def give_back(connection: Connection) -> None:
            self._store.serialize(connection, [PREFIX + limit.key for limit in ordered])
            usages = _stored(connection, ordered)
            for usage in usages:
                usage.until -= usage.limit.spacing.total_seconds()
            _save(connection, usages, self._store.to_wall(self._store.now(connection)))

        if ordered:
            self._store.write(give_back)

    def _ask(
        self, limits: Iterable[Limit], job: Job | None = None, rank: int = 0, *, spare: bool = False
    ) -> tuple[float, float | None]:
        """Do one or the other, and return the time by the wall clock and the seconds to wait."""
        ordered = sorted(limits, key=lambda limit: limit.key)

        def ask(connection: Connection) -> tuple[float, float | None]:
            self._store.serialize(connection, [PREFIX + limit.key for limit in ordered])
            usages = _stored(connection, ordered)
            # The time, once no other transaction uses the limits.
            now = self._store.now(connection)
            seconds = self._take(connection, usages, job, rank, now, spare=spare)
            wall = self._store.to_wall(now)
            _save(connection, usages, wall)
            return wall, seconds

        # Usually all are free, and a job that asks for the first time has no slot.
        is_first = not spare and (job is None or job.attempts <= 1)
        if not ordered or (is_first and self._store.take_if_free([_rate(limit) for limit in ordered])):
            return 0.0, None
        return self._store.write(ask)

    def _take(
        self, connection: Connection, usages: Sequence[Usage], job: Job | None, rank: int, now: float, *, spare: bool
    ) -> float | None:
        """Count the call or give it a slot, which changes the usages; return the seconds to wait."""
        wall = self._store.to_wall(now)
        of_job: dict[str, Any] = {"job": job.id if job else 0, "keys": [usage.key for usage in usages]}
        may_have_slot = job is not None and (job.attempts > 1 or any(usage.last > wall - LOST for usage in usages))
        own = connection.execute(OWN, of_job).mappings().first() if may_have_slot else None
        if own is not None and own["rank"] <= rank and own["due_at"] > wall + EARLY:
            return float(own["due_at"]) - wall
        is_due = own is not None and own["due_at"] <= wall + EARLY
        asked_at = own["asked_at"] if own else wall
        call = Call(of_job["job"], rank, asked_at, spare=spare, late=is_due)
        if is_due:
            times = [usage.free_at(wall, spare=spare) for usage in usages]
        else:
            times = [find_slot(connection, usage, call, wall)[0] for usage in usages]
        if max(times) <= wall + EARLY:
            at = max(own["due_at"], wall - LATE) if own and is_due else wall
            for usage in usages:
                usage.until = usage.after(at)
            if own is not None:
                connection.execute(DELETE, {**of_job, "before": wall - MAX_AGE})
            return None
        if job is None:
            return max(times) - wall
        # Its place is in the queue of the limit for which it waits longest.
        if own is not None:
            connection.execute(DELETE, {**of_job, "before": wall - MAX_AGE})
        usage = usages[times.index(max(times))]
        return max(take_slot(self._store, connection, usage, call, now) - wall, 0.0)


def _rate(limit: Limit) -> Rate:
    return Rate(PREFIX + limit.key, limit.tolerance.total_seconds(), limit.spacing.total_seconds())


def _save(connection: Connection, usages: Sequence[Usage], wall: float) -> None:
    values = [(usage.key, json.dumps({"until": usage.until, "last": usage.last}), wall) for usage in usages]
    raw_sql.execute_many(connection, SAVE, values)


def _stored(connection: Connection, limits: Sequence[Limit]) -> list[Usage]:
    """Return the use of the limits."""
    keys = [PREFIX + limit.key for limit in limits]
    known = {key: json.loads(value) for key, value in raw_sql.execute(connection, STORED, keys).fetchall()}
    never = {"until": 0.0, "last": 0.0}
    return [
        Usage(limit, key, known.get(key, never)["until"], known.get(key, never)["last"])
        for limit, key in zip(limits, keys, strict=True)
    ]
