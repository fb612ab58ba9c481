"""The sites and projects that a visitor may see, as conditions of queries: lists, counts, single objects and acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, CompoundSelect, FromClause, false, func, or_, select

from webhooks.inbox.events.tables import events
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.jobs.tables import jobs
from webhooks.inbox.queries import name_filter
from webhooks.inbox.resources.tables import resources
from webhooks.patterns import divide, is_within, normalize

if TYPE_CHECKING:
    from webhooks.incidents.silences import Silence


@dataclass(frozen=True, slots=True)
class Scope:
    """Sites by their LUIDs, and projects as patterns of paths with `*` and `?`; None: all of them.

    A project includes the projects below it. `site_names` are the names of the sites. Content whose project is not
    known yet is in no scope that is limited to projects.
    """

    site_luids: tuple[str, ...] | None = None
    projects: tuple[str, ...] | None = None
    site_names: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Return whether everything is visible."""
        return self.site_luids is None and self.projects is None

    @property
    def paths(self) -> tuple[str, ...]:
        """The patterns of all paths: of the projects and of those below them."""
        return tuple(path for project in self.projects or () for path in (project, f"{project}/*"))

    def content(self, table: FromClause) -> list[ColumnElement[bool]]:
        """Return the conditions on rows with the columns `resource_luid` and `site_luid` in lower case."""
        conditions: list[ColumnElement[bool]] = []
        if self.site_luids is not None:
            conditions.append(table.c.site_luid.in_(self.site_luids))
        if self.projects is not None:
            conditions.append(table.c.resource_luid.in_(self._luids()))
        return conditions

    def incidents(self) -> list[ColumnElement[bool]]:
        """Return the conditions on incidents. Those about the server itself are visible with the whole only."""
        if self.is_whole:
            return []
        from webhooks.incidents.incident import OWN_KINDS  # noqa: PLC0415 - commands that list events need none

        conditions = [*self.content(incidents), incidents.c.kind.not_in(OWN_KINDS)]
        if self.projects is not None:
            # It shows the project of its time.
            conditions.append(or_(incidents.c.project == "", self._matches(incidents.c.project)))
        return conditions

    def events(self) -> list[ColumnElement[bool]]:
        """Return the conditions on events, whose LUIDs are stored as they were received."""
        conditions: list[ColumnElement[bool]] = []
        if self.site_luids is not None:
            conditions.append(func.lower(events.c.site_luid).in_(self.site_luids))
        if self.projects is not None:
            conditions.append(func.lower(events.c.resource_luid).in_(self._luids()))
        return conditions

    def jobs(self) -> list[ColumnElement[bool]]:
        """Return the conditions on jobs: those of visible events."""
        return [] if self.is_whole else [jobs.c.event_id.in_(select(events.c.id).where(*self.events()))]

    def narrow(self, matchers: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        """Return the matchers of a silence, limited to the scope. Raises ValueError for other sites and projects."""
        narrowed = dict(matchers)
        # No patterns at all would match everything.
        if self.projects == () or self.site_luids == ():
            raise ValueError("Nothing is visible within the limits of this role, so there is nothing to silence.")
        if self.projects is not None:
            included, excluded = divide(tuple(narrowed.get("path", ())))
            if others := [path for path in included if not self._has_path(path)]:
                raise ValueError(f"{others[0]!r} is not within the projects {', '.join(self.projects)}.")
            narrowed["path"] = (*(included or self.paths), *(f"!{path}" for path in excluded))
        if self.site_luids is not None:
            known = set(map(normalize, (*self.site_luids, *self.site_names)))
            given = narrowed.get("site") or self.site_luids
            if unknown := next((site for site in given if normalize(site) not in known), None):
                raise ValueError(f"There is no site {unknown!r}.")
            narrowed["site"] = given
        return narrowed

    def includes(self, silence: Silence) -> bool:
        """Return whether a silence is limited to the scope, so that it may be seen and ended."""
        paths, _ = divide(tuple(silence.matchers.get("path", ())))
        if self.projects is not None and not (paths and all(map(self._has_path, paths))):
            return False
        known = set(map(normalize, (*(self.site_luids or ()), *self.site_names)))
        sites = set(map(normalize, silence.matchers.get("site", ())))
        return self.site_luids is None or (bool(sites) and sites <= known)

    def _has_path(self, pattern: str) -> bool:
        return any(is_within(pattern, path) for path in self.paths)

    def _matches(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        return or_(false(), *(name_filter(column, path) for path in self.paths))

    def _luids(self) -> CompoundSelect[tuple[str]]:
        """Return the query for content in the projects, as the monitor or else the last incident has seen it."""
        seen = select(resources.c.luid).where(self._matches(resources.c.project))
        elsewhere = select(resources.c.luid).where(resources.c.project != "")
        newest = select(func.max(incidents.c.id)).where(incidents.c.project != "").group_by(incidents.c.resource_luid)
        learned = select(incidents.c.resource_luid).where(
            self._matches(incidents.c.project),
            incidents.c.id.in_(newest),
            incidents.c.resource_luid.not_in(elsewhere),
        )
        return seen.union(learned)


WHOLE = Scope()
