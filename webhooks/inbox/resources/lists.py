"""Content that has runs, page by page, with what its last runs were like."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal_column, or_, select, text
from sqlalchemy import Text as SqlText
from sqlalchemy import cast as sql_cast

from webhooks.clock import from_timestamp
from webhooks.inbox.access.scope import WHOLE, Scope
from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents.records import IncidentRecord, incident_records
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.queries import name_filter
from webhooks.inbox.resources.tables import resources
from webhooks.inbox.runs.tables import DECLARED, expected_runs, refreshed_content, runs
from webhooks.watches.expectation import declaring_watch

# Runs of each content that a list shows.
STRIP_RUNS = 100
# Days of a promise that are read: a year.
MAX_PROMISED = 366
# Incidents of one content that are shown.
MAX_INCIDENTS = 20


@dataclass(frozen=True, slots=True)
class RefreshedContent:
    """A workbook, data source or flow with its last runs, newest first.

    `outcomes` has the first letter of each outcome, `seconds` how long each run took (0: unknown).
    """

    luid: str
    kind: str
    site_luid: str
    name: str
    owner: str
    project: str
    last_at: datetime | None
    outcomes: str
    seconds: Sequence[int]


@dataclass(frozen=True, slots=True)
class CurrentIncident:
    """The number and the kind of the open incident of content."""

    id: int
    kind: str


@dataclass(frozen=True, slots=True)
class PromisedTime:
    """A time by which a `[[watch]]` declares content to be fresh, and whether it was."""

    watch: str
    at: datetime
    kept: bool


class ResourceLists:
    """Lists of content."""

    def __init__(self, store: Store, scope: Scope = WHOLE) -> None:
        self._store, self._scope = store, scope

    def page(
        self,
        *,
        names: Collection[str] = (),
        projects: Collection[str] = (),
        owners: Collection[str] = (),
        kinds: Collection[str] = (),
        luids: Collection[str] | None = None,
        states: Collection[str] = (),
        after: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[RefreshedContent]:
        """Return content by name, with one statement; `after` is the name and the LUID where a page ended.

        `names`, `projects` and `owners` are patterns with `*` and `?`; `luids` limits the list to some content,
        `states` to content with an open incident in one of these states.
        """
        filters = [*self._scope.content(refreshed_content), *_filters(names, projects, owners, kinds, luids)]
        columns = refreshed_content.c
        if states:
            filters.append(columns.resource_luid.in_(self._open(states, incidents.c.resource_luid)))
        if after is not None:
            name, luid = after
            later = or_(columns.resource_name > name, and_(columns.resource_name == name, columns.resource_luid > luid))
            filters += [columns.resource_name >= name, later]
        order = (columns.resource_name, columns.resource_luid)

        def read(connection: Connection) -> list[RefreshedContent]:
            strip = _strip(connection.dialect.name).label("strip")
            own = runs.c.resource_luid == refreshed_content.c.resource_luid
            last_at = select(func.max(runs.c.happened_at)).where(own).scalar_subquery().label("last_at")
            joined = refreshed_content.outerjoin(resources, resources.c.luid == refreshed_content.c.resource_luid)
            shown = select(refreshed_content, resources.c.owner, resources.c.project, last_at, strip)
            query = shown.select_from(joined).where(*filters).order_by(*order).limit(limit)
            return [_record(row) for row in connection.execute(query).mappings()]

        return self._store.read(read)

    def get(self, luid: str) -> RefreshedContent | None:
        """Return content that has runs; None if it has none."""
        found = self.page(luids=[luid], limit=1)
        return found[0] if found else None

    def current_incidents(
        self, found: Sequence[RefreshedContent], states: Collection[str]
    ) -> dict[str, CurrentIncident]:
        """Return the open incident of each content that has one in these states, by LUID; of several the newest."""
        columns = incidents.c.resource_luid, incidents.c.id, incidents.c.kind
        query = self._open(states, *columns).where(incidents.c.resource_luid.in_([one.luid for one in found]))
        rows = self._store.rows(query.order_by(incidents.c.opened_at, incidents.c.id)) if found else ()
        return {row["resource_luid"]: CurrentIncident(row["id"], row["kind"]) for row in rows}

    def _open(self, states: Collection[str], *columns: ColumnElement[Any]) -> Select[Any]:
        own = (incidents.c.closed_at.is_(None), incidents.c.state.in_(states), *self._scope.incidents())
        return select(*columns).where(*own)

    def incidents_of(self, luid: str) -> list[IncidentRecord]:
        """Return the last incidents of content, newest first."""
        query = select(incidents).where(incidents.c.resource_luid == luid, *self._scope.incidents())
        query = query.order_by(incidents.c.opened_at.desc()).limit(MAX_INCIDENTS)
        return self._store.read(
            lambda connection: incident_records(connection, connection.execute(query).mappings().all())
        )

    def promised(self, luid: str) -> list[PromisedTime]:
        """Return the times by which content had to be fresh, newest first, and whether it was."""
        columns = expected_runs.c.task, expected_runs.c.expected_at, expected_runs.c.state, expected_runs.c.came_at
        own = (expected_runs.c.resource_luid == luid, *self._scope.content(expected_runs))
        query = (
            select(*columns)
            .where(*own, text(DECLARED))
            .order_by(expected_runs.c.expected_at.desc())
            .limit(MAX_PROMISED)
        )
        return [
            PromisedTime(
                declaring_watch(row["task"]),
                from_timestamp(row["expected_at"]),
                row["state"] == "came" and row["came_at"] <= row["expected_at"],
            )
            for row in self._store.rows(query)
            if row["state"] in {"came", "missed"}
        ]

    def next_expected(self, luid: str, now: datetime) -> datetime | None:
        """Return when the content is expected to be refreshed next, as far as schedules say."""
        columns = expected_runs.c
        waiting = (columns.resource_luid == luid, columns.expected_at >= now.timestamp(), columns.state == "waiting")
        query = select(columns.expected_at).where(*waiting, *self._scope.content(expected_runs))
        found = self._store.scalar(query.order_by(columns.expected_at).limit(1))
        return None if found is None else from_timestamp(found)

    def delayed_since(self, luid: str) -> datetime | None:
        """Return since when the content has had an open incident; None if it has none."""
        own = (incidents.c.resource_luid == luid, incidents.c.closed_at.is_(None), *self._scope.incidents())
        found = self._store.scalar(select(func.min(incidents.c.opened_at)).where(*own))
        return None if found is None else from_timestamp(found)

    def last_success(self, luid: str) -> datetime | None:
        """Return when the content was last refreshed successfully."""
        query = select(runs.c.happened_at).where(runs.c.resource_luid == luid, runs.c.outcome == "succeeded")
        query = query.where(*self._scope.content(runs))
        found = self._store.scalar(query.order_by(runs.c.happened_at.desc()).limit(1))
        return None if found is None else from_timestamp(found)


def _filters(
    names: Collection[str],
    projects: Collection[str],
    owners: Collection[str],
    kinds: Collection[str],
    luids: Collection[str] | None,
) -> list[ColumnElement[bool]]:
    columns = refreshed_content.c
    filters: list[ColumnElement[bool]] = []
    if names:
        filters.append(or_(*(name_filter(columns.resource_name, name) for name in names)))
    if projects:
        paths = [pattern for project in projects for pattern in (project, f"*/{project}")]
        filters.append(or_(*(name_filter(resources.c.project, path) for path in paths)))
    if owners:
        # An owner is stored as its name, or as: Ann Lee (ann@example.org).
        people = [pattern for owner in owners for pattern in (owner, f"{owner} (*)", f"*({owner})")]
        filters.append(or_(*(name_filter(resources.c.owner, person) for person in people)))
    if kinds:
        filters.append(columns.resource_kind.in_(kinds))
    if luids is not None:
        filters.append(columns.resource_luid.in_(luids))
    return filters


def _strip(dialect: str) -> ColumnElement[str]:
    """Return the last runs of content as one text: `s412 f37 s405`."""
    own = runs.c.resource_luid == refreshed_content.c.resource_luid
    seconds = sql_cast(func.round(func.coalesce(runs.c.ended_at - runs.c.started_at, 0.0)), SqlText)
    word = (func.substr(runs.c.outcome, 1, 1) + seconds).label("word")
    last = select(word, runs.c.happened_at).where(own).order_by(runs.c.happened_at.desc()).limit(STRIP_RUNS)
    rows = last.correlate(refreshed_content).subquery("last_runs")
    if dialect == "postgresql":
        aggregate: ColumnElement[str] = literal_column(
            f"string_agg({rows.name}.word, ' ' ORDER BY {rows.name}.happened_at DESC)"
        )
        return select(aggregate).select_from(rows).scalar_subquery()
    # SQLite concatenates in the order of the rows.
    return select(func.group_concat(rows.c.word, " ")).select_from(rows).scalar_subquery()


def _record(row: Any) -> RefreshedContent:
    words = (row["strip"] or "").split()
    return RefreshedContent(
        luid=row["resource_luid"],
        kind=row["resource_kind"],
        site_luid=row["site_luid"],
        name=row["resource_name"],
        owner=row["owner"] or "",
        project=row["project"] or "",
        last_at=None if row["last_at"] is None else from_timestamp(row["last_at"]),
        outcomes="".join(word[0] for word in words),
        seconds=[int(float(word[1:])) for word in words],
    )
