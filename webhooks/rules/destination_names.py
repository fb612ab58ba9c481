"""The table `[destinations]`: names for destinations that rules use again and again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifiers import KINDS
from webhooks.destinations import DEFAULT, FROM_TABLEAU, ROUTES, normalize
from webhooks.rules.errors import InvalidValue, Problem

NAME = re.compile(r"[A-Za-z][\w-]{0,49}")


@dataclass(frozen=True, slots=True)
class DestinationNames:
    """Names, each of which means one destination or several."""

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, table: object) -> DestinationNames:
        """Return the names in a table such as `{ finance = ["slack:#finance", "twilio:+15550100"] }`.

        Raises InvalidValue with every error.
        """
        if not isinstance(table, Mapping):
            raise InvalidValue('should be a table: [destinations], and below it for example finance = "slack:#finance"')
        names: dict[str, tuple[str, ...]] = {}
        problems = []
        for name, value in table.items():
            if problem := _name_problem(name):
                problems.append(Problem(f"{name} {problem}", (name,)))
            items = value if isinstance(value, list) else [value]
            if not items:
                problems.append(Problem(f"{name}: an empty list means no destination; add one", (name,)))
            found = []
            for number, item in enumerate(items):
                path = (name, number) if isinstance(value, list) else (name,)
                try:
                    if not isinstance(item, str):
                        raise InvalidValue(f'{item!r} should be text in quotes, such as "slack:#bi"')
                    if item.strip() in table:
                        raise InvalidValue(f"{item!r} is a name itself; write the destinations that it means")
                    found.append(normalize(item))
                except ValueError as error:
                    problems.append(Problem(f"{name}: {error}", path))
            names[name] = tuple(dict.fromkeys(found))
        if problems:
            raise InvalidValue(*problems)
        return cls(names)

    def resolve(self, value: Any) -> Any:
        """Return the value of a key such as `notify` with the destinations that the names in it mean."""
        if isinstance(value, str):
            meant = self.names.get(value.strip())
            return value if meant is None else meant[0] if len(meant) == 1 else {"to": list(meant)}
        if isinstance(value, list):
            return [self.resolve(one) for one in value]
        if isinstance(value, Mapping) and "to" in value:
            return {**value, "to": self.flat(value["to"])}
        return value

    def flat(self, value: Any) -> Any:
        """Return one destination or a list of them with the destinations that the names mean."""
        if isinstance(value, list):
            items = [self.flat(one) for one in value]
            return [one for item in items for one in (item if isinstance(item, list) else [item])]
        meant = self.names.get(value.strip()) if isinstance(value, str) else None
        return value if meant is None else meant[0] if len(meant) == 1 else list(meant)


def _name_problem(name: str) -> str:
    if name in KINDS or name in {DEFAULT, ROUTES, *FROM_TABLEAU}:
        return "is a destination already; choose another name"
    if not NAME.fullmatch(name):
        return "is not a name; write letters, digits, - and _"
    return ""
