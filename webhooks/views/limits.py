"""The sites and projects that a role is limited to, as they are written, stored and shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from webhooks.patterns import matches

if TYPE_CHECKING:
    from webhooks.inbox.access.scope import Scope
    from webhooks.sites import Sites

MAX_PATTERNS, MAX_LENGTH = 20, 200


@dataclass(frozen=True, slots=True)
class Limits:
    """Patterns of sites (names or LUIDs) and of paths of projects, with `*` and `?`; empty: all of them."""

    sites: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()

    @classmethod
    def of(cls, *, sites: Sequence[str] = (), projects: Sequence[str] = ()) -> Self:
        """Return the limits. Raises ValueError for a pattern that cannot be one."""
        found = cls(*(tuple(filter(None, map(str.strip, patterns))) for patterns in (sites, projects)))
        for kind, patterns in (("site", found.sites), ("project", found.projects)):
            if len(patterns) > MAX_PATTERNS:
                raise ValueError(f"{len(patterns)} {kind}s are given; {MAX_PATTERNS} is the maximum.")
            for pattern in patterns:
                if pattern.startswith("!") or len(pattern) > MAX_LENGTH or not pattern.isprintable():
                    raise ValueError(f"{pattern[:60]!r} is not a {kind}: write a name with * and ?, such as Finance/*.")
        return found

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the limits as they are stored. Raises ValueError if the text is damaged."""
        found = json.loads(text or "{}")
        if not isinstance(found, dict) or not set(found) <= {"sites", "projects"}:
            raise ValueError("The limits are not readable.")
        return cls(*(tuple(map(str, found.get(name, ()))) for name in ("sites", "projects")))

    def as_text(self) -> str:
        """Return the limits as they are stored; `{}` without any."""
        found = {"sites": self.sites, "projects": self.projects}
        return json.dumps({name: patterns for name, patterns in found.items() if patterns})

    def describe(self) -> str:
        """Return the limits in words: `site finance; project Finance/*`, or `everything`."""
        named = (("site", self.sites), ("project", self.projects))
        return "; ".join(f"{kind} {', '.join(patterns)}" for kind, patterns in named if patterns) or "everything"


def describe(text: str) -> str:
    """Return stored limits in words."""
    try:
        return Limits.parse(text).describe()
    except ValueError:
        return "nothing: the limits are not readable"


def scope_of(text: str, sites: Sites) -> Scope:
    """Return the scope of stored limits; of damaged ones, a scope without anything.

    A site whose LUID is not known yet is in no scope.
    """
    from webhooks.inbox.access.scope import WHOLE, Scope  # noqa: PLC0415 - the help page needs no database

    if text in ("", "{}"):
        return WHOLE
    try:
        limits = Limits.parse(text)
    except ValueError:
        return Scope((), ())
    projects = limits.projects or None
    if not limits.sites:
        return Scope(None, projects)
    known = {site: sites.known_luid(site) for site in sites.all}
    chosen = [
        site for site, luid in known.items() if matches(limits.sites, filter(None, (site.name, site.sitename, luid)))
    ]
    luids = tuple(known[site] for site in chosen if known[site])
    return Scope(luids, projects, tuple(site.name for site in chosen if site.name))
