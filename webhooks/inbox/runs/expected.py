"""The refreshes that are expected, and whether they came."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, bindparam, delete, select, update

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.runs.tables import expected_runs
from webhooks.watches.expectation import Expectation
from webhooks.watches.timing import MAX_DELAYS

Outcome = Literal["came", "missed", "withdrawn"]
WAITING = "waiting"
# Values in one statement.
MAX_VALUES = 500
BATCH = 1000

SETTLE = (
    update(expected_runs)
    .where(expected_runs.c.id == bindparam("row_id"), expected_runs.c.state == WAITING)
    .values(state=bindparam("new_state"), came_at=bindparam("new_came_at"))
)


class ExpectedRuns:
    """Expected refreshes of all sites."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def announce(
        self, site_luid: str, expected: Iterable[Expectation], now: datetime, *, tasks: Collection[str]
    ) -> None:
        """Store all refreshes of a site that are expected next; `tasks` are the LUIDs of those that may run.

        Those that were announced before and are not expected any more are withdrawn. If their time is past, they should
        have come, unless their task has been deleted or suspended since.
        """
        new = {(one.task, one.at.timestamp()): one for one in expected}
        columns = expected_runs.c.id, expected_runs.c.task, expected_runs.c.expected_at
        query = select(*columns).where(expected_runs.c.site_luid == site_luid, expected_runs.c.state == WAITING)
        gone = []
        for row in self._store.rows(query):
            is_announced = new.pop((row["task"], row["expected_at"]), None) is not None
            is_stopped = " " not in row["task"] and row["task"] not in tasks
            if is_stopped or (not is_announced and row["expected_at"] > now.timestamp()):
                gone.append(row["id"])
        rows = [
            {
                "site_luid": site_luid,
                "task": one.task,
                "resource_luid": one.resource_luid,
                "resource_kind": one.resource_kind,
                "resource_name": one.resource_name,
                "expected_at": one.at.timestamp(),
                "state": WAITING,
            }
            for one in new.values()
        ]

        def save(connection: Connection) -> None:
            for start in range(0, len(gone), MAX_VALUES):
                these = expected_runs.c.id.in_(gone[start : start + MAX_VALUES])
                connection.execute(delete(expected_runs).where(these))
            if rows:
                names = ["site_luid", "task", "expected_at"]
                connection.execute(self._store.upsert(expected_runs).on_conflict_do_nothing(index_elements=names), rows)

        if gone or rows:
            self._store.write(save)

    def due(self, site_luid: str, now: datetime) -> list[Expectation]:
        """Return the refreshes of a site whose time has come and that have not come yet, the oldest first."""
        own = (expected_runs.c.site_luid == site_luid, expected_runs.c.state == WAITING)
        query = select(expected_runs).where(*own, expected_runs.c.expected_at <= now.timestamp())
        return [
            Expectation(
                task=row["task"],
                resource_luid=row["resource_luid"],
                resource_kind=row["resource_kind"],
                at=from_timestamp(row["expected_at"]),
                resource_name=row["resource_name"],
                id=row["id"],
            )
            for row in self._store.rows(query.order_by(expected_runs.c.expected_at))
        ]

    def settle(self, outcomes: Mapping[int | None, tuple[Outcome, datetime | None]]) -> None:
        """Store what became of expected refreshes, by their ids: that they came and when, were missed, or withdrawn."""
        values = [
            {"row_id": row_id, "new_state": state, "new_came_at": came_at and came_at.timestamp()}
            for row_id, (state, came_at) in outcomes.items()
        ]
        if values:
            self._store.write(lambda connection: connection.execute(SETTLE, values).rowcount)

    def delays(self, site_luid: str, tasks: Collection[str], since: datetime) -> dict[str, list[timedelta]]:
        """Return how late the last refreshes of these tasks of a site came since that time, the newest first."""
        found: dict[str, list[timedelta]] = {}
        names = sorted(tasks)
        columns = expected_runs.c.task, expected_runs.c.expected_at, expected_runs.c.came_at
        for start in range(0, len(names), MAX_VALUES):
            # With the site, the index of the unique columns serves.
            these = (
                expected_runs.c.site_luid == site_luid,
                expected_runs.c.task.in_(names[start : start + MAX_VALUES]),
            )
            came = (expected_runs.c.came_at.is_not(None), expected_runs.c.expected_at >= since.timestamp())
            query = select(*columns).where(*these, *came).order_by(expected_runs.c.expected_at.desc())
            for row in self._store.rows(query):
                known = found.setdefault(row["task"], [])
                if len(known) < MAX_DELAYS:
                    known.append(timedelta(seconds=max(row["came_at"] - row["expected_at"], 0.0)))
        return found

    def scheduled_since(self, site_luid: str, luids: Collection[str], since: datetime) -> dict[str, datetime]:
        """Return those of this content that had a task of Tableau since that time, and the last time of one."""
        own = (expected_runs.c.site_luid == site_luid, expected_runs.c.expected_at >= since.timestamp())
        columns = expected_runs.c.task, expected_runs.c.resource_luid, expected_runs.c.expected_at
        found: dict[str, datetime] = {}
        names = sorted(luids)
        for start in range(0, len(names), MAX_VALUES):
            these = expected_runs.c.resource_luid.in_(names[start : start + MAX_VALUES])
            query = select(*columns).where(*own, these).order_by(expected_runs.c.expected_at)
            for row in self._store.rows(query):
                if " " not in row["task"]:
                    found[row["resource_luid"]] = from_timestamp(row["expected_at"])
        return found

    def delete_before(self, before: float, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Delete those from before that time (seconds since 1970) in small transactions, and return how many."""
        old = select(expected_runs.c.id).where(expected_runs.c.expected_at < before).limit(BATCH)
        deleted = 0
        while not stopping() and (ids := [row["id"] for row in self._store.rows(old)]):
            deleted += self._store.execute(delete(expected_runs).where(expected_runs.c.id.in_(ids)))
        return deleted
