"""Find the paths of projects, such as Finance/Reports: content names only the project that contains it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from webhooks.context.shared_lookups import shared_lookups

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import Reference

# Projects are moved rarely, and the list of a large site is long.
MAX_AGE = timedelta(minutes=5)
# The largest page that Tableau offers.
PAGE_SIZE = 1000
# Ends the walk upwards if a list should contain a cycle.
MAX_DEPTH = 50

# The LUID of a project -> its name and its parent's LUID, which is empty at the top.
Tree = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ProjectPath:
    """The names from the top down; not `complete` if Tableau does not list the project or one of its parents."""

    path: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """The projects of a site at a time; `invisible` are those that the signed-in user cannot see."""

    tree: Tree
    at: datetime
    invisible: frozenset[str] = frozenset()

    def serves(self, luid: str, now: datetime) -> bool:
        """Return whether the listing is fresh enough for this project."""
        return now - self.at <= MAX_AGE and (luid in self.tree or luid in self.invisible)


_listings: WeakKeyDictionary[Tableau, Listing] = WeakKeyDictionary()


def knows(project: Reference, tableau: Tableau, now: datetime) -> bool:
    """Return whether `find_path` sends no request."""
    listing = _listings.get(tableau)
    return listing is not None and listing.serves(project.luid, now)


def find_path(project: Reference, tableau: Tableau, now: datetime) -> ProjectPath:
    """Return the path of a project, from a list of all projects that is cached for five minutes.

    Raises TableauError.
    """
    listing = _listings.get(tableau)
    if listing is None or not listing.serves(project.luid, now):
        with shared_lookups(tableau).requesting_projects:
            listing = _listings.get(tableau)
            if listing is None or not listing.serves(project.luid, now):
                tree = {one.luid: (one.name, one.parent_luid) for one in tableau.projects(page_size=PAGE_SIZE)}
                requested = {project.luid, *(listing.invisible if listing else ())}
                listing = _listings[tableau] = Listing(tree, now, frozenset(requested - tree.keys()))
    names: list[str] = []
    luid = project.luid
    while luid in listing.tree and len(names) < MAX_DEPTH:
        name, luid = listing.tree[luid]
        names.insert(0, name)
    return ProjectPath("/".join(names) or project.name, complete=bool(names) and not luid)
