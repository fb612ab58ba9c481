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
    """The projects of a site as they were at a time."""

    tree: Tree
    at: datetime


_known: WeakKeyDictionary[Tableau, Listed] = WeakKeyDictionary()
_lock = Lock()


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
    with _lock:
        listed = _known.get(tableau)
    if listed is None or luid not in listed.tree or now - listed.at > FRESH:
        found = tableau.projects(page_size=PAGE)
        listed = Listed({one.luid: (one.name, one.parent_luid) for one in found}, now)
        with _lock:
            _known[tableau] = listed
    return listed.tree
