"""Paths of projects, such as Finance/Reports: content names only the project it lies in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import Reference

FRESH = timedelta(minutes=5)
"""Projects are moved seldom, and the list of a big site is long."""
PAGE = 1000
"""The most that Tableau gives at a time."""
DEEPEST = 50

Tree = dict[str, tuple[str, str]]
"""A project's LUID -> its name and its parent's LUID, which is empty at the top."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The projects of a site as they were at a time; `unseen` are those that the signed-in user may not see."""

    tree: Tree
    at: datetime
    unseen: frozenset[str] = frozenset()

    def serves(self, luid: str, now: datetime) -> bool:
        """Whether the list need not be fetched again because of this project."""
        return now - self.at <= FRESH and (luid in self.tree or luid in self.unseen)


_known: WeakKeyDictionary[Tableau, Listed] = WeakKeyDictionary()
_fetching = Lock()
"""One thread fetches; the others wait for its list, as long as a call of Tableau may take."""


def path_of(project: Reference, tableau: Tableau, now: datetime) -> str:
    """`Finance/Reports`; as far up as the signed-in user may see. The list of projects is kept for five minutes.

    Raises TableauError.
    """
    tree = _tree(project.luid, tableau, now)
    names: list[str] = []
    luid = project.luid
    while luid in tree and len(names) < DEEPEST:
        name, luid = tree[luid]
        names.insert(0, name)
    return "/".join(names) or project.name


def _tree(luid: str, tableau: Tableau, now: datetime) -> Tree:
    """The list, fetched anew where it is old, or where it lacks the project and was not fetched because of that."""
    listed = _known.get(tableau)
    if listed is None or not listed.serves(luid, now):
        with _fetching:
            listed = _known.get(tableau)
            if listed is None or not listed.serves(luid, now):
                listed = _known[tableau] = _fetched(luid, tableau, now, listed)
    return listed.tree


def _fetched(luid: str, tableau: Tableau, now: datetime, before: Listed | None) -> Listed:
    tree = {one.luid: (one.name, one.parent_luid) for one in tableau.projects(page_size=PAGE)}
    asked = {luid, *(before.unseen if before else ())}
    return Listed(tree, now, frozenset(asked - tree.keys()))
