"""Read the runs of much content at once, for the watches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Executable, RowMapping, func, select

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.runs.rows import run_of
from webhooks.inbox.runs.tables import refreshed_content, runs
from webhooks.incidents import Run
from webhooks.incidents.evidence import ResourceKind

# Values in one statement.
MAX_VALUES = 500
MAX_DURATIONS = 60

# Makes a query of a condition on the content.
Query = Callable[[ColumnElement[bool]], Executable]


class RunHistory:
    """The runs of a site's content."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def since(self, site_luid: str, luids: Collection[str], since: datetime) -> list[Run]:
        """Return the runs of this content from that time on."""
        later = (runs.c.site_luid == site_luid, runs.c.happened_at >= since.timestamp())
        return [run_of(row) for row in self._of(luids, lambda these: select(runs).where(these, *later))]

    def running(self, site_luid: str, since: datetime) -> list[Run]:
        """Return the runs that began since that time and have not ended, as far as is known."""
        later = (runs.c.site_luid == site_luid, runs.c.happened_at >= since.timestamp())
        query = select(runs).where(*later, runs.c.outcome == "running").order_by(runs.c.happened_at)
        return [run_of(row) for row in self._store.rows(query)]

    def durations(self, luids: Collection[str], since: datetime) -> dict[str, list[timedelta]]:
        """Return how long the successful runs of this content took since that time, the newest first."""
        columns = runs.c.resource_luid, runs.c.started_at, runs.c.ended_at
        ended = (runs.c.happened_at >= since.timestamp(), runs.c.outcome == "succeeded", runs.c.started_at.is_not(None))
        found: dict[str, list[timedelta]] = {}
        newest = runs.c.happened_at.desc()
        for row in self._of(luids, lambda these: select(*columns).where(these, *ended).order_by(newest)):
            known = found.setdefault(row["resource_luid"], [])
            if len(known) < MAX_DURATIONS:
                known.append(timedelta(seconds=max(row["ended_at"] - row["started_at"], 0.0)))
        return found

    def last_starts(self, site_luid: str, luids: Collection[str], since: datetime) -> dict[str, datetime]:
        """Return when the last run of each piece of content began since that time."""
        own = (runs.c.site_luid == site_luid, runs.c.happened_at >= since.timestamp())
        begun = func.max(func.coalesce(runs.c.started_at, runs.c.happened_at)).label("begun")
        columns = runs.c.resource_luid, begun
        rows = self._of(luids, lambda these: select(*columns).where(these, *own).group_by(runs.c.resource_luid))
        return {row["resource_luid"]: from_timestamp(row["begun"]) for row in rows}

    def name(self, luid: str) -> str:
        """Return the name of content at its last run; empty if it has none."""
        newest = select(runs.c.resource_name).where(runs.c.resource_luid == luid).order_by(runs.c.happened_at.desc())
        return str(self._store.scalar(newest.limit(1)) or "")

    def unscheduled(
        self, site_luid: str, scheduled: Collection[str], since: datetime
    ) -> dict[str, tuple[ResourceKind, list[datetime]]]:
        """Return when the runs of content that has no schedule began since that time, with its kind."""
        own = (runs.c.site_luid == site_luid, runs.c.happened_at >= since.timestamp())
        found: dict[str, tuple[ResourceKind, list[datetime]]] = {}
        of_site = refreshed_content.c.site_luid == site_luid
        content = self._store.rows(select(refreshed_content.c.resource_luid).where(of_site))
        luids = {row["resource_luid"] for row in content} - set(scheduled)
        columns = runs.c.resource_luid, runs.c.resource_kind, runs.c.started_at, runs.c.happened_at
        for row in self._of(luids, lambda these: select(*columns).where(these, *own).order_by(runs.c.happened_at)):
            begun = row["happened_at"] if row["started_at"] is None else row["started_at"]
            found.setdefault(row["resource_luid"], (row["resource_kind"], []))[1].append(from_timestamp(begun))
        return found

    def _of(self, luids: Collection[str], query: Query) -> Iterator[RowMapping]:
        names: Sequence[str] = sorted(luids)
        for start in range(0, len(names), MAX_VALUES):
            yield from self._store.rows(query(runs.c.resource_luid.in_(names[start : start + MAX_VALUES])))
