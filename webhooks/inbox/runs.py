"""Refreshes of content: one row per run, merged from events and from Tableau's job list."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, and_, bindparam, delete, func, insert, select, update

from webhooks.clock import from_timestamp, parse_time
from webhooks.inbox.databases.store import Store
from webhooks.inbox.records import optional_time
from webhooks.inbox.schema import incidents, refreshed_content, runs
from webhooks.incidents import Run, RunEvidence, merge
from webhooks.incidents.run import MERGE_WINDOW, TOLERANCE
from webhooks.logs import LogLimiter

log = logging.getLogger(__name__)
limiter = LogLimiter()

# The site and the LUID of a resource.
ResourceKey = tuple[str, str]
# Runs that are read at once while the beginning of an incident is looked for.
PAGE = 100
# Stored runs of one content within a day of new evidence, beyond which it is not recorded: planning waits for it.
# Tableau refreshes content every few minutes at most.
MAX_NEARBY = 1000
# Runs in one transaction of the retention, and seconds between two: acknowledgements wait for one.
BATCH = 500
PAUSE_SECONDS = 0.02

NEARBY = select(runs).where(
    runs.c.resource_luid.in_(bindparam("luids", expanding=True)),
    runs.c.happened_at.between(bindparam("first"), bindparam("last")),
)
UPDATE = update(runs).where(runs.c.id == bindparam("row_id"))


class Runs:
    """The runs of all content."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, *, resource_luid: str = "", since: datetime | None = None, limit: int = 100) -> Sequence[Run]:
        """Return runs, newest first."""
        filters = [runs.c.resource_luid == resource_luid] if resource_luid else []
        if since is not None:
            filters.append(runs.c.happened_at >= since.timestamp())
        query = select(runs).where(*filters).order_by(runs.c.happened_at.desc(), runs.c.id.desc()).limit(limit)
        return [run_of(row) for row in self._store.rows(query)]

    def outcomes_since(self, since: datetime) -> dict[str, int]:
        """Return how many runs have ended with each outcome since that time."""
        query = select(runs.c.outcome, func.count().label("number")).where(runs.c.happened_at >= since.timestamp())
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
        first, last = added[0].at - MERGE_WINDOW, added[-1].at + MERGE_WINDOW
        free = {row_id: run for row_id, run in stored.get(resource, ()) if first <= run.at <= last}
        if len(free) > MAX_NEARBY:
            if limiter.admit("runs") is not None:
                log.warning("Refreshes not recorded: %s has more than %d in two days", resource[1], MAX_NEARBY)
            continue
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
        if merged and merged[-1].resource_name not in {known.resource_name for _, known in stored.get(resource, ())}:
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


def _read_nearby(connection: Connection, new: Sequence[RunEvidence]) -> dict[ResourceKey, list[tuple[int, Run]]]:
    """Return the stored runs that are near any of the new evidence, with the ids of their rows."""
    times = [one.at for one in new]
    values = {
        "luids": sorted({one.resource_luid for one in new}),
        "first": (min(times) - MERGE_WINDOW).timestamp(),
        "last": (max(times) + MERGE_WINDOW).timestamp(),
    }
    stored: dict[ResourceKey, list[tuple[int, Run]]] = {}
    for row in connection.execute(NEARBY, values).mappings():
        stored.setdefault((row["site_luid"], row["resource_luid"]), []).append((row["id"], run_of(row)))
    return stored


def _write(
    connection: Connection, inserts: Sequence[Run], updates: Sequence[tuple[int, Run]], deletes: Sequence[int]
) -> None:
    if deletes:
        connection.execute(delete(runs).where(runs.c.id.in_(deletes)))
    if updates:
        connection.execute(UPDATE, [{"row_id": row_id, **_row(run)} for row_id, run in updates])
    if inserts:
        connection.execute(insert(runs), [_row(run) for run in inserts])


def runs_since(connection: Connection, resource: ResourceKey, since: datetime, calm: timedelta) -> list[Run]:
    """Return the resource's runs from `since` on, and those before it back to the end of an earlier incident.

    An earlier incident has ended with a success that no failure followed within `calm`.
    """
    own = _is_resource(resource)
    later = select(runs).where(own, runs.c.happened_at >= since.timestamp())
    found = [run_of(row) for row in connection.execute(later).mappings()]
    next_failure = min((run.at for run in found if run.outcome == "failed"), default=None)
    earlier = select(runs).where(own, runs.c.happened_at < since.timestamp())
    earlier = earlier.order_by(runs.c.happened_at.desc(), runs.c.id.desc())
    for offset in range(0, 1_000_000, PAGE):
        rows = connection.execute(earlier.limit(PAGE).offset(offset)).mappings().all()
        for run in map(run_of, rows):
            if run.outcome == "succeeded" and (next_failure is None or next_failure - run.at > calm):
                return found
            found.append(run)
            if run.outcome == "failed":
                next_failure = run.at
        if len(rows) < PAGE:
            break
    return found


def run_of(row: Any) -> Run:
    """Return the run of a row."""
    pieces = tuple(_evidence(row, piece) for piece in json.loads(row["evidence"]))
    return Run(
        site_luid=row["site_luid"],
        resource_luid=row["resource_luid"],
        resource_kind=row["resource_kind"],
        resource_name=row["resource_name"],
        started_at=optional_time(row["started_at"]),
        ended_at=optional_time(row["ended_at"]),
        outcome=row["outcome"],
        reason=row["reason"],
        reason_class=row["reason_class"],
        job_luid=row["job_luid"],
        sources=frozenset(piece.source for piece in pieces),
        event_ids=tuple(sorted(piece.event_id for piece in pieces if piece.event_id is not None)),
        evidence=pieces,
    )


def _is_resource(resource: ResourceKey) -> ColumnElement[bool]:
    site_luid, resource_luid = resource
    return and_(runs.c.resource_luid == resource_luid, runs.c.site_luid == site_luid)


def _row(run: Run) -> dict[str, Any]:
    return {
        "site_luid": run.site_luid,
        "resource_luid": run.resource_luid,
        "resource_kind": run.resource_kind,
        "resource_name": run.resource_name,
        "started_at": run.started_at and run.started_at.timestamp(),
        "ended_at": run.ended_at and run.ended_at.timestamp(),
        "happened_at": run.at.timestamp(),
        "outcome": run.outcome,
        "reason": run.reason,
        "reason_class": run.reason_class,
        "job_luid": run.job_luid,
        "evidence": json.dumps([_piece(one) for one in run.evidence]),
    }


def _piece(one: RunEvidence) -> dict[str, Any]:
    """Return what the row of the run does not say already."""
    values = {
        "source": one.source,
        "outcome": one.outcome,
        "recorded_at": one.recorded_at.isoformat(),
        "started_at": one.started_at and one.started_at.isoformat(),
        "ended_at": one.ended_at and one.ended_at.isoformat(),
        "kind": one.resource_kind,
        "name": one.resource_name,
        "reason": one.reason,
        "event_id": one.event_id,
        "job_luid": one.job_luid,
    }
    return {name: value for name, value in values.items() if value not in {None, ""}}


def _evidence(row: Any, piece: dict[str, Any]) -> RunEvidence:
    return RunEvidence(
        source=piece["source"],
        site_luid=row["site_luid"],
        resource_luid=row["resource_luid"],
        resource_kind=piece["kind"],
        outcome=piece["outcome"],
        recorded_at=parse_time(piece["recorded_at"]) or from_timestamp(row["happened_at"]),
        started_at=parse_time(piece.get("started_at")),
        ended_at=parse_time(piece.get("ended_at")),
        resource_name=piece.get("name", ""),
        reason=piece.get("reason", ""),
        event_id=piece.get("event_id"),
        job_luid=piece.get("job_luid"),
    )
