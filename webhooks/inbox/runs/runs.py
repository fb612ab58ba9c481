"""Refreshes of content: one row per run, merged from events and from Tableau's job list."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, tuple_

from webhooks.inbox.access.scope import WHOLE, Scope
from webhooks.inbox.databases.raw_sql import Row
from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.runs.rows import ResourceKey, run_of
from webhooks.inbox.runs.sql import RunHead, RunRows, heads, newest, runs_of_ids
from webhooks.inbox.runs.tables import runs
from webhooks.incidents import Run, RunEvidence, merge
from webhooks.incidents.run import MERGE_WINDOW, TOLERANCE
from webhooks.observability.logs import LogLimiter

log = logging.getLogger(__name__)
limiter = LogLimiter()

# Runs that are read at once while the beginning of an incident is looked for: usually it is among the last ones.
FIRST_PAGE, PAGE = 4, 100
# Stored runs of one content from the RECENT time before new evidence, or without an end, beyond which it is not
# recorded: planning waits for it. Tableau refreshes content every few minutes at most.
MAX_NEARBY = 1000
# Of older runs only those matter that have no end: a later end may be theirs.
RECENT = timedelta(hours=1)
# A run that ended this long before other evidence is not about the same refresh, whichever source reported which time.
APART_SECONDS = 4 * TOLERANCE.total_seconds()
# Runs in one transaction of the retention, and seconds between two: acknowledgements wait for one.
BATCH = 500
PAUSE_SECONDS = 0.02


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

    Everything is read with two statements and written with two, because planning waits for it.
    """
    new: dict[ResourceKey, list[RunEvidence]] = {}
    for one in sorted(pieces, key=lambda one: one.at):
        new.setdefault(one.resource, []).append(one)
    if not new:
        return {}
    near = _read_nearby(connection, new)
    needed = {resource: without_distant(near[resource], added) for resource, added in new.items() if resource in near}
    stored = runs_of_ids(connection, [row.id for rows in needed.values() for row in rows])
    changes, rows = {}, RunRows()
    for resource, heads_of in needed.items():
        added = new[resource]
        known = {row.id: stored[row.id] for row in heads_of}
        merged = merge(known.values(), *added)
        rows.replace(known, merged)
        if merged and not any(row.resource_name == merged[-1].resource_name for row in near[resource]):
            rows.content.append(merged[-1])
        earliest = added[0].at - TOLERANCE
        has_failures = any(run.outcome == "failed" and run.at >= earliest for run in merged)
        changes[resource] = RunChange(added[0].at, has_failures)
    rows.write(connection)
    return changes


def _read_nearby(
    connection: Connection, new: Mapping[ResourceKey, Sequence[RunEvidence]]
) -> dict[ResourceKey, list[RunHead]]:
    """Return the stored runs that new evidence may change, the newest first, of each resource with new evidence.

    Older runs of content are left out, unless one of them has no end or may be reported again as a job. A resource with
    too many is left out.
    """
    times = [one.at for added in new.values() for one in added]
    starts = [one.started_at for added in new.values() for one in added if one.started_at]
    first, last = (min(times) - MERGE_WINDOW).timestamp(), (max(times) + MERGE_WINDOW).timestamp()
    with_jobs = any(one.job_luid for added in new.values() for one in added)
    recent = first if with_jobs else (min(times + starts) - RECENT).timestamp()
    rows = _by_resource(heads(connection, _luids(new), first, last, recent, with_evidence=with_jobs))
    with_older = [resource for resource, own in rows.items() if own[-1].happened_at < recent]
    if with_older:
        rows |= _by_resource(heads(connection, _luids(with_older), first, last, first, with_evidence=with_jobs))
    found: dict[ResourceKey, list[RunHead]] = {resource: [] for resource in new}
    margin = MERGE_WINDOW.total_seconds()
    for resource, own in rows.items():
        if resource not in new:
            continue
        # The statement reads what is near any of the new evidence.
        first, last = new[resource][0].at.timestamp() - margin, new[resource][-1].at.timestamp() + margin
        found[resource] = [row for row in own if first <= row.happened_at <= last]
        if len(found[resource]) > MAX_NEARBY:
            del found[resource]
            if limiter.admit("runs") is not None:
                log.warning("Refreshes not recorded: %s has more than %d within an hour", resource[1], MAX_NEARBY)
    return found


def _luids(resources: Iterable[ResourceKey]) -> set[str]:
    return {resource_luid for _, resource_luid in resources}


def _by_resource(rows: Iterable[RunHead]) -> dict[ResourceKey, list[RunHead]]:
    found: dict[ResourceKey, list[RunHead]] = {}
    for row in rows:
        found.setdefault((row.site_luid, row.resource_luid), []).append(row)
    return found


def without_distant(rows: Sequence[RunHead], new: Sequence[RunEvidence]) -> Sequence[RunHead]:
    """Return the rows without old ones that new evidence cannot change, and that change nothing either.

    `rows` are those of one resource, the newest first. What lies before the end of a run, and long before everything
    else, is complete: a start belongs to an end after it, and reports of one end differ by TOLERANCE. Merging is the
    greater part of the work, and usually two runs are left: this one, and none.
    """
    if not rows:
        return rows
    luids = [one.job_luid for one in new if one.job_luid]
    # A later start ends a run whose end is not known, and a job may be reported again at another time.
    is_needed = [row.outcome == "running" or any(luid in (row.evidence or "") for luid in luids) for row in rows]
    first = max((number for number, needed in enumerate(is_needed, 1) if needed), default=0)
    earliest = min(time.timestamp() for one in new for time in (one.at, one.started_at) if time)
    for number, row in enumerate(rows):
        happened_at = row.happened_at
        is_apart = row.ended_at is not None and happened_at < earliest - APART_SECONDS
        is_alone = number + 1 == len(rows) or rows[number + 1].happened_at < happened_at
        if number >= first and is_apart and is_alone:
            return rows[:number]
        earliest = min(earliest, happened_at, row.started_at or happened_at)
    return rows


def runs_from(connection: Connection, resource: ResourceKey, since: datetime) -> list[Run]:
    """Return the resource's runs from `since` on."""
    site_luid, resource_luid = resource
    own = (runs.c.resource_luid == resource_luid, runs.c.site_luid == site_luid)
    later = select(runs).where(*own, runs.c.happened_at >= since.timestamp())
    return [run_of(row) for row in connection.execute(later).mappings()]


def runs_since(
    connection: Connection, resource: ResourceKey, since: datetime, calm: timedelta, first: Sequence[Row]
) -> list[Run]:
    """Return the resource's runs from `since` on, and those before it back to the end of an earlier incident.

    An earlier incident has ended with a success that no failure followed within `calm`. `first` are the rows of its
    newest FIRST_PAGE runs.
    """
    found: list[Run] = []
    next_failure: datetime | None = None
    rows, offset, page = first, 0, FIRST_PAGE
    while True:
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
        rows = newest(connection, resource, page, offset)
