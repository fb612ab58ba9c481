"""Compare the names in the conditions of rules with what exists in Tableau: projects, tags, content, owners, sites."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tableau_rest import TableauError
from webhooks.cli.doctor.results import CheckResult, ok, skipped, warning
from webhooks.config.site import Site
from webhooks.context.projects import MAX_DEPTH
from webhooks.errors import StoreUnavailable
from webhooks.event_types import EVENT_TYPES
from webhooks.patterns import Patterns, is_glob, matches
from webhooks.rules import Rule, Rules
from webhooks.rules.matching import SITE
from webhooks.rules.mistakes import NONE
from webhooks.services import Services
from webhooks.spelling import closest

# Items that are read of each list, in pages of the largest size that Tableau offers.
MAX_LISTED, PAGE_SIZE = 2000, 1000
# Seconds after which nothing more is asked; a call that has begun has a deadline of its own.
TOTAL_SECONDS = 60.0
# Conditions that were not looked up and are named.
MOST_NAMED = 3
ADVICE = "Names are compared without case. If it is created later, nothing needs to change."

# The words for one value of a condition.
NOUNS = {
    "project": "project",
    "tags": "tag",
    "owner": "owner",
    "resource_name": "workbook or data source",
    "resource_luid": "workbook or data source",
    SITE: "site",
}
NAMES_OF_CONTENT = frozenset({"resource_name", "resource_luid"})


@dataclass
class Known:
    """The values of one condition that exist on the asked sites; not `complete` if a list was too long to read."""

    values: dict[str, None] = field(default_factory=dict)
    complete: bool = True
    error: str = ""


class NameChecks:
    """Looks up names on the given sites; each list is read once, and only if a condition needs it."""

    def __init__(self, services: Services, sites: Sequence[Site], clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._sites = sites
        self._clock = clock
        self._end = clock() + TOTAL_SECONDS
        self._known: dict[str, Known] = {}

    def check(self, rules: Rules) -> Iterator[CheckResult]:
        """Yield a warning for each name that does not exist, and one for each list that could not be read."""
        compared, warned = 0, False
        left_out: list[str] = []
        conditions = [
            (rule, *condition) for rule in rules.rules if rule.enabled for condition in _conditions(rule).items()
        ]
        for rule, name, patterns in conditions:
            if name in NAMES_OF_CONTENT and not _is_about_content(rule):
                left_out.append(f'{name} in rule "{rule.name}"')
                continue
            known = self._values(name)
            if known.error:
                continue
            for pattern in _unmatched(patterns, known.values):
                # Once is enough.
                advice, warned = "" if warned else ADVICE, True
                yield warning("names", f'rule "{rule.name}": {_missing(name, pattern, known)}', advice)
            compared += len(patterns)
        yield from self._unread()
        if not warned and not any(known.error for known in self._known.values()):
            yield _summary(compared, left_out)

    def _unread(self) -> Iterator[CheckResult]:
        """Yield a warning for each list that could not be read."""
        for name, known in self._known.items():
            if known.error:
                yield warning("names", f"{name} cannot be compared: {known.error}", "")

    def _values(self, name: str) -> Known:
        if name not in self._known:
            self._known[name] = known = Known()
            for site in self._sites:
                if self._clock() > self._end:
                    known.error = f"no time left after {TOTAL_SECONDS:.0f} seconds"
                    break
                try:
                    self._read(name, site, known)
                except (TableauError, ValueError, RuntimeError, StoreUnavailable) as error:
                    known.error = f"{site.name}: {error}" if site.name else str(error)
                    break
        return self._known[name]

    def _read(self, name: str, site: Site, known: Known) -> None:
        """Add the values of a site. Raises TableauError."""
        if name == SITE:
            known.values.update(dict.fromkeys(filter(None, (site.name, self._services.sites.luid(site)))))
            return
        tableau = self._services.client(site)
        if name == "project":
            lists: list[Iterator[Any]] = [tableau.projects(page_size=PAGE_SIZE)]
        elif name == "owner":
            lists = [tableau.users(page_size=PAGE_SIZE)]
        else:
            lists = [tableau.workbooks(page_size=PAGE_SIZE), tableau.datasources(page_size=PAGE_SIZE)]
        for items in lists:
            listed = list(islice(items, MAX_LISTED + 1))
            known.complete = known.complete and len(listed) <= MAX_LISTED
            values = _project_names(listed) if name == "project" else _values(name, listed)
            known.values.update(dict.fromkeys(filter(None, values)))


def _summary(compared: int, left_out: Sequence[str]) -> CheckResult:
    """Return the result if every name that was compared exists."""
    if not compared:
        return skipped("names", "no condition names anything that can be looked up in Tableau")
    if not left_out:
        return ok("names", "every name in a condition exists in Tableau")
    others = f"{', '.join(left_out[:MOST_NAMED])}{', …' if len(left_out) > MOST_NAMED else ''}"
    return ok("names", f"every name that was looked up exists in Tableau; not looked up: {others}")


def _values(name: str, items: Iterable[Any]) -> Iterator[str]:
    for item in items:
        if name == "tags":
            yield from item.tags
        else:
            yield item.luid if name == "resource_luid" else item.name


def _project_names(projects: Sequence[Any]) -> Iterator[str]:
    """Yield the names and the paths of the projects."""
    by_luid = {project.luid: project for project in projects}
    for project in projects:
        yield project.name
        names, above = [project.name], by_luid.get(project.parent_luid)
        while above is not None and len(names) < MAX_DEPTH:
            names.insert(0, above.name)
            above = by_luid.get(above.parent_luid)
        yield "/".join(names)


def _conditions(rule: Rule) -> dict[str, Patterns]:
    """Return the conditions of a rule whose values may be names in Tableau."""
    where: dict[str, Patterns] = {}
    for name, patterns in rule.event_filter.where.all:
        where[name] = (*where.get(name, ()), *patterns)
    return {name: patterns for name, patterns in where.items() if name in NOUNS}


def _is_about_content(rule: Rule) -> bool:
    """Return whether all events of the rule are about workbooks and data sources: other names are in no list."""
    subjects = {one.subject for one in EVENT_TYPES.values() if matches(rule.event_filter.on, [one.name])}
    return bool(subjects) and subjects <= {"workbook", "datasource", "label"}


def _unmatched(patterns: Patterns, values: Iterable[str]) -> Iterator[str]:
    """Yield the patterns that match no value. A `!` with `*` or `?` excludes what may come, so it need not match."""
    for pattern in patterns:
        glob = pattern.removeprefix("!")
        if glob == NONE or (pattern.startswith("!") and is_glob(glob)):
            continue
        if not matches((glob,), values):
            yield glob


def _missing(name: str, pattern: str, known: Known) -> str:
    """Return the sentence about a pattern that matches nothing, with the nearest name."""
    where = "in Tableau" if known.complete else f"among the first {MAX_LISTED} in Tableau"
    text = f'no {NOUNS[name]} {where} matches "{pattern}"'
    similar = None if is_glob(pattern) else closest(pattern, known.values)
    return f'{text}; did you mean "{similar}"?' if similar else text
