"""Figures of many runs at once, for overviews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, cast, func, select

from webhooks.inbox.access.scope import WHOLE, Scope
from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.resources.tables import resources
from webhooks.inbox.runs.tables import runs

HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class HourOfRuns:
    """The number of runs of a project with an outcome in one hour; hours count from 0."""

    project: str
    hour: int
    outcome: str
    number: int


class Overviews:
    """Overviews of runs."""

    def __init__(self, store: Store, scope: Scope = WHOLE) -> None:
        self._store, self._scope = store, scope

    def runs_by_hour(self, since: datetime) -> Sequence[HourOfRuns]:
        """Return how many runs each project has had in each hour since that time, by outcome."""
        start = int(since.timestamp())
        # A cast rounds in PostgreSQL and truncates in SQLite: half a second does not matter.
        hour = ((cast(runs.c.happened_at, BigInteger) - start) // HOUR_SECONDS).label("hour")
        # What the monitor has not listed yet is in the project of its last incident, which a look-up has found.
        others = incidents.alias()
        newest = (
            select(func.max(others.c.id))
            .where(others.c.resource_luid == runs.c.resource_luid, others.c.project != "")
            .correlate(runs)
            .scalar_subquery()
        )
        looked_up = select(incidents.c.project).where(incidents.c.id == newest).correlate(runs).scalar_subquery()
        project = func.coalesce(func.nullif(resources.c.project, ""), looked_up, "").label("project")
        query = (
            select(project, hour, runs.c.outcome, func.count().label("number"))
            .select_from(runs.outerjoin(resources, resources.c.luid == runs.c.resource_luid))
            .where(runs.c.happened_at >= since.timestamp(), *self._scope.content(runs))
            .group_by(project, hour, runs.c.outcome)
        )
        rows = self._store.rows(query)
        return [HourOfRuns(row["project"], int(row["hour"]), row["outcome"], row["number"]) for row in rows]
