"""The content of a site as Tableau lists it: what exists, and under which name jobs are listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tableau_rest.errors import TableauError
from webhooks.incidents.evidence import ResourceKind
from webhooks.monitor.job_list import PAGE_SIZE

if TYPE_CHECKING:
    from tableau_rest import Tableau


CATALOG_AGE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The workbooks, data sources and flows of a site by LUID, with their kinds, at the time `at`.

    `complete_kinds` are those that could be listed: content of another kind may exist without being here.
    """

    at: datetime
    contents: dict[str, tuple[ResourceKind, Any]] = field(default_factory=dict)
    complete_kinds: frozenset[ResourceKind] = frozenset()
    by_name: dict[tuple[ResourceKind, str], list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for luid, (kind, content) in self.contents.items():
            self.by_name.setdefault((kind, content.name), []).append(luid)

    def name(self, luid: str) -> str:
        """Return the name of content; empty if it is not listed."""
        found = self.contents.get(luid)
        return str(found[1].name) if found else ""

    def is_gone(self, luid: str, kind: ResourceKind) -> bool:
        """Return whether the content no longer exists, or is hidden from the server's Tableau user."""
        return kind in self.complete_kinds and luid not in self.contents

    def namesakes(self, kind: ResourceKind, name: str) -> list[str]:
        """Return the LUIDs of all content of a kind that has this name."""
        return self.by_name.get((kind, name), [])


class Contents:
    """The content of one site, listed again when a list is needed that is newer than the last one."""

    def __init__(self, tableau: Callable[[], Tableau]) -> None:
        self._tableau = tableau
        self._last: Catalog | None = None

    def catalog(self, now: datetime, max_age: timedelta = CATALOG_AGE) -> Catalog:
        """Return a list that is at most `max_age` old. Raises TableauError that may pass."""
        if self._last is None or now - self._last.at > max_age:
            self._last = read_catalog(self._tableau(), now)
        return self._last

    def name(self, luid: str, now: datetime) -> str:
        """Return the name of content; empty if it is gone or Tableau cannot be asked."""
        try:
            return self.catalog(now).name(luid)
        except TableauError:
            return self._last.name(luid) if self._last else ""


def read_catalog(tableau: Tableau, now: datetime) -> Catalog:
    """Return the content of a site. A kind that Tableau refuses to list is left out. Raises an error that may pass."""
    lists: dict[ResourceKind, Callable[..., Iterator[Any]]] = {
        "workbook": tableau.workbooks,
        "datasource": tableau.datasources,
        "flow": tableau.flows,
    }
    contents: dict[str, tuple[ResourceKind, Any]] = {}
    complete: set[ResourceKind] = set()
    for kind, read in lists.items():
        try:
            for content in read(page_size=PAGE_SIZE):
                contents[content.luid.lower()] = (kind, content)
            complete.add(kind)
        except TableauError as error:
            if not error.permanent:
                raise
    return Catalog(now, contents, frozenset(complete))
