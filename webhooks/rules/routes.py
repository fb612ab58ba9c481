"""The table `[routes]`: which projects have which destinations, for rules with `notify = "routes"`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhooks.destinations import DEFAULT, ROUTES
from webhooks.messages.destination_template import check_destination
from webhooks.patterns import normalize
from webhooks.rules.destination_names import DestinationNames
from webhooks.rules.errors import InvalidValue, Problem
from webhooks.rules.rule import RuleAction

EXAMPLE = '"Finance*" = "slack:#finance-data"'
# Every job of a rule with routes has a copy of the table, so that its plan stays what it was.
MAX_ROUTES = 200
ALL = "*"


@dataclass(frozen=True, slots=True)
class Routes:
    """The patterns for projects in the order of the file, each with its destinations; the first that matches counts."""

    rows: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def parse(cls, table: object, names: DestinationNames) -> Routes:
        """Return the routes in a table such as `{ "Finance*" = ["slack:#finance-data", "owner"] }`.

        The `names` of destinations may be used in it. Raises InvalidValue with every error.
        """
        if not isinstance(table, Mapping) or not table:
            raise InvalidValue(f"should be a table: [{ROUTES}], and below it for example {EXAMPLE}")
        problems, first = [], dict[str, str]()
        if len(table) > MAX_ROUTES:
            problems.append(Problem(f"has {len(table)} routes; the limit is {MAX_ROUTES}"))
        rows = []
        for number, (pattern, value) in enumerate(table.items(), 1):
            same = first.setdefault(normalize(pattern.strip()), pattern)
            if not pattern.strip() or pattern.strip().startswith("!"):
                advice = 'is not a pattern for projects; write a name or path, with * and ?, such as "Finance*"'
                problems.append(Problem(f"{pattern!r} {advice}", (pattern,)))
            elif same != pattern:
                problems.append(Problem(f"{pattern!r} is the same as {same!r}; give each pattern once", (pattern,)))
            elif not pattern.strip("* ") and number < len(table):
                problems.append(Problem(f"{pattern!r} matches every project; write it at the end", (pattern,)))
            elif isinstance(value, Mapping):
                problems.append(Problem(f"{pattern}: write the whole pattern in quotes: {EXAMPLE}", (pattern,)))
            else:
                try:
                    rows.append((pattern.strip(), _destinations(value, names)))
                except ValueError as error:
                    problems.append(Problem(f"{pattern}: {error}", (pattern,)))
        if problems:
            raise InvalidValue(*problems)
        return cls(tuple(rows))

    def expand(self, action: RuleAction) -> list[RuleAction]:
        """Return an action per destination that a route can have, so that none of a project's depends on another.

        A project that no route matches has `default`.
        """
        rows = self.rows
        if not rows or rows[-1][0].strip("*"):
            rows = (*rows, (ALL, (DEFAULT,)))
        found = []
        for number in range(max(len(places) for _, places in rows)):
            routes = [[pattern, places[number] if number < len(places) else ""] for pattern, places in rows]
            label = f"{ROUTES} {number + 1}" if number else ROUTES
            found.append(RuleAction(action.action, label, {**action.params, "routes": routes}))
        return found


def _destinations(value: Any, names: DestinationNames) -> tuple[str, ...]:
    meant = names.flat(value)
    found = []
    for one in meant if isinstance(meant, list) else [meant]:
        if not isinstance(one, str):
            raise InvalidValue(f'{one!r} should be text in quotes, such as "slack:#bi"')
        if one.strip() == ROUTES:
            raise InvalidValue(f"{ROUTES} cannot be a destination of a route; name a channel, for example slack:#bi")
        found.append(check_destination(one))
    if not found:
        raise InvalidValue("an empty list means no destination; add one")
    return tuple(dict.fromkeys(found))
