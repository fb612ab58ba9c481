"""Refreshes of content: one row per run, merged from events and from Tableau's job list."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from webhooks.clock import from_timestamp, parse_time
from webhooks.inbox.databases.store import Store
from webhooks.inbox.records import optional_time
from webhooks.inbox.schema import incidents, runs
from webhooks.incidents import Run, RunEvidence, merge
from webhooks.incidents.run import MERGE_WINDOW

# The site and the LUID of a resource.
ResourceKey = tuple[str, str]
# Runs that are read at once while the beginning of an incident is looked for.
PAGE = 100
# Runs in one transaction of the retention, and seconds between two: acknowledgements wait for one.
BATCH = 500
PAUSE_SECONDS = 0.02


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


def record_runs(connection: Connection, pieces: Iterable[RunEvidence]) -> dict[ResourceKey, datetime]:
    """Merge new evidence into the stored runs, and return the time of the earliest piece for each resource."""
    changed = {}
    for resource, group in groupby(sorted(pieces, key=lambda one: one.resource), key=lambda one: one.resource):
        new = sorted(group, key=lambda one: one.at)
        first, last = new[0].at - MERGE_WINDOW, new[-1].at + MERGE_WINDOW
        nearby = runs.c.happened_at.between(first.timestamp(), last.timestamp())
        query = select(runs).where(_is_resource(resource), nearby)
        stored = [(row["id"], run_of(row)) for row in connection.execute(query).mappings()]
        _replace(connection, stored, merge([run for _, run in stored], *new))
        changed[resource] = new[0].at
    return changed


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


def _replace(connection: Connection, stored: Sequence[tuple[int, Run]], merged: Iterable[Run]) -> None:
    """Make the stored runs those in `merged`; a run keeps its row as long as it keeps a piece of evidence."""
    free = dict(stored)
    for run in merged:
        row_id = next((row_id for row_id, known in free.items() if known.keys & run.keys), None)
        if row_id is None:
            connection.execute(insert(runs).values(_row(run)))
        elif free.pop(row_id) != run:
            connection.execute(update(runs).where(runs.c.id == row_id).values(_row(run)))
    if free:
        connection.execute(delete(runs).where(runs.c.id.in_(free)))


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
