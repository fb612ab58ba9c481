"""Refreshes of content: one row per run, merged from events and from Tableau's job list."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Executable, RowMapping, bindparam, delete, func, insert, or_, select, tuple_, update

from webhooks.inbox.databases.store import Store
from webhooks.inbox.run_rows import ResourceKey, run_of, run_row
from webhooks.inbox.schema import incidents, refreshed_content, runs
from webhooks.inbox.scope import WHOLE, Scope
from webhooks.incidents import Run, RunEvidence, merge
from webhooks.incidents.run import MERGE_WINDOW, TOLERANCE
from webhooks.logs import LogLimiter

log = logging.getLogger(__name__)
limiter = LogLimiter()

# Runs that are read at once while the beginning of an incident is looked for: usually it is among the last ones.
FIRST_PAGE, PAGE = 10, 100
# Stored runs of one content from the RECENT hours before new evidence, or without an end, beyond which it is not
# recorded: planning waits for it. Tableau refreshes content every few minutes at most.
MAX_NEARBY = 1000
# Of older runs only those matter that have no end: a later end may be theirs.
RECENT = timedelta(hours=3)
# A run that ended this long before other evidence is not about the same refresh, whichever source reported which time.
APART_SECONDS = 4 * TOLERANCE.total_seconds()
# Runs in one transaction of the retention, and seconds between two: acknowledgements wait for one.
BATCH = 500
PAUSE_SECONDS = 0.02

NEARBY = (
    select(runs)
    .where(
        runs.c.resource_luid.in_(bindparam("luids", expanding=True)),
        runs.c.happened_at.between(bindparam("first"), bindparam("last")),
        or_(runs.c.happened_at >= bindparam("recent"), runs.c.outcome.in_(["running", "unknown"])),
    )
    .order_by(runs.c.resource_luid.desc(), runs.c.happened_at.desc())
)
NEWEST = (
    select(runs)
    .where(runs.c.resource_luid == bindparam("resource_luid"), runs.c.site_luid == bindparam("site_luid"))
    .order_by(runs.c.happened_at.desc(), runs.c.id.desc())
    .limit(bindparam("most"))
    .offset(bindparam("offset"))
)
INSERT = insert(runs)
UPDATE = update(runs).where(runs.c.id == bindparam("row_id"))


class Runs:
    """The runs of all content."""

    def __init__(self, store: Store, scope: Scope = WHOLE) -> None:
        self._store, self._scope = store, scope

    def list(self, *, resource_luid: str = "", since: datetime | None = None, limit: int = 100) -> Sequence[Run]:
        """Return runs, newest first."""
        return self.page(resource_luid=resource_luid, since=since, limit=limit)[0]

    def page(
        self,
        *,
        resource_luid: str = "",
        since: datetime | None = None,
        before: tuple[float, int] | None = None,
        limit: int = 100,
    ) -> tuple[Sequence[Run], tuple[float, int] | None]:
        """Return runs, newest first, and the place before which the next page begins; None for the last page."""
        filters = self._scope.content(runs)
        if resource_luid:
            filters.append(runs.c.resource_luid == resource_luid)
        if since is not None:
            filters.append(runs.c.happened_at >= since.timestamp())
        if before is not None:
            filters.append(tuple_(runs.c.happened_at, runs.c.id) < before)
        query = select(runs).where(*filters).order_by(runs.c.happened_at.desc(), runs.c.id.desc()).limit(limit + 1)
        rows = self._store.rows(query)
        last = rows[limit - 1] if len(rows) > limit else None
        return [run_of(row) for row in rows[:limit]], (last["happened_at"], last["id"]) if last else None

    def outcomes_since(self, since: datetime) -> dict[str, int]:
        """Return how many runs have ended with each outcome since that time."""
        query = select(runs.c.outcome, func.count().label("number")).where(runs.c.happened_at >= since.timestamp())
        query = query.where(*self._scope.content(runs))
        return {row["outcome"]: row["number"] for row in self._store.rows(query.group_by(runs.c.outcome))}

    def delete_before(self, before: float, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Delete runs from before that time (seconds since 1970) in small transactions, and return how many.

        Runs of content with an open incident are kept, because they say since when it fails.
        """
        is_open = select(incidents.c.resource_luid).where(incidents.c.closed_at.is_(None))
        old = select(runs.c.id).where(runs.c.happened_at < before, runs.c.resource_luid.not_in(is_open)).limit(BATCH)
        deleted = 0
        while not stopping() and (ids := [row["id"] for row in self._store.rows(old)]):
            deleted += self._store.execute(delete(runs).where(runs.c.id.in_(ids)))
            time.sleep(PAUSE_SECONDS)
        return deleted


@dataclass(frozen=True, slots=True)
class RunChange:
    """Changed runs of a resource: the time of the earliest piece of new evidence, and whether a run near it failed."""

    since: datetime
    has_failures: bool


def record_runs(connection: Connection, pieces: Iterable[RunEvidence]) -> dict[ResourceKey, RunChange]:
    """Merge new evidence into the stored runs, and return the change of each resource.

    Everything is read with one statement and written with two, because planning waits for it.
    """
    new = sorted(pieces, key=lambda one: (one.resource, one.at))
    if not new:
        return {}
    stored = _read_nearby(connection, new)
    changes, inserts, updates, deletes = {}, list[Run](), list[tuple[int, Run]](), list[int]()
    content = list[Run]()
    for resource, group in groupby(new, key=lambda one: one.resource):
        added = list(group)
        # The statement reads what is near any of the new evidence.
        first, last = ((at + by).timestamp() for at, by in ((added[0].at, -MERGE_WINDOW), (added[-1].at, MERGE_WINDOW)))
        rows = [row for row in stored.get(resource, ()) if first <= row["happened_at"] <= last]
        if len(rows) > MAX_NEARBY:
            if limiter.admit("runs") is not None:
                log.warning("Refreshes not recorded: %s has more than %d within three hours", resource[1], MAX_NEARBY)
            continue
        free = {row["id"]: run_of(row) for row in without_distant(rows, added)}
        rows_by_key = {key: row_id for row_id, known in free.items() for key in known.keys}
        merged = merge(free.values(), *added)
        for run in merged:
            # A run keeps its row as long as it keeps a piece of evidence.
            row_id = min((rows_by_key[key] for key in run.keys if rows_by_key.get(key) in free), default=None)
            if row_id is None:
                inserts.append(run)
            elif free.pop(row_id) != run:
                updates.append((row_id, run))
        deletes += free
        near = added[0].at - TOLERANCE
        if merged and not any(row["resource_name"] == merged[-1].resource_name for row in rows):
            content.append(merged[-1])
        changes[resource] = RunChange(added[0].at, any(run.outcome == "failed" and run.at >= near for run in merged))
    _write(connection, inserts, updates, deletes)
    list_content(connection, content)
    return changes


def list_content(connection: Connection, latest: Sequence[Run]) -> None:
    """Add content to the list of content that has runs, or change its name there."""
    rows = [
        {
            "resource_luid": run.resource_luid,
            "site_luid": run.site_luid,
            "resource_kind": run.resource_kind,
            "resource_name": run.resource_name,
        }
        for run in latest
    ]
    if rows:
        connection.execute(_content_statement(connection.dialect.name), rows)


@cache
def _content_statement(dialect: str) -> Executable:
    new = import_module(f"sqlalchemy.dialects.{dialect}").insert(refreshed_content)
    changed = {"resource_name": new.excluded.resource_name}
    statement: Executable = new.on_conflict_do_update(index_elements=["resource_luid"], set_=changed)
    return statement


def _read_nearby(connection: Connection, new: Sequence[RunEvidence]) -> dict[ResourceKey, list[RowMapping]]:
    """Return the rows of stored runs that new evidence may change, the newest first.

    Older runs of content are left out, unless one of them has no end or may be reported again as a job.
    """
    first, last = min(one.at for one in new) - MERGE_WINDOW, max(one.at for one in new) + MERGE_WINDOW
    recent = min(min(one.at, one.started_at or one.at) for one in new) - RECENT
    if any(one.job_luid for one in new):
        recent = first
    times = {"first": first.timestamp(), "last": last.timestamp()}
    luids = sorted({one.resource_luid for one in new})
    rows = _rows_by_resource(connection, {**times, "luids": luids, "recent": recent.timestamp()})
    with_older = [resource for resource, own in rows.items() if own[-1]["happened_at"] < recent.timestamp()]
    if with_older and recent > first:
        luids = sorted({resource_luid for _, resource_luid in with_older})
        rows |= _rows_by_resource(connection, {**times, "luids": luids, "recent": first.timestamp()})
    return rows


def _rows_by_resource(connection: Connection, values: dict[str, Any]) -> dict[ResourceKey, list[RowMapping]]:
    found: dict[ResourceKey, list[RowMapping]] = {}
    # All at once: fetching one by one takes several times as long.
    for row in connection.execute(NEARBY, values).mappings().all():
        found.setdefault((row["site_luid"], row["resource_luid"]), []).append(row)
    return found


def without_distant(rows: Sequence[RowMapping], new: Sequence[RunEvidence]) -> Sequence[RowMapping]:
    """Return the rows without old ones that new evidence cannot change, and that change nothing either.

    `rows` are those of one resource, the newest first. What lies before the end of a run, and long before everything
    else, is complete: a start belongs to an end after it, and reports of one end differ by TOLERANCE. Merging is the
    greater part of the work, and usually two runs are left: this one, and none.
    """
    luids = [one.job_luid for one in new if one.job_luid]
    # A later start ends a run whose end is not known, and a job may be reported again at another time.
    is_needed = [row["outcome"] == "running" or any(luid in row["evidence"] for luid in luids) for row in rows]
    first = max((number for number, needed in enumerate(is_needed, 1) if needed), default=0)
    earliest = min(time.timestamp() for one in new for time in (one.at, one.started_at) if time)
    for number, row in enumerate(rows):
        happened_at = row["happened_at"]
        is_apart = row["ended_at"] is not None and happened_at < earliest - APART_SECONDS
        is_alone = number + 1 == len(rows) or rows[number + 1]["happened_at"] < happened_at
        if number >= first and is_apart and is_alone:
            return rows[:number]
        earliest = min(earliest, happened_at, row["started_at"] or happened_at)
    return rows


def _write(
    connection: Connection, inserts: Sequence[Run], updates: Sequence[tuple[int, Run]], deletes: Sequence[int]
) -> None:
    if deletes:
        connection.execute(delete(runs).where(runs.c.id.in_(deletes)))
    if updates:
        connection.execute(UPDATE, [{"row_id": row_id, **run_row(run)} for row_id, run in updates])
    if inserts:
        connection.execute(INSERT, [run_row(run) for run in inserts])


def runs_from(connection: Connection, resource: ResourceKey, since: datetime) -> list[Run]:
    """Return the resource's runs from `since` on."""
    site_luid, resource_luid = resource
    own = (runs.c.resource_luid == resource_luid, runs.c.site_luid == site_luid)
    later = select(runs).where(*own, runs.c.happened_at >= since.timestamp())
    return [run_of(row) for row in connection.execute(later).mappings()]


def runs_since(connection: Connection, resource: ResourceKey, since: datetime, calm: timedelta) -> list[Run]:
    """Return the resource's runs from `since` on, and those before it back to the end of an earlier incident.

    An earlier incident has ended with a success that no failure followed within `calm`.
    """
    found: list[Run] = []
    next_failure: datetime | None = None
    values = {"site_luid": resource[0], "resource_luid": resource[1]}
    offset, page = 0, FIRST_PAGE
    while True:
        rows = connection.execute(NEWEST, {**values, "most": page, "offset": offset}).mappings().all()
        for run in map(run_of, rows):
            is_calm = next_failure is None or next_failure - run.at > calm
            if run.at < since and run.outcome == "succeeded" and is_calm:
                return found
            found.append(run)
            if run.outcome == "failed":
                next_failure = run.at
        if len(rows) < page:
            return found
        offset, page = offset + page, PAGE
