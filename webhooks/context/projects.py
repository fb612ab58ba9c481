"""Paths of projects, such as Finance/Reports: content names only the project it lies in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tableau_rest.fields import child, number, objects, text

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import Reference

FRESH = timedelta(minutes=5)
"""Projects are moved seldom, and the list of a big site is long."""
PAGE = 1000
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
        listed = Listed(dict(_list(tableau)), now)
        with _lock:
            _known[tableau] = listed
    return listed.tree


def _list(tableau: Tableau) -> Iterator[tuple[str, tuple[str, str]]]:
    """Every project, page by page. https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_projects.htm"""
    seen, page = 0, 1
    while True:
        answer = tableau.request("GET", "projects", params={"pageSize": PAGE, "pageNumber": page})
        found = list(objects(answer, "projects", "project"))
        yield from ((text(one, "id"), (text(one, "name"), text(one, "parentProjectId"))) for one in found)
        seen, page = seen + len(found), page + 1
        if not found or seen >= (number(child(answer, "pagination"), "totalAvailable") or 0):
            return
