"""Apply the `[[watch]]` tables of the rules to the content of one site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from tableau_rest.errors import TableauError
from webhooks.context.projects import find_path
from webhooks.incidents.evidence import ResourceKind
from webhooks.monitor.watches.catalog import Catalog, Contents
from webhooks.rules.conditions import Where
from webhooks.rules.matching import match_values
from webhooks.watches.expectation import Expectation, Freshness, declared

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from webhooks.rules.watches import Watch

# Tags and projects change rarely, and the lists of a large site are long.
LIST_AGE = timedelta(hours=1)


class Declarations:
    """The watches in force, which `watches` returns, for the content of one site; `site` is its name."""

    def __init__(
        self,
        tableau: Callable[[], Tableau],
        contents: Contents,
        watches: Callable[[], Sequence[Watch]],
        zone: tzinfo,
        site: str = "",
    ) -> None:
        self._tableau, self._contents, self._watches = tableau, contents, watches
        self._zone, self._site = zone, site
        self._owners: dict[str, str] = {}

    def expected(self, luids: Iterable[str], site_luid: str, now: datetime) -> list[Expectation]:
        """Return the next time by which each of this content has to be fresh. Raises TableauError."""
        watches = [one for one in self._watches() if one.enabled and one.fresh_by is not None]
        if not watches:
            return []
        catalog, found = self._contents.catalog(now, LIST_AGE), []
        for luid in luids:
            kind, content = catalog.contents.get(luid, (None, None))
            for watch in watches:
                if kind and watch.fresh_by and self._matches(watch.where, kind, content, site_luid, now):
                    freshness = Freshness(watch.fresh_by, watch.days, self._zone, watch.within)
                    found.append(declared(watch.name, freshness, luid, kind, now))
        return found

    def within(self, name: str) -> timedelta | None:
        """Return how long before its time content has to have been refreshed; None if there is no such watch."""
        return next((one.within for one in self._watches() if one.name == name), None)

    def limit(self, luid: str, site_luid: str, now: datetime) -> tuple[timedelta, str] | None:
        """Return how long a refresh of the content may take, and the watch that says so; None if none does."""
        watches = [one for one in self._watches() if one.enabled and one.longer_than is not None]
        if not watches:
            return None
        try:
            catalog: Catalog = self._contents.catalog(now, LIST_AGE)
            kind, content = catalog.contents.get(luid, (None, None))
            limits = [
                (one.longer_than, one.name)
                for one in watches
                if kind and one.longer_than and self._matches(one.where, kind, content, site_luid, now)
            ]
        except TableauError:
            return None
        return min(limits, default=None)

    def _matches(self, where: Where, kind: ResourceKind, content: Any, site_luid: str, now: datetime) -> bool:
        """Return whether the content meets all conditions. Raises TableauError."""
        for name, patterns in {**where.payload, **where.tableau}.items():
            values = [*self._values(name, kind, content, site_luid, now)]
            if not match_values(name, patterns, values, known_empty=name == "tags").matched:
                return False
        return not where.any or any(self._matches(one, kind, content, site_luid, now) for one in where.any)

    def _values(self, name: str, kind: ResourceKind, content: Any, site_luid: str, now: datetime) -> Iterator[object]:
        """Yield the values of a field of the content."""
        certified = getattr(content, "is_certified", None)
        simple: dict[str, tuple[object, ...]] = {
            "resource_name": (content.name,),
            "resource_luid": (content.luid,),
            "resource": (kind.upper(), "EXTRACTS"),
            "content_type": (kind,),
            "site_luid": (site_luid, self._site or None),
            "tags": content.tags,
            "certified": () if certified is None else (str(certified).lower(),),
            "project": (content.project.name,),
        }
        yield from simple.get(name, ())
        if name == "project" and content.project.luid:
            yield find_path(content.project, self._tableau(), now).path
        elif name == "owner" and (content.owner.luid or content.owner.name):
            luid = content.owner.luid
            if not content.owner.name and luid not in self._owners:
                self._owners[luid] = self._tableau().user(luid).name
            yield content.owner.name or self._owners[luid]
